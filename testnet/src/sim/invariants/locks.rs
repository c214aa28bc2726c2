//! Locks: who precommitted a value prevotes no other in a later round, unless more than two thirds prevoted that one
//! since.
//!
//! Rule: the lock of Tendermint. Judged from what left the machines; Byzantine ones count as having prevoted anything,
//! and a node itself too, for what it signed and did not send yet it knows.

use super::weights::Weights;
use super::{Actor, Check, Said, broken};
use rota_consensus::Message;
use rota_types::{Hash, Height, Round, ValidatorKey, ValidatorSet, VoteKind};
use std::collections::{BTreeMap, BTreeSet};

/// Heights that are remembered: nobody votes further behind.
const HEIGHTS_KEPT: usize = 64;

#[derive(Default)]
struct OfHeight {
    /// Honest validators by what they prevoted.
    prevotes: BTreeMap<(Hash, Round), BTreeSet<ValidatorKey>>,
    /// The newest precommit of each that was no nil.
    locks: BTreeMap<ValidatorKey, (Round, Hash)>,
}

pub(super) struct Locks {
    weights: Weights,
    byzantine: Vec<ValidatorKey>,
    heights: BTreeMap<Height, OfHeight>,
}

impl Locks {
    pub(super) fn new(set: &ValidatorSet, honest: &[ValidatorKey]) -> Self {
        let keys = set.as_slice().iter().map(|validator| validator.key);
        let byzantine = keys.filter(|key| !honest.contains(key)).collect();
        Self { weights: Weights::new(set), byzantine, heights: BTreeMap::new() }
    }

    /// A message of an honest node.
    pub(super) fn on_message(&mut self, actor: &Actor<'_>, said: &Said) -> Check {
        let (Some(key), Said::Consensus(Message::Vote { vote, .. })) = (actor.key, said) else {
            return Ok(());
        };
        let vote = &vote.vote;
        let Some(value) = vote.value.filter(|_| vote.validator == key) else { return Ok(()) };
        let of_height = self.heights.entry(vote.height).or_default();
        if vote.kind == VoteKind::Precommit {
            let lock = of_height.locks.entry(key).or_insert((vote.round, value));
            if lock.0 < vote.round {
                *lock = (vote.round, value);
            }
            return Ok(());
        }
        of_height.prevotes.entry((value, vote.round)).or_default().insert(key);
        let check = self.judge(actor, key, vote.height, vote.round, value);
        while self.heights.len() > HEIGHTS_KEPT {
            self.heights.pop_first();
        }
        check
    }

    fn judge(
        &self,
        actor: &Actor<'_>,
        key: ValidatorKey,
        height: Height,
        round: Round,
        value: Hash,
    ) -> Check {
        let Some(of_height) = self.heights.get(&height) else { return Ok(()) };
        let Some((locked_at, locked)) = of_height.locks.get(&key).copied() else { return Ok(()) };
        if locked == value || locked_at >= round {
            return Ok(());
        }
        let mut since = of_height.prevotes.range((value, locked_at)..(value, round));
        let released = since.any(|(_, keys)| {
            self.weights.are_quorum(keys.iter().chain(&self.byzantine).chain([&key]))
        });
        if released {
            return Ok(());
        }
        let what = format!(
            "n{} prevotes {value} in round {round} of height {height}, and precommitted {locked} in round {locked_at}",
            actor.node
        );
        broken("locks are kept", what)
    }
}
