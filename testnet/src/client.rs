//! A node as a stranger sees it: the REST paths that runs and loads need, read by types of our own.
//!
//! The types are not those of the node's crate: what is checked here is the JSON on the wire.

use crate::error::TestnetError;
use crate::limits::{ANSWER_BYTES_MAX, ANSWER_TIMEOUT, LIMITED_RETRIES_MAX, POLL};
use bytes::Bytes;
use rota_types::{Hash, ValidatorKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Unix milliseconds at which a level was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Times {
    /// Durable with its author.
    pub received: Option<u64>,
    /// Held by more than two thirds.
    pub certified: Option<u64>,
    /// Decided and in the ledger.
    pub ordered: Option<u64>,
    /// Sealed by more than two thirds.
    pub sealed: Option<u64>,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// Network.
    pub chain_id: u64,
    /// Hash of its genesis.
    pub genesis: Hash,
    /// Software.
    pub version: String,
    /// Length of a slot.
    pub slot_ms: u64,
    /// Current slot by the node's clock.
    pub slot: u64,
    /// Newest decided height.
    pub decided: u64,
    /// Newest executed height.
    pub executed: u64,
    /// Newest sealed height.
    pub sealed: u64,
    /// First height kept.
    pub first_kept: u64,
    /// Dialable addresses.
    pub listen: Vec<String>,
    /// Validators caught signing two things.
    pub evidence: Vec<String>,
}

/// A decided batch of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Batch {
    /// Its lane.
    pub lane: ValidatorKey,
    /// Generation of the lane.
    pub incarnation: u32,
    /// Its number.
    pub seq: u64,
    /// Digest of its header.
    pub digest: Hash,
    /// Transactions in it.
    pub txs: u64,
}

/// Why a transaction was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Skip {
    /// Name of the code.
    pub name: String,
}

/// `GET /v1/slots/{height}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SlotView {
    /// Its height.
    pub height: u64,
    /// Its slot.
    pub slot: u64,
    /// Round of the decision.
    pub round: u32,
    /// Id of the decided proposal.
    pub proposal: Hash,
    /// Id of the executed header.
    pub header_id: Option<Hash>,
    /// When the node learned each level.
    pub times: Times,
    /// Decided batches in order.
    pub batches: Vec<Batch>,
    /// Rollups with transactions, and how many.
    pub namespaces: Vec<(u64, u64)>,
    /// Skipped transactions by their index in slot order.
    pub skipped: Vec<(u64, Skip)>,
}

/// One transaction of a page. The payload is looked at and dropped.
#[derive(Clone, Debug, Deserialize)]
pub struct Ordered<'a> {
    /// Height.
    pub height: u64,
    /// Index in the namespace.
    pub index: u64,
    /// Its id.
    #[serde(borrow)]
    pub id: &'a str,
    /// Payload in hex.
    #[serde(borrow)]
    pub payload: &'a str,
    /// Lane it came through.
    pub lane: ValidatorKey,
    /// Batch of the lane.
    pub seq: u64,
}

/// A place in a rollup's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Cursor {
    /// Height.
    pub height: u64,
    /// Index in the namespace.
    pub index: u64,
}

/// `GET /v1/rollups/{rollup}/transactions`.
#[derive(Clone, Debug, Deserialize)]
pub struct Page<'a> {
    /// Transactions from the cursor asked for.
    #[serde(borrow)]
    pub transactions: Vec<Ordered<'a>>,
    /// Where to go on.
    pub next: Cursor,
    /// Newest executed height.
    pub head: u64,
}

/// `GET /v1/transactions/{id}`.
#[derive(Clone, Debug, Deserialize)]
pub struct TransactionStatus {
    /// Lane it is in.
    pub lane: Option<ValidatorKey>,
    /// Batch in the lane.
    pub seq: Option<u64>,
    /// Index in the batch.
    pub index: Option<u32>,
    /// Decided height.
    pub height: Option<u64>,
    /// Index in the namespace.
    pub namespace_index: Option<u64>,
    /// Why it was skipped at its place.
    pub skipped: Option<Skip>,
}

/// Answer to a submission.
#[derive(Clone, Debug, Deserialize)]
pub struct Submitted {
    /// `received`, `certified`, …
    pub level: String,
    /// Hex of the signed receipt.
    pub receipt: String,
}

/// `GET /v1/node/limits`.
#[derive(Clone, Debug, Deserialize)]
pub struct NodeLimits {
    /// Network.
    pub chain_id: u64,
    /// Length of a slot.
    pub slot_ms: u64,
    /// Current slot.
    pub slot: u64,
    /// Highest `valid_until_slot` admitted now.
    pub valid_until_max: u64,
}

/// A registered rollup.
#[derive(Clone, Debug, Deserialize)]
pub struct Rollup {
    /// Its id.
    pub id: u64,
}

