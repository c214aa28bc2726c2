//! One simulated machine: a disk, a clock, and, while it is up, a node's parts with the queues between their threads.
//!
//! The queues stand for what connects the threads of a real node, with the same limits and the same order of turns:
//! outcomes of execution, then frames, then a deadline, then bulk.

use super::cast::Identity;
use super::clock::{Clock, Started};
use super::dice::Dice;
use super::roles::{Criminal, Role};
use bytes::Bytes;
use rota_node::core::{Core, Effect, Input};
use rota_node::disk::sim::Tail;
use rota_node::disk::{Item, Pipeline, SimDisk};
use rota_node::error::OperatorError;
use rota_node::guard::{Create, Floor, Guard, GuardLog, Marks, read_records};
use rota_node::home::Home;
use rota_node::ledger::LedgerReader;
use rota_node::limits::{
    COMMIT_GROUP_BYTES, COMMIT_QUEUE_BYTES_MAX, COMMIT_QUEUE_ITEMS_MAX, CORE_BULK_MAX,
    VERIFY_QUEUE_MAX,
};
use rota_node::shell::{Execution, Outward, Parts, Retention, Salts, Server, View, open};
use rota_sequencer::admission::Rollups;
use rota_sequencer::execution::DecidedSlot;
use rota_types::{Genesis, TimestampMs, ValidatorKey, ValidatorSet};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Bytes of ledger that a node keeps: less than a run writes would never prune.
const KEEP_BYTES: u64 = 1024 * 1024 * 1024;

/// A machine of the network.
pub(super) struct Machine {
    /// Keys of a validator; `None` for a full node.
    pub(super) identity: Option<&'static Identity>,
    pub(super) role: Role,
    /// What a Byzantine role keeps.
    pub(super) criminal: Criminal,
    pub(super) disk: SimDisk,
    home: Home,
    pub(super) clock: Clock,
    /// Counts starts and stops: events of an earlier life are void.
    pub(super) life: u64,
    pub(super) running: Option<Running>,
    /// It lost bytes that were synced: it may miss what it acknowledged.
    pub(super) damaged: bool,
    /// It is kept down.
    pub(super) held_down: bool,
    /// How much slower than usual its disk is.
    pub(super) slow_disk: u64,
    /// Faults of its disk that happened before its last start.
    pub(super) disk_failures: u64,
    /// Its power goes during the next commits.
    pub(super) power_fails: bool,
    /// Its process dies after so many effects.
    pub(super) dies_after: Option<u64>,
}

/// A started node.
pub(super) struct Running {
    pub(super) me: Option<ValidatorKey>,
    pub(super) core: Core,
    pub(super) pipeline: Pipeline,
    pub(super) execution: Execution,
    pub(super) reader: LedgerReader,
    pub(super) view: Arc<View>,
    pub(super) server: Server,
    pub(super) rollups: Rollups,
    retention: Retention,
    executed: VecDeque<Input>,
    pub(super) urgent: VecDeque<Input>,
    pub(super) bulk: VecDeque<Input>,
    /// A deadline of the core passed.
    pub(super) tick_due: bool,
    /// When the next look at the core's deadline is set.
    pub(super) tick_at_us: u64,
    /// A turn is set.
    pub(super) turning: bool,
    pub(super) core_free_us: u64,
    /// Ticks in a row at one reading of the clock.
    pub(super) spins: (TimestampMs, u32),
    queue: VecDeque<(u64, Item<Outward>)>,
    queue_bytes: usize,
    /// The group that is being committed.
    pub(super) committing: Option<Vec<Item<Outward>>>,
    pub(super) decided: VecDeque<Box<DecidedSlot>>,
    pub(super) executing: bool,
    /// Batch frames that wait to be parsed, with their sender.
    pub(super) frames: VecDeque<(usize, ValidatorKey, Bytes)>,
    pub(super) parsing: bool,
    /// Peers by the number this life gave them.
    pub(super) peers: BTreeMap<u64, usize>,
    next_peer: u64,
    /// Questions under way, with the peer asked.
    pub(super) asked: BTreeMap<u64, u64>,
    pub(super) next_token: u64,
    /// Gossip messages that wait for a verdict, by token.
    pub(super) verdicts: BTreeMap<u64, usize>,
    /// Submissions that wait for a receipt, by token.
    pub(super) waiting: BTreeMap<u64, usize>,
}

