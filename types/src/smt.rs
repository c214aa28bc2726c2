//! The compact sparse Merkle tree: one root over any set of 32-byte keys, with proofs of presence and of absence.
//!
//! Owns the shape, the hashes and the proof rules of `keystore_root` and `txs_root`; it never decides what keys
//! and values mean. Rule: the state tree of `docs/protocol.md`.
//!
//! ```text
//! root of a set S of (key, value), looking at bit `d` of the keys (most significant bit of byte 0 is bit 0):
//!   S empty           0³²
//!   S = {(k, v)}      keccak256(0x00 ‖ k ‖ keccak256(v))                      the lone leaf, at whatever depth
//!   else              keccak256(0x01 ‖ root(S with bit d = 0) ‖ root(S with bit d = 1))   both at d + 1
//! ```
//!
//! So the root is a function of the set alone: no insertion order, no trace of what was deleted. A node of two
//! or more leaves may have one empty side; a lone leaf never has a parent with an empty side.
//!
//! Cloning is O(1) and gives a snapshot; writes copy one path. Node hashes are computed when the root or a
//! proof is asked for, once each.

use crate::error::TypesError;
use crate::hash::{Hash, keccak256, keccak256_concat};
use borsh::{BorshDeserialize, BorshSerialize, io};
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Most siblings of a proof: one per bit of a key. A longer one is refused before it is allocated.
pub const SMT_DEPTH_MAX: usize = 256;

/// Hash of a leaf: `keccak256(0x00 ‖ key ‖ value_hash)`, with `value_hash = keccak256(value)`.
#[must_use]
pub fn smt_leaf(key: &Hash, value_hash: &Hash) -> Hash {
    keccak256_concat(&[&[0], &key.0, &value_hash.0])
}

/// Hash of an inner node: `keccak256(0x01 ‖ left ‖ right)`.
#[must_use]
pub fn smt_node(left: &Hash, right: &Hash) -> Hash {
    keccak256_concat(&[&[1], &left.0, &right.0])
}

/// An empty side, or a shared subtree.
type Link = Option<Arc<Node>>;

enum Node {
    /// The only leaf of its subtree.
    Leaf { key: Hash, value: Vec<u8>, value_hash: Hash, hash: Hash },
    /// At least two leaves; at most one side is empty, and then the other is an inner node.
    Inner { left: Link, right: Link, hash: OnceLock<Hash> },
}

impl Node {
    fn leaf(key: Hash, value: Vec<u8>) -> Arc<Self> {
        let value_hash = keccak256(&value);
        Arc::new(Self::Leaf { key, value, value_hash, hash: smt_leaf(&key, &value_hash) })
    }

    fn inner(left: Link, right: Link) -> Arc<Self> {
        Arc::new(Self::Inner { left, right, hash: OnceLock::new() })
    }

    fn hash(&self) -> Hash {
        match self {
            Self::Leaf { hash, .. } => *hash,
            Self::Inner { left, right, hash } => {
                *hash.get_or_init(|| smt_node(&link_hash(left), &link_hash(right)))
            }
        }
    }
}

fn link_hash(link: &Link) -> Hash {
    link.as_ref().map_or(Hash::ZERO, |node| node.hash())
}

/// A persistent compact sparse Merkle tree from 32-byte keys to byte values.
#[derive(Clone, Default)]
pub struct SparseTree {
    root: Link,
    len: usize,
}

impl SparseTree {
    /// The empty tree; its root is [`Hash::ZERO`].
    #[must_use]
    pub const fn new() -> Self {
        Self { root: None, len: 0 }
    }

    /// Number of keys present.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no key is present.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The root; hashes only what changed since it was last asked for.
    #[must_use]
    pub fn root(&self) -> Hash {
        link_hash(&self.root)
    }

    /// The value at `key`.
    #[must_use]
    pub fn get(&self, key: &Hash) -> Option<&[u8]> {
        let mut link = &self.root;
        let mut depth = 0usize;
        loop {
            match link.as_deref()? {
                Node::Leaf { key: found, value, .. } => return (found == key).then_some(value),
                Node::Inner { left, right, .. } => {
                    link = if key.bit(depth) { right } else { left };
                    depth = depth.saturating_add(1);
                }
            }
        }
    }

