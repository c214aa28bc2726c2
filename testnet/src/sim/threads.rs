//! What the threads of a node do, one virtual moment after another: core, commit, verifier, execution.

use super::costs;
use super::invariants::{Check, check_behind};
use super::world::{What, World};
use rota_node::core::Input;
use rota_node::disk::CommitError;
use rota_node::limits::CORE_IDLE_MS_MAX;
use rota_node::shell::Outward;
use rota_types::Height;

/// One write and sync on a good disk.
const SYNC_US: (u64, u64) = (120, 600);
/// Bytes a microsecond that a good disk writes.
const DISK_BYTES_PER_US: usize = 500;
/// Ticks in a row at one reading of the clock that count as spinning.
const SPINS_MAX: u32 = 200;
/// Pause before a node that could not start is started again.
const RESTART_US: u64 = 800_000;

impl World {
    /// Starts a node from its disk, as an operator's supervisor does; tries again if it cannot start.
    pub(super) fn boot(&mut self, node: usize) {
        let now_us = self.heap.now_us();
        if self.is_up(node) || self.machine(node).held_down {
            return;
        }
        let (genesis, set) = (std::sync::Arc::clone(&self.genesis), self.set.clone());
        let machine = self.machines.get_mut(node).expect("machines are numbered below their count");
        match machine.boot(now_us, &genesis, &set, &mut self.dice) {
            Ok(()) => {
                let tip = self.up(node).and_then(|running| running.reader.tip());
                let tip = tip.unwrap_or(Height::GENESIS);
                let life = self.machine(node).life;
                self.trace.line(now_us, || format!("n{node} starts at height {tip}, life {life}"));
                let damaged = self.machine(node).damaged;
                let check = self.judged(node, |all, actor| all.on_boot(actor, tip, damaged));
                self.judge(check);
                if let Some(marks) = self.machine(node).marks() {
                    let check = self.judged(node, |all, actor| all.on_marks(actor, &marks));
                    self.judge(check);
                }
                self.counts.add("starts");
                self.commit(node);
                self.arm_tick(node);
                self.dial_all(node);
            }
            Err(error) => {
                self.trace.line(now_us, || format!("n{node} cannot start: {error:?}"));
                self.cannot_start(node, &error);
                self.heap.after(RESTART_US, What::Boot(node));
            }
        }
    }

    /// A core takes one event.
    pub(super) fn turn(&mut self, node: usize, life: u64) {
        let now_us = self.heap.now_us();
        let clock = self.machine(node).clock;
        let Some(running) = self.running(node, life) else { return };
        running.turning = false;
        if running.is_full() {
            return;
        }
        let Some(input) = running.next_input() else { return };
        let now = clock.read(now_us);
        let ticked = matches!(input, Input::Tick);
        let cost_us = costs::step_us(&input);
        let effects = running.core.step(now, input);
        running.spins = match running.spins {
            (at, count) if ticked && at == now && effects.is_empty() => {
                (at, count.saturating_add(1))
            }
            _ => (now, 0),
        };
        let spinning = running.spins.1 > SPINS_MAX;
        running.core_free_us = now_us.saturating_add(cost_us);
        running.enqueue(running.core_free_us, effects);
        if spinning {
            self.violate("no spinning", format!("n{node} ticks without end at {now}"));
        }
        self.note(node);
        self.commit(node);
        self.arm_tick(node);
        self.wake(node);
        self.parse_next(node);
    }

    /// Keeps what the desk noted, as the invariants see it.
    fn note(&mut self, node: usize) {
        let machine = self.machines.get(node).expect("machines are numbered below their count");
        let Some(running) = machine.running.as_ref() else { return };
        let Some((slot, held)) = running.core.desk().newest_note() else { return };
        let held = held.clone();
        self.judged(node, |all, actor| all.on_note(actor, slot, &held));
    }

    /// Sets the core's next turn, if something waits for it.
    pub(super) fn wake(&mut self, node: usize) {
        let life = self.machine(node).life;
        let Some(running) = self.up(node) else { return };
        if running.turning || !running.has_input() || running.is_full() {
            return;
        }
        running.turning = true;
        let at_us = running.core_free_us;
        self.heap.at(at_us, What::Turn { node, life });
    }

    /// Sets the look at the core's deadline.
    fn arm_tick(&mut self, node: usize) {
        let now_us = self.heap.now_us();
        let machine = self.machine_mut(node);
        let (clock, life) = (machine.clock, machine.life);
        let Some(running) = machine.running.as_mut() else { return };
        if running.tick_due {
            return;
        }
        let now = clock.read(now_us);
        let due = running.core.deadline(now).min(now.plus(CORE_IDLE_MS_MAX));
        let at_us = clock.reaches(due).max(now_us);
        if at_us < running.tick_at_us {
            running.tick_at_us = at_us;
            self.heap.at(at_us, What::Tick { node, life });
        }
    }

