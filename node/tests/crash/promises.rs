//! What left the machine, through all its lives, and what must therefore be found after every start.

use crate::cast::{CHAIN_ID, cast};
use rota_consensus::{Message, MessageClass};
use rota_node::core::{Effect, FrameClass, Notice};
use rota_node::guard::{Decision, Mark, Marks, Step};
use rota_node::ledger::LedgerReader;
use rota_sequencer::Batch;
use rota_sequencer::execution::DecidedRecord;
use rota_sequencer::lanes::LaneMessage;
use rota_sequencer::seals::SealMessage;
use rota_types::bls::seal_digest;
use rota_types::receipt::SignedReceipt;
use rota_types::{Ack, Hash, Height, LanePosition, VoteKind};
use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub(crate) struct Promises {
    /// Marks of everything signed, by place: the mark with its digest taken out.
    signed: BTreeMap<String, Mark>,
    /// Batches sent or acknowledged.
    batches: BTreeMap<LanePosition, Hash>,
    /// Decided proposals that were let go for execution.
    pub(crate) decided: BTreeMap<Height, Hash>,
    /// Headers that were told.
    headers: BTreeMap<Height, Hash>,
    pub(crate) sealed: Height,
    /// Receipts by the transaction that they are for.
    pub(crate) receipts: BTreeMap<usize, SignedReceipt>,
    /// Acknowledgements given to the friend's lane.
    pub(crate) acks: BTreeMap<LanePosition, Ack>,
    pub(crate) cut: BTreeMap<LanePosition, Hash>,
}

fn place_of(mark: &Mark) -> String {
    match mark {
        Mark::Vote { height, round, step, .. } => format!("vote {height} {round} {step:?}"),
        Mark::Seal { height, .. } => format!("seal {height}"),
        Mark::OwnBatch { incarnation, seq, .. } => format!("batch {incarnation} {seq}"),
        Mark::Ack { lane, incarnation, seq, .. } => format!("ack {lane} {incarnation} {seq}"),
    }
}

fn consensus_mark(message: &Message) -> Option<Mark> {
    match message {
        Message::Vote { vote, .. } if vote.vote.validator == cast().me => {
            let vote = &vote.vote;
            let step = match vote.kind {
                VoteKind::Prevote => Step::Prevote,
                VoteKind::Precommit => Step::Precommit,
            };
            let digest = vote.signing_digest(CHAIN_ID);
            Some(Mark::Vote { height: vote.height, round: vote.round, step, digest })
        }
        Message::Proposal { proposal, .. } if proposal.proposal.validator == cast().me => {
            let proposal = &proposal.proposal;
            let (height, round) = (proposal.height, proposal.round);
            let digest = proposal.signing_digest(CHAIN_ID);
            Some(Mark::Vote { height, round, step: Step::Propose, digest })
        }
        _ => None,
    }
}

impl Promises {
    /// An effect leaves the machine.
    pub(crate) fn on_effect(&mut self, effect: &Effect, ledger: &LedgerReader) {
        match effect {
            Effect::Send { class, bytes, .. } | Effect::Broadcast { class, bytes } => {
                self.on_frame(*class, bytes, ledger);
            }
            Effect::SendBatch { frame, .. } => {
                let batch = Batch::from_stored(CHAIN_ID, frame.clone()).unwrap();
                let position = batch.position();
                if position.lane == cast().me {
                    let (incarnation, seq) = (position.incarnation, position.seq);
                    self.sign(Mark::OwnBatch { incarnation, seq, digest: batch.digest() });
                }
                self.speak_of(position, batch.digest(), ledger);
            }
            Effect::Execute(decided) => {
                let (height, id) = (decided.height(), decided.proposal.id(CHAIN_ID));
                assert!(ledger.tip() >= Some(height), "{height} is executed before it is durable");
                self.decide(height, id);
                let cut = decided.lanes.iter().flatten();
                self.cut.extend(cut.map(|batch| (batch.position(), batch.digest())));
            }
            Effect::Notice(Notice::Executed(executed)) => {
                let (height, id) = (executed.header.height, executed.header_id);
                let first = *self.headers.entry(height).or_insert(id);
                assert_eq!(first, id, "{height} has two headers");
            }
            Effect::Notice(Notice::Sealed { height, .. }) => self.sealed = self.sealed.max(*height),
            Effect::Notice(Notice::Alarm { what }) => panic!("an alarm: {what}"),
            Effect::Receipt { token, receipt } => {
                receipt.verify(CHAIN_ID).unwrap();
                let position = receipt.receipt.position;
                let digest = self.batches.get(&position).copied();
                // A receipt may leave before the batch does; its place is looked at when it is decided.
                let stored = digest.is_none_or(|digest| ledger.has_batch(&digest));
                assert!(stored, "a receipt for {position:?}, which is not durable");
                self.receipts.insert(usize::try_from(*token).unwrap(), (**receipt).clone());
            }
            Effect::Fatal { reason } => panic!("a safety stop: {reason}"),
            _ => {}
        }
    }

