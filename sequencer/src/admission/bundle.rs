//! What a gossiped bundle deserves.

use super::{AdmissionContext, Charge, admit_charged};
use crate::limits::EXECUTED_TXS_PER_BUNDLE_MAX;
use bytes::Bytes;
use rota_types::limits::BUNDLE_BYTES_MAX;
use rota_types::{Refusal, RefusalCode, TransactionList, TxId};
use std::collections::BTreeSet;

/// What gossip does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forward it.
    Accept,
    /// Do not forward it; nobody is to blame.
    Ignore,
    /// Do not forward it, and lower the sender's score.
    Reject,
}

/// Judgement of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleVerdict {
    /// For the gossip layer.
    pub verdict: Verdict,
    /// Indices of the transactions to take; good ones are taken from an ignored bundle too.
    pub admitted: Vec<usize>,
    /// Why the others were not taken.
    pub refusals: Vec<(usize, Refusal)>,
}

impl BundleVerdict {
    fn rejected(index: usize, refusal: Refusal) -> Self {
        Self { verdict: Verdict::Reject, admitted: Vec::new(), refusals: vec![(index, refusal)] }
    }

    /// The verdict after the pool kept `kept_bytes` of the bundle's `total_bytes`: what this node has no room
    /// for it does not forward either.
    #[must_use]
    pub const fn after_pool(&self, kept_bytes: u64, total_bytes: u64) -> Verdict {
        match self.verdict {
            Verdict::Accept if kept_bytes.saturating_mul(2) <= total_bytes => Verdict::Ignore,
            verdict => verdict,
        }
    }
}

/// Judges a parsed bundle: accepted when more than half of its bytes are new and admissible, rejected when
/// anything is wrong by its bytes alone, else ignored. The work of executed transactions is charged before it is
/// done; what `charge` refuses is not taken, and nobody is to blame.
#[must_use]
pub fn judge_bundle(
    list: &TransactionList,
    context: &AdmissionContext<'_>,
    charge: &mut Charge<'_>,
) -> BundleVerdict {
    let mut verdict =
        BundleVerdict { verdict: Verdict::Ignore, admitted: Vec::new(), refusals: Vec::new() };
    let mut seen: BTreeSet<TxId> = BTreeSet::new();
    let mut executed = 0usize;
    let mut good_bytes = 0u64;
    for (index, view) in list.iter().enumerate() {
        if view.rollup.is_executed() {
            executed = executed.saturating_add(1);
        }
        let outcome = if !seen.insert(view.id) {
            Err(Refusal::new(RefusalCode::Duplicate))
        } else if view.rollup.is_executed() && executed > EXECUTED_TXS_PER_BUNDLE_MAX {
            let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            let limit = number(EXECUTED_TXS_PER_BUNDLE_MAX);
            Err(Refusal::at_limit(RefusalCode::Limited, limit, number(executed)))
        } else {
            admit_charged(&view, context, charge)
        };
        match outcome {
            Ok(()) => {
                verdict.admitted.push(index);
                let bytes = u64::try_from(view.bytes.len()).unwrap_or(u64::MAX);
                good_bytes = good_bytes.saturating_add(bytes);
            }
            Err(refusal) if refusal.code.from_bytes_alone() => {
                return BundleVerdict::rejected(index, refusal);
            }
            Err(refusal) => verdict.refusals.push((index, refusal)),
        }
    }
    if good_bytes.saturating_mul(2) > list.tx_bytes() {
        verdict.verdict = Verdict::Accept;
    }
    verdict
}

/// Judges a gossip message: parses it under the bundle's limit, then as [`judge_bundle`].
///
/// # Errors
/// A rejected [`BundleVerdict`] when the bytes are no list of transactions.
pub fn judge_gossip(
    data: Bytes,
    context: &AdmissionContext<'_>,
    charge: &mut Charge<'_>,
) -> Result<(TransactionList, BundleVerdict), BundleVerdict> {
    match TransactionList::parse(data, BUNDLE_BYTES_MAX) {
        Ok(list) => {
            let verdict = judge_bundle(&list, context, charge);
            Ok((list, verdict))
        }
        Err(error) => Err(BundleVerdict::rejected(0, Refusal::from(&error))),
    }
}
