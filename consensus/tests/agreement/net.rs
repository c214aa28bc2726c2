//! A network of drivers: one event heap, one virtual clock, one seeded generator.

use crate::disk::Disk;
use crate::gate::MemoryGate;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rota_consensus::{Config, Driver, Effect, Event, Message, NilReason, Objective, Start};
use rota_types::bls::SealKey;
use rota_types::genesis::Timing;
use rota_types::{
    Ed25519Signer, Hash, Height, MarkPlace, Round, Signer as _, Slot, SlotProposal, TimestampMs,
    Validator, ValidatorKey, ValidatorSet, Weight, keccak256,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

pub(crate) const CHAIN: u64 = 77;
pub(crate) const GENESIS_MS: u64 = 1_000_000;

/// What the sequencer of node `i` answers about a value; `None` = not yet.
pub(crate) type CheckHook = Box<dyn FnMut(usize, &SlotProposal) -> Option<Objective>>;
pub(crate) type TimelyHook = Box<dyn FnMut(usize, &SlotProposal) -> Option<Result<(), NilReason>>>;
/// Whether a message passes from node to node.
pub(crate) type Filter = Box<dyn FnMut(TimestampMs, usize, usize, &Message) -> bool>;

pub(crate) struct Node {
    pub(crate) key: ValidatorKey,
    pub(crate) signer: Arc<Ed25519Signer>,
    pub(crate) driver: Option<Driver>,
    pub(crate) gate: MemoryGate,
    pub(crate) disk: Disk,
    pub(crate) epoch: u64,
    pub(crate) skew_ms: i64,
    pub(crate) execution_ms: u64,
    pub(crate) equivocates: bool,
    /// Crash after this many more applied items.
    pub(crate) crash_in: Option<usize>,
    /// Drops log and guard at the next restart: the planted bug.
    pub(crate) forgetful: bool,
    /// Loses its whole disk at the next restart, and signs again so many heights above the highest worked on.
    pub(crate) loses_disk: Option<u64>,
    tick_at: Option<u64>,
}

enum What {
    Event(usize, u64, Box<Event>),
    Tick(usize, u64),
    Restart(usize),
    Sync(usize),
}

pub(crate) struct Net {
    pub(crate) now: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) set: ValidatorSet,
    pub(crate) timing: Timing,
    pub(crate) check: CheckHook,
    pub(crate) timely: TimelyHook,
    pub(crate) filter: Filter,
    pub(crate) delay_ms: (u64, u64),
    pub(crate) loss_percent: u64,
    /// Restart this long after a crash; `None`: by hand.
    pub(crate) restart_ms: Option<u64>,
    pub(crate) sync_ms: Option<u64>,
    pub(crate) effects: Vec<(u64, usize, Effect)>,
    pub(crate) chain: BTreeMap<Height, Hash>,
    pub(crate) forks: Vec<Height>,
    pub(crate) double_signs: Vec<(usize, MarkPlace)>,
    pub(crate) signed: BTreeMap<(usize, MarkPlace), BTreeSet<Hash>>,
    pub(crate) rng: ChaCha8Rng,
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    slab: BTreeMap<u64, What>,
    sequence: u64,
}

impl Net {
    pub(crate) fn new(weights: &[u64], slot_ms: u64, seed: u64) -> Self {
        let mut signers: Vec<_> = (0..weights.len())
            .map(|i| Arc::new(Ed25519Signer::from_seed(&[i as u8 + 1; 32])))
            .collect();
        signers.sort_by_key(|signer| signer.public_key());
        let validators = signers.iter().zip(weights).map(|(signer, weight)| Validator {
            key: signer.public_key(),
            seal_key: SealKey([0; 96]),
            weight: Weight(*weight),
        });
        let set = ValidatorSet::new(validators.collect()).unwrap();
        let nodes = signers
            .into_iter()
            .map(|signer| Node {
                key: signer.public_key(),
                gate: MemoryGate {
                    signer: Arc::clone(&signer),
                    vote_from: Height(0),
                    durable: BTreeMap::new(),
                    pending: Vec::new(),
                },
                signer,
                driver: None,
                disk: Disk::default(),
                epoch: 0,
                skew_ms: 0,
                execution_ms: 5,
                equivocates: false,
                crash_in: None,
                forgetful: false,
                loses_disk: None,
                tick_at: None,
            })
            .collect();
        let mut net = Self {
            now: GENESIS_MS,
            nodes,
            set,
            timing: Timing { genesis_time: TimestampMs(GENESIS_MS), slot_ms },
            check: Box::new(|_, _| Some(Objective::Valid)),
            timely: Box::new(|_, _| Some(Ok(()))),
            filter: Box::new(|_, _, _, _| true),
            delay_ms: (1, 20),
            loss_percent: 0,
            restart_ms: None,
            sync_ms: None,
            effects: Vec::new(),
            chain: BTreeMap::new(),
            forks: Vec::new(),
            double_signs: Vec::new(),
            signed: BTreeMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            heap: BinaryHeap::new(),
            slab: BTreeMap::new(),
            sequence: 0,
        };
        for node in 0..net.nodes.len() {
            net.push(net.now, What::Restart(node));
        }
        net
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below.max(1)
    }