    /// Sets the value at `key`, replacing what was there.
    pub fn insert(&mut self, key: Hash, value: Vec<u8>) {
        let (root, added) = inserted(self.root.take(), Node::leaf(key, value), &key, 0);
        self.root = Some(root);
        if added {
            self.len = self.len.saturating_add(1);
        }
    }

    /// Removes `key`; `false` if it was absent. The root is then as if the key had never been inserted.
    pub fn remove(&mut self, key: &Hash) -> bool {
        let Some(root) = removed(&self.root, key, 0) else {
            return false;
        };
        self.root = root;
        self.len = self.len.saturating_sub(1);
        true
    }

    /// All entries in ascending order of keys.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { stack: self.root.as_deref().into_iter().collect() }
    }

    /// The proof for `key`: of presence if it is present, else of absence.
    #[must_use]
    pub fn prove(&self, key: &Hash) -> SmtProof {
        let mut siblings = Vec::new();
        let mut link = &self.root;
        loop {
            match link.as_deref() {
                None => return SmtProof { siblings, foreign: None },
                Some(Node::Leaf { key: found, value_hash, .. }) => {
                    let foreign = (found != key).then_some((*found, *value_hash));
                    return SmtProof { siblings, foreign };
                }
                Some(Node::Inner { left, right, .. }) => {
                    let (next, sibling) =
                        if key.bit(siblings.len()) { (right, left) } else { (left, right) };
                    siblings.push(link_hash(sibling));
                    link = next;
                }
            }
        }
    }
}

impl fmt::Debug for SparseTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SparseTree").field("len", &self.len).field("root", &self.root()).finish()
    }
}

/// Two trees are equal if they hold the same entries; the root says so.
impl PartialEq for SparseTree {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.root() == other.root()
    }
}

impl Eq for SparseTree {}

impl FromIterator<(Hash, Vec<u8>)> for SparseTree {
    fn from_iter<I: IntoIterator<Item = (Hash, Vec<u8>)>>(entries: I) -> Self {
        let mut tree = Self::new();
        for (key, value) in entries {
            tree.insert(key, value);
        }
        tree
    }
}

impl<'a> IntoIterator for &'a SparseTree {
    type Item = (&'a Hash, &'a [u8]);
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The subtree at `depth` with `leaf` in it, and whether its key is new.
fn inserted(link: Link, leaf: Arc<Node>, key: &Hash, depth: usize) -> (Arc<Node>, bool) {
    let Some(node) = link else {
        return (leaf, true);
    };
    match &*node {
        Node::Leaf { key: found, .. } if found == key => (leaf, false),
        Node::Leaf { key: found, .. } => {
            let found = *found;
            (joined(node, &found, leaf, key, depth), true)
        }
        Node::Inner { left, right, .. } => {
            let below = depth.saturating_add(1);
            if key.bit(depth) {
                let (child, added) = inserted(right.clone(), leaf, key, below);
                (Node::inner(left.clone(), Some(child)), added)
            } else {
                let (child, added) = inserted(left.clone(), leaf, key, below);
                (Node::inner(Some(child), right.clone()), added)
            }
        }
    }
}

/// The smallest subtree at `depth` that holds two leaves of different keys.
fn joined(a: Arc<Node>, a_key: &Hash, b: Arc<Node>, b_key: &Hash, depth: usize) -> Arc<Node> {
    debug_assert!(a_key != b_key && depth < SMT_DEPTH_MAX, "equal keys are replaced, never joined");
    match (a_key.bit(depth), b_key.bit(depth)) {
        (false, true) => Node::inner(Some(a), Some(b)),
        (true, false) => Node::inner(Some(b), Some(a)),
        (bit, _) => {
            let child = Some(joined(a, a_key, b, b_key, depth.saturating_add(1)));
            if bit { Node::inner(None, child) } else { Node::inner(child, None) }
        }
    }
}

/// The subtree at `depth` without `key`; `None` if it does not hold the key.
fn removed(link: &Link, key: &Hash, depth: usize) -> Option<Link> {
    match link.as_deref()? {
        Node::Leaf { key: found, .. } => (found == key).then_some(None),
        Node::Inner { left, right, .. } => {
            let below = depth.saturating_add(1);
            let (left, right) = if key.bit(depth) {
                (left.clone(), removed(right, key, below)?)
            } else {
                (removed(left, key, below)?, right.clone())
            };
            Some(lifted(left, right))
        }
    }
}

/// The node over two sides, or the lone leaf itself.
fn lifted(left: Link, right: Link) -> Link {
    match (&left, &right) {
        (None, None) => None,
        (Some(node), None) if matches!(**node, Node::Leaf { .. }) => left,
        (None, Some(node)) if matches!(**node, Node::Leaf { .. }) => right,
        _ => Some(Node::inner(left, right)),
    }
}

/// Entries of a tree in ascending order of keys.
pub struct Iter<'a> {
    stack: Vec<&'a Node>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Hash, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.stack.pop()? {
                Node::Leaf { key, value, .. } => return Some((key, value)),
                Node::Inner { left, right, .. } => {
                    self.stack.extend(right.as_deref());
                    self.stack.extend(left.as_deref());
                }
            }
        }
    }
}

