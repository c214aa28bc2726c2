//! The clock's side of the protocol: when a height begins, which slot a fresh proposal names, how
//! long each step waits. Rule: protocol.md, "Slots and the cut".

use crate::limits::{
    PROPOSE_TIMEOUT_MS_MAX, PROPOSE_TIMEOUT_MS_MIN, REPUBLISH_MS_MAX, REPUBLISH_MS_MIN,
    TIMEOUT_MS_MAX, TIMEOUT_STEP_MS, VOTE_TIMEOUT_MS_MAX, VOTE_TIMEOUT_MS_MIN,
};
use rota_types::genesis::Timing;
use rota_types::{Slot, TimestampMs};

/// Where `now` is in the window in which a slot may be proposed and voted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The cut is not reached, tolerance included: the proposal waits.
    Early {
        /// From when it is open.
        until: TimestampMs,
    },
    /// The slot may be voted.
    Open,
    /// The next cut is past, tolerance included.
    Late,
}

/// Which slot a fresh proposal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshSlot {
    /// Build now for this slot.
    Now(Slot),
    /// The next cut is near: build at it.
    At(TimestampMs),
}

/// Slot and timeout arithmetic of one network.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    timing: Timing,
}

impl Pace {
    /// Of a network's slot times.
    #[must_use]
    pub const fn new(timing: Timing) -> Self {
        Self { timing }
    }

    /// Earliest begin of the height after `parent_slot`.
    #[must_use]
    pub const fn start_at(&self, parent_slot: Slot) -> TimestampMs {
        self.timing.cut(parent_slot.next())
    }

    /// The slot a fresh proposal of `round` names at `now`.
    ///
    /// It waits for the next cut only when that is nearer than half the propose timeout, and never
    /// longer than half a slot: at high rounds the timeout is longer than a slot.
    #[must_use]
    pub fn fresh_slot(&self, now: TimestampMs, parent_slot: Slot, round: u32) -> FreshSlot {
        let first = parent_slot.next();
        let slot = self.timing.newest_cut(now).map_or(first, |newest| newest.max(first));
        let cut = self.timing.cut(slot);
        if cut > now {
            return FreshSlot::At(cut);
        }
        let next = self.timing.cut(slot.next());
        let near = self.propose_ms(round).min(self.timing.slot_ms) / 2;
        if next.minus(now.0).0 < near { FreshSlot::At(next) } else { FreshSlot::Now(slot) }
    }

    /// Whether `slot` may be voted at `now`.
    #[must_use]
    pub fn window(&self, slot: Slot, now: TimestampMs) -> Window {
        let tolerance = self.timing.tolerance_ms();
        let open = self.timing.cut(slot).minus(tolerance);
        if now < open {
            Window::Early { until: open }
        } else if now > self.timing.cut(slot.next()).plus(tolerance) {
            Window::Late
        } else {
            Window::Open
        }
    }

    /// How long a round waits for its proposal.
    #[must_use]
    pub fn propose_ms(&self, round: u32) -> u64 {
        let first = (self.timing.slot_ms / 5).clamp(PROPOSE_TIMEOUT_MS_MIN, PROPOSE_TIMEOUT_MS_MAX);
        self.grown(first, round)
    }

    /// How long a round waits for further votes once a quorum has voted.
    #[must_use]
    pub fn vote_ms(&self, round: u32) -> u64 {
        let first = (self.timing.slot_ms / 8).clamp(VOTE_TIMEOUT_MS_MIN, VOTE_TIMEOUT_MS_MAX);
        self.grown(first, round)
    }

    /// How often votes, proposal and round certificate are repeated.
    #[must_use]
    pub fn republish_ms(&self) -> u64 {
        (self.timing.slot_ms / 4).clamp(REPUBLISH_MS_MIN, REPUBLISH_MS_MAX)
    }

    fn grown(&self, first: u64, round: u32) -> u64 {
        let most = self.timing.slot_ms.max(TIMEOUT_MS_MAX);
        first.saturating_add(TIMEOUT_STEP_MS.saturating_mul(u64::from(round))).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(slot_ms: u64) -> Pace {
        Pace::new(Timing { genesis_time: TimestampMs(1_000_000), slot_ms })
    }

    #[test]
    fn timeouts_follow_the_slot_within_bounds_and_grow() {
        assert_eq!(pace(12_000).propose_ms(0), 600);
        assert_eq!(pace(12_000).vote_ms(0), 400);
        assert_eq!(pace(1_000).propose_ms(0), 200);
        assert_eq!(pace(1_000).vote_ms(0), 150);
        assert_eq!(pace(1_000).propose_ms(3), 500);
        assert_eq!(pace(1_000).propose_ms(4_000_000), 5_000);
        assert_eq!(pace(12_000).vote_ms(u32::MAX), 12_000);
    }

    #[test]
    fn a_fresh_proposal_names_the_newest_cut_and_waits_for_a_near_one() {
        let pace = pace(12_000);
        let cut = |slot| pace.timing.cut(Slot(slot));
        assert_eq!(pace.fresh_slot(cut(5), Slot(4), 0), FreshSlot::Now(Slot(5)));
        assert_eq!(pace.fresh_slot(cut(5).minus(1), Slot(4), 0), FreshSlot::At(cut(5)));
        assert_eq!(pace.fresh_slot(cut(9).plus(7), Slot(4), 0), FreshSlot::Now(Slot(9)));
        assert_eq!(pace.fresh_slot(cut(9).minus(299), Slot(4), 0), FreshSlot::At(cut(9)));
        assert_eq!(pace.fresh_slot(cut(9).minus(300), Slot(4), 0), FreshSlot::Now(Slot(8)));
    }

    #[test]
    fn waiting_for_a_cut_ends_at_it_in_every_round() {
        let pace = pace(1_000);
        for round in [0, 10, 100, 10_000] {
            let now = pace.timing.cut(Slot(8)).minus(1);
            assert_eq!(pace.fresh_slot(now, Slot(4), round), FreshSlot::At(now.plus(1)));
            assert_eq!(pace.fresh_slot(now.plus(1), Slot(4), round), FreshSlot::Now(Slot(8)));
        }
    }

    #[test]
    fn the_window_is_cut_to_cut_with_tolerance() {
        let pace = pace(12_000);
        let cut = |slot| pace.timing.cut(Slot(slot));
        let open = cut(5).minus(500);
        assert_eq!(pace.window(Slot(5), open.minus(1)), Window::Early { until: open });
        assert_eq!(pace.window(Slot(5), open), Window::Open);
        assert_eq!(pace.window(Slot(5), cut(6).plus(500)), Window::Open);
        assert_eq!(pace.window(Slot(5), cut(6).plus(501)), Window::Late);
    }
}
