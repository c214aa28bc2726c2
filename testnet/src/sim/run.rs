//! One seed: safety under faults, then life within a quorum, then all healed and equal.

use super::counts::Counts;
use super::dice::Dice;
use super::invariants::Violation;
use super::plan::{Byzantine, Plan};
use super::tags::{self, Signatures};
use super::trace::Lines;
use super::world::World;
use rota_types::ValidatorKey;
use std::ops::RangeInclusive;

/// What a run is made from, beside its seed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Validators, drawn from this range.
    pub validators: RangeInclusive<usize>,
    /// How many of them are Byzantine.
    pub byzantine: Byzantine,
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
/// Slots in which all must be equal after all is healed.
const EQUAL_SLOTS_MAX: u64 = 60;

/// Slots after too many Byzantine, in which evidence spreads.
const AFTERMATH_SLOTS: u64 = 15;

/// Plays one seed on this thread.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Outcome {
    tags::choose(options.signatures);
    let mut dice = Dice::new(seed);
    let plan = Plan::swarm(&options.validators, options.byzantine, &mut dice);
    let plan = plan.with_rare_crimes(&mut Dice::new(!seed));
    play(seed, plan, dice, options.lines)
}

fn play(seed: u64, plan: Plan, dice: Dice, lines: Lines) -> Outcome {
    let validators = plan.weights.len();
    let mut world = World::new(plan, dice, lines);
    world.trace.line(0, || format!("{:?}", world.plan));
    let violation = phases(&mut world).err();
    Outcome {
        seed,
        violation,
        trace_hash: world.trace.hash(),
        story: world.trace.kept(),
        counts: counts(&world),
        events: world.events,
        virtual_us: world.heap.now_us(),
        validators,
    }
}

pub(super) fn counts(world: &World) -> Counts {
    let (ordered, skipped) = world.invariants.ordered();
    let (net, mut counts) = (world.net.counts, world.counts.clone());
    for (name, count) in [
        ("heights decided", world.invariants.tip().0),
        ("heights decided in a later round", world.invariants.late_rounds()),
        ("values decided in a later round than proposed", world.invariants.carried()),
        ("transactions ordered", ordered),
        ("transactions skipped", skipped),
        ("frames lost", net.lost),
        ("frames sent twice", net.duplicated),
        ("frames that overtook", net.overtook),
        ("frames stopped by a partition", net.blocked),
    ] {
        counts.add_many(name, count);
    }
    counts
}

fn phases(world: &mut World) -> Result<(), Violation> {
    let slot_us = world.plan.slot_ms.saturating_mul(1_000);
    let end_us = world.plan.slots.saturating_mul(slot_us);
    world.run_until(end_us, |_| false)?;
    world.clients.stopped = true;
    if world.plan.byzantine == Byzantine::TooMany {
        return aftermath(world);
    }
    if world.plan.outage {
        world.outage()?;
    }
    let quorum = world.draw_quorum();
    world.hold_down_outside(&quorum);
    let now_us = world.heap.now_us();
    world.trace.line(now_us, || format!("faults stop within {quorum:?}"));
    world.heal(&quorum);
    alive(world, &quorum, LIVE_SLOTS_MAX, "a quorum is alive")?;
    let honest = world.honest();
    let now_us = world.heap.now_us();
    world.trace.line(now_us, || "all heal".to_owned());
    world.heal(&honest);
    world.faults.healed = true;
    alive(world, &honest, EQUAL_SLOTS_MAX, "all are alive and equal after heal")
}

/// With too many Byzantine nothing need go on; but where honest nodes disagree, somebody is named for it.
fn aftermath(world: &mut World) -> Result<(), Violation> {
    let slot_us = world.plan.slot_ms.saturating_mul(1_000);
    let honest = world.honest();
    world.heal(&honest);
    let end_us = world.heap.now_us().saturating_add(AFTERMATH_SLOTS.saturating_mul(slot_us));
    world.run_until(end_us, |_| false)?;
    match world.forked.take() {
        Some(fork) if world.counts.get("evidence against the guilty") == 0 => {
            let what = format!("nobody is named for: {}", fork.what);
            Err(Violation { invariant: "a fork leaves evidence", what })
        }
        _ => Ok(()),
    }
}

/// These machines order a fresh transaction of each, hold every receipt of theirs, and reach one height.
pub(super) fn alive(
    world: &mut World,
    nodes: &[usize],
    slots_max: u64,
    invariant: &'static str,
) -> Result<(), Violation> {
    let slot_us = world.plan.slot_ms.saturating_mul(1_000);
    let end_us = world.heap.now_us().saturating_add(slots_max.saturating_mul(slot_us));
    let whole = |world: &World, node: &usize| {
        let machine = world.machine(*node);
        machine.key().filter(|_| !machine.damaged)
    };
    let authors: Vec<ValidatorKey> = nodes.iter().filter_map(|node| whole(world, node)).collect();
    let doors: Vec<usize> =
        nodes.iter().copied().filter(|node| whole(world, node).is_some()).collect();
    let fresh: Vec<_> = doors.iter().map(|node| world.fresh_transaction(*node)).collect();
    let done = |world: &World| {
        fresh.iter().all(|id| world.invariants.is_ordered(id))
            && world.invariants.open_receipts(&authors) == 0
            && world.least_decided(nodes) == world.invariants.tip()
    };
    if world.run_until(end_us, done)? {
        return Ok(());
    }
    let open = world.invariants.an_open_receipt(&authors).unwrap_or_default();
    let waiting = fresh.iter().filter(|id| !world.invariants.is_ordered(id)).count();
    let heights: Vec<String> = nodes
        .iter()
        .map(|node| format!("n{node}:{}", world.invariants.decided_by(*node)))
        .collect();
    let what = format!(
        "after {slots_max} slots: decided {} ({}), {waiting} of {} fresh transactions not ordered, \
         {} receipts open: {open}",
        world.invariants.tip(),
        heights.join(" "),
        fresh.len(),
        world.invariants.open_receipts(&authors),
    );
    Err(Violation { invariant, what })
}
