//! The state that decides order: lanes, registry, accepted evidence. `order_root` commits it.

use crate::lane_view::LaneTip;
use crate::lanes::LaneTerms;
use crate::limits::{COPY_ADVANCES, COPY_HALVINGS_MAX, COPY_SHARE_DIVISOR, COPY_SLOTS_CLEAN};
use crate::order::Quotas;
use crate::slot::empty_tip;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::codec::encode;
use rota_types::evidence::Evidence;
use rota_types::{
    Genesis, Hash, Height, Incarnation, LanePosition, Seq, Tag, ValidatorKey, ValidatorSet,
    keccak256,
};
use std::collections::{BTreeMap, BTreeSet};

/// A lane as the executed slots leave it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LaneState {
    /// Generation in force; the tip's own may be older.
    pub incarnation: Incarnation,
    /// Decided tip.
    pub tip: LaneTip,
    /// Closed by evidence; no batch of this incarnation is cut any more.
    pub closed: bool,
    /// How often the lane's share is halved, for copying what was ordered long before.
    pub halvings: u8,
    /// Slots without such copies since the share last changed.
    pub clean_slots: u8,
    /// The newest heights whose cut moved this lane, newest first; 0 where there is none.
    pub advances: [Height; COPY_ADVANCES],
}

impl LaneState {
    /// The newest height whose transactions the author must have known when it made what it has undecided: by then
    /// all that it may be ahead of its decided tip was in the slots that moved the lane since.
    #[must_use]
    pub const fn known_height(&self) -> Height {
        let [.., oldest] = self.advances;
        oldest
    }
}

/// Most of a lane in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Share {
    /// Transaction bytes.
    pub bytes: u64,
    /// Transactions.
    pub txs: u64,
}

/// An accepted equivocation: one of each kind a culprit and incarnation, so the list is bounded by the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Offence {
    /// Who.
    pub culprit: ValidatorKey,
    /// 0 double batch, 1 double vote, 2 double proposal, 3 double acknowledgement.
    pub kind: u8,
    /// Incarnation of the culprit's own lane at the time.
    pub incarnation: Incarnation,
}

/// The state that decides order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OrderState {
    lanes: BTreeMap<ValidatorKey, LaneState>,
    quotas: Quotas,
    evidence: BTreeSet<Offence>,
    share: Share,
}

impl OrderState {
    /// At genesis: an empty open lane for each validator, incarnation 0.
    #[must_use]
    pub fn genesis(genesis: &Genesis, validators: &ValidatorSet) -> Self {
        let lanes = validators.as_slice().iter().map(|validator| {
            let incarnation = Incarnation(0);
            let tip = empty_tip(LanePosition { lane: validator.key, incarnation, seq: Seq(0) });
            let state = LaneState {
                incarnation,
                tip,
                closed: false,
                halvings: 0,
                clean_slots: 0,
                advances: [Height::GENESIS; COPY_ADVANCES],
            };
            (validator.key, state)
        });
        Self {
            lanes: lanes.collect(),
            quotas: genesis.rollups.iter().map(|r| (r.id, r.slot_bytes_max)).collect(),
            evidence: BTreeSet::new(),
            share: Share { bytes: genesis.lane_slot_bytes_max(), txs: genesis.lane_slot_txs_max() },
        }
    }

    /// Lanes by ascending key.
    pub fn lanes(&self) -> impl Iterator<Item = (&ValidatorKey, &LaneState)> {
        self.lanes.iter()
    }

    /// A lane.
    #[must_use]
    pub fn lane(&self, lane: &ValidatorKey) -> Option<&LaneState> {
        self.lanes.get(lane)
    }

    /// Registered rollups and their quotas of bytes a slot.
    #[must_use]
    pub const fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Most of a lane in the next slot. Its first undecided batch fits all the same.
    #[must_use]
    pub fn share(&self, lane: &ValidatorKey) -> Share {
        let halvings = self.lanes.get(lane).map_or(0, |state| u32::from(state.halvings));
        let halved = |n: u64| n.checked_shr(halvings).unwrap_or(0).max(1);
        Share { bytes: halved(self.share.bytes), txs: halved(self.share.txs) }
    }

    /// Terms of all lanes for the next height, as [`crate::lanes`] takes them.
    #[must_use]
    pub fn terms(&self) -> Vec<LaneTerms> {
        let terms = |(lane, state): (&ValidatorKey, &LaneState)| {
            let share = self.share(lane);
            LaneTerms {
                incarnation: state.incarnation,
                closed: state.closed,
                slot_bytes_max: share.bytes,
                slot_txs_max: share.txs,
                tip: state.tip,
            }
        };
        self.lanes.iter().map(terms).collect()
    }

