//! Pruning: whole segments are unlinked, oldest first; batches still owed are carried forward before, and the newest
//! complete checkpoint keeps its segments.

use super::error::LedgerError;
use super::record::BatchKey;
use super::writer::Ledger;
use crate::limits::LEDGER_HEIGHTS_MAX;
use rota_types::{Height, Incarnation, Seq, ValidatorKey};
use std::collections::BTreeMap;

/// What may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneRequest {
    /// Bytes of segments that may stay; nothing is removed below it.
    pub bytes_max: u64,
    /// Records of this height and above are never removed: max(128 slots, validity window) below the tip.
    pub keep_from: Height,
    /// Each lane's incarnation in force and decided place: an undecided batch of an older incarnation, or at or below
    /// that place, is owed to nobody. All others are carried forward.
    pub lanes: BTreeMap<ValidatorKey, (Incarnation, Seq)>,
}

impl PruneRequest {
    fn is_owed(&self, key: &BatchKey) -> bool {
        self.lanes
            .get(&key.lane)
            .is_none_or(|(in_force, decided)| key.incarnation >= *in_force && key.seq > *decided)
    }
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Segments unlinked.
    pub segments: usize,
    /// Bytes freed.
    pub bytes: u64,
    /// Undecided batches written again at the end.
    pub carried: usize,
    /// Oldest slot now, if any is kept.
    pub first: Option<Height>,
}

impl Ledger {
    /// Unlinks the oldest segments while the ledger is longer than asked. Everything appended before is synced first.
    ///
    /// # Errors
    /// Of the disk; what was unlinked before stays unlinked.
    pub fn prune(&mut self, request: &PruneRequest) -> Result<PruneReport, LedgerError> {
        self.sync()?;
        let mut report = PruneReport::default();
        while let Some(oldest) = self.removable(request) {
            report.carried = report.carried.saturating_add(self.carry_forward(oldest, request)?);
            self.sync()?;
            let path = self.place.path(oldest);
            self.place.disk.remove(&path)?;
            let mut tables = self.reader.tables_mut();
            let freed = tables.segments.get(&oldest).map_or(0, |segment| segment.bytes);
            tables.drop_segment(oldest);
            report.segments = report.segments.saturating_add(1);
            report.bytes = report.bytes.saturating_add(freed);
        }
        report.first = self.reader.first();
        Ok(report)
    }

    /// The oldest segment, if it may go.
    fn removable(&self, request: &PruneRequest) -> Option<u32> {
        let tables = self.reader.tables();
        let (number, segment) = tables.segments.first_key_value()?;
        let wanted =
            tables.bytes() > request.bytes_max || tables.heights.len() > LEDGER_HEIGHTS_MAX;
        let over = segment.newest < request.keep_from && !tables.holds_checkpoint(*number);
        (*number != self.number && wanted && over).then_some(*number)
    }

    fn carry_forward(
        &mut self,
        segment: u32,
        request: &PruneRequest,
    ) -> Result<usize, LedgerError> {
        let owed: Vec<BatchKey> = {
            let tables = self.reader.tables();
            let owed = tables.batches.values().filter(|entry| {
                entry.location.segment == segment
                    && entry.decided.is_none()
                    && request.is_owed(&entry.key)
            });
            owed.map(|entry| entry.key).collect()
        };
        for key in &owed {
            if let Some(batch) = self.reader.batch(&key.digest)? {
                self.write_batch(key, &batch.header, &batch.body)?;
            }
        }
        Ok(owed.len())
    }
}
