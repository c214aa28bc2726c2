//! How every direction of every link is: whole or cut, and how slow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Name of whoever is no node of the run: the load's peer.
pub const OUTSIDE: &str = "outside";

/// From whom, to whom.
pub(super) type Direction = (String, String);

/// How bytes travel in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shape {
    /// How much later they come.
    pub delay: Duration,
    /// Up to how much later still, evenly drawn.
    pub jitter: Duration,
    /// Most bytes per second; 0 for as many as there are.
    pub bytes_per_second: u64,
    /// Share of segments that come a retransmission later.
    pub loss: f64,
}

#[derive(Debug, Default)]
struct Table {
    /// How often a direction is cut: two cuts take two mendings.
    cuts: BTreeMap<Direction, u32>,
    shapes: BTreeMap<Direction, Shape>,
    base: Shape,
    connections: u64,
}

/// Every link of a network. Clones share it.
#[derive(Clone, Debug)]
pub struct Links {
    table: Arc<Mutex<Table>>,
    changed: watch::Sender<u64>,
    seed: u64,
}

impl Links {
    /// All whole, and as `base` says.
    #[must_use]
    pub fn new(base: Shape, seed: u64) -> Self {
        let table = Arc::new(Mutex::new(Table { base, ..Table::default() }));
        Self { table, changed: watch::channel(0).0, seed }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shape of links about which nothing else was said.
    #[must_use]
    pub fn base(&self) -> Shape {
        self.table().base
    }

    /// A seed for the next connection: the same ones in the order of connecting.
    pub(super) fn next_seed(&self) -> u64 {
        let mut table = self.table();
        table.connections = table.connections.wrapping_add(1);
        self.seed ^ table.connections.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Nothing gets from one to the other any more.
    pub fn cut(&self, from: &str, to: &str) {
        let mut table = self.table();
        let count = table.cuts.entry((from.into(), to.into())).or_default();
        *count = count.saturating_add(1);
        drop(table);
        self.tell();
    }

    /// Takes one cut back; a direction that is whole stays so.
    pub fn mend(&self, from: &str, to: &str) {
        let key = (from.into(), to.into());
        let mut table = self.table();
        if let Some(count) = table.cuts.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                table.cuts.remove(&key);
            }
        }
        drop(table);
        self.tell();
    }

    /// All whole again, and as at the beginning.
    pub fn heal(&self) {
        let mut table = self.table();
        table.cuts.clear();
        table.shapes.clear();
        drop(table);
        self.tell();
    }

    /// Shapes one direction otherwise; `None` for as at the beginning.
    pub fn shape(&self, from: &str, to: &str, shape: Option<Shape>) {
        let key = (from.into(), to.into());
        let mut table = self.table();
        match shape {
            Some(shape) => table.shapes.insert(key, shape),
            None => table.shapes.remove(&key),
        };
    }

    /// How a direction is now.
    #[must_use]
    pub(super) fn of(&self, direction: &Direction) -> Shape {
        let table = self.table();
        table.shapes.get(direction).copied().unwrap_or(table.base)
    }

    fn is_cut(&self, direction: &Direction) -> bool {
        self.table().cuts.contains_key(direction)
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits until a direction is whole.
    pub(super) async fn open(&self, direction: &Direction) {
        let mut changes = self.changed.subscribe();
        while self.is_cut(direction) {
            // The sender lives as long as these links.
            changes.changed().await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cuts_take_two_mendings_and_a_heal_takes_all() {
        let links = Links::new(Shape::default(), 1);
        let way = ("a".to_owned(), "b".to_owned());
        links.cut("a", "b");
        links.cut("a", "b");
        links.mend("a", "b");
        assert!(links.is_cut(&way));
        assert!(!links.is_cut(&("b".to_owned(), "a".to_owned())));
        links.mend("a", "b");
        links.mend("a", "b");
        assert!(!links.is_cut(&way));
        links.cut("a", "b");
        links.shape("a", "b", Some(Shape { loss: 0.5, ..Shape::default() }));
        links.heal();
        assert!(!links.is_cut(&way));
        assert_eq!(links.of(&way), Shape::default());
    }
}
