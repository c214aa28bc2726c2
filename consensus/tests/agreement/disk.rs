//! What survives a crash: log, guard, decided slots; and the gate that obeys the guard.

use bytes::Bytes;
use rota_types::bls::BlsSignature;
use rota_types::{
    CommitCertificate, Ed25519Signer, Gate, Hash, Height, Mark, MarkPlace, Signature, Signer as _,
    SlotProposal, ValidatorKey,
};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) wal_height: Height,
    pub(crate) wal: Vec<Bytes>,
    pub(crate) marks: BTreeMap<MarkPlace, Hash>,
    pub(crate) decided: BTreeMap<Height, (SlotProposal, CommitCertificate)>,
}

impl Disk {
    pub(crate) fn marks_of(&self, height: Height) -> Vec<Mark> {
        let at = |place: &MarkPlace| match place {
            MarkPlace::Proposal { height, .. } | MarkPlace::Vote { height, .. } => *height,
            _ => Height(0),
        };
        self.marks
            .iter()
            .filter(|(place, _)| at(place) == height)
            .map(|(place, digest)| Mark { place: *place, digest: *digest })
            .collect()
    }
}

/// Signs what no durable or pending mark forbids.
pub(crate) struct MemoryGate {
    pub(crate) signer: Arc<Ed25519Signer>,
    pub(crate) durable: BTreeMap<MarkPlace, Hash>,
    pub(crate) pending: Vec<Mark>,
}

impl Gate for MemoryGate {
    fn public_key(&self) -> ValidatorKey {
        self.signer.public_key()
    }

    fn sign(&mut self, mark: Mark) -> Option<Signature> {
        let pending = self.pending.iter().find(|m| m.place == mark.place).map(|m| m.digest);
        match self.durable.get(&mark.place).copied().or(pending) {
            Some(known) if known != mark.digest => return None,
            Some(_) => {}
            None => self.pending.push(mark),
        }
        Some(self.signer.sign(&mark.digest))
    }

    fn seal(&mut self, _: Height, _: u64, _: &Hash) -> Option<BlsSignature> {
        None
    }

    fn sign_unmarked(&mut self, digest: &Hash) -> Option<Signature> {
        Some(self.signer.sign(digest))
    }
}
