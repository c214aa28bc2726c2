//! REST: the submission door, and what is agreed (slots, headers, namespaces, bundles) with caching that says so.

use super::error::DoorError;
use super::gate::{Caller, Gate};
use super::jsonrpc::Door;
use super::submit::{self, SubmitArgs};
use super::views::{self, HeightArg};
use crate::api::{Backend, BundleOf, Cursor, Level, Submission};
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use rota_types::{Hash, Height, Refusal, RollupId, TransactionList};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::sync::Arc;

/// Bytes of a raw submission that cost one unit more.
const RAW_BYTES_PER_UNIT: usize = 256 * 1024;

type Answer = Result<Response, DoorError>;
type Shared<B> = State<Arc<Door<B>>>;

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = DoorError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, DoorError> {
        Ok(super::jsonrpc::caller(&parts.extensions))
    }
}

/// All paths under `/v1`.
pub(crate) fn router<B: Backend>(door: Arc<Door<B>>) -> Router {
    Router::new()
        .route("/v1/transactions", post(submit::<B>))
        .route("/v1/transactions/status", post(statuses::<B>))
        .route("/v1/transactions/{id}", get(transaction::<B>))
        .route("/v1/slots/{height}", get(slot::<B>))
        .route("/v1/headers/{height}", get(header_at::<B>))
        .route("/v1/slots/{height}/namespaces/{rollup}", get(namespace::<B>))
        .route("/v1/rollups", get(rollups::<B>))
        .route("/v1/rollups/{rollup}/transactions", get(page::<B>))
        .route("/v1/bundles/transactions/{id}", get(transaction_bundle::<B>))
        .route("/v1/bundles/slots/{height}/namespaces/{rollup}", get(namespace_bundle::<B>))
        .route("/v1/bundles/accounts/{id}", get(account_bundle::<B>))
        .route("/v1/keystore/accounts/{id}", get(account::<B>))
        .route("/v1/status", get(status::<B>))
        .route("/v1/status/ready", get(ready::<B>))
        .route("/v1/node/limits", get(limits::<B>))
        .route("/v1/node/peers", get(peers::<B>))
        .route("/v1/validators", get(validators::<B>))
        .with_state(door)
}

/// Reads a body within its limits of size and time, and of all bodies together.
pub(crate) async fn body(gate: &Gate, headers: &HeaderMap, body: Body) -> Result<Bytes, DoorError> {
    let max = gate.limits().body_bytes_max;
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    let claimed = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if claimed.is_some_and(|claimed| claimed > limit) {
        return Err(DoorError::too_large(limit, claimed));
    }
    let claimed = claimed.and_then(|claimed| usize::try_from(claimed).ok()).unwrap_or(0);
    let read = read(gate, max, claimed, body);
    match tokio::time::timeout(gate.limits().body_read_timeout, read).await {
        Ok(read) => read,
        Err(_) => Err(DoorError::bad_request("the body took too long")),
    }
}

async fn read(gate: &Gate, max: usize, claimed: usize, body: Body) -> Result<Bytes, DoorError> {
    let mut chunks = body.into_data_stream();
    let mut bytes = BytesMut::new();
    // Taken for what has come, not for what is claimed: claiming costs nothing.
    let mut room = gate.body(0)?;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| DoorError::bad_request("the body ended early"))?;
        if bytes.len().saturating_add(chunk.len()) > max {
            return Err(DoorError::too_large(u64::try_from(max).unwrap_or(u64::MAX), None));
        }
        room.merge(gate.body(chunk.len())?);
        if bytes.is_empty() {
            // Address space for the whole claim, which is within `max`: pages are taken as bytes come.
            bytes.reserve(claimed.max(chunk.len()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn argument<T: FromStr>(what: &str, text: &str) -> Result<T, DoorError> {
    text.parse().map_err(|_| DoorError::bad_request(format!("{what}: cannot read {text:?}")))
}

fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, DoorError> {
    match query {
        Ok(Query(value)) => Ok(value),
        Err(rejection) => Err(DoorError::bad_request(rejection.body_text())),
    }
}

fn fresh<T: Serialize>(value: &T) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], axum::Json(value))
        .into_response()
}

