//! What tests ask of a network, and what they do behind a validator's back.

use crate::net::{CHAIN, Net};
use rota_consensus::{Effect, Event, Message, NilReason};
use rota_types::vote::SignedVote;
use rota_types::{Hash, Height, Round, Vote, VoteKind};

impl Net {
    pub(crate) fn all_decided(&self, height: u64) -> bool {
        let mut up = (0..self.nodes.len()).filter(|node| self.is_up(*node)).peekable();
        up.peek().is_some() && up.all(|node| self.decided(node) >= height)
    }

    pub(crate) fn assert_safe(&self) {
        assert_eq!(self.forks, vec![], "forks");
        let honest: Vec<_> =
            self.double_signs.iter().filter(|(node, _)| !self.nodes[*node].equivocates).collect();
        assert!(honest.is_empty(), "double signs: {honest:?}");
    }

    /// Decided proposals of a node by height.
    pub(crate) fn slots(&self, node: usize) -> Vec<(u64, u32, u64)> {
        self.nodes[node]
            .disk
            .decided
            .iter()
            .map(|(h, (proposal, certificate))| (h.0, certificate.round.0, proposal.slot.0))
            .collect()
    }

    pub(crate) fn reasons(&self, node: usize) -> Vec<(u64, u32, NilReason)> {
        self.effects
            .iter()
            .filter(|(_, at, _)| *at == node)
            .filter_map(|(_, _, effect)| match effect {
                Effect::NilPrevote { height, round, reason } => Some((height.0, round.0, *reason)),
                _ => None,
            })
            .collect()
    }

    /// A vote of a node, signed with its key behind the gate's back.
    pub(crate) fn forge_vote(
        &self,
        node: usize,
        kind: VoteKind,
        height: u64,
        round: u32,
        value: Option<Hash>,
    ) -> SignedVote {
        let validator = self.nodes[node].key;
        let vote = Vote { kind, height: Height(height), round: Round(round), value, validator };
        vote.sign(CHAIN, self.nodes[node].signer.as_ref())
    }

    /// Hands a message to a node as if `from` had sent it now.
    pub(crate) fn hand(&mut self, from: usize, to: usize, message: &Message) {
        let (from, class, bytes) = (self.nodes[from].key, message.class(), message.to_bytes());
        self.step(to, Event::Message { from, class, bytes });
    }
}
