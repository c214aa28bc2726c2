//! The ledger through crashes: at every operation, torn at every length, with every write and sync failing.

use super::*;
use crate::disk::sim::{Fault, Tail};
use crate::disk::{Disk as _, LogError, OpenMode, RealDisk, SimDisk};
use crate::limits::LEDGER_RECORD_BYTES_MAX;
use rota_types::{Hash, Height, Incarnation, Seq, ValidatorKey, keccak256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const GENESIS: Hash = Hash([7; 32]);

fn folder() -> PathBuf {
    PathBuf::from("/home/ledger")
}

fn open(disk: &SimDisk) -> Result<(Ledger, RecoveryReport), LedgerError> {
    Ledger::open(disk.shared(), &folder(), GENESIS, 99)
}

fn key(number: u8) -> BatchKey {
    BatchKey {
        lane: ValidatorKey([number % 4; 32]),
        incarnation: Incarnation(1),
        seq: Seq(u64::from(number)),
        digest: keccak256(&[number]),
    }
}

fn body(number: u8) -> Vec<u8> {
    // Some above the size that is written without copying, some below.
    vec![number; if number.is_multiple_of(2) { 300 } else { 20_000 }]
}

/// Writes a checkpoint, all of its parts.
fn checkpoint(ledger: &mut Ledger, height: u64, state: Vec<u8>) -> Result<(), LedgerError> {
    assert!(ledger.begin_checkpoint(Height(height), state.into()));
    while ledger.append_checkpoint_part()? {}
    Ok(())
}

/// A state that no segment of the test holds.
fn large_state(number: u8) -> Vec<u8> {
    (0..50_000u32).map(|at| number ^ at.to_le_bytes()[1]).collect()
}

/// What was synced: a restart must hold all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    batches: Vec<u8>,
    slots: Vec<(u64, Vec<u8>)>,
    headers: Vec<u64>,
    seals: Vec<u64>,
    checkpoint: u64,
}

/// Runs a short life of a ledger with small segments; stops at the first error.
fn script(disk: &SimDisk, held: &mut Held) -> Result<(), LedgerError> {
    let (mut ledger, _) = open(disk)?;
    ledger.set_segment_bytes(30_000);
    ledger.set_checkpoint_part_bytes(3);
    let mut next = Held::default();
    for height in 1..=4u64 {
        let numbers: Vec<u8> = (0..3).map(|i| u8::try_from(height).unwrap() * 3 + i).collect();
        for number in &numbers {
            ledger.append_batch(&key(*number), &[*number; 9], &body(*number))?;
            next.batches.push(*number);
        }
        ledger.sync()?;
        *held = next.clone();
        let decided: Vec<u8> = numbers.iter().copied().filter(|number| number % 3 != 2).collect();
        let digests: Vec<Hash> = decided.iter().map(|number| key(*number).digest).collect();
        ledger.append_slot(Height(height), &digests, format!("slot {height}").as_bytes())?;
        ledger.append_header(Height(height), b"header")?;
        next.slots.push((height, decided));
        next.headers.push(height);
        ledger.sync()?;
        *held = next.clone();
        ledger.append_seal(Height(height), b"seal")?;
        checkpoint(&mut ledger, height, format!("state {height}").into_bytes())?;
        next.seals.push(height);
        next.checkpoint = height;
    }
    ledger.sync()?;
    *held = next.clone();
    let request =
        PruneRequest { bytes_max: 40_000, keep_from: Height(3), ..PruneRequest::default() };
    ledger.prune(&request)?;
    Ok(())
}

