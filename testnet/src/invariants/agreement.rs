//! Agreement: no two nodes decide differently at a height, and each node's slots rise (`forks`).

use super::{Finding, Trace};

/// Forks, one finding a height.
#[must_use]
pub fn check(trace: &Trace) -> Vec<Finding> {
    let mut found = Vec::new();
    for (height, views) in trace.by_height() {
        let Some((first_node, first)) = views.first() else { continue };
        for (node, slot) in &views {
            if (slot.proposal, slot.slot) != (first.proposal, first.slot) {
                let what = format!(
                    "height {height}: {first_node} decided {} for slot {}, {node} {} for slot {}",
                    first.proposal, first.slot, slot.proposal, slot.slot
                );
                found.push(Finding::one("agreement", what));
                break;
            }
        }
    }
    for (node, slots) in &trace.slots {
        for (below, above) in slots.values().zip(slots.values().skip(1)) {
            if below.slot >= above.slot || below.height.saturating_add(1) != above.height {
                let what = format!(
                    "{node}: height {} of slot {} follows height {} of slot {}",
                    above.height, above.slot, below.height, below.slot
                );
                found.push(Finding::one("agreement", what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::samples::good;
    use super::*;
    use rota_types::Hash;

    #[test]
    fn two_values_at_a_height_are_a_fork() {
        let mut trace = good();
        assert_eq!(check(&trace), vec![]);
        trace.slots.get_mut("v2").unwrap().get_mut(&2).unwrap().proposal = Hash([9; 32]);
        assert_eq!(check(&trace).len(), 1);
    }

    #[test]
    fn a_missing_height_is_no_dense_ledger() {
        let mut trace = good();
        trace.slots.get_mut("v2").unwrap().remove(&2);
        assert_eq!(check(&trace).len(), 1);
    }
}
