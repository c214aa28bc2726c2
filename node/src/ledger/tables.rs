//! What the ledger keeps in memory: where each kept record is. Bounded by retention and named limits.

use super::record::{BatchKey, Kind, Location, PartHead};
use crate::disk::DiskFile;
use crate::limits::{LEDGER_DECIDED_DIGESTS_MAX, LEDGER_DIGEST_HEIGHTS};
use rota_types::{Hash, Height};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One segment file as readers need it.
#[derive(Clone)]
pub(super) struct Segment {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) salt: u64,
    pub(super) bytes: u64,
    /// Newest height whose records, or whose batches, it holds.
    pub(super) newest: Height,
}

/// One batch still findable by digest.
#[derive(Clone, Copy)]
pub(super) struct BatchEntry {
    pub(super) key: BatchKey,
    pub(super) location: Location,
    pub(super) decided: Option<Height>,
}

/// Places of the records of one height.
#[derive(Clone, Copy, Default)]
pub(super) struct HeightEntry {
    pub(super) slot: Option<Location>,
    pub(super) header: Option<Location>,
    pub(super) seal: Option<Location>,
}

/// A record that became part of the ledger.
pub(super) enum Entry {
    Batch { key: BatchKey, location: Location },
    Slot { height: Height, location: Location, batches: Vec<(Hash, Location)> },
    Part { head: PartHead, location: Location },
    Other { kind: Kind, height: Height, location: Location },
}

/// A checkpoint: where its parts are, in order.
#[derive(Clone)]
pub(super) struct Checkpoint {
    pub(super) height: Height,
    pub(super) parts: Vec<Location>,
}

#[derive(Default)]
pub(super) struct Tables {
    pub(super) segments: BTreeMap<u32, Segment>,
    pub(super) batches: BTreeMap<Hash, BatchEntry>,
    decided: VecDeque<(Height, Hash)>,
    pub(super) heights: BTreeMap<Height, HeightEntry>,
    /// The newest that is complete.
    pub(super) checkpoint: Option<Checkpoint>,
    /// The one being written; nothing is restored from it, and a crash ends it.
    unfinished: Option<Checkpoint>,
}

impl Tables {
    /// Takes in one record, in the order of the log.
    pub(super) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Batch { key, location } => {
                // A copy carried forward by pruning replaces the place, not the decision.
                let decided = self.batches.get(&key.digest).and_then(|old| old.decided);
                self.batches.insert(key.digest, BatchEntry { key, location, decided });
            }
            Entry::Slot { height, location, batches } => {
                self.raise(location.segment, height);
                self.heights.entry(height).or_default().slot = Some(location);
                for (digest, place) in batches {
                    self.raise(place.segment, height);
                    if let Some(entry) = self.batches.get_mut(&digest) {
                        entry.decided = Some(height);
                        self.decided.push_back((height, digest));
                    }
                }
                self.forget_old_digests(height);
            }
            Entry::Part { head, location } => self.apply_part(head, location),
            Entry::Other { kind, height, location } => {
                self.raise(location.segment, height);
                match kind {
                    Kind::Header => {
                        self.heights.entry(height).or_default().header = Some(location);
                    }
                    Kind::Seal => self.heights.entry(height).or_default().seal = Some(location),
                    Kind::Batch | Kind::Slot | Kind::Checkpoint => {}
                }
            }
        }
    }

    /// Takes in a part of a checkpoint; one that does not follow the part before it is of no use.
    fn apply_part(&mut self, head: PartHead, location: Location) {
        self.raise(location.segment, head.height);
        if head.index == 0 {
            self.unfinished = Some(Checkpoint { height: head.height, parts: Vec::new() });
        }
        let Some(mut unfinished) = self.unfinished.take() else { return };
        let held = u32::try_from(unfinished.parts.len()).unwrap_or(u32::MAX);
        if unfinished.height != head.height || held != head.index {
            return;
        }
        unfinished.parts.push(location);
        if head.index.saturating_add(1) < head.count {
            self.unfinished = Some(unfinished);
        } else if self.checkpoint.as_ref().is_none_or(|newest| newest.height <= head.height) {
            self.checkpoint = Some(unfinished);
        }
    }

    /// Whether a part of the newest checkpoint, or of the one being written, lies in `segment`.
    pub(super) fn holds_checkpoint(&self, segment: u32) -> bool {
        let checkpoints = self.checkpoint.iter().chain(&self.unfinished);
        checkpoints.flat_map(|found| &found.parts).any(|part| part.segment == segment)
    }

    fn raise(&mut self, segment: u32, height: Height) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.newest = segment.newest.max(height);
        }
    }

    fn forget_old_digests(&mut self, tip: Height) {
        let oldest_kept = tip.minus(LEDGER_DIGEST_HEIGHTS);
        while let Some((height, digest)) = self.decided.front().copied() {
            if height >= oldest_kept && self.decided.len() <= LEDGER_DECIDED_DIGESTS_MAX {
                break;
            }
            self.decided.pop_front();
            self.batches.remove(&digest);
        }
    }

    /// Drops everything that lies in `segment`.
    pub(super) fn drop_segment(&mut self, segment: u32) {
        self.segments.remove(&segment);
        self.batches.retain(|_, entry| entry.location.segment != segment);
        let batches = &self.batches;
        self.decided.retain(|(_, digest)| batches.contains_key(digest));
        let here = |place: &Option<Location>| place.is_some_and(|at| at.segment == segment);
        self.heights.retain(|_, entry| {
            if here(&entry.slot) {
                entry.slot = None;
            }
            if here(&entry.header) {
                entry.header = None;
            }
            if here(&entry.seal) {
                entry.seal = None;
            }
            entry.slot.is_some() || entry.header.is_some() || entry.seal.is_some()
        });
    }

    /// Newest height with a slot.
    pub(super) fn tip(&self) -> Option<Height> {
        self.heights.iter().rev().find(|(_, entry)| entry.slot.is_some()).map(|(height, _)| *height)
    }

    /// Oldest height with a slot.
    pub(super) fn first(&self) -> Option<Height> {
        self.heights.iter().find(|(_, entry)| entry.slot.is_some()).map(|(height, _)| *height)
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().fold(0, |sum, segment| sum.saturating_add(segment.bytes))
    }
}