/// A proof that a key is present with a value, or that it is absent, under one root.
///
/// Verification for `key`, with `n = siblings.len()`, in this order; any failing rule refuses:
/// 1. `n ≤ 256` for presence, `n ≤ 255` for absence.
/// 2. If `n > 0`, the last sibling is not `0³²`: what stands alone under a node would have been lifted.
/// 3. The start hash. Presence: `foreign` is none; `smt_leaf(key, keccak256(value))`. Absence by an empty
///    place: `foreign` is none; `0³²`. Absence by another leaf: `foreign = (k, h)` with `k ≠ key` and the
///    first `n` bits of `k` and `key` equal; `smt_leaf(k, h)`.
/// 4. For `d` from `n − 1` down to `0`: the hash becomes `smt_node(siblings[d], hash)` if bit `d` of `key` is
///    1, else `smt_node(hash, siblings[d])`. The result equals the root.
///
/// Borsh: `u32` little-endian count, the siblings, one byte 0 or 1, and if 1 the foreign key and value hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize)]
pub struct SmtProof {
    /// Siblings from the root down: entry `d` stands beside the path at depth `d + 1`, chosen by bit `d`.
    pub siblings: Vec<Hash>,
    /// The other leaf that occupies the place of an absent key: its key and the hash of its value.
    pub foreign: Option<(Hash, Hash)>,
}

impl BorshDeserialize for SmtProof {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let count = u32::deserialize_reader(reader)?;
        let count =
            usize::try_from(count).ok().filter(|count| *count <= SMT_DEPTH_MAX).ok_or_else(
                || io::Error::new(io::ErrorKind::InvalidData, "a proof has at most 256 siblings"),
            )?;
        let siblings =
            (0..count).map(|_| Hash::deserialize_reader(reader)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { siblings, foreign: Option::deserialize_reader(reader)? })
    }
}

impl SmtProof {
    /// Verifies that `key` is present with exactly `value` under `root`.
    ///
    /// # Errors
    /// [`TypesError::BadProof`] with the rule of [`SmtProof`] that fails.
    pub fn verify_present(&self, root: &Hash, key: &Hash, value: &[u8]) -> Result<(), TypesError> {
        self.verify_present_hash(root, key, &keccak256(value))
    }

    /// [`Self::verify_present`] for a value known by its hash only.
    ///
    /// # Errors
    /// The same.
    pub fn verify_present_hash(
        &self,
        root: &Hash,
        key: &Hash,
        value_hash: &Hash,
    ) -> Result<(), TypesError> {
        self.check_depth(SMT_DEPTH_MAX)?;
        if self.foreign.is_some() {
            return Err(bad("a proof of presence names no other leaf"));
        }
        self.check_root(root, key, smt_leaf(key, value_hash))
    }

