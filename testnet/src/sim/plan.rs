//! What a seed plays: who is there, the network, the load, and which faults may happen.

use super::clock::Clock;
use super::dice::Dice;
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
    /// Slots of the first phase.
    pub(super) slots: u64,
}

impl Plan {
    /// A network on which nothing goes wrong.
    pub(super) fn quiet(validators: &RangeInclusive<usize>, dice: &mut Dice) -> Self {
        let (low, high) = (*validators.start(), *validators.end());
        let spread = high.saturating_sub(low).saturating_add(1);
        let count = low.saturating_add(dice.index(spread));
        Self {
            weights: vec![1; count],
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
            slots: 12,
        }
    }
}
