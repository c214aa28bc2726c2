//! Zero-initialised sparse Merkle trees of fixed depth: nullifiers (64) and balances (192).
//!
//! Another format than `rota_types::smt`: every leaf stands at full depth and an absent one is thirty-two zero
//! bytes, so a root follows from the set of non-zero leaves. A node is keccak256 of its children. A subtree
//! with one leaf is stored as that leaf alone and hashed on demand.

use super::exit_tree::node;
use super::leaf::{NetworkId, TokenInfo};
use rota_types::Hash;
use ruint::aliases::U256;
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

/// Deepest tree here.
const DEPTH_MAX: usize = 192;

/// Root of an empty subtree of each height.
static EMPTY: LazyLock<[Hash; DEPTH_MAX + 1]> = LazyLock::new(|| {
    let mut at = Hash::ZERO;
    std::array::from_fn(|_| {
        let here = at;
        at = node(&here, &here);
        here
    })
});

fn empty(height: usize) -> Hash {
    EMPTY.get(height).copied().unwrap_or_default()
}

/// A key: which way to go at each of `DEPTH` levels from the root; a set bit goes right.
pub trait SparseKey<const DEPTH: usize>: Copy + Eq {
    /// Bit of the level `depth`, 0 at the root.
    fn bit(&self, depth: usize) -> bool;
}

/// Bit `index` of a number from the least significant; `false` past its end.
fn bit_of(value: u32, index: usize) -> bool {
    u32::try_from(index).ok().and_then(|by| value.checked_shr(by)).is_some_and(|v| v & 1 == 1)
}

/// What a network received: the source's id, then the leaf index in its exit tree, least significant bits first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NullifierKey {
    /// Where the exit comes from.
    pub source: NetworkId,
    /// Its index in that network's local exit tree.
    pub leaf_index: u32,
}

impl SparseKey<64> for NullifierKey {
    fn bit(&self, depth: usize) -> bool {
        match depth.checked_sub(32) {
            None => bit_of(self.source.0, depth),
            Some(index) => bit_of(self.leaf_index, index),
        }
    }
}

/// Origin network, least significant bit first; then the address byte by byte, in each the same.
impl SparseKey<192> for TokenInfo {
    fn bit(&self, depth: usize) -> bool {
        match depth.checked_sub(32) {
            None => bit_of(self.origin_network.0, depth),
            Some(index) => {
                let byte = self.origin_address.0.get(index / 8).copied().unwrap_or_default();
                bit_of(u32::from(byte), index % 8)
            }
        }
    }
}

/// Leaf of a nullifier that is set.
#[must_use]
pub fn nullifier_leaf() -> Hash {
    Hash(U256::ONE.to_be_bytes())
}

/// Leaf of a balance, which is zero like an absent one when the balance is.
#[must_use]
pub fn balance_leaf(balance: U256) -> Hash {
    Hash(balance.to_be_bytes())
}

type Link<K> = Option<Arc<Node<K>>>;

enum Node<K> {
    /// The only leaf of its subtree.
    Leaf { key: K, leaf: Hash, hash: OnceLock<Hash> },
    /// At least two leaves below.
    Inner { left: Link<K>, right: Link<K>, hash: OnceLock<Hash> },
}

/// A sparse tree; cloning is O(1) and gives a snapshot.
#[derive(Clone)]
pub struct SparseTree<K, const DEPTH: usize> {
    root: Link<K>,
}

