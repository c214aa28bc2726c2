//! Where a leaf stands among all networks, and the roots over all of them.

use super::exit_tree::{exit_root, node};
use super::leaf::NetworkId;
use crate::error::ExitError;
use rota_types::Hash;
use ruint::aliases::U256;
use std::collections::BTreeMap;

/// One leaf among all exit trees. AggLayer writes it as a 256-bit number: 191 zero bits, a bit for L1, the
/// rollup index (u32), the leaf index (u32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlobalIndex {
    /// Where the exit comes from.
    pub source: NetworkId,
    /// Its index in that network's local exit tree.
    pub leaf_index: u32,
}

impl GlobalIndex {
    /// The number.
    #[must_use]
    pub fn to_u256(self) -> U256 {
        let high = match self.source.rollup_index() {
            None => 1u128 << 64,
            Some(index) => u128::from(index) << 32,
        };
        U256::from(high | u128::from(self.leaf_index))
    }

    /// The index of this number. A leaf has one number only, or it could be claimed once for each.
    ///
    /// # Errors
    /// [`ExitError::GlobalIndex`] for any bit that no leaf sets.
    pub fn from_u256(number: U256) -> Result<Self, ExitError> {
        let bad = ExitError::GlobalIndex;
        let number = u128::try_from(number).map_err(|_| bad)?;
        let leaf_index = u32::try_from(number & u128::from(u32::MAX)).map_err(|_| bad)?;
        let source = match (number >> 64, u32::try_from(number >> 32 & u128::from(u32::MAX))) {
            (0, Ok(index)) => NetworkId(index.checked_add(1).ok_or(bad)?),
            (1, Ok(0)) => NetworkId::L1,
            _ => return Err(bad),
        };
        Ok(Self { source, leaf_index })
    }
}

/// Leaves of the tree of local exit roots, by rollup index. A network without exits, or without a record, is
/// zero there, as the contracts have it.
#[must_use]
pub fn rollup_exit_leaves(local_roots: &BTreeMap<NetworkId, Hash>) -> Vec<Hash> {
    let last = local_roots.keys().next_back().copied().unwrap_or_default();
    let empty = exit_root(&[]);
    (1..=last.0)
        .map(|id| local_roots.get(&NetworkId(id)).copied().unwrap_or_default())
        .map(|root| if root == empty { Hash::ZERO } else { root })
        .collect()
}

/// Root over the local exit roots of all networks but L1.
#[must_use]
pub fn rollup_exit_root(local_roots: &BTreeMap<NetworkId, Hash>) -> Hash {
    exit_root(&rollup_exit_leaves(local_roots))
}

/// Root over the exits of L1 and of all other networks.
#[must_use]
pub fn global_exit_root(mainnet_exit_root: &Hash, rollup_exit_root: &Hash) -> Hash {
    node(mainnet_exit_root, rollup_exit_root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(source: u32, leaf_index: u32) -> GlobalIndex {
        GlobalIndex { source: NetworkId(source), leaf_index }
    }

    /// Both numbers stand in bridge transactions on Ethereum; agglayer/interop's tests name them.
    #[test]
    fn known_numbers() {
        let known = [(18_446_744_073_709_748_107u128, 0, 196_491), (4_294_968_029, 2, 733)];
        for (number, source, leaf) in known {
            assert_eq!(index(source, leaf).to_u256(), U256::from(number));
            assert_eq!(GlobalIndex::from_u256(U256::from(number)), Ok(index(source, leaf)));
        }
    }

    #[test]
    fn a_leaf_has_one_number_only() {
        let l1 = index(0, 5).to_u256();
        let surplus = [U256::ONE << 32, U256::ONE << 65, U256::ONE << 128, U256::ONE << 255];
        for bit in surplus {
            assert_eq!(GlobalIndex::from_u256(l1 | bit), Err(ExitError::GlobalIndex));
        }
        let no_network = (U256::from(u32::MAX) << 32) | U256::ONE;
        assert_eq!(GlobalIndex::from_u256(no_network), Err(ExitError::GlobalIndex));
        let last = index(u32::MAX, u32::MAX);
        assert_eq!(GlobalIndex::from_u256(last.to_u256()), Ok(last));
    }

    #[test]
    fn leaves_stand_at_the_rollup_index_and_empty_trees_are_zero() {
        let roots = BTreeMap::from([
            (NetworkId(1), exit_root(&[])),
            (NetworkId(2), Hash([2; 32])),
            (NetworkId(4), Hash([4; 32])),
        ]);
        let leaves = [Hash::ZERO, Hash([2; 32]), Hash::ZERO, Hash([4; 32])];
        assert_eq!(rollup_exit_leaves(&roots), leaves);
        assert_eq!(rollup_exit_root(&roots), exit_root(&leaves));
        assert_eq!(rollup_exit_root(&BTreeMap::new()), exit_root(&[]));
    }
}
