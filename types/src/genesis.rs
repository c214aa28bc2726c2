//! The genesis document: what every node of a network agrees on before the first slot.

use crate::bls::{BlsSignature, SealKey};
use crate::codec::encode;
use crate::error::TypesError;
use crate::hash::Hash;
use crate::ids::{RollupId, Slot, TimestampMs, Weight};
use crate::keys::ValidatorKey;
use crate::limits::{
    BATCH_BODY_BYTES_MAX, CUT_LEAD_MS_MIN, GENESIS_ROLLUPS_MAX, KNOWN_LEAD_MS_MIN, TOLERANCE_MS_MIN,
};
use crate::tags::Tag;
use crate::validators::{Validator, ValidatorSet};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Shortest slot: below it a round of votes and an fsync no longer fit the cut's lead.
pub const SLOT_MS_MIN: u64 = 1_000;
/// Longest slot.
pub const SLOT_MS_MAX: u64 = 60_000;

/// A validator as genesis names it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisValidator {
    /// For people and logs.
    pub name: String,
    /// Ed25519 key.
    pub key: ValidatorKey,
    /// BLS key.
    pub seal_key: SealKey,
    /// Proof that the seal key's secret is held.
    pub seal_possession: BlsSignature,
    /// Voting weight.
    pub weight: Weight,
}

/// A rollup registered from the start.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisRollup {
    /// EIP-155 chain id below 2³², or a hashed id with the top bit set.
    pub id: RollupId,
    /// For people.
    pub name: String,
    /// Most bytes of it ordered in a slot; 0 for no quota of its own.
    #[serde(default)]
    pub slot_bytes_max: u64,
}

/// The document. Its hash is in every handshake, so that two networks never mix.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// In every signature.
    pub chain_id: u64,
    /// For people and default paths.
    pub name: String,
    /// Start of slot 0, Unix milliseconds.
    pub genesis_time: TimestampMs,
    /// Length of a slot, 1 s to 60 s.
    pub slot_ms: u64,
    /// Rules in force from the first height.
    pub protocol_version: u32,
    /// How far ahead `valid_until_slot` may be.
    pub validity_slots_max: u64,
    /// Most transaction bytes in a slot; each lane has an equal share.
    pub slot_bytes_max: u64,
    /// Most transactions in a slot; each lane has an equal share.
    pub slot_txs_max: u64,
    /// Most batches a lane may be ahead of its decided tip.
    pub lane_lead_max: u64,
    /// Most keystore accounts created in a slot.
    pub new_accounts_max: u32,
    /// Most bytes of emergency keystore operations in a slot, shared by the lanes.
    pub emergency_bytes_max: u64,
    /// Validators of the first heights.
    pub validators: Vec<GenesisValidator>,
    /// Rollups registered from the start, strictly ascending by id.
    pub rollups: Vec<GenesisRollup>,
}

impl Genesis {
    /// `Tag::Genesis` digest of the borsh encoding.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Tag::Genesis.digest(self.chain_id, &encode(self))
    }

    /// The default of `validity_slots_max`: 64 slots or ten minutes, whichever is more.
    #[must_use]
    pub const fn default_validity_slots(slot_ms: u64) -> u64 {
        let ten_minutes = match 600_000u64.checked_div(slot_ms) {
            Some(slots) => slots,
            None => 0,
        };
        if ten_minutes > 64 { ten_minutes } else { 64 }
    }

    /// Checks every rule and gives the first validator set.
    ///
    /// # Errors
    /// [`TypesError`] naming the rule; the operator mends the document.
    pub fn validate(&self) -> Result<ValidatorSet, TypesError> {
        let rule = |ok: bool, rule: &str| {
            if ok { Ok(()) } else { Err(TypesError::Rule { rule: format!("genesis: {rule}") }) }
        };
        rule((SLOT_MS_MIN..=SLOT_MS_MAX).contains(&self.slot_ms), "slot_ms must be 1000 to 60000")?;
        rule(self.validity_slots_max >= 8, "validity_slots_max must be at least 8")?;
        rule(
            self.validity_slots_max.saturating_mul(self.slot_ms) >= 600_000,
            "validity_slots_max × slot_ms must be 10 minutes at least (time to collect signatures)",
        )?;
        rule(self.lane_lead_max >= 8, "lane_lead_max must be at least 8")?;
        rule(self.chain_id > 0, "chain_id must not be 0")?;
        let n = u64::try_from(self.validators.len()).unwrap_or(u64::MAX);
        let body = u64::try_from(BATCH_BODY_BYTES_MAX).unwrap_or(u64::MAX);
        rule(
            self.slot_bytes_max >= n.saturating_mul(body),
            "slot_bytes_max must be at least 512 KiB a validator",
        )?;
        rule(self.slot_txs_max >= n, "slot_txs_max must be at least 1 a validator")?;
        rule(self.rollups.len() <= GENESIS_ROLLUPS_MAX, "too many rollups")?;
        rule(
            self.rollups.iter().zip(self.rollups.iter().skip(1)).all(|(a, b)| a.id < b.id),
            "rollups must be strictly ascending by id",
        )?;
        rule(
            self.rollups.iter().all(|r| !r.id.is_executed()),
            "rollups 0 and 1 are the network's own and are not listed",
        )?;
        rule(
            self.rollups.iter().all(|r| r.id.0 < 1 << 32 || r.id.0 >= 1 << 63),
            "a rollup id is an EIP-155 chain id below 2^32 or a hashed id with the top bit set",
        )?;
        for validator in &self.validators {
            validator.seal_key.verify_possession(self.chain_id, &validator.seal_possession)?;
        }
        self.validator_set()
    }

    /// The first validator set, without checking the proofs of possession again.
    ///
    /// # Errors
    /// As [`ValidatorSet::new`].
    pub fn validator_set(&self) -> Result<ValidatorSet, TypesError> {
        ValidatorSet::new(
            self.validators
                .iter()
                .map(|v| Validator { key: v.key, seal_key: v.seal_key, weight: v.weight })
                .collect(),
        )
    }

    /// Slot arithmetic of this network.
    #[must_use]
    pub const fn timing(&self) -> Timing {
        Timing { genesis_time: self.genesis_time, slot_ms: self.slot_ms }
    }

    /// A lane's share of `slot_bytes_max`.
    #[must_use]
    pub fn lane_slot_bytes_max(&self) -> u64 {
        let n = u64::try_from(self.validators.len()).unwrap_or(1);
        self.slot_bytes_max.checked_div(n).unwrap_or(self.slot_bytes_max)
    }

    /// A lane's share of `slot_txs_max`.
    #[must_use]
    pub fn lane_slot_txs_max(&self) -> u64 {
        let n = u64::try_from(self.validators.len()).unwrap_or(1);
        self.slot_txs_max.checked_div(n).unwrap_or(self.slot_txs_max)
    }
}

