//! The reading side of the ledger: cloneable, beside the writer, seeing only what is durable.

use super::error::LedgerError;
use super::record::{
    BatchKey, Kind, Location, part_digest, split_batch, split_height, split_part, split_slot,
};
use super::tables::{HeightEntry, Tables};
use crate::disk::LogError;
use crate::disk::log::read_record;
use bytes::Bytes;
use rota_types::{Hash, Height};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A batch as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// Its name.
    pub key: BatchKey,
    /// The signed header, encoded.
    pub header: Bytes,
    /// The body.
    pub body: Bytes,
    /// Header and body as they travel: both are slices of it.
    pub frame: Bytes,
}

/// A slot as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSlot {
    /// Its height.
    pub height: Height,
    /// Places of its batches, in the order given to `append_slot`; see [`LedgerReader::batch_at`].
    pub batches: Vec<Location>,
    /// The sequencer's record of it.
    pub bytes: Bytes,
}

/// Sizes of a ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LedgerStats {
    /// Segment files.
    pub segments: usize,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Batches findable by digest.
    pub batches: usize,
    /// Of these, not in a decided slot.
    pub undecided: usize,
    /// Oldest kept slot.
    pub first: Option<Height>,
    /// Newest slot.
    pub tip: Option<Height>,
}

/// Reads a ledger; clones share it with its writer.
#[derive(Clone, Default)]
pub struct LedgerReader {
    tables: Arc<RwLock<Tables>>,
}

