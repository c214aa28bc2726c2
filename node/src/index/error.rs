//! What can go wrong with the index. None of it loses anything: the ledger has it all.

use crate::error::{ExitCode, OperatorError};
use std::path::PathBuf;

/// An index operation that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The folder cannot hold an index.
    #[error("no index can be made in {}: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// sled refused.
    #[error("the index failed: {0}")]
    Sled(#[from] sled::Error),
}

impl From<IndexError> for OperatorError {
    fn from(error: IndexError) -> Self {
        Self::new(ExitCode::Io, "the index cannot be used").cause(&error).hint(
            "check the disk and the permissions of index/; the folder may be deleted while the node is stopped",
        )
    }
}