    pub(super) fn tick(&mut self, node: usize, life: u64) {
        let now_us = self.heap.now_us();
        let clock = self.machine(node).clock;
        let Some(running) = self.running(node, life) else { return };
        if running.tick_at_us > now_us {
            return;
        }
        running.tick_at_us = u64::MAX;
        let now = clock.read(now_us);
        let last = running.spins.0;
        if running.core.deadline(now) <= now || now >= last.plus(CORE_IDLE_MS_MAX) {
            running.tick_due = true;
            self.wake(node);
        } else {
            self.arm_tick(node);
        }
    }

    /// Gives the commit thread its next group, if it is idle.
    pub(super) fn commit(&mut self, node: usize) {
        let now_us = self.heap.now_us();
        let slow = self.machine(node).slow_disk;
        let sync_us = self.dice.between(SYNC_US.0, SYNC_US.1).saturating_mul(slow);
        let life = self.machine(node).life;
        let Some(running) = self.up(node) else { return };
        if running.committing.is_some() {
            return;
        }
        let Some(ready_us) = running.ready_us() else { return };
        let start_us = ready_us.max(now_us);
        let (bytes, writes) = running.take_group(start_us);
        let written = u64::try_from(bytes / DISK_BYTES_PER_US).unwrap_or(u64::MAX);
        let takes_us =
            if writes { sync_us.saturating_add(written.saturating_mul(slow)) } else { 1 };
        self.heap.at(start_us.saturating_add(takes_us), What::Committed { node, life });
    }

    /// A group reaches the disk, and what it lets go leaves the machine.
    pub(super) fn committed(&mut self, node: usize, life: u64) {
        let Some(running) = self.running(node, life) else { return };
        let Some(group) = running.committing.take() else { return };
        let (mut released, mut check): (Vec<Outward>, Check) = (Vec::new(), Ok(()));
        let ledger = running.reader.clone();
        let committed = running.pipeline.commit(group, |outward| {
            if check.is_ok() {
                check = check_behind(node, &ledger, &outward);
            }
            released.push(outward);
        });
        self.judge(check);
        for outward in released {
            if self.crashes_at_release(node) {
                return;
            }
            self.release(node, outward);
            if self.machine(node).life != life {
                return;
            }
        }
        if let Err(error) = committed {
            self.commit_failed(node, &error);
            return;
        }
        self.commit(node);
        self.wake(node);
    }

    /// A node that cannot write any more ends; the process is gone, what it wrote is in the page cache.
    fn commit_failed(&mut self, node: usize, error: &CommitError) {
        let now_us = self.heap.now_us();
        self.trace.line(now_us, || format!("n{node} cannot commit: {error}"));
        self.counts.add("commits failed");
        self.ends_after_failed_commit(node);
    }

    /// The verifier takes its next frame.
    pub(super) fn parse_next(&mut self, node: usize) {
        let life = self.machine(node).life;
        let Some(running) = self.up(node) else { return };
        if running.parsing || !running.bulk_has_room() {
            return;
        }
        let Some((_, _, frame)) = running.frames.front() else { return };
        let takes_us = costs::parse_us(frame.len());
        running.parsing = true;
        self.heap.after(takes_us, What::Parsed { node, life });
    }

    pub(super) fn frame_parsed(&mut self, node: usize, life: u64) {
        let Some(running) = self.running(node, life) else { return };
        running.parsing = false;
        let Some((sender, from, frame)) = running.frames.pop_front() else { return };
        match self.parsed.batch(&frame) {
            Ok(batch) => {
                self.abuse_batch(node, &batch);
                if let Some(running) = self.running(node, life) {
                    running.bulk.push_back(Input::Batch { from, batch });
                }
                self.wake(node);
            }
            Err(error) => self.blame(node, sender, &format!("a batch that is none: {error}")),
        }
        self.parse_next(node);
    }

    /// Execution takes its next slot.
    pub(super) fn execute_next(&mut self, node: usize) {
        let life = self.machine(node).life;
        let Some(running) = self.up(node) else { return };
        if running.executing {
            return;
        }
        let Some(decided) = running.decided.front() else { return };
        let takes_us = costs::execute_us(decided);
        running.executing = true;
        self.heap.after(takes_us, What::Executed { node, life });
    }

    pub(super) fn slot_executed(&mut self, node: usize, life: u64) {
        let Some(running) = self.running(node, life) else { return };
        running.executing = false;
        let Some(decided) = running.decided.pop_front() else { return };
        let input = running.execution.run(&decided);
        running.outcome(input);
        self.wake(node);
        self.execute_next(node);
    }
}
