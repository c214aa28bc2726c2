//! Crimes against agreement: two votes, two proposals, proposals that leave out or stand on nothing.

use super::{CHAIN_ID, Scene};
use bytes::Bytes;
use rota_consensus::{Message, MessageClass};
use rota_node::core::{Effect, FrameClass};
use rota_types::{Hash, SlotProposal, VoteKind, keccak256};

fn message(effect: &Effect, wanted: FrameClass) -> Option<Message> {
    let Effect::Broadcast { class, bytes } = effect else { return None };
    let kind = match wanted {
        FrameClass::Votes => MessageClass::Votes,
        FrameClass::Proposals => MessageClass::Proposals,
        FrameClass::Certificates => return None,
    };
    if *class != wanted {
        return None;
    }
    Message::from_bytes(kind, bytes).ok()
}

impl Scene<'_> {
    /// Another vote at the same place to some: nil against a value, a value nobody proposed against nil.
    pub(super) fn equivocate_vote(mut self, effect: &Effect) -> Option<Vec<Effect>> {
        let Message::Vote { vote, .. } = message(effect, FrameClass::Votes)? else { return None };
        if vote.vote.validator != self.me || self.dice.chance(400) {
            return None;
        }
        let Effect::Broadcast { bytes, .. } = effect else { return None };
        let mut other = vote.vote;
        other.value = match other.value {
            Some(_) if other.kind == VoteKind::Prevote || self.dice.chance(700) => None,
            Some(value) => Some(keccak256(value.as_bytes())),
            None => Some(Hash(self.dice.bytes())),
        };
        let other = Message::Vote { vote: other.sign(CHAIN_ID, &self.signer), reason: None };
        Some(self.two_ways(FrameClass::Votes, bytes, &other.to_bytes()))
    }

    /// A fresh proposal of its own, with its body.
    fn own_proposal(
        &self,
        effect: &Effect,
    ) -> Option<(rota_types::vote::SignedProposal, SlotProposal)> {
        let Message::Proposal { proposal, body: Some(body) } =
            message(effect, FrameClass::Proposals)?
        else {
            return None;
        };
        let own = proposal.proposal.validator == self.me && proposal.proposal.pol_round.is_none();
        own.then_some((proposal, body))
    }

    /// The same message with another body.
    fn proposal_of(&self, signed: &rota_types::vote::SignedProposal, body: SlotProposal) -> Bytes {
        let mut proposal = signed.proposal.clone();
        proposal.value = body.id(CHAIN_ID);
        let proposal = proposal.sign(CHAIN_ID, &self.signer);
        Message::Proposal { proposal, body: Some(body) }.to_bytes()
    }

    pub(super) fn equivocate_proposal(mut self, effect: &Effect) -> Option<Vec<Effect>> {
        let (signed, mut body) = self.own_proposal(effect)?;
        let Effect::Broadcast { bytes, .. } = effect else { return None };
        if body.cut.pop().is_none() {
            body.slot = body.slot.next();
        }
        let other = self.proposal_of(&signed, body);
        Some(self.two_ways(FrameClass::Proposals, bytes, &other))
    }

    /// Everything is left out; half of the time only the newest lane is.
    pub(super) fn empty_proposal(self, effect: &Effect) -> Option<Vec<Effect>> {
        let (signed, mut body) = self.own_proposal(effect)?;
        if self.dice.chance(500) {
            body.cut.clear();
        } else {
            body.cut.pop();
        }
        let bytes = self.proposal_of(&signed, body);
        Some(vec![Effect::Broadcast { class: FrameClass::Proposals, bytes }])
    }

    pub(super) fn stale_parent(self, effect: &Effect) -> Option<Vec<Effect>> {
        let (signed, mut body) = self.own_proposal(effect)?;
        body.parent_header = Hash(self.dice.bytes());
        let bytes = self.proposal_of(&signed, body);
        Some(vec![Effect::Broadcast { class: FrameClass::Proposals, bytes }])
    }
}
