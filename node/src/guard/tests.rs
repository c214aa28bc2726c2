//! The guard never goes back: not through crashes, tears, rewriting, exports or any order of marks.

use super::*;
use crate::disk::SimDisk;
use crate::disk::sim::{Fault, Tail};
use proptest::prelude::*;
use rota_types::{Hash, Height, Incarnation, Round, Seq};
use std::path::PathBuf;

const KEY: ValidatorKey = ValidatorKey([3; 32]);

fn path() -> PathBuf {
    PathBuf::from("/home/state/guard.log")
}

fn open(disk: &SimDisk, create: Create) -> Result<(Guard, GuardLog), GuardError> {
    Guard::open(disk.shared(), &path(), KEY, create).map(|(guard, log, _)| (guard, log))
}

fn vote(height: u64, round: u32, step: Step, digest: u8) -> Mark {
    Mark::Vote { height: Height(height), round: Round(round), step, digest: Hash([digest; 32]) }
}

fn ack(lane: u8, incarnation: u32, seq: u64, digest: u8) -> Mark {
    let (lane, digest) = (ValidatorKey([lane; 32]), Hash([digest; 32]));
    Mark::Ack { lane, incarnation: Incarnation(incarnation), seq: Seq(seq), digest }
}

fn own(incarnation: u32, seq: u64, digest: u8) -> Mark {
    let digest = Hash([digest; 32]);
    Mark::OwnBatch { incarnation: Incarnation(incarnation), seq: Seq(seq), digest }
}

fn seal(height: u64, digest: u8) -> Mark {
    Mark::Seal { height: Height(height), digest: Hash([digest; 32]) }
}

/// The same place with another digest.
fn twisted(mark: &Mark) -> Mark {
    let other = Hash([0xEE; 32]);
    let mut mark = *mark;
    match &mut mark {
        Mark::Vote { digest, .. } | Mark::Seal { digest, .. } => *digest = other,
        Mark::OwnBatch { digest, .. } | Mark::Ack { digest, .. } => *digest = other,
    }
    mark
}

fn script() -> Vec<Mark> {
    let mut marks = Vec::new();
    for height in 1..=4u64 {
        let digest = u8::try_from(height).unwrap();
        marks.push(vote(height, 0, Step::Propose, digest));
        marks.push(vote(height, 0, Step::Prevote, digest));
        marks.push(ack(1, 1, height, digest));
        marks.push(ack(2, 1, height * 2, digest));
        marks.push(own(1, height, digest));
        marks.push(vote(height, 0, Step::Precommit, digest));
        marks.push(seal(height, digest));
    }
    marks
}

/// Marks the script, syncing after each second one; returns the marks that were synced.
fn run(disk: &SimDisk) -> (Vec<Mark>, Result<(), GuardError>) {
    let mut synced = Vec::new();
    let mut result = || -> Result<(), GuardError> {
        let (mut guard, mut log) = open(disk, Create::New)?;
        let mut waiting = Vec::new();
        for (index, mark) in script().into_iter().enumerate() {
            assert_eq!(guard.mark(&mark), Decision::New);
            log.append(&GuardRecord::Mark(mark))?;
            waiting.push(mark);
            if index % 2 == 1 {
                log.sync()?;
                synced.append(&mut waiting);
            }
            if index == 13 {
                log.compact()?;
            }
        }
        Ok(())
    };
    let result = result();
    (synced, result)
}

fn assert_never_back(guard: &Guard, synced: &[Mark], context: &str) {
    for mark in synced {
        let conflict = matches!(guard.check(&twisted(mark)), Decision::Conflict { .. });
        assert!(conflict, "{mark:?} could be signed two ways: {context}");
        assert_ne!(guard.check(mark), Decision::New, "{mark:?} forgotten: {context}");
    }
}

#[test]
fn crash_at_every_operation_never_lets_a_mark_go_back() {
    let disk = SimDisk::new();
    run(&disk).1.unwrap();
    for at in 0..disk.operations() {
        for tail in [
            Tail::Drop,
            Tail::Keep,
            Tail::Cut(1),
            Tail::Cut(25),
            Tail::Cut(70),
            Tail::Zeroed(9),
            Tail::Hole(9),
        ] {
            let disk = SimDisk::new();
            disk.power_off_at(at);
            let (synced, result) = run(&disk);
            result.unwrap_err();
            disk.crash(tail);
            let context = format!("power off at {at}, {tail:?}");
            match open(&disk, Create::Forbidden) {
                Ok((guard, _)) => assert_never_back(&guard, &synced, &context),
                Err(GuardError::Missing { .. }) => assert!(synced.is_empty(), "{context}"),
                Err(error) => panic!("{context}: {error}"),
            }
        }
    }
}

