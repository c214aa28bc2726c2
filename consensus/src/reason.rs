//! Why a validator prevoted nil: beside the vote, unsigned, for people.

use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::{Seq, ValidatorKey};

/// Reason of a nil prevote. Nothing is ever decided from it but an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum NilReason {
    /// The propose timeout passed without a proposal.
    NoProposal,
    /// The proposal came, its body did not.
    NoBody,
    /// The parent is not executed here yet.
    NotReady,
    /// What the value needs (certificates, headers) was not found in time.
    Unavailable,
    /// Locked on another value.
    Locked,
    /// Proposed before its cut, or after the next one, on this clock.
    WrongSlot,
    /// Names another parent header than the one executed here.
    ParentMismatch,
    /// Breaks a rule of its own bytes, or its height, or its slot is not above the parent's.
    Malformed,
    /// A lane's tip is not certified, or does not chain to the decided tip.
    BadCertificate,
    /// A certificate known at the deadline is left out.
    Omitted {
        /// The lane cut short.
        lane: ValidatorKey,
        /// The batch it should at least have reached.
        seq: Seq,
    },
    /// More than the limits of a slot or a lane.
    OverLimit,
    /// A lane that is closed, unknown or of another incarnation.
    BadLane,
    /// Evidence that proves nothing, or was accepted before.
    BadEvidence,
}