impl LedgerReader {
    pub(super) fn tables(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tables_mut(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self, kind: Kind, location: Location) -> Result<Bytes, LedgerError> {
        let segment = self.tables().segments.get(&location.segment).cloned();
        let segment = segment.ok_or(LedgerError::Pruned { segment: location.segment })?;
        let length = usize::try_from(location.length).unwrap_or(usize::MAX);
        let offset = u64::from(location.offset);
        let frame = read_record(segment.file.as_ref(), segment.salt, offset, length)?;
        if frame.kind == kind.number() {
            Ok(frame.payload)
        } else {
            Err(self.corrupt(location, "a record of another kind"))
        }
    }

    fn corrupt(&self, location: Location, reason: &'static str) -> LedgerError {
        let path =
            self.tables().segments.get(&location.segment).map(|s| s.file.path().to_path_buf());
        LogError::Corrupt {
            path: path.unwrap_or_default(),
            offset: u64::from(location.offset),
            reason,
        }
        .into()
    }

    /// Whether a durable batch of this digest is findable: undecided, or of the newest
    /// [`crate::limits::LEDGER_DIGEST_HEIGHTS`] heights.
    #[must_use]
    pub fn has_batch(&self, digest: &Hash) -> bool {
        self.tables().batches.contains_key(digest)
    }

    /// Where a batch is; see [`Self::has_batch`] for which are found.
    #[must_use]
    pub fn batch_by_digest(&self, digest: &Hash) -> Option<Location> {
        self.tables().batches.get(digest).map(|entry| entry.location)
    }

    /// A batch by its header's digest; see [`Self::has_batch`] for which are found.
    ///
    /// # Errors
    /// If it is there but cannot be read whole.
    pub fn batch(&self, digest: &Hash) -> Result<Option<StoredBatch>, LedgerError> {
        let Some(location) = self.batch_by_digest(digest) else { return Ok(None) };
        match self.batch_at(location) {
            // Pruning may have carried it forward between the two steps.
            Err(LedgerError::Pruned { .. }) => {
                self.batch_by_digest(digest).map(|moved| self.batch_at(moved)).transpose()
            }
            found => found.map(Some),
        }
    }

    /// A batch by its place.
    ///
    /// # Errors
    /// [`LedgerError::Pruned`], or if it cannot be read whole.
    pub fn batch_at(&self, location: Location) -> Result<StoredBatch, LedgerError> {
        let payload = self.read(Kind::Batch, location)?;
        let (key, header_bytes, frame) =
            split_batch(&payload).ok_or_else(|| self.corrupt(location, "not a batch record"))?;
        let (header, body) = (frame.slice(..header_bytes), frame.slice(header_bytes..));
        Ok(StoredBatch { key, header, body, frame })
    }

    /// Names of the batches in no decided slot, by lane, incarnation and seq.
    #[must_use]
    pub fn undecided(&self) -> Vec<BatchKey> {
        let tables = self.tables();
        let open = tables.batches.values().filter(|entry| entry.decided.is_none());
        let mut keys: Vec<BatchKey> = open.map(|entry| entry.key).collect();
        keys.sort_unstable();
        keys
    }

    fn at_height(
        &self,
        height: Height,
        kind: Kind,
        pick: impl Fn(&HeightEntry) -> Option<Location>,
    ) -> Result<Option<(Location, Bytes)>, LedgerError> {
        let location = self.tables().heights.get(&height).and_then(&pick);
        match location.map(|location| self.read(kind, location)) {
            None | Some(Err(LedgerError::Pruned { .. })) => Ok(None),
            Some(found) => found.map(|bytes| location.map(|location| (location, bytes))),
        }
    }

    /// The slot of a height, or `None` if it is not kept.
    ///
    /// # Errors
    /// If it is there but cannot be read whole.
    pub fn slot(&self, height: Height) -> Result<Option<StoredSlot>, LedgerError> {
        let found = self.at_height(height, Kind::Slot, |entry| entry.slot)?;
        found
            .map(|(location, payload)| {
                split_slot(&payload)
                    .map(|(height, batches, bytes)| StoredSlot { height, batches, bytes })
                    .ok_or_else(|| self.corrupt(location, "not a slot record"))
            })
            .transpose()
    }

    /// The header of a height, encoded, or `None`.
    ///
    /// # Errors
    /// If it is there but cannot be read whole.
    pub fn header(&self, height: Height) -> Result<Option<Bytes>, LedgerError> {
        self.height_bytes(height, Kind::Header, |entry| entry.header)
    }

    /// The seal of a height, encoded, or `None`.
    ///
    /// # Errors
    /// If it is there but cannot be read whole.
    pub fn seal(&self, height: Height) -> Result<Option<Bytes>, LedgerError> {
        self.height_bytes(height, Kind::Seal, |entry| entry.seal)
    }

    fn height_bytes(
        &self,
        height: Height,
        kind: Kind,
        pick: impl Fn(&HeightEntry) -> Option<Location>,
    ) -> Result<Option<Bytes>, LedgerError> {
        let found = self.at_height(height, kind, pick)?;
        found
            .map(|(location, payload)| {
                split_height(&payload)
                    .map(|(_, bytes)| bytes)
                    .ok_or_else(|| self.corrupt(location, "not a record of a height"))
            })
            .transpose()
    }

    /// The newest complete checkpoint and its height.
    ///
    /// # Errors
    /// If it is there but cannot be read whole.
    pub fn last_checkpoint(&self) -> Result<Option<(Height, Bytes)>, LedgerError> {
        let Some(checkpoint) = self.tables().checkpoint.clone() else { return Ok(None) };
        let mut digest = Hash::ZERO;
        let mut state = Vec::new();
        for location in checkpoint.parts {
            let payload = self.read(Kind::Checkpoint, location)?;
            let part = split_part(&payload);
            let (head, bytes) =
                part.ok_or_else(|| self.corrupt(location, "not a part of a checkpoint"))?;
            digest = part_digest(&digest, &bytes);
            if head.digest != digest || head.height != checkpoint.height {
                return Err(self.corrupt(location, "a part of another checkpoint"));
            }
            state.extend_from_slice(&bytes);
        }
        Ok(Some((checkpoint.height, state.into())))
    }

    /// Newest height with a slot.
    #[must_use]
    pub fn tip(&self) -> Option<Height> {
        self.tables().tip()
    }

    /// Oldest height with a slot.
    #[must_use]
    pub fn first(&self) -> Option<Height> {
        self.tables().first()
    }

    /// Kept slots from `height` on, ascending, each read when it is asked for.
    pub fn slots_from(
        &self,
        height: Height,
    ) -> impl Iterator<Item = Result<StoredSlot, LedgerError>> + use<> {
        let reader = self.clone();
        let mut from = Bound::Included(height);
        std::iter::from_fn(move || {
            loop {
                let next = {
                    let tables = reader.tables();
                    let mut above = tables.heights.range((from, Bound::Unbounded));
                    above.find(|(_, entry)| entry.slot.is_some()).map(|(height, _)| *height)
                }?;
                from = Bound::Excluded(next);
                if let Some(found) = reader.slot(next).transpose() {
                    return Some(found);
                }
            }
        })
    }

    /// Sizes.
    #[must_use]
    pub fn stats(&self) -> LedgerStats {
        let tables = self.tables();
        LedgerStats {
            segments: tables.segments.len(),
            bytes: tables.bytes(),
            batches: tables.batches.len(),
            undecided: tables.batches.values().filter(|entry| entry.decided.is_none()).count(),
            first: tables.first(),
            tip: tables.tip(),
        }
    }
}