const fn at_least(value: u64, floor: u64) -> u64 {
    if value < floor { floor } else { value }
}

/// Slot times. All leads are fractions of the slot, so that 1 s and 12 s slots follow the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Start of slot 0.
    pub genesis_time: TimestampMs,
    /// Length of a slot in milliseconds.
    pub slot_ms: u64,
}

impl Timing {
    /// How long before a slot's end its cut is: 1/6 of the slot, [`CUT_LEAD_MS_MIN`] at least.
    #[must_use]
    pub const fn cut_lead_ms(&self) -> u64 {
        at_least(self.slot_ms / 6, CUT_LEAD_MS_MIN)
    }

    /// How long before the cut a certificate must be held to be missed: 1/8 of the slot, [`KNOWN_LEAD_MS_MIN`] at least.
    #[must_use]
    pub const fn known_lead_ms(&self) -> u64 {
        at_least(self.slot_ms / 8, KNOWN_LEAD_MS_MIN)
    }

    /// Tolerated difference of clocks: 1/24 of the slot, [`TOLERANCE_MS_MIN`] at least.
    #[must_use]
    pub const fn tolerance_ms(&self) -> u64 {
        at_least(self.slot_ms / 24, TOLERANCE_MS_MIN)
    }

    /// First instant of a slot.
    #[must_use]
    pub const fn start(&self, slot: Slot) -> TimestampMs {
        self.genesis_time.plus(slot.0.saturating_mul(self.slot_ms))
    }

    /// End of a slot; also the `time` of its header.
    #[must_use]
    pub const fn end(&self, slot: Slot) -> TimestampMs {
        self.start(slot.next())
    }

    /// From when a slot may be proposed.
    #[must_use]
    pub const fn cut(&self, slot: Slot) -> TimestampMs {
        self.end(slot).minus(self.cut_lead_ms())
    }

    /// When a voter takes note of the certificates it holds for a slot.
    #[must_use]
    pub const fn known(&self, slot: Slot) -> TimestampMs {
        self.cut(slot).minus(self.known_lead_ms())
    }

    /// The slot that contains `now`; slot 0 before genesis.
    #[must_use]
    pub const fn slot_at(&self, now: TimestampMs) -> Slot {
        match now.0.saturating_sub(self.genesis_time.0).checked_div(self.slot_ms) {
            Some(slot) => Slot(slot),
            None => Slot(0),
        }
    }

    /// The newest slot whose cut is not after `now`, if any.
    #[must_use]
    pub fn newest_cut(&self, now: TimestampMs) -> Option<Slot> {
        let ahead = now.plus(self.cut_lead_ms());
        let slot = self.slot_at(ahead);
        (slot.0 > 0).then(|| slot.prev())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_cut_is_the_last_cut_not_after_now() {
        let timing = Timing { genesis_time: TimestampMs(1_000_000), slot_ms: 12_000 };
        for now in (1_000_000..1_100_000).step_by(501) {
            let now = TimestampMs(now);
            match timing.newest_cut(now) {
                Some(slot) => {
                    assert!(timing.cut(slot) <= now && timing.cut(slot.next()) > now);
                }
                None => assert!(timing.cut(Slot(0)) > now),
            }
        }
    }
}
