//! Parameters of the rollup, fixed by genesis and committed in the state.

use crate::limits::{
    ACCOUNTS_MAX, COOLDOWN_MS, EMERGENCY_SHARE_BYTES_MIN, FREEZE_MS_MAX, STATE_BYTES_MAX,
    UNITS_PER_SLOT_MS, UNITS_SHARE_MIN,
};
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::Genesis;

/// What genesis fixes for the keystore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Params {
    /// In the signing domain.
    pub chain_id: u64,
    /// Length of a slot; times are counted in slots by it.
    pub slot_ms: u64,
    /// V: how far ahead `valid_until_slot` may be, and how long an unused lane is kept.
    pub validity_slots: u64,
    /// Most accounts created in a slot.
    pub new_accounts_max: u32,
    /// Most accounts.
    pub accounts_max: u64,
    /// Most bytes of emergency operations that run first in a slot, shared by the authors.
    pub emergency_bytes_max: u64,
    /// Most work units of a slot, shared by the authors.
    pub units_max: u64,
    /// Most bytes of the state, as [`crate::KeystoreState::bytes`] counts them.
    pub state_bytes_max: u64,
}

impl Params {
    /// The parameters of a network.
    #[must_use]
    pub const fn from_genesis(genesis: &Genesis) -> Self {
        Self {
            chain_id: genesis.chain_id,
            slot_ms: genesis.slot_ms,
            validity_slots: genesis.validity_slots_max,
            new_accounts_max: genesis.new_accounts_max,
            accounts_max: ACCOUNTS_MAX,
            emergency_bytes_max: genesis.emergency_bytes_max,
            units_max: genesis.slot_ms.saturating_mul(UNITS_PER_SLOT_MS),
            state_bytes_max: STATE_BYTES_MAX,
        }
    }

    /// Longest freeze in slots, rounded down.
    #[must_use]
    pub const fn freeze_slots_max(&self) -> u64 {
        match FREEZE_MS_MAX.checked_div(self.slot_ms) {
            Some(slots) => slots,
            None => 0,
        }
    }

    /// Cooldown of a freezing key in slots, rounded up.
    #[must_use]
    pub const fn cooldown_slots(&self) -> u64 {
        if self.slot_ms == 0 { u64::MAX } else { COOLDOWN_MS.div_ceil(self.slot_ms) }
    }

    /// One author's share of the slot's work units.
    #[must_use]
    pub fn units_share(&self, authors: u32) -> u64 {
        share(self.units_max, authors).max(UNITS_SHARE_MIN)
    }

    /// One author's share of the slot's emergency bytes.
    #[must_use]
    pub fn emergency_share(&self, authors: u32) -> u64 {
        share(self.emergency_bytes_max, authors).max(EMERGENCY_SHARE_BYTES_MIN)
    }
}

fn share(whole: u64, authors: u32) -> u64 {
    whole.checked_div(u64::from(authors)).unwrap_or(whole)
}
