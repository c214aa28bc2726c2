//! Nodes that ended by themselves: some are expected to, with an exit code; every other end is a finding.

use std::collections::BTreeMap;

/// What is expected, and what came.
#[derive(Debug, Default)]
pub(super) struct Ends {
    awaited: BTreeMap<String, i32>,
    unexpected: Vec<String>,
}

impl Ends {
    /// The node is to end by itself with this code.
    pub(super) fn expect(&mut self, name: &str, code: i32) {
        self.awaited.insert(name.to_owned(), code);
    }

    /// Whether that has not happened yet.
    pub(super) fn awaits(&self, name: &str) -> bool {
        self.awaited.contains_key(name)
    }

    /// The node is ended by us, so that it cannot end by itself any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.awaited.remove(name);
    }

    /// It ended; `how` is for people.
    pub(super) fn note(&mut self, name: &str, code: Option<i32>, how: &str) {
        if code.is_some() && self.awaited.get(name).copied() == code {
            self.awaited.remove(name);
        } else {
            self.unexpected.push(format!("{name} ended by itself: {how}"));
        }
    }

    /// The unexpected ones since the last call.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unexpected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_awaited_code_of_the_awaited_node_is_fine() {
        let mut ends = Ends::default();
        ends.expect("v1", 74);
        ends.note("v2", Some(74), "exit 74");
        ends.note("v1", Some(70), "exit 70");
        assert_eq!(ends.take().len(), 2);
        assert!(ends.awaits("v1"));
        ends.note("v1", Some(74), "exit 74");
        assert!(ends.take().is_empty() && !ends.awaits("v1"));
    }
}
