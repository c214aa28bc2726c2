//! Random worlds: crashes, partitions, loss, skew, slow execution, an equivocator. Each seed switches
//! some faults off. Safety always; after all is healed, progress.

use crate::net::Net;
use rota_consensus::Effect;
use rota_types::evidence::Evidence;

const FOUR: [u64; 4] = [1, 1, 1, 1];

struct Outcome {
    evidence: usize,
    late_rounds: usize,
    crashes: usize,
}

/// One world. Everything follows from the seed; `forgetful` plants the bug of a dropped log and guard.
fn world(weights: &[u64], seed: u64, forgetful: bool) -> (Net, Outcome) {
    let mut net = Net::new(weights, 1_000, seed);
    let n = weights.len();
    net.sync_ms = Some(700);
    let slow = net.random(3) * 40;
    net.delay_ms = (1, 5 + slow);
    net.loss_percent = if net.random(2) == 0 { 0 } else { net.random(15) };
    let byzantine = (net.random(3) == 0).then(|| net.random(n as u64) as usize);
    for node in 0..n {
        net.nodes[node].skew_ms = net.random(41) as i64 - 20;
        net.nodes[node].execution_ms = if net.random(4) == 0 { net.random(1_500) } else { 5 };
        net.nodes[node].equivocates = byzantine == Some(node);
        net.nodes[node].forgetful = forgetful;
    }
    let partitions = net.random(2) == 0;
    let crashy = forgetful || net.random(3) > 0;
    let end = net.now + 12_000;
    let mut crashes = 0;
    let mut group = 0u64;
    while net.now < end {
        let wait = 100 + net.random(900);
        net.run_for(wait);
        if crashy && net.random(2) == 0 {
            let node = net.random(n as u64) as usize;
            let items = net.random(12) as usize;
            net.restart_ms = Some(20 + net.random(600));
            if net.is_up(node) && !net.nodes[node].equivocates {
                net.nodes[node].crash_in = Some(items);
                crashes += 1;
            }
        }
        if partitions {
            if net.random(4) == 0 {
                group = net.random(1 << n);
            } else if net.random(3) == 0 {
                group = 0;
                net.reconnect_all();
            }
            let sides = group;
            net.filter = Box::new(move |_, a, b, _| (sides >> a) & 1 == (sides >> b) & 1);
        }
    }
    (net, Outcome { evidence: 0, late_rounds: 0, crashes })
}

fn heal(net: &mut Net) {
    net.filter = Box::new(|_, _, _, _| true);
    net.loss_percent = 0;
    for node in 0..net.nodes.len() {
        net.nodes[node].crash_in = None;
        net.nodes[node].execution_ms = 5;
        net.nodes[node].forgetful = false;
        net.restart(node);
    }
    net.restart_ms = None;
    net.reconnect_all();
}

fn check(weights: &[u64], seed: u64) -> Outcome {
    let (mut net, mut outcome) = world(weights, seed, false);
    let all = 0..weights.len();
    net.assert_safe();
    heal(&mut net);
    let top = all.clone().map(|node| net.decided(node)).max().unwrap();
    let honest = |net: &Net, height: u64| {
        all.clone().all(|n| net.nodes[n].equivocates || net.decided(n) >= height)
    };
    // Rounds may have run up, and with them the timeouts, while no quorum was connected.
    assert!(net.run_until(30_000, |net| honest(net, top + 3)), "seed {seed} stalled at {top}");
    let (now, at) =
        (net.now, net.decided(all.clone().find(|n| !net.nodes[*n].equivocates).unwrap()));
    if all.clone().all(|n| !net.nodes[n].equivocates) {
        assert!(net.run_until(8_000, |net| honest(net, at + 5)), "seed {seed} slow after {now}");
    }
    net.assert_safe();
    outcome.evidence = net
        .effects
        .iter()
        .filter(|(_, _, effect)| match effect {
            Effect::Evidence(evidence) => {
                evidence.verify(crate::net::CHAIN).unwrap();
                let culprit = net.index_of(&evidence.culprit());
                assert!(net.nodes[culprit].equivocates, "seed {seed}: an honest node is accused");
                matches!(evidence, Evidence::DoubleVote(_) | Evidence::DoubleProposal(_))
            }
            _ => false,
        })
        .count();
    for (_, node, effect) in &net.effects {
        if let Effect::Penalise { validator, offence } = effect {
            let guilty = net.index_of(validator);
            assert!(
                net.nodes[guilty].equivocates || net.nodes[*node].equivocates,
                "seed {seed}: honest {guilty} penalised for {offence}"
            );
        }
        assert!(!matches!(effect, Effect::Fault { .. } | Effect::Alarm(_)), "{seed}: {effect:?}");
    }
    outcome.late_rounds = net.slots(0).iter().filter(|(_, round, _)| *round > 0).count();
    outcome
}

fn check_all(weights: &[u64], seeds: std::ops::Range<u64>) {
    let (mut evidence, mut late, mut crashes) = (0, 0, 0);
    for seed in seeds {
        let outcome = check(weights, seed);
        evidence += outcome.evidence;
        late += outcome.late_rounds;
        crashes += outcome.crashes;
    }
    // The worlds were rough enough to mean something.
    assert!(evidence > 0 && late > 20 && crashes > 30, "{evidence} {late} {crashes}");
}

#[test]
fn random_worlds_agree_and_go_on_first_half() {
    check_all(&FOUR, 0..75);
}

#[test]
fn random_worlds_agree_and_go_on_second_half() {
    check_all(&FOUR, 75..150);
}

#[test]
fn random_worlds_of_seven_uneven_validators_agree_and_go_on() {
    check_all(&[3, 2, 2, 1, 1, 1, 1], 0..25);
}

#[test]
fn random_worlds_find_the_planted_amnesia() {
    let found = (0..40).any(|seed| !world(&FOUR, seed, true).0.double_signs.is_empty());
    assert!(found, "dropping log and guard at restart must show as a double signature");
}

/// One disk is lost at a random moment of a rough world without a cheat: that one is all that four validators bear.
#[test]
fn random_worlds_bear_a_lost_disk_that_rejoins() {
    let mut rejoined = 0;
    for seed in 1_000..1_060 {
        let mut net = Net::new(&FOUR, 1_000, seed);
        net.sync_ms = Some(700);
        let slow = net.random(3) * 40;
        net.delay_ms = (1, 5 + slow);
        net.loss_percent = net.random(10);
        let before = 1_000 + net.random(6_000);
        net.run_for(before);
        let victim = net.random(4) as usize;
        net.restart_ms = Some(20 + net.random(600));
        net.nodes[victim].loses_disk = Some(2);
        let items = net.random(12) as usize;
        net.nodes[victim].crash_in = Some(items);
        net.run_for(8_000);
        heal(&mut net);
        let from = net.nodes[victim].gate.vote_from;
        let done = |net: &Net| (0..4).all(|node| net.decided(node) > from.0);
        assert!(net.run_until(60_000, done), "seed {seed} stalled");
        net.assert_safe();
        if from.0 > 0 {
            rejoined += 1;
            let signs = |net: &Net| net.nodes[victim].disk.signed_from(from);
            assert!(net.run_until(60_000, signs), "seed {seed}: no vote again");
            net.assert_safe();
        }
    }
    assert!(rejoined > 40, "{rejoined}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let (net, _) = world(&FOUR, seed, false);
        net.effects
    };
    assert_eq!(trace(7), trace(7));
}
