//! Why a decided transaction is skipped: by clock, registry, quota or repetition, in this order.

use super::window::{Place, ReplayWindow};
use rota_types::transaction::TxView;
use rota_types::{RefusalCode, RollupId, Slot};
use std::collections::BTreeMap;

/// Registered rollups with their quota of bytes a slot; 0 is none.
pub type Quotas = BTreeMap<RollupId, u64>;

/// The rules of one slot, and what its rollups have used so far.
#[derive(Debug)]
pub struct SkipRules<'a> {
    slot: Slot,
    valid_until_max: Slot,
    quotas: &'a Quotas,
    used: BTreeMap<RollupId, u64>,
    /// The last rollup judged and its quota: transactions of one rollup mostly stand together.
    last: Option<(RollupId, u64)>,
}

/// A skip, and the place of the copy that was ordered before where there is one.
pub(super) type Skip = (RefusalCode, Option<Place>);

impl<'a> SkipRules<'a> {
    /// Rules of `slot`.
    #[must_use]
    pub const fn new(slot: Slot, validity_slots: u64, quotas: &'a Quotas) -> Self {
        Self {
            slot,
            valid_until_max: slot.plus(validity_slots),
            quotas,
            used: BTreeMap::new(),
            last: None,
        }
    }

    /// Judges the next transaction in order and, if it stands, counts it and takes its id into the window. Else the
    /// window still waits for the id.
    ///
    /// # Errors
    /// The code it is skipped with.
    pub(crate) fn judge(&mut self, tx: &TxView<'_>, window: &mut ReplayWindow) -> Result<(), Skip> {
        if tx.valid_until_slot < self.slot {
            return Err((RefusalCode::Expired, None));
        }
        if tx.valid_until_slot > self.valid_until_max {
            return Err((RefusalCode::TooFarAhead, None));
        }
        let quota = self.quota(tx.rollup).ok_or((RefusalCode::UnknownRollup, None))?;
        let bytes = super::count(tx.bytes.len());
        if quota > 0 {
            // A repetition is a repetition before it is one too many.
            if let Some(earlier) = window.place_of(&tx.id) {
                return Err((RefusalCode::Duplicate, Some(earlier)));
            }
            let used = self.used.entry(tx.rollup).or_insert(0);
            let after = used.saturating_add(bytes);
            if after > quota {
                return Err((RefusalCode::Quota, None));
            }
            *used = after;
        }
        match window.order(&tx.id) {
            Some(earlier) => Err((RefusalCode::Duplicate, Some(earlier))),
            None => Ok(()),
        }
    }

    fn quota(&mut self, rollup: RollupId) -> Option<u64> {
        if let Some((last, quota)) = self.last
            && last == rollup
        {
            return Some(quota);
        }
        let quota = if rollup.is_executed() { 0 } else { *self.quotas.get(&rollup)? };
        self.last = Some((rollup, quota));
        Some(quota)
    }
}
