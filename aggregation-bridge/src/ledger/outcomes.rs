//! Where an exit is: what the ledger tells of each, and a bounded memory of it.

use super::Ledger;
use super::delivery::BounceReason;
use crate::exits::NetworkId;
use crate::limits::OUTCOMES_MAX;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::Hash;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Names one exit for ever: two exits may be equal, their numbers are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct ExitId {
    /// The network that it leaves.
    pub source: NetworkId,
    /// Its number among all exits of that network, from 0.
    pub number: u64,
}

/// What became of an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ExitOutcome {
    /// It waits for the cap of its token.
    Held,
    /// It is in the destination's inbox, and credited.
    Delivered {
        /// Its index in the source's exit tree.
        leaf_index: u32,
    },
    /// It can be claimed by path.
    Claimable {
        /// Its index in the source's exit tree.
        leaf_index: u32,
    },
    /// It is back in the source's inbox, and credited there.
    Bounced(BounceReason),
}

/// Something happened to an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ExitEvent {
    /// Which.
    pub id: ExitId,
    /// Where it wanted to go.
    pub destination: NetworkId,
    /// Its hash.
    pub exit_hash: Hash,
    /// What happened.
    pub outcome: ExitOutcome,
}

impl Ledger {
    /// Place of an exit in the queue that holds it, 0 for the next to leave; `None` if it is not held.
    #[must_use]
    pub fn held_place(&self, id: ExitId) -> Option<usize> {
        self.network(id.source)?.held_place(id)
    }
}

/// The last outcomes, by exit and by hash. Not part of the state: it answers questions, and an index holds what
/// it has forgotten.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    by_id: BTreeMap<ExitId, ExitEvent>,
    by_hash: BTreeSet<(Hash, ExitId)>,
    order: VecDeque<ExitId>,
}

impl Outcomes {
    /// Takes the ledger's events; beyond [`OUTCOMES_MAX`] exits the first noted are forgotten.
    pub fn observe(&mut self, events: &[ExitEvent]) {
        for event in events {
            self.by_hash.insert((event.exit_hash, event.id));
            if self.by_id.insert(event.id, *event).is_none() {
                self.order.push_back(event.id);
            }
            if self.order.len() > OUTCOMES_MAX
                && let Some(old) = self.order.pop_front()
                && let Some(event) = self.by_id.remove(&old)
            {
                self.by_hash.remove(&(event.exit_hash, old));
            }
        }
    }

    /// What became of an exit.
    #[must_use]
    pub fn exit_status(&self, id: ExitId) -> Option<&ExitEvent> {
        self.by_id.get(&id)
    }

    /// What became of all exits with this hash, by source and number.
    pub fn exits_of_hash(&self, exit_hash: Hash) -> impl Iterator<Item = &ExitEvent> + '_ {
        let first = ExitId { source: NetworkId(0), number: 0 };
        let last = ExitId { source: NetworkId(u32::MAX), number: u64::MAX };
        let range = self.by_hash.range((exit_hash, first)..=(exit_hash, last));
        range.filter_map(|(_, id)| self.by_id.get(id))
    }
}
