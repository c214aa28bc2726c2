//! One account: its config and counters, and the tiny leaf that other chains read.

use crate::config::{Config, KeystoreId};
use crate::error::{number, within};
use crate::keys::KeyId;
use crate::limits::{ACCOUNT_BYTES, CONFIG_BYTES_FACTOR, EMERGENCY_DIGESTS_MAX, LANES_MAX};
use crate::params::Params;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::hash::keccak256_concat;
use rota_types::{Hash, Refusal, RefusalCode, Slot};
use serde::Serialize;
use std::collections::BTreeMap;

/// First part of a state key; a number once used keeps its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Silo {
    /// [`AuthLeaf`] by account.
    Auth = 1,
    /// [`Account`] by account: config preimage, lanes, freezes, remembered digests. Later the balance.
    Account = 2,
    // 3 sessions, 4 recovery, 5 names, 6 bindings, 7 orders: with their operations.
    /// Parameters and counters of the rollup.
    Params = 8,
}

impl Silo {
    /// `keccak256(silo ‖ id)`.
    pub(crate) fn key(self, id: &Hash) -> Hash {
        keccak256_concat(&[&[self as u8], &id.0])
    }
}

/// Whether an account was frozen by its last operation on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Status {
    /// Not frozen.
    Active = 1,
    /// Frozen in every slot before `frozen_until`, and no longer after.
    Frozen = 2,
}

/// What chains read: `abi.encode(config_hash, config_seq, auth_seq, status, frozen_until, updated_slot)`.
///
/// The key of the leaf is `keccak256(0x01 ‖ keystore id)`. Its shape never changes. Where no leaf is, the
/// account is its initial config, `config_seq` and `auth_seq` 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AuthLeaf {
    /// Hash of the config in force.
    pub config_hash: Hash,
    /// Number of config changes.
    pub config_seq: u64,
    /// Raised by everything that takes authority away or gives it back: an older root never undoes it.
    pub auth_seq: u64,
    /// Active or frozen.
    pub status: Status,
    /// First slot in which a frozen account is no longer frozen; 0 when active.
    pub frozen_until: Slot,
    /// Slot of the operation that wrote this leaf.
    pub updated_slot: Slot,
}

/// Bytes of an encoded [`AuthLeaf`]: six words.
pub const AUTH_LEAF_BYTES: usize = 192;

impl AuthLeaf {
    /// Six 32-byte big-endian words.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.config_hash.0.to_vec();
        let numbers = [
            self.config_seq,
            self.auth_seq,
            u64::from(self.status as u8),
            self.frozen_until.0,
            self.updated_slot.0,
        ];
        for number in numbers {
            bytes.extend_from_slice(&[0; 24]);
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// Decodes six words; padding must be zero and the status known.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (config_hash, rest) = bytes.split_first_chunk::<32>()?;
        let mut words = rest.chunks_exact(32).map(|word| {
            let (padding, number) = word.split_first_chunk::<24>()?;
            let number = u64::from_be_bytes(number.try_into().ok()?);
            (*padding == [0; 24]).then_some(number)
        });
        let mut next = || words.next().flatten();
        let (config_seq, auth_seq) = (next()?, next()?);
        let status = match next()? {
            1 => Status::Active,
            2 => Status::Frozen,
            _ => return None,
        };
        let (frozen_until, updated_slot) = (Slot(next()?), Slot(next()?));
        (bytes.len() == AUTH_LEAF_BYTES).then_some(Self {
            config_hash: Hash(*config_hash),
            config_seq,
            auth_seq,
            status,
            frozen_until,
            updated_slot,
        })
    }

    /// Whether the account is frozen in `slot`.
    #[must_use]
    pub fn is_frozen(&self, slot: Slot) -> bool {
        self.status == Status::Frozen && slot < self.frozen_until
    }
}

/// Position of a lane of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct LaneState {
    /// The next sequence number.
    pub next_seq: u64,
    /// Slot of its last use.
    pub used_slot: Slot,
}

/// The two-dimensional nonces of an account: lane 0 for ever, others while they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Lanes(BTreeMap<u64, LaneState>);

impl Lanes {
    /// The next sequence number of `lane` in `slot`. An unused lane other than 0 begins again at 0 after
    /// `validity_slots`: every signature for its old numbers has expired by then.
    #[must_use]
    pub fn next_seq(&self, lane: u64, slot: Slot, validity_slots: u64) -> u64 {
        self.0
            .get(&lane)
            .filter(|state| lane == 0 || is_live(state, slot, validity_slots))
            .map_or(0, |state| state.next_seq)
    }

