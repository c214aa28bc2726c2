//! What can go wrong with the WAL.

use crate::disk::{DiskError, LogError};
use crate::limits::WAL_FILE_BYTES_MAX;
use rota_types::Height;
use std::path::PathBuf;

/// A WAL operation that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// The file refused or is corrupt.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A file longer than any the node writes.
    #[error("{} has {size} bytes, at most {WAL_FILE_BYTES_MAX} are replayed", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        size: u64,
    },
    /// An entry for a height that is over.
    #[error("a WAL entry for height {height} after height {current} began")]
    Backwards {
        /// Height begun.
        current: Height,
        /// Height of the entry.
        height: Height,
    },
}

impl WalError {
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
            | Self::TooLong { .. } => {
                "set state/wal aside; the guard then keeps this node from voting at the heights it marked"
            }
            _ => "check the disk, its free space and the permissions of the home folder",
        }
    }
}
