//! The cut of a slot: what a proposer proposes, and what a voter checks.
//!
//! Two kinds of check, never mixed. *Objective* ones ([`SlotDesk::check`]) follow from the proposal, the executed
//! parent and certificates; they decide for ever, and what is missing is fetched, never invalid. *Timely* ones
//! ([`SlotDesk::timely`]) ask the voter's clock and memory; they are asked once, of a fresh proposal, and never of a
//! value that others may be locked on. Rule: `docs/protocol.md`, slots and the cut.
//!
//! A slot's totals need no check of their own: each lane has an equal share of them, and a share is exceeded only
//! by a lane's first undecided batch, which always fits. A rule on the sum would let a proposer leave out a lane
//! that the omission check demands.

mod check;
mod deadline;
mod fault;

pub use check::{Need, Objective};
pub use fault::SlotFault;

use crate::execution::OrderState;
use crate::lane_view::{LaneTip, LaneView};
use crate::limits::DEADLINE_NOTES_MAX;
use rota_types::codec::encode;
use rota_types::evidence::Evidence;
use rota_types::genesis::Timing;
use rota_types::limits::{EVIDENCE_BYTES_MAX, EVIDENCE_ITEMS_MAX};
use rota_types::{
    CutEntry, Genesis, Hash, Height, LanePosition, Round, Slot, SlotProposal, TimestampMs,
    ValidatorKey, ValidatorSet,
};
use std::collections::BTreeMap;

/// What the executed parent says about the height that is worked on.
#[derive(Clone, Copy, Debug)]
pub struct Parent<'a> {
    /// Id of its header; zero below height 1.
    pub header_id: Hash,
    /// State that decides order, after it.
    pub order: &'a OrderState,
}

/// The height that is worked on.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The height.
    pub height: Height,
    /// Slot of the decided parent; slot 0 below height 1, which is thereby never filled.
    pub parent_slot: Slot,
    /// The parent, once it is executed here.
    pub parent: Option<Parent<'a>>,
}

/// Builds and checks proposals. Pure but for the notes it takes at deadlines.
#[derive(Clone, Debug)]
pub struct SlotDesk {
    chain_id: u64,
    timing: Timing,
    validators: ValidatorSet,
    /// Certified tips held at `known(slot)`, of the newest few slots.
    notes: BTreeMap<Slot, BTreeMap<ValidatorKey, LaneTip>>,
}

impl SlotDesk {
    /// A desk for the network of `genesis` with the given set.
    #[must_use]
    pub const fn new(genesis: &Genesis, validators: ValidatorSet) -> Self {
        Self {
            chain_id: genesis.chain_id,
            timing: genesis.timing(),
            validators,
            notes: BTreeMap::new(),
        }
    }

    /// Proposal of the furthest certified batch of every open lane within its share, and of evidence not accepted yet.
    ///
    /// `lanes` must stand at the decided tips of the parent.
    #[must_use]
    pub fn build(
        &self,
        height: Height,
        round: Round,
        slot: Slot,
        parent: Parent<'_>,
        lanes: &dyn LaneView,
        evidence: &[Evidence],
    ) -> SlotProposal {
        let mut cut = Vec::new();
        for (lane, state) in parent.order.lanes() {
            let share = parent.order.share(lane);
            let (Some(tip), Some(furthest)) =
                (lanes.decided_tip(lane), lanes.furthest_within(lane, share.bytes, share.txs))
            else {
                continue;
            };
            let position = furthest.position;
            if state.closed
                || position.incarnation != state.incarnation
                || position.seq <= tip.position.seq
            {
                continue;
            }
            cut.push(CutEntry { position, header_digest: furthest.digest });
        }
        SlotProposal {
            height,
            round,
            slot,
            parent_header: parent.header_id,
            cut,
            evidence: self.acceptable(parent.order, evidence),
        }
    }

    /// Evidence that voters will accept, within the limits of a proposal.
    fn acceptable(&self, order: &OrderState, evidence: &[Evidence]) -> Vec<Evidence> {
        let mut chosen: Vec<Evidence> = Vec::new();
        for item in evidence {
            if chosen.len() >= EVIDENCE_ITEMS_MAX {
                break;
            }
            let repeats = chosen.iter().any(|other| order.same_offence(other, item));
            if repeats
                || !order.accepts(item, &self.validators)
                || item.verify(self.chain_id).is_err()
            {
                continue;
            }
            chosen.push(item.clone());
            if encode(&chosen).len() > EVIDENCE_BYTES_MAX {
                chosen.pop();
            }
        }
        chosen
    }

    /// Timing of the network.
    #[must_use]
    pub const fn timing(&self) -> &Timing {
        &self.timing
    }

    /// What a voter noted of a lane at `known(slot)`.
    #[must_use]
    pub fn noted(&self, slot: Slot, lane: &ValidatorKey) -> Option<&LaneTip> {
        self.notes.get(&slot)?.get(lane)
    }

    /// The newest note: its slot, and what was held of each lane.
    #[must_use]
    pub fn newest_note(&self) -> Option<(Slot, &BTreeMap<ValidatorKey, LaneTip>)> {
        self.notes.last_key_value().map(|(slot, tips)| (*slot, tips))
    }

    /// Takes note of the certified tips held now, as those held at `known(slot)`. The first note of a slot stays.
    pub fn note_deadline(&mut self, slot: Slot, lanes: &dyn LaneView) {
        if self.notes.contains_key(&slot) {
            return;
        }
        let tips = self.validators.as_slice().iter().filter_map(|validator| {
            lanes.certified_tip(&validator.key).map(|tip| (validator.key, tip))
        });
        self.notes.insert(slot, tips.collect());
        while self.notes.len() > DEADLINE_NOTES_MAX {
            self.notes.pop_first();
        }
    }

    /// Takes the note that is due. A note missed by more than the clock's tolerance is not made up for: later
    /// certificates must not be demanded of a proposer that could not have had them. Returns the slot noted.
    pub fn tick(&mut self, now: TimestampMs, lanes: &dyn LaneView) -> Option<Slot> {
        let slot = self.newest_known(now)?;
        let late = now.0.saturating_sub(self.timing.known(slot).0);
        if self.notes.contains_key(&slot) || late > self.timing.tolerance_ms() {
            return None;
        }
        self.note_deadline(slot, lanes);
        Some(slot)
    }

    /// When [`Self::tick`] is due next.
    #[must_use]
    pub fn deadline(&self, now: TimestampMs) -> TimestampMs {
        let next = self.newest_known(now).map_or(Slot(0), Slot::next);
        self.timing.known(next)
    }

    /// The newest slot whose deadline is not after `now`.
    fn newest_known(&self, now: TimestampMs) -> Option<Slot> {
        self.timing.newest_cut(now.plus(self.timing.known_lead_ms()))
    }
}

/// The empty lane's tip: before its first batch of `incarnation`.
pub(crate) const fn empty_tip(position: LanePosition) -> LaneTip {
    LaneTip { position, digest: Hash::ZERO, cumulative_bytes: 0, cumulative_txs: 0 }
}
