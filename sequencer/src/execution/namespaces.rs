//! A slot's namespaces with their tree, hashed once: every proof about the slot is cut from it.

use rota_types::namespace::{NamespaceEntry, NamespaceProof, Namespaces, key};
use rota_types::smt::SparseTree;
use rota_types::{Hash, RollupId};

/// Ids of a slot by rollup, and the tree over them.
#[derive(Clone, Debug, Default)]
pub struct SlotNamespaces {
    lists: Namespaces,
    tree: SparseTree,
}

impl SlotNamespaces {
    /// Hashes the lists: two hashes a transaction.
    #[must_use]
    pub fn new(lists: Namespaces) -> Self {
        let tree = lists.tree();
        Self { lists, tree }
    }

    /// `txs_root`.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Ids of a rollup in order; empty if it has none.
    #[must_use]
    pub fn ids(&self, rollup: RollupId) -> &[Hash] {
        self.lists.ids(rollup)
    }

    /// Rollups with transactions, ascending.
    pub fn rollups(&self) -> impl Iterator<Item = RollupId> + '_ {
        self.lists.rollups()
    }

    /// The entry of a rollup; no hashing.
    #[must_use]
    pub fn entry(&self, rollup: RollupId) -> Option<NamespaceEntry> {
        let packed = self.tree.get(&key(rollup))?;
        let (count, rest) = packed.split_first_chunk::<8>()?;
        let (bytes, root) = rest.split_first_chunk::<8>()?;
        Some(NamespaceEntry {
            count: u64::from_be_bytes(*count),
            bytes: u64::from_be_bytes(*bytes),
            root: Hash(*root.first_chunk::<32>()?),
        })
    }

    /// Proof of a rollup's entry, or of its absence.
    #[must_use]
    pub fn proof(&self, rollup: RollupId) -> NamespaceProof {
        let path = self.tree.prove(&key(rollup));
        NamespaceProof { rollup, entry: self.entry(rollup), path }
    }
}
