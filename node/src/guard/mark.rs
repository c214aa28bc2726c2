//! One mark: which thing was signed, at which place, with which digest. And floors, below which nothing is.
//!
//! On disk a record is the borsh form of [`GuardRecord`] in a frame; variant numbers are part of the format.

use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::{Hash, Height, Incarnation, Round, Seq, ValidatorKey};

/// Which of the three signatures of a round.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The proposer's own.
    Propose,
    /// First vote.
    Prevote,
    /// Second vote.
    Precommit,
}

/// Something signed, or about to be. `digest` is what the signature is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Mark {
    /// A proposal or vote: one per (height, round, step) for life.
    Vote {
        /// Height.
        height: Height,
        /// Round.
        round: Round,
        /// Which.
        step: Step,
        /// Digest signed.
        digest: Hash,
    },
    /// A seal signature: one per height for life.
    Seal {
        /// Height.
        height: Height,
        /// Digest signed.
        digest: Hash,
    },
    /// A batch of the own lane: one per (incarnation, seq) for life.
    OwnBatch {
        /// Generation of the lane.
        incarnation: Incarnation,
        /// Number.
        seq: Seq,
        /// Digest signed.
        digest: Hash,
    },
    /// An acknowledgement: one per (lane, incarnation, seq) for life.
    Ack {
        /// Author of the batch.
        lane: ValidatorKey,
        /// Generation of its lane.
        incarnation: Incarnation,
        /// Number.
        seq: Seq,
        /// Digest of the batch header.
        digest: Hash,
    },
}

/// A line at or below which nothing new is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Floor {
    /// No vote below this height, nor in it below this round.
    Vote {
        /// Height.
        height: Height,
        /// Round.
        round: Round,
    },
    /// No seal below this height.
    Seal {
        /// Height.
        height: Height,
    },
    /// No own batch at or below this place.
    OwnBatch {
        /// Generation.
        incarnation: Incarnation,
        /// Number.
        seq: Seq,
    },
    /// No acknowledgement in this lane at or below this place; digests below it are dropped. The core raises it as
    /// lanes are decided.
    Ack {
        /// Author.
        lane: ValidatorKey,
        /// Generation.
        incarnation: Incarnation,
        /// Number.
        seq: Seq,
    },
}

/// One record of the guard file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum GuardRecord {
    /// Something signed.
    Mark(Mark),
    /// A line drawn.
    Floor(Floor),
}
