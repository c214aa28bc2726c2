//! Operations of the system rollup: what the network decides about itself.
//!
//! Payload of a transaction of rollup 1: borsh of [`SystemEnvelope`], at most [`SYSTEM_OP_BYTES_MAX`] bytes. Every
//! signer signs the same digest, which binds chain, expiry and operation. What follows from the bytes alone is
//! checked here; whose signatures suffice is state, and execution's to judge.

use crate::codec::{decode, encode};
use crate::hash::Hash;
use crate::ids::{Incarnation, RollupId, Slot};
use crate::keys::{Signature, Signer, ValidatorKey, verify_batch};
use crate::limits::{SYSTEM_OP_BYTES_MAX, VALIDATORS_MAX};
use crate::refusal::RefusalCode;
use crate::tags::Tag;
use crate::transaction::Transaction;
use borsh::{BorshDeserialize, BorshSerialize};

/// An operation; a number once used keeps its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SystemOp {
    /// A lane goes on under a new incarnation, open, from its decided tip. Signed by the lane's own key while the lane
    /// is open (its author lost batches that it signed), by more than two thirds of weight when it was closed.
    RaiseIncarnation {
        /// The lane.
        lane: ValidatorKey,
        /// One above the incarnation in force.
        incarnation: Incarnation,
    },
}

impl SystemOp {
    /// What every signer signs: `Tag::SystemOp` over expiry and operation.
    #[must_use]
    pub fn signing_digest(&self, chain_id: u64, valid_until_slot: Slot) -> Hash {
        Tag::SystemOp.digest(chain_id, &encode(&(valid_until_slot, self)))
    }
}

/// An operation with its signatures.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SystemEnvelope {
    /// The transaction's own `valid_until_slot`.
    pub valid_until_slot: Slot,
    /// The operation.
    pub op: SystemOp,
    /// By strictly ascending key, 1 to 128.
    pub signatures: Vec<(ValidatorKey, Signature)>,
}

impl SystemEnvelope {
    /// An envelope signed by one key.
    #[must_use]
    pub fn sign(chain_id: u64, valid_until_slot: Slot, op: SystemOp, signer: &dyn Signer) -> Self {
        let signature = signer.sign(&op.signing_digest(chain_id, valid_until_slot));
        Self { valid_until_slot, op, signatures: vec![(signer.public_key(), signature)] }
    }

    /// Joins the signatures of another envelope over the same operation; `false` if it is of another.
    pub fn join(&mut self, other: &Self) -> bool {
        let same = self.op == other.op && self.valid_until_slot == other.valid_until_slot;
        if same {
            self.signatures.extend(other.signatures.iter().copied());
            self.signatures.sort_unstable();
            self.signatures.dedup_by_key(|(key, _)| *key);
        }
        same
    }

    /// The transaction that carries it.
    #[must_use]
    pub fn transaction(&self) -> Transaction {
        Transaction {
            rollup: RollupId::SYSTEM,
            valid_until_slot: self.valid_until_slot,
            payload: encode(self),
        }
    }

    /// Decodes the payload of a transaction of the system rollup; signatures are not verified yet.
    ///
    /// # Errors
    /// `BadSystemOp` for another form, `ValidUntilMismatch` when the transaction names another expiry.
    pub fn from_payload(payload: &[u8], valid_until_slot: Slot) -> Result<Self, RefusalCode> {
        let envelope: Self =
            decode(payload, SYSTEM_OP_BYTES_MAX).map_err(|_| RefusalCode::BadSystemOp)?;
        let signatures = &envelope.signatures;
        let ascending =
            signatures.iter().zip(signatures.iter().skip(1)).all(|((a, _), (b, _))| a < b);
        if signatures.is_empty() || signatures.len() > VALIDATORS_MAX || !ascending {
            return Err(RefusalCode::BadSystemOp);
        }
        if envelope.valid_until_slot != valid_until_slot {
            return Err(RefusalCode::ValidUntilMismatch);
        }
        Ok(envelope)
    }

    /// Verifies every signature against its own key.
    ///
    /// # Errors
    /// `BadSystemOp`.
    pub fn verify(&self, chain_id: u64) -> Result<(), RefusalCode> {
        let digest = self.op.signing_digest(chain_id, self.valid_until_slot);
        let items: Vec<_> =
            self.signatures.iter().map(|(key, signature)| (*key, digest, *signature)).collect();
        verify_batch(&items, "system operation").map_err(|_| RefusalCode::BadSystemOp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Ed25519Signer;

    const CHAIN: u64 = 7;
    const UNTIL: Slot = Slot(90);

    fn signer(seed: u8) -> Ed25519Signer {
        Ed25519Signer::from_seed(&[seed; 32])
    }

    fn envelope(seeds: &[u8]) -> SystemEnvelope {
        let op = SystemOp::RaiseIncarnation {
            lane: signer(1).public_key(),
            incarnation: Incarnation(3),
        };
        let mut all =
            seeds.iter().map(|seed| SystemEnvelope::sign(CHAIN, UNTIL, op, &signer(*seed)));
        let mut first = all.next().unwrap();
        for other in all {
            assert!(first.join(&other));
        }
        first
    }

    #[test]
    fn an_envelope_survives_its_payload_and_verifies() {
        let sent = envelope(&[1, 2, 3]);
        let tx = sent.transaction();
        assert_eq!((tx.rollup, tx.valid_until_slot), (RollupId::SYSTEM, UNTIL));
        let found = SystemEnvelope::from_payload(&tx.payload, UNTIL).unwrap();
        assert_eq!(found, sent);
        found.verify(CHAIN).unwrap();
        assert_eq!(found.verify(CHAIN + 1), Err(RefusalCode::BadSystemOp), "of another chain");
    }

    #[test]
    fn what_is_signed_binds_expiry_lane_and_incarnation() {
        let sent = envelope(&[1]);
        let mut later = sent.clone();
        later.valid_until_slot = UNTIL.next();
        let mut other = sent.clone();
        other.op = SystemOp::RaiseIncarnation {
            lane: signer(2).public_key(),
            incarnation: Incarnation(3),
        };
        let mut higher = sent.clone();
        higher.op = SystemOp::RaiseIncarnation {
            lane: signer(1).public_key(),
            incarnation: Incarnation(4),
        };
        for changed in [later, other, higher] {
            assert_eq!(changed.verify(CHAIN), Err(RefusalCode::BadSystemOp));
            assert!(!sent.clone().join(&changed));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let good = envelope(&[1, 2]);
        let payload = |envelope: &SystemEnvelope| envelope.transaction().payload;
        let code = |bytes: &[u8]| SystemEnvelope::from_payload(bytes, UNTIL).unwrap_err();
        let mut trailing = payload(&good);
        trailing.push(0);
        let mut none = good.clone();
        none.signatures.clear();
        let mut reversed = good.clone();
        reversed.signatures.reverse();
        let mut twice = good.clone();
        twice.signatures = vec![*good.signatures.first().unwrap(); 2];
        for bytes in [
            &trailing[..],
            &payload(&none),
            &payload(&reversed),
            &payload(&twice),
            b"",
            &vec![0; SYSTEM_OP_BYTES_MAX + 1],
        ] {
            assert_eq!(code(bytes), RefusalCode::BadSystemOp);
        }
        let found = SystemEnvelope::from_payload(&payload(&good), UNTIL.next());
        assert_eq!(found, Err(RefusalCode::ValidUntilMismatch));
    }
}
