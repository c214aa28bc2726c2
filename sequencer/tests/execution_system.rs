//! Operations of the system rollup: who may raise an incarnation, when it counts, and what it ends.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

mod slot_support;

use rota_sequencer::admission::{AdmissionContext, Rollups, admit, judge_bundle};
use rota_sequencer::execution::{ExecutedSlot, SystemView};
use rota_sequencer::limits::SYSTEM_SIGNATURES_MIN;
use rota_types::evidence::Evidence;
use rota_types::*;
use slot_support::chain::Chain;
use slot_support::*;

const UNTIL: Slot = Slot(400);

fn raise(net: &Net, lane: usize, incarnation: u32, signers: &[usize]) -> Transaction {
    envelope(net, lane, incarnation, signers).transaction()
}

fn envelope(net: &Net, lane: usize, incarnation: u32, signers: &[usize]) -> SystemEnvelope {
    let op =
        SystemOp::RaiseIncarnation { lane: net.key(lane), incarnation: Incarnation(incarnation) };
    let mut all =
        signers.iter().map(|rank| SystemEnvelope::sign(CHAIN, UNTIL, op, &net.signers[*rank]));
    let mut first = all.next().unwrap();
    for other in all {
        assert!(first.join(&other));
    }
    first
}

fn codes(executed: &ExecutedSlot) -> Vec<RefusalCode> {
    executed.record.skips.iter().map(|(_, code)| *code).collect()
}

fn incarnation(chain: &Chain, rank: usize) -> (u32, bool) {
    let state = chain.executor.order().lane(&chain.net.key(rank)).unwrap();
    (state.incarnation.0, state.closed)
}

/// Two batches of lane 1 at one place.
fn double_batch(chain: &mut Chain) -> Evidence {
    let tip = chain.lanes.newest[&chain.net.key(1)];
    let fork = chain.lanes.batch_after(&chain.net, 1, tip, &[tx(10, 50, b"fork")]);
    let kept = chain.put(1, &[tx(10, 50, b"kept")]);
    let (a, b) = if fork.digest() < kept.digest() { (&fork, &kept) } else { (&kept, &fork) };
    Evidence::DoubleBatch(Box::new((a.signed().clone(), b.signed().clone())))
}

#[test]
fn the_lanes_own_key_raises_its_incarnation_and_the_lane_goes_on_from_its_tip() {
    let mut chain = Chain::new();
    chain.put(1, &[tx(10, 50, b"before")]);
    chain.run(4);
    chain.put(1, &[tx(10, 50, b"certified, and never cut")]);
    chain.lanes.certified.remove(&chain.net.key(1));
    chain.put(0, &[raise(&chain.net, 1, 1, &[1])]);
    let executed = chain.run(5);
    assert_eq!((codes(&executed), executed.header.tx_count), (vec![], 1));
    assert_eq!(executed.namespaces.ids(RollupId::SYSTEM).len(), 1);
    assert_eq!(incarnation(&chain, 1), (1, false));
    let terms = executed.order.terms();
    let terms = terms.iter().find(|terms| terms.tip.position.lane == chain.net.key(1)).unwrap();
    assert_eq!((terms.incarnation, terms.tip.position.seq), (Incarnation(1), Seq(1)));

    let mut tip = chain.lanes.decided[&chain.net.key(1)];
    tip.position.incarnation = Incarnation(1);
    let first = chain.lanes.batch_after(&chain.net, 1, tip, &[tx(10, 50, b"after")]);
    chain.lanes.certify(&first.digest());
    assert_eq!(first.position().seq, Seq(2), "it goes on behind the decided tip");
    let executed = chain.run(6);
    assert_eq!(executed.header.tx_count, 1);
    assert_eq!(executed.tips[0].position, first.position());
}

#[test]
fn an_old_incarnation_is_not_cut_any_more() {
    let mut chain = Chain::new();
    chain.put(0, &[raise(&chain.net, 1, 1, &[1])]);
    chain.run(4);
    chain.put(1, &[tx(10, 50, b"old")]);
    assert!(chain.propose(5, &[]).cut.is_empty());
}

#[test]
fn nobody_else_raises_the_incarnation_of_an_open_lane() {
    let mut chain = Chain::new();
    let net = &chain.net;
    let txs = [
        raise(net, 1, 1, &[0]),
        raise(net, 1, 1, &[0, 1, 2, 3]),
        raise(net, 1, 0, &[1]),
        raise(net, 1, 2, &[1]),
        raise(net, 1, u32::MAX, &[1]),
    ];
    let stranger = Ed25519Signer::from_seed(&[99; 32]);
    let op =
        SystemOp::RaiseIncarnation { lane: stranger.public_key(), incarnation: Incarnation(1) };
    let foreign = SystemEnvelope::sign(CHAIN, UNTIL, op, &stranger).transaction();
    let mut forged = envelope(net, 1, 1, &[1]);
    forged.signatures[0].1.0[0] ^= 1;
    chain.put(0, &[&txs[..], &[foreign, forged.transaction()]].concat());
    let executed = chain.run(4);
    use RefusalCode::{BadSystemOp, IncarnationMismatch, NotAuthorised};
    assert_eq!(
        codes(&executed),
        [
            NotAuthorised,
            NotAuthorised,
            IncarnationMismatch,
            IncarnationMismatch,
            IncarnationMismatch,
            NotAuthorised,
            BadSystemOp
        ]
    );
    assert_eq!(incarnation(&chain, 1), (0, false));
}

