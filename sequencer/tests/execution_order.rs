//! Execution: skip codes, exactly once, equal headers, evidence, restart from a checkpoint.

#![expect(clippy::cast_possible_truncation, reason = "tests fail loudly")]

mod slot_support;

use rota_sequencer::error::ExecutionError;
use rota_sequencer::execution::*;
use rota_types::evidence::Evidence;
use rota_types::*;
use slot_support::chain::Chain;
use slot_support::*;

fn codes(executed: &ExecutedSlot) -> Vec<(u32, RefusalCode)> {
    executed.record.skips.clone()
}

#[test]
fn each_refusal_by_state_is_a_skip_code_at_its_index() {
    let mut chain = Chain::new();
    let once = tx(10, 50, b"once");
    chain.put(
        0,
        &[
            once.clone(),
            tx(10, 4, b"expired"),
            tx(10, 5 + V + 1, b"far"),
            tx(99, 50, b"unknown"),
            once.clone(),
            tx(1, 50, b"system"),
            tx(0, 50, b"not an envelope"),
            tx(12, 50, &[0; 900]),
            tx(12, 50, &[1; 900]),
            tx(11, 50, b"other"),
        ],
    );
    let executed = chain.run(5);
    assert_eq!(
        codes(&executed),
        [
            (1, RefusalCode::Expired),
            (2, RefusalCode::TooFarAhead),
            (3, RefusalCode::UnknownRollup),
            (4, RefusalCode::Duplicate),
            (5, RefusalCode::BadSystemOp),
            (6, RefusalCode::BadEnvelope),
            (8, RefusalCode::Quota),
        ]
    );
    assert_eq!((executed.header.tx_count, executed.header.skipped_count), (3, 7));
    assert_eq!(executed.namespaces.ids(RollupId(10)), [once.id()]);
    assert_eq!(executed.header.txs_root, executed.namespaces.root());
    assert_eq!(executed.header.time, chain.net.genesis.timing().end(Slot(5)));
}

#[test]
fn the_bounds_of_validity_are_inclusive() {
    let mut chain = Chain::new();
    chain.put(0, &[tx(10, 5, b"last chance"), tx(10, 5 + V, b"furthest")]);
    assert_eq!(codes(&chain.run(5)), []);
}

#[test]
fn ordered_exactly_once_across_slots_and_at_the_window_bound() {
    let mut chain = Chain::new();
    let furthest = tx(10, 5 + V, b"x");
    chain.put(0, std::slice::from_ref(&furthest));
    assert_eq!(codes(&chain.run(5)), []);
    for (rank, slot) in [(1, 6), (2, 4 + V), (3, 5 + V)] {
        chain.put(rank, std::slice::from_ref(&furthest));
        assert_eq!(codes(&chain.run(slot)), [(0, RefusalCode::Duplicate)]);
    }
    assert_eq!(chain.executor.window().place_of(&furthest.id()).unwrap().height, Height(1));
    chain.put(0, std::slice::from_ref(&furthest));
    assert_eq!(codes(&chain.run(6 + V)), [(0, RefusalCode::Expired)]);
    assert_eq!(chain.executor.window().place_of(&furthest.id()), None);
}

#[test]
fn a_transaction_skipped_by_quota_can_be_ordered_later() {
    let mut chain = Chain::new();
    let late = tx(12, 50, &[1; 900]);
    chain.put(0, &[tx(12, 50, &[0; 900]), late.clone()]);
    assert_eq!(codes(&chain.run(5)), [(1, RefusalCode::Quota)]);
    chain.put(0, &[late]);
    assert_eq!(codes(&chain.run(6)), []);
}

