//! Looks at how far nodes are while a run goes on, and measures recoveries by it.

use super::report::Recovery;
use crate::client::Status;
use crate::load::Door;
use std::collections::BTreeMap;
use std::fmt;

/// Newest heights of the nodes that answered.
#[derive(Clone, Debug, Default)]
pub struct Heads {
    /// Executed height by node.
    pub executed: BTreeMap<String, u64>,
    /// Highest slot by any node's clock.
    pub slot: u64,
}

impl Heads {
    /// Whether `nodes` answered and are at most one height apart: between two slots' ends they cannot be asked at once.
    #[must_use]
    pub fn all_equal(&self, nodes: usize) -> bool {
        let (low, high) = (self.executed.values().min(), self.executed.values().max());
        self.executed.len() == nodes
            && low.zip(high).is_some_and(|(low, high)| high.saturating_sub(*low) <= 1)
    }

    /// Highest executed height of nodes other than `name`.
    fn best_but(&self, name: &str) -> u64 {
        let others = self.executed.iter().filter(|(node, _)| *node != name);
        others.map(|(_, height)| *height).max().unwrap_or(0)
    }
}

impl fmt::Display for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (node, height) in &self.executed {
            write!(f, "{node} {height}  ")?;
        }
        Ok(())
    }
}

/// A node that was hurt and let go on.
#[derive(Clone, Debug)]
struct Open {
    node: String,
    what: String,
    from_slot: u64,
    /// Height above which the network has decided something after the release.
    above: u64,
}

/// Asks all nodes how far they are.
pub struct Watcher {
    doors: Vec<Door>,
    /// Highest slot and height that anyone answered so far: at times nobody does.
    slot: u64,
    height: u64,
    open: Vec<Open>,
    done: Vec<Recovery>,
    guard_evidence: BTreeMap<String, Vec<String>>,
}

impl Watcher {
    /// For these doors.
    #[must_use]
    pub fn new(doors: Vec<Door>) -> Self {
        Self {
            doors,
            slot: 0,
            height: 0,
            open: Vec::new(),
            done: Vec::new(),
            guard_evidence: BTreeMap::new(),
        }
    }

    /// Asks everyone at once, and closes recoveries that are over.
    pub async fn look(&mut self) -> Heads {
        let mut asked = tokio::task::JoinSet::new();
        for door in self.doors.clone() {
            asked.spawn(async move {
                // A paused node holds its answer back; it then counts as not answering.
                let patience = std::time::Duration::from_secs(2);
                let status = tokio::time::timeout(patience, door.client.status()).await;
                (door.name, status)
            });
        }
        let mut heads = Heads::default();
        while let Some(answer) = asked.join_next().await {
            if let Ok((name, Ok(Ok(status)))) = answer {
                self.take(&mut heads, name, status);
            }
        }
        self.seen(&heads);
        self.close(&heads);
        heads
    }

    fn seen(&mut self, heads: &Heads) {
        self.slot = self.slot.max(heads.slot);
        self.height = heads.executed.values().copied().fold(self.height, u64::max);
    }

    fn take(&mut self, heads: &mut Heads, name: String, status: Status) {
        heads.slot = heads.slot.max(status.slot);
        heads.executed.insert(name.clone(), status.executed);
        if !status.evidence.is_empty() {
            self.guard_evidence.insert(name, status.evidence);
        }
    }

    /// Highest height that anyone answered so far.
    #[must_use]
    pub const fn height(&self) -> u64 {
        self.height
    }

    /// A node was hurt by `what` and goes on from now.
    pub fn released(&mut self, node: &str, what: &str) {
        let (above, from_slot) = (self.height, self.slot);
        let (node, what) = (node.to_owned(), what.to_owned());
        self.open.retain(|open| open.node != node);
        self.open.push(Open { node, what, from_slot, above });
    }

    /// A node is hurt (again): what it was recovering from is not measured.
    pub fn hurt(&mut self, node: &str) {
        self.open.retain(|open| open.node != node);
    }

    fn close(&mut self, heads: &Heads) {
        let (over, open): (Vec<Open>, Vec<Open>) =
            std::mem::take(&mut self.open).into_iter().partition(|open| {
                let here = heads.executed.get(&open.node).copied().unwrap_or(0);
                here > open.above && here.saturating_add(1) >= heads.best_but(&open.node)
            });
        self.open = open;
        self.done.extend(over.into_iter().map(|open| Recovery {
            slots: heads.slot.saturating_sub(open.from_slot),
            node: open.node,
            what: open.what,
        }));
    }

    /// Recoveries that are over, and the names of those that are not.
    #[must_use]
    pub fn recoveries(&self) -> (&[Recovery], Vec<String>) {
        let open = self.open.iter().map(|open| format!("{} after {}", open.node, open.what));
        (&self.done, open.collect())
    }

    /// Evidence that nodes told of, by node.
    #[must_use]
    pub const fn evidence(&self) -> &BTreeMap<String, Vec<String>> {
        &self.guard_evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(slot: u64, heights: &[(&str, u64)]) -> Heads {
        let executed = heights.iter().map(|(name, height)| ((*name).to_owned(), *height));
        Heads { executed: executed.collect(), slot }
    }

    #[test]
    fn a_recovery_ends_when_the_node_is_at_a_new_height_with_the_others() {
        let mut watcher = Watcher::new(vec![]);
        watcher.seen(&heads(10, &[("v1", 8), ("v2", 5)]));
        // Nobody answers after a kill of all.
        watcher.seen(&Heads::default());
        watcher.released("v2", "kill");
        watcher.close(&heads(11, &[("v1", 9), ("v2", 8)]));
        assert!(watcher.recoveries().0.is_empty());
        watcher.close(&heads(12, &[("v1", 10), ("v2", 9)]));
        assert_eq!(watcher.recoveries().0.first().map(|r| r.slots), Some(2));
        assert!(watcher.recoveries().1.is_empty());
    }

    #[test]
    fn equal_means_everybody_answered() {
        assert!(heads(1, &[("a", 5), ("b", 6)]).all_equal(2));
        assert!(!heads(1, &[("a", 5), ("b", 7)]).all_equal(2));
        assert!(!heads(1, &[("a", 5)]).all_equal(2));
    }
}
