//! Asks a node over HTTP: what the command line, and tests, use.
//!
//! Knows several URLs and stays with the one that answered last. It retries nothing by itself but a connection that
//! could not be made; [`ClientError::retry_ms`] tells callers what may be tried again.

pub mod batch;
mod error;

pub use error::ClientError;

use crate::api::{
    AccountView, Cursor, Level, Page, PeerView, Readiness, Submitted, SyncView, TransactionStatus,
    ValidatorView,
};
use crate::rpc::DoorError;
use crate::rpc::limits::WAIT_MAX;
use crate::rpc::views::{LimitsView, RollupView};
use bytes::Bytes;
use reqwest::{Method, RequestBuilder, Response};
use rota_types::{Hash, Height, RollupId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Most bytes of an answer that are read: the largest page with its frame.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of one or more nodes of a network.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    urls: Vec<String>,
    current: AtomicUsize,
}

enum Content<'a> {
    None,
    Json(&'a Value),
    Raw(Bytes),
}

impl Client {
    /// For nodes at `urls`, as `http://127.0.0.1:8645`.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] for no URL at all, or one that is not `http://`.
    pub fn new(urls: &[String]) -> Result<Self, ClientError> {
        let unusable =
            |url: &str, cause: String| ClientError::Unreachable { url: url.into(), cause };
        let urls: Vec<String> =
            urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        if urls.is_empty() {
            return Err(unusable("", "no URL was given".into()));
        }
        if let Some(url) = urls.iter().find(|url| !url.starts_with("http://")) {
            return Err(unusable(url, "a URL begins with http://".into()));
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(WAIT_MAX.saturating_add(Duration::from_secs(10)))
            .build()
            .map_err(|error| unusable("", error.to_string()))?;
        Ok(Self { http, urls, current: AtomicUsize::new(0) })
    }

    /// The URL that answered last.
    #[must_use]
    pub fn url(&self) -> &str {
        let at = self.current.load(Ordering::Relaxed);
        self.urls.get(at).map_or("", String::as_str)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content: Content<'_>,
    ) -> Result<Bytes, ClientError> {
        let first = self.current.load(Ordering::Relaxed);
        let mut last = None;
        for step in 0..self.urls.len() {
            let at = first.saturating_add(step).checked_rem(self.urls.len()).unwrap_or(0);
            let Some(url) = self.urls.get(at) else { continue };
            let request = self.http.request(method.clone(), format!("{url}{path}"));
            match with(request, &content).send().await {
                Ok(response) => {
                    self.current.store(at, Ordering::Relaxed);
                    return answer(url, response).await;
                }
                Err(error) => {
                    let cause = innermost(&error);
                    last = Some(ClientError::Unreachable { url: url.clone(), cause });
                }
            }
        }
        Err(last.unwrap_or_else(|| ClientError::Unreachable {
            url: String::new(),
            cause: "no URL was given".into(),
        }))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let bytes = self.send(Method::GET, path, Content::None).await?;
        self.parse(&bytes)
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(bytes).map_err(|error| ClientError::Garbled {
            url: self.url().into(),
            cause: error.to_string(),
        })
    }

    /// Submits an encoded list of transactions; the answer names none of them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn submit_raw(
        &self,
        list: Bytes,
        wait: Level,
        timeout: Duration,
    ) -> Result<Submitted, ClientError> {
        let wait = level_name(wait);
        let path = format!("/v1/transactions?wait={wait}&timeout_ms={}", timeout.as_millis());
        let bytes = self.send(Method::POST, &path, Content::Raw(list)).await?;
        self.parse(&bytes)
    }

