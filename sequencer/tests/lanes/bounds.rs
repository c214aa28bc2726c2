//! Limits: lead, queues, memory, windows; an hour without quorum.

use crate::net::{Net, list};
use rota_sequencer::Batch;
use rota_sequencer::lanes::Event;
use rota_sequencer::limits::{SUBMISSION_QUEUE_BYTES_MAX, UNACKED_BATCHES_MAX, WINDOW_BATCHES_MAX};
use rota_types::RefusalCode;
use std::sync::Arc;

#[test]
fn an_hour_without_quorum_gives_back_pressure_and_bounded_lanes() {
    let mut net = Net::with_limits(4, 1 << 20, 1 << 20, 64);
    net.crash(2);
    net.crash(3);
    for second in 0..3_600u64 {
        net.submit(0, second, list([second], 100_000));
        net.run(1_000);
    }
    let node = &net.nodes[0];
    let (bytes, headers) = node.lanes.usage();
    assert!(bytes <= 2 * (1 << 20) + 4096, "twice the lane's share: {bytes}");
    assert!(headers <= 64);
    assert_eq!(node.lanes.room(), 0);
    let refused = node.refusals.values().filter(|(r, retry)| {
        r.code == RefusalCode::Limited
            && r.limit == Some(SUBMISSION_QUEUE_BYTES_MAX)
            && *retry == Some(1_000)
    });
    assert!(refused.count() > 3_000, "the sender is told, with a time to come again");
    assert!(net.sent_batches < 4_000, "nothing is sent over and over: {}", net.sent_batches);

    net.restart(2);
    net.restart(3);
    net.run(20_000);
    let sealed = net.nodes[0].ledger.len() as u64;
    assert_eq!(net.certified(0, 0), sealed, "everything sealed is certified now");
    for _ in 0..200 {
        net.decide(1);
        net.run(300);
    }
    let answered = net.nodes[0].receipts.len() + net.nodes[0].refusals.len();
    assert_eq!(answered, 3_600, "what waited was sealed after the quorum came back");
    assert_eq!(net.nodes[0].lanes.usage(), (0, 0));
    net.check();
}

#[test]
fn nobody_acknowledges_beyond_the_lead_limit_until_the_tip_moves() {
    let mut net = Net::with_limits(4, 1 << 20, 1 << 20, 8);
    net.crash(0);
    let mut batches = vec![net.forge(0, None, &[0])];
    for tag in 1..60 {
        let next = net.forge(0, batches.last().map(Arc::as_ref), &[tag]);
        batches.push(next);
    }
    for batch in &batches {
        net.step(1, Event::Batch { from: net.keys[0], batch: Arc::clone(batch) });
    }
    assert_eq!(net.nodes[1].gate.marks.len(), 8, "lane_lead_max batches");
    assert_eq!(net.nodes[1].ledger.len(), 8);
    let (_, headers) = net.nodes[1].lanes.usage();
    assert_eq!(headers, 8 + UNACKED_BATCHES_MAX, "the rest waits within its limit");
}

#[test]
fn a_lane_counts_its_lead_in_bytes_and_transactions_too() {
    for (bytes, txs, sealed) in [(300, 1 << 20, 6), (1 << 20, 3, 6), (1, 1, 1)] {
        let mut net = Net::with_limits(4, bytes, txs, 64);
        (1..4).for_each(|i| net.crash(i));
        for token in 0..20 {
            net.submit(0, token, list([token], 80));
            net.run(200);
        }
        // 80 bytes of payload are 100 of transaction; the first undecided batch always fits.
        assert_eq!(net.nodes[0].ledger.len(), sealed, "{bytes} bytes, {txs} transactions");
    }
}

#[test]
fn a_silent_validator_gets_a_window_and_then_single_batches() {
    let mut net = Net::new(4);
    net.cut.insert((3, 0));
    for token in 0..300 {
        net.submit(0, token, list([token], 64));
        net.run(20);
    }
    assert_eq!(net.certified(0, 0), 300, "the others are enough");
    let held = net.nodes[3].ledger.len() as u64;
    assert!(held <= WINDOW_BATCHES_MAX + 8, "{held} batches went to the silent one");
    net.cut.clear();
    net.run(30_000);
    assert_eq!(net.nodes[3].ledger.len(), 300, "and the rest when it answers again");
}

