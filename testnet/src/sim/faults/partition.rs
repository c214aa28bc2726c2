//! Partitions: in half, of a minority, one way, around the proposer; noticed at once or by nobody.

use super::Ending;
use crate::sim::world::{What, World};
use rota_types::Round;

/// Silence after which a connection counts as dead.
const DEAD_US: u64 = 15_000_000;

/// One partition under way.
pub(super) struct Partition {
    number: u64,
    /// Ways that are closed.
    closed: Vec<(usize, usize)>,
    /// Nobody is told: connections stay as long as they are not dead.
    silent: bool,
    since_us: u64,
}

impl World {
    pub(super) fn split_half(&mut self) -> bool {
        let mut all: Vec<usize> = (0..self.machines.len()).collect();
        self.faults.dice.shuffle(&mut all);
        all.truncate(all.len() / 2);
        self.cut_off(&all, (5, 60))
    }

    pub(super) fn split_minority(&mut self) -> bool {
        let mut all: Vec<usize> = (0..self.machines.len()).collect();
        self.faults.dice.shuffle(&mut all);
        let most = all.len() / 3;
        let count = self.faults.dice.index(most).saturating_add(1);
        all.truncate(count);
        self.cut_off(&all, (5, 60))
    }

    pub(super) fn split_proposer(&mut self) -> bool {
        let height = self.invariants.tip().next();
        let round = Round(u32::try_from(self.faults.dice.below(3)).unwrap_or(0));
        let key = self.set.proposer(height, round).key;
        let proposer = self.index_of.get(&key).copied();
        proposer.is_some_and(|node| self.cut_off(&[node], (2, 25)))
    }

    pub(super) fn silence(&mut self, node: usize) -> bool {
        let others = (0..self.machines.len()).filter(|other| *other != node);
        let out = self.faults.dice.chance(500);
        let closed = others.map(|other| if out { (node, other) } else { (other, node) }).collect();
        self.begin_partition(closed, true, (5, 40))
    }

    fn cut_off(&mut self, group: &[usize], tenths: (u64, u64)) -> bool {
        let mut closed = Vec::new();
        for inside in group {
            for outside in (0..self.machines.len()).filter(|other| !group.contains(other)) {
                closed.extend([(*inside, outside), (outside, *inside)]);
            }
        }
        let silent = self.faults.dice.chance(500);
        self.begin_partition(closed, silent, tenths)
    }

    fn begin_partition(
        &mut self,
        closed: Vec<(usize, usize)>,
        silent: bool,
        tenths: (u64, u64),
    ) -> bool {
        self.faults.next_partition = self.faults.next_partition.saturating_add(1);
        let number = self.faults.next_partition;
        for (from, to) in &closed {
            self.net.block(*from, *to, true);
            if !silent && from < to {
                let notices_us = self.faults.dice.below(3_000_000);
                self.break_connection(*from, *to, notices_us);
                self.dial_later(*from, *to);
            }
        }
        let any = !closed.is_empty();
        let since_us = self.heap.now_us();
        self.faults.partitions.push(Partition { number, closed, silent, since_us });
        let for_us = self.some_slots_us(tenths);
        self.heap.after(for_us, What::End(Ending::Partition(number)));
        any
    }

    pub(super) fn end_partition(&mut self, number: u64) {
        let at = self.faults.partitions.iter().position(|partition| partition.number == number);
        let Some(at) = at else { return };
        let ended = self.faults.partitions.swap_remove(at);
        for (from, to) in &ended.closed {
            let still = self.faults.partitions.iter().any(|p| p.closed.contains(&(*from, *to)));
            self.net.block(*from, *to, still);
        }
        let now_us = self.heap.now_us();
        let dead = now_us.saturating_sub(ended.since_us) > DEAD_US;
        if ended.silent && dead {
            for (from, to) in ended.closed {
                self.break_connection(from, to, 0);
                self.dial_later(from, to);
            }
        }
        self.trace.line(now_us, || format!("partition {number} ends"));
    }

    /// Opens every way between these machines.
    pub(super) fn open_ways(&mut self, among: &[usize]) {
        let inside = |(from, to): &(usize, usize)| among.contains(from) && among.contains(to);
        for partition in &mut self.faults.partitions {
            partition.closed.retain(|way| !inside(way));
        }
        for from in among {
            for to in among {
                self.net.block(*from, *to, false);
            }
        }
    }
}