    pub(crate) fn index_of(&self, key: &ValidatorKey) -> usize {
        self.nodes.iter().position(|node| node.key == *key).unwrap()
    }

    pub(crate) fn proposer(&self, height: u64, round: u32) -> usize {
        self.index_of(&self.set.proposer(Height(height), Round(round)).key)
    }

    pub(crate) fn decided(&self, node: usize) -> u64 {
        self.nodes[node].disk.decided.keys().next_back().map_or(0, |height| height.0)
    }

    pub(crate) fn is_up(&self, node: usize) -> bool {
        self.nodes[node].driver.is_some()
    }

    fn push(&mut self, at: u64, what: What) {
        self.sequence += 1;
        self.slab.insert(self.sequence, what);
        self.heap.push(Reverse((at, self.sequence)));
    }

    pub(crate) fn schedule(&mut self, at: u64, node: usize, event: Event) {
        let epoch = self.nodes[node].epoch;
        self.push(at, What::Event(node, epoch, Box::new(event)));
    }

    pub(crate) fn crash(&mut self, node: usize) {
        let now = self.now;
        let restart_ms = self.restart_ms;
        let node_ref = &mut self.nodes[node];
        node_ref.driver = None;
        node_ref.gate.pending.clear();
        node_ref.epoch += 1;
        node_ref.tick_at = None;
        node_ref.crash_in = None;
        if let Some(after) = restart_ms {
            self.push(now + after, What::Restart(node));
        }
    }

    /// The lost guard is made anew from what all others, who must be up for it, say they work on.
    fn lose_disk(&mut self, node: usize) -> bool {
        let Some(above) = self.nodes[node].loses_disk else { return true };
        let others: Vec<usize> = (0..self.nodes.len()).filter(|other| *other != node).collect();
        if !others.iter().all(|other| self.is_up(*other)) {
            self.push(self.now + 50, What::Restart(node));
            return false;
        }
        let working_on = others.iter().map(|other| self.decided(*other) + 1).max().unwrap();
        let state = &mut self.nodes[node];
        state.loses_disk = None;
        state.disk = Disk::default();
        state.gate.vote_from = Height(working_on + above);
        // Too low, its own old signatures would stop it before it can sign twice.
        state.forgetful = above < 2;
        true
    }

    pub(crate) fn restart(&mut self, node: usize) {
        if self.nodes[node].driver.is_some() || !self.lose_disk(node) {
            return;
        }
        let config = Config {
            chain_id: CHAIN,
            timing: self.timing,
            local: self.nodes[node].key,
            own_signatures_known_from: if self.nodes[node].equivocates || self.nodes[node].forgetful
            {
                Height(u64::MAX)
            } else {
                self.nodes[node].gate.vote_from
            },
        };
        let state = &mut self.nodes[node];
        if state.forgetful {
            state.disk.wal.clear();
            state.disk.marks.clear();
        }
        state.gate.durable = state.disk.marks.clone();
        state.driver = Some(Driver::new(config));
        let newest = state.disk.decided.keys().next_back().copied().unwrap_or(Height(0));
        for height in [newest.prev(), newest] {
            let decided = self.nodes[node].disk.decided.get(&height);
            if let Some(header_id) = decided.map(|(proposal, _)| header_of(proposal)) {
                self.step(node, Event::Executed { height, header_id });
            }
        }
        self.start_height(node, newest.next());
        for other in 0..self.nodes.len() {
            if other != node {
                let at = self.now + 5;
                let (a, b) = (self.nodes[node].key, self.nodes[other].key);
                self.schedule(at, other, Event::Connected { validator: a });
                self.schedule(at, node, Event::Connected { validator: b });
            }
        }
        if let Some(every) = self.sync_ms {
            self.push(self.now + every, What::Sync(node));
        }
    }

    /// Connections between all pairs are made anew, as after a partition.
    pub(crate) fn reconnect_all(&mut self) {
        for a in 0..self.nodes.len() {
            for b in 0..self.nodes.len() {
                if a != b {
                    let validator = self.nodes[b].key;
                    self.schedule(self.now + 5, a, Event::Connected { validator });
                }
            }
        }
    }