enum Kept {
    /// Never changes: strong tag, cache for ever.
    Sealed,
    /// May still change.
    Open,
}

/// An answer that is cached for ever once it is sealed.
fn agreed(kept: &Kept, headers: &HeaderMap, kind: &'static str, bytes: Vec<u8>) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if matches!(kept, Kept::Open) {
        let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return ([kind, no_store], bytes).into_response();
    }
    let tag = format!("\"{}\"", rota_types::keccak256(&bytes));
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    let seen = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|one| one.trim() == tag));
    let mut response = if seen {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([kind], bytes).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, forever);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn agreed_json<T: Serialize>(kept: &Kept, headers: &HeaderMap, value: &T) -> Answer {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| DoorError::bad_request(format!("cannot write the answer: {error}")))?;
    Ok(agreed(kept, headers, "application/json", bytes))
}

fn kept(height: HeightArg, level: Level) -> Kept {
    if height.0.is_some() && level >= Level::Sealed { Kept::Sealed } else { Kept::Open }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmitQuery {
    wait: Option<Level>,
    timeout_ms: Option<u64>,
    detail: Option<u8>,
}

async fn submit<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    asked: Result<Query<SubmitQuery>, QueryRejection>,
    headers: HeaderMap,
    content: Body,
) -> Answer {
    let asked = query(asked)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let raw = match kind.map(|kind| kind.split(';').next().unwrap_or_default().trim()) {
        Some("application/octet-stream") => true,
        Some("application/json") => false,
        _ => {
            return Err(DoorError::bad_request(
                "content-type must be application/json or application/octet-stream",
            ));
        }
    };
    door.gate.charge(caller, super::methods::SUBMIT.cost)?;
    let bytes = body(&door.gate, &headers, content).await?;
    let (list, wait, timeout_ms) = if raw {
        let more = u32::try_from(bytes.len() / RAW_BYTES_PER_UNIT).unwrap_or(u32::MAX);
        door.gate.charge(caller, more)?;
        let list = TransactionList::parse(bytes, door.gate.limits().body_bytes_max)
            .map_err(|error| DoorError::refused(None, Refusal::from(&error)))?;
        (list, asked.wait, asked.timeout_ms)
    } else {
        let args: SubmitArgs = serde_json::from_slice(&bytes)
            .map_err(|error| DoorError::bad_request(error.to_string()))?;
        let list = submit::list(&args, door.backend.valid_until_max(), door.gate.limits())?;
        (list, asked.wait.or(args.wait), asked.timeout_ms.or(args.timeout_ms))
    };
    door.gate.charge(caller, submit::signature_cost(&list))?;
    let detail = asked.detail.map_or(!raw, |detail| detail != 0);
    let submission = Submission {
        list,
        source: Some(caller.0),
        wait: wait.unwrap_or(Level::Received),
        deadline: submit::deadline(door.gate.limits(), timeout_ms),
        detail,
    };
    Ok(fresh(&door.backend.submit(submission).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<Hash>,
}

async fn statuses<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    headers: HeaderMap,
    content: Body,
) -> Answer {
    door.gate.charge(caller, super::methods::GET_TRANSACTIONS.cost)?;
    let bytes = body(&door.gate, &headers, content).await?;
    let asked: Ids = serde_json::from_slice(&bytes)
        .map_err(|error| DoorError::bad_request(error.to_string()))?;
    Ok(fresh(&views::transactions(&door.backend, &asked.ids).await?))
}

async fn transaction<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    door.gate.charge(caller, 1)?;
    Ok(fresh(&door.backend.transaction(argument("id", &id)?).await?))
}

async fn slot<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    Path(height): Path<String>,
    headers: HeaderMap,
) -> Answer {
    door.gate.charge(caller, 2)?;
    let height: HeightArg = height.parse()?;
    let slot = views::slot(&door.backend, height).await?;
    agreed_json(&kept(height, slot.level), &headers, &slot)
}

