//! One slot's pass over its transactions, in order.

use super::record::{DecidedSlot, OrderedBatch};
use super::state::{LaneState, OrderState};
use super::system::SystemRun;
use crate::batch::Batch;
use crate::order::{
    BatchRef, IdPrefix, LaneRun, Place, ReplayWindow, SkipRules, WindowReader, count, interleave,
};
use rota_keystore::order::Outcome;
use rota_keystore::{KeystoreState, SlotPayload, execute_slot};
use rota_types::namespace::Namespaces;
use rota_types::transaction::TxView;
use rota_types::{Hash, Height, RefusalCode, RollupId, ValidatorKey, ValidatorSet};
use std::collections::BTreeMap;

/// What a slot's pass yields.
#[derive(Default)]
pub(crate) struct Pass {
    pub(crate) batches: Vec<OrderedBatch>,
    pub(crate) skips: Vec<(u32, RefusalCode)>,
    pub(crate) prefixes: Vec<IdPrefix>,
    pub(crate) namespaces: Namespaces,
    pub(crate) keystore: Vec<Outcome>,
    pub(crate) tx_count: u64,
    pub(crate) byte_count: u64,
    /// Per lane: bytes of copies that its author knew to be ordered, and all bytes.
    pub(crate) copies: BTreeMap<ValidatorKey, (u64, u64)>,
}

/// What a slot's pass goes by.
pub(crate) struct PassRules<'a> {
    pub(crate) chain_id: u64,
    pub(crate) proposal_id: Hash,
    pub(crate) validators: &'a ValidatorSet,
    pub(crate) validity_slots: u64,
}

/// An operation of rollup 0 or 1 that waits for the slot's end.
struct Queued<'a> {
    payload: SlotPayload<'a>,
    lane: ValidatorKey,
    id: Hash,
    bytes: u64,
}

/// The slot's operations, in slot order.
#[derive(Default)]
struct Queues<'a> {
    keystore: Vec<Queued<'a>>,
    system: Vec<Queued<'a>>,
}

/// Orders and executes all transactions of `decided`.
pub(crate) fn pass(
    decided: &DecidedSlot,
    by: &PassRules<'_>,
    order: &mut OrderState,
    window: &WindowReader,
    keystore: &mut KeystoreState,
) -> Pass {
    let slot = decided.proposal.slot;
    let txs = decided.lanes.iter().flatten().map(|batch| batch.body().len()).sum();
    let mut pass = Pass::default();
    let mut queues = Queues::default();
    let mut rules = SkipRules::new(slot, by.validity_slots, order.quotas());
    window.write(|window| {
        window.open(decided.height(), slot);
        window.reserve(txs);
    });
    for (rank, batch) in ordered(decided, &by.proposal_id, by.validators) {
        let key = batch.position().lane;
        let known = order.lane(&key).map_or(Height::GENESIS, LaneState::known_height);
        let mut lane = Lane { key, rank, known, copied: 0, bytes: 0 };
        window.write(|window| {
            for view in batch.body().iter() {
                pass.transaction(&view, &mut lane, &mut rules, window, &mut queues);
            }
        });
        let sums = pass.copies.entry(key).or_insert((0, 0));
        sums.0 = sums.0.saturating_add(lane.copied);
        sums.1 = sums.1.saturating_add(lane.bytes);
        pass.batches.push(OrderedBatch {
            digest: batch.digest(),
            position: batch.position(),
            txs: u32::try_from(batch.body().len()).unwrap_or(u32::MAX),
        });
    }
    pass.run_system(queues.system, by, order, window);
    let authors = u32::try_from(by.validators.len()).unwrap_or(u32::MAX);
    pass.run_keystore(queues.keystore, slot, authors, window, keystore);
    pass.skips.sort_unstable_by_key(|(index, _)| *index);
    pass.prefixes = window.read(|window| window.open_ids().to_vec());
    pass
}

/// Batches in slot order, with the rank of each one's lane.
fn ordered<'a>(
    decided: &'a DecidedSlot,
    proposal_id: &Hash,
    validators: &ValidatorSet,
) -> impl Iterator<Item = (u32, &'a Batch)> {
    let rank = |lane: &ValidatorKey| validators.index_of(lane).unwrap_or(usize::MAX);
    let runs: Vec<_> = decided
        .proposal
        .cut
        .iter()
        .zip(&decided.lanes)
        .map(|(entry, run)| LaneRun { rank: rank(&entry.position.lane), batches: run.len() })
        .collect();
    let order = interleave(proposal_id, validators.len(), &runs);
    order.into_iter().filter_map(move |BatchRef { lane, batch }| {
        let rank = u32::try_from(runs.get(lane)?.rank).unwrap_or(u32::MAX);
        Some((rank, decided.lanes.get(lane)?.get(batch)?.as_ref()))
    })
}

