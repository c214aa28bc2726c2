//! What a seed plays: who is there, the network, the load, and which faults may happen.
//!
//! Swarm testing: each seed switches some faults, roles and kinds of load off, so that rare mixes occur.

use super::clock::Clock;
use super::dice::Dice;
use super::faults::Fault;
use super::net::Weather;
use super::roles::Role;
use std::ops::RangeInclusive;

/// What clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoadPlan {
    /// Mean pause between submissions.
    pub(super) every_us: u64,
    pub(super) txs_max: u64,
    pub(super) tx_bytes_max: u64,
    pub(super) gossip_per_mille: u64,
    pub(super) keystore_per_mille: u64,
    pub(super) short_lived_per_mille: u64,
    pub(super) accounts: usize,
}

/// How many Byzantine a seed plays with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byzantine {
    /// Less than a third of the weight: everything must hold.
    Tolerated,
    /// A third or more, less than two: it may halt, and may fork only with evidence that names them.
    TooMany,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) weights: Vec<u64>,
    pub(super) full_nodes: usize,
    pub(super) slot_ms: u64,
    pub(super) slot_bytes_max: u64,
    pub(super) lane_lead_max: u64,
    pub(super) regions: bool,
    pub(super) lan_us: u64,
    pub(super) uplink_mbit: u64,
    pub(super) weather: Weather,
    pub(super) clocks: Vec<Clock>,
    pub(super) roles: Vec<Role>,
    pub(super) load: LoadPlan,
    pub(super) faults: Vec<Fault>,
    /// Mean pause between faults.
    pub(super) fault_every_us: u64,
    /// Slots of the first phase.
    pub(super) slots: u64,
    pub(super) byzantine: Byzantine,
    /// Everybody is down between the two phases, until transactions of the first expire.
    pub(super) outage: bool,
}

impl Plan {
    /// A network on which nothing goes wrong.
    pub(super) fn quiet(validators: usize) -> Self {
        Self {
            weights: vec![1; validators],
            full_nodes: 1,
            slot_ms: 1_000,
            slot_bytes_max: 32 * 1024 * 1024,
            lane_lead_max: 64,
            regions: false,
            lan_us: 500,
            uplink_mbit: 1_000,
            weather: Weather::default(),
            clocks: Vec::new(),
            roles: Vec::new(),
            load: LoadPlan {
                every_us: 150_000,
                txs_max: 4,
                tx_bytes_max: 200,
                gossip_per_mille: 250,
                keystore_per_mille: 100,
                short_lived_per_mille: 0,
                accounts: 3,
            },
            faults: Vec::new(),
            fault_every_us: 1_000_000,
            slots: 12,
            byzantine: Byzantine::Tolerated,
            outage: false,
        }
    }

    /// Gives one Byzantine of some seeds a crime that only few play; drawn apart, so that it moves nothing else.
    pub(super) fn with_rare_crimes(mut self, dice: &mut Dice) -> Self {
        let guilty = self.roles.iter().enumerate().filter(|(_, role)| **role != Role::Honest);
        let guilty: Vec<usize> = guilty.map(|(node, _)| node).collect();
        if self.byzantine == Byzantine::Tolerated
            && dice.chance(350)
            && let Some(node) = dice.pick(&guilty)
            && let Some(crime) = dice.pick(&Role::RARE_CRIMES)
            && let Some(role) = self.roles.get_mut(node)
        {
            *role = crime;
            self.outage = crime == Role::Postdate;
        }
        self
    }