    fn on_frame(&mut self, class: FrameClass, bytes: &bytes::Bytes, ledger: &LedgerReader) {
        let kind = match class {
            FrameClass::Votes => MessageClass::Votes,
            FrameClass::Proposals => MessageClass::Proposals,
            FrameClass::Certificates => return self.on_certificates(bytes, ledger),
        };
        let message = Message::from_bytes(kind, bytes).unwrap();
        if let Some(mark) = consensus_mark(&message) {
            self.sign(mark);
        }
    }

    fn on_certificates(&mut self, bytes: &bytes::Bytes, ledger: &LedgerReader) {
        if let Ok(LaneMessage::Ack(ack)) = LaneMessage::from_bytes(bytes) {
            let position = ack.position;
            let digest = Ack::signing_digest(CHAIN_ID, &position, &ack.header_digest);
            let (lane, incarnation, seq) = (position.lane, position.incarnation, position.seq);
            self.sign(Mark::Ack { lane, incarnation, seq, digest });
            self.speak_of(position, ack.header_digest, ledger);
            self.acks.insert(position, ack);
        }
        if let Ok(SealMessage::Signature(seal)) = SealMessage::from_bytes(bytes) {
            let digest = seal_digest(CHAIN_ID, &seal.header_id);
            self.sign(Mark::Seal { height: seal.height, digest });
        }
    }

    fn sign(&mut self, mark: Mark) {
        let first = self.signed.entry(place_of(&mark)).or_insert(mark);
        assert_eq!(*first, mark, "two signatures at one place");
    }

    fn speak_of(&mut self, position: LanePosition, digest: Hash, ledger: &LedgerReader) {
        assert!(ledger.has_batch(&digest), "{position:?} is spoken of before it is durable");
        let first = *self.batches.entry(position).or_insert(digest);
        assert_eq!(first, digest, "two batches at one place");
    }

    /// Every receipted transaction stands at its place.
    pub(crate) fn check_receipts(&self, ledger: &LedgerReader) {
        for (number, receipt) in &self.receipts {
            let receipt = &receipt.receipt;
            let digest = self.cut[&receipt.position];
            let stored = ledger.batch(&digest).unwrap().unwrap();
            let batch = Batch::from_stored(CHAIN_ID, stored.frame).unwrap();
            let from = usize::try_from(receipt.first_index).unwrap();
            let ids: Vec<Hash> = batch.body().ids().skip(from).collect();
            assert!(ids.starts_with(&cast().lists[*number].ids().collect::<Vec<_>>()));
        }
    }

    fn decide(&mut self, height: Height, id: Hash) {
        let first = *self.decided.entry(height).or_insert(id);
        assert_eq!(first, id, "{height} is decided twice");
    }

    /// Places of what was sent or acknowledged.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &LanePosition> {
        self.batches.keys()
    }

    /// The node started: its stores hold every promise.
    pub(crate) fn check(&self, ledger: &LedgerReader, marks: &Marks) -> Result<(), String> {
        let tip = ledger.tip().unwrap_or(Height::GENESIS);
        let promised = self.decided.last_key_value().map_or(Height::GENESIS, |(height, _)| *height);
        if tip < promised {
            return Err(format!("{promised} was decided, the ledger ends at {tip}"));
        }
        let mut height = Height::GENESIS;
        while height < tip {
            height = height.next();
            let Ok(Some(slot)) = ledger.slot(height) else {
                return Err(format!("the ledger has {tip} and not {height}"));
            };
            let record =
                DecidedRecord::from_bytes(&slot.bytes).map_err(|error| error.to_string())?;
            let (found, promised) = (record.proposal.id(CHAIN_ID), self.decided.get(&height));
            if promised.is_some_and(|promised| *promised != found) {
                return Err(format!("{height} holds another slot than was decided"));
            }
        }
        if let Some((position, _)) = self.batches.iter().find(|(_, d)| !ledger.has_batch(d)) {
            return Err(format!("the batch at {position:?} is lost"));
        }
        for mark in self.signed.values() {
            match marks.check(mark) {
                Decision::Same | Decision::Conflict { existing: None } => {}
                decision => {
                    return Err(format!("{mark:?} was signed, the guard says {decision:?}"));
                }
            }
        }
        Ok(())
    }
}