impl<K, const DEPTH: usize> Default for SparseTree<K, DEPTH> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<K: SparseKey<DEPTH>, const DEPTH: usize> SparseTree<K, DEPTH> {
    const FITS: () =
        assert!(DEPTH <= DEPTH_MAX, "a deeper tree needs a longer table of empty roots");

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let () = Self::FITS;
        hash_of(&self.root, 0)
    }

    /// The leaf at `key`; zero if absent.
    #[must_use]
    pub fn get(&self, key: &K) -> Hash {
        let mut link = &self.root;
        for depth in 0..=DEPTH {
            match link.as_deref() {
                None => return Hash::ZERO,
                Some(Node::Leaf { key: found, leaf, .. }) => {
                    return if found == key { *leaf } else { Hash::ZERO };
                }
                Some(Node::Inner { left, right, .. }) => {
                    link = if key.bit(depth) { right } else { left };
                }
            }
        }
        Hash::ZERO
    }

    /// Sets the leaf at `key`; zero removes it, as if it had never been there.
    pub fn set(&mut self, key: K, leaf: Hash) {
        self.root = if leaf == Hash::ZERO {
            removed(&self.root, &key, 0)
        } else {
            Some(inserted(self.root.as_ref(), key, leaf, 0))
        };
    }

    /// All leaves that are not zero, in the order of the tree.
    #[must_use]
    pub fn entries(&self) -> Vec<(K, Hash)> {
        let mut found = Vec::new();
        let mut stack: Vec<&Node<K>> = self.root.as_deref().into_iter().collect();
        while let Some(node) = stack.pop() {
            match node {
                Node::Leaf { key, leaf, .. } => found.push((*key, *leaf)),
                Node::Inner { left, right, .. } => {
                    stack.extend(right.as_deref());
                    stack.extend(left.as_deref());
                }
            }
        }
        found
    }

    /// The path of `key`, present or absent.
    #[must_use]
    pub fn path(&self, key: &K) -> SparsePath {
        let mut siblings = Vec::with_capacity(DEPTH);
        let mut link = self.root.clone();
        while siblings.len() < DEPTH {
            let depth = siblings.len();
            let (next, sibling) = match link.as_deref() {
                None => (None, None),
                Some(Node::Leaf { key: found, .. }) if found.bit(depth) == key.bit(depth) => {
                    (link.clone(), None)
                }
                Some(Node::Leaf { .. }) => (None, link.clone()),
                Some(Node::Inner { left, right, .. }) if key.bit(depth) => {
                    (right.clone(), left.clone())
                }
                Some(Node::Inner { left, right, .. }) => (left.clone(), right.clone()),
            };
            // A lone leaf's cached hash belongs to another height, so a sibling is hashed at its own.
            siblings.push(hash_at::<K, DEPTH>(&sibling, depth.saturating_add(1)));
            link = next;
        }
        siblings.reverse();
        SparsePath(siblings)
    }
}

impl<K: SparseKey<DEPTH>, const DEPTH: usize> PartialEq for SparseTree<K, DEPTH> {
    fn eq(&self, other: &Self) -> bool {
        self.root() == other.root()
    }
}

impl<K: SparseKey<DEPTH>, const DEPTH: usize> Eq for SparseTree<K, DEPTH> {}

impl<K: SparseKey<DEPTH>, const DEPTH: usize> fmt::Debug for SparseTree<K, DEPTH> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SparseTree").field("root", &self.root()).finish()
    }
}

/// Hash of a subtree whose top stands at `depth`, remembered in its node.
fn hash_of<K: SparseKey<DEPTH>, const DEPTH: usize>(link: &Link<K>, depth: usize) -> Hash {
    match link.as_deref() {
        None => empty(DEPTH.saturating_sub(depth)),
        Some(Node::Leaf { hash, .. } | Node::Inner { hash, .. }) => {
            *hash.get_or_init(|| hash_at::<K, DEPTH>(link, depth))
        }
    }
}

/// The same, computed at its top.
fn hash_at<K: SparseKey<DEPTH>, const DEPTH: usize>(link: &Link<K>, depth: usize) -> Hash {
    match link.as_deref() {
        None => empty(DEPTH.saturating_sub(depth)),
        Some(Node::Leaf { key, leaf, .. }) => (depth..DEPTH).rev().fold(*leaf, |hash, level| {
            let sibling = empty(DEPTH.saturating_sub(level).saturating_sub(1));
            if key.bit(level) { node(&sibling, &hash) } else { node(&hash, &sibling) }
        }),
        Some(Node::Inner { left, right, .. }) => {
            let below = depth.saturating_add(1);
            node(&hash_of(left, below), &hash_of(right, below))
        }
    }
}

fn lone<K>(key: K, leaf: Hash) -> Arc<Node<K>> {
    Arc::new(Node::Leaf { key, leaf, hash: OnceLock::new() })
}

fn inner<K>(left: Link<K>, right: Link<K>) -> Arc<Node<K>> {
    Arc::new(Node::Inner { left, right, hash: OnceLock::new() })
}

fn inserted<K: SparseKey<DEPTH>, const DEPTH: usize>(
    link: Option<&Arc<Node<K>>>,
    key: K,
    leaf: Hash,
    depth: usize,
) -> Arc<Node<K>> {
    let below = depth.saturating_add(1);
    match link.map(AsRef::as_ref) {
        None => lone(key, leaf),
        Some(Node::Leaf { key: found, .. }) if *found == key => lone(key, leaf),
        Some(Node::Leaf { key: found, leaf: other, .. }) => {
            // The old leaf moves down a level, so it is made anew without its remembered hash.
            let old = lone(*found, *other);
            match (found.bit(depth), key.bit(depth)) {
                (false, true) => inner(Some(old), Some(lone(key, leaf))),
                (true, false) => inner(Some(lone(key, leaf)), Some(old)),
                (false, false) => inner(Some(inserted(Some(&old), key, leaf, below)), None),
                (true, true) => inner(None, Some(inserted(Some(&old), key, leaf, below))),
            }
        }
        Some(Node::Inner { left, right, .. }) if key.bit(depth) => {
            inner(left.clone(), Some(inserted(right.as_ref(), key, leaf, below)))
        }
        Some(Node::Inner { left, right, .. }) => {
            inner(Some(inserted(left.as_ref(), key, leaf, below)), right.clone())
        }
    }
}

