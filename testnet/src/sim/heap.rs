//! What happens next: events by virtual time, equal times in the order in which they were set.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

struct Entry<E> {
    at_us: u64,
    number: u64,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_us, self.number).cmp(&(other.at_us, other.number))
    }
}

/// The heap and the clock of a run.
pub(super) struct Heap<E> {
    now_us: u64,
    next: u64,
    entries: BinaryHeap<Reverse<Entry<E>>>,
}

impl<E> Heap<E> {
    pub(super) const fn new() -> Self {
        Self { now_us: 0, next: 0, entries: BinaryHeap::new() }
    }

    /// Virtual time.
    pub(super) const fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Sets an event; one in the past happens now.
    pub(super) fn at(&mut self, at_us: u64, event: E) {
        let (at_us, number) = (at_us.max(self.now_us), self.next);
        self.next = number.saturating_add(1);
        self.entries.push(Reverse(Entry { at_us, number, event }));
    }

    pub(super) fn after(&mut self, delay_us: u64, event: E) {
        self.at(self.now_us.saturating_add(delay_us), event);
    }

    /// The next event not after `end_us`, whose time it then is; `None` moves the clock to the end.
    pub(super) fn next_until(&mut self, end_us: u64) -> Option<E> {
        if self.entries.peek().is_none_or(|Reverse(entry)| entry.at_us > end_us) {
            self.now_us = self.now_us.max(end_us);
            return None;
        }
        let Reverse(entry) = self.entries.pop()?;
        self.now_us = entry.at_us;
        Some(entry.event)
    }
}