#[test]
fn equal_decisions_give_equal_headers_whatever_order_bodies_came_in() {
    let mut chain = Chain::new();
    for round in 0..3u8 {
        for rank in [3, 1, 0, 2] {
            let txs: Vec<_> =
                (0..5u8).map(|i| tx(10 + u64::from(i % 2), 50, &[round, rank as u8, i])).collect();
            chain.put(rank, &txs);
        }
    }
    let tips = DecidedTips::of(chain.executor.order());
    let executed = chain.run(5);
    let decided = chain.history[0].0.clone();
    let mut lanes = chain.lanes.clone();
    lanes.decided = FakeLanes::new(&chain.net).decided;
    let mut digests: Vec<_> = lanes.batches.keys().copied().collect();
    for step in 0..digests.len() {
        digests.rotate_left(step);
        lanes.lost_bodies = digests.iter().copied().collect();
        let mut assembly =
            Assembly::new(decided.proposal.clone(), decided.certificate.clone(), &tips).unwrap();
        assert!(
            matches!(assembly.progress(&lanes), Ok(Progress::Missing(missing)) if missing.len() == 12)
        );
        for digest in &digests {
            assert!(assembly.insert(lanes.batches[digest].clone()));
        }
        let Ok(Progress::Complete(gathered)) = assembly.progress(&lanes) else { panic!() };
        assert_eq!(*gathered, decided);
        let mut executor = Executor::genesis(&chain.net.genesis).unwrap();
        assert_eq!(executor.execute(&gathered).unwrap().record, executed.record);
    }
}

#[test]
fn bodies_behind_missing_headers_are_found_one_after_another() {
    let mut chain = Chain::new();
    for i in 0..4u8 {
        chain.put(0, &[tx(10, 50, &[i])]);
    }
    let tips = DecidedTips::of(chain.executor.order());
    chain.run(5);
    let decided = chain.history[0].0.clone();
    let mut lanes = chain.lanes.clone();
    lanes.lost_headers = lanes.batches.keys().copied().collect();
    let mut assembly =
        Assembly::new(decided.proposal.clone(), decided.certificate.clone(), &tips).unwrap();
    let mut asked = 0;
    let gathered = loop {
        match assembly.progress(&lanes).unwrap() {
            Progress::Complete(gathered) => break gathered,
            Progress::Missing(missing) => {
                asked += missing.len();
                assert_eq!(missing.len(), 1);
                assert!(assembly.insert(lanes.batches[&missing[0].digest].clone()));
            }
        }
    };
    assert_eq!((asked, *gathered), (4, decided.clone()));
    let foreign = chain.put(1, &[tx(10, 50, b"foreign")]);
    assert!(!assembly.insert(foreign), "a body that the decision does not name");
    let mut wrong = decided;
    wrong.lanes[0].remove(0);
    let mut executor = Executor::genesis(&chain.net.genesis).unwrap();
    assert!(matches!(executor.execute(&wrong), Err(ExecutionError::Fork { .. })));
}

#[test]
fn a_slot_read_from_record_and_batches_is_the_slot_that_was_executed() {
    let mut chain = Chain::new();
    for rank in 0..4 {
        chain.put(
            rank,
            &[tx(10, 50, &[rank as u8]), tx(10, 3, b"expired"), tx(11, 50, &[rank as u8])],
        );
        chain.put(rank, &[tx(10, 50, &[rank as u8, 1])]);
    }
    let executed = chain.run(5);
    let record = ExecutedRecord::from_bytes(&executed.record.to_bytes()).unwrap();
    let decided = DecidedRecord::of(&chain.history[0].0);
    assert_eq!(DecidedRecord::from_bytes(&decided.to_bytes()).unwrap(), decided);
    let batches: Vec<_> =
        record.batches.iter().map(|b| chain.lanes.batches[&b.digest].clone()).collect();
    let all: Vec<_> = locate(&record, &batches).unwrap().collect();
    assert_eq!(all.len(), 16);
    for (at, found) in all.iter().enumerate() {
        let (batch, index) = record.batch_of(found.index).unwrap();
        assert_eq!(
            (at, batch.position, index),
            (found.index as usize, found.position, found.batch_index)
        );
        let original = chain.lanes.batches[&batch.digest].body().get(index as usize).unwrap();
        assert_eq!(
            (&found.bytes[..], found.payload()),
            (original.bytes, original.payload().to_vec().into())
        );
        match found.namespace_index {
            Some(index) => {
                let ids = executed.namespaces.ids(found.rollup);
                assert_eq!(ids[usize::try_from(index).unwrap()], found.id);
                assert_eq!(record.index_of(&found.id), Some(found.index));
            }
            None => assert_eq!(found.skipped, Some(RefusalCode::Expired)),
        }
    }
    assert_eq!(record.batch_of(16), None);
    let namespaces = namespaces_of(&record, &batches).unwrap();
    assert_eq!(namespaces.root(), executed.header.txs_root);
    assert!(locate(&record, &batches[1..]).is_err());
}

