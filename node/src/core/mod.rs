//! The node's core: consensus driver, lanes, mempool, slot desk, seals and catch-up as one value without I/O.
//!
//! ```text
//!  Input ─► Core::step ─► queue of events for the parts ─► … until it is empty ─► effects
//!             │  driver  ── Build/Check/CheckTimely ──► desk over lanes
//!             │  driver  ── Decided ──► Assembly ──► StoreDecided, Execute ──► (executor thread) ──► Input::Executed
//!             │  lanes   ── Store, Certified, Receipt …
//!             │  seals   ── Sealed
//!             └  catchup ── a verified slot ──► the same road as a decision of the own driver
//! ```
//!
//! A step's effects are in three runs: ledger and log entries, then guard marks, then what leaves. So the one rule
//! holds by order alone: what must be durable is durable before anything that depends on it leaves the machine.
//!
//! It owns no socket, file, clock or thread; the shell and the simulator drive the same value.

mod agreement;
mod door;
mod event;
mod gate;
mod lanes;
mod rejoin;
mod slots;
mod sync;
#[cfg(test)]
mod tests;
mod wants;

pub use event::{AskProtocol, Bundle, Effect, FrameClass, Input, Notice};
pub use gate::SigningGate;
pub use rejoin::RejoinSeed;

use crate::guard::Floor;
use crate::limits::{EVIDENCE_KEPT_MAX, FETCH_RETRY_MS};
use agreement::Pending;
use bytes::Bytes;
use rejoin::Raise;
use rota_consensus::Driver;
use rota_keystore::KeystoreState;
use rota_sequencer::admission::{Rollups, WorkBudget};
use rota_sequencer::catchup::{self, CatchUp};
use rota_sequencer::execution::{Assembly, DecidedSlot, DecidedTips, Executor, OrderState};
use rota_sequencer::lanes::{self as lane, Lanes, LanesConfig};
use rota_sequencer::mempool::{self, Mempool, MempoolConfig};
use rota_sequencer::rejoin::Rejoin;
use rota_sequencer::seals::{self, Seals};
use rota_sequencer::slot::{Parent, SlotDesk, Work};
use rota_sequencer::{Batch, LaneTip};
use rota_types::evidence::Evidence;
use rota_types::genesis::Timing;
use rota_types::{
    Gate, Genesis, Hash, Height, Incarnation, LanePosition, Mark, Slot, SlotHeader, TimestampMs,
    TxId, TypesError, ValidatorKey, ValidatorSet,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use wants::Wants;

/// What a restart gives back.
pub struct Restored {
    /// State after the newest slot of the ledger; its replay window is loaded.
    pub executor: Executor,
    /// Newest height up to which all are sealed.
    pub sealed: Height,
    /// Batches of the ledger that are in no decided slot.
    pub undecided: Vec<Arc<Batch>>,
    /// Marks that the guard keeps: of own batches, and of acknowledgements of undecided ones.
    pub batch_marks: Vec<Mark>,
    /// The own lane is closed up to and with this incarnation, as the guard says after a rejoin.
    pub own_closed: Option<Incarnation>,
    /// A key without its guard that is to sign again; the gate is closed then.
    pub rejoin: Option<RejoinSeed>,
    /// Marks of votes above the newest height of the ledger, by height.
    pub vote_marks: BTreeMap<Height, Vec<Mark>>,
    /// Highest height that this key voted on, as the guard remembers.
    pub voted: Height,
    /// Entries of the write-ahead logs above the newest height, by height: a ledger that lost its tail meets them again.
    pub wals: BTreeMap<Height, Vec<Bytes>>,
    /// Headers that are executed but not sealed yet, ascending.
    pub unsealed: Vec<SlotHeader>,
    /// Drawn by the shell.
    pub lookup_salt: [u8; 16],
}

/// Whether an id was ordered within the validity window, as the doors remember it.
pub type Known = Arc<dyn Fn(&TxId) -> bool + Send + Sync>;

/// An event for one part, waiting for its turn in the step.
enum Todo {
    Driver(rota_consensus::Event),
    Lanes(lane::Event),
    Pool(mempool::Event),
    Seals(seals::Event),
    Recheck,
    Assemble,
    Catchup(catchup::Event),
    Rejoin(rota_sequencer::rejoin::Event),
}

/// See the module's documentation.
pub struct Core {
    chain_id: u64,
    timing: Timing,
    validators: ValidatorSet,
    genesis: Arc<Genesis>,
    rollups: Rollups,
    gate: SigningGate,
    driver: Option<Driver>,
    lanes: Lanes,
    pool: Mempool,
    /// What gossip asked of this thread in the current second.
    gossip_work: WorkBudget,
    desk: SlotDesk,
    seals: Seals,
    catchup: CatchUp,
    /// Bodies that are asked for.
    wants: Wants,
    /// The key that lost its guard, and how far the lines for it are.
    rejoin: Option<(ValidatorKey, Rejoin)>,
    /// The operation that opens the own lane again, while it waits for one.
    raise: Option<Raise>,
    /// Newest decided height, in the ledger or on its way there.
    decided: Height,
    decided_slot: Slot,
    tips: DecidedTips,
    /// Newest executed height.
    executed: Height,
    header_id: Hash,
    order: Arc<OrderState>,
    keystore: KeystoreState,
    known: Known,
    /// Bodies of the slot decided last, while some are missing.
    assembly: Option<Assembly>,
    /// Bodies that came with a slot of catch-up, until the driver decided it.
    synced: BTreeMap<Hash, Arc<Batch>>,
    /// Undecided batches in the ledger or on their way there; bounded by what lanes may be ahead.
    stored: BTreeSet<Hash>,
    /// Verified slots of catch-up that wait for their turn; one answer's worth.
    applied: BTreeMap<Height, DecidedSlot>,
    wals: BTreeMap<Height, Vec<Bytes>>,
    vote_marks: BTreeMap<Height, Vec<Mark>>,
    /// When the next note of held certificates is due.
    note_at: TimestampMs,
    validator_peers: BTreeMap<ValidatorKey, u64>,
    /// Proposals that wait for certificates or headers.
    pending: BTreeMap<Hash, Pending>,
    evidence: Vec<Evidence>,
    todo: VecDeque<Todo>,
    durable: Vec<Effect>,
    out: Vec<Effect>,
    stopped: bool,
}

impl Core {
    /// Puts the parts together at the state that the ledger holds, and gives the first effects.
    ///
    /// # Errors
    /// [`TypesError`] if genesis breaks a rule of its own.
    pub fn new(
        now: TimestampMs,
        genesis: Arc<Genesis>,
        gate: SigningGate,
        known: Known,
        restored: Restored,
    ) -> Result<(Self, Vec<Effect>), TypesError> {
        let validators = genesis.validator_set()?;
        let me = gate.validator().filter(|key| validators.contains(key));
        let executor = &restored.executor;
        let (height, slot) = (executor.height(), executor.slot());
        let order = Arc::new(executor.order().clone());
        let config = LanesConfig::new(&genesis, me, restored.lookup_salt)?;
        let mut core = Self {
            chain_id: genesis.chain_id,
            timing: genesis.timing(),
            rollups: Rollups::from_genesis(&genesis),
            driver: me.map(|local| agreement::driver(&genesis, local, restored.voted.next())),
            lanes: Lanes::new(config),
            pool: Mempool::new(MempoolConfig::new(
                genesis.chain_id,
                me,
                validators.clone(),
                genesis.slot_ms,
            )),
            gossip_work: WorkBudget::default(),
            keystore: executor.keystore().clone(),
            known,
            desk: SlotDesk::new(&genesis, validators.clone()),
            seals: Seals::new(genesis.chain_id, validators.clone(), restored.sealed),
            catchup: catch_up(&genesis, &validators, me, &restored),
            wants: Wants::default(),
            rejoin: restored
                .rejoin
                .map(|seed| (seed.key, rejoin::rejoin(&genesis, &validators, seed))),
            raise: None,
            decided: height,
            decided_slot: slot,
            tips: DecidedTips::of(executor.order()),
            executed: height,
            header_id: executor.header_id(),
            order,
            assembly: None,
            synced: BTreeMap::new(),
            stored: restored.undecided.iter().map(|batch| batch.digest()).collect(),
            applied: BTreeMap::new(),
            wals: BTreeMap::new(),
            vote_marks: BTreeMap::new(),
            note_at: now,
            validator_peers: BTreeMap::new(),
            pending: BTreeMap::new(),
            evidence: Vec::new(),
            todo: VecDeque::new(),
            durable: Vec::new(),
            out: Vec::new(),
            stopped: false,
            validators,
            genesis,
            gate,
        };
        core.restore(restored);
        let effects = core.run(now);
        Ok((core, effects))
    }

    fn restore(&mut self, restored: Restored) {
        self.wals = restored.wals;
        self.vote_marks = restored.vote_marks;
        let recovered = lane::Recovered {
            terms: self.order.terms(),
            decided: Vec::new(),
            batches: restored.undecided,
            marks: restored.batch_marks,
            own_closed: restored.own_closed,
        };
        self.tell_rejoin(rota_sequencer::rejoin::Event::Executed {
            height: self.executed,
            terms: self.order.terms(),
        });
        self.todo.push_back(Todo::Lanes(lane::Event::Recovered(Box::new(recovered))));
        for header in restored.unsealed {
            self.todo.push_back(Todo::Seals(seals::Event::Executed { header: Box::new(header) }));
        }
        if let Some(header) = restored.executor.header() {
            let executed = [(header.height.prev(), header.parent), (header.height, header.id())];
            for (height, header_id) in executed {
                let event = rota_consensus::Event::Executed { height, header_id };
                self.todo.push_back(Todo::Driver(event));
            }
        }
        self.start_height();
    }

    /// Takes one event; the effects are to be carried out in order.
    pub fn step(&mut self, now: TimestampMs, input: Input) -> Vec<Effect> {
        if self.stopped {
            return Vec::new();
        }
        self.take(now, input);
        self.run(now)
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn deadline(&self, now: TimestampMs) -> TimestampMs {
        let pending = self.pending.values().map(|p| p.asked.plus(FETCH_RETRY_MS)).min();
        let driver = self.driver.as_ref().and_then(Driver::deadline);
        [
            driver,
            self.lanes.deadline(),
            self.pool.deadline(),
            self.seals.deadline(),
            self.catchup.deadline(),
            self.rejoin.as_ref().and_then(|(_, rejoin)| rejoin.deadline()),
            self.raise_deadline(),
            pending,
        ]
        .into_iter()
        .flatten()
        .fold(self.note_at.max(now), TimestampMs::min)
    }

    fn take(&mut self, now: TimestampMs, input: Input) {
        match input {
            Input::Tick => {}
            Input::Submit { token, list } => self.on_submit(token, list),
            Input::Gossip { token, peer, bundle } => self.on_gossip(now, token, peer, bundle),
            Input::Batch { from, batch } => self.on_batch(from, batch),
            Input::Frame { from, class, bytes } => self.on_frame(from, class, bytes),
            Input::Connected { validator } => {
                self.todo.push_back(Todo::Lanes(lane::Event::Connected { validator }));
                self.todo.push_back(Todo::Driver(rota_consensus::Event::Connected { validator }));
                self.todo.push_back(Todo::Seals(seals::Event::Connected { validator }));
            }
            Input::Disconnected { validator } => {
                self.todo.push_back(Todo::Lanes(lane::Event::Disconnected { validator }));
            }
            Input::PeerUp { peer, validator } => self.on_peer_up(peer, validator),
            Input::PeerDown { peer } => self.on_peer_down(peer),
            Input::Answer { question, bytes } => self.on_answer(question, bytes),
            Input::Executed { executed, checkpoint } => self.on_executed(*executed, checkpoint),
            Input::ExecutionFailed { reason } => self.fatal(reason),
        }
    }

    /// Runs the parts until nothing is left to do, and what is due.
    fn run(&mut self, now: TimestampMs) -> Vec<Effect> {
        self.run_todo(now);
        self.run_due(now);
        self.run_todo(now);
        let mut effects = std::mem::take(&mut self.durable);
        effects.extend(self.gate.take_records().into_iter().map(Effect::Guard));
        if self.gate.validator().is_none() {
            // Streams between validators are closed to others: a full node asks, and learns by catch-up.
            self.out.retain(|effect| !effect.is_direct());
        }
        effects.append(&mut self.out);
        effects
    }

    fn run_todo(&mut self, now: TimestampMs) {
        while let Some(todo) = self.todo.pop_front() {
            if self.stopped {
                self.todo.clear();
                return;
            }
            match todo {
                Todo::Driver(event) => self.drive(now, event),
                Todo::Lanes(event) => {
                    let effects = self.lanes.step(now, event, &mut self.gate);
                    self.on_lane_effects(effects);
                }
                Todo::Pool(event) => {
                    let effects = self.pool.step(now, event);
                    self.on_pool_effects(effects);
                }
                Todo::Seals(event) => {
                    let signs = self.gate.validator().is_some();
                    let gate = signs.then_some(&mut self.gate as &mut dyn Gate);
                    let effects = self.seals.step(now, event, gate);
                    self.on_seal_effects(effects);
                }
                Todo::Recheck => self.recheck(now),
                Todo::Assemble => self.assemble(),
                Todo::Catchup(event) => self.catch_up(now, event),
                Todo::Rejoin(event) => self.step_rejoin(now, event),
            }
        }
    }

    /// What is due by the clock; each part knows whether it is.
    fn run_due(&mut self, now: TimestampMs) {
        if self.note_at <= now {
            let effects = self.lanes.verify_now(now, &mut self.gate);
            self.on_lane_effects(effects);
            if self.desk.tick(now, &self.lanes).is_some() {
                let to = self.next_proposers();
                self.todo.push_back(Todo::Lanes(lane::Event::ShareTips { to }));
            }
            self.note_at = self.desk.deadline(now);
        }
        let due = |at: Option<TimestampMs>| at.is_some_and(|at| at <= now);
        if due(self.driver.as_ref().and_then(Driver::deadline)) {
            self.todo.push_back(Todo::Driver(rota_consensus::Event::Tick));
        }
        if due(self.lanes.deadline()) {
            self.todo.push_back(Todo::Lanes(lane::Event::Tick));
        }
        if self.pool.usage().0 > 0 {
            self.run_pool(now);
        }
        if due(self.seals.deadline()) {
            self.todo.push_back(Todo::Seals(seals::Event::Tick));
        }
        if due(self.catchup.deadline()) {
            self.todo.push_back(Todo::Catchup(catchup::Event::Tick));
            self.feed_applied();
        }
        if due(self.rejoin.as_ref().and_then(|(_, rejoin)| rejoin.deadline())) {
            self.todo.push_back(Todo::Rejoin(rota_sequencer::rejoin::Event::Tick));
        }
        self.run_raise(now);
        if self.pending.values().any(|p| p.asked.plus(FETCH_RETRY_MS) <= now) {
            self.todo.push_back(Todo::Recheck);
        }
    }

    /// The parent that proposals of the next height must name, once it is executed here.
    fn work(&self) -> Work<'_> {
        let parent = (self.executed == self.decided)
            .then(|| Parent { header_id: self.header_id, order: &self.order });
        Work { height: self.decided.next(), parent_slot: self.decided_slot, parent }
    }

    fn notice(&mut self, notice: Notice) {
        self.out.push(Effect::Notice(notice));
    }

    fn fatal(&mut self, reason: String) {
        self.stopped = true;
        self.out.push(Effect::Fatal { reason });
    }

    fn add_evidence(&mut self, evidence: Evidence) {
        let known = self.evidence.iter().any(|other| self.order.same_offence(other, &evidence));
        if known || !self.order.accepts(&evidence, &self.validators) {
            return;
        }
        let what = format!("{evidence:?}").chars().take(400).collect();
        self.notice(Notice::Evidence { culprit: evidence.culprit(), what });
        if self.evidence.len() < EVIDENCE_KEPT_MAX {
            self.evidence.push(evidence);
        }
    }

    /// Closes acknowledgement marks below what is decided for good, so that the guard stays bounded.
    fn raise_floors(&mut self, tips: &[LaneTip]) {
        for tip in tips {
            let LanePosition { lane, incarnation, seq } = tip.position;
            if Some(lane) != self.gate.validator() {
                self.gate.raise(Floor::Ack { lane, incarnation, seq });
            }
        }
    }

    /// Signatures that the guard refused since start.
    #[must_use]
    pub const fn guard_refusals(&self) -> u64 {
        self.gate.refused()
    }

    /// The lanes, for views.
    #[must_use]
    pub const fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The driver, for views.
    #[must_use]
    pub const fn driver(&self) -> Option<&Driver> {
        self.driver.as_ref()
    }

    /// The catch-up, for views.
    #[must_use]
    pub const fn catchup(&self) -> &CatchUp {
        &self.catchup
    }

    /// The desk and its notes, for views.
    #[must_use]
    pub const fn desk(&self) -> &SlotDesk {
        &self.desk
    }

    /// The mempool, for views.
    #[must_use]
    pub const fn pool(&self) -> &Mempool {
        &self.pool
    }
}

fn catch_up(
    genesis: &Genesis,
    validators: &ValidatorSet,
    me: Option<ValidatorKey>,
    restored: &Restored,
) -> CatchUp {
    let executor = &restored.executor;
    let (chain_id, set) = (genesis.chain_id, validators.clone());
    let config = match me {
        Some(_) => catchup::Config::validator(chain_id, set, genesis.slot_ms),
        None => catchup::Config::full_node(chain_id, set, genesis.slot_ms),
    };
    let unsealed = restored.unsealed.iter().map(|header| (header.height, header.id())).collect();
    let start = catchup::Start {
        decided: executor.height(),
        slot: executor.slot(),
        tips: DecidedTips::of(executor.order()),
        executed: executor.height(),
        unsealed,
    };
    CatchUp::new(config, start)
}
