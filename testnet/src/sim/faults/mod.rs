//! What goes wrong: drawn from those faults that the seed's plan allows, applied, and ended after a while.

mod crash;
mod disk;
mod heal;
mod outage;
mod partition;

use super::dice::Dice;
use super::net::Weather;
use super::world::{What, World};
use partition::Partition;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A process is killed: what it wrote is in the page cache.
    Kill,
    /// A machine loses its power: what was not synced is lost, kept or torn.
    PowerCut,
    /// The power goes between two operations of one commit.
    PowerCutInCommit,
    /// The process dies after some of a group's effects left.
    KillBetweenEffects,
    /// All at once lose their power.
    PowerCutOfAll,
    /// Every thread stands still for a while.
    Pause,
    /// The network falls into two halves.
    PartitionHalf,
    /// A minority is cut off.
    PartitionMinority,
    /// One machine is not heard.
    PartitionOneWay,
    /// The proposer of the next height is cut off.
    PartitionProposer,
    /// A connection breaks.
    Disconnect,
    /// Much is lost for a while.
    Storm,
    /// A disk is slow.
    SlowDisk,
    /// A disk is full.
    FullDisk,
    /// A sync or write fails.
    FailingDisk,
    /// Synced bytes of a ledger are wrong or gone.
    DamagedLedger,
    /// A clock is set to another time.
    ClockStep,
}

impl Fault {
    pub(super) const ALL: [Self; 17] = [
        Self::Kill,
        Self::PowerCut,
        Self::PowerCutInCommit,
        Self::KillBetweenEffects,
        Self::PowerCutOfAll,
        Self::Pause,
        Self::PartitionHalf,
        Self::PartitionMinority,
        Self::PartitionOneWay,
        Self::PartitionProposer,
        Self::Disconnect,
        Self::Storm,
        Self::SlowDisk,
        Self::FullDisk,
        Self::FailingDisk,
        Self::DamagedLedger,
        Self::ClockStep,
    ];

    /// Its name in the summary.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "fault: kill",
            Self::PowerCut => "fault: power cut",
            Self::PowerCutInCommit => "fault: power cut inside a commit",
            Self::KillBetweenEffects => "fault: kill between two effects",
            Self::PowerCutOfAll => "fault: power cut of all",
            Self::Pause => "fault: pause",
            Self::PartitionHalf => "fault: partition, half",
            Self::PartitionMinority => "fault: partition, minority",
            Self::PartitionOneWay => "fault: partition, one way",
            Self::PartitionProposer => "fault: partition, proposer",
            Self::Disconnect => "fault: disconnect",
            Self::Storm => "fault: storm",
            Self::SlowDisk => "fault: slow disk",
            Self::FullDisk => "fault: full disk",
            Self::FailingDisk => "fault: failing disk",
            Self::DamagedLedger => "fault: damaged ledger",
            Self::ClockStep => "fault: clock step",
        }
    }
}

/// Something that ends.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// A partition, by its number.
    Partition(u64),
    /// Calm again.
    Storm,
    /// Fast again.
    SlowDisk(usize),
    /// Room again.
    FullDisk(usize),
}

/// Faults under way.
pub(super) struct Faults {
    pub(super) dice: Dice,
    /// No more of them.
    pub(super) over: bool,
    /// Byzantine machines stop doing things of their own.
    pub(super) healed: bool,
    partitions: Vec<Partition>,
    next_partition: u64,
    /// The weather when nothing special goes on.
    usual: Weather,
}

impl Faults {
    pub(super) const fn new(usual: Weather, dice: Dice) -> Self {
        Self { dice, over: false, healed: false, partitions: Vec::new(), next_partition: 0, usual }
    }
}