async fn header_at<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    Path(height): Path<String>,
    headers: HeaderMap,
) -> Answer {
    door.gate.charge(caller, 1)?;
    let height: HeightArg = height.parse()?;
    let header = views::header(views::slot(&door.backend, height).await?)?;
    agreed_json(&kept(height, header.level), &headers, &header)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexQuery {
    #[serde(default)]
    index: u64,
}

async fn namespace<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    Path((height, rollup)): Path<(String, String)>,
    asked: Result<Query<IndexQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Answer {
    door.gate.charge(caller, 10)?;
    let height: Height = argument("height", &height)?;
    let rollup: RollupId = argument("rollup", &rollup)?;
    let view = views::namespace(&door.backend, height, rollup, query(asked)?.index).await?;
    agreed_json(&kept(HeightArg(Some(height)), view.level), &headers, &view)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    #[serde(default)]
    from: Height,
    #[serde(default)]
    index: u64,
    until: Option<Height>,
    #[serde(default)]
    wait_ms: u64,
}

async fn page<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    Path(rollup): Path<String>,
    asked: Result<Query<PageQuery>, QueryRejection>,
) -> Answer {
    door.gate.charge(caller, 10)?;
    let rollup: RollupId = argument("rollup", &rollup)?;
    let asked = query(asked)?;
    let from = Cursor { height: asked.from.max(Height(1)), index: asked.index };
    let range = door.gate.limits().range_slots_max;
    let page = views::page(&door.backend, rollup, from, asked.until, asked.wait_ms, range).await?;
    Ok(fresh(&page))
}

async fn bundle<B: Backend>(
    door: &Door<B>,
    caller: Caller,
    headers: &HeaderMap,
    of: BundleOf,
) -> Answer {
    door.gate.charge(caller, super::methods::GET_FINALITY_BUNDLE.cost)?;
    let kept = if matches!(of, BundleOf::Account(_)) { Kept::Open } else { Kept::Sealed };
    let bytes = door.backend.bundle(of).await?;
    Ok(agreed(&kept, headers, "application/octet-stream", bytes))
}

async fn transaction_bundle<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    bundle(&door, caller, &headers, BundleOf::Transaction(argument("id", &id)?)).await
}

async fn namespace_bundle<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    Path((height, rollup)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let of = BundleOf::Namespace(argument("height", &height)?, argument("rollup", &rollup)?);
    bundle(&door, caller, &headers, of).await
}

async fn account_bundle<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    bundle(&door, caller, &headers, BundleOf::Account(argument("id", &id)?)).await
}

async fn account<B: Backend>(
    State(door): Shared<B>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    door.gate.charge(caller, 1)?;
    Ok(fresh(&door.backend.account(argument("id", &id)?).await?))
}

async fn rollups<B: Backend>(State(door): Shared<B>, caller: Caller) -> Answer {
    door.gate.charge(caller, 1)?;
    Ok(fresh(&views::rollups(&door.backend)))
}

async fn status<B: Backend>(State(door): Shared<B>, caller: Caller) -> Answer {
    door.gate.charge(caller, 1)?;
    Ok(fresh(&door.backend.sync_status()))
}

async fn ready<B: Backend>(State(door): Shared<B>, caller: Caller) -> Answer {
    door.gate.charge(caller, 1)?;
    Ok(super::health::readiness(&door.backend.readiness()))
}

async fn limits<B: Backend>(State(door): Shared<B>, caller: Caller) -> Answer {
    door.gate.charge(caller, 1)?;
    Ok(fresh(&views::limits(&door.backend, door.gate.limits())))
}

async fn peers<B: Backend>(State(door): Shared<B>, caller: Caller) -> Answer {
    door.gate.charge(caller, 1)?;
    Ok(fresh(&door.backend.peers().await))
}

async fn validators<B: Backend>(State(door): Shared<B>, caller: Caller) -> Answer {
    door.gate.charge(caller, 1)?;
    Ok(fresh(&door.backend.validators().await))
}
