//! Crashes: what was signed stays the only thing signed, and the network goes on.

use crate::net::{CHAIN, Net};
use rota_consensus::{Effect, Phase};
use rota_types::VoteKind;

#[test]
fn with_two_of_four_down_nothing_is_decided_and_with_them_back_it_goes_on_within_two_slots() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 11);
    net.sync_ms = Some(300);
    assert!(net.run_until(60_000, |net| net.all_decided(3)));
    net.crash(0);
    net.crash(1);
    net.run_for(3_000);
    let before = net.decided(2).max(net.decided(3));
    net.run_for(120_000);
    assert!(net.decided(2) <= before && net.decided(3) <= before, "no quorum, no decision");
    net.restart(0);
    net.restart(1);
    assert!(net.run_until(4_000, |net| net.all_decided(before + 1)), "two slots of 2 s");
    net.run_for(20_000);
    net.assert_safe();
    assert!(net.decided(0) >= before + 8, "one height a slot again");
}

#[test]
fn all_killed_at_once_go_on() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 12);
    assert!(net.run_until(60_000, |net| net.all_decided(2)));
    for at in [0, 50, 100, 333, 1_000] {
        net.run_for(at);
        for node in 0..4 {
            net.crash(node);
        }
        net.run_for(500);
        for node in 0..4 {
            net.restart(node);
        }
        let before = (0..4).map(|node| net.decided(node)).max().unwrap();
        assert!(net.run_until(8_000, |net| net.all_decided(before + 1)));
    }
    net.assert_safe();
}

/// What a killed node has lost when it comes back.
#[derive(Clone, Copy)]
enum Loss {
    Nothing,
    /// The planted bug: log and guard, and it does not care.
    Memory,
    /// Its disk; it votes again so many heights above the highest that is worked on.
    Disk(u64),
}

/// Kills one node after its `n`-th item (log entry, marks, message) from the begin of a height, for every
/// `n`, restarts it, and lets the rest of the slot happen.
fn kill_at_each_item(loss: Loss) -> usize {
    let mut double_signs = 0;
    for seed in 0..2 {
        for items in 0..40 {
            let mut net = Net::new(&[1, 1, 1, 1], 2_000, seed);
            assert!(net.run_until(60_000, |net| net.all_decided(1)));
            // The proposer of the height has most to lose. Some prevote nil, so that rounds follow.
            let victim = net.proposer(2, 0);
            match loss {
                Loss::Nothing => {}
                Loss::Memory => net.nodes[victim].forgetful = true,
                Loss::Disk(above) => {
                    net.nodes[victim].loses_disk = Some(above);
                    net.sync_ms = Some(300);
                }
            }
            net.nodes[victim].crash_in = Some(items);
            net.restart_ms = Some(40);
            let slow = net.timing.cut(rota_types::Slot(2)).0 + 700;
            net.filter = Box::new(move |now, _, to, _| now.0 > slow || to % 2 == 0);
            assert!(net.run_until(60_000, |net| net.all_decided(4)), "seed {seed} items {items}");
            assert_eq!(net.forks, vec![]);
            if let (Loss::Disk(_), true) = (loss, net.nodes[victim].loses_disk.is_none()) {
                let from = net.nodes[victim].gate.vote_from;
                let signs = |net: &Net| net.nodes[victim].disk.signed_from(from);
                assert!(net.run_until(60_000, signs), "seed {seed} items {items}: no vote again");
            }
            double_signs += net.double_signs.len();
        }
    }
    double_signs
}

#[test]
fn restart_at_any_item_never_signs_twice() {
    assert_eq!(kill_at_each_item(Loss::Nothing), 0);
}

#[test]
fn a_lost_log_and_guard_would_sign_twice_so_the_test_can_fail() {
    assert!(kill_at_each_item(Loss::Memory) > 0);
}

#[test]
fn a_disk_lost_at_any_item_and_rejoined_never_signs_twice() {
    assert_eq!(kill_at_each_item(Loss::Disk(2)), 0);
}

