//! What must hold while a network runs, one file each; every check sees what really left a machine or became durable.
//!
//! Rules: docs/protocol.md and the list of the same name in the design. A check tells what it found and never mends.

mod agreement;
mod behind;
mod certificates;
mod deadlines;
mod durable;
mod good_names;
mod headers;
mod locks;
mod marks;
mod order;
mod queues;
mod receipts;
mod signatures;
mod weights;

pub(super) use behind::check as check_behind;
pub(super) use queues::check as check_queues;

use super::cast::CHAIN_ID;
use rota_node::core::{Effect, FrameClass, Notice};
use rota_node::guard::Marks;
use rota_sequencer::Batch;
use rota_sequencer::execution::{DecidedSlot, ExecutedSlot};
use rota_sequencer::lanes::{FIRST_TAG, LAST_TAG, LaneMessage};
use rota_sequencer::seals::SealMessage;
use rota_types::receipt::SignedReceipt;
use rota_types::{Genesis, Hash, Height, ValidatorKey, ValidatorSet};
use std::collections::BTreeMap;

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Name of the invariant.
    pub invariant: &'static str,
    /// What was found.
    pub what: String,
}

pub(super) type Check = Result<(), Violation>;

fn broken(invariant: &'static str, what: String) -> Check {
    Err(Violation { invariant, what })
}

/// A message that left a machine on a stream between validators.
enum Said {
    Consensus(rota_consensus::Message),
    Lanes(LaneMessage),
    Seals(SealMessage),
    Batch(Box<Batch>),
}

fn parse(effect: &Effect) -> Option<Said> {
    let (class, bytes) = match effect {
        Effect::Send { class, bytes, .. } | Effect::Broadcast { class, bytes } => (class, bytes),
        Effect::SendBatch { frame, .. } => {
            return Batch::from_stored(CHAIN_ID, frame.clone()).ok().map(Box::new).map(Said::Batch);
        }
        _ => return None,
    };
    let consensus = |class| rota_consensus::Message::from_bytes(class, bytes).ok();
    match class {
        FrameClass::Votes => consensus(rota_consensus::MessageClass::Votes).map(Said::Consensus),
        FrameClass::Proposals => {
            consensus(rota_consensus::MessageClass::Proposals).map(Said::Consensus)
        }
        FrameClass::Certificates => match bytes.first() {
            Some(tag) if (FIRST_TAG..=LAST_TAG).contains(tag) => {
                LaneMessage::from_bytes(bytes).ok().map(Said::Lanes)
            }
            _ => SealMessage::from_bytes(bytes).ok().map(Said::Seals),
        },
    }
}

/// All that is remembered of a run to judge it.
pub(super) struct Invariants {
    set: ValidatorSet,
    agreement: agreement::Agreement,
    certificates: certificates::Certificates,
    deadlines: deadlines::Deadlines,
    durable: durable::Durable,
    good_names: good_names::GoodNames,
    headers: headers::Headers,
    locks: locks::Locks,
    order: order::Order,
    receipts: receipts::Receipts,
    signatures: signatures::SignedOnce,
}

/// Who says or does what is judged.
#[derive(Clone, Copy)]
pub(super) struct Actor<'a> {
    pub(super) node: usize,
    pub(super) life: u64,
    pub(super) key: Option<ValidatorKey>,
    pub(super) honest: bool,
    pub(super) holds: &'a dyn Fn(&Hash) -> bool,
}

impl Invariants {
    pub(super) fn new(genesis: &Genesis, set: ValidatorSet, honest: Vec<ValidatorKey>) -> Self {
        Self {
            agreement: agreement::Agreement::new(&set),
            certificates: certificates::Certificates::new(set.clone(), honest.clone()),
            deadlines: deadlines::Deadlines::new(set.clone()),
            durable: durable::Durable::default(),
            good_names: good_names::GoodNames::new(honest.clone()),
            headers: headers::Headers::new(&set),
            locks: locks::Locks::new(&set, &honest),
            order: order::Order::new(genesis),
            receipts: receipts::Receipts::new(honest),
            signatures: signatures::SignedOnce::default(),
            set,
        }
    }

