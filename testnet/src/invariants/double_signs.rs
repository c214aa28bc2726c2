//! One signature a place for life: no guard holds two digests at one place, and no node has evidence (`double_signs`).

use super::{Finding, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// Places marked twice, and pieces of evidence, each once however many nodes know it.
#[must_use]
pub fn check(trace: &Trace) -> Vec<Finding> {
    let mut found = Vec::new();
    for (node, marks) in &trace.marks {
        let mut places = BTreeMap::new();
        for (place, digest) in marks {
            let first = places.entry(place).or_insert(digest);
            if first != &digest {
                let what = format!("{node} signed {first} and {digest} at {place}");
                found.push(Finding::one("double_signs", what));
            }
        }
    }
    let evidence: BTreeSet<&String> = trace.evidence.values().flatten().collect();
    let known = evidence.into_iter().map(|text| Finding::one("double_signs", text.clone()));
    found.extend(known);
    found
}

#[cfg(test)]
mod tests {
    use super::super::samples::good;
    use super::*;
    use rota_types::Hash;

    #[test]
    fn two_digests_at_one_place_are_found_and_a_repeat_is_not() {
        let mut trace = good();
        let vote = || "vote 5/0/prevote".to_owned();
        let marks = vec![(vote(), Hash([1; 32])), (vote(), Hash([1; 32]))];
        trace.marks.insert("v1".into(), marks);
        assert_eq!(check(&trace), vec![]);
        trace.marks.get_mut("v1").unwrap().push((vote(), Hash([2; 32])));
        assert_eq!(check(&trace).len(), 1);
    }

    #[test]
    fn evidence_known_to_all_counts_once() {
        let mut trace = good();
        for node in ["v1", "v2"] {
            trace.evidence.insert(node.into(), vec!["v3 voted twice".into()]);
        }
        assert_eq!(check(&trace).len(), 1);
    }
}
