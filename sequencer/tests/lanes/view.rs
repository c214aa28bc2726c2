//! What slot building and checking see of the lanes, and how it becomes complete.

use crate::net::{Net, list};
use rota_sequencer::lanes::Event;
use rota_sequencer::{Coverage, LaneView};
use rota_types::{CutEntry, Hash, Seq};

fn fill(net: &mut Net, author: usize, count: u64) {
    let first = net.nodes[author].receipts.len() as u64;
    for tag in first..first + count {
        net.submit(author, tag, list([tag], 500));
        net.run(25);
    }
}

fn entry(net: &Net, author: usize, seq: u64) -> CutEntry {
    let batch = net.nodes[author].ledger.iter().find(|b| b.position().seq.0 == seq).unwrap();
    CutEntry { position: batch.position(), header_digest: batch.digest() }
}

#[test]
fn a_certificate_covers_its_lane_down_to_the_decided_tip() {
    let mut net = Net::new(4);
    fill(&mut net, 0, 6);
    net.verify_now(1);
    let lanes = &net.nodes[1].lanes;
    let all: Vec<Hash> = (1..=4).map(|seq| entry(&net, 0, seq).header_digest).collect();
    assert_eq!(lanes.coverage(&entry(&net, 0, 4)), Coverage::Certified(all));
    let mut other = entry(&net, 0, 4);
    other.header_digest = Hash::ZERO;
    assert_eq!(lanes.coverage(&other), Coverage::Conflicts);
    let mut beyond = entry(&net, 0, 6);
    beyond.position.seq = Seq(9);
    assert_eq!(lanes.coverage(&beyond), Coverage::NeedCertificate);
    beyond.position.incarnation = rota_types::Incarnation(1);
    assert_eq!(lanes.coverage(&beyond), Coverage::Conflicts);
    let holders = lanes.holders(&entry(&net, 0, 2).header_digest);
    assert!(holders.contains(&net.keys[0]) && holders.len() >= 2);
    assert!(!holders.contains(&net.keys[1]), "never itself");
    assert!(lanes.batch(&entry(&net, 0, 2).header_digest).is_some());
}

#[test]
fn the_furthest_batch_keeps_the_share_and_the_first_always_fits() {
    let mut net = Net::new(4);
    fill(&mut net, 0, 6);
    net.verify_now(1);
    let lanes = &net.nodes[1].lanes;
    let furthest =
        |bytes, txs| lanes.furthest_within(&net.keys[0], bytes, txs).unwrap().position.seq.0;
    assert_eq!(furthest(520 * 3, 100), 3);
    assert_eq!(furthest(520 * 4 - 1, 100), 3);
    assert_eq!(furthest(1 << 20, 2), 2);
    assert_eq!(furthest(1, 1), 1);
    assert_eq!(furthest(1 << 20, 100), 6);
    let empty = lanes.furthest_within(&net.keys[2], 1 << 20, 100).unwrap();
    assert_eq!(empty.position.seq.0, 0, "the decided tip where nothing is certified");
}

#[test]
fn headers_missing_under_a_certificate_are_asked_for() {
    let mut net = Net::new(4);
    net.crash(3);
    fill(&mut net, 0, 100);
    net.nodes[3].up = true;
    net.no_batches.insert((0, 3));
    net.restart(3);
    // The author greets with its newest certificate; a hundred headers come in two messages.
    net.run(1);
    net.verify_now(3);
    assert!(matches!(net.nodes[3].lanes.coverage(&entry(&net, 0, 50)), Coverage::NeedHeader(_)));
    net.run(10);
    assert!(matches!(
        net.nodes[3].lanes.coverage(&entry(&net, 0, 100)),
        Coverage::Certified(all) if all.len() == 100
    ));
    assert!(net.nodes[3].penalties.is_empty());
}

#[test]
fn missing_headers_are_asked_of_another_when_the_first_is_silent() {
    let mut net = Net::new(4);
    net.crash(3);
    fill(&mut net, 0, 5);
    net.nodes[3].up = true;
    net.no_batches.insert((0, 3));
    net.restart(3);
    net.run(1);
    net.cut.insert((0, 3));
    net.cut.insert((3, 0));
    net.verify_now(3);
    assert!(matches!(net.nodes[3].lanes.coverage(&entry(&net, 0, 5)), Coverage::NeedHeader(_)));
    net.run(3_000);
    assert_eq!(net.certified(3, 0), 5);
}

