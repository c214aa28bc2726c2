//! One seed: safety under faults, then life within a quorum, then all healed and equal.

use super::counts::Counts;
use super::dice::Dice;
use super::invariants::Violation;
use super::plan::Plan;
use super::tags::{self, Signatures};
use super::trace::Lines;
use super::world::World;
use std::ops::RangeInclusive;

/// What a run is made from, beside its seed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Validators, drawn from this range.
    pub validators: RangeInclusive<usize>,
    /// What is signed with.
    pub signatures: Signatures,
    /// What becomes of the story.
    pub lines: Lines,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What does not hold, if anything.
    pub violation: Option<Violation>,
    /// Hash over everything that happened.
    pub trace_hash: u64,
    /// Newest lines of the story, if they were kept.
    pub story: Vec<String>,
    /// What happened how often.
    pub counts: Counts,
    /// Events of the heap.
    pub events: u64,
    /// Virtual time, microseconds.
    pub virtual_us: u64,
    /// Validators of the network.
    pub validators: usize,
}

/// Slots in which a quorum without faults must order a fresh transaction and hold every receipt of its members.
const LIVE_SLOTS_MAX: u64 = 60;

/// Plays one seed on this thread.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Outcome {
    tags::choose(options.signatures);
    let mut dice = Dice::new(seed);
    let plan = Plan::quiet(&options.validators, &mut dice);
    let validators = plan.weights.len();
    let mut world = World::new(plan, dice, options.lines);
    let violation = phases(&mut world).err();
    let (ordered, skipped) = world.invariants.ordered();
    let mut counts = world.counts.clone();
    counts.add_many("heights decided", world.invariants.tip().0);
    counts.add_many("heights decided in a later round", world.invariants.late_rounds());
    counts.add_many("transactions ordered", ordered);
    counts.add_many("transactions skipped", skipped);
    Outcome {
        seed,
        violation,
        trace_hash: world.trace.hash(),
        story: world.trace.kept(),
        counts,
        events: world.events,
        virtual_us: world.heap.now_us(),
        validators,
    }
}

fn phases(world: &mut World) -> Result<(), Violation> {
    let slot_us = world.plan.slot_ms.saturating_mul(1_000);
    let end_us = world.plan.slots.saturating_mul(slot_us);
    world.run_until(end_us, |_| false)?;
    world.faults.over = true;
    world.clients.stopped = true;
    let end_us = world.heap.now_us().saturating_add(LIVE_SLOTS_MAX.saturating_mul(slot_us));
    let honest = world.honest();
    let mut fresh = Vec::new();
    for node in &honest {
        fresh.extend(world.fresh_transaction(*node));
    }
    let everything = |world: &World| {
        world.invariants.open_receipts() == 0
            && fresh.iter().all(|id| world.invariants.is_ordered(id))
            && world.least_decided(&honest) == world.invariants.tip()
    };
    if world.run_until(end_us, everything)? {
        return Ok(());
    }
    let open = world.invariants.an_open_receipt().unwrap_or_default();
    let what = format!(
        "after {LIVE_SLOTS_MAX} slots: decided {}, least {}, {} receipts open: {open}",
        world.invariants.tip(),
        world.least_decided(&honest),
        world.invariants.open_receipts(),
    );
    Err(Violation { invariant: "alive after heal", what })
}
