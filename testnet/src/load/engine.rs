//! The open loop: sends what is due when it is due, and keeps what it is answered.

use super::generator::Generator;
use super::gossip::Gossip;
use crate::client::{Client, Submitted};
use crate::clock::Timeline;
use crate::error::TestnetError;
use crate::invariants::Receipted;
use crate::limits::{
    BUNDLE_BYTES, GOSSIP_BYTES_PER_SECOND_MAX, IN_FLIGHT_MAX, RECEIPTS_MAX, SUBMISSION_BYTES_MAX,
    SUBMISSION_BYTES_MIN, SUBMISSION_SPAN,
};
use crate::manifest::{Rate, Via};
use rota_types::receipt::SignedReceipt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Every how many submissions one waits for its certificate.
const CERTIFIED_EVERY: u64 = 20;
/// Every how many receipts one has its signature verified.
const VERIFIED_EVERY: u64 = 50;
/// How long a node that did not answer is left alone.
const LEFT_ALONE_US: u64 = 500_000;

/// A node's door.
#[derive(Clone, Debug)]
pub struct Door {
    /// Name of the node.
    pub name: String,
    /// Its client.
    pub client: Client,
}

/// What to send.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Doors, taken in turn.
    pub doors: Vec<Door>,
    /// A gossip peer, if some of it goes that way.
    pub gossip: Option<Gossip>,
    /// Doors in use.
    pub via: Vec<Via>,
    /// Rollups, taken in turn.
    pub rollups: Vec<u64>,
    /// Payload bytes per second.
    pub offered: Rate,
    /// Makes the transactions.
    pub generator: Generator,
    /// How long.
    pub duration: Duration,
    /// In every signature.
    pub chain_id: u64,
    /// Length of a slot.
    pub slot_ms: u64,
    /// Highest `valid_until_slot` admitted when the plan was made.
    pub valid_until: u64,
}

/// What became of a submission at its door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A receipt.
    Receipt(Receipted),
    /// Published by gossip, which promises nothing.
    Gossiped,
    /// The node is at a limit.
    Limited,
    /// No answer, or a refusal.
    Failed(String),
}

/// One submission.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Number of its first transaction.
    pub first: u64,
    /// Number of its transactions.
    pub count: u64,
    /// Their rollup.
    pub rollup: u64,
    /// Their `valid_until_slot`.
    pub valid_until: u64,
    /// Door, by its place in the plan.
    pub door: usize,
    /// When the first was due, Unix microseconds.
    pub due_first_us: u64,
    /// When the last was due.
    pub due_last_us: u64,
    /// When the answer came.
    pub answered_us: u64,
    /// Whether the answer was one for `certified`.
    pub certified: bool,
    /// The answer.
    pub answer: Answer,
}

/// A load that is over.
#[derive(Clone, Debug)]
pub struct Offered {
    /// What was asked for.
    pub plan: Plan,
    /// When the first transaction was due, Unix microseconds.
    pub begun_us: u64,
    /// Everything sent, by first number.
    pub sent: Vec<Sent>,
    /// Receipts with a signature that does not verify, of those looked at.
    pub bad_receipts: u64,
}

/// A load under way.
pub struct Running {
    stop: Arc<AtomicBool>,
    /// When the first transaction was due, Unix microseconds.
    pub begun_us: u64,
    task: JoinHandle<Offered>,
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// If its task died.
    pub async fn finish(self) -> Result<Offered, TestnetError> {
        self.task.await.map_err(|error| TestnetError::Program {
            what: "the load".into(),
            cause: error.to_string(),
        })
    }

