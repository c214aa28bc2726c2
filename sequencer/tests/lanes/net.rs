//! A small network of [`Lanes`] with memory for a guard and a list for a ledger.

use rota_sequencer::lanes::{
    Class, Effect, Event, Halt, LaneMessage, LaneTerms, Lanes, LanesConfig, Offence, Origin,
    Recovered,
};
use rota_sequencer::{Batch, LaneTip, LaneView};
use rota_types::bls::{BlsSignature, SealSecret};
use rota_types::evidence::Evidence;
use rota_types::receipt::SignedReceipt;
use rota_types::{
    BatchHeader, Ed25519Signer, Gate, Hash, Height, Incarnation, LanePosition, Mark, MarkPlace,
    Refusal, RollupId, Seq, Signature, Signer, Slot, TimestampMs, Transaction, TransactionList,
    Validator, ValidatorKey, ValidatorSet, Weight,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) const CHAIN: u64 = 77;

/// Keeps marks for life; signs nothing that conflicts.
#[derive(Clone)]
pub(crate) struct MemoryGate {
    seed: [u8; 32],
    pub(crate) marks: BTreeMap<MarkPlace, Hash>,
    pub(crate) refused: u64,
}

impl MemoryGate {
    pub(crate) fn new(index: usize) -> Self {
        Self { seed: [index as u8 + 1; 32], marks: BTreeMap::new(), refused: 0 }
    }

    pub(crate) fn signer(&self) -> Ed25519Signer {
        Ed25519Signer::from_seed(&self.seed)
    }

    pub(crate) fn batch_marks(&self) -> Vec<Mark> {
        self.marks.iter().map(|(place, digest)| Mark { place: *place, digest: *digest }).collect()
    }

    /// Whether a later place of the lane was acknowledged: a guard takes them in order.
    fn is_closed(&self, place: &MarkPlace) -> bool {
        let MarkPlace::Ack { position } = place else { return false };
        let later = MarkPlace::Ack { position: LanePosition { seq: Seq(u64::MAX), ..*position } };
        !self.marks.contains_key(place) && self.marks.range(*place..=later).next().is_some()
    }
}

impl Gate for MemoryGate {
    fn public_key(&self) -> ValidatorKey {
        self.signer().public_key()
    }
    fn sign(&mut self, mark: Mark) -> Option<Signature> {
        if self.is_closed(&mark.place) {
            // No second signature: a place that was passed over on a certificate stays without one.
            return None;
        }
        let known = *self.marks.entry(mark.place).or_insert(mark.digest);
        if known != mark.digest {
            self.refused += 1;
            return None;
        }
        Some(self.signer().sign(&mark.digest))
    }
    fn seal(&mut self, _: Height, _: u64, _: &Hash) -> Option<BlsSignature> {
        None
    }
    fn sign_unmarked(&mut self, digest: &Hash) -> Option<Signature> {
        Some(self.signer().sign(digest))
    }
}

pub(crate) struct Node {
    pub(crate) lanes: Lanes,
    pub(crate) gate: MemoryGate,
    pub(crate) ledger: Vec<Arc<Batch>>,
    pub(crate) receipts: BTreeMap<u64, SignedReceipt>,
    pub(crate) refusals: BTreeMap<u64, (Refusal, Option<u64>)>,
    pub(crate) certified: Vec<(LanePosition, Hash)>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) penalties: Vec<(ValidatorKey, Offence)>,
    pub(crate) fetches: Vec<Hash>,
    pub(crate) halts: Vec<Halt>,
    pub(crate) key_misused: bool,
    pub(crate) up: bool,
}

enum Wire {
    Frame(bytes::Bytes),
    Message(bytes::Bytes),
}

pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) keys: Vec<ValidatorKey>,
    pub(crate) set: ValidatorSet,
    pub(crate) terms: Vec<LaneTerms>,
    pub(crate) decided: BTreeMap<ValidatorKey, LaneTip>,
    pub(crate) now: u64,
    pub(crate) cut: BTreeSet<(usize, usize)>,
    /// Batches of this author do not reach this validator.
    pub(crate) no_batches: BTreeSet<(usize, usize)>,
    pub(crate) lead_max: u64,
    pub(crate) bodies_max: u64,
    queue: BTreeMap<(u64, u64), (usize, usize, Wire)>,
    count: u64,
    pub(crate) sent_batches: u64,
    pub(crate) sent_messages: u64,
}

pub(crate) fn transaction(tag: u64, size: usize) -> Transaction {
    let mut payload = vec![0u8; size.max(8)];
    payload[..8].copy_from_slice(&tag.to_le_bytes());
    Transaction { rollup: RollupId(10), valid_until_slot: Slot(50), payload }
}