    /// Verifies that `key` is absent under `root`.
    ///
    /// # Errors
    /// [`TypesError::BadProof`] with the rule of [`SmtProof`] that fails.
    pub fn verify_absent(&self, root: &Hash, key: &Hash) -> Result<(), TypesError> {
        self.check_depth(SMT_DEPTH_MAX.saturating_sub(1))?;
        let start = match &self.foreign {
            None => Hash::ZERO,
            Some((other, value_hash)) => {
                if other == key {
                    return Err(bad("the other leaf is the key itself"));
                }
                if common_prefix_bits(other, key) < self.siblings.len() {
                    return Err(bad("the other leaf is not on the path of the key"));
                }
                smt_leaf(other, value_hash)
            }
        };
        self.check_root(root, key, start)
    }

    fn check_depth(&self, depth_max: usize) -> Result<(), TypesError> {
        if self.siblings.len() > depth_max {
            return Err(bad("more siblings than bits of a key"));
        }
        match self.siblings.last() {
            Some(&Hash::ZERO) => Err(bad("the deepest sibling is empty: the leaf was not lifted")),
            _ => Ok(()),
        }
    }

    fn check_root(&self, root: &Hash, key: &Hash, start: Hash) -> Result<(), TypesError> {
        let mut hash = start;
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            hash = if key.bit(depth) { smt_node(sibling, &hash) } else { smt_node(&hash, sibling) };
        }
        if hash == *root { Ok(()) } else { Err(bad("the path does not lead to the root")) }
    }
}

const fn bad(reason: &'static str) -> TypesError {
    TypesError::BadProof { reason }
}

/// Number of leading bits in which two keys agree; 256 for equal ones.
fn common_prefix_bits(a: &Hash, b: &Hash) -> usize {
    let mut bits = 0usize;
    for (x, y) in a.0.iter().zip(&b.0) {
        match x.cmp(y) {
            Ordering::Equal => bits = bits.saturating_add(8),
            _ => {
                let shared = usize::try_from((x ^ y).leading_zeros()).unwrap_or(0);
                return bits.saturating_add(shared);
            }
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(first: u8, last: u8) -> Hash {
        let mut key = Hash::ZERO;
        key.0[0] = first;
        key.0[31] = last;
        key
    }

    #[test]
    fn empty_tree_proves_absence_of_everything() {
        let tree = SparseTree::new();
        assert_eq!(tree.root(), Hash::ZERO);
        tree.prove(&key(1, 1)).verify_absent(&tree.root(), &key(1, 1)).unwrap();
    }

    #[test]
    fn keys_that_differ_in_the_last_bit_are_256_deep() {
        let mut tree = SparseTree::new();
        tree.insert(key(0, 0), b"a".to_vec());
        tree.insert(key(0, 1), b"b".to_vec());
        let proof = tree.prove(&key(0, 1));
        assert_eq!(proof.siblings.len(), SMT_DEPTH_MAX);
        proof.verify_present(&tree.root(), &key(0, 1), b"b").unwrap();
        assert!(tree.remove(&key(0, 0)));
        assert!(!tree.remove(&key(0, 0)));
        assert_eq!(tree.root(), smt_leaf(&key(0, 1), &keccak256(b"b")));
    }

    #[test]
    fn a_clone_is_a_snapshot() {
        let mut tree = SparseTree::new();
        tree.insert(key(1, 0), b"a".to_vec());
        let snapshot = tree.clone();
        tree.insert(key(2, 0), b"b".to_vec());
        assert_eq!((snapshot.len(), tree.len()), (1, 2));
        assert_eq!(snapshot.get(&key(2, 0)), None);
        assert_eq!(tree.get(&key(2, 0)), Some(&b"b"[..]));
    }

    #[test]
    fn common_prefix_counts_bits() {
        assert_eq!(common_prefix_bits(&key(0, 0), &key(0, 1)), 255);
        assert_eq!(common_prefix_bits(&key(0, 0), &key(0x80, 0)), 0);
        assert_eq!(common_prefix_bits(&key(3, 0), &key(3, 0)), 256);
    }
}
