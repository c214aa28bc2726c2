//! How often each thing really happened: a fault that never fires proves nothing.

use super::faults::Fault;
use super::roles::Role;
use std::collections::BTreeMap;

/// What must happen beside faults and roles.
const OTHERS: [&str; 13] = [
    "bundles ignored",
    "bundles rejected",
    "bundles taken",
    "frames lost",
    "frames sent twice",
    "frames that overtook",
    "heights decided in a later round",
    "keystore operations",
    "outages as long as transactions live",
    "penalties",
    "receipts",
    "starts refused",
    "transactions skipped",
];

/// Named counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// What must have happened in a large run: a fault that never fires is a failure of the test.
    pub(super) fn must_happen() -> Vec<&'static str> {
        let faults = Fault::ALL.iter().map(|fault| fault.name());
        let roles = Role::CRIMES.iter().chain(&Role::RARE_CRIMES).map(|role| role.name());
        faults.chain(roles).chain(OTHERS.iter().copied()).collect()
    }

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
