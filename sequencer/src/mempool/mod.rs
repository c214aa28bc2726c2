//! The mempool: gossiped transactions that wait until it is this validator's turn to batch them.
//!
//! ```text
//! judge_bundle ─► offer ─► waits rank × max(slot/8, 4 × certification) ─► Take ─► Lanes (Origin::Pool)
//!                            │ clock starts once more, two slots later, when a stored batch holds it
//!                            └► gone: ordered, expired, or evicted for a rollup below its share
//! ```
//!
//! A transaction given by RPC never comes here: its receiver batches it. The pool is bounded in bytes and
//! transactions, shared among rollups and within them among sources, and takes at most 2 MB/s, where a small
//! transaction counts by the work of its rank. It reads no clock: `now` and the slot are given.
//!
//! # Deviations
//!
//! - The design restarts the clock at the stored batch; with slots longer than a rank's patience each rank then added a
//!   copy before the slot was decided. Two slots are what a certified batch needs at most to be in a decided slot.
//!
//! Rules: docs/protocol.md, *Who batches a gossiped transaction*.

mod rank;
mod shares;

pub use rank::rank;

use crate::batch::Batch;
use crate::limits::{
    GOSSIP_BURST_BYTES_MAX, GOSSIP_BYTES_PER_MS_MAX, GOSSIP_SCORE_BYTES, GOSSIP_TX_BYTES_MIN,
    MEMPOOL_BYTES_MAX, MEMPOOL_ENTRY_BYTES, MEMPOOL_SHARE_DIVISOR, MEMPOOL_TAKE_BYTES_MAX,
    MEMPOOL_TXS_MAX, STORED_PATIENCE_SLOTS,
};
use rota_types::transaction::TxView;
use rota_types::{
    Refusal, RefusalCode, RollupId, Slot, TimestampMs, TransactionList, TxId, ValidatorKey,
    ValidatorSet,
};
use shares::{Load, Shares};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the pool needs to know once.
#[derive(Clone, Debug)]
pub struct MempoolConfig {
    /// In the ranks.
    pub chain_id: u64,
    /// The own validator key; without one the pool only relays and never takes.
    pub me: Option<ValidatorKey>,
    /// Ranked by weight.
    pub validators: ValidatorSet,
    /// Length of a slot in milliseconds.
    pub slot_ms: u64,
    /// Most bytes held, entries' own cost included ([`MEMPOOL_BYTES_MAX`]).
    pub bytes_max: u64,
    /// Most transactions held ([`MEMPOOL_TXS_MAX`]).
    pub txs_max: u64,
}

impl MempoolConfig {
    /// With the limits of [`crate::limits`].
    #[must_use]
    pub const fn new(
        chain_id: u64,
        me: Option<ValidatorKey>,
        validators: ValidatorSet,
        slot_ms: u64,
    ) -> Self {
        let (bytes_max, txs_max) = (MEMPOOL_BYTES_MAX, MEMPOOL_TXS_MAX);
        Self { chain_id, me, validators, slot_ms, bytes_max, txs_max }
    }
}

/// An event for the pool.
#[derive(Clone, Debug)]
pub enum Event {
    /// A batch was stored, own or another's.
    Stored(Arc<Batch>),
    /// A slot was executed: 16-byte prefixes of the ids that need no further place
    /// ([`crate::execution::ExecutedRecord::settled`]).
    Ordered(Vec<[u8; 16]>),
    /// The clock entered a slot.
    Slot(Slot),
    /// What the own lane takes now, in bytes (0 at its limits), and its median certification time.
    OwnLane {
        /// Bytes.
        room: u64,
        /// Milliseconds, if any batch was certified yet.
        certification_ms: Option<u64>,
    },
    /// A deadline was reached.
    Tick,
}

/// What the shell does for the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Give these to the own lane ([`crate::lanes::Origin::Pool`]); the pool has let them go.
    Take(TransactionList),
}

/// What became of an offered bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// Transaction bytes kept.
    pub kept_bytes: u64,
    /// What was not kept, by index.
    pub refusals: Vec<(usize, Refusal)>,
}

#[derive(Debug)]
struct Entry {
    list: TransactionList,
    rollup: RollupId,
    source: u64,
    arrival: u64,
    valid_until: Slot,
    rank: u64,
    due: TimestampMs,
    restarted: bool,
}

impl Entry {
    fn load(&self) -> Load {
        load_of(self.list.tx_bytes())
    }
}

const fn load_of(tx_bytes: u64) -> Load {
    Load { bytes: tx_bytes.saturating_add(MEMPOOL_ENTRY_BYTES), txs: 1 }
}

