//! What must hold of a run, one file each, judged from a [`Trace`] of what nodes answered and keep on disk.
//!
//! Each check is a plain function of the trace and has a test with a trace that breaks it.

pub mod agreement;
pub mod double_signs;
pub mod header_mismatch;
pub mod index;
pub mod ordered_once;
pub mod receipts;
pub mod streams;

use crate::client::{SlotView, TransactionStatus};
use rota_types::{Hash, ValidatorKey};
use std::collections::{BTreeMap, BTreeSet};

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Name of the invariant.
    pub invariant: &'static str,
    /// What was found, with names and numbers.
    pub what: String,
    /// How many things this finding counts for.
    pub count: u64,
}

impl Finding {
    /// A finding that counts once.
    #[must_use]
    pub const fn one(invariant: &'static str, what: String) -> Self {
        Self { invariant, what, count: 1 }
    }
}

/// Place of a transaction in a rollup's stream.
pub type StreamPlace = (u64, u64);

/// A transaction as a stream gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Height and index in the namespace.
    pub place: StreamPlace,
    /// First 16 bytes of its id: enough to tell a billion apart.
    pub id: [u8; 16],
    /// Number in the load, if it is of the load.
    pub number: Option<u64>,
    /// Lane it came through.
    pub lane: ValidatorKey,
    /// Batch of the lane.
    pub seq: u64,
}

/// A receipted submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipted {
    /// Numbers of its transactions in the load: `first..first + count`.
    pub first: u64,
    /// Number of its transactions.
    pub count: u64,
    /// Lane that promised.
    pub lane: ValidatorKey,
    /// Generation of the lane.
    pub incarnation: u32,
    /// Batch that was promised.
    pub seq: u64,
    /// Index of the first transaction in the batch.
    pub first_index: u32,
}

/// A transaction whose exact place was asked for.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// Who answered.
    pub node: String,
    /// Its id.
    pub id: Hash,
    /// Batch and index that its receipt promises.
    pub promised: (ValidatorKey, u64, u32),
    /// What the node said.
    pub status: TransactionStatus,
}

/// Everything seen of a run.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Decided slots as each node answers them, by height.
    pub slots: BTreeMap<String, BTreeMap<u64, SlotView>>,
    /// Streams by (node, rollup), in the order given.
    pub streams: BTreeMap<(String, u64), Vec<Streamed>>,
    /// Receipts of the load, by their first number.
    pub receipts: Vec<Receipted>,
    /// Places asked for one by one.
    pub sampled: Vec<Sampled>,
    /// Digests marked at a place, by node, in the order written.
    pub marks: BTreeMap<String, Vec<(String, Hash)>>,
    /// Evidence that nodes know of.
    pub evidence: BTreeMap<String, Vec<String>>,
    /// Nodes that lie on purpose and that honest ones hold evidence against.
    pub caught: BTreeSet<String>,
    /// Start of slot 0 (Unix milliseconds) and length of a slot, if known.
    pub slot_times: Option<(u64, u64)>,
}

impl Trace {
    /// Heights that any node decided, with each node's view.
    pub fn by_height(&self) -> BTreeMap<u64, Vec<(&str, &SlotView)>> {
        let mut all: BTreeMap<u64, Vec<(&str, &SlotView)>> = BTreeMap::new();
        for (node, slots) in &self.slots {
            for (height, slot) in slots {
                all.entry(*height).or_default().push((node, slot));
            }
        }
        all
    }

    /// One stream of each rollup: that of the node that gave most.
    #[must_use]
    pub fn longest_streams(&self) -> BTreeMap<u64, &[Streamed]> {
        let mut all: BTreeMap<u64, &[Streamed]> = BTreeMap::new();
        for ((_, rollup), stream) in &self.streams {
            let longest = all.entry(*rollup).or_default();
            if stream.len() > longest.len() {
                *longest = stream;
            }
        }
        all
    }
}

/// Sum of what findings count for.
#[must_use]
pub fn total(findings: &[Finding]) -> u64 {
    findings.iter().map(|finding| finding.count).sum()
}

#[cfg(test)]
pub(crate) mod samples {
    //! A small trace that breaks nothing; tests break one thing each.

    use super::*;
    use crate::client::{Batch, Times};

    pub(crate) const LANE: ValidatorKey = ValidatorKey([1; 32]);

    fn slot(height: u64) -> SlotView {
        SlotView {
            height,
            slot: height * 2,
            round: 0,
            proposal: Hash([u8::try_from(height).unwrap(); 32]),
            header_id: Some(Hash([100 + u8::try_from(height).unwrap(); 32])),
            times: Times::default(),
            batches: vec![Batch {
                lane: LANE,
                incarnation: 0,
                seq: height,
                digest: Hash([7; 32]),
                txs: 2,
            }],
            namespaces: vec![(10, 2)],
            skipped: vec![],
        }
    }

    /// Two nodes, three heights, two transactions of rollup 10 in each, all receipted.
    pub(crate) fn good() -> Trace {
        let mut trace = Trace::default();
        for node in ["v1", "v2"] {
            trace.slots.insert(node.into(), (1..=3).map(|h| (h, slot(h))).collect());
            let stream = (0..6u64).map(|i| Streamed {
                place: (1 + i / 2, i % 2),
                id: [u8::try_from(i).unwrap(); 16],
                number: Some(i),
                lane: LANE,
                seq: 1 + i / 2,
            });
            trace.streams.insert((node.into(), 10), stream.collect());
        }
        trace.receipts = (0..3)
            .map(|i| Receipted {
                first: i * 2,
                count: 2,
                lane: LANE,
                incarnation: 0,
                seq: 1 + i,
                first_index: 0,
            })
            .collect();
        trace
    }
}