    /// Ends it early.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether everything was sent.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

/// Starts to send.
#[must_use]
pub fn start(plan: Plan) -> Running {
    let timeline = Timeline::begin();
    let stop = Arc::new(AtomicBool::new(false));
    let task = tokio::spawn(run(plan, timeline, Arc::clone(&stop)));
    Running { stop, begun_us: timeline.begun_us(), task }
}

/// What all submissions share.
struct Shared {
    plan: Plan,
    timeline: Timeline,
    bad_receipts: AtomicU64,
    /// When each door last failed, Unix microseconds.
    failed_us: Vec<AtomicU64>,
}

/// Transactions of one submission at this rate.
fn per_submission(plan: &Plan) -> u64 {
    let span = u64::try_from(SUBMISSION_SPAN.as_millis()).unwrap_or(u64::MAX);
    let bytes = plan.offered.bytes_per_second.saturating_mul(span) / 1_000;
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let bytes = bytes.clamp(SUBMISSION_BYTES_MIN, SUBMISSION_BYTES_MAX);
    let count = bytes.checked_div(plan.generator.encoded_bytes()).unwrap_or(1).max(1);
    u64::try_from(count).unwrap_or(1)
}

/// Transactions of one gossip bundle.
fn per_bundle(plan: &Plan) -> u64 {
    let count = BUNDLE_BYTES.checked_div(plan.generator.encoded_bytes()).unwrap_or(1).max(1);
    u64::try_from(count).unwrap_or(1)
}

/// Of 1,000 submissions, how many go by gossip.
fn gossip_share(plan: &Plan) -> u64 {
    let rpc = plan.via.contains(&Via::Rpc);
    match (&plan.gossip, rpc) {
        (None, _) => 0,
        (Some(_), false) => 1_000,
        (Some(_), true) => {
            let rate = plan.offered.bytes_per_second.max(1);
            (GOSSIP_BYTES_PER_SECOND_MAX.saturating_mul(1_000) / rate).min(500)
        }
    }
}

async fn run(plan: Plan, timeline: Timeline, stop: Arc<AtomicBool>) -> Offered {
    let tx_bytes = u64::try_from(plan.generator.tx_bytes()).unwrap_or(u64::MAX).max(1);
    let rate = plan.offered.bytes_per_second;
    let total = u128::from(rate).saturating_mul(plan.duration.as_millis()) / 1_000;
    let total = u64::try_from(total).unwrap_or(u64::MAX) / tx_bytes;
    let (begun_us, share) = (timeline.begun_us(), gossip_share(&plan));
    let (whole, bundle) = (per_submission(&plan), per_bundle(&plan));
    let due = |number: u64| {
        let micros = u128::from(number).saturating_mul(1_000_000) * u128::from(tx_bytes);
        let micros = micros.checked_div(u128::from(rate)).unwrap_or(0);
        begun_us.saturating_add(u64::try_from(micros).unwrap_or(u64::MAX))
    };
    let failed_us = plan.doors.iter().map(|_| AtomicU64::new(0)).collect();
    let shared = Arc::new(Shared { plan, timeline, bad_receipts: AtomicU64::new(0), failed_us });
    let permits = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let (results, mut answers) = mpsc::channel(IN_FLIGHT_MAX);
    let gatherer = tokio::spawn(async move {
        let mut sent: Vec<Sent> = Vec::new();
        while let Some(one) = answers.recv().await {
            if sent.len() < RECEIPTS_MAX {
                sent.push(one);
            }
        }
        sent.sort_by_key(|one| one.first);
        sent
    });
    let (mut first, mut k) = (0u64, 0u64);
    while first < total && !stop.load(Ordering::Relaxed) {
        // Spread evenly: by gossip whenever the share reaches its next whole one.
        let by_gossip =
            k.saturating_add(1).saturating_mul(share) / 1_000 > k.saturating_mul(share) / 1_000;
        let size = if by_gossip { bundle } else { whole };
        let count = size.min(total.saturating_sub(first));
        let last = first.saturating_add(count);
        tokio::time::sleep_until(timeline.instant(due(last)).into()).await;
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        let span = (due(first), due(last));
        let task = Arc::clone(&shared).submission(k, first, count, span, by_gossip);
        let results = results.clone();
        tokio::spawn(async move {
            // The gatherer lives until the last sender is gone.
            results.send(task.await).await.ok();
            drop(permit);
        });
        first = last;
        k = k.saturating_add(1);
    }
    drop(results);
    let sent = gatherer.await.unwrap_or_default();
    let bad_receipts = shared.bad_receipts.load(Ordering::Relaxed);
    Offered { plan: shared.plan.clone(), begun_us, sent, bad_receipts }
}

impl Shared {
    /// A door in turn, one that failed a moment ago only if all did.
    fn door(&self, k: u64) -> usize {
        let n = self.plan.doors.len().max(1);
        let start = usize::try_from(k).unwrap_or(0).checked_rem(n).unwrap_or(0);
        let now = self.timeline.now_us();
        let turns = (0..n).map(|i| start.saturating_add(i).checked_rem(n).unwrap_or(0));
        let rested = |door: &usize| {
            let failed = self.failed_us.get(*door).map_or(0, |at| at.load(Ordering::Relaxed));
            failed.saturating_add(LEFT_ALONE_US) < now
        };
        turns.clone().find(rested).unwrap_or(start)
    }

