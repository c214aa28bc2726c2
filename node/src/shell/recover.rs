//! Start-up: opens the stores, executes again what the last checkpoint does not cover, and finds what was in flight.

use super::slots::{SlotError, Slots};
use super::view::{SealedState, Seed, Undecided};
use crate::api::Head;
use crate::core::{RejoinSeed, Restored};
use crate::disk::{Disk, Pipeline};
use crate::error::{ExitCode, OperatorError};
use crate::guard::{Create, Guard, GuardError, GuardLog, Step};
use crate::home::Home;
use crate::index::{Index, IndexOptions, IndexedSlot};
use crate::ledger::{Ledger, LedgerReader};
use crate::limits::UNSEALED_LOOK_BACK;
use crate::wal::Wal;
use rota_sequencer::Batch;
use rota_sequencer::execution::{ExecutedRecord, Executor};
use rota_types::status::StatusNonce;
use rota_types::{
    Genesis, Hash, Height, Incarnation, Mark, MarkPlace, SealedHeader, Seq, SlotHeader,
    ValidatorKey, VoteKind,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The stores and what they gave.
pub struct Opened {
    pub(super) pipeline: Pipeline,
    pub(super) reader: LedgerReader,
    /// The deciding half of the guard; `None` for a full node, or a key that must not sign.
    pub(super) guard: Option<Guard>,
    pub(super) restored: Restored,
    pub(super) seed: Seed,
}

/// What a validator key without its guard does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostGuard {
    /// It does not sign, and says so.
    DoNotSign,
    /// It asks the others, and signs again above all that it can have signed.
    Rejoin,
}

impl Opened {
    /// Whether a guard was found: without one the node does not sign.
    #[must_use]
    pub const fn signs(&self) -> bool {
        self.guard.is_some()
    }
}

/// Random bytes that decide nothing: they keep strangers from choosing what crowds a table or poses as a frame.
#[derive(Clone, Copy)]
pub struct Salts {
    /// Of new ledger and log files.
    pub files: u64,
    /// Of the replay window's index.
    pub window: u64,
    /// Of the lanes' look-up of places.
    pub lanes: [u8; 16],
}

impl Salts {
    /// Draws them from the system.
    ///
    /// # Errors
    /// I/O, if the system gives no random bytes.
    pub(super) fn draw() -> Result<Self, OperatorError> {
        let (files, window) = (random()?, random()?);
        Ok(Self {
            files: u64::from_le_bytes(files),
            window: u64::from_le_bytes(window),
            lanes: random()?,
        })
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], OperatorError> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        OperatorError::new(ExitCode::Io, "cannot read random bytes").cause(error)
    })?;
    Ok(bytes)
}

fn broken(error: &SlotError) -> OperatorError {
    OperatorError::new(ExitCode::Io, "cannot read the ledger")
        .cause(error)
        .hint("rota db verify says which segment; moving ledger/ and index/ away makes the node fetch them again")
}

/// Opens everything under `home`. With the nonce of a rejoin a key whose guard is lost asks the others, else it does
/// not sign.
///
/// # Errors
/// [`OperatorError`] with the hint that mends it.
pub fn open(
    disk: &Arc<dyn Disk>,
    home: &Home,
    genesis: &Arc<Genesis>,
    key: Option<ValidatorKey>,
    salts: Salts,
    rejoin: Option<StatusNonce>,
) -> Result<Opened, OperatorError> {
    let salt = salts.files;
    let (mut ledger, report) =
        Ledger::open(Arc::clone(disk), &home.ledger_folder(), genesis.hash(), salt)?;
    if let Some(torn) = &report.torn {
        tracing::warn!(?torn, "a torn tail of the ledger was cut off");
    }
    let mut wal = Wal::open(Arc::clone(disk), &home.wal_folder(), salt)?;
    let lost_guard = if rejoin.is_some() { LostGuard::Rejoin } else { LostGuard::DoNotSign };
    let (guard, guard_log) = open_guard(disk, home, key, lost_guard)?;
    let rejoin =
        key.filter(|_| guard.is_none()).zip(rejoin).map(|(key, nonce)| RejoinSeed { key, nonce });
    let reader = ledger.reader();
    let slots = Slots::new(genesis.chain_id, reader.clone());
    let (executor, outcomes) = execute_again(&slots, genesis, salts.window)?;
    // A crash between decision and outcome leaves a height without one: doors and peers read it from the ledger.
    for record in outcomes {
        ledger.append_header(record.header.height, &record.to_bytes())?;
    }
    ledger.sync()?;
    let (sealed, unsealed) = seals_of(&slots, executor.height())?;
    let next = executor.height().next();
    let wals = wal.replay_from(next)?;
    // Reading made the highest log the current one: open them again and go on with the next height's.
    let mut wal = Wal::open(Arc::clone(disk), &home.wal_folder(), salt)?;
    wal.replay(next)?;
    let undecided = undecided(&reader, genesis.chain_id);
    let restored = Restored {
        sealed,
        batch_marks: guard.as_ref().map(|g| batch_marks(g, &undecided)).unwrap_or_default(),
        undecided,
        own_closed: guard.as_ref().and_then(own_closed),
        rejoin,
        vote_marks: guard.as_ref().map(|g| vote_marks(g, next)).unwrap_or_default(),
        voted: guard.as_ref().map(|g| g.marks().vote_height()).unwrap_or_default(),
        wals,
        unsealed,
        lookup_salt: salts.lanes,
        executor,
    };
    let seed = seed(&slots, &restored)?;
    let pipeline = Pipeline::new(ledger, wal, guard_log);
    Ok(Opened { pipeline, reader, guard, restored, seed })
}

