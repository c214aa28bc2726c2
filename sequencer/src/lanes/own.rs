//! State of the own lane: what waits, what is sealed and not executed yet.

use super::Turn;
use super::author::{refuse_duplicate, refuse_not_sequencing};
use super::event::{Effect, Halt, Origin};
use super::places::{Places, Where};
use crate::batch::Batch;
use crate::lane_view::LaneTip;
use crate::limits::{CERTIFICATION_TIMES_MAX, SUBMISSION_QUEUE_BYTES_MAX, SUBMISSION_QUEUE_MAX};
use bytes::Bytes;
use rota_types::{
    Hash, Incarnation, Refusal, RefusalCode, Signature, TimestampMs, TransactionList, ValidatorKey,
    ids_tree,
};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// Where an own batch was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Made or received in this run: the ledger does not have it yet.
    InMemory,
    /// Read from the ledger.
    InLedger,
}

/// A client that waits for a receipt over part of a submission.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) token: u64,
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) root: Hash,
}

impl Waiter {
    /// Indices in the submission.
    pub(crate) const fn range(&self) -> Range<u32> {
        self.first..self.first.saturating_add(self.count)
    }
}

/// A submission that waits for the next batch.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) serial: u64,
    pub(crate) list: TransactionList,
    pub(crate) waiters: Vec<Waiter>,
    /// It came from the pool, which has let it go: it stays though no client waits for it.
    pub(crate) pool: bool,
    pub(crate) since: TimestampMs,
}

/// An own batch above the executed tip.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    pub(crate) digest: Hash,
    pub(crate) cumulative_bytes: u64,
    pub(crate) sealed_at: TimestampMs,
    /// Signatures that came in and are not part of a certificate yet, unverified.
    pub(crate) acks: BTreeMap<ValidatorKey, Signature>,
}

/// The own lane.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) me: ValidatorKey,
    pub(crate) halt: Option<Halt>,
    /// Nothing is signed in this incarnation or an older one.
    pub(crate) closed_through: Option<Incarnation>,
    /// Last sealed batch.
    pub(crate) tip: Option<LaneTip>,
    pub(crate) open: BTreeMap<u64, OpenBatch>,
    pub(crate) certified: u64,
    pub(crate) places: Places,
    /// Marked batches that the ledger does not hold.
    pub(crate) missing: BTreeMap<u64, Hash>,
    /// Own stored batches that do not join the tip yet.
    pub(crate) spare: BTreeMap<u64, (Arc<Batch>, Kept)>,
    /// Newest certificate not sent yet, and when it goes alone.
    pub(crate) certificate: Option<(Bytes, TimestampMs)>,
    /// Ascending by serial.
    pub(crate) queue: VecDeque<Submission>,
    pub(crate) queue_bytes: u64,
    pub(crate) queue_txs: usize,
    pub(crate) waiters: usize,
    pub(crate) sealed_at: TimestampMs,
    times: VecDeque<u64>,
}

impl Own {
    pub(crate) fn new(me: ValidatorKey, salt: [u8; 16]) -> Self {
        Self {
            me,
            halt: None,
            closed_through: None,
            tip: None,
            open: BTreeMap::new(),
            certified: 0,
            places: Places::new(salt),
            missing: BTreeMap::new(),
            spare: BTreeMap::new(),
            certificate: None,
            queue: VecDeque::new(),
            queue_bytes: 0,
            queue_txs: 0,
            waiters: 0,
            sealed_at: TimestampMs(0),
            times: VecDeque::new(),
        }
    }

    /// Why nothing may be signed in `incarnation`, if so.
    pub(crate) fn closure(&self, incarnation: Incarnation) -> Option<Halt> {
        let closed = self.closed_through.filter(|closed| *closed >= incarnation)?;
        Some(Halt::AwaitsIncarnation(closed.next()))
    }

    /// Stops looking for missing batches up to `seq`.
    pub(crate) fn no_longer_missing(&mut self, turn: &mut Turn<'_>, seq: u64) {
        let left = self.missing.split_off(&seq.saturating_add(1));
        for digest in std::mem::replace(&mut self.missing, left).into_values() {
            turn.out.push(Effect::Unneeded { digest });
        }
    }

    pub(crate) const fn room(&self) -> u64 {
        SUBMISSION_QUEUE_BYTES_MAX.saturating_sub(self.queue_bytes)
    }

    pub(crate) fn deadline(&self) -> Option<TimestampMs> {
        self.certificate.as_ref().map(|(_, due)| *due)
    }

    pub(crate) fn note_certification_ms(&mut self, ms: u64) {
        self.times.push_back(ms);
        if self.times.len() > CERTIFICATION_TIMES_MAX {
            self.times.pop_front();
        }
    }

    pub(crate) fn certification_median_ms(&self) -> Option<u64> {
        let mut times: Vec<u64> = self.times.iter().copied().collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    /// Last sealed sequence number.
    pub(crate) fn last_seq(&self) -> u64 {
        self.tip.map_or(0, |tip| tip.position.seq.0)
    }

    /// Whether every sealed batch is certified.
    pub(crate) fn nothing_in_flight(&self) -> bool {
        self.certified >= self.last_seq()
    }
}

impl Own {
    pub(crate) fn enqueue(
        &mut self,
        turn: &mut Turn<'_>,
        chain_id: u64,
        origin: Origin,
        list: TransactionList,
        retry_ms: u64,
    ) {
        let full = self.queue_bytes.saturating_add(list.tx_bytes()) > SUBMISSION_QUEUE_BYTES_MAX
            || self.queue.len() >= SUBMISSION_QUEUE_MAX
            || self.waiters >= SUBMISSION_QUEUE_MAX;
        if full {
            if let Origin::Client(token) = origin {
                let value = self.queue_bytes.saturating_add(list.tx_bytes());
                let code = RefusalCode::Limited;
                let refusal = Refusal::at_limit(code, SUBMISSION_QUEUE_BYTES_MAX, value);
                turn.out.push(Effect::Refuse { token, refusal, retry_ms: Some(retry_ms) });
            }
            return;
        }
        let serial = match (self.places.add(&list, Where::Queued), origin) {
            (Ok(serial), _) => serial,
            (Err(index), Origin::Client(token)) => return refuse_duplicate(turn, token, index),
            (Err(_), Origin::Pool) => return,
        };
        let pool = matches!(origin, Origin::Pool);
        let waiters = match origin {
            Origin::Client(token) => {
                let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
                let root = ids_tree::root(chain_id, list.ids());
                vec![Waiter { token, first: 0, count, root }]
            }
            Origin::Pool => Vec::new(),
        };
        self.waiters = self.waiters.saturating_add(waiters.len());
        self.queue_bytes = self.queue_bytes.saturating_add(list.tx_bytes());
        self.queue_txs = self.queue_txs.saturating_add(list.len());
        self.queue.push_back(Submission { serial, list, waiters, pool, since: turn.now });
    }

    /// Tells every waiting client that nothing will come of it here.
    pub(crate) fn refuse_queue(&mut self, turn: &mut Turn<'_>) {
        for submission in self.queue.drain(..) {
            for waiter in submission.waiters {
                refuse_not_sequencing(turn, waiter.token);
            }
        }
        (self.queue_bytes, self.queue_txs, self.waiters) = (0, 0, 0);
        self.places.forget_queued();
    }
}
