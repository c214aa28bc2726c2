//! What doors read: the newest state, recent times, undecided batches, and the ledger behind them.
//!
//! Written by the commit thread as notices are released, so that nothing is shown before it is durable.

use super::ground::Clock;
use crate::api::{Head, LevelTimes};
use crate::core::Notice;
use crate::limits::{HEIGHTS_KEPT_MAX, LANE_TIMES_MAX, SEALED_ABOVE_MAX, UNDECIDED_KEPT_MAX};
use rota_keystore::KeystoreState;
use rota_sequencer::Batch;
use rota_sequencer::execution::{ExecutedSlot, OrderState};
use rota_sequencer::order::WindowReader;
use rota_types::{
    Genesis, Hash, Height, LanePosition, Round, Seal, Seq, Slot, SlotHeader, TimestampMs,
    ValidatorKey, ValidatorSet,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;

/// What is remembered of a height.
#[derive(Clone, Debug, Default)]
pub(super) struct HeightInfo {
    pub(super) slot: Slot,
    pub(super) round: Round,
    pub(super) times: LevelTimes,
}

/// What is remembered of a lane.
#[derive(Debug, Default)]
pub(super) struct LaneInfo {
    pub(super) certified: Seq,
    pub(super) received_at: BTreeMap<Seq, TimestampMs>,
    pub(super) certified_at: BTreeMap<Seq, TimestampMs>,
    /// Decided tip → height.
    pub(super) decided: BTreeMap<Seq, Height>,
}

impl LaneInfo {
    fn trim(&mut self) {
        for times in [&mut self.received_at, &mut self.certified_at] {
            while times.len() > LANE_TIMES_MAX {
                times.pop_first();
            }
        }
        while self.decided.len() > HEIGHTS_KEPT_MAX {
            self.decided.pop_first();
        }
    }

    /// When the batch at `seq` was certified: with it or with a later one.
    fn certified_time(&self, seq: Seq) -> Option<TimestampMs> {
        self.certified_at.range(seq..).next().map(|(_, at)| *at)
    }
}

/// Ids of a batch that is not executed yet; its body is in the ledger.
pub(super) struct Undecided {
    pub(super) position: LanePosition,
    pub(super) digest: Hash,
    ids: Vec<Hash>,
}

impl Undecided {
    pub(super) fn of(batch: &Batch) -> Self {
        let ids = batch.body().ids().collect();
        Self { position: batch.position(), digest: batch.digest(), ids }
    }
}

/// A sealed height with the keystore state under it: what account proofs are made from.
#[derive(Clone)]
pub(super) struct SealedState {
    pub(super) header: SlotHeader,
    pub(super) seal: Seal,
    pub(super) keystore: KeystoreState,
}

/// The part that changes.
pub(super) struct State {
    pub(super) header_id: Hash,
    pub(super) order: Arc<OrderState>,
    pub(super) keystore: KeystoreState,
    pub(super) heights: BTreeMap<Height, HeightInfo>,
    pub(super) lanes: BTreeMap<ValidatorKey, LaneInfo>,
    pub(super) undecided: BTreeMap<(ValidatorKey, Seq), Arc<Undecided>>,
    /// Sealed heights above the newest one up to which all are sealed.
    pub(super) sealed_above: BTreeSet<Height>,
    /// Keystore states of executed heights that are not sealed yet.
    pub(super) unsealed: BTreeMap<Height, KeystoreState>,
    pub(super) sealed_state: Option<SealedState>,
    pub(super) evidence: Vec<String>,
    pub(super) guard_refusals: u64,
}

/// See the module's documentation.
pub struct View {
    pub(super) genesis: Arc<Genesis>,
    pub(super) genesis_hash: Hash,
    pub(super) validators: ValidatorSet,
    /// Ids ordered in the validity window, as execution holds them.
    pub(super) window: WindowReader,
    pub(super) clock: Arc<dyn Clock>,
    state: RwLock<State>,
    head: watch::Sender<Head>,
    change: watch::Sender<u64>,
}

/// Where the state starts from.
pub(super) struct Seed {
    pub(super) header_id: Hash,
    pub(super) order: Arc<OrderState>,
    pub(super) keystore: KeystoreState,
    pub(super) head: Head,
    pub(super) sealed_state: Option<SealedState>,
    pub(super) undecided: Vec<Undecided>,
}

impl View {
    pub(super) fn new(
        genesis: Arc<Genesis>,
        validators: ValidatorSet,
        window: WindowReader,
        seed: Seed,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut unsealed = BTreeMap::new();
        if seed.head.sealed < seed.head.executed {
            unsealed.insert(seed.head.executed, seed.keystore.clone());
        }
        Self {
            genesis_hash: genesis.hash(),
            genesis,
            validators,
            window,
            clock,
            state: RwLock::new(State {
                header_id: seed.header_id,
                order: seed.order,
                keystore: seed.keystore,
                heights: BTreeMap::new(),
                lanes: BTreeMap::new(),
                undecided: seed
                    .undecided
                    .into_iter()
                    .map(|batch| ((batch.position.lane, batch.position.seq), Arc::new(batch)))
                    .collect(),
                sealed_above: BTreeSet::new(),
                unsealed,
                sealed_state: seed.sealed_state,
                evidence: Vec::new(),
                guard_refusals: 0,
            }),
            head: watch::channel(seed.head).0,
            change: watch::channel(0).0,
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the node is, as far as durable.
    #[must_use]
    pub fn head(&self) -> Head {
        *self.head.borrow()
    }

    pub(super) fn subscribe_head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    /// Wakes at every change that a waiter may look for.
    pub(super) fn subscribe_changes(&self) -> watch::Receiver<u64> {
        self.change.subscribe()
    }

    fn changed(&self) {
        self.change.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A batch was stored.
    pub fn on_batch(&self, batch: Arc<Batch>) {
        let position = batch.position();
        let mut state = self.write();
        let lane = state.lanes.entry(position.lane).or_default();
        lane.received_at.entry(position.seq).or_insert_with(|| self.clock.now());
        lane.trim();
        let decided = lane.decided.last_key_value().is_some_and(|(seq, _)| *seq >= position.seq);
        if !decided {
            let key = (position.lane, position.seq);
            state.undecided.insert(key, Arc::new(Undecided::of(&batch)));
            while state.undecided.len() > UNDECIDED_KEPT_MAX {
                state.undecided.pop_first();
            }
        }
    }

    /// Takes a notice in.
    pub fn on_notice(&self, notice: Notice) {
        match notice {
            Notice::Authored { .. } => {}
            Notice::Certified { position } => self.on_certified(position),
            Notice::Ordered { height, slot, round, tips } => {
                self.on_ordered(height, slot, round, &tips);
            }
            Notice::Executed(executed) => self.on_executed(*executed),
            Notice::Sealed { height, header, seal } => self.on_sealed(height, *header, *seal),
            // Counted and logged by `telemetry`; nothing here asks for them.
            Notice::NilVote { .. }
            | Notice::Halted { .. }
            | Notice::Alarm { .. }
            | Notice::RejoinTarget { .. } => {}
            Notice::GuardRefused => self.write().guard_refusals += 1,
            Notice::Evidence { culprit, what } => {
                self.write().evidence.push(format!("{culprit}: {what}"));
            }
        }
    }

    fn on_certified(&self, position: LanePosition) {
        let mut state = self.write();
        let lane = state.lanes.entry(position.lane).or_default();
        lane.certified = lane.certified.max(position.seq);
        lane.certified_at.entry(position.seq).or_insert_with(|| self.clock.now());
        lane.trim();
        drop(state);
        self.changed();
    }

    fn on_ordered(&self, height: Height, slot: Slot, round: Round, tips: &[LanePosition]) {
        let now = self.clock.now();
        let mut state = self.write();
        let info = state.heights.entry(height).or_default();
        info.slot = slot;
        info.round = round;
        info.times.ordered = Some(now);
        while state.heights.len() > HEIGHTS_KEPT_MAX {
            state.heights.pop_first();
        }
        for tip in tips {
            let lane = state.lanes.entry(tip.lane).or_default();
            lane.decided.insert(tip.seq, height);
            lane.certified = lane.certified.max(tip.seq);
            lane.trim();
        }
        drop(state);
        self.head.send_modify(|head| head.decided = head.decided.max(height));
        self.changed();
    }

    fn on_executed(&self, executed: ExecutedSlot) {
        let height = executed.header.height;
        let mut state = self.write();
        for batch in &executed.record.batches {
            state.undecided.remove(&(batch.position.lane, batch.position.seq));
        }
        state.header_id = executed.header_id;
        state.order = executed.order;
        state.keystore = executed.keystore.clone();
        state.unsealed.insert(height, executed.keystore);
        while state.unsealed.len() > HEIGHTS_KEPT_MAX {
            state.unsealed.pop_first();
        }
        drop(state);
        self.head.send_modify(|head| head.executed = head.executed.max(height));
        self.changed();
    }

    fn on_sealed(&self, height: Height, header: SlotHeader, seal: Seal) {
        let mut state = self.write();
        state.heights.entry(height).or_default().times.sealed = Some(self.clock.now());
        let later = state.unsealed.split_off(&height.next());
        let mut upto = std::mem::replace(&mut state.unsealed, later);
        let newest = state.sealed_state.as_ref().is_none_or(|old| old.header.height < height);
        if let Some(keystore) = upto.remove(&height).filter(|_| newest) {
            state.sealed_state = Some(SealedState { header, seal, keystore });
        }
        state.sealed_above.insert(height);
        let mut sealed = self.head().sealed;
        // A seal covers every height below it by its header's parents: a height whose own seal nobody has does not
        // hold up the rest for ever.
        if state.sealed_above.len() > SEALED_ABOVE_MAX
            && let Some(first) = state.sealed_above.first()
        {
            sealed = first.prev();
        }
        while state.sealed_above.remove(&sealed.next()) {
            sealed = sealed.next();
        }
        drop(state);
        self.head.send_modify(|head| head.sealed = head.sealed.max(sealed));
        self.changed();
    }

    /// Height at which a place of a lane was decided, as far as remembered.
    pub(super) fn height_of(&self, lane: &ValidatorKey, seq: Seq) -> Option<Height> {
        let state = self.read();
        state.lanes.get(lane)?.decided.range(seq..).next().map(|(_, height)| *height)
    }

    /// Times of a batch and of its height.
    pub(super) fn times(&self, position: &LanePosition, height: Option<Height>) -> LevelTimes {
        let state = self.read();
        let mut times = height
            .and_then(|height| state.heights.get(&height))
            .map(|info| info.times)
            .unwrap_or_default();
        if let Some(lane) = state.lanes.get(&position.lane) {
            times.received = lane.received_at.get(&position.seq).copied();
            times.certified = lane.certified_time(position.seq);
        }
        // A slot decided before its certificate was seen here was certified by then.
        times.certified = match (times.certified, times.ordered) {
            (Some(certified), Some(ordered)) => Some(certified.min(ordered)),
            (None, ordered) => ordered,
            (certified, None) => certified,
        };
        times
    }

    /// Whether a place is certified.
    pub(super) fn is_certified(&self, position: &LanePosition) -> bool {
        let state = self.read();
        state.lanes.get(&position.lane).is_some_and(|lane| lane.certified >= position.seq)
    }

    /// An undecided batch that holds this transaction, and its index in it. Looks through copies of the list, so that
    /// strangers' look-ups never make the commit thread wait.
    pub(super) fn find_undecided(&self, id: &Hash) -> Option<(Arc<Undecided>, usize)> {
        let batches: Vec<Arc<Undecided>> = self.read().undecided.values().cloned().collect();
        batches.into_iter().find_map(|batch| {
            let index = batch.ids.iter().position(|other| other == id)?;
            Some((batch, index))
        })
    }
}
