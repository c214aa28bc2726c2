//! Look-ups that can always be made again from the ledger: header by id, transaction by id. sled 0.34.7.
//!
//! ```text
//! 'm' height            → newest height brought in, with format, network and whether transactions are in
//! 'i' header id         → height
//! 't' tx id, 16 bytes   → height, position in the slot        (only where index.transactions says so)
//! ```
//!
//! One key space, so that the entries of a slot and the height they bring the index to are one atomic batch. Numbers
//! are big-endian, values a few bytes. Where a slot's record is needs no entry: the ledger knows.
//!
//! sled's `flush` calls no fsync, so nothing here may be the only copy: an index that is missing, damaged, of another
//! network or format, or ahead of the ledger is removed and built again by its caller, slot by slot. A leftover
//! `snap.*.generating` file makes sled 0.34.7 unopenable and is deleted first.

mod error;
#[cfg(test)]
mod tests;

pub use error::IndexError;

use crate::limits::{INDEX_CACHE_BYTES, INDEX_FLUSH_MS, INDEX_STEP_ENTRIES};
use rota_types::{Hash, Height};
use std::path::{Path, PathBuf};

/// Changed when keys or values change their form: older indexes are then built again.
const FORMAT: u32 = 1;
const META: &[u8] = b"m";

/// First bytes of a transaction id; as long as the replay window's.
pub type IdPrefix = [u8; 16];

/// What an index is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexOptions {
    /// Hash of the network's genesis.
    pub genesis: Hash,
    /// Whether transactions are found by id.
    pub transactions: bool,
}

/// One slot as the index takes it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedSlot {
    /// Height.
    pub height: Height,
    /// Id of its header.
    pub header_id: Hash,
    /// Id prefixes of its transactions with their positions.
    pub transactions: Vec<(IdPrefix, u32)>,
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexReport {
    /// Height the index was brought to; the caller applies what is above it.
    pub height: Height,
    /// Why an old index was removed, if one was; worth a log line.
    pub removed: Option<String>,
}

/// The index. Reading and writing take `&self`; one writer at a time.
pub struct Index {
    db: sled::Db,
    options: IndexOptions,
}

fn meta_value(options: &IndexOptions, height: Height) -> Vec<u8> {
    let mut value = FORMAT.to_be_bytes().to_vec();
    value.extend_from_slice(&options.genesis.0);
    value.push(u8::from(options.transactions));
    value.extend_from_slice(&height.0.to_be_bytes());
    value
}

/// Height in the meta entry, if it is of this format, network and kind.
fn meta_height(value: &[u8], options: &IndexOptions) -> Option<Height> {
    let expected = meta_value(options, Height::GENESIS);
    let (head, height) = value.split_last_chunk::<8>()?;
    let (expected, _) = expected.split_last_chunk::<8>()?;
    (head == expected).then(|| Height(u64::from_be_bytes(*height)))
}

fn header_key(id: &Hash) -> Vec<u8> {
    [b"i".as_slice(), &id.0].concat()
}

fn transaction_key(prefix: &IdPrefix) -> Vec<u8> {
    [b"t".as_slice(), prefix].concat()
}

fn transaction_value(height: Height, position: u32) -> Vec<u8> {
    [height.0.to_be_bytes().as_slice(), &position.to_be_bytes()].concat()
}

fn io(folder: &Path, error: &std::io::Error) -> IndexError {
    IndexError::Folder { path: folder.to_path_buf(), reason: error.to_string() }
}

/// Deletes half-written snapshots.
fn remove_generating(folder: &Path) -> Result<(), IndexError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| io(folder, &error))?,
    };
    for entry in entries {
        let path: PathBuf = entry.map_err(|error| io(folder, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            std::fs::remove_file(&path).map_err(|error| io(&path, &error))?;
        }
    }
    Ok(())
}

fn open_db(folder: &Path) -> Result<sled::Db, String> {
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(INDEX_CACHE_BYTES)
        .flush_every_ms(Some(INDEX_FLUSH_MS))
        .print_profile_on_drop(false);
    // Damaged files make this version panic in places; to us that is just another index to build again.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its files are damaged".to_owned()),
    }
}

/// The height an opened index is at, or why it cannot be used.
fn usable(db: &sled::Db, options: &IndexOptions, tip: Height) -> Result<Height, String> {
    let meta = db.get(META).map_err(|error| error.to_string())?;
    let Some(meta) = meta else {
        return if db.is_empty() { Ok(Height::GENESIS) } else { Err("it has no height".into()) };
    };
    match meta_height(&meta, options) {
        None => Err("it is of another network, format or setting".to_owned()),
        Some(height) if height > tip => Err(format!("it is at {height}, ahead of the ledger")),
        Some(height) => Ok(height),
    }
}

