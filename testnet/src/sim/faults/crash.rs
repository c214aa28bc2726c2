//! Crashes at any boundary of effects, and starts from the durable bytes alone.

use crate::sim::dice::Dice;
use crate::sim::world::{What, World};
use rota_node::disk::sim::Tail;

/// Operations of a commit before which the power may go.
const OPERATIONS_MAX: u64 = 10;
/// Effects after which a process may die.
const EFFECTS_MAX: u64 = 24;

/// What is left of so many unsynced bytes of a file.
fn tail(dice: &mut Dice, unsynced: usize) -> Tail {
    let some = dice.index(unsynced);
    match dice.below(10) {
        0..=3 => Tail::Drop,
        4..=5 => Tail::Keep,
        6..=7 => Tail::Cut(some),
        8 => Tail::Zeroed(some),
        _ => Tail::Hole(some),
    }
}

impl World {
    fn restart_later(&mut self, node: usize) {
        let slots = if self.faults.dice.chance(700) { (0, 10) } else { (10, 60) };
        let after_us = self.some_slots_us(slots).saturating_add(20_000);
        self.heap.after(after_us, What::Boot(node));
    }

    pub(super) fn kill(&mut self, node: usize) -> bool {
        if !self.is_up(node) {
            return false;
        }
        self.write_half_of_group(node);
        self.go_down(node);
        self.restart_later(node);
        true
    }

    pub(in crate::sim) fn cut_power(&mut self, node: usize) -> bool {
        if !self.is_up(node) {
            return false;
        }
        self.write_half_of_group(node);
        self.lose_power(node);
        self.restart_later(node);
        true
    }

    /// The machine stops; what is not synced becomes whatever it becomes.
    fn lose_power(&mut self, node: usize) {
        let mut dice = self.faults.dice.split();
        self.take_down(node, &mut |unsynced| tail(&mut dice, unsynced));
    }

    /// A group under way may have reached the disk in part.
    fn write_half_of_group(&mut self, node: usize) {
        let operations = self.faults.dice.below(OPERATIONS_MAX);
        let machine = self.machine_mut(node);
        let disk = machine.disk.clone();
        if let Some(running) = machine.running.as_mut()
            && let Some(group) = running.committing.take()
        {
            disk.power_off_at(disk.operations().saturating_add(operations));
            // If it got through, the end came before anything was let go; if not, only what went too early has left.
            let mut early = Vec::new();
            let committed = running.pipeline.commit(group, |outward| early.push(outward));
            if committed.is_err() {
                for outward in early {
                    self.release(node, outward);
                }
            }
        }
    }

    pub(super) fn cut_power_in_commit(&mut self, node: usize) -> bool {
        let operations = self.faults.dice.below(OPERATIONS_MAX);
        let machine = self.machine_mut(node);
        let up = machine.running.is_some();
        if up {
            let disk = &machine.disk;
            disk.power_off_at(disk.operations().saturating_add(operations));
            machine.power_fails = true;
        }
        up
    }

    pub(super) fn kill_between_effects(&mut self, node: usize) -> bool {
        let effects = self.faults.dice.below(EFFECTS_MAX);
        let machine = self.machine_mut(node);
        let up = machine.running.is_some();
        if up {
            machine.dies_after = Some(effects);
        }
        up
    }

    /// Counts an effect towards a planned death. `true`: the process is gone before it.
    pub(in crate::sim) fn crashes_at_release(&mut self, node: usize) -> bool {
        let machine = self.machine_mut(node);
        match machine.dies_after {
            None => false,
            Some(0) => {
                self.go_down(node);
                self.restart_later(node);
                true
            }
            Some(left) => {
                machine.dies_after = Some(left.saturating_sub(1));
                false
            }
        }
    }

    /// A commit failed: the power is gone, or the process ends by itself.
    pub(in crate::sim) fn ends_after_failed_commit(&mut self, node: usize) {
        if self.machine(node).power_fails {
            self.lose_power(node);
        } else {
            self.go_down(node);
        }
        self.restart_later(node);
    }

    /// The node's process is gone; the machine and its page cache stay.
    pub(in crate::sim) fn go_down(&mut self, node: usize) {
        self.take_down(node, &mut |_| Tail::Keep);
    }

    fn take_down(&mut self, node: usize, tail: &mut dyn FnMut(usize) -> Tail) {
        if !self.is_up(node) {
            return;
        }
        if let Some(key) = self.machine(node).key() {
            self.invariants.forget_notes(key);
        }
        for other in 0..self.machines.len() {
            let notices_us = self.faults.dice.below(2_000_000);
            self.break_connection(node, other, notices_us);
        }
        self.machine_mut(node).stop(tail);
        let at = self.heap.now_us();
        self.trace.line(at, || format!("n{node} is down"));
    }
}
