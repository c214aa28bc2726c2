//! Carries out the effects of the drivers: disk, messages, the sequencer's answers; and lies for a cheat.

use crate::net::{CHAIN, Net, header_of};
use bytes::Bytes;
use rand_core::Rng as _;
use rota_consensus::{Effect, Event, Message};
use rota_types::{
    CutEntry, Hash, Height, Incarnation, LanePosition, MarkPlace, Round, Seq, Signer as _, Slot,
    SlotProposal, TimestampMs, Vote, keccak256,
};
use std::sync::Arc;

impl Net {
    pub(crate) fn apply(&mut self, node: usize, effect: Effect) {
        let now = self.now;
        match effect {
            Effect::Wal { height, entry } => {
                let disk = &mut self.nodes[node].disk;
                if disk.wal_height != height {
                    disk.wal_height = height;
                    disk.wal.clear();
                }
                disk.wal.push(entry);
            }
            Effect::Broadcast { class, bytes } => {
                let message = Message::from_bytes(class, &bytes).unwrap();
                self.watch(node, &message);
                for to in 0..self.nodes.len() {
                    if to != node {
                        self.transmit(node, to, &message, &bytes);
                    }
                }
            }
            Effect::Send { to, class, bytes } => {
                let message = Message::from_bytes(class, &bytes).unwrap();
                self.watch(node, &message);
                let to = self.index_of(&to);
                self.transmit(node, to, &message, &bytes);
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
    fn watch(&mut self, node: usize, message: &Message) {
        let (place, digest, signer) = match message {
            Message::Vote { vote, .. } => {
                let Vote { kind, height, round, .. } = vote.vote;
                let place = MarkPlace::Vote { height, round, kind };
                (place, vote.vote.signing_digest(CHAIN), vote.vote.validator)
            }
            Message::Proposal { proposal, .. } => {
                let proposal = &proposal.proposal;
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

    fn transmit(&mut self, from: usize, to: usize, message: &Message, bytes: &Bytes) {
        let class = message.class();
        if !(self.filter)(TimestampMs(self.now), from, to, message) {
            return;
        }
        if self.random(100) < self.loss_percent {
            return;
        }
        let mut bytes = bytes.clone();
        let lies = self.nodes[from].equivocates && to % 2 == 1;
        if let Some(other) = lies.then(|| self.lie(from, message)).flatten() {
            bytes = other.to_bytes();
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
}