#[test]
fn every_failing_operation_is_an_error_and_no_mark_goes_back() {
    let disk = SimDisk::new();
    run(&disk).1.unwrap();
    for at in 0..disk.operations() {
        for fault in [Fault::Full, Fault::Error] {
            let disk = SimDisk::new();
            disk.fail_at(at, fault);
            let (synced, result) = run(&disk);
            assert_eq!(result.unwrap_err().is_full(), fault == Fault::Full);
            disk.crash(Tail::Keep);
            match open(&disk, Create::Forbidden) {
                Ok((guard, _)) => assert_never_back(&guard, &synced, &format!("{fault:?} at {at}")),
                Err(error) => assert!(synced.is_empty(), "{error}"),
            }
        }
    }
}

#[test]
fn a_key_without_its_guard_does_not_sign() {
    let disk = SimDisk::new();
    let error = open(&disk, Create::Forbidden).map(|_| ()).unwrap_err();
    assert!(matches!(error, GuardError::Missing { .. }) && !error.is_safety_stop());
    open(&disk, Create::New).unwrap();
    assert!(matches!(open(&disk, Create::New).map(|_| ()), Err(GuardError::Exists { .. })));
    let other = Guard::open(disk.shared(), &path(), ValidatorKey([4; 32]), Create::Forbidden);
    assert!(matches!(other.map(|_| ()), Err(GuardError::WrongKey { .. })));
}

#[test]
fn a_damaged_guard_is_a_safety_stop() {
    let disk = SimDisk::new();
    run(&disk).1.unwrap();
    for byte in [2, 25, 90, 200] {
        assert!(disk.flip_bit(&path(), byte, 1));
        let error = open(&disk, Create::Forbidden).map(|_| ()).unwrap_err();
        assert!(error.is_safety_stop(), "byte {byte}: {error}");
        assert!(disk.flip_bit(&path(), byte, 1));
    }
    open(&disk, Create::Forbidden).unwrap();
}

#[test]
fn the_same_request_is_same_and_another_is_a_conflict_that_names_the_first() {
    let disk = SimDisk::new();
    let (mut guard, _) = open(&disk, Create::New).unwrap();
    for mark in [vote(5, 1, Step::Prevote, 1), seal(5, 2), own(1, 7, 3), ack(9, 2, 4, 4)] {
        assert_eq!(guard.mark(&mark), Decision::New);
        assert_eq!(guard.mark(&mark), Decision::Same);
        assert!(matches!(guard.mark(&twisted(&mark)), Decision::Conflict { existing: Some(_) }));
    }
    assert_eq!(guard.check(&vote(4, 9, Step::Prevote, 1)), Decision::Conflict { existing: None });
    assert_eq!(guard.check(&own(1, 6, 1)), Decision::Conflict { existing: None });
    assert_eq!(guard.check(&own(2, 1, 1)), Decision::New);
    assert_eq!(guard.check(&ack(9, 1, 99, 1)), Decision::Conflict { existing: None });
    assert_eq!(guard.check(&ack(9, 2, 5, 1)), Decision::New);
    assert_eq!(guard.check(&ack(8, 1, 1, 1)), Decision::New);
}

#[test]
fn records_are_read_without_changing_the_file() {
    let disk = SimDisk::new();
    assert!(matches!(read_records(&disk, &path()), Err(GuardError::Missing { .. })));
    run(&disk).1.unwrap();
    let before = disk.live(&path()).unwrap();
    let (key, records) = read_records(&disk, &path()).unwrap();
    assert_eq!(key, KEY);
    assert!(records.contains(&GuardRecord::Mark(*script().last().unwrap())));
    assert_eq!(disk.live(&path()).unwrap(), before);
}

#[test]
fn a_decided_lane_drops_digests_and_stays_closed() {
    let disk = SimDisk::new();
    let (mut guard, mut log) = open(&disk, Create::New).unwrap();
    for seq in 1..=10 {
        guard.mark(&ack(1, 1, seq, 1));
        log.append(&GuardRecord::Mark(ack(1, 1, seq, 1))).unwrap();
    }
    let floor =
        Floor::Ack { lane: ValidatorKey([1; 32]), incarnation: Incarnation(1), seq: Seq(8) };
    guard.raise(&floor);
    log.append(&GuardRecord::Floor(floor)).unwrap();
    log.sync().unwrap();
    let (reopened, _) = open(&disk, Create::Forbidden).unwrap();
    for guard in [&guard, &reopened] {
        assert_eq!(guard.check(&ack(1, 1, 3, 1)), Decision::Conflict { existing: None });
        assert_eq!(guard.check(&ack(1, 1, 9, 1)), Decision::Same);
        assert_eq!(guard.check(&ack(1, 1, 11, 1)), Decision::New);
        assert_eq!(guard.marks().acks(&ValidatorKey([1; 32])).count(), 3);
    }
}

