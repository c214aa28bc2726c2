//! Signed once: a validator signs one thing at each place for life, across crashes.
//!
//! One vote per (height, round, step), one proposal per (height, round), one seal per height, one own batch and one
//! acknowledgement per (lane, incarnation, seq). Judged from what left the machine.

use super::{Actor, Check, Said, broken};
use crate::sim::cast::CHAIN_ID;
use rota_consensus::Message;
use rota_sequencer::lanes::LaneMessage;
use rota_sequencer::seals::SealMessage;
use rota_types::bls::seal_digest;
use rota_types::{Ack, Hash, MarkPlace};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct SignedOnce {
    signed: BTreeMap<(usize, MarkPlace), Hash>,
}

impl SignedOnce {
    /// What a node signed, by place.
    pub(super) fn of(&self, node: usize) -> impl Iterator<Item = (MarkPlace, Hash)> + '_ {
        let of_node = self.signed.iter().filter(move |((other, _), _)| *other == node);
        of_node.map(|((_, place), digest)| (*place, *digest))
    }

    pub(super) fn on_message(&mut self, actor: &Actor<'_>, said: &Said) -> Check {
        let Some(key) = actor.key else { return Ok(()) };
        let (place, digest) = match said {
            Said::Consensus(Message::Vote { vote, .. }) if vote.vote.validator == key => {
                let vote = &vote.vote;
                let (height, round, kind) = (vote.height, vote.round, vote.kind);
                (MarkPlace::Vote { height, round, kind }, vote.signing_digest(CHAIN_ID))
            }
            Said::Consensus(Message::Proposal { proposal, .. })
                if proposal.proposal.validator == key =>
            {
                let proposal = &proposal.proposal;
                let (height, round) = (proposal.height, proposal.round);
                (MarkPlace::Proposal { height, round }, proposal.signing_digest(CHAIN_ID))
            }
            Said::Lanes(LaneMessage::Ack(ack)) if ack.validator == key => {
                let signed = Ack::signing_digest(CHAIN_ID, &ack.position, &ack.header_digest);
                (MarkPlace::Ack { position: ack.position }, signed)
            }
            Said::Seals(SealMessage::Signature(seal)) if seal.validator == key => {
                (MarkPlace::Seal { height: seal.height }, seal_digest(CHAIN_ID, &seal.header_id))
            }
            Said::Batch(batch) if batch.position().lane == key => {
                let position = batch.position();
                let (incarnation, seq) = (position.incarnation, position.seq);
                (MarkPlace::OwnBatch { incarnation, seq }, batch.digest())
            }
            _ => return Ok(()),
        };
        let first = *self.signed.entry((actor.node, place)).or_insert(digest);
        if first == digest {
            return Ok(());
        }
        broken("signed once", format!("n{} signs {digest} at {place:?} after {first}", actor.node))
    }
}