    /// Whether this evidence would be new: about a validator, not accepted before, and of a double batch only in an
    /// open lane's incarnation. Signatures are the caller's to verify.
    #[must_use]
    pub fn accepts(&self, evidence: &Evidence, validators: &ValidatorSet) -> bool {
        let culprit = evidence.culprit();
        let offence = self.offence(evidence);
        let open = match evidence {
            Evidence::DoubleBatch(pair) => self.lanes.get(&culprit).is_some_and(|lane| {
                !lane.closed && lane.incarnation == pair.0.header.position.incarnation
            }),
            _ => true,
        };
        open && validators.contains(&culprit) && !self.evidence.contains(&offence)
    }

    /// Whether two items are the same offence, of which one is accepted.
    #[must_use]
    pub fn same_offence(&self, a: &Evidence, b: &Evidence) -> bool {
        self.offence(a) == self.offence(b)
    }

    fn offence(&self, evidence: &Evidence) -> Offence {
        let culprit = evidence.culprit();
        let in_force = self.lanes.get(&culprit).map(|lane| lane.incarnation);
        let (kind, incarnation) = match evidence {
            Evidence::DoubleBatch(pair) => (0, Some(pair.0.header.position.incarnation)),
            Evidence::DoubleVote(_) => (1, in_force),
            Evidence::DoubleProposal(_) => (2, in_force),
            Evidence::DoubleAck(_) => (3, in_force),
        };
        Offence { culprit, kind, incarnation: incarnation.unwrap_or_default() }
    }

    /// Accepts evidence; the lane it closes, if it does.
    pub(crate) fn punish(&mut self, evidence: &Evidence) -> Option<ValidatorKey> {
        let offence = self.offence(evidence);
        self.evidence.insert(offence);
        if !matches!(evidence, Evidence::DoubleBatch(_)) {
            return None;
        }
        let lane = self.lanes.get_mut(&offence.culprit)?;
        lane.closed = true;
        Some(offence.culprit)
    }

    /// Moves a lane's tip, at `height`.
    pub(crate) fn advance(&mut self, height: Height, tip: LaneTip) {
        if let Some(lane) = self.lanes.get_mut(&tip.position.lane) {
            lane.tip = tip;
            lane.advances.rotate_right(1);
            let [newest, ..] = &mut lane.advances;
            *newest = height;
        }
    }

    /// Puts a new incarnation of a lane in force, open. Offences of older ones are never asked about again.
    pub(crate) fn raise(&mut self, key: &ValidatorKey, incarnation: Incarnation) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.incarnation = incarnation;
            lane.closed = false;
            self.evidence
                .retain(|offence| offence.culprit != *key || offence.incarnation >= incarnation);
        }
    }

    /// Judges a slot's copies: over a quarter of a lane's bytes halve its share, eight clean slots double it back.
    pub(crate) fn judge_copies(&mut self, copies: &BTreeMap<ValidatorKey, (u64, u64)>) {
        for (key, lane) in &mut self.lanes {
            let (copied, bytes) = copies.get(key).copied().unwrap_or_default();
            if copied.saturating_mul(COPY_SHARE_DIVISOR) > bytes {
                lane.halvings = lane.halvings.saturating_add(1).min(COPY_HALVINGS_MAX);
                lane.clean_slots = 0;
            } else if lane.halvings > 0 {
                lane.clean_slots = lane.clean_slots.saturating_add(1);
                if lane.clean_slots >= COPY_SLOTS_CLEAN {
                    lane.halvings = lane.halvings.saturating_sub(1);
                    lane.clean_slots = 0;
                }
            }
        }
    }

    /// `order_root`: `Tag::OrderRoot` over keccak256 of the lanes' encoding, the Merkle root of the slot's batch
    /// digests, keccak256 of share and registry, and keccak256 of the accepted evidence.
    #[must_use]
    pub fn root(&self, chain_id: u64, batches_root: &Hash) -> Hash {
        let lanes = keccak256(&encode(&self.lanes));
        let registry = keccak256(&encode(&(self.share, &self.quotas)));
        let evidence = keccak256(&encode(&self.evidence));
        let parts = [&lanes.0[..], &batches_root.0, &registry.0, &evidence.0];
        Tag::OrderRoot.digest_parts(chain_id, &parts)
    }
}
