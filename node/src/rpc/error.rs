//! What a door answers when it does not answer: one error, the same by JSON-RPC and REST.

use crate::api::{ApiError, RefusalView};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jsonrpsee::types::ErrorObjectOwned;
use rota_types::{Refusal, RefusalCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// JSON-RPC code of a request that is not well formed.
pub const BAD_REQUEST: i32 = -32_602;
/// JSON-RPC code of a request over a limit of rate; `data.retry_ms` says when to try again.
pub const LIMITED: i32 = -32_005;
/// JSON-RPC code of something that is not known here.
pub const NOT_FOUND: i32 = -32_020;
/// JSON-RPC code of something that will be known.
pub const NOT_YET: i32 = -32_021;
/// JSON-RPC code of something no longer kept; `data.first_height` is the first that is.
pub const PRUNED: i32 = -32_022;
/// JSON-RPC code of a node that cannot answer now.
pub const UNAVAILABLE: i32 = -32_023;
/// JSON-RPC code of a body over its limit.
pub const TOO_LARGE: i32 = -32_024;
/// JSON-RPC code of a stream whose reader was too slow; `data` says where to resume.
pub const SLOW_READER: i32 = -32_025;

/// An error as both doors send it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoorError {
    /// JSON-RPC code.
    pub code: i32,
    /// Its name.
    pub name: String,
    /// For people.
    pub message: String,
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<Value>,
    /// HTTP status of the REST answer.
    #[serde(skip)]
    pub status: u16,
    /// When to try again, milliseconds.
    #[serde(skip)]
    pub retry_ms: Option<u64>,
}

impl DoorError {
    fn new(code: i32, name: &str, status: u16, message: String) -> Self {
        Self { code, name: name.into(), message, data: None, status, retry_ms: None }
    }

    /// The request is not well formed.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(BAD_REQUEST, "BadRequest", 400, message.into())
    }

    /// The body is over its limit.
    #[must_use]
    pub fn too_large(limit: u64, value: Option<u64>) -> Self {
        let message = format!("the body is larger than {limit} bytes");
        let data = Some(json!({ "limit": limit, "value": value }));
        Self { data, ..Self::new(TOO_LARGE, "TooLarge", 413, message) }
    }

    /// Too many requests.
    #[must_use]
    pub fn limited(what: &str, retry_ms: u64) -> Self {
        let message = format!("limited: {what}; retry after {retry_ms} ms");
        Self {
            data: Some(json!({ "what": what, "retry_ms": retry_ms })),
            retry_ms: Some(retry_ms),
            ..Self::new(LIMITED, "Limited", 429, message)
        }
    }

    /// The reader of a stream was too slow; `resume` is where to go on.
    #[must_use]
    pub fn slow_reader(resume: Value) -> Self {
        let message = "the stream was closed because its reader was too slow".into();
        Self {
            data: Some(json!({ "resume": resume })),
            ..Self::new(SLOW_READER, "SlowReader", 408, message)
        }
    }

    /// A transaction was refused; `index` in the submission, if one can be named.
    #[must_use]
    pub fn refused(index: Option<usize>, refusal: Refusal) -> Self {
        let view = RefusalView::from(refusal);
        let data = json!({
            "name": view.name,
            "number": view.number,
            "message": view.message,
            "limit": view.limit,
            "value": view.value,
            "index": index,
        });
        let message = match index {
            Some(index) => format!("transaction {index}: {refusal}"),
            None => refusal.to_string(),
        };
        let status = match refusal.code {
            RefusalCode::Limited | RefusalCode::Quota => 429,
            RefusalCode::Duplicate => 409,
            RefusalCode::NotSequencing => 503,
            RefusalCode::Oversize => 413,
            code if code.from_bytes_alone() => 400,
            _ => 422,
        };
        Self {
            data: Some(data),
            retry_ms: (status == 429).then_some(1_000),
            ..Self::new(refusal.code.rpc_code(), refusal.code.name(), status, message)
        }
    }
}

impl From<ApiError> for DoorError {
    fn from(error: ApiError) -> Self {
        let text = error.to_string();
        match error {
            ApiError::Refused { index, refusal } => Self::refused(Some(index), refusal),
            ApiError::Limited { what, retry_ms } => Self::limited(what, retry_ms),
            ApiError::NotFound(_) => Self::new(NOT_FOUND, "NotFound", 404, text),
            ApiError::NotYet(_) => {
                Self { retry_ms: Some(1_000), ..Self::new(NOT_YET, "NotYet", 404, text) }
            }
            ApiError::Pruned(first) => Self {
                data: Some(json!({ "first_height": first })),
                ..Self::new(PRUNED, "Pruned", 410, text)
            },
            ApiError::BadRequest(_) => Self::new(BAD_REQUEST, "BadRequest", 400, text),
            ApiError::Unavailable(_) => {
                Self { retry_ms: Some(1_000), ..Self::new(UNAVAILABLE, "Unavailable", 503, text) }
            }
        }
    }
}

impl From<DoorError> for ErrorObjectOwned {
    fn from(error: DoorError) -> Self {
        let mut data = error.data.unwrap_or_else(|| json!({}));
        if let Some(map) = data.as_object_mut() {
            map.entry("name").or_insert_with(|| error.name.into());
            if let Some(retry_ms) = error.retry_ms {
                map.entry("retry_ms").or_insert_with(|| retry_ms.into());
            }
        }
        Self::owned(error.code, error.message, Some(data))
    }
}

impl IntoResponse for DoorError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let retry = self.retry_ms.map(|ms| ms.div_ceil(1_000).max(1));
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
