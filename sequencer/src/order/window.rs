//! The replay window: 16-byte prefixes of the ids ordered in the slots that an unexpired transaction can repeat.
//!
//! It holds slot *numbers* s − V … s: a transaction ordered in slot t is valid until t + V at most, so past that
//! its own expiry refuses it. It answers recent look-ups too. Prefixes of 128 bits: finding two ids that share one
//! costs 2⁶⁴ hashes, and gains that one's own transaction is skipped.

use rota_types::{Hash, Height, Slot};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// First 16 bytes of a transaction id.
pub type IdPrefix = [u8; 16];

/// The prefix of an id.
#[must_use]
pub const fn prefix(id: &Hash) -> IdPrefix {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = id.0;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// Where a transaction was ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Height of the slot.
    pub height: Height,
    /// Slot index.
    pub index: u32,
}

/// A prefix as a key: it is a hash already, so its first eight bytes serve as the table's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key(IdPrefix);

impl std::hash::Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Passed(u64);

impl Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let word = bytes.first_chunk::<8>().map_or(0, |word| u64::from_le_bytes(*word));
        self.write_u64(word);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// A place in eight bytes: heights in the window are dense, so their low half tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    height_low: u32,
    index: u32,
}

fn low(height: Height) -> u32 {
    u32::try_from(height.0 & u64::from(u32::MAX)).unwrap_or(0)
}

#[derive(Clone, Debug)]
struct WindowSlot {
    height: Height,
    slot: Slot,
    ids: Vec<IdPrefix>,
}

/// Ids of the newest slots and where they were ordered.
#[derive(Clone, Debug, Default)]
pub struct ReplayWindow {
    validity_slots: u64,
    /// Only looked up, never iterated: its order decides nothing.
    table: HashMap<Key, Packed, BuildHasherDefault<Passed>>,
    slots: VecDeque<WindowSlot>,
}

impl ReplayWindow {
    /// An empty window of V = `validity_slots`.
    #[must_use]
    pub fn new(validity_slots: u64) -> Self {
        Self { validity_slots, ..Self::default() }
    }

    /// Number of ids held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no id is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The first height whose ids are held.
    #[must_use]
    pub fn first_height(&self) -> Option<Height> {
        self.slots.front().map(|slot| slot.height)
    }

    /// The newest height whose ids are held.
    #[must_use]
    pub fn last_height(&self) -> Option<Height> {
        self.slots.back().map(|slot| slot.height)
    }

    /// Where this id was ordered, if in the window.
    #[must_use]
    pub fn place_of(&self, id: &Hash) -> Option<Place> {
        self.table.get(&Key(prefix(id))).map(|packed| self.unpacked(*packed))
    }

    fn unpacked(&self, packed: Packed) -> Place {
        let first = self.first_height().unwrap_or_default();
        let ahead = packed.height_low.wrapping_sub(low(first));
        Place { height: first.plus(u64::from(ahead)), index: packed.index }
    }

    /// Drops the slots below `slot − V`: nothing that they ordered is still valid in `slot`.
    pub(crate) fn advance(&mut self, slot: Slot) {
        let first_kept = slot.minus(self.validity_slots);
        while self.slots.front().is_some_and(|front| front.slot < first_kept) {
            let Some(gone) = self.slots.pop_front() else { return };
            let height_low = low(gone.height);
            for id in gone.ids {
                let key = Key(id);
                if self.table.get(&key).is_some_and(|packed| packed.height_low == height_low) {
                    self.table.remove(&key);
                }
            }
        }
        if self.slots.is_empty() {
            self.table.clear();
        }
    }

    /// Remembers an id of the slot being ordered, or says where it was ordered before.
    /// The slot's ids are handed over by [`Self::close`].
    pub(crate) fn insert(&mut self, id: &Hash, place: Place) -> Option<Place> {
        let packed = Packed { height_low: low(place.height), index: place.index };
        match self.table.entry(Key(prefix(id))) {
            std::collections::hash_map::Entry::Occupied(entry) => {
                let earlier = *entry.get();
                if earlier.height_low == packed.height_low {
                    return Some(Place { height: place.height, index: earlier.index });
                }
                Some(self.unpacked(earlier))
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(packed);
                None
            }
        }
    }

    /// Makes room for `ids` more, so that a slot of half a million does not grow the table step by step.
    pub(crate) fn reserve(&mut self, ids: usize) {
        self.table.reserve(ids);
    }

    /// Forgets an id of the slot being ordered: it was skipped after all.
    pub(crate) fn revoke(&mut self, id: &Hash) {
        self.table.remove(&Key(prefix(id)));
    }

    /// Ends a slot: `ids` are all its ids in slot order, those skipped among them.
    pub(crate) fn close(&mut self, height: Height, slot: Slot, ids: Vec<IdPrefix>) {
        self.slots.push_back(WindowSlot { height, slot, ids });
    }

    /// Loads a slot that was ordered before, from its record; `skipped` ascending by slot index.
    pub(crate) fn load(
        &mut self,
        height: Height,
        slot: Slot,
        ids: Vec<IdPrefix>,
        skipped: impl IntoIterator<Item = u32>,
    ) {
        let mut skipped = skipped.into_iter().peekable();
        let height_low = low(height);
        self.table.reserve(ids.len());
        for (index, id) in (0u32..).zip(&ids) {
            if skipped.next_if_eq(&index).is_none() {
                self.table.insert(Key(*id), Packed { height_low, index });
            }
        }
        self.close(height, slot, ids);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::keccak256;

    fn id(n: u32) -> Hash {
        keccak256(&n.to_le_bytes())
    }

    fn order(window: &mut ReplayWindow, height: u64, slot: u64, ids: &[u32]) {
        window.advance(Slot(slot));
        for (index, n) in (0u32..).zip(ids) {
            window.insert(&id(*n), Place { height: Height(height), index });
        }
        let prefixes = ids.iter().map(|n| prefix(&id(*n))).collect();
        window.close(Height(height), Slot(slot), prefixes);
    }

    #[test]
    fn ids_are_held_for_exactly_v_slots_after_theirs() {
        let mut window = ReplayWindow::new(8);
        order(&mut window, 1, 10, &[1, 2]);
        order(&mut window, 2, 12, &[3]);
        order(&mut window, 3, 18, &[4]);
        assert_eq!(window.place_of(&id(2)), Some(Place { height: Height(1), index: 1 }));
        order(&mut window, 4, 19, &[5]);
        assert_eq!(window.place_of(&id(2)), None);
        assert_eq!(window.place_of(&id(3)), Some(Place { height: Height(2), index: 0 }));
        assert_eq!(window.len(), 3);
    }

    #[test]
    fn heights_past_32_bits_are_told_apart() {
        let base = u64::from(u32::MAX);
        let mut window = ReplayWindow::new(8);
        for step in 0..5u32 {
            order(&mut window, base + u64::from(step) - 1, 10 + u64::from(step), &[step]);
        }
        for step in 0..5u32 {
            let height = Height(base + u64::from(step) - 1);
            assert_eq!(window.place_of(&id(step)), Some(Place { height, index: 0 }));
        }
    }

    #[test]
    fn a_repeat_names_the_first_place_and_a_revoked_id_is_free() {
        let mut window = ReplayWindow::new(8);
        let first = Place { height: Height(1), index: 0 };
        assert_eq!(window.insert(&id(1), first), None);
        assert_eq!(window.insert(&id(1), Place { index: 1, ..first }), Some(first));
        window.revoke(&id(1));
        assert_eq!(window.insert(&id(1), first), None);
    }
}
