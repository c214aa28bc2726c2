//! The core's side of catch-up: verified slots take the same road as decisions of the own driver.

use super::wants::Purpose;
use super::{AskProtocol, Core, Effect, Notice, Todo};
use crate::limits::{APPLIED_SLOTS_MAX, APPLY_AHEAD_SLOTS_MAX};
use bytes::Bytes;
use rota_sequencer::Batch;
use rota_sequencer::LaneView as _;
use rota_sequencer::catchup::{self, Protocol};
use rota_sequencer::execution::DecidedSlot;
use rota_sequencer::rejoin;
use rota_sequencer::seals;
use rota_types::{Hash, TimestampMs, ValidatorKey};
use std::sync::Arc;

impl Core {
    pub(super) fn on_peer_up(&mut self, peer: u64, validator: Option<ValidatorKey>) {
        let validator = validator.filter(|key| self.validators.contains(key));
        if let Some(validator) = validator {
            self.tell_rejoin(rejoin::Event::Connected { peer, validator });
        }
        let earlier = validator.and_then(|key| self.validator_peers.insert(key, peer));
        if let Some(peer) = earlier.filter(|earlier| *earlier != peer) {
            // A validator has one place, whatever number of node keys it comes with.
            self.todo.push_back(Todo::Catchup(catchup::Event::Disconnected { peer }));
        }
        let validator = validator.is_some();
        self.todo.push_back(Todo::Catchup(catchup::Event::Connected { peer, validator }));
    }

    pub(super) fn on_peer_down(&mut self, peer: u64) {
        self.validator_peers.retain(|_, number| *number != peer);
        self.tell_rejoin(rejoin::Event::Disconnected { peer });
        self.todo.push_back(Todo::Catchup(catchup::Event::Disconnected { peer }));
    }

    pub(super) fn on_answer(&mut self, question: u64, bytes: Option<Bytes>) {
        if self.rejoin_took(question, bytes.as_ref()) {
            return;
        }
        let event = match bytes {
            Some(bytes) => catchup::Event::Answer { id: question, bytes },
            None => catchup::Event::Failed { id: question },
        };
        self.todo.push_back(Todo::Catchup(event));
    }

    /// Asks the own ledger and the peers for the bodies whose turn it is.
    pub(super) fn ask_for_bodies(&mut self) {
        while let Some((purpose, digest)) = self.wants.next() {
            self.out.push(Effect::LoadBatch { digest });
            let peer_of = |key: &ValidatorKey| self.validator_peers.get(key).copied();
            let holders = match purpose {
                Purpose::Slot => self.lanes.holders(&digest).iter().filter_map(peer_of).collect(),
                Purpose::OwnLane => self.validator_peers.values().copied().collect(),
            };
            self.todo.push_back(Todo::Catchup(catchup::Event::Want { digest, holders }));
        }
    }

    /// A body is here, or no longer needed, and had been asked for: its place is free.
    pub(super) fn stop_asking(&mut self, digest: Hash) {
        self.todo.push_back(Todo::Catchup(catchup::Event::Have { digest }));
        self.ask_for_bodies();
    }

    pub(super) fn catch_up(&mut self, now: TimestampMs, event: catchup::Event) {
        for effect in self.catchup.step(now, event) {
            self.on_catchup_effect(effect);
        }
    }

    fn on_catchup_effect(&mut self, effect: catchup::Effect) {
        use catchup::Effect as E;
        match effect {
            E::Request { peer, id, protocol, bytes } => {
                let protocol = match protocol {
                    Protocol::Status => AskProtocol::Status,
                    Protocol::Slots => AskProtocol::Slots,
                    Protocol::Batches => AskProtocol::Batches,
                };
                self.out.push(Effect::Ask { peer, question: id, protocol, bytes });
            }
            E::Apply(decided) => self.apply(*decided),
            E::ApplySeal { sealed } => {
                self.todo.push_back(Todo::Seals(seals::Event::Known { sealed }));
            }
            E::Body(batch) => self.on_body(batch),
            E::Ban { peer, fault } => {
                self.out.push(Effect::BanPeer { peer, reason: fault.to_string() });
            }
            E::SafetyAlarm(fault) => {
                self.notice(Notice::Alarm { what: format!("SAFETY ALARM: {fault}") });
            }
        }
    }

    fn on_body(&mut self, batch: Arc<Batch>) {
        let from = batch.position().lane;
        self.on_batch(from, batch);
    }

    /// Keeps a verified slot until its turn: an answer may hold many, and each is decided after the one before.
    fn apply(&mut self, decided: DecidedSlot) {
        let height = decided.proposal.height;
        if height > self.decided && self.applied.len() < APPLIED_SLOTS_MAX {
            self.applied.insert(height, decided);
        }
        self.feed_applied();
    }

    /// Gives the next kept slot its turn, as far as execution keeps up. With a driver it is decided there, so that
    /// the driver's height moves with it; it is kept until it is decided, for the driver may be busy replaying.
    pub(super) fn feed_applied(&mut self) {
        if self.decided >= self.executed.plus(APPLY_AHEAD_SLOTS_MAX) {
            return;
        }
        let Some(decided) = self.applied.get(&self.decided.next()).cloned() else { return };
        if self.driver.is_none() {
            self.record_decided(decided);
            return;
        }
        let DecidedSlot { proposal, certificate, lanes } = decided;
        self.synced = lanes.into_iter().flatten().map(|batch| (batch.digest(), batch)).collect();
        if self.assembly.is_some() {
            self.todo.push_back(Todo::Assemble);
            return;
        }
        let event = rota_consensus::Event::Synced { certificate, proposal };
        self.todo.push_back(Todo::Driver(event));
    }
}
