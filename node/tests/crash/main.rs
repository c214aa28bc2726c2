//! Exhaustive crash search: one validator plays a short script over a disk in memory, and everything that a disk or
//! its power can do happens at every operation of it. After each it starts again from what the disk holds, and
//! whatever left the machine before must stand: marks, batches, slots, receipts.
//!
//! Its weight is a quorum, so it decides alone; another validator's lane is written by the test, so that it
//! acknowledges too. Core, execution, group commit, guard, log and ledger are those of `rota`.
//!
//! `cargo test -p rota-node --test crash -- --nocapture | grep CRASH` prints the counts.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail loudly, and say what they tried"
)]

mod cast;
mod life;
mod promises;
mod stage;

use rota_node::disk::sim::{Fault, Tail};
use stage::{Ended, Part, Stage};
use std::collections::{BTreeMap, BTreeSet};

/// Operations that the script makes on its disk, from the first start to its end.
fn operations() -> u64 {
    let mut stage = Stage::new();
    stage.play().unwrap_or_else(|ended| panic!("without a fault: {ended}"));
    stage.operations()
}

/// Plays until the fault that was set ends the process, if it does.
fn until_the_end(stage: &mut Stage) -> Option<Ended> {
    stage.play().err()
}

/// Starts again, plays to the script's end, and says what went wrong with which case.
fn go_on(stage: &mut Stage, case: &str) {
    if let Err(ended) = stage.play() {
        panic!("{case}: it does not go on: {ended}");
    }
}

fn count(points: &mut BTreeMap<Part, u64>, ended: &Ended) {
    *points.entry(ended.part).or_default() += 1;
}

fn print(what: &str, points: &BTreeMap<Part, u64>) {
    let of = |part| points.get(&part).copied().unwrap_or(0);
    println!(
        "CRASH POINTS {what}: guard {} wal {} ledger {} total {}",
        of(Part::Guard),
        of(Part::Wal),
        of(Part::Ledger),
        points.values().sum::<u64>()
    );
}

/// The power goes before every operation; unsynced bytes are lost, or all there.
#[test]
fn the_power_goes_before_every_operation() {
    let mut points = BTreeMap::new();
    for number in 0..operations() {
        for tail in [Tail::Drop, Tail::Keep] {
            let mut stage = Stage::new();
            stage.disk.power_off_at(stage.operation(number));
            let ended = until_the_end(&mut stage).expect("the power went");
            count(&mut points, &ended);
            stage.disk.crash(tail);
            go_on(&mut stage, &format!("power off before operation {number}, {tail:?}"));
        }
    }
    print("power", &points);
    assert!(points.len() == 3 && points.values().all(|count| *count >= 10), "{points:?}");
}

/// What was not synced is torn at every length, or has its length and zeros from there on.
#[test]
fn every_tail_is_torn_at_every_length() {
    let mut points = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for number in 0..operations() {
        let mut stage = Stage::new();
        stage.disk.power_off_at(stage.operation(number));
        until_the_end(&mut stage).expect("the power went");
        for (path, part, durable, live) in stage.unsynced() {
            if !seen.insert((path.clone(), durable, live)) {
                continue;
            }
            for kept in 0..live - durable {
                for zeroed in [false, true] {
                    let torn = stage.with_torn(&path, durable + kept, zeroed);
                    if let Err(ended) = torn.starts() {
                        panic!("{} torn at {}: {ended}", path.display(), durable + kept);
                    }
                    *points.entry(part).or_default() += 1;
                }
            }
        }
    }
    print("torn lengths", &points);
    assert!(points.len() == 3 && points.values().all(|count| *count >= 100), "{points:?}");
}

/// Every write and sync fails once, for want of room and for a broken device. The node ends with an error that says
/// what to do, and goes on when it is started again, whether the page cache lived or not.
#[test]
fn every_operation_fails() {
    let mut points = BTreeMap::new();
    for number in 0..operations() {
        for (fault, tail) in
            [(Fault::Error, Tail::Drop), (Fault::Error, Tail::Keep), (Fault::Full, Tail::Keep)]
        {
            let mut stage = Stage::new();
            stage.disk.fail_at(stage.operation(number), fault);
            let Some(ended) = until_the_end(&mut stage) else {
                panic!("operation {number} failed ({fault:?}) and nobody noticed");
            };
            assert!(!ended.hint.is_empty(), "operation {number}, {fault:?}: no hint in {ended}");
            count(&mut points, &ended);
            stage.disk.crash(tail);
            go_on(&mut stage, &format!("operation {number} failed, {fault:?}, {tail:?}"));
        }
    }
    print("failures", &points);
    assert!(points.len() == 3 && points.values().all(|count| *count >= 10), "{points:?}");
}

/// The power goes during the script, and again before every operation of the start after it.
#[test]
fn the_power_goes_again_while_it_starts() {
    let mut points = BTreeMap::new();
    let all = operations();
    for number in (0..all).step_by(7) {
        let first = |stage: &mut Stage| {
            stage.disk.power_off_at(stage.operation(number));
            until_the_end(stage).expect("the power went");
            stage.disk.crash(Tail::Keep);
        };
        let mut stage = Stage::new();
        first(&mut stage);
        let before = stage.disk.operations();
        let start = stage.starts().map(|()| stage.disk.operations() - before);
        for again in 0..start.unwrap_or_else(|ended| panic!("{number}: {ended}")) {
            let mut stage = Stage::new();
            first(&mut stage);
            stage.disk.power_off_at(stage.disk.operations() + again);
            let ended = until_the_end(&mut stage).expect("the power went again");
            count(&mut points, &ended);
            stage.disk.crash(Tail::Drop);
            go_on(
                &mut stage,
                &format!("power off at {number}, and {again} operations into the start"),
            );
        }
    }
    print("power, twice", &points);
    assert!(points.values().sum::<u64>() >= 20, "{points:?}");
}