impl Index {
    /// Opens the index in `folder` over a ledger whose newest slot is `tip`; an unusable one is removed first.
    ///
    /// # Errors
    /// Only if not even an empty index can be made there.
    pub fn open(
        folder: &Path,
        options: IndexOptions,
        tip: Height,
    ) -> Result<(Self, IndexReport), IndexError> {
        remove_generating(folder)?;
        let reason = match open_db(folder) {
            Ok(db) => match usable(&db, &options, tip) {
                Ok(height) => {
                    return Ok((Self { db, options }, IndexReport { height, removed: None }));
                }
                Err(reason) => reason,
            },
            Err(reason) => reason,
        };
        Self::remove(folder)?;
        let db = open_db(folder)
            .map_err(|reason| IndexError::Folder { path: folder.to_path_buf(), reason })?;
        Ok((Self { db, options }, IndexReport { height: Height::GENESIS, removed: Some(reason) }))
    }

    /// Removes an index that is not open, for `rota db reindex`: the next start builds it again.
    ///
    /// # Errors
    /// Of the file system.
    pub fn remove(folder: &Path) -> Result<(), IndexError> {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(folder, &error)),
            _ => Ok(()),
        }
    }

    /// Takes in a slot above the index's height. The height is in the last of its atomic steps, so a slot that was
    /// taken in only in part is taken in again.
    ///
    /// # Errors
    /// Of sled; the index may then be behind, never wrong.
    pub fn apply(&self, slot: &IndexedSlot) -> Result<(), IndexError> {
        let entries: &[(IdPrefix, u32)] =
            if self.options.transactions { &slot.transactions } else { &[] };
        for chunk in entries.chunks(INDEX_STEP_ENTRIES) {
            let mut batch = sled::Batch::default();
            for (prefix, position) in chunk {
                batch.insert(transaction_key(prefix), transaction_value(slot.height, *position));
            }
            self.db.apply_batch(batch)?;
        }
        let mut batch = sled::Batch::default();
        batch.insert(header_key(&slot.header_id), slot.height.0.to_be_bytes().as_slice());
        batch.insert(META, meta_value(&self.options, slot.height.max(self.height()?)));
        self.db.apply_batch(batch)?;
        Ok(())
    }

    /// Drops the entries of a slot that the ledger pruned.
    ///
    /// # Errors
    /// Of sled.
    pub fn forget(&self, slot: &IndexedSlot) -> Result<(), IndexError> {
        for chunk in slot.transactions.chunks(INDEX_STEP_ENTRIES) {
            let mut batch = sled::Batch::default();
            for (prefix, _) in chunk {
                batch.remove(transaction_key(prefix));
            }
            self.db.apply_batch(batch)?;
        }
        self.db.remove(header_key(&slot.header_id))?;
        Ok(())
    }

    /// Newest height taken in.
    ///
    /// # Errors
    /// Of sled.
    pub fn height(&self) -> Result<Height, IndexError> {
        let meta = self.db.get(META)?;
        Ok(meta.and_then(|meta| meta_height(&meta, &self.options)).unwrap_or_default())
    }

    /// Height of a header by its id.
    ///
    /// # Errors
    /// Of sled.
    pub fn height_of_header(&self, id: &Hash) -> Result<Option<Height>, IndexError> {
        let value = self.db.get(header_key(id))?;
        Ok(value
            .and_then(|value| <[u8; 8]>::try_from(value.as_ref()).ok())
            .map(|bytes| Height(u64::from_be_bytes(bytes))))
    }

    /// Height and position of a transaction by the first bytes of its id. The caller compares the whole id, and
    /// treats a height the ledger no longer keeps as unknown.
    ///
    /// # Errors
    /// Of sled.
    pub fn transaction(&self, prefix: &IdPrefix) -> Result<Option<(Height, u32)>, IndexError> {
        let Some(value) = self.db.get(transaction_key(prefix))? else { return Ok(None) };
        let found = value.split_first_chunk::<8>().and_then(|(height, position)| {
            let position = u32::from_be_bytes(position.try_into().ok()?);
            Some((Height(u64::from_be_bytes(*height)), position))
        });
        Ok(found)
    }

    /// Whether transactions are found by id.
    #[must_use]
    pub const fn has_transactions(&self) -> bool {
        self.options.transactions
    }

    /// Hands everything to the system; for an orderly stop.
    ///
    /// # Errors
    /// Of sled.
    pub fn flush(&self) -> Result<(), IndexError> {
        self.db.flush()?;
        Ok(())
    }

    /// Bytes on disk.
    ///
    /// # Errors
    /// Of sled.
    pub fn bytes_on_disk(&self) -> Result<u64, IndexError> {
        Ok(self.db.size_on_disk()?)
    }
}
