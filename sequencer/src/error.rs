//! Errors of the sequencer.

// ---- execution ----

use rota_types::{Hash, Height, ValidatorKey};

/// A decided slot that cannot be executed. None of these is a transaction's fault: those are skipped with a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// Not the height, or not a slot, that comes next.
    #[error("height {found} does not follow: {expected} comes next")]
    NotNext {
        /// The next height.
        expected: Height,
        /// The height given.
        found: Height,
    },
    /// A quorum decided on another parent than the one executed here: a safety alarm.
    #[error("the decided slot names parent {found}; executed here is {executed}")]
    ParentMismatch {
        /// Header id executed here.
        executed: Hash,
        /// Header id named.
        found: Hash,
    },
    /// The decided batches do not lead down to the lane's decided tip: a safety alarm.
    #[error("the decided batches of lane {lane} do not follow its decided tip")]
    Fork {
        /// The lane.
        lane: ValidatorKey,
    },
    /// The replay window must be loaded before anything is executed.
    #[error("the replay window lacks heights {first} to {last}")]
    WindowIncomplete {
        /// First height whose record is needed.
        first: Height,
        /// Last height whose record is needed.
        last: Height,
    },
    /// Executing a recorded slot again gave another outcome.
    #[error("height {height}: recorded header {recorded}, computed {computed}")]
    HeaderMismatch {
        /// The height.
        height: Height,
        /// Header id in the ledger.
        recorded: Hash,
        /// Header id computed.
        computed: Hash,
    },
}
