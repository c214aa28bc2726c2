//! Deadlines: a certificate that honest validators of a third of all weight held at their deadline is in the slot.

use super::{Check, broken};
use rota_sequencer::LaneTip;
use rota_sequencer::execution::{DecidedSlot, ExecutedSlot, OrderState};
use rota_types::{Height, Seq, Slot, ValidatorKey, ValidatorSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Slots whose notes are kept.
const SLOTS_KEPT: usize = 64;

struct Note {
    life: u64,
    held: BTreeMap<ValidatorKey, LaneTip>,
}

pub(super) struct Deadlines {
    set: ValidatorSet,
    /// What each validator noted, by slot; a note is void once the life that took it ended.
    notes: BTreeMap<Slot, BTreeMap<ValidatorKey, Note>>,
    /// State that decides order after a height.
    orders: BTreeMap<Height, Arc<OrderState>>,
}

impl Deadlines {
    pub(super) const fn new(set: ValidatorSet) -> Self {
        Self { set, notes: BTreeMap::new(), orders: BTreeMap::new() }
    }

    pub(super) fn on_note(
        &mut self,
        key: ValidatorKey,
        life: u64,
        slot: Slot,
        held: &BTreeMap<ValidatorKey, LaneTip>,
    ) {
        let notes = self.notes.entry(slot).or_default();
        if notes.get(&key).is_none_or(|note| note.life != life) {
            notes.insert(key, Note { life, held: held.clone() });
        }
        while self.notes.len() > SLOTS_KEPT {
            self.notes.pop_first();
        }
    }

    pub(super) fn forget(&mut self, key: ValidatorKey) {
        for notes in self.notes.values_mut() {
            notes.remove(&key);
        }
    }

    pub(super) fn on_executed(&mut self, executed: &ExecutedSlot) {
        self.orders.insert(executed.header.height, Arc::clone(&executed.order));
        while self.orders.len() > SLOTS_KEPT {
            self.orders.pop_first();
        }
    }

    pub(super) fn on_decided(&self, decided: &DecidedSlot) -> Check {
        let proposal = &decided.proposal;
        let (Some(notes), Some(order)) =
            (self.notes.get(&proposal.slot), self.orders.get(&proposal.height.prev()))
        else {
            return Ok(());
        };
        for (lane, state) in order.lanes().filter(|(_, state)| !state.closed) {
            let at = proposal.cut.iter().position(|entry| entry.position.lane == *lane);
            let entry = at.and_then(|at| proposal.cut.get(at));
            let reached = entry.map_or(state.tip.position.seq, |entry| entry.position.seq);
            let held_further = |note: &&Note| {
                let noted = note.held.get(lane).map(|tip| tip.position);
                noted.is_some_and(|noted| {
                    noted.incarnation == state.incarnation && noted.seq > reached
                })
            };
            let holders = notes.iter().filter(|(_, note)| held_further(note));
            let weight =
                holders.fold(0u64, |sum, (key, _)| sum.saturating_add(self.set.weight(key).0));
            let third = weight.saturating_mul(3) >= self.set.total().0;
            if third && !self.is_full(decided, at, order, lane) {
                let what = format!(
                    "slot {} reaches {reached} of lane {lane}, honest weight {weight} held more",
                    proposal.slot
                );
                return broken("held at the deadline is in the slot", what);
            }
        }
        Ok(())
    }

    /// Whether the lane's share may have left no room for one more batch. The next batch is not known here: one that
    /// fills a body might not have fitted.
    fn is_full(
        &self,
        decided: &DecidedSlot,
        at: Option<usize>,
        order: &OrderState,
        lane: &ValidatorKey,
    ) -> bool {
        let Some(run) = at.and_then(|at| decided.lanes.get(at)) else { return false };
        let share = order.share(lane);
        let bytes: u64 = run.iter().map(|batch| batch.body().tx_bytes()).sum();
        let most = u64::try_from(rota_types::limits::BATCH_BODY_BYTES_MAX).unwrap_or(u64::MAX);
        let longest = run.last().map_or(Seq(0), |batch| batch.position().seq);
        longest > Seq(0) && bytes.saturating_add(most) > share.bytes
    }
}
