//! Opening a ledger: every kept segment is read once, in order, and checked. Also `rota db verify` and its repair.

use super::error::LedgerError;
use super::reader::LedgerReader;
use super::record::{
    Kind, Location, segment_name, segment_number, split_batch, split_context, split_height,
    split_part, split_slot,
};
use super::tables::{Entry, Segment, Tables};
use super::writer::{Ledger, Place};
use crate::disk::log::{self, Contents, Frame};
use crate::disk::{Disk, DiskFile, Log, LogError, OpenMode, Torn, beside};
use crate::limits::{LEDGER_RECORD_BYTES_MAX, LEDGER_SEGMENT_BYTES, LEDGER_SEGMENTS_MAX};
use rota_types::{Hash, Height};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments read.
    pub segments: usize,
    /// Records read.
    pub records: u64,
    /// A tail that was cut off the newest segment; worth a log line.
    pub torn: Option<Torn>,
    /// Oldest kept slot.
    pub first: Option<Height>,
    /// Newest slot.
    pub tip: Option<Height>,
}

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments read.
    pub segments: usize,
    /// Whole records.
    pub records: u64,
    /// Bytes of whole records.
    pub bytes: u64,
    /// Bytes behind the last whole record of the newest segment.
    pub torn_bytes: u64,
    /// The first damage, if any.
    pub damage: Option<LedgerError>,
}

/// What `repair` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// Segment that was cut and its length now.
    pub cut: Option<(u32, u64)>,
    /// Segments set aside under the name `….seg.bad`.
    pub set_aside: Vec<u32>,
}

/// Gathers what the frames of one segment say.
struct Collector<'a> {
    segment: u32,
    tables: &'a mut Tables,
    /// Digests by place, so that a slot's batches are found again.
    digests: &'a mut BTreeMap<Location, Hash>,
    records: u64,
}

impl Collector<'_> {
    fn visit(&mut self, frame: &Frame) -> Result<(), &'static str> {
        let location = Location {
            segment: self.segment,
            offset: u32::try_from(frame.offset).map_err(|_| "a segment longer than 4 GiB")?,
            length: u32::try_from(frame.payload.len()).map_err(|_| "a record too long")?,
        };
        let payload = &frame.payload;
        match Kind::from_u8(frame.kind).ok_or("a record of unknown kind")? {
            Kind::Batch => {
                let (key, ..) = split_batch(payload).ok_or("not a batch record")?;
                self.digests.insert(location, key.digest);
                self.tables.apply(Entry::Batch { key, location });
            }
            Kind::Slot => {
                let (height, places, _) = split_slot(payload).ok_or("not a slot record")?;
                // Decided batches are not asked for by place again: their slot holds the places.
                let batches =
                    places.iter().filter_map(|at| self.digests.remove(at).map(|d| (d, *at)));
                let batches = batches.collect();
                self.tables.apply(Entry::Slot { height, location, batches });
            }
            Kind::Checkpoint => {
                let (head, _) = split_part(payload).ok_or("not a part of a checkpoint")?;
                self.tables.apply(Entry::Part { head, location });
            }
            kind @ (Kind::Header | Kind::Seal) => {
                let (height, _) = split_height(payload).ok_or("not a record of a height")?;
                self.tables.apply(Entry::Other { kind, height, location });
            }
        }
        self.records = self.records.saturating_add(1);
        Ok(())
    }
}

/// Numbers of the segments of a folder, ascending, without a gap.
fn numbers(disk: &dyn Disk, folder: &Path) -> Result<Vec<u32>, LedgerError> {
    let mut numbers: Vec<u32> =
        disk.list(folder)?.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    numbers.truncate(LEDGER_SEGMENTS_MAX);
    for (previous, next) in numbers.iter().zip(numbers.iter().skip(1)) {
        if previous.saturating_add(1) != *next {
            return Err(LedgerError::MissingSegment { missing: previous.saturating_add(1) });
        }
    }
    Ok(numbers)
}