/// Everything held is there and whole, and nothing there is wrong. `pruned` slots may be gone.
fn assert_holds(ledger: &Ledger, held: &Held, context: &str) {
    let reader = ledger.reader();
    let slots: BTreeMap<u64, Vec<u8>> = held.slots.iter().cloned().collect();
    let decided: Vec<u8> = held.slots.iter().flat_map(|(_, numbers)| numbers.clone()).collect();
    for number in &held.batches {
        let found = reader.batch(&key(*number).digest).unwrap();
        if let Some(found) = found {
            assert_eq!(
                (found.key, found.body.to_vec()),
                (key(*number), body(*number)),
                "{context}"
            );
            assert_eq!(found.header.as_ref(), [*number; 9]);
        } else {
            let gone = decided.contains(number) && *number < 9;
            assert!(gone, "batch {number} is owed and lost: {context}");
        }
    }
    for (height, numbers) in &slots {
        let Some(slot) = reader.slot(Height(*height)).unwrap() else {
            assert!(*height < 3, "slot {height} lost: {context}");
            continue;
        };
        assert_eq!(slot.bytes, format!("slot {height}").as_bytes());
        assert_eq!(slot.batches.len(), numbers.len());
        if *height >= 3 {
            for (location, number) in slot.batches.iter().zip(numbers) {
                assert_eq!(reader.batch_at(*location).unwrap().key, key(*number), "{context}");
            }
        }
    }
    for height in held.headers.iter().filter(|height| **height >= 3) {
        assert_eq!(
            reader.header(Height(*height)).unwrap().unwrap(),
            b"header".as_slice(),
            "{context}"
        );
    }
    for height in held.seals.iter().filter(|height| **height >= 3) {
        assert_eq!(reader.seal(Height(*height)).unwrap().unwrap(), b"seal".as_slice(), "{context}");
    }
    if held.checkpoint > 0 {
        let (height, state) = reader.last_checkpoint().unwrap().unwrap();
        assert!(height.0 >= held.checkpoint, "{context}");
        assert_eq!(state, format!("state {height}").as_bytes());
    }
}

#[test]
fn crash_at_every_operation_loses_nothing_synced() {
    let disk = SimDisk::new();
    script(&disk, &mut Held::default()).unwrap();
    let operations = disk.operations();
    assert!(operations > 30, "{operations}");
    let tails = [
        Tail::Drop,
        Tail::Keep,
        Tail::Cut(1),
        Tail::Cut(19),
        Tail::Cut(21),
        Tail::Cut(400),
        Tail::Zeroed(30),
        Tail::Hole(10),
    ];
    for at in 0..operations {
        for tail in tails {
            let disk = SimDisk::new();
            let mut held = Held::default();
            disk.power_off_at(at);
            script(&disk, &mut held).unwrap_err();
            disk.crash(tail);
            let context = format!("power off at {at}, {tail:?}");
            let (mut ledger, _) = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_holds(&ledger, &held, &context);
            // And it goes on from there.
            ledger.append_batch(&key(200), b"h", b"b").unwrap();
            ledger.sync().unwrap();
            drop(ledger);
            let (ledger, report) = open(&disk).unwrap();
            assert_eq!(report.torn, None, "{context}");
            assert!(ledger.reader().has_batch(&key(200).digest), "{context}");
        }
    }
}

#[test]
fn every_failing_operation_is_an_error_and_loses_nothing_synced() {
    let disk = SimDisk::new();
    script(&disk, &mut Held::default()).unwrap();
    for at in 0..disk.operations() {
        for fault in [Fault::Full, Fault::Error] {
            let disk = SimDisk::new();
            let mut held = Held::default();
            disk.fail_at(at, fault);
            let error = script(&disk, &mut held).unwrap_err();
            assert_eq!(error.is_full(), fault == Fault::Full, "{error}");
            for tail in [Tail::Drop, Tail::Keep] {
                disk.crash(tail);
                let (ledger, _) = open(&disk).unwrap();
                assert_holds(&ledger, &held, &format!("{fault:?} at {at}, {tail:?}"));
            }
        }
    }
}

#[test]
fn truncating_the_last_segment_by_1_to_64_bytes_recovers() {
    for cut in 1..=64usize {
        let disk = SimDisk::new();
        let (mut ledger, _) = open(&disk).unwrap();
        for number in 0..6 {
            ledger.append_batch(&key(number), b"header", &body(number)).unwrap();
            ledger.sync().unwrap();
        }
        let path = folder().join("00000001.seg");
        let length = disk.live(&path).unwrap().len();
        assert!(disk.cut(&path, length - cut));
        let (ledger, report) = open(&disk).unwrap();
        assert!(report.torn.is_some() && report.records == 5);
        assert!(
            ledger.reader().has_batch(&key(4).digest) && !ledger.reader().has_batch(&key(5).digest)
        );
    }
}

