//! Equal headers: every node that executed a height made the same header of it (`header_mismatch`).

use super::{Finding, Trace};

/// Heights with two header ids, one finding each.
#[must_use]
pub fn check(trace: &Trace) -> Vec<Finding> {
    let mut found = Vec::new();
    for (height, views) in trace.by_height() {
        let mut ids = views.iter().filter_map(|(node, slot)| slot.header_id.map(|id| (*node, id)));
        let Some((first, id)) = ids.next() else { continue };
        if let Some((other, wrong)) = ids.find(|(_, other)| *other != id) {
            let what = format!("height {height}: {first} made header {id}, {other} made {wrong}");
            found.push(Finding::one("header_mismatch", what));
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
    fn one_other_header_is_found_and_a_missing_one_is_not() {
        let mut trace = good();
        trace.slots.get_mut("v1").unwrap().get_mut(&3).unwrap().header_id = None;
        assert_eq!(check(&trace), vec![]);
        trace.slots.get_mut("v2").unwrap().get_mut(&2).unwrap().header_id = Some(Hash([9; 32]));
        assert_eq!(check(&trace).len(), 1);
    }
}
