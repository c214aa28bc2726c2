//! Group commit: no release ever precedes the durable bytes of anything queued in front of it.

use super::sim::{Fault, Tail};
use super::*;
use crate::guard::{Create, Decision, Guard, GuardRecord, Mark};
use crate::ledger::{BatchKey, Ledger, PruneRequest};
use crate::wal::Wal;
use bytes::Bytes;
use rota_types::{Hash, Height, Incarnation, Seq, ValidatorKey, keccak256};
use std::path::Path;
use std::sync::mpsc::sync_channel;

const KEY: ValidatorKey = ValidatorKey([1; 32]);

fn stores(disk: &Arc<dyn Disk>, home: &Path, create: Create) -> (Pipeline, Guard) {
    let (ledger, _) = Ledger::open(Arc::clone(disk), &home.join("ledger"), Hash::ZERO, 3).unwrap();
    let wal = Wal::open(Arc::clone(disk), &home.join("state/wal"), 4).unwrap();
    let path = home.join("state/guard.log");
    let (guard, log, _) = Guard::open(Arc::clone(disk), &path, KEY, create).unwrap();
    (Pipeline::new(ledger, wal, Some(log)), guard)
}

fn batch(number: u64) -> (BatchKey, Mark) {
    let digest = keccak256(&number.to_le_bytes());
    let (incarnation, seq) = (Incarnation(1), Seq(number));
    (BatchKey { lane: KEY, incarnation, seq, digest }, Mark::OwnBatch { incarnation, seq, digest })
}

/// What the core queues for one own batch: body, mark, WAL entry, then leave to send number `number`.
fn items(number: u64) -> Vec<Item<u64>> {
    let (key, mark) = batch(number);
    let body = Bytes::from(vec![7; if number.is_multiple_of(3) { 40_000 } else { 100 }]);
    vec![
        Item::Batch { key, header: Bytes::from_static(b"signed"), body },
        Item::Guard(GuardRecord::Mark(mark)),
        Item::Wal {
            height: Height(1 + number / 4),
            entry: Bytes::from(number.to_le_bytes().to_vec()),
        },
        Item::Release(number),
    ]
}

fn assert_durable(disk: &SimDisk, released: &[u64], context: &str) {
    let (pipeline, guard) = stores(&disk.shared(), Path::new("/h"), Create::Forbidden);
    let reader = pipeline.ledger.reader();
    let mut wal = pipeline.wal;
    for number in released {
        let (key, mark) = batch(*number);
        assert!(reader.batch(&key.digest).unwrap().is_some(), "batch {number}: {context}");
        assert_eq!(guard.check(&mark), Decision::Same, "mark {number}: {context}");
    }
    if let Some(last) = released.last() {
        // A height begun removes what is far below, though nothing of it was released.
        let height = Height(1 + last / 4);
        let ends = height.plus(crate::limits::WAL_HEIGHTS_KEPT);
        let gone_on = wal.heights().unwrap().iter().any(|begun| *begun >= ends);
        let entries = wal.replay(height).unwrap().entries;
        assert!(
            gone_on || entries.contains(&Bytes::from(last.to_le_bytes().to_vec())),
            "WAL {last}: {context}"
        );
    }
}

/// Commits groups of three until the disk stops; returns what was released.
fn run(pipeline: &mut Pipeline) -> Vec<u64> {
    let mut released = Vec::new();
    for group in 0..4u64 {
        let group: Vec<Item<u64>> = (0..3).flat_map(|i| items(group * 3 + i + 1)).collect();
        if pipeline.commit(group, |number| released.push(number)).is_err() {
            break;
        }
    }
    released
}

#[test]
fn no_release_precedes_its_durable_bytes_whatever_stops_the_disk() {
    let prepare = || {
        let disk = SimDisk::new();
        let (pipeline, _) = stores(&disk.shared(), Path::new("/h"), Create::New);
        (disk, pipeline)
    };
    let (disk, mut pipeline) = prepare();
    let first = disk.operations();
    assert_eq!(run(&mut pipeline), (1..=12).collect::<Vec<_>>());
    let last = disk.operations();
    for at in first..last {
        let (disk, mut pipeline) = prepare();
        disk.power_off_at(at);
        let released = run(&mut pipeline);
        disk.crash(Tail::Drop);
        assert_durable(&disk, &released, &format!("power off at {at}"));
        for fault in [Fault::Full, Fault::Error] {
            let (disk, mut pipeline) = prepare();
            disk.fail_at(at, fault);
            let released = run(&mut pipeline);
            let mut more = Vec::new();
            let error = pipeline.commit(items(99), |number| more.push(number)).unwrap_err();
            assert!(more.is_empty(), "released after {error}");
            disk.crash(Tail::Drop);
            assert_durable(&disk, &released, &format!("{fault:?} at {at}"));
        }
    }
}

