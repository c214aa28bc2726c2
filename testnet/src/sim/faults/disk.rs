//! Disks that are slow, full, failing, or lost what was synced.

use super::Ending;
use crate::sim::world::{What, World};
use rota_node::disk::sim::Fault as DiskFault;
use rota_node::error::OperatorError;

/// How many times slower a slow disk is: from a busy one to one that takes a second for a sync.
const SLOWER: (u64, u64) = (20, 3_000);
/// Room that a full disk has left, bytes.
const ROOM_BYTES_MAX: u64 = 16 * 1024;
/// Operations from now until the one that fails.
const OPERATIONS_MAX: u64 = 12;
/// Bytes cut off a ledger's end.
const CUT_BYTES_MAX: usize = 4 * 1024;

impl World {
    pub(super) fn slow_disk(&mut self, node: usize) -> bool {
        self.machine_mut(node).slow_disk = self.faults.dice.between(SLOWER.0, SLOWER.1);
        let for_us = self.some_slots_us((5, 50));
        self.heap.after(for_us, What::End(Ending::SlowDisk(node)));
        true
    }

    pub(super) fn fill_disk(&mut self, node: usize) -> bool {
        let room = self.faults.dice.below(ROOM_BYTES_MAX);
        let disk = &self.machine(node).disk;
        disk.set_capacity(Some(disk.used().saturating_add(room)));
        let for_us = self.some_slots_us((10, 60));
        self.heap.after(for_us, What::End(Ending::FullDisk(node)));
        true
    }

    pub(super) fn fail_disk(&mut self, node: usize) -> bool {
        let after = self.faults.dice.below(OPERATIONS_MAX);
        let disk = &self.machine(node).disk;
        disk.fail_at(disk.operations().saturating_add(after), DiskFault::Error);
        true
    }

    /// One of few: a machine that lost what it acknowledged counts among the Byzantine.
    pub(super) fn damage_ledger(&mut self, node: usize) -> bool {
        let machine = self.machine(node);
        let counts = machine.is_honest() && !machine.damaged && self.is_up(node);
        if !counts || !self.may_damage(node) || !self.cut_power(node) {
            return false;
        }
        let Some(path) = self.machine(node).ledger_files().pop() else { return false };
        let machine = self.machine(node);
        let length = machine.disk.live(&path).map_or(0, |bytes| bytes.len());
        let dice = &mut self.faults.dice;
        let (flips, at, bit) = (dice.chance(500), dice.index(length), dice.below(8));
        let cut = dice.index(CUT_BYTES_MAX.min(length));
        let disk = &self.machine(node).disk;
        let done = if flips {
            disk.flip_bit(&path, at, u8::try_from(bit).unwrap_or(0))
        } else {
            disk.cut(&path, length.saturating_sub(cut))
        };
        self.machine_mut(node).damaged = true;
        done
    }

    /// Whether Byzantine and damaged validators together stay below a third of the weight.
    fn may_damage(&self, node: usize) -> bool {
        let bad = (0..self.plan.weights.len())
            .filter(|other| {
                let machine = self.machine(*other);
                *other == node || machine.damaged || !machine.is_honest()
            })
            .fold(0u64, |sum, other| sum.saturating_add(self.weight(other)));
        bad.saturating_mul(3) < self.set.total().0
    }

    /// A node that cannot start: a full or failing disk is waited for, a damaged ledger moved away as its hint says.
    pub(in crate::sim) fn cannot_start(&mut self, node: usize, error: &OperatorError) {
        self.counts.add("starts refused");
        let machine = self.machine_mut(node);
        let failures = machine.disk.failures();
        let failed = std::mem::replace(&mut machine.disk_failures, failures) != failures;
        if failed || machine.disk.is_troubled() {
            return;
        }
        if machine.damaged {
            machine.wipe_ledger();
            self.counts.add("ledgers moved away");
            return;
        }
        self.violate("a node starts", format!("n{node} cannot start: {error:?}"));
    }
}
