//! The gate that obeys the guard.

use rota_types::bls::BlsSignature;
use rota_types::{
    Ed25519Signer, Gate, Hash, Height, Mark, MarkPlace, Signature, Signer as _, ValidatorKey,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Height of a proposal or vote.
pub(crate) const fn height_of(place: &MarkPlace) -> Height {
    match place {
        MarkPlace::Proposal { height, .. } | MarkPlace::Vote { height, .. } => *height,
        _ => Height(0),
    }
}

/// Signs what no durable or pending mark forbids, from a height on.
pub(crate) struct MemoryGate {
    pub(crate) signer: Arc<Ed25519Signer>,
    pub(crate) vote_from: Height,
    pub(crate) durable: BTreeMap<MarkPlace, Hash>,
    pub(crate) pending: Vec<Mark>,
}

impl Gate for MemoryGate {
    fn public_key(&self) -> ValidatorKey {
        self.signer.public_key()
    }

    fn sign(&mut self, mark: Mark) -> Option<Signature> {
        if height_of(&mark.place) < self.vote_from {
            return None;
        }
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
