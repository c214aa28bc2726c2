//! Headers and bodies held, by digest and by place.
//!
//! Holds at most [`BRANCHES_MAX`] headers a place, and bodies up to a limit in bytes; a body dropped
//! for memory was stored before, and is read from the ledger by whoever needs it.

use crate::batch::Batch;
use crate::limits::BRANCHES_MAX;
use rota_types::{Hash, Signature, SignedBatchHeader, ValidatorKey};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What is held of one batch.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Header with its author's signature, verified or linked from a certificate.
    pub(crate) signed: SignedBatchHeader,
    /// Body, unless only the header is known or it was dropped for memory.
    pub(crate) batch: Option<Arc<Batch>>,
    /// Own acknowledgement, once given.
    pub(crate) ack: Option<Signature>,
    /// Whether the body was handed to the ledger.
    pub(crate) stored: bool,
}

impl Entry {
    /// An entry of which only the header is known.
    pub(crate) const fn header_only(signed: SignedBatchHeader) -> Self {
        Self { signed, batch: None, ack: None, stored: false }
    }

    /// Sums of the lane up to and with this batch.
    pub(crate) const fn sums(&self) -> (u64, u64) {
        (self.signed.header.cumulative_bytes, self.signed.header.cumulative_txs)
    }
}

/// Everything held above the executed tips.
#[derive(Debug)]
pub(crate) struct Held {
    bodies_bytes_max: u64,
    entries: BTreeMap<Hash, Entry>,
    places: BTreeMap<(ValidatorKey, u64), Vec<Hash>>,
    /// Stored bodies by age, and the bytes of all bodies.
    ages: VecDeque<Hash>,
    bodies_bytes: u64,
}

impl Held {
    pub(crate) const fn new(bodies_bytes_max: u64) -> Self {
        Self {
            bodies_bytes_max,
            entries: BTreeMap::new(),
            places: BTreeMap::new(),
            ages: VecDeque::new(),
            bodies_bytes: 0,
        }
    }

    pub(crate) fn get(&self, digest: &Hash) -> Option<&Entry> {
        self.entries.get(digest)
    }

    pub(crate) fn get_mut(&mut self, digest: &Hash) -> Option<&mut Entry> {
        self.entries.get_mut(digest)
    }

    /// Digests at a place, in order of arrival.
    pub(crate) fn at(&self, lane: &ValidatorKey, seq: u64) -> &[Hash] {
        self.places.get(&(*lane, seq)).map_or(&[], Vec::as_slice)
    }

    /// Bytes of all bodies in memory.
    pub(crate) const fn bodies_bytes(&self) -> u64 {
        self.bodies_bytes
    }

    /// Number of headers.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds a header. `false` if the place has as many as it may and none could go.
    ///
    /// A `certified` header always finds room: what is neither acknowledged nor certified makes way.
    pub(crate) fn insert(&mut self, digest: Hash, entry: Entry, certified: bool) -> bool {
        if self.entries.contains_key(&digest) {
            return true;
        }
        let position = entry.signed.header.position;
        let key = (position.lane, position.seq.0);
        if self.at(&key.0, key.1).len() >= BRANCHES_MAX {
            let victim = certified
                .then(|| self.at(&key.0, key.1).iter().copied().find(|other| self.may_go(other)))
                .flatten();
            match victim {
                Some(victim) => self.remove(&victim),
                None => return false,
            }
        }
        self.places.entry(key).or_default().push(digest);
        self.bodies_bytes = self.bodies_bytes.saturating_add(body_bytes(&entry));
        self.entries.insert(digest, entry);
        true
    }

    fn may_go(&self, digest: &Hash) -> bool {
        self.entries.get(digest).is_some_and(|entry| entry.ack.is_none())
    }

    /// Gives a header its body.
    pub(crate) fn attach(&mut self, batch: &Arc<Batch>) {
        if let Some(entry) = self.entries.get_mut(&batch.digest())
            && entry.batch.is_none()
        {
            entry.batch = Some(Arc::clone(batch));
            self.bodies_bytes = self.bodies_bytes.saturating_add(body_bytes(entry));
            if entry.stored {
                self.ages.push_back(batch.digest());
            }
        }
        self.shrink();
    }

    /// Drops a body that the ledger has not.
    pub(crate) fn drop_unstored(&mut self, digest: &Hash) {
        if let Some(entry) = self.entries.get_mut(digest).filter(|entry| !entry.stored) {
            self.bodies_bytes = self.bodies_bytes.saturating_sub(body_bytes(entry));
            entry.batch = None;
        }
    }

    /// Whether bodies that the ledger has not are alone beyond the limit: the others went before.
    pub(crate) const fn is_over(&self) -> bool {
        self.bodies_bytes > self.bodies_bytes_max
    }

    /// Notes that a body goes to the ledger.
    pub(crate) fn mark_stored(&mut self, digest: &Hash) {
        if let Some(entry) = self.entries.get_mut(digest) {
            entry.stored = true;
            self.ages.push_back(*digest);
        }
        self.shrink();
    }

    /// Drops the oldest stored bodies beyond the limit.
    fn shrink(&mut self) {
        while self.bodies_bytes > self.bodies_bytes_max {
            let Some(oldest) = self.ages.pop_front() else { break };
            if let Some(entry) = self.entries.get_mut(&oldest) {
                self.bodies_bytes = self.bodies_bytes.saturating_sub(body_bytes(entry));
                entry.batch = None;
            }
        }
    }

    /// Forgets a batch.
    pub(crate) fn remove(&mut self, digest: &Hash) {
        let Some(entry) = self.entries.remove(digest) else { return };
        self.bodies_bytes = self.bodies_bytes.saturating_sub(body_bytes(&entry));
        let position = entry.signed.header.position;
        let key = (position.lane, position.seq.0);
        if let Some(place) = self.places.get_mut(&key) {
            place.retain(|other| other != digest);
            if place.is_empty() {
                self.places.remove(&key);
            }
        }
    }

    /// Forgets the batches of a lane from seq 0 to `upto`.
    pub(crate) fn remove_upto(&mut self, lane: &ValidatorKey, upto: u64) {
        let gone: Vec<Hash> =
            self.places.range((*lane, 0)..=(*lane, upto)).flat_map(|(_, d)| d.clone()).collect();
        for digest in &gone {
            self.remove(digest);
        }
        // Ages of what is gone would grow for ever below the memory limit.
        if self.ages.len() > self.entries.len().saturating_mul(2).saturating_add(64) {
            let entries = &self.entries;
            self.ages.retain(|digest| entries.contains_key(digest));
        }
    }
}

fn body_bytes(entry: &Entry) -> u64 {
    entry.batch.as_ref().map_or(0, |b| u64::try_from(b.frame().len()).unwrap_or(u64::MAX))
}