#[test]
fn an_operation_counts_once_and_what_is_refused_may_come_again() {
    let mut chain = Chain::new();
    let next = raise(&chain.net, 1, 2, &[1]);
    let mut again = envelope(&chain.net, 1, 1, &[1]);
    again.valid_until_slot = UNTIL;
    chain.put(0, &[next.clone(), again.transaction(), next.clone()]);
    let executed = chain.run(4);
    assert_eq!(codes(&executed), [RefusalCode::IncarnationMismatch, RefusalCode::Duplicate]);
    chain.put(0, &[next]);
    assert_eq!(codes(&chain.run(5)), [], "its id was not taken by the refusal");
    assert_eq!(incarnation(&chain, 1), (2, false));
}

#[test]
fn a_closed_lane_is_opened_by_more_than_two_thirds_and_not_by_its_own_key() {
    let mut chain = Chain::new();
    let evidence = double_batch(&mut chain);
    chain.run_with(4, std::slice::from_ref(&evidence));
    assert_eq!(incarnation(&chain, 1), (0, true));
    let net = &chain.net;
    let (own, few) = (raise(net, 1, 1, &[1]), raise(net, 1, 1, &[0, 2]));
    let enough = raise(net, 1, 1, &[0, 2, 3]);
    chain.put(0, &[own, few]);
    assert_eq!(codes(&chain.run(5)), [RefusalCode::NotAuthorised; 2]);
    chain.put(2, &[enough]);
    assert_eq!(codes(&chain.run(6)), []);
    assert_eq!(incarnation(&chain, 1), (1, false));
    assert!(chain.propose(7, &[evidence]).evidence.is_empty(), "of an incarnation that ended");
}

#[test]
fn no_author_escapes_its_closure_by_raising_in_the_slot_of_the_proof() {
    let mut chain = Chain::new();
    let evidence = double_batch(&mut chain);
    chain.put(1, &[raise(&chain.net, 1, 1, &[1])]);
    let executed = chain.run_with(4, &[evidence]);
    assert_eq!(codes(&executed), [RefusalCode::NotAuthorised]);
    assert_eq!(incarnation(&chain, 1), (0, true));
}

#[test]
fn signatures_beyond_an_authors_share_are_not_verified() {
    let mut chain = Chain::new();
    let forged: Vec<_> = (0..=SYSTEM_SIGNATURES_MIN * 2 + 1)
        .map(|n| {
            let mut forged = envelope(&chain.net, 1, 1, &[1]);
            forged.signatures[0].1.0[..8].copy_from_slice(&n.to_le_bytes());
            forged.transaction()
        })
        .collect();
    chain.put(0, &forged);
    chain.put(2, &[raise(&chain.net, 2, 1, &[2])]);
    let executed = chain.run(4);
    let found = codes(&executed);
    let count = |code| found.iter().filter(|found| **found == code).count() as u64;
    assert_eq!(count(RefusalCode::BadSystemOp), SYSTEM_SIGNATURES_MIN * 2);
    assert_eq!(count(RefusalCode::SystemBudget), 2);
    assert_eq!(incarnation(&chain, 2), (1, false), "another author has its own share");
}

#[test]
fn doors_judge_state_before_signatures_and_reject_only_what_the_bytes_say() {
    let chain = Chain::new();
    let rollups = Rollups::new([(RollupId(10), 0)]);
    let context = AdmissionContext {
        chain_id: CHAIN,
        slot: Slot(100),
        validity_slots_max: V,
        rollups: &rollups,
        known: &|_| false,
        keystore: None,
        system: Some(SystemView { order: chain.executor.order(), validators: &chain.net.set }),
    };
    let at_door = |tx: &Transaction| {
        let list = list(std::slice::from_ref(tx));
        let verdict = judge_bundle(&list, &context, &mut |_| Ok(())).verdict;
        (admit(&list.get(0).unwrap(), &context).map_err(|refusal| refusal.code), verdict)
    };
    use rota_sequencer::admission::Verdict::{Accept, Ignore, Reject};
    let net = &chain.net;
    assert_eq!(at_door(&raise(net, 1, 1, &[1])), (Ok(()), Accept));
    let mut forged = envelope(net, 1, 1, &[1]);
    forged.signatures[0].1.0[3] ^= 1;
    let bad = Err(RefusalCode::BadSystemOp);
    assert_eq!(at_door(&forged.transaction()), (bad, Reject));
    let late = Err(RefusalCode::IncarnationMismatch);
    assert_eq!(at_door(&raise(net, 1, 3, &[1])), (late, Ignore));
    let mut forged = envelope(net, 1, 1, &[0, 1, 2, 3]);
    forged.signatures[0].1.0[3] ^= 1;
    let refused = Err(RefusalCode::NotAuthorised);
    assert_eq!(at_door(&forged.transaction()), (refused, Ignore));
    let mut moved = raise(net, 1, 1, &[1]);
    moved.valid_until_slot = UNTIL.next();
    assert_eq!(at_door(&moved), (Err(RefusalCode::ValidUntilMismatch), Reject));
}