    /// Later submissions may be valid later.
    fn valid_until(&self) -> u64 {
        let since = self.timeline.now_us().saturating_sub(self.timeline.begun_us()) / 1_000;
        let slots = since.checked_div(self.plan.slot_ms).unwrap_or(0);
        // One slot of room for a node whose clock is behind.
        self.plan.valid_until.saturating_add(slots).saturating_sub(1)
    }

    async fn submission(
        self: Arc<Self>,
        k: u64,
        first: u64,
        count: u64,
        (due_first_us, due_last_us): (u64, u64),
        by_gossip: bool,
    ) -> Sent {
        let plan = &self.plan;
        let rollups = plan.rollups.len().max(1);
        let turn = usize::try_from(k).unwrap_or(0).checked_rem(rollups).unwrap_or(0);
        let rollup = plan.rollups.get(turn).copied().unwrap_or_default();
        let (door, valid_until) = (self.door(k), self.valid_until());
        let list = plan.generator.list(rollup, valid_until, first, count);
        let certified = !by_gossip && k.checked_rem(CERTIFIED_EVERY) == Some(0);
        let answer = if by_gossip {
            match &plan.gossip {
                Some(gossip) if gossip.publish(list) => Answer::Gossiped,
                _ => Answer::Failed("gossip: not taken".into()),
            }
        } else {
            self.ask(door, list, certified, first, count).await
        };
        let answered_us = self.timeline.now_us();
        let (first, count) = (first, count);
        Sent {
            first,
            count,
            rollup,
            valid_until,
            door,
            due_first_us,
            due_last_us,
            answered_us,
            certified: certified && matches!(answer, Answer::Receipt(_)),
            answer,
        }
    }

    async fn ask(
        &self,
        door: usize,
        list: bytes::Bytes,
        certified: bool,
        first: u64,
        count: u64,
    ) -> Answer {
        let Some(at) = self.plan.doors.get(door) else {
            return Answer::Failed("no door".into());
        };
        let wait = if certified { "certified" } else { "received" };
        match at.client.submit(list, wait).await {
            Ok(submitted) => self.receipt(&submitted, first, count),
            Err(TestnetError::Limited { .. }) => Answer::Limited,
            Err(error) => {
                if let Some(failed) = self.failed_us.get(door) {
                    failed.store(self.timeline.now_us(), Ordering::Relaxed);
                }
                Answer::Failed(error.to_string())
            }
        }
    }

    fn receipt(&self, submitted: &Submitted, first: u64, count: u64) -> Answer {
        let text = submitted.receipt.strip_prefix("0x").unwrap_or(&submitted.receipt);
        let decoded = hex::decode(text)
            .ok()
            .and_then(|bytes| rota_types::codec::decode::<SignedReceipt>(&bytes, 1024).ok());
        let Some(signed) = decoded else {
            return Answer::Failed(format!("no receipt: {:?}", text.get(..80)));
        };
        let receipt = &signed.receipt;
        let looked_at = first.checked_rem(VERIFIED_EVERY.saturating_mul(count)) == Some(0);
        let wrong = u64::from(receipt.count) != count
            || (looked_at && signed.verify(self.plan.chain_id).is_err());
        if wrong {
            self.bad_receipts.fetch_add(1, Ordering::Relaxed);
        }
        Answer::Receipt(Receipted {
            first,
            count,
            lane: receipt.position.lane,
            incarnation: receipt.position.incarnation.0,
            seq: receipt.position.seq.0,
            first_index: receipt.first_index,
        })
    }
}