#[test]
fn an_import_closes_everything_the_exporter_signed_and_never_lowers() {
    let disk = SimDisk::new();
    run(&disk).1.unwrap();
    let (guard, _) = open(&disk, Create::Forbidden).unwrap();
    let text = guard.export().to_json();
    let export = GuardExport::from_json(&text, KEY).unwrap();
    assert_eq!(export, guard.export());
    assert!(GuardExport::from_json(&text, ValidatorKey([1; 32])).is_err());
    assert!(GuardExport::from_json(&text.replace("guard-1", "guard-2"), KEY).is_err());

    let fresh = SimDisk::new();
    let (_, mut log) = open(&fresh, Create::New).unwrap();
    log.append(&GuardRecord::Mark(own(9, 1, 1))).unwrap();
    log.import(&export).unwrap();
    let (imported, _) = open(&fresh, Create::Forbidden).unwrap();
    for mark in script() {
        assert_eq!(imported.check(&mark), Decision::Conflict { existing: None }, "{mark:?}");
    }
    assert_eq!(imported.check(&vote(5, 0, Step::Propose, 1)), Decision::New);
    assert_eq!(imported.check(&own(9, 1, 1)), Decision::Same, "what was higher stays");
}

#[test]
fn votes_of_one_height_stay_bounded_and_closed() {
    let mut marks = Marks::default();
    let rounds = u32::try_from(crate::limits::GUARD_VOTES_MAX).unwrap() + 10;
    for round in 0..rounds {
        marks.record(&GuardRecord::Mark(vote(7, round, Step::Prevote, 1)));
    }
    assert!(marks.votes_at(Height(7)).count() <= crate::limits::GUARD_VOTES_MAX);
    assert_eq!(marks.check(&vote(7, 0, Step::Prevote, 2)), Decision::Conflict { existing: None });
    assert_eq!(marks.check(&vote(7, rounds, Step::Prevote, 2)), Decision::New);
}

fn any_mark() -> impl Strategy<Value = Mark> {
    let step = prop_oneof![Just(Step::Propose), Just(Step::Prevote), Just(Step::Precommit)];
    prop_oneof![
        (1..6u64, 0..3u32, step, 0..3u8).prop_map(|(h, r, s, d)| vote(h, r, s, d)),
        (1..3000u64, 0..3u8).prop_map(|(h, d)| seal(h, d)),
        (1..3u32, 1..9u64, 0..3u8).prop_map(|(i, s, d)| own(i, s, d)),
        (1..3u8, 1..3u32, 1..9u64, 0..3u8).prop_map(|(l, i, s, d)| ack(l, i, s, d)),
    ]
}

/// Where a mark is, without its digest.
fn place(mark: &Mark) -> String {
    match twisted(mark) {
        mark @ (Mark::Vote { .. }
        | Mark::Seal { .. }
        | Mark::OwnBatch { .. }
        | Mark::Ack { .. }) => {
            format!("{mark:?}")
        }
    }
}

proptest! {
    /// Against a plain model that remembers everything: no place is ever granted two digests, rewriting changes no
    /// decision, and nothing that was granted is granted as new again.
    #[test]
    fn no_place_is_granted_two_digests(marks in prop::collection::vec(any_mark(), 1..120), rewrite_at in 0..120usize) {
        let mut guard = Marks::default();
        let mut granted = std::collections::BTreeMap::new();
        for (index, mark) in marks.iter().enumerate() {
            if index == rewrite_at {
                let mut rewritten = Marks::default();
                guard.snapshot().iter().for_each(|record| rewritten.record(record));
                for probe in &marks {
                    prop_assert_eq!(guard.check(probe), rewritten.check(probe));
                }
                guard = rewritten;
            }
            match guard.check(mark) {
                Decision::New => {
                    prop_assert!(granted.insert(place(mark), *mark).is_none());
                    guard.record(&GuardRecord::Mark(*mark));
                }
                Decision::Same => prop_assert_eq!(granted.get(&place(mark)), Some(mark)),
                Decision::Conflict { .. } => {}
            }
        }
    }
}

/// A guard made with floors is there with all of them or not at all, wherever power is lost: never an empty one, which
/// would allow what was signed before.
#[test]
fn a_guard_made_with_floors_is_never_there_without_them() {
    let floors = [
        Floor::Vote { height: Height(9), round: Round(0) },
        Floor::Seal { height: Height(8) },
        Floor::OwnBatch { incarnation: Incarnation(0), seq: Seq(u64::MAX) },
    ];
    let mut made = 0;
    for at in 0.. {
        let disk = SimDisk::new();
        disk.power_off_at(at);
        let done = GuardLog::create(disk.shared().as_ref(), &path(), KEY, &floors).is_ok();
        disk.crash(Tail::Drop);
        match open(&disk, Create::Forbidden) {
            Ok((guard, _)) => {
                made += 1;
                for mark in [vote(8, 3, Step::Precommit, 1), seal(7, 1), own(0, 1, 1)] {
                    assert_eq!(guard.check(&mark), Decision::Conflict { existing: None });
                }
            }
            Err(error) => {
                assert!(matches!(error, GuardError::Missing { .. }), "power off at {at}: {error}");
                assert!(!done, "made and gone: power off at {at}");
            }
        }
        if done {
            break;
        }
    }
    assert!(made > 0);
}
