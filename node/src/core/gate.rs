//! The gate every signature passes: the guard decides, the key signs, the mark goes in front of the signature.
//!
//! A mark taken here leaves with [`SigningGate::take_records`], and the core puts it into the commit queue before
//! any effect of the same step; nothing of that step leaves the machine before the mark is durable.

use crate::guard::{Decision, Floor, Guard, GuardRecord, Mark as GuardMark, Step};
use rota_types::bls::{BlsSignature, SealSecret, seal_digest};
use rota_types::{
    Ed25519Signer, Gate, Hash, Height, Mark, MarkPlace, Signature, Signer as _, ValidatorKey,
    VoteKind,
};

/// Keys and guard of one validator.
struct Keys {
    signer: Ed25519Signer,
    seal_secret: SealSecret,
    guard: Guard,
}

/// The gate of a validator, or of a full node, where every request is refused.
pub struct SigningGate {
    keys: Option<Keys>,
    records: Vec<GuardRecord>,
    refused: u64,
}

impl SigningGate {
    /// A gate over an opened guard of this very key.
    #[must_use]
    pub const fn new(signer: Ed25519Signer, seal_secret: SealSecret, guard: Guard) -> Self {
        Self { keys: Some(Keys { signer, seal_secret, guard }), records: Vec::new(), refused: 0 }
    }

    /// The gate of a full node.
    #[must_use]
    pub const fn closed() -> Self {
        Self { keys: None, records: Vec::new(), refused: 0 }
    }

    /// The validator's key; `None` on a full node.
    #[must_use]
    pub fn validator(&self) -> Option<ValidatorKey> {
        self.keys.as_ref().map(|keys| keys.signer.public_key())
    }

    /// Marks and floors taken since the last call, to be queued before the step's effects.
    #[must_use]
    pub fn take_records(&mut self) -> Vec<GuardRecord> {
        std::mem::take(&mut self.records)
    }

    /// Signatures refused since start.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Closes everything at or below `floor` for good; keeps the guard bounded as lanes are decided.
    pub fn raise(&mut self, floor: Floor) {
        let Some(keys) = self.keys.as_mut() else { return };
        keys.guard.raise(&floor);
        self.records.push(GuardRecord::Floor(floor));
    }

    /// The keys, if the guard allows the mark.
    fn allow(&mut self, mark: GuardMark) -> Option<&Keys> {
        let keys = self.keys.as_mut()?;
        match keys.guard.mark(&mark) {
            Decision::New => {
                self.records.push(GuardRecord::Mark(mark));
                Some(keys)
            }
            Decision::Same => Some(keys),
            Decision::Conflict { existing } => {
                self.refused = self.refused.saturating_add(1);
                match (mark, existing) {
                    // Asked again for a batch acknowledged long ago: its digest is no longer kept.
                    (GuardMark::Ack { .. }, None) => {
                        tracing::debug!(?mark, "not acknowledged again")
                    }
                    _ => tracing::warn!(?mark, ?existing, "the guard refused a signature"),
                }
                None
            }
        }
    }
}

fn guard_mark(mark: &Mark) -> GuardMark {
    let digest = mark.digest;
    match mark.place {
        MarkPlace::Proposal { height, round } => {
            GuardMark::Vote { height, round, step: Step::Propose, digest }
        }
        MarkPlace::Vote { height, round, kind } => {
            let step = match kind {
                VoteKind::Prevote => Step::Prevote,
                VoteKind::Precommit => Step::Precommit,
            };
            GuardMark::Vote { height, round, step, digest }
        }
        MarkPlace::Seal { height } => GuardMark::Seal { height, digest },
        MarkPlace::OwnBatch { incarnation, seq } => {
            GuardMark::OwnBatch { incarnation, seq, digest }
        }
        MarkPlace::Ack { position } => GuardMark::Ack {
            lane: position.lane,
            incarnation: position.incarnation,
            seq: position.seq,
            digest,
        },
    }
}

impl Gate for SigningGate {
    fn public_key(&self) -> ValidatorKey {
        self.validator().unwrap_or_default()
    }

    fn sign(&mut self, mark: Mark) -> Option<Signature> {
        self.allow(guard_mark(&mark)).map(|keys| keys.signer.sign(&mark.digest))
    }

    fn seal(&mut self, height: Height, chain_id: u64, header_id: &Hash) -> Option<BlsSignature> {
        let digest = seal_digest(chain_id, header_id);
        self.allow(GuardMark::Seal { height, digest })
            .map(|keys| keys.seal_secret.seal(chain_id, header_id))
    }

    fn sign_unmarked(&mut self, digest: &Hash) -> Option<Signature> {
        self.keys.as_ref().map(|keys| keys.signer.sign(digest))
    }
}
