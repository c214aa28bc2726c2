//! The replay window: 16-byte prefixes of the ids ordered in the slots that an unexpired transaction can repeat.
//!
//! It holds slot *numbers* s − V … s: a transaction ordered in slot t is valid until t + V at most, so past that
//! its own expiry refuses it. It answers recent look-ups too. Prefixes of 128 bits: finding two ids that share one
//! costs 2⁶⁴ hashes, and gains that one's own transaction is skipped.

use super::table::{Found, Table, tag};
use rota_types::{Hash, Height, Slot};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

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

#[derive(Clone, Debug)]
struct WindowSlot {
    height: Height,
    slot: Slot,
    /// Number of the first id; numbers run on from slot to slot and wrap around.
    start: u32,
    ids: Vec<IdPrefix>,
}

/// Ids of the newest slots and where they were ordered.
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    validity_slots: u64,
    table: Table,
    /// The last one is open while its slot is being ordered.
    slots: VecDeque<WindowSlot>,
}

impl ReplayWindow {
    /// An empty window of V = `validity_slots`. The salt is the node's own secret; it changes no answer.
    #[must_use]
    pub const fn new(validity_slots: u64, salt: u64) -> Self {
        Self { validity_slots, table: Table::new(salt), slots: VecDeque::new() }
    }

    /// Number of ids held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no id is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
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
        let wanted = prefix(id);
        let same = |number| self.at(number).is_some_and(|(_, found)| found == wanted);
        match self.table.find(tag(&wanted), same) {
            Found::Number(number) => self.at(number).map(|(place, _)| place),
            Found::Nothing => None,
        }
    }

    /// The place and the prefix that a number stands for.
    fn at(&self, number: u32) -> Option<(Place, IdPrefix)> {
        let first = self.slots.front()?.start;
        let ahead = distance(first, number);
        let after = self.slots.partition_point(|slot| distance(first, slot.start) <= ahead);
        // Slots without transactions share their start with the next: the last one of those has the id.
        let slot = self.slots.get(after.checked_sub(1)?)?;
        let index = distance(slot.start, number);
        let id = slot.ids.get(usize::try_from(index).ok()?)?;
        Some((Place { height: slot.height, index }, *id))
    }

    /// Opens a slot for ordering, and drops those below `slot − V`: nothing that they ordered is still valid.
    pub(crate) fn open(&mut self, height: Height, slot: Slot) {
        let first_kept = slot.minus(self.validity_slots);
        while self.slots.front().is_some_and(|front| front.slot < first_kept) {
            let Some(gone) = self.slots.pop_front() else { break };
            let mut number = gone.start;
            for id in gone.ids {
                self.table.remove(tag(&id), number);
                number = moved(number, 1);
            }
        }
        let start = self.slots.back().map_or(0, |last| {
            let ids = u32::try_from(last.ids.len()).unwrap_or(u32::MAX);
            moved(last.start, ids)
        });
        self.slots.push_back(WindowSlot { height, slot, start, ids: Vec::new() });
    }

    /// Takes the next id of the open slot, which is skipped: it holds its place and nothing else.
    pub(crate) fn skip(&mut self, id: &Hash) {
        if let Some(slot) = self.slots.back_mut() {
            slot.ids.push(prefix(id));
        }
    }

    /// Takes the next id of the open slot, or says where it was ordered before; then the caller skips it.
    pub(crate) fn order(&mut self, id: &Hash) -> Option<Place> {
        let earlier = self.place_of(id);
        if earlier.is_none() {
            self.push(prefix(id));
        }
        earlier
    }

    fn push(&mut self, id: IdPrefix) {
        if let Some(slot) = self.slots.back_mut() {
            let index = u32::try_from(slot.ids.len()).unwrap_or(u32::MAX);
            slot.ids.push(id);
            self.table.insert(tag(&id), moved(slot.start, index));
        }
    }

    /// Makes room for `ids` more, so that a slot of half a million does not grow the table step by step.
    pub(crate) fn reserve(&mut self, ids: usize) {
        self.table.reserve(ids);
        if let Some(slot) = self.slots.back_mut() {
            slot.ids.reserve(ids);
        }
    }

    /// Forgets the id at this index of the open slot: it was skipped after all.
    pub(crate) fn revoke(&mut self, index: u32) {
        if let Some(slot) = self.slots.back()
            && let Some(id) = usize::try_from(index).ok().and_then(|at| slot.ids.get(at))
        {
            self.table.remove(tag(id), moved(slot.start, index));
        }
    }

    /// All ids of the open slot, in slot order.
    pub(crate) fn open_ids(&self) -> &[IdPrefix] {
        self.slots.back().map_or(&[], |slot| &slot.ids)
    }

    /// Loads a slot that was ordered before, from its record; `skipped` ascending by slot index.
    pub(crate) fn load(
        &mut self,
        height: Height,
        slot: Slot,
        ids: &[IdPrefix],
        skipped: impl IntoIterator<Item = u32>,
    ) {
        let mut skipped = skipped.into_iter().peekable();
        self.open(height, slot);
        self.reserve(ids.len());
        for (index, id) in (0u32..).zip(ids) {
            if skipped.next_if_eq(&index).is_none() {
                self.push(*id);
            } else if let Some(slot) = self.slots.back_mut() {
                slot.ids.push(*id);
            }
        }
    }
}