impl Machine {
    /// A machine with an empty disk, and for a validator a guard that has signed nothing.
    pub(super) fn new(
        index: usize,
        identity: Option<&'static Identity>,
        role: Role,
        dice: Dice,
    ) -> Self {
        let (disk, home) = (SimDisk::new(), Home::at(format!("/n{index}")));
        if let Some(identity) = identity {
            Guard::open(disk.shared(), &home.guard_file(), identity.key, Create::New)
                .expect("an empty disk without faults takes a new guard");
        }
        Self {
            identity,
            role,
            criminal: Criminal::new(dice),
            disk,
            home,
            clock: Clock::default(),
            life: 0,
            running: None,
            damaged: false,
            held_down: false,
            slow_disk: 1,
            disk_failures: 0,
            power_fails: false,
            dies_after: None,
        }
    }

    pub(super) fn key(&self) -> Option<ValidatorKey> {
        self.identity.map(|identity| identity.key)
    }

    pub(super) fn is_honest(&self) -> bool {
        self.role == Role::Honest
    }

    /// Starts the node from what the disk holds, and nothing else.
    pub(super) fn boot(
        &mut self,
        now_us: u64,
        genesis: &Arc<Genesis>,
        validators: &ValidatorSet,
        dice: &mut Dice,
    ) -> Result<(), OperatorError> {
        self.disk_failures = self.disk.failures();
        let salts = Salts { files: dice.word(), window: dice.word(), lanes: dice.bytes() };
        let disk = self.disk.shared();
        let stores = open(&disk, &self.home, genesis, self.key(), salts, None)?;
        let secrets = self.identity.map(|identity| (identity.signer(), identity.seal_secret()));
        let clock: Arc<dyn rota_node::shell::Clock> = Arc::new(Started(self.clock.read(now_us)));
        let parts = Parts::assemble(&clock, genesis, validators.clone(), stores, secrets)
            .expect("the genesis of a run keeps its own rules");
        self.life = self.life.saturating_add(1);
        self.running = Some(Running::new(parts, genesis, now_us));
        Ok(())
    }

    /// Ends the node. What was not synced becomes what `tail` says of so many bytes, file by file.
    pub(super) fn stop(&mut self, tail: &mut dyn FnMut(usize) -> Tail) {
        self.running = None;
        self.life = self.life.saturating_add(1);
        self.power_fails = false;
        self.dies_after = None;
        self.disk.crash_with(tail);
    }

    /// Removes what can be fetched again: what the hint of a ledger that cannot be read says.
    pub(super) fn wipe_ledger(&mut self) {
        use rota_node::disk::Disk as _;
        let folder = self.home.ledger_folder();
        for name in self.disk.list(&folder).unwrap_or_default() {
            self.disk.remove(&folder.join(name)).expect("a disk without faults removes a file");
        }
    }

    /// Removes guard and log, and begins a new guard: a crime.
    pub(super) fn forget_signatures(&mut self) {
        use rota_node::disk::Disk as _;
        let Some(key) = self.key() else { return };
        let guard = self.home.guard_file();
        let logs = self.disk.list(&self.home.wal_folder()).unwrap_or_default();
        let logs = logs.into_iter().map(|name| self.home.wal_folder().join(name));
        for path in logs.chain([guard.clone()]) {
            // On a disk in trouble it forgets less.
            self.disk.remove(&path).ok();
        }
        Guard::open(self.disk.shared(), &guard, key, Create::New).ok();
    }

    /// Makes the guard that a rejoin drew the lines for.
    pub(super) fn make_guard(&self, floors: &[Floor]) {
        let Some(key) = self.key() else { return };
        // On a disk in trouble it is not there, and the rejoin begins again.
        GuardLog::create(self.disk.shared().as_ref(), &self.home.guard_file(), key, floors).ok();
    }

    /// What the guard's file holds; `None` if there is none.
    pub(super) fn marks(&self) -> Option<Marks> {
        let (_, records) = read_records(&self.disk, &self.home.guard_file()).ok()?;
        let mut marks = Marks::default();
        records.iter().for_each(|record| marks.record(record));
        Some(marks)
    }

    pub(super) fn ledger_files(&self) -> Vec<std::path::PathBuf> {
        use rota_node::disk::Disk as _;
        let folder = self.home.ledger_folder();
        let names = self.disk.list(&folder).unwrap_or_default();
        names.into_iter().map(|name| folder.join(name)).collect()
    }
}

