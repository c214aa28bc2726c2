//! The consensus WAL: what the core must be fed again after a crash, one file per height.
//!
//! Entries are opaque bytes here. An entry is durable after [`Wal::sync`], which comes before the message it belongs
//! to leaves. A torn tail is cut: nothing that depended on it had left. Old heights are removed as new ones begin.

mod error;
#[cfg(test)]
mod tests;

pub use error::WalError;

use crate::disk::{Disk, Log, LogError, OpenMode, Torn};
use crate::limits::{WAL_FILE_BYTES_MAX, WAL_HEIGHTS_KEPT, WAL_RECORD_BYTES_MAX};
use bytes::Bytes;
use rota_types::Height;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const KIND_ENTRY: u8 = 2;
/// Bytes of a file that can hold no entry: at most its header.
const UNBORN_BYTES_MAX: u64 = 64;

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Entries in the order they were appended.
    pub entries: Vec<Bytes>,
    /// A tail that was cut; worth a log line.
    pub torn: Option<Torn>,
}

/// The WAL folder and the file of the current height.
pub struct Wal {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    salt: u64,
    current: Option<(Height, Log)>,
}

fn file_name(height: Height) -> String {
    format!("{:020}.wal", height.0)
}

fn file_height(name: &str) -> Option<Height> {
    let digits = name.strip_suffix(".wal")?;
    (digits.len() == 20).then(|| digits.parse().ok().map(Height)).flatten()
}

impl Wal {
    /// Opens the folder, creating it if absent. `salt` is any number outsiders do not know.
    ///
    /// # Errors
    /// Of the disk.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, salt: u64) -> Result<Self, WalError> {
        disk.create_dir(folder)?;
        Ok(Self { disk, folder: folder.to_path_buf(), salt, current: None })
    }

    fn path(&self, height: Height) -> PathBuf {
        self.folder.join(file_name(height))
    }

    /// Heights with a file, ascending.
    ///
    /// # Errors
    /// Of the disk.
    pub fn heights(&self) -> Result<Vec<Height>, WalError> {
        Ok(self.disk.list(&self.folder)?.iter().filter_map(|name| file_height(name)).collect())
    }

    /// Entries of a height, whose file then is the current one; none if it has no file.
    ///
    /// # Errors
    /// [`WalError::Log`] with `Corrupt` for damage that is not a torn tail, or of the disk.
    pub fn replay(&mut self, height: Height) -> Result<Replay, WalError> {
        let path = self.path(height);
        if !self.disk.exists(&path)? {
            return Ok(Replay::default());
        }
        let size = self.disk.open(&path, OpenMode::Existing)?.size()?;
        if size > WAL_FILE_BYTES_MAX {
            return Err(WalError::TooLong { path, size });
        }
        let mut entries = Vec::new();
        let opened = Log::open(self.disk.as_ref(), &path, WAL_RECORD_BYTES_MAX, |frame| {
            entries.push(frame.payload);
            Ok(())
        });
        match opened {
            Ok((log, contents, torn)) => {
                if contents.context.as_ref() != height.0.to_le_bytes() {
                    let reason = "the file of another height";
                    return Err(LogError::Corrupt { path, offset: 0, reason }.into());
                }
                self.current = Some((height, log));
                Ok(Replay { entries, torn })
            }
            // The machine stopped while the file was being created: nothing can be in it.
            Err(LogError::NoHeader { .. }) if size <= UNBORN_BYTES_MAX => {
                self.disk.remove(&path)?;
                Ok(Replay { entries: Vec::new(), torn: Some(Torn { at: 0, bytes: size }) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Entries of every height from one on. None of their files is the current one: a node whose ledger lost its tail
    /// comes to each of them again, from below.
    ///
    /// # Errors
    /// Those of [`Wal::replay`].
    pub fn replay_from(&mut self, from: Height) -> Result<BTreeMap<Height, Vec<Bytes>>, WalError> {
        let mut entries = BTreeMap::new();
        for height in self.heights()?.into_iter().filter(|height| *height >= from) {
            entries.insert(height, self.replay(height)?.entries);
        }
        self.sync()?;
        self.current = None;
        Ok(entries)
    }

    /// Adds an entry of a height; a height without a file gets one, and files of heights
    /// [`WAL_HEIGHTS_KEPT`] below it are removed.
    ///
    /// # Errors
    /// [`WalError::Backwards`] if the height is below the current one, or of the disk; the WAL takes no more
    /// entries after one.
    pub fn append(&mut self, height: Height, entry: &[u8]) -> Result<(), WalError> {
        let log = self.file_of(height)?;
        log.append(KIND_ENTRY, &[entry])?;
        Ok(())
    }

    fn file_of(&mut self, height: Height) -> Result<&mut Log, WalError> {
        match &self.current {
            Some((current, _)) if *current > height => {
                return Err(WalError::Backwards { current: *current, height });
            }
            Some((current, _)) if *current == height => {}
            _ => self.begin(height)?,
        }
        match &mut self.current {
            Some((_, log)) => Ok(log),
            None => Err(WalError::Backwards { current: height, height }),
        }
    }

    fn begin(&mut self, height: Height) -> Result<(), WalError> {
        self.sync()?;
        self.current = None;
        let path = self.path(height);
        if self.disk.exists(&path)? {
            self.replay(height)?;
        }
        if self.current.is_none() {
            let salt = self.salt ^ height.0;
            let context = height.0.to_le_bytes();
            let disk = self.disk.as_ref();
            let log = Log::create(disk, &path, salt, &context, WAL_RECORD_BYTES_MAX)?;
            self.current = Some((height, log));
        }
        self.remove_below(height.minus(WAL_HEIGHTS_KEPT.saturating_sub(1)))
    }

    /// Removes the files of lower heights.
    ///
    /// # Errors
    /// Of the disk.
    pub fn remove_below(&self, height: Height) -> Result<(), WalError> {
        for old in self.heights()?.into_iter().filter(|old| *old < height) {
            self.disk.remove(&self.path(old))?;
        }
        Ok(())
    }

    /// Makes every entry durable. Costs nothing if none was added.
    ///
    /// # Errors
    /// Of the disk; the WAL takes no more entries after one.
    pub fn sync(&mut self) -> Result<(), WalError> {
        if let Some((_, log)) = &mut self.current {
            log.sync()?;
        }
        Ok(())
    }
}
