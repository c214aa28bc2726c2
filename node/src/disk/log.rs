//! An append-only file of frames: what the ledger's segments, the guard and the WAL are made of.
//!
//! ```text
//! frame  = magic "\xA7R" ‖ kind u8 ‖ version u8 ‖ length u32 ‖ synced u64 ‖ crc u32 ‖ payload    (little-endian)
//! crc    = CRC32C(salt u64 ‖ the 16 bytes before it ‖ payload)
//! file   = header frame (kind 1, salt 0; payload = salt u64 ‖ context), then frames under that salt
//! ```
//!
//! `synced` is the length of the file known durable when the frame was written. It tells a torn tail from
//! damage: if a whole frame stands behind a broken one and says that the broken place was synced already, durable
//! bytes have changed and the file is corrupt; else the tail was never promised to anyone and is cut.
//! The salt keeps payloads from outside from posing as frames.

use super::frame::{
    CONTEXT_BYTES_MAX, FRAME_HEAD_BYTES, KIND_HEADER, as_u64, frame_head, parse_frame, was_durable,
};
use super::{Disk, DiskFile, LogError, OpenMode, beside};
use crate::limits::{LOG_BUFFER_BYTES, LOG_DIRECT_BYTES};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;

/// One record read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is, to the store.
    pub kind: u8,
    /// Where its frame begins in the file.
    pub offset: u64,
    /// Its bytes.
    pub payload: Bytes,
}

/// A tail that was cut because it had never been synced whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Length of the file now.
    pub at: u64,
    /// Bytes cut.
    pub bytes: u64,
}

/// Which place a file has among its siblings; only the newest may have a torn tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one being written when the machine stopped.
    Newest,
    /// An older one, synced whole before its successor was begun.
    Closed,
}

/// What a file holds.
#[derive(Debug)]
pub struct Contents {
    /// Context of the header frame.
    pub context: Bytes,
    /// Salt of the header frame.
    pub salt: u64,
    /// Length of the part that is whole.
    pub length: u64,
    /// Bytes behind it.
    pub torn_bytes: u64,
}

/// A log file open for appending.
pub struct Log {
    file: Arc<dyn DiskFile>,
    salt: u64,
    record_max: usize,
    length: u64,
    synced: u64,
    buffer: Vec<u8>,
}

/// Reads every frame of a file without changing it, in order, handing each to `visit`.
///
/// # Errors
/// [`LogError::NoHeader`], [`LogError::Corrupt`] (also for what `visit` refuses by its reason), or the disk's.
pub fn scan(
    file: &dyn DiskFile,
    record_max: usize,
    place: Place,
    mut visit: impl FnMut(Frame) -> Result<(), &'static str>,
) -> Result<Contents, LogError> {
    let size = file.size()?;
    let bytes = Bytes::from(file.read_at(0, usize::try_from(size).unwrap_or(usize::MAX))?);
    let corrupt = |offset: usize, reason: &'static str| LogError::Corrupt {
        path: file.path().to_path_buf(),
        offset: as_u64(offset),
        reason,
    };
    let header = parse_frame(&bytes, 0, 0, CONTEXT_BYTES_MAX).filter(|f| f.kind == KIND_HEADER);
    let Some(header) = header else {
        return Err(LogError::NoHeader { path: file.path().to_path_buf() });
    };
    let Some((salt, _)) = header.payload.split_first_chunk::<8>() else {
        return Err(corrupt(0, "the header is too short"));
    };
    let salt = u64::from_le_bytes(*salt);
    let context = header.payload.slice(8..);
    let mut offset = FRAME_HEAD_BYTES.saturating_add(header.payload.len());
    while let Some(frame) = parse_frame(&bytes, offset, salt, record_max) {
        let next = offset.saturating_add(FRAME_HEAD_BYTES).saturating_add(frame.payload.len());
        visit(Frame { kind: frame.kind, offset: as_u64(offset), payload: frame.payload })
            .map_err(|reason| corrupt(offset, reason))?;
        offset = next;
    }
    if offset < bytes.len() {
        if place == Place::Closed {
            return Err(corrupt(offset, "a broken record in a closed file"));
        }
        if was_durable(&bytes, offset, salt, record_max) {
            return Err(corrupt(offset, "a broken record that later ones say was durable"));
        }
    }
    let torn_bytes = as_u64(bytes.len().saturating_sub(offset));
    Ok(Contents { context, salt, length: as_u64(offset), torn_bytes })
}

