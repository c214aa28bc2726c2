//! A network of drivers: one event heap, one virtual clock, one seeded generator.

use crate::disk::{Disk, MemoryGate};
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rota_consensus::{
    Config, Driver, Effect, Event, Message, MessageClass, NilReason, Objective, Start,
};
use rota_types::bls::SealKey;
use rota_types::genesis::Timing;
use rota_types::vote::SignedVote;
use rota_types::{
    CutEntry, Ed25519Signer, Hash, Height, Incarnation, LanePosition, MarkPlace, Round, Seq,
    Signer as _, Slot, SlotProposal, TimestampMs, Validator, ValidatorKey, ValidatorSet, Vote,
    VoteKind, Weight, keccak256,
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
    signed: BTreeMap<(usize, MarkPlace), BTreeSet<Hash>>,
    rng: ChaCha8Rng,
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

    pub(crate) fn restart(&mut self, node: usize) {
        if self.nodes[node].driver.is_some() {
            return;
        }
        let config = Config {
            chain_id: CHAIN,
            timing: self.timing,
            local: self.nodes[node].key,
            own_signatures_known_from: if self.nodes[node].equivocates {
                Height(u64::MAX)
            } else {
                Height(0)
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

    fn start_height(&mut self, node: usize, height: Height) {
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

    fn apply(&mut self, node: usize, effect: Effect) {
        let now = self.now;
        match effect {
            Effect::WalReset { height } => {
                self.nodes[node].disk.wal_height = height;
                self.nodes[node].disk.wal.clear();
            }
            Effect::Wal(bytes) => self.nodes[node].disk.wal.push(bytes),
            Effect::Broadcast { class, bytes } => {
                self.watch(node, class, &bytes);
                for to in 0..self.nodes.len() {
                    if to != node {
                        self.transmit(node, to, class, &bytes);
                    }
                }
            }
            Effect::Send { to, class, bytes } => {
                self.watch(node, class, &bytes);
                let to = self.index_of(&to);
                self.transmit(node, to, class, &bytes);
            }
            Effect::Build { height, round, slot, parent_header } => {
                let proposal = self.build(node, height, round, slot, parent_header);
                self.schedule(now + 3, node, Event::Built { height, round, proposal });
            }
            Effect::Check { id, proposal, .. } => {
                if let Some(verdict) = (self.check)(node, &proposal) {
                    self.schedule(now + 1, node, Event::Objective { id, verdict });
                }
            }
            Effect::CheckTimely { id, round, proposal } => {
                if let Some(verdict) = (self.timely)(node, &proposal) {
                    self.schedule(now + 1, node, Event::Timely { id, round, verdict });
                }
            }
            Effect::Decided { proposal, certificate } => {
                let (height, id) = (certificate.height, certificate.value);
                certificate.verify(CHAIN, &self.set).unwrap();
                assert_eq!(proposal.id(CHAIN), id);
                if *self.chain.entry(height).or_insert(id) != id {
                    self.forks.push(height);
                }
                let header_id = header_of(&proposal);
                let done = now + self.nodes[node].execution_ms;
                let disk = &mut self.nodes[node].disk;
                disk.decided.insert(height, (proposal.as_ref().clone(), certificate));
                self.schedule(done, node, Event::Executed { height, header_id });
                self.start_height(node, height.next());
            }
            Effect::Fatal(fatal) => assert!(self.nodes[node].equivocates, "fatal: {fatal}"),
            _ => {}
        }
    }

    /// Every build differs, so that a forgotten one shows as a double signature.
    fn build(
        &mut self,
        node: usize,
        height: Height,
        round: Round,
        slot: Slot,
        parent_header: Hash,
    ) -> SlotProposal {
        let salt = self.rng.next_u64().to_le_bytes();
        let position = LanePosition {
            lane: self.nodes[node].key,
            incarnation: Incarnation(0),
            seq: Seq(height.0),
        };
        let cut = vec![CutEntry { position, header_digest: keccak256(&salt) }];
        SlotProposal { height, round, slot, parent_header, cut, evidence: Vec::new() }
    }

    /// Watches what leaves the machine: one digest per place, for life.
    fn watch(&mut self, node: usize, class: MessageClass, bytes: &Bytes) {
        let (place, digest, signer) = match Message::from_bytes(class, bytes).unwrap() {
            Message::Vote { vote, .. } => {
                let Vote { kind, height, round, .. } = vote.vote;
                let place = MarkPlace::Vote { height, round, kind };
                (place, vote.vote.signing_digest(CHAIN), vote.vote.validator)
            }
            Message::Proposal { proposal, .. } => {
                let proposal = proposal.proposal;
                let place = MarkPlace::Proposal { height: proposal.height, round: proposal.round };
                (place, proposal.signing_digest(CHAIN), proposal.validator)
            }
            _ => return,
        };
        if signer != self.nodes[node].key {
            return;
        }
        let seen = self.signed.entry((node, place)).or_default();
        if seen.insert(digest) && seen.len() == 2 {
            self.double_signs.push((node, place));
        }
    }

    fn transmit(&mut self, from: usize, to: usize, class: MessageClass, bytes: &Bytes) {
        let message = Message::from_bytes(class, bytes).unwrap();
        if !(self.filter)(TimestampMs(self.now), from, to, &message) {
            return;
        }
        if self.random(100) < self.loss_percent {
            return;
        }
        let mut bytes = bytes.clone();
        if self.nodes[from].equivocates && to % 2 == 1 {
            if let Some(other) = self.lie(from, &message) {
                bytes = other.to_bytes();
            }
        }
        let (low, high) = self.delay_ms;
        let at = self.now + low + self.random(high - low + 1);
        let from = self.nodes[from].key;
        self.schedule(at, to, Event::Message { from, class, bytes });
    }

    /// What an equivocator tells every second peer instead.
    fn lie(&mut self, node: usize, message: &Message) -> Option<Message> {
        let signer = Arc::clone(&self.nodes[node].signer);
        match message {
            Message::Vote { vote, .. } if vote.vote.validator == signer.public_key() => {
                let value = match vote.vote.value {
                    Some(_) => None,
                    None => Some(keccak256(b"lie")),
                };
                let vote = Vote { value, ..vote.vote.clone() }.sign(CHAIN, signer.as_ref());
                Some(Message::Vote { vote, reason: None })
            }
            Message::Proposal { proposal, body: Some(body) }
                if proposal.proposal.validator == signer.public_key()
                    && proposal.proposal.pol_round.is_none() =>
            {
                let mut body = body.clone();
                body.cut[0].header_digest = keccak256(b"lie");
                let mut proposal = proposal.proposal.clone();
                proposal.value = body.id(CHAIN);
                let proposal = proposal.sign(CHAIN, signer.as_ref());
                Some(Message::Proposal { proposal, body: Some(body) })
            }
            _ => None,
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

    pub(crate) fn all_decided(&self, height: u64) -> bool {
        let mut up = (0..self.nodes.len()).filter(|node| self.is_up(*node)).peekable();
        up.peek().is_some() && up.all(|node| self.decided(node) >= height)
    }

    pub(crate) fn assert_safe(&self) {
        assert_eq!(self.forks, vec![], "forks");
        let honest: Vec<_> =
            self.double_signs.iter().filter(|(node, _)| !self.nodes[*node].equivocates).collect();
        assert!(honest.is_empty(), "double signs: {honest:?}");
    }

    /// Decided proposals of a node by height.
    pub(crate) fn slots(&self, node: usize) -> Vec<(u64, u32, u64)> {
        self.nodes[node]
            .disk
            .decided
            .iter()
            .map(|(h, (proposal, certificate))| (h.0, certificate.round.0, proposal.slot.0))
            .collect()
    }

    pub(crate) fn reasons(&self, node: usize) -> Vec<(u64, u32, NilReason)> {
        self.effects
            .iter()
            .filter(|(_, at, _)| *at == node)
            .filter_map(|(_, _, effect)| match effect {
                Effect::NilPrevote { height, round, reason } => Some((height.0, round.0, *reason)),
                _ => None,
            })
            .collect()
    }

    /// A vote of a node, signed with its key behind the gate's back.
    pub(crate) fn forge_vote(
        &self,
        node: usize,
        kind: VoteKind,
        height: u64,
        round: u32,
        value: Option<Hash>,
    ) -> SignedVote {
        let validator = self.nodes[node].key;
        let vote = Vote { kind, height: Height(height), round: Round(round), value, validator };
        vote.sign(CHAIN, self.nodes[node].signer.as_ref())
    }

    /// Hands a message to a node as if `from` had sent it now.
    pub(crate) fn hand(&mut self, from: usize, to: usize, message: &Message) {
        let (from, class, bytes) = (self.nodes[from].key, message.class(), message.to_bytes());
        self.step(to, Event::Message { from, class, bytes });
    }
}

/// Execution of the tests: the header is a hash of the decided proposal.
pub(crate) fn header_of(proposal: &SlotProposal) -> Hash {
    keccak256(proposal.id(CHAIN).as_bytes())
}