fn check_context(contents: &Contents, number: u32, genesis: &Hash) -> Result<(), &'static str> {
    match split_context(&contents.context) {
        Some((found, _)) if found != number => Err("a segment under another's name"),
        Some((_, found)) if found != *genesis => Err("another network"),
        Some(_) => Ok(()),
        None => Err("a header of another form"),
    }
}

fn checked(
    contents: &Contents,
    file: &dyn DiskFile,
    number: u32,
    genesis: &Hash,
) -> Result<(), LedgerError> {
    match (check_context(contents, number, genesis), split_context(&contents.context)) {
        (Err("another network"), Some((_, found))) => Err(LedgerError::WrongNetwork { found }),
        (Err(reason), _) => {
            Err(LogError::Corrupt { path: file.path().to_path_buf(), offset: 0, reason }.into())
        }
        (Ok(()), _) => Ok(()),
    }
}

impl Ledger {
    /// Opens the ledger of a network in `folder`, creating it if there is none. `salt` is any number outsiders do
    /// not know; new segments are checksummed under it.
    ///
    /// # Errors
    /// [`LedgerError::Log`] with `Corrupt` for damage that is not a torn tail, and any of the disk.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        genesis: Hash,
        salt: u64,
    ) -> Result<(Self, RecoveryReport), LedgerError> {
        disk.create_dir(folder)?;
        let place = Place {
            disk,
            folder: folder.to_path_buf(),
            genesis,
            salt,
            segment_bytes: LEDGER_SEGMENT_BYTES,
        };
        let mut numbers = numbers(place.disk.as_ref(), folder)?;
        let newest = numbers.pop();
        let reader = LedgerReader::default();
        let mut report = RecoveryReport::default();
        let mut digests = BTreeMap::new();
        let mut tables = reader.tables_mut();
        for number in numbers {
            report.records = report.records.saturating_add(read_closed(
                &place,
                number,
                &mut tables,
                &mut digests,
            )?);
        }
        let (number, log) = match newest {
            Some(number) => {
                (number, open_newest(&place, number, &mut tables, &mut digests, &mut report)?)
            }
            None => (1, place.create(1)?),
        };
        let segment = tables.segments.entry(number).or_insert_with(|| Segment {
            file: log.file(),
            salt: log.salt(),
            bytes: 0,
            newest: Height::GENESIS,
        });
        segment.bytes = log.length();
        report.segments = tables.segments.len();
        report.first = tables.first();
        report.tip = tables.tip();
        drop(tables);
        Ok((Self::assemble(place, number, log, reader), report))
    }
}

fn read_closed(
    place: &Place,
    number: u32,
    tables: &mut Tables,
    digests: &mut BTreeMap<Location, Hash>,
) -> Result<u64, LedgerError> {
    let file = place.disk.open(&place.path(number), OpenMode::Existing)?;
    let newest = Height::GENESIS;
    let segment = Segment { file: Arc::clone(&file), salt: 0, bytes: 0, newest };
    tables.segments.insert(number, segment);
    let mut collector = Collector { segment: number, tables, digests, records: 0 };
    let contents =
        log::scan(file.as_ref(), LEDGER_RECORD_BYTES_MAX, log::Place::Closed, |frame| {
            collector.visit(&frame)
        })?;
    let records = collector.records;
    checked(&contents, file.as_ref(), number, &place.genesis)?;
    if let Some(segment) = tables.segments.get_mut(&number) {
        segment.salt = contents.salt;
        segment.bytes = contents.length;
    }
    Ok(records)
}