impl Log {
    /// Creates a file that must not exist; its header and name are durable when this returns.
    ///
    /// # Errors
    /// Any of the disk's.
    pub fn create(
        disk: &dyn Disk,
        path: &Path,
        salt: u64,
        context: &[u8],
        record_max: usize,
    ) -> Result<Self, LogError> {
        let file = disk.open(path, OpenMode::CreateNew)?;
        Self::begin(file, salt, context, record_max)
    }

    /// Replaces a file by a new one holding `records`, so that after a crash either is there whole.
    ///
    /// # Errors
    /// Any of the disk's.
    pub fn replace(
        disk: &dyn Disk,
        path: &Path,
        salt: u64,
        context: &[u8],
        record_max: usize,
        records: &[(u8, Vec<u8>)],
    ) -> Result<Self, LogError> {
        let fresh = beside(path, "new");
        disk.remove(&fresh)?;
        let mut log = Self::create(disk, &fresh, salt, context, record_max)?;
        for (kind, record) in records {
            log.append(*kind, &[record])?;
        }
        log.sync()?;
        disk.rename(&fresh, path)?;
        log.file = disk.open(path, OpenMode::Existing)?;
        Ok(log)
    }

    fn begin(
        file: Arc<dyn DiskFile>,
        salt: u64,
        context: &[u8],
        record_max: usize,
    ) -> Result<Self, LogError> {
        debug_assert!(context.len().saturating_add(8) <= CONTEXT_BYTES_MAX);
        let salt_bytes = salt.to_le_bytes();
        let parts: [&[u8]; 2] = [&salt_bytes, context];
        let length = u32::try_from(context.len().saturating_add(8)).unwrap_or(u32::MAX);
        let head = frame_head(0, KIND_HEADER, 0, length, &parts);
        file.append(&[&head, &salt_bytes, context])?;
        file.sync()?;
        let length = file.size()?;
        Ok(Self { file, salt, record_max, length, synced: length, buffer: Vec::new() })
    }

    /// Opens the newest file of a store: reads every frame, cuts a torn tail and makes the rest durable.
    ///
    /// # Errors
    /// As [`scan`].
    pub fn open(
        disk: &dyn Disk,
        path: &Path,
        record_max: usize,
        visit: impl FnMut(Frame) -> Result<(), &'static str>,
    ) -> Result<(Self, Contents, Option<Torn>), LogError> {
        let file = disk.open(path, OpenMode::Existing)?;
        let contents = scan(file.as_ref(), record_max, Place::Newest, visit)?;
        let torn = (contents.torn_bytes > 0)
            .then_some(Torn { at: contents.length, bytes: contents.torn_bytes });
        if torn.is_some() {
            file.truncate(contents.length)?;
        } else {
            // Read back from the page cache is not durable: a killed process may have left it unsynced.
            file.sync()?;
        }
        let length = contents.length;
        let log = Self {
            file,
            salt: contents.salt,
            record_max,
            length,
            synced: length,
            buffer: Vec::new(),
        };
        Ok((log, contents, torn))
    }

