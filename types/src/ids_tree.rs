//! The 16-ary Merkle tree over transaction ids: batch bodies and submissions.
//!
//! Leaves are the ids in order; a node is `keccak256(0x01 ‖ children)` of up to 16 children; the
//! root is `keccak256(tag ‖ chain ‖ count u32 LE ‖ top)`. The count is in the root, so the depth of
//! every leaf is fixed and no node can be shown as a leaf. Sixteen children keep a receipt's path short to
//! compute: one hash per 16 ids.

use crate::error::TypesError;
use crate::hash::{Hash, keccak256, keccak256_all};
use crate::limits::BATCH_TXS_MAX;
use crate::tags::Tag;
use borsh::{BorshDeserialize, BorshSerialize};

/// Children of a node.
pub const ARITY: usize = 16;
const NODE_BYTES_MAX: usize = 1 + 32 * ARITY;
/// Most levels above the leaves: 16⁴ ≥ [`BATCH_TXS_MAX`].
pub const DEPTH_MAX: usize = 4;
const _: () = assert!(ARITY.pow(4) >= BATCH_TXS_MAX);

/// Root over `ids` in order.
#[must_use]
pub fn root(chain_id: u64, ids: impl ExactSizeIterator<Item = Hash>) -> Hash {
    let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    finish(chain_id, count, top(ids.collect()))
}

fn finish(chain_id: u64, count: u32, top: Hash) -> Hash {
    Tag::IdsRoot.digest_parts(chain_id, &[&count.to_le_bytes(), &top.0])
}

/// What a node hashes.
fn preimage(children: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(NODE_BYTES_MAX);
    bytes.push(1);
    bytes
        .extend_from_slice(children.iter().map(|child| child.0).collect::<Vec<_>>().as_flattened());
    bytes
}

fn level_up(level: &[Hash]) -> Vec<Hash> {
    keccak256_all(&level.chunks(ARITY).map(preimage).collect::<Vec<_>>())
}

fn top(mut level: Vec<Hash>) -> Hash {
    while level.len() > 1 {
        level = level_up(&level);
    }
    level.first().copied().unwrap_or_default()
}

/// Path of one id: for each level the other children of its node, in order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct IdsPath {
    /// Position of the id in the list.
    pub index: u32,
    /// Number of ids in the list.
    pub count: u32,
    /// Other children level by level, from the leaves up.
    pub siblings: Vec<Vec<Hash>>,
}

impl IdsPath {
    /// Path of the id at `index`, or `None` past the end.
    #[must_use]
    pub fn of(ids: &[Hash], index: usize) -> Option<Self> {
        ids.get(index)?;
        let mut level = ids.to_vec();
        let mut at = index;
        let mut siblings = Vec::new();
        while level.len() > 1 {
            let chunk = level.chunks(ARITY).nth(at / ARITY)?;
            let others =
                chunk.iter().enumerate().filter(|(i, _)| *i != at % ARITY).map(|(_, h)| *h);
            siblings.push(others.collect());
            level = level_up(&level);
            at /= ARITY;
        }
        Some(Self {
            index: u32::try_from(index).ok()?,
            count: u32::try_from(ids.len()).ok()?,
            siblings,
        })
    }

    /// The root that follows from `id` standing at this path.
    ///
    /// # Errors
    /// [`TypesError::BadProof`] when the path's shape is not that of a list of `count` ids.
    pub fn root_of(&self, chain_id: u64, id: Hash) -> Result<Hash, TypesError> {
        let bad = |reason| TypesError::BadProof { reason };
        if self.index >= self.count || self.siblings.len() > DEPTH_MAX {
            return Err(bad("index or depth out of range"));
        }
        let mut width = usize::try_from(self.count).unwrap_or(usize::MAX);
        let mut at = usize::try_from(self.index).unwrap_or(usize::MAX);
        let mut hash = id;
        for others in &self.siblings {
            let first = at.saturating_sub(at % ARITY);
            let here = width.saturating_sub(first).min(ARITY);
            if width <= 1 || others.len().saturating_add(1) != here {
                return Err(bad("a level of the wrong width"));
            }
            let mut children = others.clone();
            children.insert(at % ARITY, hash);
            hash = keccak256(&preimage(&children));
            at /= ARITY;
            width = width.div_ceil(ARITY);
        }
        if width == 1 { Ok(finish(chain_id, self.count, hash)) } else { Err(bad("too few levels")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(n: u32) -> Vec<Hash> {
        (0..n).map(|i| keccak256(&i.to_le_bytes())).collect()
    }

    #[test]
    fn every_position_of_every_width_verifies_and_no_other() {
        for n in [1u32, 2, 15, 16, 17, 32, 255, 256, 257, 300] {
            let ids = ids(n);
            let root = root(7, ids.iter().copied());
            for i in 0..ids.len() {
                let path = IdsPath::of(&ids, i).unwrap();
                assert_eq!(path.root_of(7, ids[i]).unwrap(), root);
                assert_ne!(path.root_of(7, keccak256(b"no")).unwrap(), root);
                assert_ne!(path.root_of(8, ids[i]).unwrap(), root);
                let moved = IdsPath { index: path.index ^ 1, ..path };
                assert!(!moved.root_of(7, ids[i]).is_ok_and(|r| r == root));
            }
        }
    }

    #[test]
    fn an_inner_node_is_not_a_leaf_of_a_shorter_list() {
        let ids = ids(20);
        let root = root(7, ids.iter().copied());
        let inner = level_up(&ids);
        let fake = IdsPath { index: 0, count: 2, siblings: vec![vec![inner[1]]] };
        assert_ne!(fake.root_of(7, inner[0]).unwrap(), root);
        let fake = IdsPath { index: 0, count: 20, siblings: vec![vec![inner[1]]] };
        assert!(fake.root_of(7, inner[0]).is_err());
    }
}
