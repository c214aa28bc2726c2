//! From a decision to a sealed header: gather bodies, record, execute, seal.

use super::wants::Purpose;
use super::{Core, Effect, FrameClass, Notice, Todo};
use crate::limits::STORED_DIGESTS_MAX;
use bytes::Bytes;
use rota_sequencer::catchup;
use rota_sequencer::execution::{Assembly, DecidedRecord, DecidedSlot, ExecutedSlot, Progress};
use rota_sequencer::lanes as lane;
use rota_sequencer::rejoin;
use rota_sequencer::{Batch, LaneTip, mempool, seals};
use rota_types::codec::encode;
use rota_types::{CommitCertificate, SealedHeader, SlotProposal};
use std::sync::Arc;

fn tip_of(batch: &Batch) -> LaneTip {
    let header = batch.header();
    LaneTip {
        position: header.position,
        digest: batch.digest(),
        cumulative_bytes: header.cumulative_bytes,
        cumulative_txs: header.cumulative_txs,
    }
}

impl Core {
    pub(super) fn on_decided(&mut self, proposal: SlotProposal, certificate: CommitCertificate) {
        match Assembly::new(proposal, certificate, &self.tips) {
            Ok(assembly) => {
                self.assembly = Some(assembly);
                self.todo.push_back(Todo::Assemble);
            }
            Err(error) => self.fatal(format!("the decided slot contradicts the ledger: {error}")),
        }
    }

    /// Goes on with the decided slot: asks for missing bodies, or records and executes it.
    pub(super) fn assemble(&mut self) {
        let Some(mut assembly) = self.assembly.take() else { return };
        self.synced.retain(|_, batch| !assembly.insert(Arc::clone(batch)));
        loop {
            match assembly.progress(&self.lanes) {
                Ok(Progress::Complete(decided)) => return self.record_decided(*decided),
                Ok(Progress::Missing(missing)) => {
                    let mut further = false;
                    for body in missing {
                        match self.synced.remove(&body.digest) {
                            // A body that is here already leads on to its parent.
                            Some(batch) => further |= assembly.insert(batch),
                            None => self.wants.want(Purpose::Slot, body.digest),
                        }
                    }
                    if !further {
                        break;
                    }
                }
                Err(error) => {
                    return self.fatal(format!("the decided slot contradicts the ledger: {error}"));
                }
            }
        }
        self.assembly = Some(assembly);
        self.ask_for_bodies();
    }

    /// The one road of every decided slot, decided here or caught up: ledger, lanes, execution, next height.
    pub(super) fn record_decided(&mut self, decided: DecidedSlot) {
        let proposal = &decided.proposal;
        for batch in decided.lanes.iter().flatten() {
            // The lanes may hold a body that they did not store: one whose parent they lack, or never acknowledged.
            if !self.stored.remove(&batch.digest()) {
                self.durable.push(Effect::StoreBatch(Arc::clone(batch)));
            }
        }
        let decided_height = proposal.height;
        if self.stored.len() > STORED_DIGESTS_MAX {
            // Branches and closed lanes are never decided. Forgetting costs an append that the ledger finds it has.
            self.stored.clear();
        }
        let batches = decided.lanes.iter().flatten().map(|batch| batch.digest()).collect();
        let record = DecidedRecord::of(&decided).to_bytes().into();
        self.durable.push(Effect::StoreDecided { height: proposal.height, batches, record });
        let tips: Vec<LaneTip> =
            decided.lanes.iter().filter_map(|run| run.last()).map(|b| tip_of(b)).collect();
        self.tips.advance(proposal);
        self.decided = proposal.height;
        self.decided_slot = proposal.slot;
        self.synced.clear();
        for digest in self.wants.cancel_all(Purpose::Slot) {
            self.stop_asking(digest);
        }
        self.raise_floors(&tips);
        self.notice(Notice::Ordered {
            height: proposal.height,
            slot: proposal.slot,
            round: decided.certificate.round,
            tips: tips.iter().map(|tip| tip.position).collect(),
        });
        let proposal = Arc::new(proposal.clone());
        self.todo.push_back(Todo::Catchup(catchup::Event::Decided { proposal }));
        self.todo.push_back(Todo::Lanes(lane::Event::Decided { tips }));
        self.out.push(Effect::Execute(Box::new(decided)));
        self.applied.retain(|height, _| *height > decided_height);
        self.start_height();
        self.feed_applied();
    }

    pub(super) fn on_executed(&mut self, executed: ExecutedSlot, checkpoint: Option<Bytes>) {
        let height = executed.header.height;
        let record = executed.record.to_bytes().into();
        self.durable.push(Effect::StoreExecuted { height, record });
        if let Some(state) = checkpoint {
            self.durable.push(Effect::StoreCheckpoint { height, state });
        }
        self.executed = height;
        self.header_id = executed.header_id;
        self.order = Arc::clone(&executed.order);
        let order = Arc::clone(&self.order);
        self.evidence.retain(|item| order.accepts(item, &self.validators));
        let terms = self.order.terms();
        self.tell_rejoin(rejoin::Event::Executed { height, terms: terms.clone() });
        if self.lanes.waits() {
            let prefixes = executed.record.settled();
            self.todo.push_back(Todo::Lanes(lane::Event::Ordered { prefixes }));
        }
        self.todo.push_back(Todo::Lanes(lane::Event::Executed { terms }));
        self.todo.push_back(Todo::Driver(rota_consensus::Event::Executed {
            height,
            header_id: self.header_id,
        }));
        let header = Box::new(executed.header.clone());
        self.todo.push_back(Todo::Seals(seals::Event::Executed { header }));
        self.keystore = executed.keystore.clone();
        if self.pool.usage().0 > 0 {
            let prefixes = executed.record.settled();
            self.todo.push_back(Todo::Pool(mempool::Event::Ordered(prefixes)));
        }
        let header_id = self.header_id;
        self.todo.push_back(Todo::Catchup(catchup::Event::Executed { height, header_id }));
        self.todo.push_back(Todo::Recheck);
        self.feed_applied();
        self.notice(Notice::Executed(Box::new(executed)));
    }

    pub(super) fn on_seal_effects(&mut self, effects: Vec<seals::Effect>) {
        use seals::Effect as E;
        for effect in effects {
            match effect {
                E::Broadcast(message) => {
                    let bytes = message.to_bytes().into();
                    self.out.push(Effect::Broadcast { class: FrameClass::Certificates, bytes });
                }
                E::Send { to, message } => {
                    let bytes = message.to_bytes().into();
                    self.out.push(Effect::Send { to, class: FrameClass::Certificates, bytes });
                }
                E::Sealed { sealed } => self.on_sealed(*sealed),
                E::Penalise { validator, offence } => {
                    self.penalise(validator, offence.to_string());
                }
                E::Refused { .. } => self.notice(Notice::GuardRefused),
                E::SafetyAlarm(alarm) => {
                    self.notice(Notice::Alarm { what: format!("SAFETY ALARM: {alarm:?}") });
                }
            }
        }
    }

    fn on_sealed(&mut self, sealed: SealedHeader) {
        let height = sealed.header.height;
        self.durable.push(Effect::StoreSeal { height, seal: encode(&sealed).into() });
        self.todo.push_back(Todo::Catchup(catchup::Event::Sealed { height }));
        let (header, seal) = (Box::new(sealed.header), Box::new(sealed.seal));
        self.notice(Notice::Sealed { height, header, seal });
    }
}
