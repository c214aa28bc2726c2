//! The validator set of a height: keys, weights, quorum, rotation of proposers.

use crate::bls::SealKey;
use crate::codec::encode;
use crate::error::TypesError;
use crate::hash::Hash;
use crate::ids::{Height, Round, Weight};
use crate::keys::ValidatorKey;
use crate::limits::VALIDATORS_MAX;
use crate::tags::Tag;
use borsh::{BorshDeserialize, BorshSerialize};

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Validator {
    /// Signs batches, acknowledgements, votes and receipts.
    pub key: ValidatorKey,
    /// Signs headers; its possession was proved when it was registered.
    pub seal_key: SealKey,
    /// Voting weight, at least 1.
    pub weight: Weight,
}

/// Validators by strictly ascending key, with a total weight below 2⁶², so that three times it fits 64 bits.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
}

/// 2⁶⁴ / φ: multiples of it modulo 2⁶⁴ are evenly spread, so rotation is smooth.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl ValidatorSet {
    /// Sorts and checks a set.
    ///
    /// # Errors
    /// Empty, too many, a repeated key, a zero weight, or a total of 2⁶² and more.
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, TypesError> {
        validators.sort_by_key(|validator| validator.key);
        let set = Self { validators };
        set.validate()?;
        Ok(set)
    }

    /// The rules of [`Self::new`] for a decoded set.
    ///
    /// # Errors
    /// As [`Self::new`], and when the order is not strictly ascending.
    pub fn validate(&self) -> Result<(), TypesError> {
        if self.validators.is_empty() || self.validators.len() > VALIDATORS_MAX {
            return Err(TypesError::TooMany {
                what: "validators (1 at least)",
                limit: VALIDATORS_MAX,
                found: self.validators.len(),
            });
        }
        let ascending =
            self.validators.iter().zip(self.validators.iter().skip(1)).all(|(a, b)| a.key < b.key);
        if !ascending {
            return Err(TypesError::NotAscending { what: "validator keys" });
        }
        let mut total = 0u64;
        for validator in &self.validators {
            total = total
                .checked_add(validator.weight.0)
                .filter(|sum| validator.weight.0 > 0 && *sum < 1 << 62)
                .ok_or(TypesError::Rule { rule: "weights are ≥ 1 and sum below 2^62".into() })?;
        }
        Ok(())
    }

    /// All validators by ascending key.
    #[must_use]
    pub fn as_slice(&self) -> &[Validator] {
        &self.validators
    }

    /// Number of validators.
    #[must_use]
    pub fn len(&self) -> usize {
        self.validators.len()
    }

    /// Never true for a valid set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.validators.is_empty()
    }

    /// The validator with this key.
    #[must_use]
    pub fn get(&self, key: &ValidatorKey) -> Option<&Validator> {
        self.index_of(key).and_then(|index| self.validators.get(index))
    }

    /// Rank of a key in the set: its lane index.
    #[must_use]
    pub fn index_of(&self, key: &ValidatorKey) -> Option<usize> {
        self.validators.binary_search_by(|v| v.key.cmp(key)).ok()
    }

    /// Whether the key belongs to the set.
    #[must_use]
    pub fn contains(&self, key: &ValidatorKey) -> bool {
        self.index_of(key).is_some()
    }

    /// Sum of all weights.
    #[must_use]
    pub fn total(&self) -> Weight {
        Weight(self.validators.iter().map(|v| v.weight.0).sum())
    }

    /// Weight of a key, zero if it is no validator.
    #[must_use]
    pub fn weight(&self, key: &ValidatorKey) -> Weight {
        self.get(key).map_or(Weight(0), |v| v.weight)
    }

    /// Whether `weight` is strictly more than two thirds of the total.
    #[must_use]
    pub fn is_quorum(&self, weight: Weight) -> bool {
        u128::from(weight.0).saturating_mul(3) > u128::from(self.total().0).saturating_mul(2)
    }

    /// Whether `weight` is strictly more than one third of the total.
    #[must_use]
    pub fn is_more_than_third(&self, weight: Weight) -> bool {
        u128::from(weight.0).saturating_mul(3) > u128::from(self.total().0)
    }

    /// Checks that `signers` are members in strictly ascending order.
    ///
    /// # Errors
    /// [`TypesError::NotAscending`] or [`TypesError::UnknownSigner`].
    pub fn check_signers<'a>(
        &self,
        signers: impl Iterator<Item = &'a ValidatorKey>,
    ) -> Result<(), TypesError> {
        let mut last: Option<&ValidatorKey> = None;
        for key in signers {
            if last.is_some_and(|last| last >= key) {
                return Err(TypesError::NotAscending { what: "signers" });
            }
            if !self.contains(key) {
                return Err(TypesError::UnknownSigner { key: key.to_string() });
            }
            last = Some(key);
        }
        Ok(())
    }

    /// Checks that the signers (each counted once by the caller) have more than two thirds.
    ///
    /// # Errors
    /// [`TypesError::NoQuorum`].
    pub fn check_quorum<'a>(
        &self,
        signers: impl Iterator<Item = &'a ValidatorKey>,
    ) -> Result<(), TypesError> {
        let signed = Weight(signers.map(|key| self.weight(key).0).sum());
        if self.is_quorum(signed) {
            Ok(())
        } else {
            Err(TypesError::NoQuorum { signed, total: self.total() })
        }
    }

    /// Commitment to the set: `Tag::ValidatorSet` digest of its encoding.
    #[must_use]
    pub fn commitment(&self, chain_id: u64) -> Hash {
        Tag::ValidatorSet.digest(chain_id, &encode(self))
    }

    /// The proposer of (height, round): rotation weighted by stake, no one twice within n rounds of a height.
    ///
    /// The k-th pick of a height is the validator at the point `frac((height + k)·φ)` of the weight
    /// line of those not picked yet: proportional over heights, without runs, and stateless.
    ///
    /// # Panics
    /// Never for a valid set: it has at least one validator.
    #[must_use]
    pub fn proposer(&self, height: Height, round: Round) -> &Validator {
        let mut left: Vec<&Validator> = self.validators.iter().collect();
        let picks = usize::try_from(round.0).unwrap_or(0).checked_rem(left.len()).unwrap_or(0);
        let mut pick = 0u64;
        loop {
            let total: u64 = left.iter().map(|v| v.weight.0).sum();
            let point = height.0.wrapping_add(pick).wrapping_mul(GOLDEN);
            let target = (u128::from(point).wrapping_mul(u128::from(total))) >> 64;
            let mut sum = 0u128;
            let at = left
                .iter()
                .position(|v| {
                    sum = sum.saturating_add(u128::from(v.weight.0));
                    target < sum
                })
                .unwrap_or(0);
            if pick >= u64::try_from(picks).unwrap_or(0) {
                return left.get(at).expect("a validator set has at least one member");
            }
            left.remove(at);
            pick = pick.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(weights: &[u64]) -> ValidatorSet {
        let validators = weights.iter().enumerate().map(|(i, w)| Validator {
            key: ValidatorKey([u8::try_from(i).unwrap() + 1; 32]),
            seal_key: SealKey([0; 96]),
            weight: Weight(*w),
        });
        ValidatorSet::new(validators.collect()).unwrap()
    }

    #[test]
    fn quorum_is_strictly_more_than_two_thirds() {
        let set = set(&[1, 1, 1]);
        assert!(!set.is_quorum(Weight(2)) && set.is_quorum(Weight(3)));
        assert!(!set.is_more_than_third(Weight(1)) && set.is_more_than_third(Weight(2)));
    }

    #[test]
    fn proposers_rotate_by_weight_and_not_twice_within_a_height() {
        let set = set(&[1, 2, 3, 4]);
        let mut count = [0u32; 4];
        for h in 1..=1000 {
            let key = set.proposer(Height(h), Round(0)).key;
            count[set.index_of(&key).unwrap()] += 1;
            let mut seen: Vec<_> = (0..4).map(|r| set.proposer(Height(h), Round(r)).key).collect();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 4);
        }
        for (i, n) in count.iter().enumerate() {
            let want = 100 * (u32::try_from(i).unwrap() + 1);
            assert!(n.abs_diff(want) <= 10, "{count:?}");
        }
    }

    #[test]
    fn sets_refuse_zero_weight_repeats_and_disorder() {
        let one = set(&[1]).as_slice()[0].clone();
        assert!(ValidatorSet::new(vec![one.clone(), one.clone()]).is_err());
        assert!(ValidatorSet::new(vec![Validator { weight: Weight(0), ..one.clone() }]).is_err());
        assert!(ValidatorSet::new(vec![Validator { weight: Weight(1 << 63), ..one }]).is_err());
        assert!(ValidatorSet::new(vec![]).is_err());
    }
}
