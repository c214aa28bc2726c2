//! Receipts: what was receipted is at its place at the end of a run, or was skipped there with a code (`receipted_lost`).
//!
//! A transaction counts as lost unless it was found in the promised batch; or elsewhere, its promised batch decided
//! and its place skipped as a repeat; or its batch decided with at least as many skips as are missing from it.
//! A place still undecided at the end of a run is lost: the run waited long enough.

use super::{Finding, Receipted, Trace};
use rota_types::ValidatorKey;
use std::collections::{BTreeMap, BTreeSet};

/// What became of receipted transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Outcome {
    /// Found in the batch that was promised.
    pub at_place: u64,
    /// Skipped there with a code.
    pub skipped: u64,
    /// Anything else.
    pub lost: u64,
}

/// Where each numbered transaction was found: lane and seq.
fn found_in(trace: &Trace) -> BTreeMap<u64, (ValidatorKey, u64)> {
    let streams = trace.longest_streams();
    let all = streams.values().flat_map(|stream| stream.iter());
    all.filter_map(|tx| Some((tx.number?, (tx.lane, tx.seq)))).collect()
}

/// Decided batches, and transactions skipped in each, as any node answers them.
fn decided(trace: &Trace) -> BTreeMap<(ValidatorKey, u32, u64), BTreeSet<u64>> {
    let mut all = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for slot in trace.slots.values().flat_map(BTreeMap::values) {
        if slot.batches.is_empty() || !seen.insert(slot.height) {
            continue;
        }
        let mut first = 0u64;
        for batch in &slot.batches {
            let end = first.saturating_add(batch.txs);
            let skipped = slot.skipped.iter().map(|(index, _)| *index);
            let inside = skipped.filter(|index| (first..end).contains(index));
            let inside = inside.map(|index| index.saturating_sub(first)).collect();
            all.insert((batch.lane, batch.incarnation, batch.seq), inside);
            first = end;
        }
    }
    all
}

/// Judges every receipt.
#[must_use]
pub fn check(trace: &Trace) -> (Outcome, Vec<Finding>) {
    let (found, decided) = (found_in(trace), decided(trace));
    let mut outcome = Outcome::default();
    let mut findings = Vec::new();
    for receipt in &trace.receipts {
        let lost = judge(receipt, &found, &decided, &mut outcome);
        if lost > 0 && findings.len() < 20 {
            let place = (receipt.lane, receipt.incarnation, receipt.seq);
            let what = format!(
                "{lost} of {} transactions receipted in batch {} of lane {} from index {}: {}",
                receipt.count,
                receipt.seq,
                receipt.lane,
                receipt.first_index,
                if decided.contains_key(&place) { "not there" } else { "batch undecided" }
            );
            findings.push(Finding { invariant: "receipts", what, count: lost });
        }
    }
    for sample in &trace.sampled {
        let (lane, seq, index) = sample.promised;
        let said = (sample.status.lane, sample.status.seq, sample.status.index);
        if sample.status.skipped.is_none() && said != (Some(lane), Some(seq), Some(index)) {
            let what = format!("{}: {} is at {said:?}, not {index}", sample.node, sample.id);
            findings.push(Finding::one("receipts", what));
            outcome.lost = outcome.lost.saturating_add(1);
        }
    }
    (outcome, findings)
}

fn judge(
    receipt: &Receipted,
    found: &BTreeMap<u64, (ValidatorKey, u64)>,
    decided: &BTreeMap<(ValidatorKey, u32, u64), BTreeSet<u64>>,
    outcome: &mut Outcome,
) -> u64 {
    let skips = decided.get(&(receipt.lane, receipt.incarnation, receipt.seq));
    let mut lost = 0u64;
    for offset in 0..receipt.count {
        let number = receipt.first.saturating_add(offset);
        let index = u64::from(receipt.first_index).saturating_add(offset);
        let here = found.get(&number) == Some(&(receipt.lane, receipt.seq));
        match skips {
            Some(_) if here => outcome.at_place = outcome.at_place.saturating_add(1),
            Some(skips) if skips.contains(&index) => {
                outcome.skipped = outcome.skipped.saturating_add(1);
            }
            _ => lost = lost.saturating_add(1),
        }
    }
    outcome.lost = outcome.lost.saturating_add(lost);
    lost
}

#[cfg(test)]
mod tests {
    use super::super::samples::good;
    use super::*;
    use crate::client::Skip;

    #[test]
    fn all_at_their_places() {
        let (outcome, findings) = check(&good());
        assert_eq!((outcome, findings), (Outcome { at_place: 6, skipped: 0, lost: 0 }, vec![]));
    }

    #[test]
    fn a_receipted_transaction_that_is_nowhere_is_lost() {
        let mut trace = good();
        for stream in trace.streams.values_mut() {
            stream.remove(3);
        }
        assert_eq!(check(&trace).0.lost, 1);
    }

    #[test]
    fn one_in_another_batch_than_promised_is_lost_unless_skipped_at_its_place() {
        let mut trace = good();
        for stream in trace.streams.values_mut() {
            stream[3].seq = 3;
        }
        assert_eq!(check(&trace).0.lost, 1);
        for slots in trace.slots.values_mut() {
            slots.get_mut(&2).unwrap().skipped = vec![(1, Skip { name: "Duplicate".into() })];
        }
        assert_eq!(check(&trace).0, Outcome { at_place: 5, skipped: 1, lost: 0 });
    }

    #[test]
    fn an_undecided_batch_at_the_end_is_lost() {
        let mut trace = good();
        trace.receipts[0].seq = 99;
        assert_eq!(check(&trace).0.lost, 2);
    }

    #[test]
    fn another_index_than_promised_is_lost() {
        use crate::client::TransactionStatus;
        use rota_types::Hash;
        let mut trace = good();
        let lane = trace.receipts[0].lane;
        trace.sampled.push(super::super::Sampled {
            node: "v1".into(),
            id: Hash::ZERO,
            promised: (lane, 1, 0),
            status: TransactionStatus {
                lane: Some(lane),
                seq: Some(1),
                index: Some(1),
                height: Some(1),
                namespace_index: Some(0),
                skipped: None,
            },
        });
        assert_eq!(check(&trace).0.lost, 1);
    }
}
