//! Order: a transaction is ordered once, inside both bounds of its validity.

use super::{Check, broken};
use rota_sequencer::Batch;
use rota_sequencer::execution::ExecutedSlot;
use rota_types::{Genesis, Hash, Height};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) struct Order {
    validity_slots_max: u64,
    ordered: BTreeMap<Hash, Height>,
    skipped: u64,
}

impl Order {
    pub(super) const fn new(genesis: &Genesis) -> Self {
        Self {
            validity_slots_max: genesis.validity_slots_max,
            ordered: BTreeMap::new(),
            skipped: 0,
        }
    }

    pub(super) fn on_executed(&mut self, executed: &ExecutedSlot, batches: &[Arc<Batch>]) -> Check {
        let (height, slot) = (executed.header.height, executed.header.slot);
        if batches.len() != executed.record.batches.len() {
            return broken("order", format!("height {height} executes batches it did not decide"));
        }
        let mut index = 0u32;
        for tx in batches.iter().flat_map(|batch| batch.body().iter()) {
            let skipped = executed.record.skip_code(index).is_some();
            index = index.saturating_add(1);
            if skipped {
                self.skipped = self.skipped.saturating_add(1);
                continue;
            }
            let until = tx.valid_until_slot;
            if until < slot || until > slot.plus(self.validity_slots_max) {
                let what = format!("{} valid until {until} is ordered in slot {slot}", tx.id);
                return broken("order", what);
            }
            if let Some(before) = self.ordered.insert(tx.id, height) {
                let what = format!("{} is ordered at {before} and at {height}", tx.id);
                return broken("ordered once", what);
            }
        }
        let total = executed.header.tx_count.saturating_add(executed.header.skipped_count);
        if total != u64::from(index) {
            return broken("order", format!("height {height}: {total} counted, {index} there"));
        }
        Ok(())
    }

    pub(super) fn is_ordered(&self, id: &Hash) -> bool {
        self.ordered.contains_key(id)
    }

    pub(super) fn totals(&self) -> (u64, u64) {
        (u64::try_from(self.ordered.len()).unwrap_or(u64::MAX), self.skipped)
    }
}
