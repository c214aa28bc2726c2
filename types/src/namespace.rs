//! The namespace tree of a slot: one proof gives a rollup all of its transactions, or shows there were none.
//!
//! `txs_root` is a compact sparse Merkle tree ([`crate::smt`]) with key
//! `keccak256("rota/namespace/v1" ‖ rollup u64 BE)` and value `count u64 BE ‖ bytes u64 BE ‖ root`; `root`
//! is a binary Merkle tree over the rollup's transaction ids in order, shaped as in RFC 9162 (leaf
//! `keccak256(0x00 ‖ id)`, node `keccak256(0x01 ‖ left ‖ right)`, split at the largest power of two below the width).

use crate::error::TypesError;
use crate::hash::{Hash, keccak256, keccak256_all, keccak256_concat};
use crate::ids::RollupId;
use crate::smt::{SmtProof, SparseTree};
use crate::tags::Tag;
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// A rollup's share of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NamespaceEntry {
    /// Its transactions in the slot, at least 1.
    pub count: u64,
    /// Their encoded bytes.
    pub bytes: u64,
    /// Binary Merkle root over their ids.
    pub root: Hash,
}

impl NamespaceEntry {
    /// The tree's value: fixed width, big-endian.
    #[must_use]
    pub fn packed(&self) -> Vec<u8> {
        [&self.count.to_be_bytes()[..], &self.bytes.to_be_bytes(), &self.root.0].concat()
    }
}

/// Key of a rollup in the tree.
#[must_use]
pub fn key(rollup: RollupId) -> Hash {
    keccak256_concat(&[Tag::Namespace.text().as_bytes(), &rollup.0.to_be_bytes()])
}

/// Namespaces of one slot while it is executed and when it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    lists: BTreeMap<RollupId, (Vec<Hash>, u64)>,
}

impl Namespaces {
    /// Appends a transaction in slot order.
    pub fn push(&mut self, rollup: RollupId, id: Hash, bytes: u64) {
        let (ids, sum) = self.lists.entry(rollup).or_default();
        ids.push(id);
        *sum = sum.saturating_add(bytes);
    }

    /// Ids of a rollup in order; empty if it has none.
    #[must_use]
    pub fn ids(&self, rollup: RollupId) -> &[Hash] {
        self.lists.get(&rollup).map_or(&[], |(ids, _)| ids)
    }

    /// Rollups with transactions, ascending.
    pub fn rollups(&self) -> impl Iterator<Item = RollupId> + '_ {
        self.lists.keys().copied()
    }

    /// The entry of a rollup.
    #[must_use]
    pub fn entry(&self, rollup: RollupId) -> Option<NamespaceEntry> {
        self.lists.get(&rollup).map(|(ids, bytes)| NamespaceEntry {
            count: u64::try_from(ids.len()).unwrap_or(u64::MAX),
            bytes: *bytes,
            root: list_root(ids),
        })
    }

    /// The tree over all entries.
    #[must_use]
    pub fn tree(&self) -> SparseTree {
        let mut tree = SparseTree::new();
        for rollup in self.lists.keys() {
            if let Some(entry) = self.entry(*rollup) {
                tree.insert(key(*rollup), entry.packed());
            }
        }
        tree
    }
}

fn tagged(tag: u8, hash: &Hash) -> [u8; 33] {
    let mut bytes = [tag; 33];
    let [_, rest @ ..] = &mut bytes;
    *rest = hash.0;
    bytes
}

fn joined(left: &Hash, right: &Hash) -> [u8; 65] {
    let mut bytes = [1; 65];
    for (to, from) in bytes.iter_mut().skip(1).zip(left.0.iter().chain(&right.0)) {
        *to = *from;
    }
    bytes
}

fn leaf(id: &Hash) -> Hash {
    keccak256(&tagged(0, id))
}

fn node(left: &Hash, right: &Hash) -> Hash {
    keccak256(&joined(left, right))
}

/// Largest power of two strictly below `width` (≥ 2).
const fn split(width: u64) -> u64 {
    match width.saturating_sub(1).checked_ilog2() {
        Some(bits) => 1 << bits,
        None => 1,
    }
}

/// Root over ids; zero for none. Level by level, an odd last node going up as it is: the same tree as the split above.
#[must_use]
pub fn list_root(ids: &[Hash]) -> Hash {
    let leaves: Vec<[u8; 33]> = ids.iter().map(|id| tagged(0, id)).collect();
    let mut level = keccak256_all(&leaves);
    while level.len() > 1 {
        let (pairs, odd) = level.as_chunks::<2>();
        let nodes: Vec<[u8; 65]> = pairs.iter().map(|[left, right]| joined(left, right)).collect();
        let mut above = keccak256_all(&nodes);
        above.extend_from_slice(odd);
        level = above;
    }
    level.first().copied().unwrap_or_default()
}

/// Proof that ids stand at `start..start + n` of a list: roots of the subtrees outside, left to right.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RangeProof {
    /// First index.
    pub start: u64,
    /// Roots of the maximal subtrees outside the range, left to right.
    pub outside: Vec<Hash>,
}

impl RangeProof {
    /// Proof for `ids[start..start + count]`; `None` if that is empty or out of range.
    #[must_use]
    pub fn of(ids: &[Hash], start: usize, count: usize) -> Option<Self> {
        let end = start.checked_add(count)?;
        if count == 0 || end > ids.len() {
            return None;
        }
        let mut outside = Vec::new();
        collect(ids, 0, start, end, &mut outside);
        Some(Self { start: u64::try_from(start).ok()?, outside })
    }