/// The pool.
#[derive(Debug)]
pub struct Mempool {
    config: MempoolConfig,
    entries: BTreeMap<[u8; 16], Entry>,
    arrivals: BTreeMap<u64, [u8; 16]>,
    due: BTreeSet<(TimestampMs, u64)>,
    expiry: BTreeSet<(Slot, u64)>,
    shares: Shares,
    next_arrival: u64,
    room: u64,
    certification_ms: u64,
    /// Bytes that gossip may bring now, and since when that is known.
    allowance: u64,
    allowance_at: TimestampMs,
}

fn prefix(id: &TxId) -> [u8; 16] {
    id.0.first_chunk::<16>().copied().unwrap_or_default()
}

impl Mempool {
    /// An empty pool.
    #[must_use]
    pub const fn new(config: MempoolConfig) -> Self {
        let limit = Load { bytes: config.bytes_max, txs: config.txs_max };
        Self {
            entries: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            due: BTreeSet::new(),
            expiry: BTreeSet::new(),
            shares: Shares::new(limit, MEMPOOL_SHARE_DIVISOR),
            next_arrival: 0,
            room: 0,
            certification_ms: 0,
            allowance: GOSSIP_BURST_BYTES_MAX,
            allowance_at: TimestampMs(0),
            config,
        }
    }

    /// Number of transactions and bytes held, entries' own cost included.
    #[must_use]
    pub const fn usage(&self) -> (u64, u64) {
        let total = self.shares.total();
        (total.txs, total.bytes)
    }

    /// Whether a transaction waits here.
    #[must_use]
    pub fn contains(&self, id: &TxId) -> bool {
        self.entries.contains_key(&prefix(id))
    }

    /// Takes the `admitted` transactions of a gossiped bundle from `source` (a number for a peer or
    /// publisher), as far as rate, shares and room allow.
    pub fn offer(
        &mut self,
        now: TimestampMs,
        source: u64,
        list: &TransactionList,
        admitted: &[usize],
    ) -> Offered {
        self.refill(now);
        let mut offered = Offered::default();
        for index in admitted {
            let Some(view) = list.get(*index) else { continue };
            let bytes = u64::try_from(view.bytes.len()).unwrap_or(u64::MAX);
            let copy = || list.pick(&[*index]);
            match self.take_in(now, source, &view, copy) {
                Ok(()) => offered.kept_bytes = offered.kept_bytes.saturating_add(bytes),
                Err(refusal) => offered.refusals.push((*index, refusal)),
            }
        }
        offered
    }

    fn refill(&mut self, now: TimestampMs) {
        let passed = now.0.saturating_sub(self.allowance_at.0);
        let more = passed.saturating_mul(GOSSIP_BYTES_PER_MS_MAX);
        self.allowance = self.allowance.saturating_add(more).min(GOSSIP_BURST_BYTES_MAX);
        self.allowance_at = self.allowance_at.max(now);
    }

    fn take_in(
        &mut self,
        now: TimestampMs,
        source: u64,
        view: &TxView<'_>,
        copy: impl FnOnce() -> Option<TransactionList>,
    ) -> Result<(), Refusal> {
        let (id, rollup, valid_until) = (view.id, view.rollup, view.valid_until_slot);
        let key = prefix(&id);
        let limited = |(limit, value)| Refusal::at_limit(RefusalCode::Limited, limit, value);
        if self.entries.contains_key(&key) {
            return Err(Refusal::new(RefusalCode::Duplicate));
        }
        let bytes = u64::try_from(view.bytes.len()).unwrap_or(u64::MAX);
        let cost = bytes.max(self.cost_min());
        if cost > self.allowance {
            return Err(limited((self.allowance, cost)));
        }
        let load = load_of(bytes);
        self.shares.check(rollup, source, load).map_err(limited)?;
        while !self.shares.has_room(load) {
            let victim = self.shares.victim(rollup, source);
            let victim = victim.and_then(|arrival| self.arrivals.get(&arrival).copied());
            let full = (self.config.bytes_max, self.shares.total().bytes.saturating_add(bytes));
            let victim = victim.ok_or_else(|| limited(full))?;
            self.remove(&victim);
        }
        let Some(list) = copy() else { return Ok(()) };
        self.allowance = self.allowance.saturating_sub(cost);
        let rank = self.rank_of(&id);
        let due = now.plus(rank.saturating_mul(self.patience_ms()));
        let arrival = self.next_arrival;
        self.next_arrival = self.next_arrival.saturating_add(1);
        self.shares.add(rollup, source, arrival, load);
        self.arrivals.insert(arrival, key);
        self.due.insert((due, arrival));
        self.expiry.insert((valid_until, arrival));
        let restarted = false;
        let entry = Entry { list, rollup, source, arrival, valid_until, rank, due, restarted };
        self.entries.insert(key, entry);
        Ok(())
    }

