//! Receipts: a receipted transaction is at its place, or that place is not decided yet.
//!
//! That it was ordered there or skipped there with a code follows from its place in the decided body: execution puts
//! every transaction of a slot into one of the two.

use super::{Check, broken};
use crate::sim::cast::CHAIN_ID;
use rota_sequencer::Batch;
use rota_sequencer::execution::{DecidedSlot, ExecutedSlot};
use rota_types::receipt::SignedReceipt;
use rota_types::{Hash, LanePosition, ValidatorKey, ids_tree};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

struct Promise {
    first_index: u32,
    ids: Vec<Hash>,
}

pub(super) struct Receipts {
    honest: BTreeSet<ValidatorKey>,
    open: BTreeMap<LanePosition, Vec<Promise>>,
    decided: BTreeMap<LanePosition, Arc<Batch>>,
    by_digest: BTreeMap<Hash, Arc<Batch>>,
}

impl Receipts {
    pub(super) fn new(honest: Vec<ValidatorKey>) -> Self {
        Self {
            honest: honest.into_iter().collect(),
            open: BTreeMap::new(),
            decided: BTreeMap::new(),
            by_digest: BTreeMap::new(),
        }
    }

    pub(super) fn on_receipt(&mut self, receipt: &SignedReceipt, ids: Vec<Hash>) -> Check {
        let promise = &receipt.receipt;
        if !self.honest.contains(&promise.validator) {
            return Ok(());
        }
        let root = ids_tree::root(CHAIN_ID, ids.iter().copied());
        let fits = promise.submission_root == root
            && usize::try_from(promise.count).is_ok_and(|count| count == ids.len());
        if receipt.verify(CHAIN_ID).is_err() || !fits {
            return broken("receipts", format!("a receipt that does not verify: {promise:?}"));
        }
        let kept = Promise { first_index: promise.first_index, ids };
        match self.decided.get(&promise.position) {
            Some(batch) => judge(promise.position, batch, &kept),
            None => {
                self.open.entry(promise.position).or_default().push(kept);
                Ok(())
            }
        }
    }

    pub(super) fn on_decided(&mut self, decided: &DecidedSlot) -> Check {
        for batch in decided.lanes.iter().flatten() {
            let position = batch.position();
            for promise in self.open.remove(&position).unwrap_or_default() {
                judge(position, batch, &promise)?;
            }
            self.decided.insert(position, Arc::clone(batch));
            self.by_digest.insert(batch.digest(), Arc::clone(batch));
        }
        Ok(())
    }

    /// Batches of an executed slot in slot order.
    pub(super) fn batches_of(&self, executed: &ExecutedSlot) -> Vec<Arc<Batch>> {
        let ordered = executed.record.batches.iter();
        ordered.filter_map(|batch| self.by_digest.get(&batch.digest).cloned()).collect()
    }

    fn open_of<'a>(
        &'a self,
        authors: &'a [ValidatorKey],
    ) -> impl Iterator<Item = (&'a LanePosition, &'a Vec<Promise>)> {
        self.open.iter().filter(|(position, _)| authors.contains(&position.lane))
    }

    pub(super) fn open(&self, authors: &[ValidatorKey]) -> usize {
        self.open_of(authors).map(|(_, promises)| promises.len()).sum()
    }

    pub(super) fn an_open_one(&self, authors: &[ValidatorKey]) -> Option<String> {
        let (position, promises) = self.open_of(authors).next()?;
        let promise = promises.first()?;
        Some(format!(
            "{} transactions from {} of {position:?}",
            promise.ids.len(),
            promise.first_index
        ))
    }
}

fn judge(position: LanePosition, batch: &Batch, promise: &Promise) -> Check {
    let from = usize::try_from(promise.first_index).unwrap_or(usize::MAX);
    let found = batch.body().ids().skip(from).take(promise.ids.len());
    if found.eq(promise.ids.iter().copied()) {
        return Ok(());
    }
    let what = format!("{position:?} from {from} holds other transactions than receipted");
    broken("receipts", what)
}
