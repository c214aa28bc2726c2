//! The one writer of the ledger. Records reach readers when [`Ledger::sync`] has made them durable.

use super::error::LedgerError;
use super::reader::{LedgerReader, StoredBatch};
use super::record::{
    BatchKey, Kind, Location, PartHead, batch_head, part_digest, part_head, segment_context,
    segment_name, slot_head,
};
use super::tables::{Entry, Segment};
use crate::disk::{Disk, Log};
use crate::limits::{
    CHECKPOINT_PART_BYTES, CHECKPOINT_PARTS_MAX, LEDGER_RECORD_BYTES_MAX, LEDGER_SEGMENT_BYTES,
};
use bytes::Bytes;
use rota_types::{Hash, Height};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What every part of opening and writing needs to know.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) genesis: Hash,
    pub(super) salt: u64,
    pub(super) segment_bytes: u64,
}

impl Place {
    pub(super) fn path(&self, number: u32) -> PathBuf {
        self.folder.join(segment_name(number))
    }

    pub(super) fn create(&self, number: u32) -> Result<Log, LedgerError> {
        let context = segment_context(number, &self.genesis);
        let salt = self.salt ^ u64::from(number);
        let disk = self.disk.as_ref();
        Ok(Log::create(disk, &self.path(number), salt, &context, LEDGER_RECORD_BYTES_MAX)?)
    }
}

/// A checkpoint of which parts are still to be written.
struct Unwritten {
    /// The next part; its digest is that of the part before it.
    next: PartHead,
    /// What is left of the state.
    rest: Bytes,
}

/// The ledger's writing side. Not cloneable: one owner, usually the commit thread.
pub struct Ledger {
    pub(super) place: Place,
    pub(super) number: u32,
    pub(super) log: Log,
    pub(super) reader: LedgerReader,
    pending: Vec<Entry>,
    pending_batches: BTreeMap<Hash, Location>,
    pending_heights: BTreeMap<(Kind, Height), Location>,
    unwritten: Option<Unwritten>,
    part_bytes: usize,
}

impl Ledger {
    pub(super) fn assemble(place: Place, number: u32, log: Log, reader: LedgerReader) -> Self {
        Self {
            place,
            number,
            log,
            reader,
            pending: Vec::new(),
            pending_batches: BTreeMap::new(),
            pending_heights: BTreeMap::new(),
            unwritten: None,
            part_bytes: CHECKPOINT_PART_BYTES,
        }
    }

    /// The reading side; clones are cheap.
    #[must_use]
    pub fn reader(&self) -> LedgerReader {
        self.reader.clone()
    }

    /// Segments roll at this length instead of the default; for tests and small disks.
    pub fn set_segment_bytes(&mut self, bytes: u64) {
        self.place.segment_bytes = bytes.clamp(1024, LEDGER_SEGMENT_BYTES);
    }

    /// Checkpoints are written in parts of this length instead of the default; for tests.
    pub fn set_checkpoint_part_bytes(&mut self, bytes: usize) {
        self.part_bytes = bytes.clamp(1, CHECKPOINT_PART_BYTES);
    }

    /// Appends a batch once: the second time its first place is returned and nothing is written.
    ///
    /// # Errors
    /// Any; after one of the disk the ledger takes no more records.
    pub fn append_batch(
        &mut self,
        key: &BatchKey,
        header: &[u8],
        body: &[u8],
    ) -> Result<Location, LedgerError> {
        if let Some(place) = self.find_batch(&key.digest) {
            return Ok(place);
        }
        self.write_batch(key, header, body)
    }

    /// Appends a batch although it may be there already: how pruning carries one forward.
    pub(super) fn write_batch(
        &mut self,
        key: &BatchKey,
        header: &[u8],
        body: &[u8],
    ) -> Result<Location, LedgerError> {
        let location = self.write(Kind::Batch, &[&batch_head(key, header.len()), header, body])?;
        self.pending_batches.insert(key.digest, location);
        self.pending.push(Entry::Batch { key: *key, location });
        Ok(location)
    }

    fn find_batch(&self, digest: &Hash) -> Option<Location> {
        self.pending_batches.get(digest).copied().or_else(|| self.reader.batch_by_digest(digest))
    }

    /// Reads a batch, also one that is not durable yet.
    ///
    /// # Errors
    /// As [`LedgerReader::batch`].
    pub fn batch(&mut self, digest: &Hash) -> Result<Option<StoredBatch>, LedgerError> {
        if self.pending_batches.contains_key(digest) {
            self.sync()?;
        }
        self.reader.batch(digest)
    }

    /// Appends a decided slot with the digests of its batches, which must have been appended before.
    /// A height that has one keeps it: what was decided does not change.
    ///
    /// # Errors
    /// [`LedgerError::MissingBatch`] before anything is written, or any of the disk.
    pub fn append_slot(
        &mut self,
        height: Height,
        batches: &[Hash],
        bytes: &[u8],
    ) -> Result<Location, LedgerError> {
        if let Some(place) = self.find_height(Kind::Slot, height) {
            return Ok(place);
        }
        let mut places = Vec::with_capacity(batches.len());
        for digest in batches {
            let place = self
                .find_batch(digest)
                .ok_or(LedgerError::MissingBatch { height, digest: *digest })?;
            places.push(place);
        }
        let location = self.write(Kind::Slot, &[&slot_head(height, &places), bytes])?;
        self.pending_heights.insert((Kind::Slot, height), location);
        let batches = batches.iter().copied().zip(places).collect();
        self.pending.push(Entry::Slot { height, location, batches });
        Ok(location)
    }