fn removed<K: SparseKey<DEPTH>, const DEPTH: usize>(
    link: &Link<K>,
    key: &K,
    depth: usize,
) -> Link<K> {
    match link.as_deref() {
        None => None,
        Some(Node::Leaf { key: found, .. }) => (found != key).then(|| link.clone()).flatten(),
        Some(Node::Inner { left, right, .. }) => {
            let below = depth.saturating_add(1);
            let (left, right) = if key.bit(depth) {
                (left.clone(), removed(right, key, below))
            } else {
                (removed(left, key, below), right.clone())
            };
            match (left.as_deref(), right.as_deref()) {
                (None, None) => None,
                (Some(Node::Leaf { key, leaf, .. }), None)
                | (None, Some(Node::Leaf { key, leaf, .. })) => Some(lone(*key, *leaf)),
                _ => Some(inner(left, right)),
            }
        }
    }
}

/// Path of a key: the siblings from the leaf up, exactly `DEPTH` of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparsePath(Vec<Hash>);

impl SparsePath {
    /// A path of these siblings, from the leaf up.
    #[must_use]
    pub const fn new(siblings: Vec<Hash>) -> Self {
        Self(siblings)
    }

    /// The siblings, from the leaf up.
    #[must_use]
    pub fn siblings(&self) -> &[Hash] {
        &self.0
    }

    /// The root that follows from `leaf` standing at `key`; `None` if the number of siblings is not `DEPTH`.
    #[must_use]
    pub fn root_of<K: SparseKey<DEPTH>, const DEPTH: usize>(
        &self,
        key: &K,
        leaf: Hash,
    ) -> Option<Hash> {
        (self.0.len() == DEPTH).then(|| {
            self.0.iter().zip((0..DEPTH).rev()).fold(leaf, |hash, (sibling, depth)| {
                if key.bit(depth) { node(sibling, &hash) } else { node(&hash, sibling) }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exits::Address;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn token(network: u32, byte: u8) -> TokenInfo {
        TokenInfo { origin_network: NetworkId(network), origin_address: Address([byte; 20]) }
    }

    /// The root by definition: split the entries by the bit of each level.
    fn plain_root<K: SparseKey<D>, const D: usize>(entries: &[(K, Hash)], depth: usize) -> Hash {
        if entries.is_empty() {
            return empty(D - depth);
        }
        if depth == D {
            return entries[0].1;
        }
        let (right, left): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| key.bit(depth));
        node(&plain_root::<K, D>(&left, depth + 1), &plain_root::<K, D>(&right, depth + 1))
    }

    #[test]
    fn empty_roots_are_those_of_agglayer() {
        assert_eq!(
            SparseTree::<NullifierKey, 64>::default().root().to_string(),
            "e2c3ed4052eeb1d60514b4c38ece8d73a27f37fa5b36dcbf338e70de95798caa"
        );
        assert_eq!(
            SparseTree::<TokenInfo, 192>::default().root().to_string(),
            "b89931f7384aeddb5c136a679d54464007e2d828d4741bec626ff92aeb4b12d4"
        );
    }

    #[test]
    fn a_path_of_another_length_proves_nothing() {
        let mut tree = SparseTree::<TokenInfo, 192>::default();
        tree.set(token(3, 1), balance_leaf(U256::from(5)));
        let path = tree.path(&token(3, 1));
        let leaf = balance_leaf(U256::from(5));
        assert_eq!(path.root_of::<_, 192>(&token(3, 1), leaf), Some(tree.root()));
        let short = SparsePath(path.siblings()[..191].to_vec());
        assert_eq!(short.root_of::<_, 192>(&token(3, 1), leaf), None);
    }

    proptest! {
        #[test]
        fn root_follows_from_the_set_of_leaves_alone(
            steps in proptest::collection::vec((0u32..4, 0u32..16, 0u8..3), 1..60)
        ) {
            let mut tree = SparseTree::<NullifierKey, 64>::default();
            let mut model = BTreeMap::new();
            for (source, leaf_index, value) in steps {
                let key = NullifierKey { source: NetworkId(source), leaf_index: leaf_index << 27 };
                let leaf = balance_leaf(U256::from(value));
                tree.set(key, leaf);
                if value == 0 { model.remove(&key); } else { model.insert(key, leaf); }
                prop_assert_eq!(tree.get(&key), leaf);
                let path = tree.path(&key);
                prop_assert_eq!(path.root_of::<_, 64>(&key, leaf), Some(tree.root()));
            }
            let entries: Vec<_> = model.into_iter().collect();
            prop_assert_eq!(tree.root(), plain_root::<_, 64>(&entries, 0));
            let mut listed = tree.entries();
            listed.sort_unstable();
            prop_assert_eq!(listed, entries);
        }
    }
}
