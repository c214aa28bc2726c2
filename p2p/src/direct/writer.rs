//! The task that empties one queue into one stream, and opens the stream again when it breaks.

use std::{io, sync::Arc};

use bytes::Bytes;
use libp2p::{Stream, StreamProtocol};
use tokio::sync::watch;

use super::queue::Queue;
use crate::{behaviour::Opener, frame, limits, metrics::Counters};

/// Runs until dropped. A chunk that was not written in full is written again from its start on
/// the next stream: receivers see whole frames only, and take a repeated one as the same.
pub(super) async fn run(
    queue: Arc<Queue>,
    protocol: StreamProtocol,
    mut routes: watch::Receiver<Opener>,
    counters: Arc<Counters>,
) {
    let mut stream: Option<Stream> = None;
    loop {
        let chunk = queue.take().await;
        loop {
            if routes.has_changed().unwrap_or(false) {
                stream = None;
            }
            let written = match stream.take() {
                Some(open) => write(open, &chunk, &mut routes).await,
                None => {
                    let opener = routes.borrow_and_update().clone();
                    match opener.open(protocol.clone()).await {
                        Ok(open) => write(open, &chunk, &mut routes).await,
                        Err(error) => Err(io::Error::other(error)),
                    }
                }
            };
            match written {
                Ok(open) => {
                    stream = open;
                    counters.sent(queue.class(), &chunk);
                    break;
                }
                Err(error) => {
                    tracing::debug!(%protocol, %error, "direct stream broke");
                    counters.stream_broke(queue.class());
                    tokio::time::sleep(limits::STREAM_REOPEN_PAUSE).await;
                }
            }
        }
    }
}

/// Writes one chunk. A stream that takes nothing for too long, or that belongs to a connection no
/// longer in use, is dropped, which resets it.
async fn write(
    mut stream: Stream,
    chunk: &[Bytes],
    routes: &mut watch::Receiver<Opener>,
) -> io::Result<Option<Stream>> {
    tokio::select! {
        result = frame::write_all(&mut stream, chunk) => result?,
        Ok(()) = routes.changed() => {
            routes.mark_changed();
            return Err(io::Error::other("the connection was replaced"));
        }
        () = tokio::time::sleep(limits::WRITE_STUCK) => {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read"));
        }
    }
    Ok(Some(stream))
}