#[test]
fn a_corrupt_middle_is_refused_with_its_hint_and_repair_cuts_before_it() {
    let disk = SimDisk::new();
    let mut held = Held::default();
    script(&disk, &mut held).unwrap();
    let names = disk.list(&folder()).unwrap();
    let first = folder().join(&names[0]);
    assert!(disk.flip_bit(&first, 150, 2));
    let error = open(&disk).map(|_| ()).unwrap_err();
    assert!(matches!(error, LedgerError::Log(LogError::Corrupt { .. })), "{error}");
    assert!(error.hint().contains("rota db verify"));
    let before = disk.live(&first).unwrap();
    let report = verify(&disk, &folder()).unwrap();
    assert_eq!(report.damage, Some(error));
    assert_eq!(disk.live(&first).unwrap(), before, "verify never writes");
    let repaired = repair(&disk, &folder()).unwrap();
    assert_eq!(repaired.set_aside.len(), names.len() - 1);
    let (ledger, report) = open(&disk).unwrap();
    assert_eq!(report.torn, None);
    assert!(ledger.reader().tip() < Some(Height(4)));
    assert_eq!(verify(&disk, &folder()).unwrap().damage, None);
}

#[test]
fn a_missing_segment_and_another_network_are_named() {
    let disk = SimDisk::new();
    script(&disk, &mut Held::default()).unwrap();
    let other = Ledger::open(disk.shared(), &folder(), Hash([8; 32]), 99).map(|_| ()).unwrap_err();
    assert_eq!(other, LedgerError::WrongNetwork { found: GENESIS });
    let names = disk.list(&folder()).unwrap();
    assert!(names.len() >= 3);
    disk.remove(&folder().join(&names[1])).unwrap();
    assert!(matches!(open(&disk).map(|_| ()), Err(LedgerError::MissingSegment { .. })));
}

#[test]
fn readers_see_a_record_only_when_it_is_durable() {
    let disk = SimDisk::new();
    let (mut ledger, _) = open(&disk).unwrap();
    let reader = ledger.reader();
    ledger.append_batch(&key(1), b"h", &body(1)).unwrap();
    ledger.append_slot(Height(1), &[key(1).digest], b"one").unwrap();
    assert!(!reader.has_batch(&key(1).digest) && reader.tip().is_none());
    assert_eq!(reader.slot(Height(1)).unwrap(), None);
    ledger.sync().unwrap();
    assert!(reader.has_batch(&key(1).digest) && reader.tip() == Some(Height(1)));
    assert_eq!(reader.undecided(), vec![]);
}

#[test]
fn a_batch_is_written_once_and_a_decided_height_keeps_its_slot() {
    let disk = SimDisk::new();
    let (mut ledger, _) = open(&disk).unwrap();
    let first = ledger.append_batch(&key(1), b"h", &body(1)).unwrap();
    assert_eq!(ledger.append_batch(&key(1), b"h", &body(1)).unwrap(), first);
    ledger.sync().unwrap();
    let bytes = ledger.reader().stats().bytes;
    assert_eq!(ledger.append_batch(&key(1), b"h", &body(1)).unwrap(), first);
    ledger.sync().unwrap();
    assert_eq!(ledger.reader().stats().bytes, bytes);
    ledger.append_slot(Height(1), &[key(1).digest], b"one").unwrap();
    ledger.append_slot(Height(1), &[], b"two").unwrap();
    ledger.sync().unwrap();
    assert_eq!(ledger.reader().slot(Height(1)).unwrap().unwrap().bytes, b"one".as_slice());
    let missing = ledger.append_slot(Height(2), &[key(9).digest], b"");
    assert!(matches!(missing, Err(LedgerError::MissingBatch { .. })));
}