/// Numbers run through 31 bits: more ids than a window can hold, and a bucket has room for one more.
const NUMBER_MASK: u32 = (1 << 31) - 1;

const fn moved(number: u32, by: u32) -> u32 {
    number.wrapping_add(by) & NUMBER_MASK
}

const fn distance(from: u32, to: u32) -> u32 {
    to.wrapping_sub(from) & NUMBER_MASK
}

/// Look-ups from other threads while slots are being ordered. An answer may be of a slot whose execution is not over.
#[derive(Clone, Debug)]
pub struct WindowReader(Arc<RwLock<ReplayWindow>>);

impl WindowReader {
    pub(crate) fn new(window: ReplayWindow) -> Self {
        Self(Arc::new(RwLock::new(window)))
    }

    /// Where this id was ordered, if in the window.
    #[must_use]
    pub fn place_of(&self, id: &Hash) -> Option<Place> {
        self.read(|window| window.place_of(id))
    }

    /// The first height whose ids are held.
    #[must_use]
    pub fn first_height(&self) -> Option<Height> {
        self.read(ReplayWindow::first_height)
    }

    /// The newest height whose ids are held.
    #[must_use]
    pub fn last_height(&self) -> Option<Height> {
        self.read(ReplayWindow::last_height)
    }

    /// Several answers from one state.
    pub fn read<T>(&self, look: impl FnOnce(&ReplayWindow) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the window; held for a batch at a time, so that look-ups wait for microseconds.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut ReplayWindow) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// A window of its own with the same ids.
    pub(crate) fn detached(&self) -> Self {
        Self::new(self.read(Clone::clone))
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
        window.open(Height(height), Slot(slot));
        for n in ids {
            if window.order(&id(*n)).is_some() {
                window.skip(&id(*n));
            }
        }
    }

    fn place(height: u64, index: u32) -> Option<Place> {
        Some(Place { height: Height(height), index })
    }

    #[test]
    fn ids_are_held_for_exactly_v_slots_after_theirs() {
        let mut window = ReplayWindow::new(8, 1);
        order(&mut window, 1, 10, &[1, 2]);
        order(&mut window, 2, 12, &[3]);
        order(&mut window, 3, 13, &[]);
        order(&mut window, 4, 18, &[2, 4]);
        assert_eq!(window.place_of(&id(2)), place(1, 1));
        assert_eq!(window.place_of(&id(4)), place(4, 1));
        order(&mut window, 5, 19, &[5, 2]);
        assert_eq!(window.place_of(&id(1)), None);
        assert_eq!(window.place_of(&id(2)), place(5, 1), "ordered again after its window");
        assert_eq!(window.place_of(&id(3)), place(2, 0));
        assert_eq!((window.len(), window.first_height()), (4, Some(Height(2))));
        order(&mut window, 6, 100, &[]);
        assert!(window.is_empty());
    }

    #[test]
    fn numbers_that_wrap_around_keep_their_places() {
        let mut window = ReplayWindow::new(4, 7);
        window.open(Height(1), Slot(1));
        if let Some(slot) = window.slots.back_mut() {
            slot.start = NUMBER_MASK - 2;
        }
        for n in 0..2 {
            assert_eq!(window.order(&id(n)), None);
        }
        order(&mut window, 2, 2, &[2, 3, 4]);
        order(&mut window, 3, 3, &[5]);
        for (n, expected) in [(0, (1, 0)), (1, (1, 1)), (2, (2, 0)), (4, (2, 2)), (5, (3, 0))] {
            assert_eq!(window.place_of(&id(n)), place(expected.0, expected.1));
        }
        order(&mut window, 4, 7, &[]);
        assert_eq!((window.len(), window.place_of(&id(5))), (1, place(3, 0)));
    }

    #[test]
    fn a_repeat_names_the_first_place_and_a_revoked_id_is_free() {
        let mut window = ReplayWindow::new(8, 1);
        order(&mut window, 1, 1, &[1, 1]);
        assert_eq!((window.place_of(&id(1)), window.len()), (place(1, 0), 1));
        window.revoke(0);
        assert_eq!(window.place_of(&id(1)), None);
        order(&mut window, 2, 2, &[1]);
        assert_eq!(window.place_of(&id(1)), place(2, 0));
    }

    #[test]
    fn a_loaded_window_is_the_one_that_ordered() {
        let mut window = ReplayWindow::new(8, 1);
        let mut loaded = ReplayWindow::new(8, 99);
        for (height, ids) in [(1, vec![1, 2, 1]), (2, vec![]), (3, vec![2, 3])] {
            order(&mut window, height, height, &ids);
            let skipped: Vec<u32> = if height == 1 { vec![2] } else { vec![0] };
            let open = window.open_ids().to_vec();
            loaded.load(Height(height), Slot(height), &open, skipped);
        }
        assert_eq!(loaded.len(), window.len());
        for n in 0..5 {
            assert_eq!(loaded.place_of(&id(n)), window.place_of(&id(n)));
        }
    }
}