    /// Appends the header of a height; one that is there is kept.
    ///
    /// # Errors
    /// Any of the disk.
    pub fn append_header(&mut self, height: Height, bytes: &[u8]) -> Result<Location, LedgerError> {
        self.append_once(Kind::Header, height, bytes)
    }

    /// Appends the seal of a height; one that is there is kept.
    ///
    /// # Errors
    /// Any of the disk.
    pub fn append_seal(&mut self, height: Height, bytes: &[u8]) -> Result<Location, LedgerError> {
        self.append_once(Kind::Seal, height, bytes)
    }

    /// Begins to append the state after a height: [`Self::append_checkpoint_part`] writes it, part by part. While
    /// one is being written, or for a state of no bytes or more than [`CHECKPOINT_PARTS_MAX`] parts, nothing
    /// happens: `false`.
    pub fn begin_checkpoint(&mut self, height: Height, state: Bytes) -> bool {
        let count = u32::try_from(state.len().div_ceil(self.part_bytes)).unwrap_or(u32::MAX);
        if self.unwritten.is_some() || !(1..=CHECKPOINT_PARTS_MAX).contains(&count) {
            return false;
        }
        let next = PartHead { height, index: 0, count, digest: Hash::ZERO };
        self.unwritten = Some(Unwritten { next, rest: state });
        true
    }

    /// Appends the next part of the checkpoint that was begun; `true` while parts are left. When the last one is
    /// durable [`LedgerReader::last_checkpoint`] finds it.
    ///
    /// # Errors
    /// Any of the disk.
    pub fn append_checkpoint_part(&mut self) -> Result<bool, LedgerError> {
        let Some(Unwritten { next, mut rest }) = self.unwritten.take() else { return Ok(false) };
        let part = rest.split_to(self.part_bytes.min(rest.len()));
        let head = PartHead { digest: part_digest(&next.digest, &part), ..next };
        let location = self.write(Kind::Checkpoint, &[&part_head(&head), &part])?;
        self.pending.push(Entry::Part { head, location });
        if !rest.is_empty() {
            let next = PartHead { index: head.index.saturating_add(1), ..head };
            self.unwritten = Some(Unwritten { next, rest });
        }
        Ok(self.is_writing_checkpoint())
    }

    /// Whether parts of a checkpoint are still to be written.
    #[must_use]
    pub const fn is_writing_checkpoint(&self) -> bool {
        self.unwritten.is_some()
    }

    fn append_once(
        &mut self,
        kind: Kind,
        height: Height,
        bytes: &[u8],
    ) -> Result<Location, LedgerError> {
        if let Some(place) = self.find_height(kind, height) {
            return Ok(place);
        }
        let location = self.write(kind, &[&height.0.to_le_bytes(), bytes])?;
        self.pending_heights.insert((kind, height), location);
        self.pending.push(Entry::Other { kind, height, location });
        Ok(location)
    }

    fn find_height(&self, kind: Kind, height: Height) -> Option<Location> {
        if let Some(location) = self.pending_heights.get(&(kind, height)) {
            return Some(*location);
        }
        let entry = self.reader.tables().heights.get(&height).copied()?;
        match kind {
            Kind::Slot => entry.slot,
            Kind::Header => entry.header,
            Kind::Seal => entry.seal,
            Kind::Batch | Kind::Checkpoint => None,
        }
    }

    fn write(&mut self, kind: Kind, parts: &[&[u8]]) -> Result<Location, LedgerError> {
        if self.log.length() >= self.place.segment_bytes {
            self.roll()?;
        }
        let offset = self.log.append(kind.number(), parts)?;
        let length = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        Ok(Location {
            segment: self.number,
            offset: u32::try_from(offset)
                .expect("a segment rolls at 64 MiB and a record has at most 64 MiB"),
            length: u32::try_from(length).expect("the log refused records above 64 MiB"),
        })
    }

    /// Closes the segment, synced whole, before the next one exists.
    fn roll(&mut self) -> Result<(), LedgerError> {
        self.log.sync()?;
        let number = self.number.saturating_add(1);
        let log = self.place.create(number)?;
        let segment = Segment {
            file: log.file(),
            salt: log.salt(),
            bytes: log.length(),
            newest: Height::GENESIS,
        };
        let mut tables = self.reader.tables_mut();
        if let Some(closed) = tables.segments.get_mut(&self.number) {
            closed.bytes = self.log.length();
        }
        tables.segments.insert(number, segment);
        drop(tables);
        self.number = number;
        self.log = log;
        Ok(())
    }

    /// Makes everything appended durable, then visible to readers.
    ///
    /// # Errors
    /// Of the disk; the ledger takes no more records after one.
    pub fn sync(&mut self) -> Result<(), LedgerError> {
        self.log.sync()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut tables = self.reader.tables_mut();
        if let Some(segment) = tables.segments.get_mut(&self.number) {
            segment.bytes = self.log.length();
        }
        for entry in self.pending.drain(..) {
            tables.apply(entry);
        }
        drop(tables);
        self.pending_batches.clear();
        self.pending_heights.clear();
        Ok(())
    }
}
