//! An open-addressing index from 16-byte prefixes to 32-bit numbers that holds neither: a bucket is a number and a
//! tag, and whoever looks up compares the prefix that the number stands for. Eight bytes a bucket: at the network's
//! aim a window is tens of millions of ids.
//!
//! Linear probing; a removal moves later entries back, so there are no tombstones. The tag is 32 bits of the prefix and
//! gives, with a salt of the node's own, the home bucket: growing and removing read no prefix, and nobody can choose
//! ids that crowd one bucket of everyone.

/// Fewest buckets.
const BUCKETS_MIN: usize = 1024;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    tag: u32,
    /// The number plus one; 0 is an empty bucket.
    number: u32,
}

/// Where a search ended.
pub(super) enum Found {
    /// The number of an equal prefix.
    Number(u32),
    /// Not there.
    Nothing,
}

/// The index.
#[derive(Clone, Debug)]
pub(super) struct Table {
    buckets: Vec<Bucket>,
    len: usize,
    /// Odd: multiplying by it is a universal hash.
    salt: u64,
}

/// 32 bits of a prefix.
pub(super) const fn tag(prefix: &[u8; 16]) -> u32 {
    let [a, b, c, d, ..] = *prefix;
    u32::from_le_bytes([a, b, c, d])
}

impl Table {
    pub(super) const fn new(salt: u64) -> Self {
        Self { buckets: Vec::new(), len: 0, salt: salt | 1 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    fn mask(&self) -> usize {
        self.buckets.len().saturating_sub(1)
    }

    /// Never inlined: in some release builds the compiler (rustc 1.95) gave an insertion another home than a search,
    /// and no repetition was found any more. The simulator plays release builds in CI for this reason.
    #[inline(never)]
    fn home(&self, tag: u32) -> usize {
        let mixed = u64::from(tag).wrapping_mul(self.salt) >> 32;
        usize::try_from(mixed).unwrap_or(0) & self.mask()
    }

    fn at(&self, index: usize) -> Bucket {
        self.buckets.get(index).copied().unwrap_or_default()
    }

    fn set(&mut self, index: usize, bucket: Bucket) {
        if let Some(place) = self.buckets.get_mut(index) {
            *place = bucket;
        }
    }

    fn next(&self, index: usize) -> usize {
        index.saturating_add(1) & self.mask()
    }

    /// Searches for the number of a prefix with this tag for which `same` holds.
    pub(super) fn find(&self, tag: u32, same: impl Fn(u32) -> bool) -> Found {
        let mut index = self.home(tag);
        loop {
            let Bucket { tag: found, number } = self.at(index);
            let Some(number) = number.checked_sub(1) else { return Found::Nothing };
            if found == tag && same(number) {
                return Found::Number(number);
            }
            index = self.next(index);
        }
    }

    /// Inserts a number that is not there; below 2³¹.
    pub(super) fn insert(&mut self, tag: u32, number: u32) {
        self.reserve(1);
        self.place(tag, number.saturating_add(1));
        self.len = self.len.saturating_add(1);
    }

    fn place(&mut self, tag: u32, number: u32) {
        let mut index = self.home(tag);
        while self.at(index).number != 0 {
            index = self.next(index);
        }
        self.set(index, Bucket { tag, number });
    }

    /// Makes room for `more`; at most three quarters of the buckets are used.
    pub(super) fn reserve(&mut self, more: usize) {
        let needed = self.len.saturating_add(more).saturating_mul(4).div_ceil(3).max(BUCKETS_MIN);
        if needed <= self.buckets.len() {
            return;
        }
        let grown = vec![Bucket::default(); needed.next_power_of_two()];
        for bucket in std::mem::replace(&mut self.buckets, grown) {
            if bucket.number != 0 {
                self.place(bucket.tag, bucket.number);
            }
        }
    }

    /// Removes a number, if it is there.
    pub(super) fn remove(&mut self, tag: u32, number: u32) {
        let wanted = Bucket { tag, number: number.saturating_add(1) };
        let mut hole = self.home(tag);
        loop {
            let bucket = self.at(hole);
            if bucket.number == 0 {
                return;
            }
            if bucket == wanted {
                break;
            }
            hole = self.next(hole);
        }
        self.len = self.len.saturating_sub(1);
        let mut index = hole;
        loop {
            index = self.next(index);
            let bucket = self.at(index);
            if bucket.number == 0 {
                break;
            }
            // An entry may move back to the hole unless its home lies between the two.
            let from_home = index.wrapping_sub(self.home(bucket.tag)) & self.mask();
            let from_hole = index.wrapping_sub(hole) & self.mask();
            if from_home >= from_hole {
                self.set(hole, bucket);
                hole = index;
            }
        }
        self.set(hole, Bucket::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn any_mix_of_inserts_and_removals_agrees_with_a_map() {
        let mut table = Table::new(0x1234_5678_9abc_def1);
        let mut model = BTreeMap::new();
        table.reserve(1);
        let mut state = 7u64;
        for step in 0..60_000u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = u32::try_from(state >> 40).unwrap() % 3_000;
            // Few tags: long runs of probing, many equal tags.
            let tag = key % 700 * 5;
            match model.remove(&key) {
                Some(number) => table.remove(tag, number),
                None => {
                    table.insert(tag, step);
                    model.insert(key, step);
                }
            }
            assert_eq!(table.len(), model.len());
        }
        for key in 0..3_000 {
            let expected = model.get(&key).copied();
            let found = match table.find(key % 700 * 5, |number| Some(number) == expected) {
                Found::Number(number) => Some(number),
                Found::Nothing => None,
            };
            assert_eq!(found, expected);
        }
    }
}
