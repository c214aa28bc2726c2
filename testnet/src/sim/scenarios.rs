//! Named scenarios: the traces that the odd rules of docs/protocol.md answer, on whole nodes.

use super::clock::Clock;
use super::dice::Dice;
use super::invariants::Violation;
use super::plan::Plan;
use super::roles::Role;
use super::run::{alive, counts};
use super::tags::{self, Signatures};
use super::trace::Lines;
use super::world::{What, World};

const SLOT_US: u64 = 1_000_000;
/// Slots in which a scenario's network must be well again.
const SLOTS_MAX: u64 = 20;

fn world(plan: Plan) -> World {
    tags::choose(Signatures::Tags);
    World::new(plan, Dice::new(7), Lines::Keep)
}

fn with_role(role: Role) -> World {
    let mut plan = Plan::quiet(4);
    plan.roles = vec![role, Role::Honest, Role::Honest, Role::Honest];
    world(plan)
}

fn hold(result: Result<bool, Violation>) {
    if let Err(violation) = result {
        panic!("{}: {}", violation.invariant, violation.what);
    }
}

/// Ends faults and load; all honest nodes must be alive and equal.
fn well(world: &mut World) {
    world.clients.stopped = true;
    let honest = world.honest();
    world.heal(&honest);
    if let Err(violation) = alive(world, &honest, SLOTS_MAX, "alive after the scenario") {
        panic!("{}", violation.what);
    }
}

fn happened(world: &World, name: &str) -> u64 {
    counts(world).get(name)
}

#[test]
fn a_certificate_shown_to_one_voter_halts_nobody() {
    let mut world = with_role(Role::ShowToOne);
    hold(world.run_until(15 * SLOT_US, |_| false));
    assert!(happened(&world, Role::ShowToOne.name()) > 0);
    assert!(world.invariants.tip().0 >= 12, "{} heights in 15 slots", world.invariants.tip());
    well(&mut world);
}

#[test]
fn two_branches_of_a_lane_leave_evidence_and_order_everybody_else() {
    let mut world = with_role(Role::EquivocateBatches);
    hold(world.run_until(15 * SLOT_US, |_| false));
    assert!(happened(&world, Role::EquivocateBatches.name()) > 0);
    assert!(happened(&world, "evidence against the guilty") > 0);
    well(&mut world);
}

#[test]
fn an_empty_early_proposal_is_refused_and_the_next_proposer_fills_the_slot() {
    let mut plan = Plan::quiet(4);
    plan.roles = vec![Role::EmptyProposals, Role::Honest, Role::Honest, Role::Honest];
    // As early as the others' tolerance lets it be.
    plan.clocks = vec![Clock { offset_us: 45_000, drift_ppm: 0 }];
    plan.load.every_us = 40_000;
    let mut world = world(plan);
    hold(world.run_until(20 * SLOT_US, |_| false));
    assert!(happened(&world, Role::EmptyProposals.name()) > 0);
    assert!(happened(&world, "heights decided in a later round") > 0);
    well(&mut world);
}

#[test]
fn a_transaction_that_expires_inside_a_batch_is_skipped_and_its_lane_goes_on() {
    let mut plan = Plan::quiet(4);
    plan.load.short_lived_per_mille = 1_000;
    plan.load.every_us = 50_000;
    let mut world = world(plan);
    hold(world.run_until(20 * SLOT_US, |_| false));
    assert!(happened(&world, "transactions skipped") > 0);
    assert_eq!(happened(&world, "penalties"), 0);
    assert_eq!(happened(&world, "bundles rejected"), 0);
    well(&mut world);
}

#[test]
fn clocks_at_the_edge_of_the_tolerance_decide_every_slot() {
    let mut plan = Plan::quiet(7);
    let clock = |ahead: bool| Clock {
        offset_us: if ahead { 24_000 } else { -24_000 },
        drift_ppm: if ahead { 20 } else { -20 },
    };
    plan.clocks = (0..8).map(|node| clock(node % 2 == 0)).collect();
    let mut world = world(plan);
    hold(world.run_until(20 * SLOT_US, |_| false));
    assert!(world.invariants.tip().0 >= 17, "{} heights in 20 slots", world.invariants.tip());
    well(&mut world);
}

#[test]
fn an_hour_without_quorum_keeps_every_batch_and_ends_by_itself() {
    let mut plan = Plan::quiet(4);
    plan.load.every_us = 400_000;
    let mut world = world(plan);
    hold(world.run_until(4 * SLOT_US, |_| false));
    for node in [2, 3] {
        world.go_down(node);
        world.machine_mut(node).held_down = true;
    }
    hold(world.run_until(6 * SLOT_US, |_| false));
    world.clients.stopped = true;
    let before = world.invariants.tip();
    hold(world.run_until(3_600 * SLOT_US, |_| false));
    assert_eq!(world.invariants.tip(), before, "two of four decide nothing");
    well(&mut world);
}

#[test]
fn all_that_lose_their_power_at_once_go_on() {
    let mut world = world(Plan::quiet(4));
    for turn in 0..6u64 {
        hold(world.run_until((3 + 3 * turn) * SLOT_US + 137_000 * turn, |_| false));
        for node in 0..5 {
            world.cut_power(node);
        }
    }
    well(&mut world);
}

#[test]
fn a_boot_while_the_node_runs_changes_nothing() {
    let mut world = world(Plan::quiet(4));
    hold(world.run_until(2 * SLOT_US, |_| false));
    let life = world.machine(1).life;
    world.heap.after(0, What::Boot(1));
    hold(world.run_until(3 * SLOT_US, |_| false));
    assert_eq!(world.machine(1).life, life);
}
