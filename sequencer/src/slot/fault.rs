//! What can be wrong with a slot proposal.

use rota_types::{Hash, Seq, Slot, TypesError, ValidatorKey};

/// Why a voter votes nil on a proposal. The shell maps it to the nil reason that travels beside the vote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotFault {
    /// Wrong by the bytes of the proposal alone: lanes out of order, too many entries, too much evidence.
    #[error("malformed: {0}")]
    Malformed(TypesError),
    /// For another height.
    #[error("the proposal is for another height")]
    WrongHeight,
    /// The slot is not above the parent's, or not the one that may be proposed at this time.
    #[error("slot {found} may not be proposed: {reason}")]
    WrongSlot {
        /// The slot named.
        found: Slot,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// Another parent than the one executed here.
    #[error("parent {found}, executed here is {executed}")]
    ParentMismatch {
        /// Header id executed here.
        executed: Hash,
        /// Header id named.
        found: Hash,
    },
    /// An entry that no certificate can ever cover: unknown or closed lane, other incarnation, another branch.
    #[error("entry of lane {lane} is not certified: {reason}")]
    BadCertificate {
        /// The lane.
        lane: ValidatorKey,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// An entry that does not move its lane.
    #[error("entry of lane {lane} does not advance it")]
    NotAdvancing {
        /// The lane.
        lane: ValidatorKey,
    },
    /// More of a lane than its share of a slot.
    #[error("lane {lane}: {bytes} bytes and {txs} transactions, above its share")]
    OverLimit {
        /// The lane.
        lane: ValidatorKey,
        /// Bytes cut.
        bytes: u64,
        /// Transactions cut.
        txs: u64,
    },
    /// Evidence that does not verify, is not about a validator, or was accepted before.
    #[error("evidence {index}: {reason}")]
    BadEvidence {
        /// Its index.
        index: usize,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The cut stops short of what this voter knew to be certified at the deadline.
    #[error("lane {lane} is cut before {seq}, which was certified at the deadline")]
    Omitted {
        /// The lane.
        lane: ValidatorKey,
        /// Least place the cut must reach.
        seq: Seq,
    },
}