    /// What a seed draws.
    pub(super) fn swarm(
        validators: &RangeInclusive<usize>,
        byzantine: Byzantine,
        dice: &mut Dice,
    ) -> Self {
        let (low, high) = (*validators.start(), *validators.end());
        let spread = high.saturating_sub(low).saturating_add(1);
        let count = low.saturating_add(dice.index(spread));
        let mut plan = Self::quiet(count);
        if dice.chance(300) {
            plan.weights = (0..count).map(|_| dice.between(1, 4)).collect();
        }
        plan.full_nodes = dice.index(3);
        plan.slot_ms = if dice.chance(150) { 2_000 } else { 1_000 };
        plan.slots = dice.between(8, 14);
        plan.lane_lead_max = if dice.chance(300) { 8 } else { 64 };
        plan.network(dice);
        plan.clocks(dice);
        plan.loads(dice);
        plan.byzantine = byzantine;
        plan.roles(dice);
        if dice.chance(900) {
            plan.faults = Fault::ALL.iter().copied().filter(|_| dice.chance(400)).collect();
        }
        plan.fault_every_us = dice.between(150_000, 2_500_000);
        plan
    }

    fn network(&mut self, dice: &mut Dice) {
        self.regions = dice.chance(350);
        self.lan_us = dice.between(100, 20_000);
        self.uplink_mbit = if dice.chance(200) { dice.between(10, 100) } else { 1_000 };
        let on = |dice: &mut Dice, most: u64| if dice.chance(400) { dice.below(most) } else { 0 };
        self.weather = Weather {
            loss_per_mille: on(dice, 60),
            duplicates_per_mille: on(dice, 60),
            reordering: dice.chance(300),
            jitter_us: on(dice, 40_000),
        };
    }

    /// Right within the tolerance, some drifting, at times one that is far off.
    fn clocks(&mut self, dice: &mut Dice) {
        if dice.chance(400) {
            return;
        }
        let within_us = self.slot_ms.saturating_mul(1_000) / 48;
        let signed = |dice: &mut Dice, most: u64| {
            let value = i64::try_from(dice.below(most)).unwrap_or(0);
            if dice.chance(500) { value } else { value.saturating_neg() }
        };
        let machines = self.weights.len().saturating_add(self.full_nodes);
        let mut clock =
            || Clock { offset_us: signed(dice, within_us), drift_ppm: signed(dice, 300) };
        self.clocks = (0..machines).map(|_| clock()).collect();
        if dice.chance(150) {
            let wild_us = signed(dice, 8_000_000);
            let at = dice.index(machines);
            if let Some(clock) = self.clocks.get_mut(at) {
                clock.offset_us = wild_us;
            }
        }
    }

    fn loads(&mut self, dice: &mut Dice) {
        let on = |dice: &mut Dice, most: u64| if dice.chance(600) { dice.below(most) } else { 0 };
        self.load = LoadPlan {
            every_us: dice.between(60_000, 700_000),
            txs_max: dice.between(1, 6),
            tx_bytes_max: if dice.chance(100) { 8_000 } else { 200 },
            gossip_per_mille: on(dice, 600),
            keystore_per_mille: on(dice, 200),
            short_lived_per_mille: on(dice, 300),
            accounts: 3,
        };
    }

    fn roles(&mut self, dice: &mut Dice) {
        let count = self.weights.len();
        self.roles = vec![Role::Honest; count];
        let total: u64 = self.weights.iter().sum();
        let many = self.byzantine == Byzantine::TooMany;
        if !many && dice.chance(350) {
            return;
        }
        let crimes: Vec<Role> = Role::CRIMES.iter().copied().filter(|_| dice.chance(500)).collect();
        let mut order: Vec<usize> = (0..count).collect();
        dice.shuffle(&mut order);
        let mut bad = 0u64;
        for node in order {
            let weight = self.weights.get(node).copied().unwrap_or(0);
            let more = bad.saturating_add(weight);
            let fits =
                if many { bad.saturating_mul(3) < total } else { more.saturating_mul(3) < total };
            if !fits || (!many && dice.chance(300)) {
                continue;
            }
            let crime = dice.pick(&crimes).unwrap_or(Role::EquivocateVotes);
            if let Some(role) = self.roles.get_mut(node) {
                *role = crime;
                bad = more;
            }
        }
    }
}
