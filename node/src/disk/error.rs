//! What can go wrong with files, told apart by what an operator does about it.

use std::path::{Path, PathBuf};

/// A file operation that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// No space (or quota) left.
    #[error("no space left to write {}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// No such file or folder.
    #[error("{} does not exist", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file is there already.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Not permitted by the system.
    #[error("permission denied: {}", path.display())]
    Denied {
        /// The file.
        path: PathBuf,
    },
    /// The file ends before what was to be read.
    #[error("{} ends before byte {wanted}", path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// First byte not needed any more.
        wanted: u64,
    },
    /// The file is longer than anything the node writes there.
    #[error("{} has {size} bytes, at most {limit} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        size: u64,
        /// Most bytes read.
        limit: u64,
    },
    /// An earlier write or sync of this handle failed; what the disk holds is unknown until it is reopened.
    #[error("{} takes no writes since an earlier one failed", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// Anything else the system reports.
    #[error("cannot {action} {}: {message}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        message: String,
    },
}

impl DiskError {
    /// From the system's error.
    #[must_use]
    pub fn from_io(action: &'static str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.to_path_buf();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            ErrorKind::NotFound => Self::NotFound { path },
            ErrorKind::AlreadyExists => Self::Exists { path },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Denied { path },
            _ => Self::Io { action, path, message: error.to_string() },
        }
    }

    /// Whether room on the disk is all that is missing.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

/// A log file that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Bytes that were durable once are wrong now.
    #[error("{} is corrupt at byte {offset}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// First wrong byte.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// The file holds no header: it was being created when the machine stopped, or is not ours.
    #[error("{} has no readable header", path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// A record above the limit of this log.
    #[error("a record of {bytes} bytes for {}, at most {limit} fit", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: usize,
        /// Most bytes of a record.
        limit: usize,
    },
}

impl LogError {
    /// Whether room on the disk is all that is missing.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_full())
    }
}