#[test]
fn the_thread_releases_in_order_with_fewer_syncs_than_items() {
    let home = tempfile::tempdir().unwrap();
    let (pipeline, _) = stores(&RealDisk::shared(), home.path(), Create::New);
    let (sender, receiver) = sync_channel(10_000);
    let release = move |number: u64| sender.send(number).unwrap();
    let committer = Committer::spawn(pipeline, release, |error| panic!("{error}")).unwrap();
    let handle = committer.handle();
    for number in 1..=500 {
        handle.push(items(number)).unwrap();
    }
    let pipeline = committer.close().unwrap();
    let released: Vec<u64> = receiver.try_iter().collect();
    assert_eq!(released, (1..=500).collect::<Vec<_>>());
    let stats = handle.stats();
    assert_eq!((stats.items, stats.queued_items, stats.queued_bytes), (2000, 0, 0));
    assert!(stats.groups <= 500, "{stats:?}");
    assert_eq!(pipeline.ledger.reader().undecided().len(), 500);
    assert!(matches!(handle.push(items(501)), Err(CommitError::Ended)));
}

#[test]
fn a_full_disk_ends_committing_for_good_and_says_so_once() {
    let disk = SimDisk::new();
    let (pipeline, _) = stores(&disk.shared(), Path::new("/h"), Create::New);
    disk.set_capacity(Some(100_000));
    let (released, receiver) = sync_channel(1000);
    let (fatal, ended) = sync_channel(1);
    let committer = Committer::spawn(
        pipeline,
        move |number: u64| released.send(number).unwrap(),
        move |error| fatal.send(error).unwrap(),
    )
    .unwrap();
    let handle = committer.handle();
    for number in 1..=100 {
        if handle.push(items(number)).is_err() {
            break;
        }
    }
    let error = ended.recv().unwrap();
    assert!(error.is_full() && error.hint().contains("free space"), "{error}");
    assert_eq!(handle.push(items(1000)), Err(error.clone()));
    assert_eq!(handle.failed(), Some(error));
    drop(committer);
    disk.crash(Tail::Drop);
    disk.set_capacity(None);
    let released: Vec<u64> = receiver.try_iter().collect();
    assert_durable(&disk, &released, "full");
    let (mut pipeline, _) = stores(&disk.shared(), Path::new("/h"), Create::Forbidden);
    let mut again = Vec::new();
    pipeline.commit(items(500), |number| again.push(number)).unwrap();
    assert_eq!(again, [500], "with room again it goes on");
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let path = Path::new("/f");
    for at in 0..10 {
        let disk = SimDisk::new();
        write_atomic(&disk, path, b"old content").unwrap();
        disk.power_off_at(disk.operations() + at);
        let result = write_atomic(&disk, path, b"new");
        disk.crash(Tail::Drop);
        let found = read_whole(&disk, path, 100).unwrap();
        assert!(found == b"new" || (found == b"old content" && result.is_err()));
    }
}

#[test]
fn a_large_checkpoint_goes_with_many_groups_and_pruning_waits_for_its_last_part() {
    let disk = SimDisk::new();
    let (mut pipeline, _) = stores(&disk.shared(), Path::new("/h"), Create::New);
    pipeline.ledger.set_segment_bytes(1024);
    pipeline.ledger.set_checkpoint_part_bytes(100);
    for height in (1..=9).map(Height) {
        let slot = Item::Slot { height, batches: vec![], bytes: vec![0; 2000].into() };
        pipeline.commit([slot], |()| {}).unwrap();
    }
    let reader = pipeline.ledger.reader();
    let state = Bytes::from(vec![5; 950]);
    let prune = |keep_from| {
        Item::Prune(PruneRequest { bytes_max: 0, keep_from, ..PruneRequest::default() })
    };
    let checkpoint = |height| Item::Checkpoint { height, bytes: state.clone() };
    let mut released = 0;
    let first = [checkpoint(Height(9)), prune(Height(9)), Item::Release(())];
    pipeline.commit(first, |()| released += 1).unwrap();
    // The next one comes before this one is written: it and its pruning are left out.
    let next = [checkpoint(Height(10)), prune(Height(10)), Item::Release(())];
    pipeline.commit(next, |()| released += 1).unwrap();
    assert_eq!(released, 2, "what comes behind does not wait for the whole");
    for _ in 2..9 {
        pipeline.commit([], |()| {}).unwrap();
        assert_eq!(reader.last_checkpoint().unwrap(), None);
        assert_eq!(reader.first(), Some(Height(1)));
        assert_eq!(pipeline.take_pruned(), None);
    }
    pipeline.commit([], |()| {}).unwrap();
    assert_eq!(reader.last_checkpoint().unwrap(), Some((Height(9), state.clone())));
    assert_eq!(reader.first(), Some(Height(9)));
    assert!(pipeline.take_pruned().is_some_and(|report| report.segments >= 7));
}