#[test]
fn a_restart_from_any_checkpoint_gives_the_same_headers() {
    let mut chain = Chain::new();
    let repeated = tx(10, 40, b"again and again");
    let mut checkpoints = vec![chain.executor.to_checkpoint()];
    for slot in 1..=6u64 {
        for rank in 0..4 {
            chain.put(rank, &[repeated.clone(), tx(11, 40, &[slot as u8, rank as u8])]);
        }
        chain.run(slot * 2);
        checkpoints.push(chain.executor.to_checkpoint());
    }
    let genesis = &chain.net.genesis;
    for (height, checkpoint) in checkpoints.iter().enumerate() {
        let mut executor = Executor::from_checkpoint(genesis, checkpoint).unwrap();
        if let Some((first, last)) = executor.window_missing() {
            assert_eq!((first, last), (Height(1), Height(height as u64)));
            let early = executor.execute(&chain.history[height.min(5)].0);
            assert!(matches!(early, Err(ExecutionError::WindowIncomplete { .. })));
            for (_, executed) in &chain.history[..height] {
                executor.load_window(&executed.record).unwrap();
            }
        }
        for (decided, executed) in &chain.history[height..] {
            assert_eq!(executor.replay(decided, &executed.record).unwrap().header, executed.header);
        }
        assert_eq!(executor.header_id(), chain.executor.header_id());
        assert_eq!(executor.to_checkpoint(), *checkpoints.last().unwrap());
    }
}

#[test]
fn a_damaged_checkpoint_or_record_is_noticed() {
    let mut chain = Chain::new();
    chain.put(0, &[tx(10, 50, b"a")]);
    chain.run(5);
    let bytes = chain.executor.to_checkpoint();
    let genesis = &chain.net.genesis;
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        if let Ok(mut executor) = Executor::from_checkpoint(genesis, &bad) {
            // The header itself, and where the window begins, are checked by the records that refill it.
            let record = &chain.history[0].1.record;
            let refused = executor.load_window(record).is_err();
            assert!(refused || executor.window_missing().is_some(), "byte {at}");
        }
    }
    let other = Net::with(4, |genesis| genesis.name = "other".into());
    assert!(Executor::from_checkpoint(&other.genesis, &bytes).is_err());
    let mut executor = Executor::genesis(genesis).unwrap();
    let mut record = chain.history[0].1.record.clone();
    record.prefixes[0][0] ^= 1;
    let replayed = executor.replay(&chain.history[0].0, &record);
    assert!(matches!(replayed, Err(ExecutionError::HeaderMismatch { .. })));
}

#[test]
fn a_slot_of_another_parent_or_height_is_not_executed() {
    let mut chain = Chain::new();
    chain.run(5);
    let before = chain.executor.to_checkpoint();
    for change in [
        (|p: &mut SlotProposal| p.height = Height(9)) as fn(&mut SlotProposal),
        |p| p.slot = Slot(5),
        |p| p.parent_header = Hash([7; 32]),
    ] {
        let mut proposal = chain.propose(6, &[]);
        change(&mut proposal);
        let certificate = chain.net.certify(&proposal);
        let decided = DecidedSlot { proposal, certificate, lanes: vec![] };
        assert!(chain.executor.execute(&decided).is_err());
    }
    assert_eq!(chain.executor.to_checkpoint(), before);
}

#[test]
fn a_double_batch_closes_its_lane_at_the_height_that_carries_it() {
    let mut chain = Chain::new();
    let tip = chain.lanes.newest[&chain.net.key(1)];
    let fork = chain.lanes.batch_after(&chain.net, 1, tip, &[tx(10, 50, b"fork")]);
    let kept = chain.put(1, &[tx(10, 50, b"kept")]);
    let (a, b) = if fork.digest() < kept.digest() { (&fork, &kept) } else { (&kept, &fork) };
    let evidence = Evidence::DoubleBatch(Box::new((a.signed().clone(), b.signed().clone())));
    let executed = chain.run_with(5, std::slice::from_ref(&evidence));
    assert_eq!(executed.closed, [chain.net.key(1)]);
    assert_eq!(executed.header.tx_count, 1, "what it has certified before is still ordered");
    chain.put(1, &[tx(10, 50, b"after")]);
    chain.put(2, &[tx(10, 50, b"honest")]);
    let next = chain.propose(6, &[evidence]);
    assert!(next.evidence.is_empty(), "accepted once");
    assert_eq!(next.cut.len(), 1);
    assert_eq!(next.cut[0].position.lane, chain.net.key(2));
}