    /// Adds one record; returns where its frame begins. Durable after [`Self::sync`] only.
    ///
    /// # Errors
    /// [`LogError::TooLarge`] before anything is written, or the disk's.
    pub fn append(&mut self, kind: u8, parts: &[&[u8]]) -> Result<u64, LogError> {
        let payload = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        let length = u32::try_from(payload).ok().filter(|_| payload <= self.record_max);
        let Some(length) = length else {
            return Err(LogError::TooLarge {
                path: self.file.path().to_path_buf(),
                bytes: payload,
                limit: self.record_max,
            });
        };
        let offset = self.length;
        let head = frame_head(self.salt, kind, self.synced, length, parts);
        self.buffer.extend_from_slice(&head);
        if payload >= LOG_DIRECT_BYTES {
            let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len().saturating_add(1));
            all.push(&self.buffer);
            all.extend_from_slice(parts);
            self.file.append(&all)?;
            self.buffer.clear();
        } else {
            parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
            if self.buffer.len() >= LOG_BUFFER_BYTES {
                self.flush()?;
            }
        }
        self.length =
            offset.saturating_add(as_u64(payload)).saturating_add(as_u64(FRAME_HEAD_BYTES));
        Ok(offset)
    }

    fn flush(&mut self) -> Result<(), LogError> {
        if !self.buffer.is_empty() {
            self.file.append(&[&self.buffer])?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Makes every record durable. Costs nothing if none was added.
    ///
    /// # Errors
    /// The disk's; the log takes no more records after one.
    pub fn sync(&mut self) -> Result<(), LogError> {
        if self.synced == self.length {
            return Ok(());
        }
        self.flush()?;
        self.file.sync()?;
        self.synced = self.length;
        Ok(())
    }

    /// Length with everything appended, in bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The file, for readers on other threads.
    #[must_use]
    pub fn file(&self) -> Arc<dyn DiskFile> {
        Arc::clone(&self.file)
    }

    /// Salt of its checksums.
    #[must_use]
    pub const fn salt(&self) -> u64 {
        self.salt
    }
}

/// Reads one record whose frame begins at `offset` and checks it.
///
/// # Errors
/// [`LogError::Corrupt`] if no such record is there, or the disk's.
pub fn read_record(
    file: &dyn DiskFile,
    salt: u64,
    offset: u64,
    payload_bytes: usize,
) -> Result<Frame, LogError> {
    let bytes = Bytes::from(file.read_at(offset, payload_bytes.saturating_add(FRAME_HEAD_BYTES))?);
    match parse_frame(&bytes, 0, salt, payload_bytes) {
        Some(frame) if frame.payload.len() == payload_bytes => {
            Ok(Frame { kind: frame.kind, offset, payload: frame.payload })
        }
        _ => Err(LogError::Corrupt {
            path: file.path().to_path_buf(),
            offset,
            reason: "not the record that was written here",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sim::{SimDisk, Tail};
    use super::*;

    const PATH: &str = "/log";

    type Seen = (Vec<(u8, Vec<u8>)>, Option<Torn>);

    fn read(disk: &SimDisk) -> Result<Seen, LogError> {
        let mut seen = Vec::new();
        let (_, _, torn) = Log::open(disk, Path::new(PATH), 1 << 20, |frame| {
            seen.push((frame.kind, frame.payload.to_vec()));
            Ok(())
        })?;
        Ok((seen, torn))
    }

    fn three_groups(disk: &SimDisk) -> Vec<u64> {
        let mut log = Log::create(disk, Path::new(PATH), 9, b"ctx", 1 << 20).unwrap();
        let mut offsets = Vec::new();
        for group in 0..3u8 {
            offsets.push(log.append(7, &[&[group; 30]]).unwrap());
            offsets.push(log.append(8, &[&[group; 20_000], &[1; 5]]).unwrap());
            log.sync().unwrap();
        }
        offsets
    }

    #[test]
    fn every_tear_of_the_unsynced_tail_is_cut_and_nothing_synced_is_lost() {
        for cut in 0..160 {
            for tail in [Tail::Cut(cut), Tail::Zeroed(cut), Tail::Hole(cut)] {
                let disk = SimDisk::new();
                three_groups(&disk);
                let (mut log, ..) = Log::open(&disk, Path::new(PATH), 1 << 20, |_| Ok(())).unwrap();
                log.append(7, &[&[9; 40]]).unwrap();
                log.append(7, &[&[10; 50]]).unwrap();
                log.flush().unwrap();
                disk.crash(tail);
                let (seen, _) = read(&disk).unwrap();
                assert!(seen.len() >= 6, "{tail:?}");
                assert_eq!(read(&disk).unwrap(), (seen, None), "a second open changes nothing");
            }
        }
    }

    #[test]
    fn a_flipped_bit_before_the_last_group_is_corruption_not_a_torn_tail() {
        let disk = SimDisk::new();
        let offsets = three_groups(&disk);
        for (index, offset) in offsets.iter().take(4).enumerate() {
            for byte in [0usize, 3, 5, 17, 25] {
                let at = usize::try_from(*offset).unwrap() + byte;
                assert!(disk.flip_bit(Path::new(PATH), at, 3));
                let error = read(&disk).unwrap_err();
                assert!(
                    matches!(error, LogError::Corrupt { offset: o, .. } if o == *offset),
                    "{index} {error}"
                );
                assert!(disk.flip_bit(Path::new(PATH), at, 3));
            }
        }
        assert_eq!(read(&disk).unwrap().0.len(), 6);
    }

    #[test]
    fn a_payload_that_looks_like_a_frame_does_not_pose_as_one() {
        let disk = SimDisk::new();
        let mut log = Log::create(&disk, Path::new(PATH), 1234, b"", 1 << 20).unwrap();
        let forged = [frame_head(0, 7, u64::MAX, 3, &[b"abc"]), b"abc".to_vec()].concat();
        log.append(7, &[&forged]).unwrap();
        log.flush().unwrap();
        let length = disk.live(Path::new(PATH)).unwrap().len();
        disk.crash(Tail::Hole(FRAME_HEAD_BYTES));
        let (seen, torn) = read(&disk).unwrap();
        assert!(seen.is_empty() && torn.is_some_and(|torn| torn.bytes < length as u64));
    }

    proptest::proptest! {
        /// Whatever happens to its bytes, a log is refused or yields a prefix of what was written, never another record.
        #[test]
        fn damaged_bytes_never_yield_a_record_that_was_not_written(
            edits in proptest::collection::vec((0usize..61_000, 0u8..8), 1..6),
            cut in proptest::option::of(0usize..61_000),
        ) {
            let disk = SimDisk::new();
            three_groups(&disk);
            let (whole, _) = read(&disk).unwrap();
            for (byte, bit) in edits {
                // Past the end there is nothing to flip.
                let _flipped: bool = disk.flip_bit(Path::new(PATH), byte, bit);
            }
            if let Some(length) = cut {
                assert!(disk.cut(Path::new(PATH), length));
            }
            if let Ok((seen, _)) = read(&disk) {
                assert!(whole.starts_with(&seen));
            }
        }

        /// Bytes that are no log at all are refused without a panic.
        #[test]
        fn any_bytes_are_no_log(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let disk = SimDisk::new();
            disk.open(Path::new(PATH), OpenMode::CreateNew).unwrap().append(&[&bytes]).unwrap();
            let refused = matches!(read(&disk), Err(LogError::NoHeader { .. }));
            assert!(refused);
        }
    }

    #[test]
    fn a_record_is_read_back_by_place_and_checked() {
        let disk = SimDisk::new();
        let offsets = three_groups(&disk);
        let file = disk.open(Path::new(PATH), OpenMode::Existing).unwrap();
        let frame = read_record(file.as_ref(), 9, offsets[3], 20_005).unwrap();
        assert_eq!((frame.kind, frame.payload.len()), (8, 20_005));
        assert!(read_record(file.as_ref(), 9, offsets[3], 20_004).is_err());
        assert!(read_record(file.as_ref(), 8, offsets[3], 20_005).is_err());
    }
}
