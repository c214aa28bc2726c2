//! The local exit tree: every exit of one network in order, append-only, 32 deep.
//!
//! A zero-filled binary tree of keccak256, as the deposit contract of Ethereum keeps it: only the frontier is
//! stored, one finished left subtree for each bit of the count.

use crate::error::ExitError;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::Hash;
use rota_types::hash::{keccak256_all, keccak256_concat};
use std::sync::LazyLock;

/// Levels of an exit tree, and of the tree of local exit roots.
pub const EXIT_TREE_DEPTH: usize = 32;

/// Root of an empty subtree of each height, from a single zero leaf up.
static EMPTY: LazyLock<[Hash; EXIT_TREE_DEPTH + 1]> = LazyLock::new(|| {
    let mut at = Hash::ZERO;
    std::array::from_fn(|_| {
        let here = at;
        at = node(&here, &here);
        here
    })
});

/// An inner node: keccak256 of both children.
pub(super) fn node(left: &Hash, right: &Hash) -> Hash {
    keccak256_concat(&[&left.0, &right.0])
}

fn empty(height: usize) -> Hash {
    EMPTY.get(height).copied().unwrap_or_default()
}

/// The appendable state of a local exit tree. A frontier place above the count's bits is zero, so equal trees
/// have one encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize)]
pub struct LocalExitTree {
    count: u32,
    frontier: [Hash; EXIT_TREE_DEPTH],
}

impl BorshDeserialize for LocalExitTree {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let count = u32::deserialize_reader(reader)?;
        let frontier = <[Hash; EXIT_TREE_DEPTH]>::deserialize_reader(reader)?;
        let kept = |height: usize| count >> height & 1 == 1;
        if frontier.iter().enumerate().any(|(height, hash)| !kept(height) && *hash != Hash::ZERO) {
            return Err(borsh::io::Error::new(
                borsh::io::ErrorKind::InvalidData,
                "a frontier place outside the count's bits is not zero",
            ));
        }
        Ok(Self { count, frontier })
    }
}

impl LocalExitTree {
    /// Leaves so far; the index of the next one.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Appends a leaf and gives its index.
    ///
    /// # Errors
    /// [`ExitError::TreeFull`] at 2³² − 1 leaves: AggLayer's count is a `u32`.
    pub fn append(&mut self, leaf: Hash) -> Result<u32, ExitError> {
        let index = self.count;
        let next = index.checked_add(1).ok_or(ExitError::TreeFull)?;
        let mut hash = leaf;
        for (height, place) in self.frontier.iter_mut().enumerate() {
            if index >> height & 1 == 0 {
                *place = hash;
                break;
            }
            hash = node(place, &hash);
            *place = Hash::ZERO;
        }
        self.count = next;
        Ok(index)
    }

    /// The local exit root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut hash = Hash::ZERO;
        for (height, place) in self.frontier.iter().enumerate() {
            hash = if self.count >> height & 1 == 1 {
                node(place, &hash)
            } else {
                node(&hash, &empty(height))
            };
        }
        hash
    }
}

/// Root over `leaves` in order, filled with zeros to 2³²: what [`LocalExitTree`] holds after appending them.
#[must_use]
pub fn exit_root(leaves: &[Hash]) -> Hash {
    let mut level = leaves.to_vec();
    for height in 0..EXIT_TREE_DEPTH {
        level = level_up(level, height);
    }
    level.first().copied().unwrap_or_else(|| empty(EXIT_TREE_DEPTH))
}

fn level_up(mut level: Vec<Hash>, height: usize) -> Vec<Hash> {
    if level.len() % 2 == 1 {
        level.push(empty(height));
    }
    let (pairs, _) = level.as_chunks::<2>();
    let nodes: Vec<[u8; 64]> = pairs
        .iter()
        .map(|[left, right]| {
            let mut bytes = [0; 64];
            for (to, from) in bytes.iter_mut().zip(left.0.iter().chain(&right.0)) {
                *to = *from;
            }
            bytes
        })
        .collect();
    keccak256_all(&nodes)
}

/// Path of a leaf to a root: the siblings from the leaf up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ExitPath(pub [Hash; EXIT_TREE_DEPTH]);

impl ExitPath {
    /// Path of the leaf at `index` among `leaves`, or `None` past their end.
    #[must_use]
    pub fn of(leaves: &[Hash], index: u32) -> Option<Self> {
        let mut at = usize::try_from(index).ok()?;
        leaves.get(at)?;
        let mut level = leaves.to_vec();
        let mut siblings = [Hash::ZERO; EXIT_TREE_DEPTH];
        for (height, sibling) in siblings.iter_mut().enumerate() {
            *sibling = level.get(at ^ 1).copied().unwrap_or_else(|| empty(height));
            level = level_up(level, height);
            at /= 2;
        }
        Some(Self(siblings))
    }

    /// The root that follows from `leaf` standing at `index`.
    #[must_use]
    pub fn root_of(&self, leaf: Hash, index: u32) -> Hash {
        self.0.iter().enumerate().fold(leaf, |hash, (height, sibling)| {
            if index >> height & 1 == 1 { node(sibling, &hash) } else { node(&hash, sibling) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::hash::keccak256;

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|i| keccak256(&i.to_be_bytes())).collect()
    }

    #[test]
    fn empty_root_is_the_one_of_the_contracts() {
        let root = LocalExitTree::default().root();
        assert_eq!(
            root.to_string(),
            "27ae5ba08d7291c96c8cbddcc148bf48a6d68c7974b94356f53754ef6171d757"
        );
        assert_eq!(exit_root(&[]), root);
    }

    #[test]
    fn frontier_and_whole_tree_agree_and_every_path_leads_to_the_root() {
        let leaves = leaves(70);
        let mut tree = LocalExitTree::default();
        for (i, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.append(*leaf).unwrap() as usize, i);
            assert_eq!(tree.root(), exit_root(&leaves[..=i]));
            let bytes = borsh::to_vec(&tree).unwrap();
            assert_eq!(borsh::from_slice::<LocalExitTree>(&bytes).unwrap(), tree);
        }
        for index in 0..70 {
            let path = ExitPath::of(&leaves, index).unwrap();
            let leaf = leaves[index as usize];
            assert_eq!(path.root_of(leaf, index), tree.root());
            assert_ne!(path.root_of(leaf, index ^ 1), tree.root());
            assert_ne!(path.root_of(leaf, index | 1 << 31), tree.root());
            assert_ne!(path.root_of(keccak256(b"other"), index), tree.root());
        }
        assert_eq!(ExitPath::of(&leaves, 70), None);
    }

    #[test]
    fn a_full_tree_refuses_and_stays_as_it_was() {
        let mut tree = LocalExitTree { count: u32::MAX, frontier: [Hash([1; 32]); 32] };
        let before = tree.clone();
        assert_eq!(tree.append(Hash::ZERO), Err(ExitError::TreeFull));
        assert_eq!(tree, before);
    }

    #[test]
    fn a_second_encoding_of_one_tree_is_refused() {
        let tree = LocalExitTree { count: 1, frontier: [Hash([1; 32]); 32] };
        assert!(borsh::from_slice::<LocalExitTree>(&borsh::to_vec(&tree).unwrap()).is_err());
    }
}