/// Both halves of the guard; none for a full node, or for a key whose guard is lost.
fn open_guard(
    disk: &Arc<dyn Disk>,
    home: &Home,
    key: Option<ValidatorKey>,
    lost_guard: LostGuard,
) -> Result<(Option<Guard>, Option<GuardLog>), OperatorError> {
    let Some(key) = key else { return Ok((None, None)) };
    match (Guard::open(Arc::clone(disk), &home.guard_file(), key, Create::Forbidden), lost_guard) {
        (Ok((guard, log, _)), _) => Ok((Some(guard), Some(log))),
        (Err(GuardError::Missing { path }), LostGuard::Rejoin) => {
            let path = path.display();
            tracing::warn!(%path, "no guard: asking the other validators how far they are, signing nothing meanwhile");
            Ok((None, None))
        }
        (Err(error @ GuardError::Missing { .. }), LostGuard::DoNotSign) => {
            tracing::error!(%error, hint = error.hint(), "this node does not sign");
            Ok((None, None))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// The incarnation up to which a rejoin closed the own lane.
fn own_closed(guard: &Guard) -> Option<Incarnation> {
    let (incarnation, seq, _) = guard.marks().last_own_batch()?;
    (seq == Seq(u64::MAX)).then_some(incarnation)
}

/// The state after the newest slot: from the last checkpoint, then slot by slot; and the outcomes that the ledger lacks.
fn execute_again(
    slots: &Slots,
    genesis: &Arc<Genesis>,
    salt: u64,
) -> Result<(Executor, Vec<ExecutedRecord>), OperatorError> {
    let refuse = |error: &dyn std::fmt::Display| {
        OperatorError::new(ExitCode::Io, "the ledger does not execute to what it says")
            .cause(error)
            .hint("moving ledger/ and index/ away makes the node fetch them again; keep state/")
    };
    let ledger = slots.ledger();
    let checkpoint = ledger.last_checkpoint()?;
    let executor = match &checkpoint {
        Some((_, bytes)) => {
            Executor::from_checkpoint(genesis, bytes).map_err(|error| refuse(&error))?
        }
        None => Executor::genesis(genesis).map_err(|error| refuse(&error))?,
    };
    let mut executor = executor.with_lookup_salt(salt);
    while let Some((first, _)) = executor.window_missing() {
        let record = slots.executed(first).map_err(|error| broken(&error))?;
        executor.load_window(&record).map_err(|error| refuse(&error))?;
    }
    let tip = ledger.tip().unwrap_or(Height::GENESIS);
    let mut outcomes = Vec::new();
    while executor.height() < tip {
        let height = executor.height().next();
        let decided = slots.decided_slot(height).map_err(|error| broken(&error))?;
        match slots.executed(height) {
            Ok(record) => {
                executor.replay(&decided, &record).map_err(|error| refuse(&error))?;
            }
            Err(SlotError::Absent(_)) => {
                let executed = executor.execute(&decided).map_err(|error| refuse(&error))?;
                outcomes.push(executed.record);
            }
            Err(error) => return Err(broken(&error)),
        }
    }
    Ok((executor, outcomes))
}

/// The newest height up to which all are sealed, and the unsealed headers above it, as far back as is looked.
fn seals_of(slots: &Slots, tip: Height) -> Result<(Height, Vec<SlotHeader>), OperatorError> {
    let first = slots.ledger().first().unwrap_or(Height(1)).max(tip.minus(UNSEALED_LOOK_BACK));
    let mut unsealed = Vec::new();
    let mut height = first.max(Height(1));
    while height <= tip {
        if slots.sealed(height).map_err(|error| broken(&error))?.is_none() {
            match slots.executed(height) {
                Ok(record) => unsealed.push(record.header),
                Err(SlotError::Absent(_)) => {}
                Err(error) => return Err(broken(&error)),
            }
        }
        height = height.next();
    }
    let sealed = unsealed.first().map_or(tip, |header: &SlotHeader| header.height.prev());
    Ok((sealed, unsealed))
}

fn undecided(reader: &LedgerReader, chain_id: u64) -> Vec<Arc<Batch>> {
    let batch = |digest: &Hash| {
        let stored = reader.batch(digest).ok().flatten()?;
        Batch::from_stored(chain_id, stored.frame).ok().map(Arc::new)
    };
    reader.undecided().iter().filter_map(|key| batch(&key.digest)).collect()
}

/// Marks of own batches, and of acknowledgements of these batches.
fn batch_marks(guard: &Guard, undecided: &[Arc<Batch>]) -> Vec<Mark> {
    let own = guard.marks().own_batches().map(|(incarnation, seq, digest)| Mark {
        place: MarkPlace::OwnBatch { incarnation, seq },
        digest,
    });
    let acks = undecided.iter().filter_map(|batch| {
        let position = batch.position();
        let digest = guard.marks().ack_at(&position.lane, position.incarnation, position.seq)?;
        Some(Mark { place: MarkPlace::Ack { position }, digest })
    });
    own.chain(acks).collect()
}

/// Marks of votes from a height on.
fn vote_marks(guard: &Guard, from: Height) -> BTreeMap<Height, Vec<Mark>> {
    let newest = guard.marks().vote_height();
    let mut marks = BTreeMap::new();
    // The guard keeps marks of its newest two heights.
    for height in [newest.prev(), newest].into_iter().filter(|height| *height >= from) {
        marks.insert(height, vote_marks_at(guard, height));
    }
    marks
}

fn vote_marks_at(guard: &Guard, height: Height) -> Vec<Mark> {
    let mark = |(round, step, digest)| {
        let place = match step {
            Step::Propose => MarkPlace::Proposal { height, round },
            Step::Prevote => MarkPlace::Vote { height, round, kind: VoteKind::Prevote },
            Step::Precommit => MarkPlace::Vote { height, round, kind: VoteKind::Precommit },
        };
        Mark { place, digest }
    };
    guard.marks().votes_at(height).map(mark).collect()
}

fn seed(slots: &Slots, restored: &Restored) -> Result<Seed, OperatorError> {
    let executor = &restored.executor;
    let height = executor.height();
    let sealed_state = if restored.sealed == height && height > Height::GENESIS {
        let sealed = slots.sealed(height).map_err(|error| broken(&error))?;
        sealed.map(|SealedHeader { header, seal }| SealedState {
            header,
            seal,
            keystore: executor.keystore().clone(),
        })
    } else {
        None
    };
    Ok(Seed {
        header_id: executor.header_id(),
        order: Arc::new(executor.order().clone()),
        keystore: executor.keystore().clone(),
        head: Head { decided: height, executed: height, sealed: restored.sealed },
        sealed_state,
        undecided: restored.undecided.iter().map(|batch| Undecided::of(batch)).collect(),
    })
}

/// Opens the index and brings it to the ledger's newest slot.
///
/// # Errors
/// Of the index, when not even an empty one can be made.
pub(super) fn open_index(
    home: &Home,
    genesis: &Genesis,
    transactions: bool,
    reader: &LedgerReader,
) -> Result<Index, OperatorError> {
    let slots = Slots::new(genesis.chain_id, reader.clone());
    let tip = reader.tip().unwrap_or(Height::GENESIS);
    let options = IndexOptions { genesis: genesis.hash(), transactions };
    let (index, report) = Index::open(&home.index_folder(), options, tip)?;
    if let Some(reason) = &report.removed {
        tracing::warn!(reason, "the index is built again from the ledger");
    }
    let mut height = report.height.max(reader.first().unwrap_or(Height(1)).prev()).next();
    while height <= tip {
        match slots.executed(height) {
            Ok(record) => index.apply(&indexed(&record))?,
            Err(SlotError::Absent(_)) => break,
            Err(error) => return Err(broken(&error)),
        }
        height = height.next();
    }
    Ok(index)
}

/// What the index takes of a slot.
pub(super) fn indexed(record: &ExecutedRecord) -> IndexedSlot {
    let mut skipped = record.skips.iter().map(|(index, _)| *index).peekable();
    let transactions = (0u32..)
        .zip(&record.prefixes)
        .filter(|(index, _)| skipped.next_if_eq(index).is_none())
        .map(|(index, prefix)| (*prefix, index))
        .collect();
    IndexedSlot { height: record.header.height, header_id: record.header.id(), transactions }
}
