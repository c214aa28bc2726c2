//! Sends many transactions in order through one lane, and waits for all of them.

use super::{Client, ClientError};
use crate::api::{Level, TransactionStatus};
use crate::error::{ExitCode, OperatorError};
use crate::rpc::limits::STATUS_IDS_MAX;
use bytes::Bytes;
use rota_types::codec::encode;
use rota_types::limits::TX_BYTES_MAX;
use rota_types::{Hash, Transaction, TransactionList, keccak256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Most bytes of one submission: half a batch, so that two fit one and none waits for an empty lane.
const SUBMISSION_BYTES_MAX: usize = 256 * 1024;
/// How long one submission may wait for its receipt.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(20);
/// First and longest pause between two questions.
const POLL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// Where one transaction is, if the node knows it.
pub type Progress = Option<TransactionStatus>;

/// Transactions in order, cut into submissions.
#[derive(Clone, Debug)]
pub struct Batch {
    ids: Vec<Hash>,
    submissions: Vec<Bytes>,
}

impl Batch {
    /// Encodes `transactions`; one that occurs twice is sent once.
    ///
    /// # Errors
    /// Data-refused for one over the size limit, naming its line.
    pub fn new(transactions: &[Transaction]) -> Result<Self, OperatorError> {
        let mut ids = Vec::with_capacity(transactions.len());
        let mut seen = BTreeSet::new();
        let mut submissions = Vec::new();
        let (mut open, mut count) = (vec![0u8; 4], 0u32);
        for (index, transaction) in transactions.iter().enumerate() {
            let bytes = encode(transaction);
            if bytes.len() > TX_BYTES_MAX {
                let message = format!("transaction {} is too large", index.saturating_add(1));
                return Err(OperatorError::new(ExitCode::DataRefused, message).cause(format!(
                    "Oversize: the limit is {TX_BYTES_MAX}, the value {}",
                    bytes.len()
                )));
            }
            let id = keccak256(&bytes);
            ids.push(id);
            if !seen.insert(id) {
                continue;
            }
            if count > 0 && open.len().saturating_add(bytes.len()) > SUBMISSION_BYTES_MAX {
                submissions.push(close(std::mem::replace(&mut open, vec![0; 4]), count));
                count = 0;
            }
            open.extend_from_slice(&bytes);
            count = count.saturating_add(1);
        }
        if count > 0 {
            submissions.push(close(open, count));
        }
        Ok(Self { ids, submissions })
    }

    /// Ids in the order given.
    #[must_use]
    pub fn ids(&self) -> &[Hash] {
        &self.ids
    }
}

fn close(mut list: Vec<u8>, count: u32) -> Bytes {
    if let Some(head) = list.first_chunk_mut::<4>() {
        *head = count.to_le_bytes();
    }
    list.into()
}

/// Pauses, or gives the error back if it is for ever or the time is over.
async fn pause(error: ClientError, deadline: Instant) -> Result<(), OperatorError> {
    match error.retry_ms() {
        Some(retry_ms) if Instant::now() < deadline => {
            tokio::time::sleep(Duration::from_millis(retry_ms.clamp(10, 5_000))).await;
            Ok(())
        }
        _ => Err(error.into()),
    }
}

/// Sends every submission, one after another: each has its receipt before the next is sent, so one lane holds
/// them in order. What may be tried again is.
///
/// # Errors
/// The first refusal, or what was wrong last when the time was over.
pub async fn submit_in_order(
    client: &Client,
    batch: &Batch,
    deadline: Instant,
) -> Result<(), OperatorError> {
    for list in &batch.submissions {
        let mut left = Some(list.clone());
        while let Some(list) = left.take() {
            match client.submit_raw(list.clone(), Level::Received, RECEIPT_TIMEOUT).await {
                Ok(_) => {}
                // An earlier try arrived, whole or in part, although its answer did not.
                Err(error) if error.name() == Some("Duplicate") => {
                    left = unknown(client, list, deadline).await?;
                }
                Err(error) => {
                    pause(error, deadline).await?;
                    left = Some(list);
                }
            }
        }
    }
    Ok(())
}

/// The transactions of `list` that the node does not know, as a list; `None` if it knows all of them.
async fn unknown(
    client: &Client,
    list: Bytes,
    deadline: Instant,
) -> Result<Option<Bytes>, OperatorError> {
    let bug = |error| OperatorError::new(ExitCode::Bug, "our own submission").cause(error);
    let list = TransactionList::parse(list, SUBMISSION_BYTES_MAX + TX_BYTES_MAX).map_err(bug)?;
    let ids: Vec<Hash> = list.ids().collect();
    let mut known = BTreeSet::new();
    for ids in ids.chunks(STATUS_IDS_MAX) {
        loop {
            match client.statuses(ids).await {
                Ok(statuses) => {
                    known.extend(statuses.into_iter().flatten().map(|status| status.id));
                    break;
                }
                Err(error) => pause(error, deadline).await?,
            }
        }
    }
    let left: Vec<&[u8]> =
        list.iter().filter(|view| !known.contains(&view.id)).map(|view| view.bytes).collect();
    if left.len() == list.len() && Instant::now() >= deadline {
        return Err(OperatorError::new(ExitCode::TryAgain, "the node neither takes nor knows it"));
    }
    if left.is_empty() {
        return Ok(None);
    }
    let left = TransactionList::from_encoded(left, SUBMISSION_BYTES_MAX + TX_BYTES_MAX);
    Ok(Some(left.map_err(bug)?.bytes().clone()))
}

fn reached(progress: Option<&TransactionStatus>, level: Level) -> bool {
    progress.is_some_and(|status| status.level >= level || status.skipped.is_some())
}

/// Asks until every transaction has reached `level`, was skipped, or the time is over; answers in the batch's order.
///
/// # Errors
/// What the node cannot answer.
pub async fn wait_for(
    client: &Client,
    batch: &Batch,
    level: Level,
    deadline: Instant,
) -> Result<Vec<Progress>, OperatorError> {
    let mut known: BTreeMap<Hash, TransactionStatus> = BTreeMap::new();
    let (mut poll, longest) = POLL;
    loop {
        let open: Vec<Hash> =
            batch.ids.iter().filter(|id| !reached(known.get(id), level)).copied().collect();
        let mut progressed = false;
        for ids in open.chunks(STATUS_IDS_MAX) {
            match client.statuses(ids).await {
                Ok(statuses) => {
                    let done = statuses.iter().all(|status| reached(status.as_ref(), level));
                    progressed |= done;
                    known.extend(statuses.into_iter().flatten().map(|status| (status.id, status)));
                    // They were sent in order, so later ones are hardly further.
                    if !done {
                        break;
                    }
                }
                Err(error) => {
                    pause(error, deadline).await?;
                    break;
                }
            }
        }
        let all = batch.ids.iter().all(|id| reached(known.get(id), level));
        if all || Instant::now() >= deadline {
            return Ok(batch.ids.iter().map(|id| known.get(id).cloned()).collect());
        }
        if !progressed {
            tokio::time::sleep(poll).await;
            poll = poll.saturating_mul(2).min(longest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::{RollupId, Slot};

    #[test]
    fn submissions_hold_every_transaction_once_and_in_order() {
        let mut transactions: Vec<_> = (0..3_000u32)
            .map(|n| Transaction {
                rollup: RollupId(10),
                valid_until_slot: Slot(9),
                payload: n.to_be_bytes().repeat(50),
            })
            .collect();
        transactions.push(transactions[0].clone());
        let batch = Batch::new(&transactions).unwrap();
        assert!(batch.submissions.len() > 1);
        let sent: Vec<Hash> = batch
            .submissions
            .iter()
            .flat_map(|bytes| {
                let list = TransactionList::parse(bytes.clone(), SUBMISSION_BYTES_MAX).unwrap();
                list.ids().collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(sent, batch.ids()[..3_000]);
        assert_eq!(batch.ids()[3_000], batch.ids()[0]);
    }
}
