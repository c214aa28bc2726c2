//! The binary Merkle tree of verdicts and of deliveries: short lists whose length is part of the root.
//!
//! Leaves are hashed by their owner under 0x00; a node is keccak256(0x01 ‖ left ‖ right); an odd last node goes
//! up as it is, and nothing is repeated to fill a level. The root is keccak256(tag ‖ chain id u64 ‖ count u32 ‖
//! top), big-endian, with a zero top for no leaves. The count fixes the length of every path, so no node can be
//! shown as a leaf, and no list has the root of a longer one.

use crate::error::ExitError;
use borsh::{BorshDeserialize, BorshSerialize, io};
use rota_types::hash::keccak256_concat;
use rota_types::{Hash, Tag, keccak256_all};

/// Longest path: a count is a `u32`.
const PATH_MAX: usize = 32;

fn level_up(level: &[Hash]) -> Vec<Hash> {
    let (pairs, odd) = level.as_chunks::<2>();
    let nodes: Vec<[u8; 65]> = pairs
        .iter()
        .map(|[left, right]| {
            let mut bytes = [1; 65];
            for (to, from) in bytes.iter_mut().skip(1).zip(left.0.iter().chain(&right.0)) {
                *to = *from;
            }
            bytes
        })
        .collect();
    let mut above = keccak256_all(&nodes);
    above.extend_from_slice(odd);
    above
}

fn finish(tag: Tag, chain_id: u64, count: u32, top: &Hash) -> Hash {
    tag.digest_parts(chain_id, &[&count.to_be_bytes(), &top.0])
}

/// Root over `leaves` in order.
#[must_use]
pub fn root(tag: Tag, chain_id: u64, leaves: Vec<Hash>) -> Hash {
    let count = u32::try_from(leaves.len()).unwrap_or(u32::MAX);
    let mut level = leaves;
    while level.len() > 1 {
        level = level_up(&level);
    }
    finish(tag, chain_id, count, &level.first().copied().unwrap_or_default())
}

/// Path of one leaf.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct LeafPath {
    /// Position of the leaf.
    pub index: u32,
    /// Number of leaves.
    pub count: u32,
    /// Siblings from the leaf up; a level at which the node goes up as it is has none.
    pub siblings: Vec<Hash>,
}

impl BorshDeserialize for LeafPath {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let (index, count) = (u32::deserialize_reader(reader)?, u32::deserialize_reader(reader)?);
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "a path has at most 32 siblings");
        let length = usize::try_from(u32::deserialize_reader(reader)?).map_err(|_| bad())?;
        if length > PATH_MAX {
            return Err(bad());
        }
        let siblings =
            (0..length).map(|_| Hash::deserialize_reader(reader)).collect::<io::Result<_>>()?;
        Ok(Self { index, count, siblings })
    }
}

impl LeafPath {
    /// Path of the leaf at `index`, or `None` past the end.
    #[must_use]
    pub fn of(leaves: &[Hash], index: usize) -> Option<Self> {
        leaves.get(index)?;
        let (mut level, mut at) = (leaves.to_vec(), index);
        let mut siblings = Vec::new();
        while level.len() > 1 {
            siblings.extend(level.get(at ^ 1));
            level = level_up(&level);
            at /= 2;
        }
        let (index, count) = (u32::try_from(index).ok()?, u32::try_from(leaves.len()).ok()?);
        Some(Self { index, count, siblings })
    }

    /// The root that follows from `leaf` standing at this path.
    ///
    /// # Errors
    /// [`ExitError::Path`] when the path's shape is not that of a list of `count` leaves.
    pub fn root_of(&self, tag: Tag, chain_id: u64, leaf: Hash) -> Result<Hash, ExitError> {
        let bad = |step| ExitError::Path { step };
        if self.index >= self.count {
            return Err(bad("index of the leaf"));
        }
        let (mut width, mut at, mut hash) = (self.count, self.index, leaf);
        let mut siblings = self.siblings.iter();
        while width > 1 {
            let alone = at & 1 == 0 && at.saturating_add(1) == width;
            if !alone {
                let sibling = siblings.next().ok_or(bad("length of the path"))?;
                hash = match at & 1 {
                    0 => keccak256_concat(&[&[1], &hash.0, &sibling.0]),
                    _ => keccak256_concat(&[&[1], &sibling.0, &hash.0]),
                };
            }
            at /= 2;
            width = width.div_ceil(2);
        }
        if siblings.next().is_some() {
            return Err(bad("length of the path"));
        }
        Ok(finish(tag, chain_id, self.count, &hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::keccak256;

    const TAG: Tag = Tag::VerdictsRoot;

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|i| keccak256(&i.to_be_bytes())).collect()
    }

    #[test]
    fn every_place_of_every_width_proves_itself_and_no_other() {
        for count in [1u32, 2, 3, 4, 5, 7, 8, 9, 33, 100] {
            let leaves = leaves(count);
            let root = root(TAG, 7, leaves.clone());
            for (i, leaf) in leaves.iter().enumerate() {
                let path = LeafPath::of(&leaves, i).unwrap();
                assert_eq!(path.root_of(TAG, 7, *leaf), Ok(root));
                assert_ne!(path.root_of(TAG, 8, *leaf), Ok(root));
                assert_ne!(path.root_of(Tag::DeliveriesRoot, 7, *leaf), Ok(root));
                assert_ne!(path.root_of(TAG, 7, keccak256(b"no")), Ok(root));
                let moved = LeafPath { index: path.index ^ 1, ..path.clone() };
                assert_ne!(moved.root_of(TAG, 7, *leaf), Ok(root));
                let mut long = path.clone();
                long.siblings.push(Hash::ZERO);
                assert!(long.root_of(TAG, 7, *leaf).is_err());
                let bytes = borsh::to_vec(&path).unwrap();
                assert_eq!(borsh::from_slice::<LeafPath>(&bytes).unwrap(), path);
            }
            assert_eq!(LeafPath::of(&leaves, leaves.len()), None);
        }
    }

    /// Repeating the last leaf to fill a level gave two lists one root (CVE-2012-2459).
    #[test]
    fn a_repeated_last_leaf_is_another_list() {
        let three = leaves(3);
        let mut four = three.clone();
        four.push(three[2]);
        assert_ne!(root(TAG, 7, three), root(TAG, 7, four));
        assert_ne!(root(TAG, 7, vec![]), root(TAG, 7, vec![Hash::ZERO]));
    }

    #[test]
    fn an_inner_node_is_not_a_leaf_of_a_shorter_list() {
        let leaves = leaves(4);
        let root = root(TAG, 7, leaves.clone());
        let above = level_up(&leaves);
        for count in [2, 4] {
            let fake = LeafPath { index: 0, count, siblings: vec![above[1]] };
            assert_ne!(fake.root_of(TAG, 7, above[0]), Ok(root));
        }
    }

    #[test]
    fn a_path_longer_than_any_is_refused_before_it_is_read() {
        let bytes = [0u32, 1, 33].map(u32::to_le_bytes).concat();
        assert!(borsh::from_slice::<LeafPath>(&bytes).is_err());
    }
}
