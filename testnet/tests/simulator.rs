//! The simulator itself: seeds hold, runs repeat, and the scenarios that protocol.md's rules answer.

use rota_testnet::sim::{Byzantine, Lines, Options, Outcome, Signatures, run, swarm};
use std::process::Command;

fn options() -> Options {
    Options {
        validators: 4..=7,
        byzantine: Byzantine::Tolerated,
        signatures: Signatures::Tags,
        lines: Lines::None,
    }
}

fn explain(outcome: &Outcome) -> String {
    format!(
        "seed {}: {:?}\nagain: rota-testnet sim --seed {} --validators 4..7 --trace",
        outcome.seed, outcome.violation, outcome.seed
    )
}

#[test]
fn a_few_seeds_hold() {
    let summary = swarm(0..12, &options(), 2, &|outcome| eprintln!("{}", explain(outcome)));
    assert!(summary.violations.is_empty(), "{summary}");
    assert_eq!(summary.seeds, 12);
}

#[test]
fn real_signatures_hold() {
    let real = Options { signatures: Signatures::Real, validators: 4..=4, ..options() };
    let outcome = run(5, &real);
    assert!(outcome.violation.is_none(), "{}", explain(&outcome));
}

#[test]
fn a_seed_tells_one_story_in_two_processes() {
    for seed in [3, 4, 8] {
        let of_process = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_rota-testnet"));
            let seed = seed.to_string();
            command.args(["sim", "--seed", seed.as_str(), "--validators", "4..7"]);
            let output = command.output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let (first, second) = (of_process(), of_process());
        assert_eq!(first, second);
        let here = format!("trace {:016x}", run(seed, &options()).trace_hash);
        assert!(first.contains(&here), "{first} has no {here}");
    }
}

#[test]
fn other_seeds_tell_other_stories() {
    let hash = |seed| run(seed, &options()).trace_hash;
    assert_ne!(hash(1), hash(2));
}

#[test]
fn too_many_byzantine_halt_or_leave_evidence() {
    let many = Options { byzantine: Byzantine::TooMany, ..options() };
    let summary = swarm(0..12, &many, 2, &|outcome| eprintln!("{}", explain(outcome)));
    assert!(summary.violations.is_empty(), "{summary}");
}