#[test]
fn bodies_beyond_the_memory_limit_are_read_from_the_ledger() {
    let mut net = Net::new(4);
    net.bodies_max = 300_000;
    for i in 0..4 {
        net.crash(i);
    }
    (0..4).for_each(|i| net.recover(i));
    (0..3).for_each(|i| net.connect(i));
    net.crash(3);
    for token in 0..20 {
        net.submit(0, token, list([token], 50_000));
        net.run(50);
    }
    assert!(net.nodes[0].lanes.usage().0 <= 300_000);
    assert!(net.nodes[1].lanes.usage().0 <= 300_000);
    assert_eq!(net.certified(1, 0), 20);
    net.restart(3);
    net.run(5_000);
    assert_eq!(net.nodes[3].ledger.len(), 20, "old ones were sent from the ledger");
    net.crash(1);
    net.restart(1);
    assert!(net.nodes[1].lanes.usage().0 <= 300_000);
    net.submit(0, 20, list([20], 50_000));
    net.run(10);
    assert_eq!(net.nodes[1].ledger.len(), 21, "all its acknowledgements are known after a restart");
}

#[test]
fn large_second_branches_of_small_acknowledged_batches_take_no_memory() {
    let mut net = Net::new(4);
    net.bodies_max = 300_000;
    net.crash(1);
    net.restart(1);
    net.crash(0);
    let give = |net: &mut Net, batch: &Arc<Batch>| {
        net.step(1, Event::Batch { from: net.keys[0], batch: Arc::clone(batch) });
    };
    let mut parent: Option<Arc<Batch>> = None;
    for place in 0..40 {
        let small = net.forge(0, parent.as_deref(), &[place]);
        let tags: Vec<u64> = (0..1_000).map(|tag| (place + 1) * 1_000_000 + tag).collect();
        let large = net.forge(0, parent.as_deref(), &tags);
        give(&mut net, &small);
        give(&mut net, &large);
        give(&mut net, &large);
        parent = Some(small);
    }
    let node = &net.nodes[1];
    assert_eq!((node.ledger.len(), node.evidence.len()), (40, 1));
    assert!(node.lanes.usage().0 <= 300_000, "{:?}", node.lanes.usage());
}

#[test]
fn bodies_that_wait_for_an_acknowledgement_count_against_the_memory_limit() {
    let mut net = Net::new(4);
    net.bodies_max = 300_000;
    net.crash(1);
    net.restart(1);
    net.crash(0);
    let mut parent = net.forge(0, None, &[0]);
    let mut waiting = vec![];
    for place in 1..20 {
        let tags: Vec<u64> = (0..1_000).map(|tag| place * 1_000_000 + tag).collect();
        parent = net.forge(0, Some(&parent), &tags);
        waiting.push(Arc::clone(&parent));
    }
    for batch in &waiting {
        net.step(1, Event::Batch { from: net.keys[0], batch: Arc::clone(batch) });
        assert!(net.nodes[1].lanes.usage().0 <= 300_000, "{:?}", net.nodes[1].lanes.usage());
    }
    let first = net.forge(0, None, &[0]);
    for batch in std::iter::once(&first).chain(&waiting) {
        net.step(1, Event::Batch { from: net.keys[0], batch: Arc::clone(batch) });
    }
    assert_eq!(net.nodes[1].ledger.len(), 20, "all are acknowledged when their parents are here");
}

#[test]
fn a_submission_larger_than_a_body_is_refused_with_limit_and_value() {
    let mut net = Net::new(4);
    net.submit(0, 1, list(0..6, 100_000));
    let (refusal, _) = net.nodes[0].refusals[&1];
    assert_eq!(refusal.code, RefusalCode::Oversize);
    assert_eq!(refusal.limit, Some(512 * 1024 - 4));
    assert_eq!(refusal.value, Some(6 * 100_020));
}

#[test]
fn nothing_is_taken_before_recovery_or_without_a_key() {
    let mut net = Net::new(4);
    let mut config = net.config(net.keys[0]);
    let mut lanes = rota_sequencer::lanes::Lanes::new(config.clone());
    let gate = &mut net.nodes[0].gate;
    let now = rota_types::TimestampMs(5);
    let submit = |token| Event::Submit {
        origin: rota_sequencer::lanes::Origin::Client(token),
        list: list([1], 64),
    };
    let not_sequencing = |effects: Vec<_>| {
        matches!(
            &effects[..],
            [rota_sequencer::lanes::Effect::Refuse { refusal, .. }]
                if refusal.code == RefusalCode::NotSequencing
        )
    };
    assert!(not_sequencing(lanes.step(now, submit(1), gate)));
    assert_eq!(lanes.deadline(), None);
    config.me = None;
    let mut lanes = rota_sequencer::lanes::Lanes::new(config);
    lanes.step(now, Event::Recovered(Box::default()), gate);
    assert!(not_sequencing(lanes.step(now, submit(1), gate)));
}
