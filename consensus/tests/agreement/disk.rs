//! What survives a crash: log, guard, decided slots.

use crate::gate::height_of;
use bytes::Bytes;
use rota_types::{CommitCertificate, Hash, Height, Mark, MarkPlace, SlotProposal};
use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) wal_height: Height,
    pub(crate) wal: Vec<Bytes>,
    pub(crate) marks: BTreeMap<MarkPlace, Hash>,
    pub(crate) decided: BTreeMap<Height, (SlotProposal, CommitCertificate)>,
}

impl Disk {
    /// Whether a vote or proposal at this height or above was marked.
    pub(crate) fn signed_from(&self, height: Height) -> bool {
        self.marks.keys().any(|place| height_of(place) >= height)
    }

    pub(crate) fn marks_of(&self, height: Height) -> Vec<Mark> {
        self.marks
            .iter()
            .filter(|(place, _)| height_of(place) == height)
            .map(|(place, digest)| Mark { place: *place, digest: *digest })
            .collect()
    }
}
