//! Crimes against lanes: two branches, certificates for one pair of eyes, batches for few, acknowledgements for all.

use super::{CHAIN_ID, Role, Scene};
use crate::sim::net::Load;
use crate::sim::world::World;
use rota_node::core::{Effect, FrameClass, Input};
use rota_sequencer::Batch;
use rota_sequencer::lanes::LaneMessage;
use rota_types::limits::BATCH_BODY_BYTES_MAX;
use rota_types::{Ack, RollupId, Signer as _, Slot, Transaction, TransactionList, ids_tree};
use std::sync::Arc;

/// Transactions that one machine postdates.
const POSTDATED_MAX: usize = 12;
/// Slots before their end in which they come again.
const POSTDATED_ENDS_SLOTS: u64 = 3;

impl Scene<'_> {
    /// Another batch at the same place to some.
    pub(super) fn equivocate_batch(mut self, effect: &Effect) -> Option<Vec<Effect>> {
        let Effect::SendBatch { to, frame } = effect else { return None };
        let batch = Batch::from_stored(CHAIN_ID, frame.clone()).ok()?;
        if batch.position().lane != self.me {
            return None;
        }
        let other = self.other_branch(&batch)?;
        let to: Vec<_> = to.map_or_else(|| self.others.clone(), |to| vec![to]);
        let mut effects = Vec::new();
        for to in to {
            let frame = if self.dice.chance(500) { frame } else { other.frame() };
            effects.push(Effect::SendBatch { to: Some(to), frame: frame.clone() });
        }
        Some(effects)
    }

    fn other_branch(&mut self, batch: &Batch) -> Option<Batch> {
        let transaction = Transaction {
            rollup: RollupId(10),
            valid_until_slot: Slot(u64::from(u8::MAX)),
            payload: self.dice.bytes::<16>().to_vec(),
        };
        let bytes = rota_types::codec::encode(&vec![transaction]);
        let body = TransactionList::parse(bytes.into(), BATCH_BODY_BYTES_MAX).ok()?;
        let mut header = batch.header().clone();
        let before = header.cumulative_bytes.saturating_sub(batch.body().tx_bytes());
        let txs = u64::try_from(batch.body().len()).ok()?;
        header.cumulative_bytes = before.saturating_add(body.tx_bytes());
        header.cumulative_txs = header.cumulative_txs.saturating_sub(txs).saturating_add(1);
        header.body_digest = ids_tree::root(CHAIN_ID, body.ids());
        let signature = self.signer.sign(&header.digest(CHAIN_ID));
        let signed = rota_types::SignedBatchHeader { header, signature };
        Some(Batch::assemble(CHAIN_ID, signed, body))
    }

    /// Its own certificates go to one of the others, the same one for the whole run.
    pub(super) fn show_to_one(self, effect: &Effect) -> Option<Vec<Effect>> {
        let bytes = match effect {
            Effect::Broadcast { class: FrameClass::Certificates, bytes }
            | Effect::Send { class: FrameClass::Certificates, bytes, .. } => bytes,
            _ => return None,
        };
        let LaneMessage::Certificate(certificate) = LaneMessage::from_bytes(bytes).ok()? else {
            return None;
        };
        if certificate.header().position.lane != self.me {
            return None;
        }
        let chosen = self.others.first().copied()?;
        let sent = matches!(effect, Effect::Send { to, .. } if *to != chosen);
        let (class, bytes) = (FrameClass::Certificates, bytes.clone());
        Some(if sent { Vec::new() } else { vec![Effect::Send { to: chosen, class, bytes }] })
    }

    /// Its own certificates keep one acknowledgement; at times that one stands there often enough to seem many.
    pub(super) fn thin_certificate(self, effect: &Effect) -> Option<Vec<Effect>> {
        let (to, bytes) = match effect {
            Effect::Broadcast { class: FrameClass::Certificates, bytes } => (None, bytes),
            Effect::Send { class: FrameClass::Certificates, bytes, to } => (Some(*to), bytes),
            _ => return None,
        };
        let LaneMessage::Certificate(mut certificate) = LaneMessage::from_bytes(bytes).ok()? else {
            return None;
        };
        let kept = certificate.acks.first().copied()?;
        if certificate.header().position.lane != self.me {
            return None;
        }
        let seem = if self.dice.chance(500) { certificate.acks.len() } else { 1 };
        certificate.acks = vec![kept; seem];
        let class = FrameClass::Certificates;
        let bytes: bytes::Bytes = LaneMessage::Certificate(certificate).to_bytes().into();
        Some(vec![match to {
            Some(to) => Effect::Send { to, class, bytes },
            None => Effect::Broadcast { class, bytes },
        }])
    }

    /// Its batches go to just so many that with its own they are more than two thirds.
    pub(super) fn withhold(self, effect: &Effect) -> Option<Vec<Effect>> {
        let Effect::SendBatch { to, frame } = effect else { return None };
        let enough = self.others.len().saturating_add(1).saturating_mul(2) / 3;
        let few = self.others.iter().take(enough);
        let send = |to: &rota_types::ValidatorKey| Effect::SendBatch {
            to: Some(*to),
            frame: frame.clone(),
        };
        Some(match to {
            None => few.map(send).collect(),
            Some(to) => few.filter(|key| *key == to).map(send).collect(),
        })
    }
}

