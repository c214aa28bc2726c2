//! Crashes between two durable steps, lost tails, and what a restart signs.

use crate::net::{Net, list};
use rota_sequencer::lanes::{Effect, Event, Halt, LaneMessage, Origin};
use rota_types::{MarkPlace, RefusalCode, Seq, TimestampMs};

/// Seals one batch at node 0 and crashes before anything leaves; gives what would have left.
fn seal_and_crash(net: &mut Net, keep_ledger: bool) -> Vec<Effect> {
    let node = &mut net.nodes[0];
    let event = Event::Submit { origin: Origin::Client(1), list: list(0..5, 64) };
    let effects = node.lanes.step(TimestampMs(net.now), event, &mut node.gate);
    assert!(matches!(effects[0], Effect::Store(_)), "stored before anything leaves");
    if let (Effect::Store(batch), true) = (&effects[0], keep_ledger) {
        node.ledger.push(std::sync::Arc::clone(batch));
    }
    net.crash(0);
    effects
}

#[test]
fn crash_between_batch_and_send_gives_the_same_batch_and_never_a_second() {
    let mut net = Net::new(4);
    seal_and_crash(&mut net, true);
    let digest = net.nodes[0].ledger[0].digest();
    net.run(100);
    net.restart(0);
    net.submit(0, 2, list(50..52, 64));
    net.run(2_000);
    assert_eq!(net.nodes[0].ledger.len(), 2);
    for i in 0..4 {
        assert_eq!(net.certified(i, 0), 2);
        assert_eq!(net.nodes[i].ledger[0].digest(), digest, "the first batch is what it was");
    }
    net.submit(0, 3, list(0..5, 64));
    let receipt = &net.nodes[0].receipts[&3].receipt;
    assert_eq!((receipt.position.seq, receipt.first_index), (Seq(1), 0));
    assert_eq!(net.nodes[0].gate.refused, 0);
    net.check();
}

#[test]
fn a_batch_stored_but_never_marked_is_taken_up_too() {
    let mut net = Net::new(4);
    seal_and_crash(&mut net, true);
    net.nodes[0].gate.marks.clear();
    net.restart(0);
    net.run(1_500);
    assert_eq!(net.certified(1, 0), 1);
    assert_eq!(net.nodes[0].gate.marks.len(), 1, "marked before it was sent again");
}

#[test]
fn a_marked_batch_that_nobody_has_stops_the_lane_for_good() {
    let mut net = Net::new(4);
    seal_and_crash(&mut net, false);
    net.restart(0);
    assert_eq!(net.nodes[0].halts, vec![Halt::MissingOwnBatch(Seq(1))]);
    net.submit(0, 2, list(50..52, 64));
    net.run(5_000);
    assert_eq!(net.nodes[0].refusals[&2].0.code, RefusalCode::NotSequencing);
    assert!(net.nodes[0].ledger.is_empty(), "no second batch at the marked place");
    assert_eq!(net.nodes[0].fetches.len(), 1, "it is asked for once: the catch-up goes on trying");
    net.submit(1, 3, list(60..61, 64));
    net.run(300);
    assert_eq!(net.certified(0, 1), 1, "it still acknowledges others");
}

#[test]
fn a_marked_batch_lost_from_the_ledger_is_fetched_and_the_lane_goes_on() {
    let mut net = Net::new(4);
    net.submit(0, 1, list(0..5, 64));
    net.run(30);
    net.submit(0, 2, list(5..9, 64));
    net.run(100);
    net.crash(0);
    let lost = net.nodes[0].ledger.pop().unwrap();
    assert_eq!(lost.position().lane, net.keys[0]);
    net.restart(0);
    assert_eq!(net.nodes[0].halts, vec![Halt::MissingOwnBatch(Seq(2))]);
    assert_eq!(net.nodes[0].fetches, vec![lost.digest()]);
    let held = net.nodes[2].ledger.iter().find(|b| b.digest() == lost.digest()).unwrap().clone();
    net.step(0, Event::Batch { from: net.keys[2], batch: held });
    assert_eq!(net.nodes[0].lanes.halt(), None);
    assert_eq!(net.nodes[0].ledger.last().unwrap().digest(), lost.digest(), "durable again");
    net.submit(0, 3, list(20..21, 64));
    net.run(1_500);
    assert_eq!(net.nodes[0].receipts[&3].receipt.position.seq, Seq(3));
    assert_eq!(net.certified(3, 0), 3);
    assert_eq!(net.nodes[0].gate.refused, 0);
}

#[test]
fn own_batches_lost_but_decided_are_no_hindrance() {
    let mut net = Net::new(4);
    net.submit(0, 1, list(0..5, 64));
    net.run(100);
    net.crash(0);
    net.nodes[0].ledger.clear();
    net.nodes[0].up = true;
    net.decide(1);
    net.restart(0);
    assert_eq!(net.nodes[0].lanes.halt(), None);
    net.submit(0, 2, list(20..21, 64));
    net.run(100);
    assert_eq!(net.nodes[0].receipts[&2].receipt.position.seq, Seq(2));
    assert_eq!(net.certified(3, 0), 2);
}

