//! The WAL through crashes: everything synced is replayed, in order, and nothing else.

use super::*;
use crate::disk::SimDisk;
use crate::disk::sim::{Fault, Tail};

fn open(disk: &SimDisk) -> Wal {
    Wal::open(disk.shared(), Path::new("/home/state/wal"), 77).unwrap()
}

fn entry(height: u64, index: u8) -> Vec<u8> {
    format!("{height}/{index}").repeat(usize::from(index) + 1).into_bytes()
}

/// Three heights of five entries, synced after each second; returns what was synced, by height.
fn run(disk: &SimDisk) -> (Vec<(u64, u8)>, Result<(), WalError>) {
    let mut synced = Vec::new();
    let mut result = || -> Result<(), WalError> {
        let mut wal = Wal::open(disk.shared(), Path::new("/home/state/wal"), 77)?;
        for height in 1..=3u64 {
            let mut waiting = Vec::new();
            for index in 0..6u8 {
                wal.append(Height(height), &entry(height, index))?;
                waiting.push((height, index));
                if index % 2 == 1 {
                    wal.sync()?;
                    synced.append(&mut waiting);
                }
            }
        }
        Ok(())
    };
    let result = result();
    (synced, result)
}

fn assert_replays(disk: &SimDisk, synced: &[(u64, u8)], context: &str) {
    let newest = synced.last().map_or(0, |(height, _)| *height);
    for height in newest.max(1)..=3 {
        let replay = open(disk).replay(Height(height)).unwrap_or_else(|e| panic!("{context}: {e}"));
        let wanted = synced.iter().filter(|(at, _)| *at == height).count();
        assert!(replay.entries.len() >= wanted, "{context}");
        for (index, found) in replay.entries.iter().enumerate() {
            assert_eq!(found.as_ref(), entry(height, u8::try_from(index).unwrap()), "{context}");
        }
    }
}

#[test]
fn crash_at_every_operation_replays_everything_synced() {
    let disk = SimDisk::new();
    run(&disk).1.unwrap();
    for at in 0..disk.operations() {
        for tail in
            [Tail::Drop, Tail::Keep, Tail::Cut(5), Tail::Cut(22), Tail::Zeroed(4), Tail::Hole(4)]
        {
            let disk = SimDisk::new();
            disk.power_off_at(at);
            let (synced, result) = run(&disk);
            result.unwrap_err();
            disk.crash(tail);
            assert_replays(&disk, &synced, &format!("power off at {at}, {tail:?}"));
        }
    }
}

#[test]
fn every_failing_operation_is_an_error_and_loses_nothing_synced() {
    let disk = SimDisk::new();
    run(&disk).1.unwrap();
    for at in 0..disk.operations() {
        for fault in [Fault::Full, Fault::Error] {
            let disk = SimDisk::new();
            disk.fail_at(at, fault);
            let (synced, result) = run(&disk);
            assert_eq!(result.unwrap_err().is_full(), fault == Fault::Full);
            disk.crash(Tail::Keep);
            assert_replays(&disk, &synced, &format!("{fault:?} at {at}"));
        }
    }
}

#[test]
fn old_heights_are_removed_and_a_lower_one_is_refused() {
    let disk = SimDisk::new();
    run(&disk).1.unwrap();
    let mut wal = open(&disk);
    assert_eq!(wal.heights().unwrap(), vec![Height(2), Height(3)]);
    wal.append(Height(9), b"x").unwrap();
    assert!(matches!(wal.append(Height(8), b"x"), Err(WalError::Backwards { .. })));
    assert!(wal.append(Height(9), &vec![0; WAL_RECORD_BYTES_MAX + 1]).is_err());
    assert!(wal.replay(Height(5)).unwrap().entries.is_empty());
}

#[test]
fn damage_in_the_middle_is_refused_and_appending_goes_on_after_a_replay() {
    let disk = SimDisk::new();
    let mut wal = open(&disk);
    for index in 0..4 {
        wal.append(Height(1), &entry(1, index)).unwrap();
        wal.sync().unwrap();
    }
    let mut again = open(&disk);
    assert_eq!(again.replay(Height(1)).unwrap().entries.len(), 4);
    again.append(Height(1), b"more").unwrap();
    again.sync().unwrap();
    assert_eq!(open(&disk).replay(Height(1)).unwrap().entries.len(), 5);
    assert!(disk.flip_bit(Path::new("/home/state/wal/00000000000000000001.wal"), 60, 0));
    let error = open(&disk).replay(Height(1)).unwrap_err();
    assert!(matches!(error, WalError::Log(LogError::Corrupt { .. })));
}

#[test]
fn a_node_whose_ledger_lost_its_tail_writes_the_heights_below_its_logs_and_goes_on_in_them() {
    let disk = SimDisk::new();
    let mut wal = open(&disk);
    for height in [7, 8] {
        wal.append(Height(height), &entry(height, 0)).unwrap();
    }
    wal.sync().unwrap();
    let mut wal = open(&disk);
    let found = wal.replay_from(Height(6)).unwrap();
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [Height(7), Height(8)]);
    for height in [6, 7, 8] {
        wal.append(Height(height), &entry(height, 1)).unwrap();
    }
    wal.sync().unwrap();
    let entries = open(&disk).replay(Height(8)).unwrap().entries;
    assert_eq!(entries, [entry(8, 0), entry(8, 1)]);
    assert!(matches!(wal.append(Height(7), b"x"), Err(WalError::Backwards { .. })));
}
