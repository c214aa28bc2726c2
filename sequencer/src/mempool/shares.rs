//! Who holds how much of the pool: per rollup, and within it per source.

use rota_types::RollupId;
use std::collections::{BTreeMap, BTreeSet};

/// An amount of the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) bytes: u64,
    pub(crate) txs: u64,
}

impl Load {
    const fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            txs: self.txs.saturating_add(other.txs),
        }
    }

    const fn minus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            txs: self.txs.saturating_sub(other.txs),
        }
    }

    pub(crate) const fn within(self, limit: Self) -> bool {
        self.bytes <= limit.bytes && self.txs <= limit.txs
    }

    fn part(self, divisor: u64) -> Self {
        Self {
            bytes: self.bytes.checked_div(divisor).unwrap_or(0),
            txs: self.txs.checked_div(divisor).unwrap_or(0),
        }
    }
}

#[derive(Debug, Default)]
struct SourceShare {
    load: Load,
    arrivals: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct RollupShare {
    load: Load,
    sources: BTreeMap<u64, SourceShare>,
}

/// The shares.
#[derive(Debug)]
pub(crate) struct Shares {
    limit: Load,
    divisor: u64,
    total: Load,
    rollups: BTreeMap<RollupId, RollupShare>,
}

impl Shares {
    pub(crate) const fn new(limit: Load, divisor: u64) -> Self {
        Self { limit, divisor, total: Load { bytes: 0, txs: 0 }, rollups: BTreeMap::new() }
    }

    pub(crate) const fn total(&self) -> Load {
        self.total
    }

    /// Checks the shares of a rollup and of a source within it, each of which counts only while others wait.
    /// Gives the limit met and what it would be.
    pub(crate) fn check(
        &self,
        rollup: RollupId,
        source: u64,
        more: Load,
    ) -> Result<(), (u64, u64)> {
        let share = self.limit.part(self.divisor);
        let others = self.rollups.keys().any(|other| *other != rollup);
        let Some(held) = self.rollups.get(&rollup) else { return Ok(()) };
        let load = held.load.plus(more);
        if others && !load.within(share) {
            return Err((share.bytes, load.bytes));
        }
        let around = held.sources.keys().any(|other| *other != source);
        let mine = held.sources.get(&source).map_or(more, |held| held.load.plus(more));
        let share = if others { share } else { self.limit }.part(self.divisor);
        if around && !mine.within(share) {
            return Err((share.bytes, mine.bytes));
        }
        Ok(())
    }

    /// Whether the pool has room for `more`.
    pub(crate) const fn has_room(&self, more: Load) -> bool {
        self.total.plus(more).within(self.limit)
    }

    /// The arrival that makes way when the pool is full: the newest of the largest source of the largest
    /// rollup that is above its share, other than `rollup`; or of a source of the same rollup above its own.
    pub(crate) fn victim(&self, rollup: RollupId, source: u64) -> Option<u64> {
        let share = self.limit.part(self.divisor);
        let largest = self
            .rollups
            .iter()
            .filter(|(other, held)| **other != rollup && !held.load.within(share))
            .max_by_key(|(_, held)| held.load.bytes)
            .map(|(_, held)| held);
        let (held, own) = match largest {
            Some(held) => (held, None),
            None => (self.rollups.get(&rollup)?, Some(source)),
        };
        let part = share.part(self.divisor);
        held.sources
            .iter()
            .filter(|(key, held)| own != Some(**key) && (own.is_none() || !held.load.within(part)))
            .max_by_key(|(_, held)| held.load.bytes)
            .and_then(|(_, held)| held.arrivals.last().copied())
    }

    pub(crate) fn add(&mut self, rollup: RollupId, source: u64, arrival: u64, load: Load) {
        self.total = self.total.plus(load);
        let held = self.rollups.entry(rollup).or_default();
        held.load = held.load.plus(load);
        let share = held.sources.entry(source).or_default();
        share.load = share.load.plus(load);
        share.arrivals.insert(arrival);
    }

    pub(crate) fn remove(&mut self, rollup: RollupId, source: u64, arrival: u64, load: Load) {
        self.total = self.total.minus(load);
        let Some(held) = self.rollups.get_mut(&rollup) else { return };
        held.load = held.load.minus(load);
        if let Some(share) = held.sources.get_mut(&source) {
            share.load = share.load.minus(load);
            share.arrivals.remove(&arrival);
            if share.arrivals.is_empty() {
                held.sources.remove(&source);
            }
        }
        if held.sources.is_empty() {
            self.rollups.remove(&rollup);
        }
    }
}