#[test]
fn a_voter_that_lacks_a_certificate_asks_the_proposer_and_judges_it_at_once() {
    let mut net = Net::new(4);
    net.cut.insert((0, 3));
    fill(&mut net, 0, 3);
    net.verify_now(1);
    let wanted = entry(&net, 0, 3);
    assert_eq!(net.nodes[3].lanes.coverage(&wanted), Coverage::NeedCertificate);
    net.step(3, Event::Want { entry: wanted.clone(), from: net.keys[1] });
    net.run(10);
    assert!(matches!(net.nodes[3].lanes.coverage(&wanted), Coverage::Certified(_)));
}

#[test]
fn a_certificate_shown_to_one_validator_reaches_the_proposer_at_the_deadline() {
    let mut net = Net::new(4);
    // The author's certificates reach node 2 only.
    for to in [1, 3] {
        net.cut.insert((0, to));
    }
    net.submit(0, 1, list([1], 64));
    net.run(1);
    net.cut.remove(&(0, 1));
    net.run(2_000);
    net.cut.insert((0, 1));
    net.verify_now(2);
    assert_eq!(net.certified(2, 0), 1);
    assert_eq!(net.certified(3, 0), 0);
    net.step(2, Event::ShareTips { to: vec![net.keys[3], net.keys[2]] });
    net.run(10);
    assert_eq!(net.certified(3, 0), 1, "asked for what the voter has");
    // And the other way round: a voter that lacks one is sent it.
    let mut net = Net::new(4);
    net.cut.insert((0, 3));
    fill(&mut net, 0, 2);
    net.verify_now(1);
    net.step(3, Event::ShareTips { to: vec![net.keys[1]] });
    net.run(10);
    assert_eq!(net.certified(3, 0), 2);
}

#[test]
fn only_the_newest_certificate_is_verified_and_not_more_often_than_the_gap() {
    let mut net = Net::new(4);
    fill(&mut net, 0, 40);
    net.run(300);
    let events = net.nodes[1].certified.len();
    assert!(events <= 8, "40 certificates in 1.3 s cost {events} verifications");
    assert_eq!(net.nodes[1].lanes.certified_tip(&net.keys[0]).unwrap().position.seq.0, 40);
}

#[test]
fn who_signed_is_asked_for_bodies_after_the_decision_too() {
    let mut net = Net::new(4);
    net.no_batches.insert((0, 3));
    net.submit(0, 1, list([1], 64));
    net.run(300);
    net.verify_now(3);
    let wanted = entry(&net, 0, 1);
    let before = net.nodes[3].lanes.holders(&wanted.header_digest);
    assert!(before.len() == 3 && before.contains(&net.keys[0]));
    net.verify_now(1);
    let tip = net.nodes[1].lanes.certified_tip(&net.keys[0]).unwrap();
    net.step(3, Event::Decided { tips: vec![tip] });
    assert!(net.nodes[3].lanes.batch(&wanted.header_digest).is_none());
    assert_eq!(net.nodes[3].lanes.holders(&wanted.header_digest), before);
    let unknown = net.nodes[3].lanes.holders(&Hash([1; 32]));
    assert_eq!(unknown.len(), 3, "anyone may hold what is not known here");
}

#[test]
fn a_node_far_behind_does_not_chase_headers_that_catch_up_brings() {
    let mut net = Net::with_limits(4, 8 << 20, 1 << 20, 8);
    net.crash(3);
    for _ in 0..5 {
        fill(&mut net, 0, 6);
        let tips: Vec<_> = (0..3).map(|i| net.certified(i, 0)).collect();
        assert!(tips[0] > 0);
        net.decide(0);
    }
    fill(&mut net, 0, 4);
    let behind = net.terms.clone();
    net.nodes[3].up = true;
    let decided = std::mem::take(&mut net.decided);
    net.decided = behind.iter().map(|t| (t.tip.position.lane, t.tip)).collect();
    net.no_batches.insert((0, 3));
    net.restart(3);
    net.run(2_000);
    net.verify_now(3);
    let (_, headers) = net.nodes[3].lanes.usage();
    assert_eq!(headers, 1, "the newest certificate's only");
    net.decided = decided.clone();
    net.step(3, Event::Decided { tips: decided.into_values().collect() });
    net.run(100);
    let tip = net.nodes[3].lanes.certified_tip(&net.keys[0]).unwrap();
    assert_eq!(tip, net.nodes[1].lanes.certified_tip(&net.keys[0]).unwrap());
}