#[test]
fn pruning_keeps_what_is_owed_and_releases_what_is_not() {
    let disk = SimDisk::new();
    let (mut ledger, _) = open(&disk).unwrap();
    ledger.set_segment_bytes(25_000);
    ledger.append_batch(&key(101), b"h", &body(101)).unwrap();
    ledger.append_batch(&key(102), b"h", &body(102)).unwrap();
    ledger.append_batch(&key(103), b"h", &body(103)).unwrap();
    for height in 1..=20u64 {
        let number = u8::try_from(height).unwrap();
        ledger.append_batch(&key(number), b"h", &body(1)).unwrap();
        ledger.append_slot(Height(height), &[key(number).digest], b"slot").unwrap();
    }
    ledger.sync().unwrap();
    let lanes = [
        (key(101).lane, (Incarnation(1), Seq(100))),
        (key(102).lane, (Incarnation(1), Seq(102))),
        (key(103).lane, (Incarnation(2), Seq(100))),
    ];
    let request = PruneRequest { bytes_max: 0, keep_from: Height(15), lanes: lanes.into() };
    let report = ledger.prune(&request).unwrap();
    assert!(report.segments > 5 && report.carried >= 1, "{report:?}");
    let check = |ledger: &Ledger| {
        let reader = ledger.reader();
        assert!(
            reader.batch(&key(101).digest).unwrap().is_some(),
            "an owed batch is carried forward"
        );
        assert!(reader.batch(&key(102).digest).unwrap().is_none(), "another is decided there");
        assert!(reader.batch(&key(103).digest).unwrap().is_none(), "its incarnation ended");
        assert!(reader.first().unwrap() <= Height(15));
        let heights: Vec<u64> =
            reader.slots_from(Height(15)).map(|slot| slot.unwrap().height.0).collect();
        assert_eq!(heights, (15..=20).collect::<Vec<_>>());
    };
    check(&ledger);
    drop(ledger);
    check(&open(&disk).unwrap().0);
}

#[test]
fn the_real_disk_holds_a_ledger_across_reopening() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger");
    let (mut ledger, _) = Ledger::open(RealDisk::shared(), &path, GENESIS, 5).unwrap();
    ledger.set_segment_bytes(50_000);
    for number in 0..20 {
        ledger.append_batch(&key(number), b"head", &body(number)).unwrap();
    }
    ledger.sync().unwrap();
    drop(ledger);
    let (ledger, report) = Ledger::open(RealDisk::shared(), &path, GENESIS, 6).unwrap();
    assert!(report.segments > 3 && report.records == 20 && report.torn.is_none());
    for number in 0..20 {
        let found = ledger.reader().batch(&key(number).digest).unwrap().unwrap();
        assert_eq!(found.body.as_ref(), body(number));
    }
    assert_eq!(ledger.reader().undecided().len(), 20);
    assert!(RealDisk.open(Path::new("/nonexistent/x"), OpenMode::Existing).is_err());
}

#[test]
fn a_state_larger_than_a_record_is_taken_pruned_to_and_restored() {
    let disk = SimDisk::new();
    let (mut ledger, _) = open(&disk).unwrap();
    let state = vec![7; LEDGER_RECORD_BYTES_MAX + 1];
    for height in 1..=3u64 {
        ledger.append_slot(Height(height), &[], b"slot").unwrap();
    }
    checkpoint(&mut ledger, 3, state.clone()).unwrap();
    ledger.sync().unwrap();
    let restarted = open(&disk).unwrap().0.reader().last_checkpoint().unwrap().unwrap();
    assert!(restarted.0 == Height(3) && restarted.1 == state, "the large one, whole");
    ledger.append_slot(Height(4), &[], b"slot").unwrap();
    let before = ledger.reader().stats();
    ledger.set_segment_bytes(1024);
    ledger.append_slot(Height(5), &[], b"slot").unwrap();
    checkpoint(&mut ledger, 5, b"small".to_vec()).unwrap();
    let request = PruneRequest { bytes_max: 0, keep_from: Height(5), ..PruneRequest::default() };
    let report = ledger.prune(&request).unwrap();
    assert!(report.bytes > before.bytes / 2, "the larger checkpoint before it is gone");
    drop(ledger);
    let reader = open(&disk).unwrap().0.reader();
    assert_eq!(reader.last_checkpoint().unwrap(), Some((Height(5), b"small".as_slice().into())));
    assert!(reader.stats().bytes < 4096);
}

