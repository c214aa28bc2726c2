//! The metrics listener: `/metrics`, `/livez`, `/readyz`, `/version`.

use crate::api::{Backend, Readiness};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

/// Milliseconds without a tick of the core loop after which the node is not alive.
pub(super) const LOOP_AGE_MS_MAX: u64 = 10_000;

/// All paths of the metrics listener.
pub(crate) fn router<B: Backend>(backend: B) -> Router {
    Router::new()
        .route("/metrics", get(metrics::<B>))
        .route("/livez", get(live::<B>))
        .route("/readyz", get(ready::<B>))
        .route("/version", get(version))
        .with_state(backend)
}

/// The checks as JSON, 503 if one fails.
pub(crate) fn readiness(readiness: &Readiness) -> Response {
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, no_store, Json(readiness)).into_response()
}

async fn metrics<B: Backend>(State(backend): State<B>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], backend.metrics()).into_response()
}

async fn live<B: Backend>(State(backend): State<B>) -> Response {
    let age_ms = backend.loop_age_ms();
    let alive = age_ms <= LOOP_AGE_MS_MAX;
    let status = if alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "alive": alive, "loop_age_ms": age_ms }))).into_response()
}

async fn ready<B: Backend>(State(backend): State<B>) -> Response {
    readiness(&backend.readiness())
}

async fn version() -> Json<serde_json::Value> {
    Json(json!({ "name": "rota", "version": env!("CARGO_PKG_VERSION") }))
}