    /// Takes sequence number `seq` of `lane`.
    ///
    /// # Errors
    /// `SeqGap` or `SeqUsed` with the next number as limit, `LaneLimit`.
    pub fn take(
        &mut self,
        lane: u64,
        seq: u64,
        slot: Slot,
        validity_slots: u64,
    ) -> Result<(), Refusal> {
        let next = self.next_seq(lane, slot, validity_slots);
        match seq.cmp(&next) {
            std::cmp::Ordering::Less => {
                return Err(Refusal::at_limit(RefusalCode::SeqUsed, next, seq));
            }
            std::cmp::Ordering::Greater => {
                return Err(Refusal::at_limit(RefusalCode::SeqGap, next, seq));
            }
            std::cmp::Ordering::Equal => {}
        }
        self.0.retain(|lane, state| *lane == 0 || is_live(state, slot, validity_slots));
        let next_seq = seq
            .checked_add(1)
            .ok_or_else(|| Refusal::at_limit(RefusalCode::SeqTooFar, u64::MAX, seq))?;
        if lane != 0 && !self.0.contains_key(&lane) {
            let live = self.0.keys().filter(|lane| **lane != 0).count();
            within(number(live).saturating_add(1), number(LANES_MAX), RefusalCode::LaneLimit)?;
        }
        self.0.insert(lane, LaneState { next_seq, used_slot: slot });
        Ok(())
    }

    /// All lanes kept, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, LaneState)> + '_ {
        self.0.iter().map(|(lane, state)| (*lane, *state))
    }
}

fn is_live(state: &LaneState, slot: Slot, validity_slots: u64) -> bool {
    slot <= state.used_slot.plus(validity_slots)
}

/// All that the rollup keeps of one account, a leaf of the state tree at `keccak256(0x02 ‖ keystore id)`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Account {
    /// Its id.
    pub keystore_id: KeystoreId,
    /// The config in force.
    pub config: Config,
    /// Number of config changes.
    pub config_seq: u64,
    /// See [`AuthLeaf::auth_seq`].
    pub auth_seq: u64,
    /// Number of freezes.
    pub freeze_count: u64,
    /// First slot in which it is no longer frozen; 0 when not frozen.
    pub frozen_until: Slot,
    /// Slot of its first operation.
    pub created_slot: Slot,
    /// Slot of its last operation.
    pub updated_slot: Slot,
    /// Nonces.
    pub lanes: Lanes,
    /// End of the last freeze by each FREEZE key that may still rest; at most one per key of the config.
    pub freeze_ends: BTreeMap<KeyId, Slot>,
    /// Digests of emergency operations executed, until they expire; at most [`EMERGENCY_DIGESTS_MAX`].
    pub executed: BTreeMap<Hash, Slot>,
}

fn counted(config_bytes: usize) -> u64 {
    number(config_bytes).saturating_mul(CONFIG_BYTES_FACTOR).saturating_add(ACCOUNT_BYTES)
}

/// Bytes between config and lanes in a record: six numbers.
const FIELDS_BYTES: usize = 6 * 8;

impl Account {
    /// The account as its first operation finds it.
    #[must_use]
    pub(crate) fn created(keystore_id: KeystoreId, config: Config, slot: Slot) -> Self {
        Self {
            keystore_id,
            config,
            config_seq: 0,
            auth_seq: 0,
            freeze_count: 0,
            frozen_until: Slot(0),
            created_slot: slot,
            updated_slot: slot,
            lanes: Lanes::default(),
            freeze_ends: BTreeMap::new(),
            executed: BTreeMap::new(),
        }
    }

    /// The lanes of a record, its config left unread.
    pub(crate) fn lanes_of(record: &[u8]) -> Option<Lanes> {
        let (_, rest) = Self::split_config(record)?;
        let mut lanes = rest.get(FIELDS_BYTES..)?;
        Lanes::deserialize(&mut lanes).ok()
    }

    /// What the account counts for in [`crate::KeystoreState::bytes`].
    pub(crate) fn bytes(&self) -> u64 {
        counted(self.config.to_bytes().len())
    }