#[test]
fn rejoining_at_the_height_that_is_worked_on_would_sign_twice() {
    assert!(kill_at_each_item(Loss::Disk(0)) > 0);
}

#[test]
fn marks_without_their_log_mean_no_vote_at_that_height() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 13);
    assert!(net.run_until(60_000, |net| net.all_decided(2)));
    // Stop one validator right after it prevoted height 3.
    let voted = |net: &Net| net.nodes[2].disk.marks_of(rota_types::Height(3)).len();
    assert!(net.run_until(60_000, |net| voted(net) > 0));
    net.crash(2);
    net.nodes[2].disk.wal.clear();
    net.restart(2);
    let abstaining =
        |e: &(u64, usize, Effect)| e.1 == 2 && matches!(e.2, Effect::Abstaining { .. });
    assert!(net.effects.iter().any(abstaining));
    let before = voted(&net);
    assert!(net.run_until(60_000, |net| net.all_decided(3)));
    assert_eq!(voted(&net), before, "nothing more is signed at height 3");
    assert!(net.run_until(60_000, |net| net.all_decided(5)));
    assert!(!net.nodes[2].disk.marks_of(rota_types::Height(5)).is_empty(), "it votes again");
    net.assert_safe();
}

#[test]
fn a_refused_signature_publishes_nothing_and_the_node_goes_on() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 14);
    assert!(net.run_until(60_000, |net| net.all_decided(2)));
    // The guard of node 1 holds another prevote at height 4, round 0, behind the driver's back.
    let vote = net.forge_vote(1, VoteKind::Prevote, 4, 0, None);
    let place = rota_types::MarkPlace::Vote {
        height: rota_types::Height(4),
        round: rota_types::Round(0),
        kind: VoteKind::Prevote,
    };
    net.nodes[1].gate.durable.insert(place, vote.vote.signing_digest(CHAIN));
    assert!(net.run_until(60_000, |net| net.all_decided(6)));
    let refused =
        |e: &(u64, usize, Effect)| matches!(&e.2, Effect::Refused { place: at } if *at == place);
    assert_eq!(net.effects.iter().filter(|e| refused(e)).count(), 1);
    net.assert_safe();
}

#[test]
fn our_signature_made_elsewhere_stops_the_node() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 15);
    assert!(net.run_until(60_000, |net| net.all_decided(2)));
    // Someone holds node 3's key and votes with it in a round node 3 has not reached.
    let vote = net.forge_vote(3, VoteKind::Prevote, 3, 1, None);
    assert!(net.run_until(60_000, |net| {
        let status = net.nodes[3].driver.as_ref().unwrap().status();
        status.phase == Phase::Running && status.height.0 == 3
    }));
    // The harness would panic on a fatal effect of an honest node; this one is expected.
    net.nodes[3].equivocates = true;
    net.hand(0, 3, &rota_consensus::Message::Vote { vote, reason: None });
    let fatal = |e: &(u64, usize, Effect)| e.1 == 3 && matches!(e.2, Effect::Fatal(_));
    assert!(net.effects.iter().any(fatal));
    assert_eq!(net.nodes[3].driver.as_ref().unwrap().status().phase, Phase::Dead);
    assert!(net.nodes[3].driver.as_ref().unwrap().deadline().is_none());
}

#[test]
fn a_log_without_its_marks_makes_them_again_at_the_start() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 13);
    assert!(net.run_until(60_000, |net| net.all_decided(2)));
    let marks = |net: &Net| net.nodes[2].disk.marks_of(rota_types::Height(3));
    assert!(net.run_until(60_000, |net| !marks(net).is_empty()));
    let before = marks(&net);
    // The power went between the sync of the log and that of the guard.
    net.crash(2);
    net.nodes[2].disk.marks.clear();
    net.restart(2);
    let after = marks(&net);
    assert!(before.iter().all(|mark| after.contains(mark)), "{before:?} before, {after:?} after");
    assert!(net.run_until(60_000, |net| net.all_decided(5)));
    net.assert_safe();
}
