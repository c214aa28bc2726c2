//! Marks of everything a validator signs, and the gate every signature passes.
//!
//! A mark is durable before the signature it allows leaves the machine; a request that conflicts
//! with a mark gets no signature, for the life of the key.

use crate::batch::LanePosition;
use crate::bls::BlsSignature;
use crate::hash::Hash;
use crate::ids::{Height, Incarnation, Round, Seq};
use crate::keys::{Signature, ValidatorKey};
use crate::vote::VoteKind;
use borsh::{BorshDeserialize, BorshSerialize};

/// The place of a signature: at most one digest is ever signed at each.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum MarkPlace {
    /// Proposal message of a round.
    Proposal {
        /// Height.
        height: Height,
        /// Round.
        round: Round,
    },
    /// Vote of a round.
    Vote {
        /// Height.
        height: Height,
        /// Round.
        round: Round,
        /// Prevote or precommit.
        kind: VoteKind,
    },
    /// Seal of a height.
    Seal {
        /// Height.
        height: Height,
    },
    /// Batch of the own lane.
    OwnBatch {
        /// Incarnation of the own lane.
        incarnation: Incarnation,
        /// Place in it.
        seq: Seq,
    },
    /// Acknowledgement of another's batch.
    Ack {
        /// Place acknowledged.
        position: LanePosition,
    },
}

/// A place and the digest signed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Mark {
    /// Where.
    pub place: MarkPlace,
    /// What: the domain-separated digest that is signed.
    pub digest: Hash,
}

/// Signs what the guard allows. `None` means: refused, nothing may be published, the node goes on.
///
/// An implementation records the mark so that it is durable before any effect of the same step leaves
/// the machine. The same request gets the same signature.
pub trait Gate {
    /// The validator's key.
    fn public_key(&self) -> ValidatorKey;
    /// Signs `mark.digest` with the validator key, once per place.
    fn sign(&mut self, mark: Mark) -> Option<Signature>;
    /// Seals a header with the seal key, once per height.
    fn seal(&mut self, height: Height, chain_id: u64, header_id: &Hash) -> Option<BlsSignature>;
    /// Signs what cannot equivocate (receipts, status): no mark.
    fn sign_unmarked(&mut self, digest: &Hash) -> Option<Signature>;
}