fn open_newest(
    place: &Place,
    number: u32,
    tables: &mut Tables,
    digests: &mut BTreeMap<Location, Hash>,
    report: &mut RecoveryReport,
) -> Result<Log, LedgerError> {
    let path = place.path(number);
    let file = place.disk.open(&path, OpenMode::Existing)?;
    let newest = Height::GENESIS;
    tables.segments.insert(number, Segment { file, salt: 0, bytes: 0, newest });
    let mut collector = Collector { segment: number, tables, digests, records: 0 };
    let opened = Log::open(place.disk.as_ref(), &path, LEDGER_RECORD_BYTES_MAX, |frame| {
        collector.visit(&frame)
    });
    let records = collector.records;
    let (log, contents, torn) = match opened {
        // The machine stopped while the segment was being created: nothing can be in it.
        Err(LogError::NoHeader { .. }) if is_unborn(place, number)? => {
            place.disk.remove(&path)?;
            tables.segments.remove(&number);
            return place.create(number);
        }
        opened => opened?,
    };
    checked(&contents, log.file().as_ref(), number, &place.genesis)?;
    if let Some(segment) = tables.segments.get_mut(&number) {
        segment.salt = contents.salt;
        segment.file = log.file();
    }
    report.records = report.records.saturating_add(records);
    report.torn = torn;
    Ok(log)
}

/// A file no longer than a header never held a record: its header is synced before the first.
fn is_unborn(place: &Place, number: u32) -> Result<bool, LedgerError> {
    let file = place.disk.open(&place.path(number), OpenMode::Existing)?;
    Ok(file.size()? <= 128)
}

/// Reads every segment and changes nothing.
///
/// # Errors
/// Only if the folder cannot be listed; damage is in the report.
pub fn verify(disk: &dyn Disk, folder: &Path) -> Result<VerifyReport, LedgerError> {
    let mut report = VerifyReport::default();
    let numbers = match numbers(disk, folder) {
        Err(damage @ LedgerError::MissingSegment { .. }) => {
            report.damage = Some(damage);
            return Ok(report);
        }
        numbers => numbers?,
    };
    let newest = numbers.last().copied();
    for number in numbers {
        let place = if Some(number) == newest { log::Place::Newest } else { log::Place::Closed };
        let (mut tables, mut digests) = (Tables::default(), BTreeMap::new());
        let mut collector =
            Collector { segment: number, tables: &mut tables, digests: &mut digests, records: 0 };
        let scanned = disk
            .open(&folder.join(segment_name(number)), OpenMode::Existing)
            .map_err(LogError::from)
            .and_then(|file| {
                log::scan(file.as_ref(), LEDGER_RECORD_BYTES_MAX, place, |f| collector.visit(&f))
            });
        report.records = report.records.saturating_add(collector.records);
        report.segments = report.segments.saturating_add(1);
        match scanned {
            Ok(contents) => {
                report.bytes = report.bytes.saturating_add(contents.length);
                report.torn_bytes = contents.torn_bytes;
            }
            Err(damage) => {
                report.damage = Some(damage.into());
                break;
            }
        }
    }
    Ok(report)
}

/// Cuts the ledger before its first damage: the damaged segment is truncated, later ones are renamed `….seg.bad`.
/// What is lost that way is fetched from peers when the node runs.
///
/// # Errors
/// Of the disk, and damage that is none of the file's bytes.
pub fn repair(disk: &dyn Disk, folder: &Path) -> Result<RepairReport, LedgerError> {
    let mut report = RepairReport::default();
    let mut all: Vec<u32> =
        disk.list(folder)?.iter().filter_map(|name| segment_number(name)).collect();
    all.sort_unstable();
    let damage = verify(disk, folder)?.damage;
    let first_aside = match damage {
        None => return Ok(report),
        Some(LedgerError::MissingSegment { missing }) => missing,
        Some(LedgerError::Log(LogError::Corrupt { path, offset, .. })) => {
            let number = path.file_name().and_then(|name| segment_number(&name.to_string_lossy()));
            let number = number.unwrap_or_default();
            if offset == 0 {
                number
            } else {
                disk.open(&path, OpenMode::Existing)?.truncate(offset)?;
                report.cut = Some((number, offset));
                number.saturating_add(1)
            }
        }
        Some(LedgerError::Log(LogError::NoHeader { path })) => path
            .file_name()
            .and_then(|name| segment_number(&name.to_string_lossy()))
            .unwrap_or_default(),
        Some(other) => return Err(other),
    };
    for number in all.into_iter().filter(|number| *number >= first_aside) {
        let path = folder.join(segment_name(number));
        disk.rename(&path, &beside(&path, "bad"))?;
        report.set_aside.push(number);
    }
    Ok(report)
}