impl Running {
    fn new(parts: Parts, genesis: &Genesis, now_us: u64) -> Self {
        let Parts { me, core, first, pipeline, execution, reader, view } = parts;
        let mut running = Self {
            me,
            core,
            pipeline,
            execution,
            server: Server::new(reader.clone(), Arc::clone(&view)),
            reader,
            view,
            rollups: Rollups::from_genesis(genesis),
            retention: Retention::new(genesis, KEEP_BYTES),
            executed: VecDeque::new(),
            urgent: VecDeque::new(),
            bulk: VecDeque::new(),
            tick_due: false,
            tick_at_us: u64::MAX,
            turning: false,
            core_free_us: now_us,
            spins: (TimestampMs(0), 0),
            queue: VecDeque::new(),
            queue_bytes: 0,
            committing: None,
            decided: VecDeque::new(),
            executing: false,
            frames: VecDeque::new(),
            parsing: false,
            peers: BTreeMap::new(),
            next_peer: 0,
            asked: BTreeMap::new(),
            next_token: 0,
            verdicts: BTreeMap::new(),
            waiting: BTreeMap::new(),
        };
        running.enqueue(now_us, first);
        running
    }

    /// The next event for the core, in the order in which its thread looks.
    pub(super) fn next_input(&mut self) -> Option<Input> {
        if let Some(input) = self.executed.pop_front().or_else(|| self.urgent.pop_front()) {
            return Some(input);
        }
        if std::mem::take(&mut self.tick_due) {
            return Some(Input::Tick);
        }
        self.bulk.pop_front()
    }

    pub(super) fn has_input(&self) -> bool {
        self.tick_due
            || !(self.executed.is_empty() && self.urgent.is_empty() && self.bulk.is_empty())
    }

    pub(super) fn outcome(&mut self, input: Input) {
        self.executed.push_back(input);
    }

    /// Whether the core must wait for the commit thread.
    pub(super) fn is_full(&self) -> bool {
        self.queue_bytes >= COMMIT_QUEUE_BYTES_MAX || self.queue.len() >= COMMIT_QUEUE_ITEMS_MAX
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.queue_bytes >= COMMIT_QUEUE_BYTES_MAX / 2
            || self.queue.len() >= COMMIT_QUEUE_ITEMS_MAX / 2
    }

    pub(super) fn bulk_has_room(&self) -> bool {
        self.bulk.len() < CORE_BULK_MAX
    }

    /// Queues what a step gave; the step ends at `ready_us`.
    pub(super) fn enqueue(&mut self, ready_us: u64, effects: Vec<Effect>) {
        for item in self.retention.items(&self.core, effects) {
            self.queue_bytes = self.queue_bytes.saturating_add(item.bytes());
            self.queue.push_back((ready_us, item));
        }
    }

    /// When the first queued item may be committed.
    pub(super) fn ready_us(&self) -> Option<u64> {
        self.queue.front().map(|(ready_us, _)| *ready_us)
    }

    /// Takes what is ready into one group, as the commit thread does; its bytes, and whether anything is to be synced.
    pub(super) fn take_group(&mut self, now_us: u64) -> (usize, bool) {
        let (mut group, mut bytes, mut writes) = (Vec::new(), 0usize, false);
        while bytes < COMMIT_GROUP_BYTES
            && self.queue.front().is_some_and(|(ready_us, _)| *ready_us <= now_us)
            && let Some((_, item)) = self.queue.pop_front()
        {
            bytes = bytes.saturating_add(item.bytes());
            writes |= !matches!(item, Item::Release(_));
            group.push(item);
        }
        self.queue_bytes = self.queue_bytes.saturating_sub(bytes);
        self.committing = Some(group);
        (bytes, writes)
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Gives a peer a number.
    pub(super) fn number(&mut self, peer: usize) -> u64 {
        let number = self.next_peer;
        self.next_peer = number.saturating_add(1);
        self.peers.insert(number, peer);
        number
    }

    /// The number of a connected peer.
    pub(super) fn number_of(&self, peer: usize) -> Option<u64> {
        self.peers.iter().rev().find(|(_, other)| **other == peer).map(|(number, _)| *number)
    }

    pub(super) fn token(&mut self) -> u64 {
        self.next_token = self.next_token.saturating_add(1);
        self.next_token
    }

    /// Queues a batch frame for parsing; dropped beyond the limit, as a real node does.
    pub(super) fn take_frame(&mut self, from: usize, author: ValidatorKey, frame: Bytes) -> bool {
        let room = self.frames.len() < VERIFY_QUEUE_MAX;
        if room {
            self.frames.push_back((from, author, frame));
        }
        room
    }
}
