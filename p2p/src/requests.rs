//! One request and one answer on a stream of its own, both directions.
//!
//! ```text
//! request:  frame (≤ 64 KiB)
//! answer:   status byte, then for status 0 a length (u32, big-endian) and that many bytes
//! ```

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{PeerId, Stream};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    Identity, NetworkEvent, Offence, ReplyToken, RequestProtocol,
    behaviour::OpenError,
    direct::Link,
    error::RequestError,
    frame::{self, FrameError},
    limits,
    metrics::Counters,
    names::Names,
    tasks::{Context, Report},
};

const OK: u8 = 0;
const BUSY: u8 = 1;
const DECLINED: u8 = 2;

/// Asks a peer; at most [`limits::REQUESTS_IN_FLIGHT_MAX`] at once per peer and protocol, further
/// ones wait within their own time.
pub(crate) async fn ask(
    link: &Link,
    names: &Names,
    protocol: RequestProtocol,
    data: Bytes,
) -> Result<Bytes, RequestError> {
    if data.is_empty() || data.len() > limits::REQUEST_BYTES_MAX {
        let max = limits::REQUEST_BYTES_MAX;
        return Err(RequestError::TooLarge { bytes: data.len(), max });
    }
    let asking = async {
        let permit = link.requests(protocol).acquire().await;
        let _permit = permit.map_err(|_| RequestError::NotConnected(link.peer))?;
        let opened = link.opener().open(names.request(protocol)).await;
        let mut stream = opened.map_err(|error| match error {
            OpenError::Closed => RequestError::NotConnected(link.peer),
            OpenError::Timeout => RequestError::Timeout,
            error => RequestError::Stream(error.to_string()),
        })?;
        let broken = |error: std::io::Error| RequestError::Stream(error.to_string());
        frame::write_all(&mut stream, &[data]).await.map_err(broken)?;
        read_answer(&mut stream).await
    };
    tokio::time::timeout(limits::REQUEST_TIMEOUT, asking)
        .await
        .unwrap_or(Err(RequestError::Timeout))
}

async fn read_answer(stream: &mut Stream) -> Result<Bytes, RequestError> {
    let broken = |error: std::io::Error| RequestError::Stream(error.to_string());
    let mut status = [0; 1];
    stream.read_exact(&mut status).await.map_err(broken)?;
    match status {
        [OK] => {}
        [BUSY] => return Err(RequestError::Busy),
        [DECLINED] => return Err(RequestError::Declined),
        [other] => return Err(RequestError::Meaningless(other)),
    }
    let mut length = [0; frame::HEADER_BYTES];
    stream.read_exact(&mut length).await.map_err(broken)?;
    let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if bytes > limits::RESPONSE_BYTES_MAX {
        return Err(RequestError::AnswerTooLarge { bytes, max: limits::RESPONSE_BYTES_MAX });
    }
    let mut answer = vec![0; bytes];
    stream.read_exact(&mut answer).await.map_err(broken)?;
    Ok(answer.into())
}

/// One inbound request being served.
pub(crate) struct Serving {
    pub(crate) from: PeerId,
    pub(crate) identity: Option<Identity>,
    pub(crate) protocol: RequestProtocol,
    pub(crate) stream: Stream,
    /// `None`: the peer has too many under way, or asks too often; it is told so.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

impl Serving {
    /// Reads the request, asks the application, writes the answer, all within the timeout.
    pub(crate) async fn run(self, context: Arc<Context>, counters: Arc<Counters>) {
        let (from, protocol) = (self.from, self.protocol.name());
        let served = self.serve(&context, &counters);
        match tokio::time::timeout(limits::REQUEST_TIMEOUT, served).await {
            Ok(Ok(())) => {}
            Ok(Err(error @ FrameError::Length { .. })) => {
                let what = format!("{protocol} request: {error}");
                let offence = Offence::Oversize;
                context.report(Report::Offence { peer: from, offence, what }).await;
            }
            Ok(Err(error)) => tracing::debug!(peer = %from, protocol, %error, "request broke"),
            Err(_) => tracing::debug!(peer = %from, protocol, "request not served in time"),
        }
    }

    async fn serve(mut self, context: &Context, counters: &Counters) -> Result<(), FrameError> {
        if self.permit.is_none() {
            counters.requests_refused.increment(1);
            return self.finish(&[BUSY]).await;
        }
        let data = frame::read(&mut self.stream, limits::REQUEST_BYTES_MAX).await?;
        let Some(mut room) = context.answers.room(self.from, self.identity, self.protocol) else {
            counters.requests_refused.increment(1);
            return self.finish(&[BUSY]).await;
        };
        let (reply, answer) = oneshot::channel();
        let Self { from, identity, protocol, .. } = self;
        let reply = ReplyToken(reply);
        let event = NetworkEvent::Request { from, identity, protocol, data, reply };
        if context.events.requests.try_send(event).is_err() {
            counters.requests_refused.increment(1);
            return self.finish(&[BUSY]).await;
        }
        match answer.await {
            Ok(data) if data.len() <= limits::RESPONSE_BYTES_MAX => {
                if !room.fit(data.len()) {
                    counters.requests_refused.increment(1);
                    return self.finish(&[BUSY]).await;
                }
                let mut head = BytesMut::with_capacity(1 + frame::HEADER_BYTES);
                head.put_u8(OK);
                frame::put_header(&mut head, data.len());
                self.stream.write_all(&head).await?;
                self.finish(&data).await
            }
            Ok(data) => {
                let bytes = data.len();
                tracing::warn!(%from, bytes, "answer is over the limit, declining");
                self.finish(&[DECLINED]).await
            }
            Err(_) => self.finish(&[DECLINED]).await,
        }
    }

    async fn finish(&mut self, last: &[u8]) -> Result<(), FrameError> {
        for piece in last.chunks(limits::ANSWER_PIECE_BYTES) {
            let written = self.stream.write_all(piece);
            tokio::time::timeout(limits::ANSWER_PIECE_TIMEOUT, written)
                .await
                .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        }
        self.stream.close().await?;
        Ok(())
    }
}