#[test]
fn an_acknowledgement_given_on_a_certificate_holds_when_all_forgot_the_certificate() {
    let mut net = Net::new(4);
    net.no_batches.insert((0, 3));
    net.submit(0, 1, list(0..5, 64));
    net.run(50);
    net.submit(0, 2, list(5..9, 64));
    net.run(1_000);
    assert_eq!(net.certified(3, 0), 2, "it knows the certificates of batches that it lacks");
    net.submit(0, 3, list(10..12, 64));
    net.run(50);
    let third = net.nodes[0].ledger.last().unwrap().clone();
    net.step(3, Event::Batch { from: net.keys[0], batch: third.clone() });
    let position = third.position();
    assert!(net.nodes[3].gate.marks.contains_key(&MarkPlace::Ack { position }));
    for i in 0..4 {
        net.crash(i);
    }
    net.no_batches.clear();
    for i in [0, 1, 3] {
        net.restart(i);
    }
    net.run(3_000);
    assert_eq!(net.certified(0, 0), 3, "three of four hold it, and one acknowledged it before");
    net.check();
}

#[test]
fn an_acknowledgement_after_a_restart_is_the_same() {
    let mut net = Net::new(4);
    net.submit(0, 1, list(0..5, 64));
    net.run(100);
    let place = net.nodes[0].ledger[0].position();
    let digest = net.nodes[3].gate.marks[&MarkPlace::Ack { position: place }];
    net.crash(3);
    net.restart(3);
    assert_eq!(net.nodes[3].gate.marks[&MarkPlace::Ack { position: place }], digest);
    let batch = net.nodes[0].ledger[0].clone();
    let event = Event::Batch { from: net.keys[0], batch };
    let node = &mut net.nodes[3];
    let effects = node.lanes.step(TimestampMs(net.now), event, &mut node.gate);
    let [Effect::Send { to, bytes, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*to, net.keys[0]);
    let LaneMessage::Ack(ack) = LaneMessage::from_bytes(bytes).unwrap() else { panic!() };
    ack.verify(crate::net::CHAIN).unwrap();
    assert_eq!(node.gate.refused, 0);
}

#[test]
fn a_body_lost_after_its_acknowledgement_is_sent_again_and_acknowledged_alike() {
    let mut net = Net::new(4);
    net.submit(0, 1, list(0..5, 64));
    net.run(100);
    net.crash(3);
    net.nodes[3].ledger.clear();
    net.restart(3);
    net.run(100);
    assert_eq!(net.nodes[3].ledger.len(), 1, "stated what it holds, got the rest");
    assert_eq!(net.nodes[3].gate.refused, 0);
}

#[test]
fn an_acker_that_missed_batches_states_where_it_is_and_gets_them_again() {
    let mut net = Net::new(4);
    net.crash(1);
    net.crash(2);
    net.cut.insert((0, 3));
    for token in 0..5 {
        net.submit(0, token, list([token], 64));
        net.run(105);
    }
    assert!(net.nodes[3].ledger.is_empty());
    net.cut.clear();
    net.submit(0, 9, list([9], 64));
    net.run(110);
    let seqs: Vec<u64> = net.nodes[3].ledger.iter().map(|b| b.position().seq.0).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6], "before the author would try again by itself");
}

#[test]
fn an_acker_without_the_bodies_goes_on_behind_a_certificate() {
    let mut net = Net::new(4);
    net.no_batches.insert((0, 3));
    for token in 0..5 {
        net.submit(0, token, list([token], 64));
        net.run(25);
    }
    net.run(30);
    net.verify_now(3);
    net.run(10);
    assert_eq!(net.certified(3, 0), 5, "certificates and headers came");
    net.no_batches.clear();
    net.submit(0, 9, list([9], 64));
    net.run(10);
    let seqs: Vec<u64> = net.nodes[3].ledger.iter().map(|b| b.position().seq.0).collect();
    assert_eq!(seqs, [6], "the certified bodies are fetched when they are decided");
}

#[test]
fn all_restarted_at_once_continue() {
    let mut net = Net::new(4);
    for i in 0..4 {
        net.submit(i, i as u64, list([i as u64], 64));
    }
    net.run(2);
    (0..4).for_each(|i| net.crash(i));
    (0..4).for_each(|i| net.recover(i));
    (0..4).for_each(|i| net.connect(i));
    net.run(3_000);
    for lane in 0..4 {
        assert_eq!(net.certified((lane + 1) % 4, lane), 1);
    }
    assert!(net.nodes.iter().all(|node| node.gate.refused == 0));
    net.check();
}
