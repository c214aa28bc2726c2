//! The core's side of the lanes: batches, acknowledgements, certificates.

use super::wants::Purpose;
use super::{Core, Effect, FrameClass, Notice, Todo};
use bytes::Bytes;
use rota_sequencer::Batch;
use rota_sequencer::execution::LaneState;
use rota_sequencer::lanes as lane;
use rota_sequencer::mempool;
use rota_sequencer::seals;
use rota_types::{Incarnation, Seq, ValidatorKey};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Core {
    /// Each lane's incarnation in force and decided place, after the newest executed height.
    #[must_use]
    pub fn lanes_in_force(&self) -> BTreeMap<ValidatorKey, (Incarnation, Seq)> {
        let place = |(lane, state): (&ValidatorKey, &LaneState)| {
            (*lane, (state.incarnation, state.tip.position.seq))
        };
        self.order.lanes().map(place).collect()
    }

    pub(super) fn on_batch(&mut self, from: ValidatorKey, batch: Arc<Batch>) {
        let digest = batch.digest();
        if self.wants.arrived(&digest) {
            self.stop_asking(digest);
        }
        if let Some(assembly) = self.assembly.as_mut()
            && assembly.insert(Arc::clone(&batch))
        {
            self.todo.push_back(Todo::Assemble);
        }
        self.todo.push_back(Todo::Lanes(lane::Event::Batch { from, batch }));
    }

    pub(super) fn on_frame(&mut self, from: ValidatorKey, class: FrameClass, bytes: Bytes) {
        match class {
            FrameClass::Votes => {
                let class = rota_consensus::MessageClass::Votes;
                let event = rota_consensus::Event::Message { from, class, bytes };
                self.todo.push_back(Todo::Driver(event));
            }
            FrameClass::Proposals => {
                let class = rota_consensus::MessageClass::Proposals;
                let event = rota_consensus::Event::Message { from, class, bytes };
                self.todo.push_back(Todo::Driver(event));
            }
            FrameClass::Certificates => self.on_certificates_frame(from, &bytes),
        }
    }

    /// Lanes and seals share the class; the first byte says whose message it is.
    fn on_certificates_frame(&mut self, from: ValidatorKey, bytes: &Bytes) {
        let lanes = lane::FIRST_TAG..=lane::LAST_TAG;
        if bytes.first().is_some_and(|tag| lanes.contains(tag)) {
            match lane::LaneMessage::from_bytes(bytes) {
                Ok(message) => {
                    self.todo.push_back(Todo::Lanes(lane::Event::Message { from, message }));
                }
                Err(error) => self.penalise(from, error.to_string()),
            }
            return;
        }
        match seals::SealMessage::from_bytes(bytes) {
            Ok(message) => {
                self.todo.push_back(Todo::Seals(seals::Event::Message { from, message }));
            }
            Err(error) => self.penalise(from, error.to_string()),
        }
    }

    pub(super) fn penalise(&mut self, validator: ValidatorKey, offence: String) {
        self.out.push(Effect::Penalise { validator, offence });
    }

    pub(super) fn on_lane_effects(&mut self, effects: Vec<lane::Effect>) {
        for effect in effects {
            self.on_lane_effect(effect);
        }
        if !self.pending.is_empty() {
            self.todo.push_back(Todo::Recheck);
        }
    }

    fn on_lane_effect(&mut self, effect: lane::Effect) {
        use lane::Effect as E;
        match effect {
            E::Store(batch) => self.on_stored(&batch),
            E::Send { to, class, bytes } => self.out.push(match class {
                lane::Class::Certificates => {
                    Effect::Send { to, class: FrameClass::Certificates, bytes }
                }
                lane::Class::Batches => Effect::SendBatch { to: Some(to), frame: bytes },
            }),
            E::SendStored { to, digest } => self.out.push(Effect::SendStored { to, digest }),
            E::Broadcast { class, bytes } => self.out.push(match class {
                lane::Class::Certificates => {
                    Effect::Broadcast { class: FrameClass::Certificates, bytes }
                }
                lane::Class::Batches => Effect::SendBatch { to: None, frame: bytes },
            }),
            E::Receipt { token, receipt } => self.out.push(Effect::Receipt { token, receipt }),
            E::Refuse { token, refusal, retry_ms } => {
                self.out.push(Effect::Refuse { token, refusal, retry_ms });
            }
            E::Certified { position, .. } => self.notice(Notice::Certified { position }),
            E::Fetch { digest } => {
                self.wants.want(Purpose::OwnLane, digest);
                self.ask_for_bodies();
            }
            E::Unneeded { digest } => {
                if self.wants.cancel(Purpose::OwnLane, &digest) {
                    self.stop_asking(digest);
                }
            }
            E::Evidence(evidence) => self.add_evidence(*evidence),
            E::Penalise { validator, offence } => self.penalise(validator, offence.to_string()),
            E::SignRefused { .. } => self.notice(Notice::GuardRefused),
            E::Halted(halt) => {
                self.notice(Notice::Halted { what: format!("own lane: {halt}") });
            }
            E::KeyUsedElsewhere(evidence) => {
                self.fatal(format!(
                    "our key signed a batch that this node did not make: {evidence:?}"
                ));
            }
        }
    }

    fn on_stored(&mut self, batch: &Arc<Batch>) {
        let position = batch.position();
        if Some(position.lane) == self.gate.validator() {
            let txs = u64::try_from(batch.body().len()).unwrap_or(u64::MAX);
            self.notice(Notice::Authored { position, digest: batch.digest(), txs });
        }
        if self.pool.usage().0 > 0 {
            self.todo.push_back(Todo::Pool(mempool::Event::Stored(Arc::clone(batch))));
        }
        self.stored.insert(batch.digest());
        self.durable.push(Effect::StoreBatch(Arc::clone(batch)));
    }
}
