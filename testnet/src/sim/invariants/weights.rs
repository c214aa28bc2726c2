//! Weights by an arithmetic of its own: a quorum counted wrongly in the product must not count the same way here.

use rota_types::{ValidatorKey, ValidatorSet};
use std::collections::{BTreeMap, BTreeSet};

/// What each validator weighs.
#[derive(Clone)]
pub(super) struct Weights {
    of: BTreeMap<ValidatorKey, u64>,
    total: u128,
}

impl Weights {
    pub(super) fn new(set: &ValidatorSet) -> Self {
        let of: BTreeMap<_, _> = set.as_slice().iter().map(|v| (v.key, v.weight.0)).collect();
        let total = of.values().map(|weight| u128::from(*weight)).sum();
        Self { of, total }
    }

    /// Whether these, each counted once, have more than two thirds.
    pub(super) fn are_quorum<'a>(&self, keys: impl IntoIterator<Item = &'a ValidatorKey>) -> bool {
        let keys: BTreeSet<&ValidatorKey> = keys.into_iter().collect();
        let weights = keys.into_iter().filter_map(|key| self.of.get(key));
        let sum = weights.fold(0u128, |sum, weight| sum.saturating_add(u128::from(*weight)));
        sum.saturating_mul(3) > self.total.saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::bls::SealKey;
    use rota_types::{Validator, Weight};

    #[test]
    fn two_thirds_are_no_quorum_and_nobody_counts_twice() {
        let keys = [1u8, 2, 3].map(|n| ValidatorKey([n; 32]));
        let validator = |key: &ValidatorKey| Validator {
            key: *key,
            seal_key: SealKey([0; 96]),
            weight: Weight(2),
        };
        let set = ValidatorSet::new(keys.iter().map(validator).collect()).unwrap();
        let weights = Weights::new(&set);
        let [first, second, third] = &keys;
        assert!(!weights.are_quorum([first, second]));
        assert!(!weights.are_quorum([first, second, second]));
        assert!(!weights.are_quorum([first, second, &ValidatorKey([9; 32])]));
        assert!(weights.are_quorum([third, first, second]));
    }
}
