//! The rollups that are registered, and their quotas.

use rota_types::{Genesis, RollupId};
use std::collections::BTreeMap;

/// Registered rollups with their quota of bytes a slot; 0 for no quota of their own. The network's own two
/// rollups always belong to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollups {
    quotas: BTreeMap<RollupId, u64>,
}

impl Rollups {
    /// The rollups of genesis.
    #[must_use]
    pub fn from_genesis(genesis: &Genesis) -> Self {
        Self::new(genesis.rollups.iter().map(|rollup| (rollup.id, rollup.slot_bytes_max)))
    }

    /// From ids and quotas, as the executed state keeps them.
    #[must_use]
    pub fn new(quotas: impl IntoIterator<Item = (RollupId, u64)>) -> Self {
        Self { quotas: quotas.into_iter().collect() }
    }

    /// Whether transactions of this rollup may be ordered.
    #[must_use]
    pub fn contains(&self, rollup: RollupId) -> bool {
        rollup.is_executed() || self.quotas.contains_key(&rollup)
    }

    /// Most bytes of the rollup ordered in a slot, if it has a quota.
    #[must_use]
    pub fn quota(&self, rollup: RollupId) -> Option<u64> {
        self.quotas.get(&rollup).copied().filter(|quota| *quota > 0)
    }

    /// Registered ids, ascending, without the network's own.
    pub fn ids(&self) -> impl Iterator<Item = RollupId> + '_ {
        self.quotas.keys().copied()
    }
}
