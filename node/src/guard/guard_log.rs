//! The guard's file: appended by the commit thread, rewritten when it has grown, never deleted, never rebuilt.

use super::error::GuardError;
use super::mark::{Floor, GuardRecord};
use super::marks::Marks;
use crate::disk::{Disk, Log, LogError, OpenMode, Torn, log};
use crate::limits::{GUARD_COMPACT_BYTES, GUARD_COMPACT_FACTOR, GUARD_RECORD_BYTES_MAX};
use borsh::BorshDeserialize as _;
use rota_types::ValidatorKey;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const KIND_RECORD: u8 = 2;
/// Guard payloads are numbers and digests; nothing from outside can pose as a frame there.
const SALT: u64 = 0x726f_7461_6775_6172;

/// Whether a missing guard file may be made. Only `init`, `testnet`, `devnet` and `key import --new` may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// It must be there.
    Forbidden,
    /// It must not be there: this key has signed nothing yet.
    New,
}

/// The file half of the guard.
pub struct GuardLog {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    key: ValidatorKey,
    log: Log,
    marks: Marks,
    compact_at: u64,
}

fn encode(record: &GuardRecord) -> Vec<u8> {
    borsh::to_vec(record).expect("writing numbers and hashes to a Vec cannot fail")
}

/// Reads every record of a guard file and its key, changing nothing: for checks of a node that is stopped.
///
/// # Errors
/// [`GuardError::Missing`], [`GuardError::Unreadable`], or the disk's.
pub fn read_records(
    disk: &dyn Disk,
    path: &Path,
) -> Result<(ValidatorKey, Vec<GuardRecord>), GuardError> {
    if !disk.exists(path)? {
        return Err(GuardError::Missing { path: path.to_path_buf() });
    }
    let file = disk.open(path, OpenMode::Existing)?;
    let mut records = Vec::new();
    let scanned = log::scan(file.as_ref(), GUARD_RECORD_BYTES_MAX, log::Place::Newest, |frame| {
        let record = GuardRecord::try_from_slice(&frame.payload);
        records.push(record.map_err(|_| "a record of unknown form")?);
        Ok(())
    });
    let contents = scanned.map_err(GuardError::from_log)?;
    Ok((key_of(&contents.context, path)?, records))
}

fn key_of(context: &[u8], path: &Path) -> Result<ValidatorKey, GuardError> {
    <[u8; 32]>::try_from(context).map(ValidatorKey).map_err(|_| {
        let (path, reason) = (path.to_path_buf(), "a header of another form");
        GuardError::Unreadable(LogError::Corrupt { path, offset: 0, reason })
    })
}

fn snapshot_records(marks: &Marks) -> Vec<(u8, Vec<u8>)> {
    marks.snapshot().iter().map(|record| (KIND_RECORD, encode(record))).collect()
}

fn compact_threshold(length: u64) -> u64 {
    GUARD_COMPACT_BYTES.max(length.saturating_mul(GUARD_COMPACT_FACTOR))
}

impl GuardLog {
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        key: ValidatorKey,
        create: Create,
    ) -> Result<(Self, Option<Torn>), GuardError> {
        match (disk.exists(path)?, create) {
            (false, Create::Forbidden) => {
                return Err(GuardError::Missing { path: path.to_path_buf() });
            }
            (true, Create::New) => return Err(GuardError::Exists { path: path.to_path_buf() }),
            (false, Create::New) => {
                if let Some(folder) = path.parent() {
                    disk.create_dir(folder)?;
                }
                // Renamed into place whole, so a guard file without a header is damage, never a birth cut short.
                Log::replace(disk.as_ref(), path, SALT, &key.0, GUARD_RECORD_BYTES_MAX, &[])
                    .map_err(GuardError::from_log)?;
            }
            (true, Create::Forbidden) => {}
        }
        let mut marks = Marks::default();
        let opened = Log::open(disk.as_ref(), path, GUARD_RECORD_BYTES_MAX, |frame| {
            let record = GuardRecord::try_from_slice(&frame.payload)
                .map_err(|_| "a record of unknown form")?;
            marks.record(&record);
            Ok(())
        });
        let (log, contents, torn) = opened.map_err(GuardError::from_log)?;
        let found = key_of(&contents.context, path)?;
        if found != key {
            return Err(GuardError::WrongKey { path: path.to_path_buf(), found, wanted: key });
        }
        let compact_at = compact_threshold(0);
        Ok((Self { disk, path: path.to_path_buf(), key, log, marks, compact_at }, torn))
    }

    /// Makes the guard file of a key whose marks are lost, with floors over everything it may have signed: the file is
    /// there with all of them, or not at all.
    ///
    /// # Errors
    /// [`GuardError::Exists`], or of the disk.
    pub fn create(
        disk: &dyn Disk,
        path: &Path,
        key: ValidatorKey,
        floors: &[Floor],
    ) -> Result<(), GuardError> {
        if disk.exists(path)? {
            return Err(GuardError::Exists { path: path.to_path_buf() });
        }
        if let Some(folder) = path.parent() {
            disk.create_dir(folder)?;
        }
        let mut marks = Marks::default();
        for floor in floors {
            marks.record(&GuardRecord::Floor(*floor));
        }
        let records = snapshot_records(&marks);
        Log::replace(disk, path, SALT, &key.0, GUARD_RECORD_BYTES_MAX, &records)
            .map_err(GuardError::from_log)?;
        Ok(())
    }

    /// Everything in the file and appended to it.
    #[must_use]
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Adds a record; durable after [`Self::sync`].
    ///
    /// # Errors
    /// Of the disk; the guard takes no more records after one.
    pub fn append(&mut self, record: &GuardRecord) -> Result<(), GuardError> {
        self.log.append(KIND_RECORD, &[&encode(record)]).map_err(GuardError::from_log)?;
        self.marks.record(record);
        Ok(())
    }

    /// Makes every record durable; now and then rewrites the file to what still counts.
    ///
    /// # Errors
    /// Of the disk; the guard takes no more records after one.
    pub fn sync(&mut self) -> Result<(), GuardError> {
        self.log.sync().map_err(GuardError::from_log)?;
        if self.log.length() > self.compact_at {
            self.compact()?;
        }
        Ok(())
    }

    /// Rewrites the file: a new one beside it, synced, renamed over it, the folder synced.
    ///
    /// # Errors
    /// Of the disk; the old file then stays as it is.
    pub fn compact(&mut self) -> Result<(), GuardError> {
        let records = snapshot_records(&self.marks);
        let disk = self.disk.as_ref();
        self.log =
            Log::replace(disk, &self.path, SALT, &self.key.0, GUARD_RECORD_BYTES_MAX, &records)
                .map_err(GuardError::from_log)?;
        self.compact_at = compact_threshold(self.log.length());
        Ok(())
    }

    /// Length of the file, bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.log.length()
    }
}
