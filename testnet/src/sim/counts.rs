//! How often each thing really happened: a fault that never fires proves nothing.

use std::collections::BTreeMap;

/// Named counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// What must have happened in a large run: a fault that never fires is a failure of the test.
    pub(super) const MUST_HAPPEN: &[&str] = &["receipts", "keystore operations", "bundles taken"];

    pub(super) fn add(&mut self, name: &'static str) {
        self.add_many(name, 1);
    }

    pub(super) fn add_many(&mut self, name: &'static str, count: u64) {
        let entry = self.0.entry(name).or_default();
        *entry = entry.saturating_add(count);
    }

    /// The count of a name; 0 if it never happened.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All counts by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(name, count)| (*name, *count))
    }
}