pub(crate) fn list(tags: impl IntoIterator<Item = u64>, size: usize) -> TransactionList {
    let all: Vec<Transaction> = tags.into_iter().map(|tag| transaction(tag, size)).collect();
    TransactionList::parse(borsh::to_vec(&all).unwrap().into(), 1 << 20).unwrap()
}

pub(crate) fn terms_of(keys: &[ValidatorKey], bytes: u64, txs: u64) -> Vec<LaneTerms> {
    let terms = |lane: &ValidatorKey| LaneTerms {
        incarnation: Incarnation(0),
        closed: false,
        slot_bytes_max: bytes,
        slot_txs_max: txs,
        tip: LaneTip {
            position: LanePosition { lane: *lane, incarnation: Incarnation(0), seq: Seq(0) },
            digest: Hash::ZERO,
            cumulative_bytes: 0,
            cumulative_txs: 0,
        },
    };
    keys.iter().map(terms).collect()
}

impl Net {
    pub(crate) fn new(n: usize) -> Self {
        Self::with_limits(n, 8 << 20, 1 << 20, 2048)
    }

    pub(crate) fn with_limits(n: usize, lane_bytes: u64, lane_txs: u64, lead_max: u64) -> Self {
        let gates: Vec<MemoryGate> = (0..n).map(MemoryGate::new).collect();
        let keys: Vec<ValidatorKey> = gates.iter().map(Gate::public_key).collect();
        let seal_key = SealSecret::derive(&[7; 32]).unwrap().public_key();
        let validators =
            keys.iter().map(|key| Validator { key: *key, seal_key, weight: Weight(1) });
        let set = ValidatorSet::new(validators.collect()).unwrap();
        let terms = terms_of(&keys, lane_bytes, lane_txs);
        let mut net = Self {
            nodes: Vec::new(),
            keys,
            set,
            decided: terms.iter().map(|t| (t.tip.position.lane, t.tip)).collect(),
            terms,
            now: 1_000_000,
            cut: BTreeSet::new(),
            no_batches: BTreeSet::new(),
            lead_max,
            bodies_max: 1 << 30,
            queue: BTreeMap::new(),
            count: 0,
            sent_batches: 0,
            sent_messages: 0,
        };
        for gate in gates {
            let lanes = net.lanes_for(gate.public_key());
            net.nodes.push(Node {
                lanes,
                gate,
                ledger: Vec::new(),
                receipts: BTreeMap::new(),
                refusals: BTreeMap::new(),
                certified: Vec::new(),
                evidence: Vec::new(),
                penalties: Vec::new(),
                fetches: Vec::new(),
                halts: Vec::new(),
                key_misused: false,
                up: true,
            });
        }
        for i in 0..n {
            net.recover(i);
        }
        for i in 0..n {
            net.connect(i);
        }
        net
    }

    /// Starts all anew with these weights.
    pub(crate) fn set_weights(&mut self, weights: &[u64]) {
        let old = self.set.as_slice().to_vec();
        let weighed = old.into_iter().map(|validator| {
            let weight = Weight(weights[self.index_of(&validator.key)]);
            Validator { weight, ..validator }
        });
        self.set = ValidatorSet::new(weighed.collect()).unwrap();
        self.queue.clear();
        (0..self.nodes.len()).for_each(|i| self.recover(i));
        (0..self.nodes.len()).for_each(|i| self.connect(i));
    }

    pub(crate) fn config(&self, me: ValidatorKey) -> LanesConfig {
        LanesConfig {
            chain_id: CHAIN,
            me: Some(me),
            validators: self.set.clone(),
            lane_lead_max: self.lead_max,
            slot_ms: 1_000,
            bodies_bytes_max: self.bodies_max,
            lookup_salt: [9; 16],
        }
    }

    fn lanes_for(&self, me: ValidatorKey) -> Lanes {
        Lanes::new(self.config(me))
    }

    /// Starts node `i` from its ledger and guard.
    pub(crate) fn recover(&mut self, i: usize) {
        self.nodes[i].lanes = self.lanes_for(self.keys[i]);
        self.nodes[i].up = true;
        let tip_seq = |lane: &ValidatorKey| self.decided[lane].position.seq;
        let mut terms = self.terms.clone();
        for terms in &mut terms {
            terms.tip = self.decided[&terms.tip.position.lane];
        }
        let node = &self.nodes[i];
        let open = node.ledger.iter().filter(|b| b.position().seq > tip_seq(&b.position().lane));
        let recovered = Recovered {
            terms,
            decided: Vec::new(),
            batches: open.cloned().collect(),
            marks: node.gate.batch_marks(),
            own_closed: None,
        };
        self.step(i, Event::Recovered(Box::new(recovered)));
    }

    /// Opens the streams between `i` and everyone who is up.
    pub(crate) fn connect(&mut self, i: usize) {
        for j in 0..self.nodes.len() {
            if j != i && self.nodes[j].up {
                self.step(i, Event::Connected { validator: self.keys[j] });
                self.step(j, Event::Connected { validator: self.keys[i] });
            }
        }
    }