    /// An effect is about to leave a machine; what it stands on is durable.
    pub(super) fn on_release(&mut self, actor: &Actor<'_>, effect: &Effect) -> Check {
        if let Some(said) = parse(effect) {
            self.certificates.on_message(&said)?;
            if actor.honest {
                self.signatures.on_message(actor, &said)?;
                self.durable.on_message(actor, &said)?;
                self.locks.on_message(actor, &said)?;
            }
        }
        if !actor.honest {
            return Ok(());
        }
        self.good_names.on_effect(actor.node, effect)?;
        match effect {
            Effect::Execute(decided) => self.on_decided(actor, decided),
            Effect::Notice(Notice::Executed(executed)) => self.on_executed(actor, executed),
            Effect::Notice(Notice::Sealed { height, seal, .. }) => {
                self.headers.on_sealed(actor.node, *height, seal)
            }
            _ => Ok(()),
        }
    }

    fn on_decided(&mut self, actor: &Actor<'_>, decided: &DecidedSlot) -> Check {
        let first = self.agreement.on_decided(actor.node, decided, &self.set)?;
        self.durable.on_decided(actor, decided);
        if !first {
            return Ok(());
        }
        self.receipts.on_decided(decided)?;
        self.deadlines.on_decided(decided)
    }

    fn on_executed(&mut self, actor: &Actor<'_>, executed: &ExecutedSlot) -> Check {
        let first = self.headers.on_executed(actor.node, executed)?;
        if !first {
            return Ok(());
        }
        self.deadlines.on_executed(executed);
        let batches = self.receipts.batches_of(executed);
        self.order.on_executed(executed, &batches)
    }

    /// A node started: what it said in earlier lives must be there.
    pub(super) fn on_boot(&mut self, actor: &Actor<'_>, tip: Height, damaged: bool) -> Check {
        self.agreement.on_boot(actor.node, tip);
        if actor.honest && !damaged { self.durable.on_boot(actor, tip) } else { Ok(()) }
    }

    /// What the guard of a node remembers after a start.
    pub(super) fn on_marks(&self, actor: &Actor<'_>, marks: &Marks) -> Check {
        if actor.honest {
            marks::check(actor.node, actor.key, &self.signatures, marks)
        } else {
            Ok(())
        }
    }

    /// A step ended: the newest note of the desk, if it is a new one.
    pub(super) fn on_note(
        &mut self,
        actor: &Actor<'_>,
        slot: rota_types::Slot,
        held: &BTreeMap<ValidatorKey, rota_sequencer::LaneTip>,
    ) {
        if let Some(key) = actor.key.filter(|_| actor.honest) {
            self.deadlines.on_note(key, actor.life, slot, held);
        }
    }

    /// Whether this life still is the one that took its note.
    pub(super) fn forget_notes(&mut self, key: ValidatorKey) {
        self.deadlines.forget(key);
    }

    /// A client got a receipt for these ids.
    pub(super) fn on_receipt(&mut self, receipt: &SignedReceipt, ids: Vec<Hash>) -> Check {
        self.receipts.on_receipt(receipt, ids)
    }

    /// A verdict that blames an honest sender of gossip.
    pub(super) fn on_reject(&self, node: usize) -> Check {
        broken("honest are not punished", format!("n{node} rejects an honest gossip bundle"))
    }

    /// Receipts of these honest authors whose place is not decided yet.
    pub(super) fn open_receipts(&self, authors: &[ValidatorKey]) -> usize {
        self.receipts.open(authors)
    }

    /// One of them, for a report.
    pub(super) fn an_open_receipt(&self, authors: &[ValidatorKey]) -> Option<String> {
        self.receipts.an_open_one(authors)
    }

    /// Whether a transaction was ordered, not skipped.
    pub(super) fn is_ordered(&self, id: &Hash) -> bool {
        self.order.is_ordered(id)
    }

    /// Height and slot that anyone decided last.
    pub(super) fn tip(&self) -> Height {
        self.agreement.tip()
    }

    /// Newest height that all honest nodes named have decided.
    pub(super) fn decided_by(&self, node: usize) -> Height {
        self.agreement.decided_by(node)
    }

    /// Transactions ordered and skipped so far.
    pub(super) fn ordered(&self) -> (u64, u64) {
        self.order.totals()
    }

    /// Heights decided in another round than their value was made for: a lock was carried.
    pub(super) fn carried(&self) -> u64 {
        self.agreement.carried()
    }

    /// Heights decided in another round than the first.
    pub(super) fn late_rounds(&self) -> u64 {
        self.agreement.late_rounds()
    }
}
