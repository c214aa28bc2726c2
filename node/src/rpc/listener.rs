//! Accepts connections under limits: how many, how slowly a head may come, how long an answer may stay unread.

use super::gate::{Caller, Gate};
use super::limits::{DRAIN_TIMEOUT, HEAD_READ_TIMEOUT, WRITE_STALL_TIMEOUT};
use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;
use tower::ServiceExt as _;

/// Serves `router` until `shutdown` is true or its sender gone, then lets open requests end.
pub(crate) async fn run(
    listener: TcpListener,
    router: Router,
    gate: Arc<Gate>,
    mut shutdown: watch::Receiver<bool>,
) {
    let max = gate.limits().connections_max;
    let places = Arc::new(Semaphore::new(max));
    loop {
        let (stream, address) = tokio::select! {
            () = ended(&mut shutdown) => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let caller = Caller::new(address.ip());
        let (Ok(place), Some(own)) = (places.clone().try_acquire_owned(), gate.connection(caller))
        else {
            tracing::debug!(%address, "connection limit");
            continue;
        };
        let connection = connection(stream, address, caller, router.clone(), shutdown.clone());
        tokio::spawn(async move {
            connection.await;
            drop((place, own));
        });
    }
    let all = u32::try_from(max).unwrap_or(u32::MAX);
    if tokio::time::timeout(DRAIN_TIMEOUT, places.acquire_many(all)).await.is_err() {
        tracing::debug!("connections still open at shutdown");
    }
}

async fn ended(shutdown: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same as `true`.
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("shutdown sender dropped");
    }
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    caller: Caller,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%address, %error, "no TCP_NODELAY");
    }
    let service = hyper::service::service_fn(move |mut request: hyper::Request<_>| {
        request.extensions_mut().insert(caller);
        router.clone().oneshot(request)
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_READ_TIMEOUT);
    let io = TokioIo::new(StallGuard::new(stream));
    let connection = builder.serve_connection(io, service).with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = ended(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%address, %error, "connection ended");
    }
}

/// A stream that fails when a write makes no progress for [`WRITE_STALL_TIMEOUT`]: a reader that stopped reading must
/// not hold an answer in memory.
struct StallGuard {
    inner: TcpStream,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl StallGuard {
    const fn new(inner: TcpStream) -> Self {
        Self { inner, stalled: None }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let timer =
            self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_STALL_TIMEOUT)));
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for StallGuard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for StallGuard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(context);
        self.watch(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.watch(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