    /// Verifies that exactly `ids` stand at this range of the list that `entry` commits to.
    ///
    /// # Errors
    /// [`TypesError::BadProof`].
    pub fn verify(&self, entry: &NamespaceEntry, ids: &[Hash]) -> Result<(), TypesError> {
        let bad = |reason| TypesError::BadProof { reason };
        let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let end = self.start.checked_add(count).ok_or(bad("range overflows"))?;
        if count == 0 || end > entry.count {
            return Err(bad("range is empty or out of the namespace"));
        }
        let mut fold =
            Fold { start: self.start, end, ids: ids.iter(), outside: self.outside.iter() };
        let root = fold.root(0, entry.count).ok_or(bad("too few subtree roots"))?;
        if fold.outside.next().is_some() || fold.ids.next().is_some() {
            return Err(bad("too many subtree roots"));
        }
        if root == entry.root { Ok(()) } else { Err(bad("path does not lead to the root")) }
    }
}

fn collect(ids: &[Hash], first: usize, start: usize, end: usize, out: &mut Vec<Hash>) {
    let last = first.saturating_add(ids.len());
    if last <= start || first >= end {
        out.push(list_root(ids));
    } else if ids.len() > 1 && !(first >= start && last <= end) {
        let width = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let at = usize::try_from(split(width)).unwrap_or(1);
        let (left, right) = ids.split_at_checked(at).unwrap_or((ids, &[]));
        collect(left, first, start, end, out);
        collect(right, first.saturating_add(at), start, end, out);
    }
}

struct Fold<'a> {
    start: u64,
    end: u64,
    ids: std::slice::Iter<'a, Hash>,
    outside: std::slice::Iter<'a, Hash>,
}

impl Fold<'_> {
    /// Root of the subtree of `width` leaves from `first`; recursion halves the width: at most 64 deep.
    fn root(&mut self, first: u64, width: u64) -> Option<Hash> {
        let last = first.checked_add(width)?;
        if last <= self.start || first >= self.end {
            return self.outside.next().copied();
        }
        if width == 1 {
            return self.ids.next().map(leaf);
        }
        let left_width = split(width);
        let left = self.root(first, left_width)?;
        let right = self.root(first.checked_add(left_width)?, width.checked_sub(left_width)?)?;
        Some(node(&left, &right))
    }
}

/// A rollup's entry under `txs_root`, or its absence.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NamespaceProof {
    /// The rollup.
    pub rollup: RollupId,
    /// Its entry; `None` proves that it has no transaction in the slot.
    pub entry: Option<NamespaceEntry>,
    /// Path in the sparse tree.
    pub path: SmtProof,
}

impl NamespaceProof {
    /// Proof for `rollup` from the slot's namespaces.
    #[must_use]
    pub fn of(namespaces: &Namespaces, rollup: RollupId) -> Self {
        let path = namespaces.tree().prove(&key(rollup));
        Self { rollup, entry: namespaces.entry(rollup), path }
    }

    /// Verifies entry or absence under `txs_root`.
    ///
    /// # Errors
    /// [`TypesError::BadProof`].
    pub fn verify(&self, txs_root: &Hash) -> Result<(), TypesError> {
        match &self.entry {
            Some(entry) if entry.count == 0 => {
                Err(TypesError::BadProof { reason: "an entry of no transactions" })
            }
            Some(entry) => self.path.verify_present(txs_root, &key(self.rollup), &entry.packed()),
            None => self.path.verify_absent(txs_root, &key(self.rollup)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::keccak256;

    fn ids(n: u32) -> Vec<Hash> {
        (0..n).map(|i| keccak256(&i.to_le_bytes())).collect()
    }

    #[test]
    fn every_range_of_every_width_verifies_and_no_shift_of_it() {
        for n in 1..=17u32 {
            let ids = ids(n);
            let entry = NamespaceEntry { count: n.into(), bytes: 1, root: list_root(&ids) };
            for start in 0..ids.len() {
                for end in start + 1..=ids.len() {
                    let proof = RangeProof::of(&ids, start, end - start).unwrap();
                    proof.verify(&entry, &ids[start..end]).unwrap();
                    let moved = RangeProof { start: proof.start + 1, ..proof.clone() };
                    assert!(moved.verify(&entry, &ids[start..end]).is_err());
                    if end - start > 1 {
                        assert!(proof.verify(&entry, &ids[start..end - 1]).is_err());
                    }
                }
            }
        }
    }

    #[test]
    fn a_huge_claimed_count_ends_at_once() {
        let entry = NamespaceEntry { count: u64::MAX, bytes: 1, root: Hash::ZERO };
        let proof = RangeProof { start: 5, outside: vec![] };
        assert!(proof.verify(&entry, &ids(1)).is_err());
    }

    #[test]
    fn presence_and_absence_follow_the_tree() {
        let mut namespaces = Namespaces::default();
        for (i, id) in ids(9).into_iter().enumerate() {
            namespaces.push(RollupId(10 + u64::try_from(i).unwrap() % 3), id, 100);
        }
        let root = namespaces.tree().root();
        for rollup in [10, 11, 12, 13] {
            let proof = NamespaceProof::of(&namespaces, RollupId(rollup));
            proof.verify(&root).unwrap();
            let lie = NamespaceProof {
                entry: match proof.entry {
                    Some(_) => None,
                    None => Some(NamespaceEntry { count: 1, bytes: 1, root: Hash::ZERO }),
                },
                ..proof
            };
            assert!(lie.verify(&root).is_err());
        }
    }
}