    /// Where each of at most 256 transactions is; `None` for one that the node does not know.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn statuses(
        &self,
        ids: &[Hash],
    ) -> Result<Vec<Option<TransactionStatus>>, ClientError> {
        let body = json!({ "ids": ids });
        let bytes =
            self.send(Method::POST, "/v1/transactions/status", Content::Json(&body)).await?;
        self.parse(&bytes)
    }

    /// Where a transaction is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn transaction(&self, id: Hash) -> Result<TransactionStatus, ClientError> {
        self.get(&format!("/v1/transactions/{id}")).await
    }

    /// A slot as the node's JSON; `None` is the newest executed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn slot(&self, height: Option<Height>) -> Result<Value, ClientError> {
        let height = height.map_or_else(|| "latest".into(), |height| height.to_string());
        self.get(&format!("/v1/slots/{height}")).await
    }

    /// A page of a rollup's ordered transactions, waiting at most `wait` for the first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn page(
        &self,
        rollup: RollupId,
        from: Cursor,
        until: Option<Height>,
        wait: Duration,
    ) -> Result<Page, ClientError> {
        let until = until.map_or_else(String::new, |until| format!("&until={until}"));
        self.get(&format!(
            "/v1/rollups/{rollup}/transactions?from={}&index={}{until}&wait_ms={}",
            from.height,
            from.index,
            wait.as_millis()
        ))
        .await
    }

    /// A finality bundle by its path under `/v1/bundles/`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bundle(&self, path: &str) -> Result<Bytes, ClientError> {
        self.send(Method::GET, &format!("/v1/bundles/{path}"), Content::None).await
    }

    /// A keystore account.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn account(&self, id: Hash) -> Result<AccountView, ClientError> {
        self.get(&format!("/v1/keystore/accounts/{id}")).await
    }

    /// How far the node is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self) -> Result<SyncView, ClientError> {
        self.get("/v1/status").await
    }

    /// The checks behind `/readyz`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn readiness(&self) -> Result<Readiness, ClientError> {
        self.call("rota_readiness", &json!({})).await
    }

    /// Limits that a sender needs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn limits(&self) -> Result<LimitsView, ClientError> {
        self.get("/v1/node/limits").await
    }

    /// Registered rollups.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rollups(&self) -> Result<Vec<RollupView>, ClientError> {
        self.get("/v1/rollups").await
    }

    /// Connected peers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn peers(&self) -> Result<Vec<PeerView>, ClientError> {
        self.get("/v1/node/peers").await
    }

    /// The validators in force.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn validators(&self) -> Result<Vec<ValidatorView>, ClientError> {
        self.get("/v1/validators").await
    }

    /// A JSON-RPC call.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Value,
    ) -> Result<T, ClientError> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let bytes = self.send(Method::POST, "/rpc", Content::Json(&body)).await?;
        let mut answer: Value = self.parse(&bytes)?;
        if let Some(error) = answer.get("error") {
            return Err(ClientError::Answered(of_rpc(error)));
        }
        let result = answer.get_mut("result").map(Value::take).unwrap_or_default();
        serde_json::from_value(result).map_err(|error| ClientError::Garbled {
            url: self.url().into(),
            cause: error.to_string(),
        })
    }
}

/// The name of a level as the doors write it.
#[must_use]
pub fn level_name(level: Level) -> String {
    match serde_json::to_value(level) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

fn with(request: RequestBuilder, content: &Content<'_>) -> RequestBuilder {
    match content {
        Content::None => request,
        Content::Json(value) => request.json(value),
        Content::Raw(bytes) => request
            .header(reqwest::header::CONTENT_TYPE, "application/octet-stream")
            .body(bytes.clone()),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

async fn answer(url: &str, mut response: Response) -> Result<Bytes, ClientError> {
    let garbled = |cause: String| ClientError::Garbled { url: url.into(), cause };
    let status = response.status();
    let retry_ms = response
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok())
        .map(|seconds| seconds.saturating_mul(1_000));
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => break,
            Ok(Some(chunk)) => {
                if bytes.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                    return Err(garbled(format!("more than {ANSWER_BYTES_MAX} bytes")));
                }
                bytes.extend_from_slice(&chunk);
            }
            // The connection broke in the middle: the same as a node that cannot be reached.
            Err(error) => {
                let cause = innermost(&error);
                return Err(ClientError::Unreachable { url: url.into(), cause });
            }
        }
    }
    if status.is_success() {
        return Ok(bytes.into());
    }
    match serde_json::from_slice::<DoorError>(&bytes) {
        Ok(mut error) => {
            let stated = error.data.as_ref().and_then(|data| data.get("retry_ms")?.as_u64());
            error.retry_ms = stated.or(retry_ms);
            error.status = status.as_u16();
            Err(ClientError::Answered(error))
        }
        // Readiness answers 503 with its checks, JSON-RPC its own form: both are read by their callers.
        Err(_) if serde_json::from_slice::<Value>(&bytes).is_ok() => Ok(bytes.into()),
        Err(_) => Err(garbled(format!("HTTP {status}"))),
    }
}

fn of_rpc(error: &Value) -> DoorError {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let data = error.get("data").cloned();
    let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
    DoorError {
        code: i32::try_from(code).unwrap_or_default(),
        name: text(data.as_ref().and_then(|data| data.get("name"))),
        message: text(error.get("message")),
        retry_ms: data.as_ref().and_then(|data| data.get("retry_ms")?.as_u64()),
        data,
        status: 0,
    }
}
