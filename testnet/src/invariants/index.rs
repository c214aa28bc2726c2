//! Ledger ⊇ index: what a node looks up by id stands where its ledger says, also after its index was deleted.

use super::{Finding, Trace};

/// Looked-up places that the node's own stream contradicts.
#[must_use]
pub fn check(trace: &Trace) -> Vec<Finding> {
    let mut found = Vec::new();
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

#[cfg(test)]
mod tests {
    use super::super::{Sampled, samples::good};
    use super::*;
    use crate::client::TransactionStatus;
    use rota_types::Hash;

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