impl World {
    /// A transaction that is valid for as long as any may be, or one of those again when it is about to expire.
    pub(super) fn postdate(&mut self, node: usize) -> bool {
        let slot = self.slot_now();
        let validity = self.genesis.validity_slots_max;
        let criminal = &mut self.machine_mut(node).criminal;
        let ends = |until: &Slot| *until >= slot && *until <= slot.plus(POSTDATED_ENDS_SLOTS);
        let again: Vec<_> =
            criminal.postdated.iter().filter(|(_, until, _)| ends(until)).cloned().collect();
        let lists: Vec<TransactionList> = if again.is_empty() {
            if criminal.postdated.len() >= POSTDATED_MAX {
                return false;
            }
            let until = slot.plus(validity).plus(criminal.dice.below(3));
            let payload = criminal.dice.bytes::<16>().to_vec();
            let transaction =
                Transaction { rollup: RollupId(10), valid_until_slot: until, payload };
            let id = transaction.id();
            let bytes = rota_types::codec::encode(&vec![transaction]);
            let Ok(list) = TransactionList::parse(bytes.into(), BATCH_BODY_BYTES_MAX) else {
                return false;
            };
            criminal.postdated.push((id, until, list.clone()));
            vec![list]
        } else {
            again.into_iter().map(|(.., list)| list).collect()
        };
        for list in lists {
            let Some(running) = self.up(node).filter(|running| running.bulk_has_room()) else {
                return false;
            };
            let token = running.token();
            running.bulk.push_back(Input::Submit { token, list });
        }
        self.wake(node);
        true
    }

    /// What a criminal makes of a batch that it was sent, before its core sees it.
    pub(in crate::sim) fn abuse_batch(&mut self, node: usize, batch: &Arc<Batch>) {
        let machine = self.machine(node);
        let (role, Some(identity)) = (machine.role, machine.identity) else { return };
        let position = batch.position();
        if position.lane == identity.key {
            return;
        }
        match role {
            Role::AckAnything => {
                let ack = Ack::sign(CHAIN_ID, position, batch.digest(), &identity.signer());
                let bytes = LaneMessage::Ack(ack).to_bytes().into();
                self.counts.add(role.name());
                self.send_to(node, &position.lane, &Load::Frame(FrameClass::Certificates, bytes));
            }
            Role::CopyLanes => {
                let list = batch.body().clone();
                if let Some(running) = self.up(node).filter(|running| running.bulk_has_room()) {
                    let token = running.token();
                    running.bulk.push_back(Input::Submit { token, list });
                    self.counts.add(role.name());
                }
            }
            _ => {}
        }
    }
}
