//! The door for transactions: admission, the core, the receipt, and the wait for a level.

use super::admission::{Admission, Moment};
use super::backend::Inner;
use super::ground::Clock;
use super::release::Waiting;
use crate::api::{ApiError, Level, Submission, Submitted, TransactionStatus};
use crate::core::Input;
use crate::error::OperatorError;
use crate::limits::SUBMISSIONS_WAITING_MAX;
use rota_types::codec::encode;
use rota_types::limits::{BATCH_BODY_BYTES_MAX, BUNDLE_BYTES_MAX};
use rota_types::receipt::SignedReceipt;
use rota_types::{Genesis, Height, RefusalCode, TimestampMs, TransactionList, keccak256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Longest wait for a receipt: a node whose lane is open answers in milliseconds.
const RECEIPT_WAIT: Duration = Duration::from_secs(10);

/// How a door learns that what it waits for will not come.
#[derive(Clone)]
pub(super) struct End {
    /// Why the node cannot go on.
    pub(super) failure: watch::Receiver<Option<OperatorError>>,
    /// Whether it was asked to stop.
    pub(super) stop: watch::Receiver<bool>,
}

impl End {
    /// Waits until nothing becomes durable any more; gives the reason.
    async fn failed(&self) -> String {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(failure) => failure.as_ref().map_or_else(String::new, |e| e.message.clone()),
            Err(_) => "the node is stopping".to_owned(),
        }
    }

    /// Waits until the node fails or is stopped: a door then answers with what was reached.
    async fn came(&self) {
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = self.failed() => {}
            // A sender that is gone means the same as `true`.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    fn is_here(&self) -> bool {
        *self.stop.borrow() || self.failure.borrow().is_some()
    }
}

/// See the module's documentation.
pub(super) struct Submitter {
    genesis: Arc<Genesis>,
    admission: Admission,
    pub(super) bulk: mpsc::Sender<Input>,
    waiting: Arc<Waiting>,
    next_token: AtomicU64,
    clock: Arc<dyn Clock>,
    end: End,
}

impl Submitter {
    pub(super) fn new(
        genesis: Arc<Genesis>,
        bulk: mpsc::Sender<Input>,
        waiting: Arc<Waiting>,
        clock: Arc<dyn Clock>,
        end: End,
    ) -> Self {
        let admission = Admission::new(Arc::clone(&genesis));
        Self { genesis, admission, bulk, waiting, next_token: AtomicU64::new(1), clock, end }
    }

    pub(super) async fn submit(
        &self,
        node: &Inner,
        submission: Submission,
    ) -> Result<Submitted, ApiError> {
        let now = self.clock.now();
        let until = now.plus(u64::try_from(submission.deadline.as_millis()).unwrap_or(0));
        let moment = Moment::of(&node.view, now, &submission.list);
        self.admission.admit(&submission.list, moment).await?;
        if node.committer.is_crowded() {
            return Err(ApiError::Limited { what: "the commit queue", retry_ms: 250 });
        }
        if node.me.is_none() {
            return self.publish(node, &submission, until).await;
        }
        let receipt = self.receipt(submission.list.clone()).await?;
        self.wait(node, &submission, receipt, until).await
    }

