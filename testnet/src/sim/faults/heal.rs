//! The end of faults, within a quorum first, then for all.

use crate::sim::clock::Clock;
use crate::sim::world::{What, World};

impl World {
    /// Draws a quorum of honest validators; full nodes are in no quorum.
    pub(in crate::sim) fn draw_quorum(&mut self) -> Vec<usize> {
        let mut honest: Vec<usize> = self.honest();
        honest.retain(|node| *node < self.plan.weights.len());
        self.faults.dice.shuffle(&mut honest);
        let (mut quorum, mut weight) = (Vec::new(), 0u64);
        for node in honest {
            if self.set.is_quorum(rota_types::Weight(weight)) {
                break;
            }
            weight = weight.saturating_add(self.weight(node));
            quorum.push(node);
        }
        quorum.sort_unstable();
        quorum
    }

    /// No new faults, and none among these machines.
    pub(in crate::sim) fn heal(&mut self, nodes: &[usize]) {
        self.faults.over = true;
        self.faults.usual = crate::sim::net::Weather::default();
        self.net.weather = self.faults.usual;
        self.open_ways(nodes);
        let now_us = self.heap.now_us();
        let tolerance_us = self.genesis.timing().tolerance_ms().saturating_mul(1_000);
        for node in nodes {
            let left_us = i64::try_from(self.faults.dice.below(tolerance_us / 2)).unwrap_or(0);
            let machine = self.machine_mut(*node);
            machine.clock = Clock { offset_us: left_us, drift_ppm: 0 };
            machine.slow_disk = 1;
            machine.held_down = false;
            machine.dies_after = None;
            machine.disk.calm();
            if let Some(running) = machine.running.as_mut() {
                running.core_free_us = running.core_free_us.min(now_us);
                running.tick_due = true;
            }
            self.wake(*node);
            if self.machine(*node).running.is_none() {
                self.heap.after(1_000, What::Boot(*node));
            } else {
                self.dial_all(*node);
            }
        }
    }

    /// Machines outside a quorum that stay down while it must live alone.
    pub(in crate::sim) fn hold_down_outside(&mut self, quorum: &[usize]) {
        for node in self.honest() {
            if !quorum.contains(&node) && self.faults.dice.chance(600) {
                self.go_down(node);
                self.machine_mut(node).held_down = true;
            }
        }
    }
}
