//! The doors of a node: JSON-RPC and REST on one listener, metrics and health on another.
//!
//! ```text
//! listener::run ── connection limits, timeouts ──► Router
//!      /rpc  POST, WebSocket ──► jsonrpc::module ─┐
//!      /v1/* REST            ──► rest::router ────┼──► gate::charge ──► Backend
//!      /metrics /livez …     ──► health::router ──┘
//! ```
//!
//! Owns no state of the node: whatever it answers comes from [`Backend`]. Every body is bounded before it is read, every
//! method costs units of the caller's address, every error is a [`DoorError`].

mod envelope;
pub mod error;
mod gate;
mod health;
mod jsonrpc;
pub mod limits;
mod listener;
pub mod methods;
mod rest;
pub mod submit;
mod subscribe;
pub mod views;

pub use error::DoorError;
pub use limits::RpcLimits;

use crate::api::Backend;
use crate::error::{ExitCode, OperatorError};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use gate::{Caller, Gate};
use jsonrpc::Door;
use jsonrpsee::Methods;
use jsonrpsee::server::{BatchRequestConfig, PingConfig, Server, ServerConfig, StopHandle};
use limits::{ANSWER_BYTES_MAX, BATCH_CALLS_MAX};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::Service as _;

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// `http` or `metrics`.
    pub listener: &'static str,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl From<ListenError> for OperatorError {
    fn from(error: ListenError) -> Self {
        let exit = match error.source.kind() {
            io::ErrorKind::PermissionDenied => ExitCode::Permission,
            _ => ExitCode::Unavailable,
        };
        let hint = format!(
            "rota start --instance 2 shifts every port, or set --{}.listen",
            error.listener
        );
        Self::new(exit, error.to_string()).cause(&error.source).hint(hint)
    }
}

/// Sockets of the doors, opened before anything else of a node starts, so that a port in use is known first.
pub struct Doors {
    http: TcpListener,
    metrics: TcpListener,
    bound: Bound,
}

/// Where the doors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// JSON-RPC and REST.
    pub http: SocketAddr,
    /// Metrics and health.
    pub metrics: SocketAddr,
}

impl Doors {
    /// Opens both listeners; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ListenError`] naming the address.
    pub async fn bind(http: SocketAddr, metrics: SocketAddr) -> Result<Self, ListenError> {
        let (http, http_address) = listen("http", http).await?;
        let (metrics, metrics_address) = listen("metrics", metrics).await?;
        let bound = Bound { http: http_address, metrics: metrics_address };
        Ok(Self { http, metrics, bound })
    }

    /// Where the doors are.
    #[must_use]
    pub const fn bound(&self) -> Bound {
        self.bound
    }

    /// Serves `backend` in tasks of their own until `shutdown` is true or its sender gone. The handle ends
    /// when open requests have, or after a short while.
    pub fn serve<B: Backend>(
        self,
        backend: B,
        limits: RpcLimits,
        shutdown: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let gate = Arc::new(Gate::new(limits));
        let health = health::router(backend.clone());
        let (stop, server) = jsonrpsee::server::stop_channel();
        let http = router(backend, gate.clone(), stop);
        let metrics_gate = Arc::new(Gate::new(limits));
        tokio::spawn(async move {
            let metrics =
                tokio::spawn(listener::run(self.metrics, health, metrics_gate, shutdown.clone()));
            let mut stopping = shutdown.clone();
            let sockets = tokio::spawn(async move {
                // Ends WebSockets, which no graceful shutdown of a connection reaches.
                if stopping.wait_for(|stop| *stop).await.is_err() {
                    tracing::debug!("shutdown sender dropped");
                }
                if server.stop().is_ok() {
                    server.stopped().await;
                }
            });
            listener::run(self.http, http, gate, shutdown).await;
            for task in [metrics, sockets] {
                if tokio::time::timeout(limits::DRAIN_TIMEOUT, task).await.is_err() {
                    tracing::debug!("a listener did not end in time");
                }
            }
        })
    }
}

async fn listen(
    name: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    let failed = |source| ListenError { address, listener: name, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Opens both doors and serves them.
///
/// # Errors
/// [`ListenError`] if a port is in use.
pub async fn serve<B: Backend>(
    backend: B,
    http: SocketAddr,
    metrics: SocketAddr,
    limits: RpcLimits,
    shutdown: watch::Receiver<bool>,
) -> Result<(Bound, JoinHandle<()>), ListenError> {
    let doors = Doors::bind(http, metrics).await?;
    Ok((doors.bound(), doors.serve(backend, limits, shutdown)))
}

#[derive(Clone)]
struct Mount {
    methods: Methods,
    config: ServerConfig,
    stop: StopHandle,
    gate: Arc<Gate>,
    connections: Arc<std::sync::atomic::AtomicU32>,
}

fn router<B: Backend>(backend: B, gate: Arc<Gate>, stop: StopHandle) -> Router {
    let ping = PingConfig::new()
        .ping_interval(Duration::from_secs(20))
        .inactive_limit(Duration::from_secs(40));
    let bytes = u32::try_from(gate.limits().body_bytes_max).unwrap_or(u32::MAX);
    let config = ServerConfig::builder()
        .max_request_body_size(bytes)
        .max_response_body_size(ANSWER_BYTES_MAX)
        .max_connections(u32::MAX)
        .max_subscriptions_per_connection(gate.limits().subscriptions_per_socket_max)
        .set_batch_request_config(BatchRequestConfig::Limit(BATCH_CALLS_MAX))
        .set_message_buffer_capacity(gate.limits().socket_queue_messages)
        .enable_ws_ping(ping)
        .build();
    let mount = Mount {
        methods: jsonrpc::module(backend.clone(), gate.clone()).into(),
        config,
        stop,
        gate: gate.clone(),
        connections: Arc::default(),
    };
    let door = Arc::new(Door { backend, gate });
    Router::new().route("/rpc", any(rpc).with_state(mount)).merge(rest::router(door)).fallback(
        async || {
            DoorError::from(crate::api::ApiError::NotFound("no such path".into())).into_response()
        },
    )
}

async fn rpc(
    State(mount): State<Mount>,
    caller: Caller,
    request: Request,
) -> Result<Response, DoorError> {
    let id = mount.connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut service = Server::builder()
        .set_config(mount.config)
        .to_service_builder()
        .connection_id(id)
        .build(mount.methods, mount.stop);
    let failed = |error| DoorError::bad_request(format!("the request ended early: {error}"));
    if jsonrpsee::server::ws::is_upgrade_request(&request) {
        let place = mount.gate.socket(caller)?;
        let closed = service.on_session_closed();
        tokio::spawn(async move {
            closed.await;
            drop(place);
        });
        return service.call(request).await.map(|r| r.map(Body::new)).map_err(failed);
    }
    let (parts, body) = request.into_parts();
    let bytes = rest::body(&mount.gate, &parts.headers, body).await?;
    let request = Request::from_parts(parts, Body::from(bytes));
    service.call(request).await.map(|r| r.map(Body::new)).map_err(failed)
}
