//! Ledger ⊇ index: what a node looks up by id stands where its ledger says, also after its index was deleted;
//! and every node answers a decided slot with the same content, also one that it was killed in.

use super::{Finding, Trace};

/// Looked-up places that the node's own stream contradicts, and slots that nodes answer differently.
#[must_use]
pub fn check(trace: &Trace) -> Vec<Finding> {
    let mut found = contents(trace);
    for sample in &trace.sampled {
        let (Some(height), Some(index)) = (sample.status.height, sample.status.namespace_index)
        else {
            continue;
        };
        let streams = trace.streams.iter().filter(|((node, _), _)| *node == sample.node);
        let mut here = streams.flat_map(|(_, stream)| stream.iter());
        let wanted = sample.id.0.first_chunk::<16>();
        let stands = here.find(|tx| Some(&tx.id) == wanted).map(|tx| tx.place);
        if stands.is_some_and(|place| place != (height, index)) {
            let what = format!(
                "{}: {} looked up at {:?}, stands at {stands:?}",
                sample.node,
                sample.id,
                (height, index)
            );
            found.push(Finding::one("index", what));
        }
    }
    found
}

/// Slots whose batches or namespaces one node answers otherwise than another.
fn contents(trace: &Trace) -> Vec<Finding> {
    let mut found = Vec::new();
    for (height, views) in trace.by_height() {
        let full = views.iter().max_by_key(|(_, slot)| slot.batches.len());
        let Some((reference, whole)) = full else { continue };
        for (node, slot) in &views {
            if (&slot.batches, &slot.namespaces) != (&whole.batches, &whole.namespaces) {
                let what = format!(
                    "height {height}: {node} answers {} batches, {reference} {}",
                    slot.batches.len(),
                    whole.batches.len()
                );
                found.push(Finding::one("index", what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Sampled, samples::good};
    use super::*;
    use crate::client::TransactionStatus;
    use rota_types::Hash;

    #[test]
    fn a_slot_that_one_node_answers_without_its_batches_is_found() {
        let mut trace = good();
        trace.slots.get_mut("v2").unwrap().get_mut(&2).unwrap().batches.clear();
        assert_eq!(check(&trace).len(), 1);
    }

    #[test]
    fn a_looked_up_place_that_the_stream_contradicts_is_found() {
        let mut trace = good();
        let lane = trace.receipts[0].lane;
        let status = |namespace_index| TransactionStatus {
            lane: Some(lane),
            seq: Some(1),
            index: Some(1),
            height: Some(1),
            namespace_index: Some(namespace_index),
            skipped: None,
        };
        let sample = |index| Sampled {
            node: "v1".into(),
            id: Hash([1; 32]),
            promised: (lane, 1, 1),
            status: status(index),
        };
        trace.sampled = vec![sample(1)];
        assert_eq!(check(&trace), vec![]);
        trace.sampled = vec![sample(0)];
        assert_eq!(check(&trace).len(), 1);
    }
}
