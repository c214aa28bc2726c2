//! An outage as long as a transaction lives: everybody is down until what was ordered before it is about to expire.
//!
//! When they are back, copies of those transactions come in the last slots in which they may still be ordered: the end
//! of the replay window, which a run of a few slots never sees.

use crate::sim::invariants::Violation;
use crate::sim::world::World;
use rota_types::Slot;

/// Slots before the first of them expires in which the machines start again.
const BACK_SLOTS: u64 = 5;
/// Slots after the last of them expired.
const AFTER_SLOTS: u64 = 2;

impl World {
    /// Plays the outage, if something was ordered whose end can be waited for.
    ///
    /// # Errors
    /// The first violation.
    pub(in crate::sim) fn outage(&mut self) -> Result<(), Violation> {
        let ordered = self.machines.iter().flat_map(|machine| &machine.criminal.postdated);
        let ordered = ordered.filter(|(id, ..)| self.invariants.is_ordered(id));
        let ends: Vec<Slot> = ordered.map(|(_, until, _)| *until).collect();
        let (Some(first), Some(last)) = (ends.iter().min(), ends.iter().max()) else {
            return Ok(());
        };
        let slot_us = self.plan.slot_ms.saturating_mul(1_000);
        let back_us = first.minus(BACK_SLOTS).0.saturating_mul(slot_us);
        let end_us = last.plus(AFTER_SLOTS).0.saturating_mul(slot_us);
        self.faults.over = true;
        let all: Vec<usize> = (0..self.machines.len()).collect();
        for node in &all {
            self.go_down(*node);
            self.machine_mut(*node).held_down = true;
        }
        self.run_until(back_us, |_| false)?;
        self.counts.add("outages as long as transactions live");
        self.heal(&all);
        self.run_until(end_us, |_| false)?;
        Ok(())
    }
}
