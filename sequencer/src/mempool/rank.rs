//! Which validator batches a gossiped transaction first.
//!
//! Weighted rendezvous: validator v draws `u = keccak(tag ‖ chain ‖ tx_id ‖ v)` as a number in (0, 1) and
//! scores `−log2(u) / weight`; the lowest score is rank 0. So v is first with probability
//! weight / total, and when the first is left out the next follows by the same rule. All in integers: the
//! logarithm has 24 fractional bits, ties go to the lower key.

use rota_types::{Tag, TxId, ValidatorKey, ValidatorSet};

/// Fractional bits of the logarithm; a tie by rounding is rarer than one in a million.
const FRACTION_BITS: u32 = 24;

/// Number of validators whose turn is before `me`; 0 batches at once.
#[must_use]
pub fn rank(chain_id: u64, id: &TxId, me: &ValidatorKey, set: &ValidatorSet) -> usize {
    let own = score(chain_id, id, me, set.weight(me).0);
    set.as_slice()
        .iter()
        .filter(|v| v.key != *me)
        .filter(|v| (score(chain_id, id, &v.key, v.weight.0), &v.key) < (own, me))
        .count()
}

fn score(chain_id: u64, id: &TxId, key: &ValidatorKey, weight: u64) -> u128 {
    let draw = Tag::BatchRank.digest_parts(chain_id, &[&id.0, &key.0]).prefix_u64();
    let log = u128::from(minus_log2(draw | 1)) << 64;
    log.checked_div(u128::from(weight)).unwrap_or(u128::MAX)
}

/// `−log2(u / 2⁶⁴)` with [`FRACTION_BITS`] fractional bits; `u` is at least 1.
fn minus_log2(u: u64) -> u64 {
    let whole = u.checked_ilog2().unwrap_or(0);
    // The mantissa in [1, 2) with 63 fractional bits, squared once per bit of the result.
    let mut mantissa = u128::from(u) << 63u32.saturating_sub(whole);
    let mut log = u64::from(whole);
    for _ in 0..FRACTION_BITS {
        mantissa = mantissa.saturating_mul(mantissa) >> 63;
        log <<= 1;
        if mantissa >= 1 << 64 {
            log |= 1;
            mantissa >>= 1;
        }
    }
    (64u64 << FRACTION_BITS).saturating_sub(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::bls::SealKey;
    use rota_types::{Validator, Weight, keccak256};

    #[test]
    fn the_logarithm_is_right_at_powers_and_in_between() {
        assert_eq!(minus_log2(1), 64 << FRACTION_BITS);
        assert_eq!(minus_log2(1 << 63), 1 << FRACTION_BITS);
        // log2(3) = 1.5849625…
        let three = (64 << FRACTION_BITS) - minus_log2(3);
        assert_eq!(three, 26_591_258, "1.5849625 × 2^24");
        assert!(minus_log2(u64::MAX) <= 1);
    }

    #[test]
    fn the_first_rank_is_drawn_by_weight_and_ranks_are_a_permutation() {
        let weights = [1u64, 2, 3, 4];
        let validators = weights.iter().zip(1u8..).map(|(weight, n)| Validator {
            key: ValidatorKey([n; 32]),
            seal_key: SealKey([0; 96]),
            weight: Weight(*weight),
        });
        let set = ValidatorSet::new(validators.collect()).unwrap();
        let mut first = [0u32; 4];
        for n in 0..4_000u32 {
            let id = keccak256(&n.to_le_bytes());
            let ranks: Vec<usize> =
                set.as_slice().iter().map(|v| rank(7, &id, &v.key, &set)).collect();
            let mut sorted = ranks.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            first[ranks.iter().position(|r| *r == 0).unwrap()] += 1;
        }
        for (n, weight) in first.iter().zip([1u32, 2, 3, 4]) {
            assert!(n.abs_diff(weight * 400) < 80, "{first:?}");
        }
    }
}
