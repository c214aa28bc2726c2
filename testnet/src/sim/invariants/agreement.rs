//! Agreement and prefix: one proposal a height, by a valid commit certificate, heights without gap, slots ascending.

use super::weights::Weights;
use super::{Violation, broken};
use crate::sim::cast::CHAIN_ID;
use rota_sequencer::execution::DecidedSlot;
use rota_types::{Hash, Height, Slot, ValidatorSet};
use std::collections::BTreeMap;

pub(super) struct Agreement {
    weights: Weights,
    decided: BTreeMap<Height, (Hash, Slot)>,
    /// Newest decided height that each node released.
    nodes: BTreeMap<usize, Height>,
    late_rounds: u64,
    carried: u64,
}

impl Agreement {
    pub(super) fn new(set: &ValidatorSet) -> Self {
        Self {
            weights: Weights::new(set),
            decided: BTreeMap::new(),
            nodes: BTreeMap::new(),
            late_rounds: 0,
            carried: 0,
        }
    }

    /// Whether it is the first node to decide this height.
    pub(super) fn on_decided(
        &mut self,
        node: usize,
        decided: &DecidedSlot,
        set: &ValidatorSet,
    ) -> Result<bool, Violation> {
        let (height, slot) = (decided.height(), decided.proposal.slot);
        let id = decided.proposal.id(CHAIN_ID);
        let tip = self.nodes.entry(node).or_default();
        if height != tip.next() {
            broken("prefix", format!("n{node} decides {height} after {tip}"))?;
        }
        *tip = height;
        if let Some((other, _)) = self.decided.get(&height) {
            if *other != id {
                broken("agreement", format!("n{node} decides {id} at {height}, others {other}"))?;
            }
            return Ok(false);
        }
        if decided.certificate.value != id {
            broken("certificates are valid", format!("a commit for another value at {height}"))?;
        }
        if let Err(error) = decided.certificate.verify(CHAIN_ID, set) {
            broken("certificates are valid", format!("commit of {height}: {error}"))?;
        }
        if !self.weights.are_quorum(decided.certificate.signatures.iter().map(|(key, _)| key)) {
            broken("certificates are valid", format!("commit of {height} without a quorum"))?;
        }
        let parent = self.decided.get(&height.prev()).map_or(Slot(0), |(_, slot)| *slot);
        if slot <= parent {
            broken("prefix", format!("height {height} names slot {slot}, its parent {parent}"))?;
        }
        self.late_rounds =
            self.late_rounds.saturating_add(u64::from(decided.certificate.round.0 > 0));
        let carried = decided.certificate.round > decided.proposal.round;
        self.carried = self.carried.saturating_add(u64::from(carried));
        self.decided.insert(height, (id, slot));
        Ok(true)
    }

    /// A restart may find more than was released, and on a damaged disk less.
    pub(super) fn on_boot(&mut self, node: usize, tip: Height) {
        self.nodes.insert(node, tip);
    }

    pub(super) fn tip(&self) -> Height {
        self.decided.last_key_value().map_or(Height::GENESIS, |(height, _)| *height)
    }

    pub(super) fn decided_by(&self, node: usize) -> Height {
        self.nodes.get(&node).copied().unwrap_or_default()
    }

    pub(super) const fn carried(&self) -> u64 {
        self.carried
    }

    pub(super) const fn late_rounds(&self) -> u64 {
        self.late_rounds
    }
}
