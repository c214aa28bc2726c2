//! What can go wrong with the ledger.

use crate::disk::{DiskError, LogError};
use rota_types::{Hash, Height};

/// A ledger operation that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A segment file refused, is corrupt, or the record is too large.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A segment is missing between two others.
    #[error("segment {missing:08} of the ledger is missing")]
    MissingSegment {
        /// Its number.
        missing: u32,
    },
    /// The segments were written for another network.
    #[error("the ledger belongs to another network (genesis {found})")]
    WrongNetwork {
        /// Hash of the genesis it was written for.
        found: Hash,
    },
    /// A slot names a batch that was not appended before it.
    #[error("the slot of height {height} names batch {digest}, which the ledger does not hold")]
    MissingBatch {
        /// Height of the slot.
        height: Height,
        /// The batch.
        digest: Hash,
    },
    /// A place in a segment that was pruned meanwhile.
    #[error("pruned: segment {segment:08} of the ledger is gone")]
    Pruned {
        /// The segment.
        segment: u32,
    },
}

impl LedgerError {
    /// Whether room on the disk is all that is missing.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        match self {
            Self::Log(error) => error.is_full(),
            Self::Disk(error) => error.is_full(),
            _ => false,
        }
    }

    /// What an operator does about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Log(LogError::Corrupt { .. } | LogError::NoHeader { .. })
            | Self::MissingSegment { .. }
            | Self::MissingBatch { .. } => {
                "rota db verify shows the damage; rota db verify --repair cuts the ledger before it, and the \
                 node then fetches the rest from its peers"
            }
            Self::WrongNetwork { .. } => {
                "give the folder of this network with --home, or the genesis of that one"
            }
            Self::Pruned { .. } => "ask a node that keeps more (disk.keep)",
            Self::Log(error) if error.is_full() => {
                "free space on this disk and start again; nothing acknowledged is lost"
            }
            Self::Disk(error) if error.is_full() => {
                "free space on this disk and start again; nothing acknowledged is lost"
            }
            Self::Log(_) | Self::Disk(_) => "check the disk and the permissions of the home folder",
        }
    }
}