/// A node's door. Cheap to clone; clones share kept-alive connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    /// A client of the door at `url`, like `http://127.0.0.1:8645`.
    ///
    /// # Errors
    /// If the HTTP stack cannot start.
    pub fn new(url: &str) -> Result<Self, TestnetError> {
        let http = reqwest::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .connect_timeout(Duration::from_secs(3))
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .map_err(|error| answer(url, &error))?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned() })
    }

    /// Where it asks.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks, and asks again while the node is at a limit: other than a submission, a question can wait.
    async fn get(&self, path: &str) -> Result<Bytes, TestnetError> {
        let url = format!("{}{path}", self.url);
        let mut left = LIMITED_RETRIES_MAX;
        loop {
            let sent = self.http.get(&url).send().await;
            match read(&url, sent).await {
                Err(TestnetError::Limited { .. }) if left > 0 => {
                    left = left.saturating_sub(1);
                    tokio::time::sleep(POLL).await;
                }
                answer => return answer,
            }
        }
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, TestnetError> {
        let bytes = self.get(path).await?;
        parse(&format!("{}{path}", self.url), &bytes)
    }

    /// A page as text.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn text(&self, path: &str) -> Result<String, TestnetError> {
        Ok(String::from_utf8_lossy(&self.get(path).await?).into_owned())
    }

    /// How far the node is.
    ///
    /// # Errors
    /// No answer, or none that is understood.
    pub async fn status(&self) -> Result<Status, TestnetError> {
        self.json("/v1/status").await
    }

    /// Whether the node says it does its work.
    pub async fn is_ready(&self) -> bool {
        self.get("/v1/status/ready").await.is_ok()
    }

    /// What a sender needs to know.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn limits(&self) -> Result<NodeLimits, TestnetError> {
        self.json("/v1/node/limits").await
    }

    /// Registered rollups.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn rollups(&self) -> Result<Vec<u64>, TestnetError> {
        let rollups: Vec<Rollup> = self.json("/v1/rollups").await?;
        Ok(rollups.into_iter().map(|rollup| rollup.id).collect())
    }

    /// A decided slot.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn slot(&self, height: u64) -> Result<SlotView, TestnetError> {
        self.json(&format!("/v1/slots/{height}")).await
    }

    /// Start of slot 0, Unix milliseconds: a header's `time` is the end of its slot.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn genesis_ms(&self) -> Result<u64, TestnetError> {
        #[derive(Deserialize)]
        struct Header {
            slot: u64,
            time: u64,
        }
        #[derive(Deserialize)]
        struct View {
            header: Header,
        }
        let status = self.status().await?;
        let view: View = self.json("/v1/headers/latest").await?;
        let slots = view.header.slot.saturating_add(1);
        Ok(view.header.time.saturating_sub(slots.saturating_mul(status.slot_ms)))
    }

    /// Where a transaction is.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn transaction(&self, id: &Hash) -> Result<TransactionStatus, TestnetError> {
        self.json(&format!("/v1/transactions/{id}")).await
    }

    /// A page of a rollup's transactions, as bytes for [`parse_page`].
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn page(&self, rollup: u64, from: Cursor) -> Result<Bytes, TestnetError> {
        let Cursor { height, index } = from;
        self.get(&format!("/v1/rollups/{rollup}/transactions?from={height}&index={index}")).await
    }

    /// Submits an encoded list and waits for the level.
    ///
    /// # Errors
    /// [`TestnetError::Limited`], or as [`Self::status`].
    pub async fn submit(&self, list: Bytes, wait: &str) -> Result<Submitted, TestnetError> {
        let url = format!("{}/v1/transactions?wait={wait}", self.url);
        let request = self.http.post(&url).header("content-type", "application/octet-stream");
        let bytes = read(&url, request.body(list).send().await).await?;
        parse(&url, &bytes)
    }
}

/// Reads a page without copying its payloads.
///
/// # Errors
/// If it is no page.
pub fn parse_page(bytes: &[u8]) -> Result<Page<'_>, TestnetError> {
    serde_json::from_slice(bytes).map_err(|error| answer("page", &error))
}

fn answer(url: &str, cause: &dyn std::fmt::Display) -> TestnetError {
    TestnetError::Answer { url: url.to_owned(), cause: cause.to_string() }
}

fn parse<T: DeserializeOwned>(url: &str, bytes: &[u8]) -> Result<T, TestnetError> {
    serde_json::from_slice(bytes).map_err(|error| answer(url, &error))
}

async fn read(
    url: &str,
    sent: Result<reqwest::Response, reqwest::Error>,
) -> Result<Bytes, TestnetError> {
    let response = sent.map_err(|error| answer(url, &error))?;
    let status = response.status();
    let large = response.content_length().is_some_and(|length| {
        usize::try_from(length).map_or(true, |length| length > ANSWER_BYTES_MAX)
    });
    if large {
        return Err(answer(url, &"an answer larger than any that is asked for"));
    }
    let bytes = response.bytes().await.map_err(|error| answer(url, &error))?;
    if status == reqwest::StatusCode::TOO_MANY_REQUESTS {
        return Err(TestnetError::Limited { url: url.to_owned() });
    }
    if !status.is_success() {
        let text = String::from_utf8_lossy(bytes.get(..300).unwrap_or(&bytes)).into_owned();
        return Err(answer(url, &format!("{status}: {text}")));
    }
    Ok(bytes)
}