struct Lane {
    key: ValidatorKey,
    rank: u32,
    /// What was ordered up to here, the author knew.
    known: Height,
    copied: u64,
    bytes: u64,
}

impl Pass {
    fn transaction<'a>(
        &mut self,
        view: &TxView<'a>,
        lane: &mut Lane,
        rules: &mut SkipRules<'_>,
        window: &mut ReplayWindow,
        queues: &mut Queues<'a>,
    ) {
        // A slot's bodies are far below 2³² transactions: genesis limits them and the ledger's record bounds them.
        let index = u32::try_from(window.open_ids().len()).unwrap_or(u32::MAX);
        let bytes = count(view.bytes.len());
        lane.bytes = lane.bytes.saturating_add(bytes);
        match rules.judge(view, window) {
            Ok(()) if view.rollup.is_executed() => {
                let payload = SlotPayload {
                    position: u64::from(index),
                    author: lane.rank,
                    valid_until: view.valid_until_slot,
                    payload: view.payload(),
                };
                let queued = Queued { payload, lane: lane.key, id: view.id, bytes };
                match view.rollup {
                    RollupId::SYSTEM => queues.system.push(queued),
                    _ => queues.keystore.push(queued),
                }
            }
            Ok(()) => self.order(view.rollup, view.id, bytes),
            Err((code, earlier)) => {
                let known = |place: Place| place.height <= lane.known;
                if earlier.is_some_and(known) {
                    lane.copied = lane.copied.saturating_add(bytes);
                }
                window.skip(&view.id);
                self.skips.push((index, code));
            }
        }
    }

    fn order(&mut self, rollup: RollupId, id: Hash, bytes: u64) {
        self.namespaces.push(rollup, id, bytes);
        self.tx_count = self.tx_count.saturating_add(1);
        self.byte_count = self.byte_count.saturating_add(bytes);
    }

    /// Executes the system rollup's operations in slot order.
    fn run_system(
        &mut self,
        queue: Vec<Queued<'_>>,
        by: &PassRules<'_>,
        order: &mut OrderState,
        window: &WindowReader,
    ) {
        let mut run = SystemRun::new(by.chain_id, by.validators, order);
        for Queued { payload, lane, id, bytes } in queue {
            let index = u32::try_from(payload.position).unwrap_or(u32::MAX);
            match run.execute(lane, payload.payload, payload.valid_until) {
                Ok(()) => self.order(RollupId::SYSTEM, id, bytes),
                Err(code) => {
                    self.skips.push((index, code));
                    window.write(|window| window.revoke(index));
                }
            }
        }
    }

    /// Executes the keystore's operations by its own rule of order; what it refuses is skipped with its code.
    fn run_keystore(
        &mut self,
        queue: Vec<Queued<'_>>,
        slot: rota_types::Slot,
        authors: u32,
        window: &WindowReader,
        keystore: &mut KeystoreState,
    ) {
        if queue.is_empty() {
            return;
        }
        let payloads = queue.iter().map(|queued| queued.payload);
        self.keystore = execute_slot(keystore, payloads, slot, authors);
        assert_eq!(self.keystore.len(), queue.len(), "the keystore answers every payload");
        let mut refused = Vec::new();
        for ((position, outcome), queued) in self.keystore.iter().zip(&queue) {
            assert_eq!(*position, queued.payload.position, "the keystore answers in order");
            if let Err(refusal) = outcome {
                let index = u32::try_from(*position).unwrap_or(u32::MAX);
                refused.push((index, refusal.code));
                window.write(|window| window.revoke(index));
            }
        }
        for queued in &queue {
            let index = u32::try_from(queued.payload.position).unwrap_or(u32::MAX);
            if refused.binary_search_by_key(&index, |(at, _)| *at).is_err() {
                self.order(RollupId::KEYSTORE, queued.id, queued.bytes);
            }
        }
        self.skips.extend(refused);
    }
}
