//! Ids ordered in the validity window, for the doors: refuses duplicates and finds recent transactions.
//!
//! A second copy of what execution holds, because doors look up while a large slot is being executed. It decides
//! nothing: order is execution's matter.

use crate::limits::RECENT_SHARDS;
use rota_types::{Hash, Height, Slot};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError, RwLock};

/// First half of an id.
type Prefix = [u8; 16];

#[derive(Clone, Copy)]
struct Place {
    height: Height,
    index: u32,
}

struct Ordered {
    height: Height,
    slot: Slot,
    prefixes: Vec<Prefix>,
}

/// See the module's documentation.
pub(super) struct RecentIds {
    validity_slots: u64,
    shards: Vec<RwLock<HashMap<Prefix, Place>>>,
    slots: Mutex<VecDeque<Ordered>>,
}

fn prefix(id: &Hash) -> Prefix {
    id.0.first_chunk().copied().unwrap_or_default()
}

impl RecentIds {
    pub(super) fn new(validity_slots: u64) -> Self {
        let shards = (0..RECENT_SHARDS).map(|_| RwLock::default()).collect();
        Self { validity_slots, shards, slots: Mutex::default() }
    }

    fn shard(&self, prefix: &Prefix) -> Option<&RwLock<HashMap<Prefix, Place>>> {
        let [first, ..] = prefix;
        self.shards.get(usize::from(*first).checked_rem(self.shards.len())?)
    }

    /// Adds an executed slot and drops what left the window. `skipped` are ascending slot indices.
    pub(super) fn add(
        &self,
        height: Height,
        slot: Slot,
        prefixes: Vec<Prefix>,
        skipped: impl Iterator<Item = u32>,
    ) {
        let mut skipped = skipped.peekable();
        for (index, prefix) in (0u32..).zip(&prefixes) {
            if skipped.next_if_eq(&index).is_some() {
                continue;
            }
            if let Some(shard) = self.shard(prefix) {
                let mut map = shard.write().unwrap_or_else(PoisonError::into_inner);
                map.insert(*prefix, Place { height, index });
            }
        }
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.push_back(Ordered { height, slot, prefixes });
        let first = slot.minus(self.validity_slots);
        while slots.front().is_some_and(|old| old.slot < first) {
            if let Some(old) = slots.pop_front() {
                self.forget(&old);
            }
        }
    }

    fn forget(&self, old: &Ordered) {
        for prefix in &old.prefixes {
            if let Some(shard) = self.shard(prefix) {
                let mut map = shard.write().unwrap_or_else(PoisonError::into_inner);
                if map.get(prefix).is_some_and(|place| place.height == old.height) {
                    map.remove(prefix);
                }
            }
        }
    }

    /// Where an id was ordered, if that was in the window.
    pub(super) fn place(&self, id: &Hash) -> Option<(Height, u32)> {
        let prefix = prefix(id);
        let map = self.shard(&prefix)?.read().unwrap_or_else(PoisonError::into_inner);
        map.get(&prefix).map(|place| (place.height, place.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::keccak256;

    #[test]
    fn ids_are_found_until_they_leave_the_window_and_skipped_ones_never() {
        let recent = RecentIds::new(2);
        let ids: Vec<Hash> = (0u8..4).map(|i| keccak256(&[i])).collect();
        let prefixes = ids.iter().map(prefix).collect::<Vec<_>>();
        recent.add(Height(1), Slot(5), prefixes.clone(), [1].into_iter());
        assert_eq!(recent.place(&ids[2]), Some((Height(1), 2)));
        assert_eq!(recent.place(&ids[1]), None);
        recent.add(Height(2), Slot(7), vec![], [].into_iter());
        assert!(recent.place(&ids[2]).is_some());
        recent.add(Height(3), Slot(8), vec![], [].into_iter());
        assert_eq!(recent.place(&ids[2]), None);
    }
}