    pub(crate) fn start_height(&mut self, node: usize, height: Height) {
        let disk = &self.nodes[node].disk;
        let parent_slot =
            disk.decided.get(&height.prev()).map_or(Slot(0), |(proposal, _)| proposal.slot);
        let wal = if disk.wal_height == height { disk.wal.clone() } else { Vec::new() };
        let marks = disk.marks_of(height);
        let validators = self.set.clone();
        self.step(node, Event::Start(Start { height, validators, parent_slot, wal, marks }));
    }

    pub(crate) fn step(&mut self, node: usize, event: Event) {
        let local = self.now.saturating_add_signed(self.nodes[node].skew_ms);
        let state = &mut self.nodes[node];
        let Some(driver) = state.driver.as_mut() else { return };
        let effects = driver.step(TimestampMs(local), event, &mut state.gate);
        let epoch = state.epoch;
        let log_end = effects.iter().position(|e| !e.is_wal()).unwrap_or(effects.len());
        for (index, effect) in effects.into_iter().enumerate() {
            if index == log_end && !self.save_marks(node) {
                return;
            }
            if !self.survives(node) {
                return;
            }
            self.effects.push((self.now, node, effect.clone()));
            self.apply(node, effect);
            if self.nodes[node].epoch != epoch {
                return;
            }
        }
        if !self.nodes[node].gate.pending.is_empty() && !self.save_marks(node) {
            return;
        }
        self.arm(node);
    }

    /// Counts an item towards a planned crash. `false`: the node is down now.
    fn survives(&mut self, node: usize) -> bool {
        match self.nodes[node].crash_in {
            Some(0) => {
                self.crash(node);
                false
            }
            Some(left) => {
                self.nodes[node].crash_in = Some(left - 1);
                true
            }
            None => true,
        }
    }

    fn save_marks(&mut self, node: usize) -> bool {
        if !self.survives(node) {
            return false;
        }
        let state = &mut self.nodes[node];
        for mark in std::mem::take(&mut state.gate.pending) {
            state.disk.marks.insert(mark.place, mark.digest);
            state.gate.durable.insert(mark.place, mark.digest);
        }
        true
    }

    fn arm(&mut self, node: usize) {
        let state = &self.nodes[node];
        let Some(deadline) = state.driver.as_ref().and_then(Driver::deadline) else { return };
        let at = deadline.0.saturating_add_signed(-state.skew_ms).max(self.now);
        if state.tick_at.is_none_or(|armed| at < armed) {
            let epoch = state.epoch;
            self.nodes[node].tick_at = Some(at);
            self.push(at, What::Tick(node, epoch));
        }
    }

    /// Catch-up: a node behind is handed the next decided slot of a node it can reach.
    fn sync(&mut self, node: usize) {
        let Some(driver) = self.nodes[node].driver.as_ref() else { return };
        let height = driver.height();
        let found = (0..self.nodes.len()).find_map(|other| {
            let reachable = other != node
                && self.is_up(other)
                && (self.filter)(
                    TimestampMs(self.now),
                    other,
                    node,
                    &Message::GetProposal { height, round: Round(0), value: Hash::ZERO },
                );
            reachable.then(|| self.nodes[other].disk.decided.get(&height).cloned()).flatten()
        });
        if let Some((proposal, certificate)) = found {
            self.step(node, Event::Synced { certificate, proposal });
        }
        if let Some(every) = self.sync_ms.filter(|_| self.is_up(node)) {
            self.push(self.now + every, What::Sync(node));
        }
    }

    /// Runs one event. `false` when nothing is left.
    pub(crate) fn advance(&mut self) -> bool {
        let Some(Reverse((at, sequence))) = self.heap.pop() else { return false };
        self.now = self.now.max(at);
        match self.slab.remove(&sequence).unwrap() {
            What::Event(node, epoch, event) => {
                if self.nodes[node].epoch == epoch {
                    self.step(node, *event);
                }
            }
            What::Tick(node, epoch) => {
                if self.nodes[node].epoch == epoch {
                    self.nodes[node].tick_at = None;
                    self.step(node, Event::Tick);
                }
            }
            What::Restart(node) => self.restart(node),
            What::Sync(node) => self.sync(node),
        }
        true
    }

    /// Runs until `done`, at most `ms` longer. Whether it was reached.
    pub(crate) fn run_until(&mut self, ms: u64, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + ms;
        while !done(self) {
            if self.heap.peek().is_none_or(|Reverse((at, _))| *at > end) {
                self.now = end;
                return done(self);
            }
            self.advance();
        }
        true
    }

    pub(crate) fn run_for(&mut self, ms: u64) {
        self.run_until(ms, |_| false);
    }
}

/// Execution of the tests: the header is a hash of the decided proposal.
pub(crate) fn header_of(proposal: &SlotProposal) -> Hash {
    keccak256(proposal.id(CHAIN).as_bytes())
}