#[test]
fn pruning_keeps_every_part_of_the_newest_checkpoint() {
    let disk = SimDisk::new();
    let (mut ledger, _) = open(&disk).unwrap();
    ledger.set_segment_bytes(4_000);
    ledger.set_checkpoint_part_bytes(1_000);
    checkpoint(&mut ledger, 1, large_state(1)).unwrap();
    for height in 2..=9u64 {
        ledger.append_slot(Height(height), &[], &[0; 5_000]).unwrap();
    }
    let request = PruneRequest { bytes_max: 0, keep_from: Height(8), ..PruneRequest::default() };
    ledger.prune(&request).unwrap();
    let found = open(&disk).unwrap().0.reader().last_checkpoint().unwrap();
    assert_eq!(found, Some((Height(1), large_state(1).into())));
    // A newer one, complete, lets the older one go.
    checkpoint(&mut ledger, 9, large_state(9)).unwrap();
    let report = ledger.prune(&request).unwrap();
    assert!(report.segments > 10, "{report:?}");
    let reader = open(&disk).unwrap().0.reader();
    assert_eq!(reader.last_checkpoint().unwrap(), Some((Height(9), large_state(9).into())));
    assert_eq!(reader.first(), Some(Height(8)));
}

#[test]
fn a_checkpoint_torn_in_any_part_falls_back_to_the_one_before() {
    let whole = |parts: usize| {
        let disk = SimDisk::new();
        let (mut ledger, _) = open(&disk).unwrap();
        ledger.set_checkpoint_part_bytes(9_000);
        checkpoint(&mut ledger, 1, large_state(1)).unwrap();
        ledger.sync().unwrap();
        assert!(ledger.begin_checkpoint(Height(2), large_state(2).into()));
        for _ in 0..parts {
            ledger.append_checkpoint_part().unwrap();
        }
        ledger.sync().unwrap();
        disk
    };
    for parts in 0..6usize {
        let disk = whole(parts);
        let (mut ledger, _) = open(&disk).unwrap();
        let found = ledger.reader().last_checkpoint().unwrap();
        assert_eq!(found, Some((Height(1), large_state(1).into())), "{parts} parts");
        // The rest of another checkpoint does not complete it.
        ledger.set_checkpoint_part_bytes(9_000);
        checkpoint(&mut ledger, 3, large_state(3)).unwrap();
        ledger.sync().unwrap();
        let found = open(&disk).unwrap().0.reader().last_checkpoint().unwrap();
        assert_eq!(found, Some((Height(3), large_state(3).into())), "{parts} parts");
    }
    let disk = whole(6);
    let path = folder().join("00000001.seg");
    let found = open(&disk).unwrap().0.reader().last_checkpoint().unwrap();
    assert_eq!(found, Some((Height(2), large_state(2).into())));
    assert!(disk.cut(&path, disk.live(&path).unwrap().len() - 1));
    let found = open(&disk).unwrap().0.reader().last_checkpoint().unwrap();
    assert_eq!(found, Some((Height(1), large_state(1).into())));
}

#[test]
fn a_checkpoint_is_not_begun_beside_another() {
    let disk = SimDisk::new();
    let (mut ledger, _) = open(&disk).unwrap();
    assert!(!ledger.begin_checkpoint(Height(1), Vec::new().into()));
    ledger.set_checkpoint_part_bytes(2);
    assert!(ledger.begin_checkpoint(Height(1), b"one".to_vec().into()));
    assert!(!ledger.begin_checkpoint(Height(2), b"two".to_vec().into()));
    assert!(ledger.append_checkpoint_part().unwrap());
    assert!(!ledger.append_checkpoint_part().unwrap());
    ledger.sync().unwrap();
    let found = ledger.reader().last_checkpoint().unwrap();
    assert_eq!(found, Some((Height(1), b"one".as_slice().into())));
}
