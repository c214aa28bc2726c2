//! From submission to certificate.

use crate::net::{CHAIN, Net, list};
use rota_types::RefusalCode;

#[test]
fn a_submission_is_receipted_acknowledged_and_certified_everywhere() {
    let mut net = Net::new(4);
    net.submit(0, 1, list(0..10, 512));
    net.run(30);
    assert!(net.nodes[0].receipts.contains_key(&1));
    assert_eq!(net.nodes[0].certified.len(), 1, "certified by its author within 30 ms");
    net.run(300);
    for i in 0..4 {
        assert_eq!(net.certified(i, 0), 1, "node {i}");
        assert_eq!(net.nodes[i].ledger.len(), 1);
    }
    net.check();
}

#[test]
fn every_lane_carries_batches_and_decided_tips_move_them_all() {
    let mut net = Net::new(4);
    for round in 0..20u64 {
        for i in 0..4 {
            let tag = round * 100 + i as u64 * 10;
            net.submit(i, tag, list(tag..tag + 5, 600));
        }
        net.run(40);
        if round % 5 == 4 {
            net.run(30);
            net.decide((round as usize / 5) % 4);
        }
    }
    net.run(500);
    net.decide(0);
    for node in &net.nodes {
        assert_eq!(node.receipts.len(), 20);
        assert_eq!(node.lanes.usage(), (0, 0), "nothing is held once it is executed");
    }
    assert!(net.decided.values().all(|tip| tip.cumulative_txs == 100));
    net.check();
}

#[test]
fn one_validator_alone_certifies_its_own() {
    let mut net = Net::new(1);
    net.submit(0, 1, list(0..3, 100));
    net.run(50);
    assert_eq!(net.certified(0, 0), 1);
}

#[test]
fn a_lane_with_nothing_in_flight_seals_at_once_and_not_faster_than_its_gap() {
    let mut net = Net::new(4);
    let start = net.now;
    net.submit(0, 1, list([1], 64));
    net.run(0);
    assert_eq!(net.nodes[0].receipts[&1].receipt.position.seq.0, 1, "at once");
    net.run(5);
    for token in 2..6 {
        net.submit(0, token, list([token], 64));
    }
    net.run(14);
    assert_eq!(net.nodes[0].receipts.len(), 1, "gathered for {} ms", net.now - start);
    net.run(1);
    assert_eq!(net.nodes[0].receipts.len(), 5);
    assert!((2..6).all(|token| net.nodes[0].receipts[&token].receipt.position.seq.0 == 2));
}

#[test]
fn without_certificates_a_batch_waits_to_be_full_or_for_its_time() {
    let mut net = Net::new(4);
    (1..4).for_each(|i| net.crash(i));
    net.submit(0, 1, list([1], 64));
    net.run(30);
    net.submit(0, 2, list([2], 64));
    net.run(99);
    assert!(!net.nodes[0].receipts.contains_key(&2), "one is in flight: it waits");
    net.run(1);
    assert_eq!(net.nodes[0].receipts[&2].receipt.position.seq.0, 2);
    for token in 3..9 {
        net.submit(0, token, list([token], 100_000));
    }
    net.run(0);
    assert_eq!(net.nodes[0].receipts[&3].receipt.position.seq.0, 3, "a full one goes at once");
    assert!(!net.nodes[0].receipts.contains_key(&8), "what does not fit waits for the next");
}

#[test]
fn a_resubmission_gets_the_same_place() {
    let mut net = Net::new(4);
    net.submit(0, 1, list(0..10, 64));
    net.run(5);
    net.submit(0, 2, list(10..20, 64));
    net.submit(0, 3, list(10..20, 64));
    net.submit(0, 4, list(13..15, 64));
    net.run(100);
    net.submit(0, 5, list(0..10, 64));
    net.submit(0, 6, list([4], 64));
    let place = |token: u64| {
        let receipt = &net.nodes[0].receipts[&token].receipt;
        (receipt.position.seq.0, receipt.first_index, receipt.count)
    };
    assert_eq!((place(1), place(5)), ((1, 0, 10), (1, 0, 10)));
    assert_eq!((place(2), place(3)), ((2, 0, 10), (2, 0, 10)));
    assert_eq!((place(4), place(6)), ((2, 3, 2), (1, 4, 1)));
    net.check();

    net.submit(0, 7, list([30, 5], 64));
    net.submit(0, 8, list([5, 4], 64));
    net.submit(0, 9, list([40, 41, 40], 64));
    let refused = |token: u64| net.nodes[0].refusals[&token].0;
    for (token, index) in [(7, 1), (8, 0), (9, 2)] {
        assert_eq!(refused(token).code, RefusalCode::Duplicate);
        assert_eq!(refused(token).value, Some(index));
    }
    net.submit(0, 10, list([40, 41], 64));
    net.run(100);
    assert!(net.nodes[0].receipts.contains_key(&10), "a refused list leaves no trace");
}

#[test]
fn after_execution_the_lanes_forget_a_submission() {
    let mut net = Net::new(4);
    net.submit(0, 1, list(0..10, 64));
    net.run(100);
    assert!(net.nodes[0].lanes.holds(&list([3], 64).get(0).unwrap().id));
    net.decide(0);
    assert!(!net.nodes[0].lanes.holds(&list([3], 64).get(0).unwrap().id));
}

#[test]
fn the_mempool_gives_only_what_the_lane_does_not_hold() {
    use rota_sequencer::lanes::{Event, Origin};
    let mut net = Net::new(4);
    net.submit(0, 1, list(0..4, 64));
    net.step(0, Event::Submit { origin: Origin::Pool, list: list([2, 9, 3, 8], 64) });
    net.run(100);
    let ids: Vec<_> = net.nodes[0].ledger.iter().flat_map(|b| b.body().ids()).collect();
    let expected: Vec<_> = list([0, 1, 2, 3, 9, 8], 64).ids().collect();
    assert_eq!(ids, expected);
}

#[test]
fn an_expired_transaction_inside_a_batch_stops_no_acknowledgement() {
    // Expiry is no business of the lanes: the batch's transactions are long past any slot.
    let mut net = Net::new(4);
    let mut old = crate::net::transaction(5, 64);
    old.valid_until_slot = rota_types::Slot(0);
    let bytes = borsh::to_vec(&vec![old]).unwrap();
    let expired = rota_types::TransactionList::parse(bytes.into(), 4096).unwrap();
    net.submit(0, 1, expired);
    net.run(100);
    for i in 0..4 {
        assert_eq!(net.certified(i, 0), 1);
    }
    net.submit(0, 2, list([6], 64));
    net.run(100);
    assert_eq!(net.certified(3, 0), 2, "the lane goes on");
}

#[test]
fn certificates_verify_for_a_stranger() {
    let mut net = Net::new(4);
    net.submit(2, 1, list(0..10, 64));
    net.run(100);
    net.verify_now(1);
    let (position, digest) = net.nodes[1].certified[0];
    assert_eq!(position.lane, net.keys[2]);
    let batch = &net.nodes[1].ledger[0];
    assert_eq!(batch.digest(), digest);
    batch.signed().verify(CHAIN).unwrap();
}
