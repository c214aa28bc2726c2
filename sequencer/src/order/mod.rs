//! The order of transactions inside a slot: fixed by rule, the same on every node.
//!
//! Lanes are interleaved one batch each, from a start that the decided proposal's id gives; batches by seq,
//! transactions by position. *Slot index* counts all transactions in that order, also those skipped with a code.
//! Emergency keystore operations run first by the keystore's own rule; they keep their index, so that a place can
//! be found without decoding payloads.

mod skip;
mod table;
mod window;

pub use skip::{Quotas, SkipRules};
pub use window::{IdPrefix, Place, ReplayWindow, WindowReader, prefix};

use rota_types::Hash;

/// A lane's batches in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneRun {
    /// Rank of the lane's key in the height's set.
    pub rank: usize,
    /// How many of its batches are in the slot.
    pub batches: usize,
}

/// A batch of a slot: index of its lane in the cut, and of the batch in the lane's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchRef {
    /// Index in the cut.
    pub lane: usize,
    /// Index in the lane's run, oldest first.
    pub batch: usize,
}

/// Rank of the lane that goes first: keccak256 of the proposal's id, as a big-endian number, modulo `lanes`.
#[must_use]
pub fn start_rank(proposal_id: &Hash, lanes: usize) -> usize {
    let n = u32::try_from(lanes).unwrap_or(u32::MAX).max(1);
    let digest = rota_types::keccak256(&proposal_id.0);
    let rest = digest.0.iter().fold(0u64, |rest, byte| {
        (rest << 8 | u64::from(*byte)).checked_rem(u64::from(n)).unwrap_or(0)
    });
    usize::try_from(rest).unwrap_or(0)
}

/// Batches of a slot in order. `lanes` is the size of the validator set; `runs` follow the cut.
#[must_use]
pub fn interleave(proposal_id: &Hash, lanes: usize, runs: &[LaneRun]) -> Vec<BatchRef> {
    let start = start_rank(proposal_id, lanes);
    let mut turns: Vec<(usize, usize, usize)> = runs
        .iter()
        .enumerate()
        .map(|(lane, run)| {
            let after_start = run.rank.saturating_add(lanes).saturating_sub(start);
            (after_start.checked_rem(lanes).unwrap_or(0), lane, run.batches)
        })
        .collect();
    turns.sort_unstable();
    let mut order = Vec::with_capacity(runs.iter().map(|run| run.batches).sum());
    let mut batch = 0usize;
    while !turns.is_empty() {
        turns.retain(|(_, _, batches)| *batches > batch);
        order.extend(turns.iter().map(|(_, lane, _)| BatchRef { lane: *lane, batch }));
        batch = batch.saturating_add(1);
    }
    order
}

/// A count as the protocol's number type.
pub(crate) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_take_turns_from_the_start_rank_in_order_of_rank() {
        let id = Hash([3; 32]);
        let start = start_rank(&id, 4);
        let runs: Vec<_> = [(0, 2), (1, 0), (2, 3), (3, 1)]
            .map(|(rank, batches)| LaneRun { rank, batches })
            .into();
        let order = interleave(&id, 4, &runs);
        let mut expected = Vec::new();
        for batch in 0..3 {
            for turn in 0..4 {
                let rank = (start + turn) % 4;
                if runs[rank].batches > batch {
                    expected.push(BatchRef { lane: rank, batch });
                }
            }
        }
        assert_eq!(order, expected);
        assert_eq!(order.len(), 6);
    }

    #[test]
    fn every_lane_starts_sometimes() {
        let mut seen = [0u32; 5];
        for i in 0..200u8 {
            seen[start_rank(&Hash([i; 32]), 5)] += 1;
        }
        assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
    }
}
