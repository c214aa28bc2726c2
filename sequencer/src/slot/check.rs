//! Objective checks: true or false for ever, for everyone who executed the parent.

use super::{Parent, SlotDesk, SlotFault, Work};
use crate::lane_view::{Coverage, LaneView};
use rota_types::{CutEntry, Hash, LanePosition, SlotProposal};

/// Something a voter must fetch before it can judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A certificate that covers this entry: from the proposer, then from any prevoter.
    Certificate {
        /// The entry's place.
        position: LanePosition,
        /// Digest of its header.
        digest: Hash,
    },
    /// A header between the entry and the decided tip.
    Header {
        /// The entry's place.
        position: LanePosition,
        /// Digest of the missing header.
        digest: Hash,
    },
}

/// Answer of the objective checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Right for ever.
    Valid,
    /// Wrong for ever.
    Invalid(SlotFault),
    /// Fetch these and ask again; never invalid.
    Wait(Vec<Need>),
    /// The parent is not executed here: ask again when it is.
    ParentUnknown,
}

impl SlotDesk {
    /// Judges a proposal for the height that is worked on. `lanes` must stand at the parent's decided tips.
    #[must_use]
    pub fn check(
        &self,
        proposal: &SlotProposal,
        work: &Work<'_>,
        lanes: &dyn LaneView,
    ) -> Objective {
        match self.judge(proposal, work, lanes) {
            Ok(Some(needs)) if needs.is_empty() => Objective::Valid,
            Ok(Some(needs)) => Objective::Wait(needs),
            Ok(None) => Objective::ParentUnknown,
            Err(fault) => Objective::Invalid(fault),
        }
    }

    fn judge(
        &self,
        proposal: &SlotProposal,
        work: &Work<'_>,
        lanes: &dyn LaneView,
    ) -> Result<Option<Vec<Need>>, SlotFault> {
        proposal.validate().map_err(SlotFault::Malformed)?;
        if proposal.height != work.height {
            return Err(SlotFault::WrongHeight);
        }
        if proposal.slot <= work.parent_slot {
            return Err(SlotFault::WrongSlot {
                found: proposal.slot,
                reason: "it is not above the parent's",
            });
        }
        let Some(parent) = work.parent else {
            return Ok(None);
        };
        if proposal.parent_header != parent.header_id {
            return Err(SlotFault::ParentMismatch {
                executed: parent.header_id,
                found: proposal.parent_header,
            });
        }
        self.judge_evidence(proposal, parent)?;
        let mut needs = Vec::new();
        for entry in &proposal.cut {
            needs.extend(judge_entry(entry, parent, lanes)?);
        }
        Ok(Some(needs))
    }

    fn judge_evidence(&self, proposal: &SlotProposal, parent: Parent<'_>) -> Result<(), SlotFault> {
        for (index, item) in proposal.evidence.iter().enumerate() {
            let bad = |reason| SlotFault::BadEvidence { index, reason };
            if !parent.order.accepts(item, &self.validators) {
                return Err(bad("not about a validator, or accepted before"));
            }
            let before = proposal.evidence.iter().take(index);
            if before.into_iter().any(|other| parent.order.same_offence(other, item)) {
                return Err(bad("the same offence twice"));
            }
            item.verify(self.chain_id).map_err(|_| bad("it does not verify"))?;
        }
        Ok(())
    }
}

/// What is missing to judge an entry, if anything.
fn judge_entry(
    entry: &CutEntry,
    parent: Parent<'_>,
    lanes: &dyn LaneView,
) -> Result<Option<Need>, SlotFault> {
    let position = entry.position;
    let lane = position.lane;
    let bad = |reason| SlotFault::BadCertificate { lane, reason };
    let state = parent.order.lane(&lane).ok_or(bad("no such lane"))?;
    if state.closed || position.incarnation != state.incarnation {
        return Err(bad("the lane is closed, or it is another incarnation"));
    }
    let tip = &state.tip;
    if position.seq <= tip.position.seq {
        return Err(SlotFault::NotAdvancing { lane });
    }
    let digest = entry.header_digest;
    let batches = match lanes.coverage(entry) {
        Coverage::Certified(digests) => digests.len(),
        Coverage::NeedCertificate => return Ok(Some(Need::Certificate { position, digest })),
        Coverage::NeedHeader(digest) => {
            return Ok(Some(Need::Header { position, digest }));
        }
        Coverage::Conflicts => return Err(bad("another branch is decided or certified")),
    };
    let Some(signed) = lanes.header(&digest) else {
        return Ok(Some(Need::Header { position, digest }));
    };
    let bytes = signed.header.cumulative_bytes.saturating_sub(tip.cumulative_bytes);
    let txs = signed.header.cumulative_txs.saturating_sub(tip.cumulative_txs);
    let share = parent.order.share(&lane);
    if batches > 1 && (bytes > share.bytes || txs > share.txs) {
        return Err(SlotFault::OverLimit { lane, bytes, txs });
    }
    Ok(None)
}