    /// Bytes of the allowance that the smallest transaction takes: its rank is drawn with a hash per validator.
    fn cost_min(&self) -> u64 {
        let validators = u64::try_from(self.config.validators.len()).unwrap_or(u64::MAX);
        validators.saturating_mul(GOSSIP_SCORE_BYTES).max(GOSSIP_TX_BYTES_MIN)
    }

    fn rank_of(&self, id: &TxId) -> u64 {
        let rank = |me| rank(self.config.chain_id, id, me, &self.config.validators);
        self.config.me.as_ref().map_or(0, |me| u64::try_from(rank(me)).unwrap_or(u64::MAX))
    }

    /// How long each rank before this one gets, in milliseconds.
    const fn patience_ms(&self) -> u64 {
        let slot = self.config.slot_ms / 8;
        let certification = self.certification_ms.saturating_mul(4);
        if slot > certification { slot } else { certification }
    }

    /// Takes one event; gives what the own lane should batch now.
    pub fn step(&mut self, now: TimestampMs, event: Event) -> Vec<Effect> {
        match event {
            Event::Stored(batch) => self.on_stored(now, &batch),
            Event::Ordered(prefixes) => self.remove_all(&prefixes),
            Event::Slot(slot) => self.expire(slot),
            Event::OwnLane { room, certification_ms } => {
                self.room = room;
                self.certification_ms = certification_ms.unwrap_or(self.certification_ms);
            }
            Event::Tick => {}
        }
        self.take_due(now)
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<TimestampMs> {
        let open = self.room > 0 && self.config.me.is_some();
        self.due.first().filter(|_| open).map(|(at, _)| *at)
    }

    fn on_stored(&mut self, now: TimestampMs, batch: &Batch) {
        if self.entries.is_empty() {
            return;
        }
        let patience = self.patience_ms();
        let ordered = self.config.slot_ms.saturating_mul(STORED_PATIENCE_SLOTS);
        let own = Some(batch.position().lane) == self.config.me;
        for id in batch.body().ids() {
            let key = prefix(&id);
            if own {
                self.remove(&key);
                continue;
            }
            let Some(entry) = self.entries.get_mut(&key).filter(|entry| !entry.restarted) else {
                continue;
            };
            entry.restarted = true;
            self.due.remove(&(entry.due, entry.arrival));
            // Someone else's batch holds it: all ranks wait to see it ordered, or every one of them would add a copy.
            entry.due = now.plus(ordered).plus(entry.rank.saturating_mul(patience));
            self.due.insert((entry.due, entry.arrival));
        }
    }

    fn remove_all(&mut self, keys: &[[u8; 16]]) {
        for key in keys {
            if self.entries.is_empty() {
                break;
            }
            self.remove(key);
        }
    }

    fn expire(&mut self, slot: Slot) {
        while let Some((valid_until, arrival)) = self.expiry.first().copied() {
            let Some(key) = self.arrivals.get(&arrival).copied().filter(|_| valid_until < slot)
            else {
                break;
            };
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &[u8; 16]) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.arrivals.remove(&entry.arrival);
        self.due.remove(&(entry.due, entry.arrival));
        self.expiry.remove(&(entry.valid_until, entry.arrival));
        self.shares.remove(entry.rollup, entry.source, entry.arrival, entry.load());
        Some(entry)
    }

    /// Lists of what is due, as far as the own lane has room.
    fn take_due(&mut self, now: TimestampMs) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut lists: Vec<TransactionList> = Vec::new();
        let mut bytes = 0u64;
        while self.deadline().is_some_and(|at| at <= now) {
            let next = self.due.first().and_then(|(_, arrival)| self.arrivals.get(arrival));
            let Some(key) = next.copied() else { break };
            let size = self.entries.get(&key).map_or(0, |entry| entry.list.tx_bytes());
            if size > self.room {
                // The lane's room is told anew when it changes; until then nothing is due.
                self.room = 0;
                break;
            }
            if bytes.saturating_add(size) > MEMPOOL_TAKE_BYTES_MAX {
                flush(&mut effects, &mut lists);
                bytes = 0;
            }
            let Some(entry) = self.remove(&key) else { break };
            self.room = self.room.saturating_sub(size);
            bytes = bytes.saturating_add(size);
            lists.push(entry.list);
        }
        flush(&mut effects, &mut lists);
        effects
    }
}

fn flush(effects: &mut Vec<Effect>, lists: &mut Vec<TransactionList>) {
    let all: Vec<&TransactionList> = lists.iter().collect();
    let limit = rota_types::limits::BATCH_BODY_BYTES_MAX;
    if let Ok((_, list)) = TransactionList::concat(&[], &all, limit) {
        effects.push(Effect::Take(list));
    }
    lists.clear();
}