    pub(crate) fn crash(&mut self, i: usize) {
        self.nodes[i].up = false;
        self.queue.retain(|_, (from, to, _)| *from != i && *to != i);
        for j in 0..self.nodes.len() {
            if j != i && self.nodes[j].up {
                self.step(j, Event::Disconnected { validator: self.keys[i] });
            }
        }
    }

    pub(crate) fn restart(&mut self, i: usize) {
        self.recover(i);
        self.connect(i);
    }

    pub(crate) fn index_of(&self, key: &ValidatorKey) -> usize {
        self.keys.iter().position(|k| k == key).unwrap()
    }

    pub(crate) fn step(&mut self, i: usize, event: Event) {
        let node = &mut self.nodes[i];
        let effects = node.lanes.step(TimestampMs(self.now), event, &mut node.gate);
        self.carry_out(i, effects);
    }

    pub(crate) fn verify_now(&mut self, i: usize) {
        let node = &mut self.nodes[i];
        let effects = node.lanes.verify_now(TimestampMs(self.now), &mut node.gate);
        self.carry_out(i, effects);
    }

    pub(crate) fn carry_out(&mut self, i: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Store(batch) => {
                    let node = &mut self.nodes[i];
                    assert!(
                        node.ledger.iter().all(|held| held.digest() != batch.digest()),
                        "a batch is written once"
                    );
                    node.ledger.push(batch);
                }
                Effect::Send { to, class, bytes } => {
                    let to = self.index_of(&to);
                    self.post(i, to, class, bytes);
                }
                Effect::SendStored { to, digest } => {
                    let to = self.index_of(&to);
                    let held = self.nodes[i].ledger.iter().find(|b| b.digest() == digest);
                    let bytes = held.unwrap().frame().clone();
                    self.post(i, to, Class::Batches, bytes);
                }
                Effect::Broadcast { class, bytes } => {
                    for to in (0..self.nodes.len()).filter(|to| *to != i) {
                        self.post(i, to, class, bytes.clone());
                    }
                }
                effect => self.note(i, effect),
            }
        }
    }

    fn note(&mut self, i: usize, effect: Effect) {
        let node = &mut self.nodes[i];
        match effect {
            Effect::Receipt { token, receipt } => {
                receipt.verify(CHAIN).unwrap();
                assert!(node.receipts.insert(token, *receipt).is_none(), "one answer a token");
            }
            Effect::Refuse { token, refusal, retry_ms } => {
                assert!(node.refusals.insert(token, (refusal, retry_ms)).is_none());
            }
            Effect::Certified { position, digest } => node.certified.push((position, digest)),
            Effect::Evidence(evidence) => {
                evidence.verify(CHAIN).unwrap();
                node.evidence.push(*evidence);
            }
            Effect::Penalise { validator, offence } => node.penalties.push((validator, offence)),
            Effect::Fetch { digest } => node.fetches.push(digest),
            Effect::Halted(halt) => node.halts.push(halt),
            Effect::KeyUsedElsewhere(_) => node.key_misused = true,
            _ => {}
        }
    }

    fn post(&mut self, from: usize, to: usize, class: Class, bytes: bytes::Bytes) {
        let lost = !self.nodes[from].up
            || !self.nodes[to].up
            || self.cut.contains(&(from, to))
            || (class == Class::Batches && self.no_batches.contains(&(from, to)));
        if lost {
            return;
        }
        self.count += 1;
        let wire = match class {
            Class::Batches => {
                self.sent_batches += 1;
                Wire::Frame(bytes)
            }
            Class::Certificates => {
                self.sent_messages += 1;
                assert!(bytes.len() <= 16 * 1024);
                Wire::Message(bytes)
            }
        };
        self.queue.insert((self.now + 1, self.count), (from, to, wire));
    }

    /// Lets `ms` of virtual time pass: messages take 1 ms, deadlines are kept.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let message = self.queue.keys().next().map(|(at, _)| *at);
            let up = self.nodes.iter().filter(|node| node.up);
            let deadline = up.filter_map(|node| node.lanes.deadline()).map(|at| at.0).min();
            let next = message.into_iter().chain(deadline).min();
            let Some(next) = next.map(|at| at.max(self.now)).filter(|at| *at <= end) else { break };
            self.now = next;
            self.deliver();
            for i in 0..self.nodes.len() {
                let due = self.nodes[i].lanes.deadline().is_some_and(|at| at.0 <= self.now);
                if due && self.nodes[i].up {
                    self.step(i, Event::Tick);
                    let again = self.nodes[i].lanes.deadline();
                    assert!(again.is_none_or(|at| at.0 > self.now), "a deadline stays due");
                }
            }
        }
        self.now = end;
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.queue.first_entry().filter(|e| e.key().0 <= self.now) {
            let (from, to, wire) = entry.remove();
            if !self.nodes[to].up {
                continue;
            }
            let event = match wire {
                Wire::Frame(frame) => Event::Batch {
                    from: self.keys[from],
                    batch: Arc::new(Batch::from_frame(CHAIN, frame).unwrap()),
                },
                Wire::Message(bytes) => Event::Message {
                    from: self.keys[from],
                    message: LaneMessage::from_bytes(&bytes).unwrap(),
                },
            };
            self.step(to, event);
        }
    }

    pub(crate) fn submit(&mut self, i: usize, token: u64, list: TransactionList) {
        self.step(i, Event::Submit { origin: Origin::Client(token), list });
    }

    /// Decides what node `by` would propose, for everyone who is up.
    pub(crate) fn decide(&mut self, by: usize) {
        self.verify_now(by);
        let before = self.decided.clone();
        let mut tips = Vec::new();
        for terms in &self.terms {
            let lane = &terms.tip.position.lane;
            let (bytes, txs) = (terms.slot_bytes_max, terms.slot_txs_max);
            let tip = self.nodes[by].lanes.furthest_within(lane, bytes, txs).unwrap();
            if tip.position.seq > self.decided[lane].position.seq {
                self.decided.insert(*lane, tip);
                tips.push(tip);
            }
        }
        let terms: Vec<LaneTerms> = self
            .terms
            .iter()
            .map(|t| LaneTerms { tip: self.decided[&t.tip.position.lane], ..*t })
            .collect();
        let prefixes = self.ordered_since(by, &before);
        for i in 0..self.nodes.len() {
            if self.nodes[i].up {
                self.step(i, Event::Decided { tips: tips.clone() });
                self.step(i, Event::Ordered { prefixes: prefixes.clone() });
                self.step(i, Event::Executed { terms: terms.clone() });
            }
        }
    }

    /// Ids of what was decided after these tips, as far as node `by` holds it.
    fn ordered_since(&self, by: usize, before: &BTreeMap<ValidatorKey, LaneTip>) -> Vec<[u8; 16]> {
        let new = |batch: &&Arc<Batch>| {
            let LanePosition { lane, seq, .. } = batch.position();
            seq > before[&lane].position.seq && seq <= self.decided[&lane].position.seq
        };
        let ids = self.nodes[by].ledger.iter().filter(new).flat_map(|batch| batch.body().ids());
        ids.map(|id| *id.0.first_chunk().unwrap()).collect()
    }

    /// Highest certified place of a lane at a node, after verifying.
    pub(crate) fn certified(&mut self, at: usize, lane: usize) -> u64 {
        self.verify_now(at);
        self.nodes[at].lanes.certified_tip(&self.keys[lane]).unwrap().position.seq.0
    }

    /// A batch made by hand with node `author`'s key.
    pub(crate) fn forge(&self, author: usize, parent: Option<&Batch>, tags: &[u64]) -> Arc<Batch> {
        let body = list(tags.iter().copied(), 64);
        let before = parent.map(Batch::header);
        let header = BatchHeader {
            position: LanePosition {
                lane: self.keys[author],
                incarnation: Incarnation(0),
                seq: before.map_or(Seq(1), |h| h.position.seq.next()),
            },
            parent: parent.map_or(Hash::ZERO, Batch::digest),
            body_digest: rota_types::ids_tree::root(CHAIN, body.ids()),
            cumulative_bytes: before.map_or(0, |h| h.cumulative_bytes) + body.tx_bytes(),
            cumulative_txs: before.map_or(0, |h| h.cumulative_txs) + body.len() as u64,
        };
        let signed = header.sign(CHAIN, &self.nodes[author].gate.signer());
        Arc::new(Batch::assemble(CHAIN, signed, body))
    }

    /// No node ever acknowledged or made two batches at one place, and receipts keep their places.
    pub(crate) fn check(&self) {
        for node in &self.nodes {
            for receipt in node.receipts.values() {
                let receipt = &receipt.receipt;
                let batch = node.ledger.iter().find(|b| b.position() == receipt.position).unwrap();
                let first = receipt.first_index as usize;
                let ids: Vec<Hash> =
                    batch.body().ids().skip(first).take(receipt.count as usize).collect();
                assert_eq!(ids.len(), receipt.count as usize);
                let root = rota_types::ids_tree::root(CHAIN, ids.into_iter());
                assert_eq!(root, receipt.submission_root, "a receipt promises another place");
            }
            for (position, digest) in &node.certified {
                for other in &self.nodes {
                    let twice = other.certified.iter().find(|(p, d)| p == position && d != digest);
                    assert!(twice.is_none(), "two certified batches at one place");
                }
            }
        }
    }
}
