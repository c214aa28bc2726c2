//! The one seam between the node and its files: append, read, sync, rename, and nothing cleverer.
//!
//! ```text
//! Ledger  GuardLog  Wal          domain verbs, one concrete type each
//!    └───────┼───────┘
//!           Log                  frames: length, CRC32C, what was synced before
//!            │
//!   Disk + DiskFile              RealDisk (files) or SimDisk (live and durable bytes apart)
//! ```
//!
//! `pipeline` and `committer` above them make one sync serve many writers: nothing is released before
//! everything queued in front of it is durable. A failed write or sync is fatal to its handle.

pub mod committer;
pub mod error;
mod frame;
pub mod log;
pub mod pipeline;
pub mod real;
pub mod sim;
#[cfg(test)]
mod tests;

pub use committer::{Committer, CommitterHandle, CommitterStats};
pub use error::{DiskError, LogError};
pub use log::{Frame, Log, Torn};
pub use pipeline::{CommitError, Item, Pipeline};
pub use real::RealDisk;
pub use sim::SimDisk;

use std::path::Path;
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must exist.
    Existing,
    /// It is created empty if absent; its folder entry is then durable.
    Create,
    /// It must not exist; its folder entry is durable when this returns.
    CreateNew,
}

/// A file system as the node uses it. Paths are absolute; folders are 0700, files 0600.
pub trait Disk: Send + Sync {
    /// Creates a folder and its parents; one that exists is fine.
    ///
    /// # Errors
    /// Any [`DiskError`].
    fn create_dir(&self, path: &Path) -> Result<(), DiskError>;

    /// Opens a file for appending and reading.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] or [`DiskError::Exists`] as `mode` says, or any other.
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError>;

    /// Whether a file or folder is there.
    ///
    /// # Errors
    /// Any [`DiskError`] but `NotFound`.
    fn exists(&self, path: &Path) -> Result<bool, DiskError>;

    /// Names of the files of a folder, ascending; at most [`crate::limits::FOLDER_NAMES_MAX`].
    ///
    /// # Errors
    /// [`DiskError::NotFound`] if there is no such folder, or any other.
    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError>;

    /// Unlinks a file, durably. One that is absent is fine.
    ///
    /// # Errors
    /// Any [`DiskError`].
    fn remove(&self, path: &Path) -> Result<(), DiskError>;

    /// Renames within one folder over whatever is there, durably.
    ///
    /// # Errors
    /// Any [`DiskError`].
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
}

/// One open file. Reading needs no lock and may go on beside one appending thread.
pub trait DiskFile: Send + Sync {
    /// Where it is, for messages.
    fn path(&self) -> &Path;

    /// Writes the parts one after another at the end.
    ///
    /// # Errors
    /// Any [`DiskError`]; the handle takes no further write after one.
    fn append(&self, parts: &[&[u8]]) -> Result<(), DiskError>;

    /// Reads exactly `length` bytes from `offset`.
    ///
    /// # Errors
    /// [`DiskError::Short`] if the file ends before, or any other.
    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, DiskError>;

    /// Makes everything appended so far durable (`fdatasync`).
    ///
    /// # Errors
    /// Any [`DiskError`]; the handle takes no further write after one, because what the kernel kept is unknown.
    fn sync(&self) -> Result<(), DiskError>;

    /// Cuts the file to `length` bytes and makes that durable.
    ///
    /// # Errors
    /// Any [`DiskError`].
    fn truncate(&self, length: u64) -> Result<(), DiskError>;

    /// Length in bytes.
    ///
    /// # Errors
    /// Any [`DiskError`].
    fn size(&self) -> Result<u64, DiskError>;
}

/// Writes a whole file so that after a crash either the old or the new content is there: a new file beside it,
/// synced, renamed over it.
///
/// # Errors
/// Any [`DiskError`].
pub fn write_atomic(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let fresh = beside(path, "new");
    disk.remove(&fresh)?;
    let file = disk.open(&fresh, OpenMode::CreateNew)?;
    file.append(&[bytes])?;
    file.sync()?;
    drop(file);
    disk.rename(&fresh, path)
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// [`DiskError::TooLarge`] before anything is read, or any other.
pub fn read_whole(disk: &dyn Disk, path: &Path, limit: u64) -> Result<Vec<u8>, DiskError> {
    let file = disk.open(path, OpenMode::Existing)?;
    let size = file.size()?;
    if size > limit {
        return Err(DiskError::TooLarge { path: path.to_path_buf(), size, limit });
    }
    file.read_at(0, usize::try_from(size).unwrap_or(usize::MAX))
}

/// `path` with `.suffix` added to its name.
#[must_use]
pub fn beside(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}