impl World {
    /// The next fault, and when the one after it comes.
    pub(super) fn fault(&mut self) {
        if self.faults.over {
            return;
        }
        let pace_us = self.plan.fault_every_us;
        let pause_us = self.faults.dice.between(pace_us / 4, pace_us.saturating_mul(7) / 4);
        self.heap.after(pause_us.max(1), What::Fault);
        let Some(fault) = self.faults.dice.pick(&self.plan.faults) else { return };
        let now_us = self.heap.now_us();
        if self.apply(fault) {
            self.counts.add(fault.name());
            self.trace.line(now_us, || fault.name().to_owned());
        }
    }

    /// Whether it could happen now.
    fn apply(&mut self, fault: Fault) -> bool {
        let node = self.faults.dice.index(self.machines.len());
        match fault {
            Fault::Kill => self.kill(node),
            Fault::PowerCut => self.cut_power(node),
            Fault::PowerCutInCommit => self.cut_power_in_commit(node),
            Fault::KillBetweenEffects => self.kill_between_effects(node),
            Fault::PowerCutOfAll => {
                (0..self.machines.len()).filter(|node| self.cut_power(*node)).count() > 0
            }
            Fault::Pause => self.pause(node),
            Fault::PartitionHalf => self.split_half(),
            Fault::PartitionMinority => self.split_minority(),
            Fault::PartitionOneWay => self.silence(node),
            Fault::PartitionProposer => self.split_proposer(),
            Fault::Disconnect => self.disconnect(node),
            Fault::Storm => self.storm(),
            Fault::SlowDisk => self.slow_disk(node),
            Fault::FullDisk => self.fill_disk(node),
            Fault::FailingDisk => self.fail_disk(node),
            Fault::DamagedLedger => self.damage_ledger(node),
            Fault::ClockStep => self.step_clock(node),
        }
    }

    pub(super) fn end_fault(&mut self, ending: Ending) {
        match ending {
            Ending::Partition(number) => self.end_partition(number),
            Ending::Storm => self.net.weather = self.faults.usual,
            Ending::SlowDisk(node) => self.machine_mut(node).slow_disk = 1,
            Ending::FullDisk(node) => self.machine(node).disk.set_capacity(None),
        }
    }

    /// A time of some slots, by tenths.
    fn some_slots_us(&mut self, tenths: (u64, u64)) -> u64 {
        let tenth_us = self.plan.slot_ms.saturating_mul(100);
        self.faults.dice.between(tenths.0, tenths.1).saturating_mul(tenth_us)
    }

    fn pause(&mut self, node: usize) -> bool {
        let for_us = self.some_slots_us((2, 40));
        let until_us = self.heap.now_us().saturating_add(for_us);
        let Some(running) = self.up(node) else { return false };
        running.core_free_us = running.core_free_us.max(until_us);
        true
    }

    fn disconnect(&mut self, node: usize) -> bool {
        let other = self.faults.dice.index(self.machines.len());
        let notices_us = self.faults.dice.below(3_000_000);
        let connected = self.net.is_connected(node, other);
        if connected {
            self.break_connection(node, other, notices_us);
            self.dial_later(node, other);
        }
        connected
    }

    fn storm(&mut self) -> bool {
        let dice = &mut self.faults.dice;
        self.net.weather = Weather {
            loss_per_mille: dice.between(50, 400),
            duplicates_per_mille: dice.below(200),
            reordering: dice.chance(500),
            jitter_us: dice.below(200_000),
        };
        let for_us = self.some_slots_us((5, 40));
        self.heap.after(for_us, What::End(Ending::Storm));
        true
    }

    fn step_clock(&mut self, node: usize) -> bool {
        let most_us = self.plan.slot_ms.saturating_mul(3_000);
        let dice = &mut self.faults.dice;
        let by_us = i64::try_from(dice.below(most_us)).unwrap_or(0);
        let by_us = if dice.chance(500) { by_us } else { by_us.saturating_neg() };
        let machine = self.machine_mut(node);
        machine.clock.offset_us = machine.clock.offset_us.saturating_add(by_us);
        if let Some(running) = machine.running.as_mut() {
            running.tick_due = true;
        }
        self.wake(node);
        true
    }
}