    /// [`Self::bytes`] of the account of a record.
    pub(crate) fn bytes_of(record: &[u8]) -> u64 {
        Self::split_config(record).map_or(0, |(config, _)| counted(config.len()))
    }

    /// The config of a record, encoded, and what follows it.
    fn split_config(record: &[u8]) -> Option<(&[u8], &[u8])> {
        let (_id, rest) = record.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
    }

    /// Whether it is frozen in `slot`.
    #[must_use]
    pub fn is_frozen(&self, slot: Slot) -> bool {
        slot < self.frozen_until
    }

    /// The leaf that chains read.
    #[must_use]
    pub fn auth_leaf(&self) -> AuthLeaf {
        AuthLeaf {
            config_hash: self.config.hash(),
            config_seq: self.config_seq,
            auth_seq: self.auth_seq,
            status: if self.frozen_until == Slot(0) { Status::Active } else { Status::Frozen },
            frozen_until: self.frozen_until,
            updated_slot: self.updated_slot,
        }
    }

    /// Drops what has ended by `slot`: a freeze, a key's rest, a remembered digest. Called before an
    /// operation, so that what an account holds depends on its operations only.
    pub(crate) fn settle(&mut self, slot: Slot, params: &Params) {
        if !self.is_frozen(slot) {
            self.frozen_until = Slot(0);
        }
        let cooldown = params.cooldown_slots();
        self.freeze_ends.retain(|_, end| slot < end.plus(cooldown));
        self.executed.retain(|_, valid_until| slot <= *valid_until);
    }

    /// Remembers an emergency digest until it expires.
    pub(crate) fn remember(&mut self, digest: Hash, valid_until: Slot) -> Result<(), Refusal> {
        let count = number(self.executed.len()).saturating_add(1);
        within(count, number(EMERGENCY_DIGESTS_MAX), RefusalCode::KeystoreBudget)?;
        self.executed.insert(digest, valid_until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V: u64 = 64;

    #[test]
    fn an_unused_lane_is_dropped_only_after_its_signatures_expired() {
        let mut lanes = Lanes::default();
        lanes.take(7, 0, Slot(10), V).unwrap();
        assert_eq!(lanes.next_seq(7, Slot(10 + V), V), 1, "a signature may still be valid");
        assert_eq!(lanes.next_seq(7, Slot(11 + V), V), 0);
        lanes.take(0, 0, Slot(10), V).unwrap();
        assert_eq!(lanes.next_seq(0, Slot(10_000), V), 1, "lane 0 is never dropped");
    }

    #[test]
    fn at_most_sixteen_other_lanes_live() {
        let mut lanes = Lanes::default();
        for lane in 0..=16 {
            lanes.take(lane, 0, Slot(1), V).unwrap();
        }
        assert_eq!(lanes.take(17, 0, Slot(1), V).unwrap_err().code, RefusalCode::LaneLimit);
        lanes.take(17, 0, Slot(2 + V), V).unwrap();
        assert_eq!(lanes.iter().count(), 2, "lane 0 and lane 17");
    }

    #[test]
    fn sequence_numbers_neither_repeat_nor_skip() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.take(3, 1, Slot(1), V).unwrap_err().code, RefusalCode::SeqGap);
        lanes.take(3, 0, Slot(1), V).unwrap();
        assert_eq!(lanes.take(3, 0, Slot(1), V).unwrap_err().code, RefusalCode::SeqUsed);
        assert_eq!(lanes.take(4, 1, Slot(1), V).unwrap_err().code, RefusalCode::SeqGap);
    }

    #[test]
    fn auth_leaf_has_one_encoding() {
        let leaf = AuthLeaf {
            config_hash: Hash([7; 32]),
            config_seq: 1,
            auth_seq: 2,
            status: Status::Frozen,
            frozen_until: Slot(9),
            updated_slot: Slot(3),
        };
        let bytes = leaf.to_bytes();
        assert_eq!(bytes.len(), AUTH_LEAF_BYTES);
        assert_eq!(AuthLeaf::from_bytes(&bytes), Some(leaf));
        for at in 32..AUTH_LEAF_BYTES {
            let mut other = bytes.clone();
            other[at] ^= 0x80;
            assert_ne!(AuthLeaf::from_bytes(&other), Some(leaf));
        }
        assert_eq!(AuthLeaf::from_bytes(&bytes[..191]), None);
        assert_eq!(AuthLeaf::from_bytes(&[bytes, vec![0]].concat()), None);
    }
}