    /// Gives the list to the own lane and waits for its receipt.
    async fn receipt(&self, list: TransactionList) -> Result<SignedReceipt, ApiError> {
        let token = self.next_token.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= SUBMISSIONS_WAITING_MAX {
                return Err(ApiError::Limited { what: "submissions waiting", retry_ms: 500 });
            }
            waiting.insert(token, sender);
        }
        let forget = || {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
        };
        if self.bulk.try_send(Input::Submit { token, list }).is_err() {
            forget();
            return Err(ApiError::Limited { what: "the core's mailbox", retry_ms: 100 });
        }
        let answered = tokio::select! {
            biased;
            answered = tokio::time::timeout(RECEIPT_WAIT, receiver) => answered,
            // Nothing becomes durable any more: this receipt never comes.
            why = self.end.failed() => {
                forget();
                return Err(ApiError::Unavailable(why));
            }
        };
        match answered {
            Ok(Ok(Ok(receipt))) => Ok(receipt),
            Ok(Ok(Err((refusal, Some(retry_ms))))) if refusal.code == RefusalCode::Limited => {
                Err(ApiError::Limited { what: "the own lane", retry_ms })
            }
            // A lane refuses a list for one of its transactions by naming it.
            Ok(Ok(Err((refusal, _)))) => {
                let named = refusal.value.filter(|_| refusal.code == RefusalCode::Duplicate);
                let index = named.and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
                Err(ApiError::Refused { index, refusal })
            }
            Ok(Err(_)) => Err(ApiError::Unavailable("the node is stopping".to_owned())),
            Err(_) => {
                forget();
                Err(ApiError::Unavailable(
                    "no receipt in time: the same bytes may be sent again".to_owned(),
                ))
            }
        }
    }

    /// Waits until the receipt's batch reached the level asked for, or the deadline.
    async fn wait(
        &self,
        node: &Inner,
        submission: &Submission,
        receipt: SignedReceipt,
        until: TimestampMs,
    ) -> Result<Submitted, ApiError> {
        let position = receipt.receipt.position;
        let mut changes = node.view.subscribe_changes();
        let height = loop {
            let height = node.view.height_of(&position.lane, position.seq);
            let head = node.view.head();
            let executed = height.filter(|height| *height <= head.executed);
            let reached = match submission.wait {
                Level::Published | Level::Received => true,
                Level::Certified => node.view.is_certified(&position),
                Level::Ordered => executed.is_some(),
                Level::Sealed => executed.is_some_and(|height| height <= head.sealed),
            };
            let left = until.0.saturating_sub(self.clock.now().0);
            if reached || left == 0 || self.end.is_here() {
                break executed;
            }
            self.changed(&mut changes, left).await;
        };
        let receipt_hex = hex::encode(encode(&receipt));
        let first_index = receipt.receipt.first_index;
        let transactions = if submission.detail {
            statuses(node, submission, &receipt, height)?
        } else {
            Vec::new()
        };
        Ok(Submitted {
            level: match height {
                Some(height) => node.level_of(height),
                None if node.view.is_certified(&position) => Level::Certified,
                None => Level::Received,
            },
            receipt: Some(receipt_hex),
            lane: Some(position.lane),
            seq: Some(position.seq),
            first_index: Some(first_index),
            forecast_slot: self.forecast(),
            transactions,
        })
    }

    /// Waits for a change of the view, at most `left` milliseconds, and not past the node's end.
    async fn changed(&self, changes: &mut watch::Receiver<u64>, left: u64) {
        tokio::select! {
            // A closed channel means that the node is going down.
            _ = changes.changed() => {}
            () = tokio::time::sleep(Duration::from_millis(left)) => {}
            () = self.end.came() => {}
        }
    }

    /// The slot whose known-deadline is next: what is certified by then is in it.
    fn forecast(&self) -> rota_types::Slot {
        let timing = self.genesis.timing();
        let now = self.clock.now();
        let slot = timing.slot_at(now);
        if timing.known(slot) > now { slot } else { slot.next() }
    }

    /// A full node has no lane: it gives the transactions to gossip, and waits for their order if asked.
    async fn publish(
        &self,
        node: &Inner,
        submission: &Submission,
        until: TimestampMs,
    ) -> Result<Submitted, ApiError> {
        for bundle in bundles(&submission.list) {
            node.network
                .publish(bundle.bytes().clone())
                .map_err(|error| ApiError::Unavailable(error.to_string()))?;
        }
        let mut changes = node.view.subscribe_changes();
        loop {
            let mut statuses = published(node, submission);
            let level = statuses.iter().map(|tx| tx.level).min().unwrap_or(Level::Published);
            let left = until.0.saturating_sub(self.clock.now().0);
            if level >= submission.wait.max(Level::Ordered)
                || submission.wait <= Level::Received
                || left == 0
                || self.end.is_here()
            {
                if !submission.detail {
                    statuses.clear();
                }
                return Ok(Submitted {
                    level,
                    receipt: None,
                    lane: None,
                    seq: None,
                    first_index: None,
                    forecast_slot: self.forecast(),
                    transactions: statuses,
                });
            }
            self.changed(&mut changes, left).await;
        }
    }
}

/// Cuts a list into bundles that gossip takes.
fn bundles(list: &TransactionList) -> Vec<TransactionList> {
    let mut bundles = Vec::new();
    let mut run: Vec<&[u8]> = Vec::new();
    let mut bytes = 4usize;
    for view in list.iter() {
        if bytes.saturating_add(view.bytes.len()) > BUNDLE_BYTES_MAX && !run.is_empty() {
            bundles.extend(TransactionList::from_encoded(run.drain(..), BUNDLE_BYTES_MAX));
            bytes = 4;
        }
        bytes = bytes.saturating_add(view.bytes.len());
        run.push(view.bytes);
    }
    bundles.extend(TransactionList::from_encoded(run, BATCH_BODY_BYTES_MAX));
    bundles
}

fn published(node: &Inner, submission: &Submission) -> Vec<TransactionStatus> {
    submission
        .list
        .iter()
        .map(|view| {
            node.transaction(&view.id).unwrap_or_else(|_| {
                let position = rota_types::LanePosition {
                    lane: rota_types::ValidatorKey::default(),
                    incarnation: rota_types::Incarnation(0),
                    seq: rota_types::Seq(0),
                };
                let hash = Some(keccak256(view.payload()));
                TransactionStatus {
                    level: Level::Published,
                    lane: None,
                    incarnation: None,
                    seq: None,
                    index: None,
                    ..node.status_in_batch(view.id, hash, Some(view.rollup), &position, 0)
                }
            })
        })
        .collect()
}

fn statuses(
    node: &Inner,
    submission: &Submission,
    receipt: &SignedReceipt,
    height: Option<Height>,
) -> Result<Vec<TransactionStatus>, ApiError> {
    let receipt = &receipt.receipt;
    if let Some(height) = height {
        return node.statuses_at(height, &receipt.position, receipt.first_index, receipt.count);
    }
    let status = |(index, view): (u32, rota_types::transaction::TxView<'_>)| {
        let hash = Some(keccak256(view.payload()));
        let index = receipt.first_index.saturating_add(index);
        node.status_in_batch(view.id, hash, Some(view.rollup), &receipt.position, index)
    };
    Ok((0u32..).zip(submission.list.iter()).map(status).collect())
}
