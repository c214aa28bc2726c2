//! Timely checks: the slot's window on the voter's clock, and omission by the voter's notes.

use super::{Parent, SlotDesk, SlotFault};
use crate::lane_view::LaneView;
use rota_types::{SlotProposal, TimestampMs};

impl SlotDesk {
    /// Asked once, at the first prevote on a fresh proposal that is objectively valid.
    ///
    /// # Errors
    /// [`SlotFault::WrongSlot`] or [`SlotFault::Omitted`]: a reason to prevote nil once, never to call the value invalid.
    pub fn timely(
        &self,
        proposal: &SlotProposal,
        now: TimestampMs,
        parent: Parent<'_>,
        lanes: &dyn LaneView,
    ) -> Result<(), SlotFault> {
        self.check_window(proposal, now)?;
        self.check_omission(proposal, parent, lanes)
    }

    /// From `cut(s)` to `cut(s + 1)`, each ± the clock's tolerance.
    fn check_window(&self, proposal: &SlotProposal, now: TimestampMs) -> Result<(), SlotFault> {
        let timing = self.timing();
        let tolerance = timing.tolerance_ms();
        let slot = proposal.slot;
        let wrong = |reason| Err(SlotFault::WrongSlot { found: slot, reason });
        if now.plus(tolerance) < timing.cut(slot) {
            return wrong("it is too early for it");
        }
        if now > timing.cut(slot.next()).plus(tolerance) {
            return wrong("it is too late for it");
        }
        Ok(())
    }

    /// Each lane reaches at least the smaller of the certificate held at the deadline and the furthest batch
    /// within its share.
    fn check_omission(
        &self,
        proposal: &SlotProposal,
        parent: Parent<'_>,
        lanes: &dyn LaneView,
    ) -> Result<(), SlotFault> {
        let Some(notes) = self.notes.get(&proposal.slot) else {
            return Ok(());
        };
        for (lane, noted) in notes {
            let Some(state) = parent.order.lane(lane).filter(|state| !state.closed) else {
                continue;
            };
            let share = parent.order.share(lane);
            let Some(furthest) = lanes.furthest_within(lane, share.bytes, share.txs) else {
                continue;
            };
            let incarnation = state.incarnation;
            if noted.position.incarnation != incarnation
                || furthest.position.incarnation != incarnation
            {
                continue;
            }
            let least = noted.position.seq.min(furthest.position.seq);
            let entry = proposal.cut.iter().find(|entry| entry.position.lane == *lane);
            let reached = entry.map_or(state.tip.position.seq, |entry| entry.position.seq);
            if reached < least {
                return Err(SlotFault::Omitted { lane: *lane, seq: least });
            }
        }
        Ok(())
    }
}
