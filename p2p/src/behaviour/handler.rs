//! The connection handler that opens and accepts our streams; it moves no bytes itself.
//!
//! Instead of libp2p-stream: a stream is opened on a *named* connection (there, on a random one
//! of the peer's), nothing is dialed behind our back, protocols behind the gate stay shut until
//! the hello is done, and two peers that open streams at once do not displace each other.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use libp2p::{
    PeerId, Stream, StreamProtocol,
    core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo},
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, ConnectionId, StreamUpgradeError,
        SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};
use tokio::sync::{mpsc, oneshot};

use super::gate::Gate;
use crate::limits;

/// Why a stream could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the peer does not speak {0}")]
    NotSpoken(StreamProtocol),
    #[error("the connection is closed")]
    Closed,
    #[error("timed out")]
    Timeout,
    #[error("{0}")]
    Io(String),
}

type OpenReply = oneshot::Sender<Result<Stream, OpenError>>;

/// A request to the handler of one connection.
#[derive(Debug)]
pub(crate) struct Open {
    protocol: StreamProtocol,
    reply: OpenReply,
}

/// Opens streams on one connection.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    sender: mpsc::Sender<Open>,
}

impl Opener {
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Open>) {
        let (sender, receiver) = mpsc::channel(limits::STREAMS_NEGOTIATING_MAX);
        (Self { sender }, receiver)
    }

    /// Opens one stream, within [`limits::STREAM_OPEN_TIMEOUT`].
    pub(crate) async fn open(&self, protocol: StreamProtocol) -> Result<Stream, OpenError> {
        let (reply, answer) = oneshot::channel();
        let opening = async {
            let open = Open { protocol, reply };
            self.sender.send(open).await.map_err(|_| OpenError::Closed)?;
            answer.await.map_err(|_| OpenError::Closed)?
        };
        tokio::time::timeout(limits::STREAM_OPEN_TIMEOUT, opening)
            .await
            .unwrap_or(Err(OpenError::Timeout))
    }
}

/// A stream opened by the remote.
pub(crate) struct InboundStream {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) protocol: StreamProtocol,
    pub(crate) stream: Stream,
}

impl std::fmt::Debug for InboundStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InboundStream({} {} {})", self.peer, self.connection, self.protocol)
    }
}

/// The protocols a node accepts: hello alone, or all of them.
#[derive(Debug, Clone)]
pub(crate) struct Protocols {
    pub(crate) hello: Arc<[StreamProtocol]>,
    pub(crate) all: Arc<[StreamProtocol]>,
}

/// Negotiates protocol names, keeps the stream.
#[derive(Debug, Clone)]
pub(crate) struct Upgrade(Arc<[StreamProtocol]>);

impl UpgradeInfo for Upgrade {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.iter().cloned().collect::<Vec<_>>().into_iter()
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, protocol: Self::Info) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: Stream, protocol: Self::Info) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

/// See the module.
pub(crate) struct Handler {
    protocols: Protocols,
    gate: Arc<Gate>,
    opens: mpsc::Receiver<Open>,
    /// Negotiated streams on their way to the behaviour. The connection polls this handler after
    /// each one, so it holds at most what one poll negotiates: [`limits::STREAMS_NEGOTIATING_MAX`].
    inbound: VecDeque<(Stream, StreamProtocol)>,
}

impl Handler {
    pub(crate) fn new(protocols: Protocols, gate: Arc<Gate>, opens: mpsc::Receiver<Open>) -> Self {
        Self { protocols, gate, opens, inbound: VecDeque::new() }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = (Stream, StreamProtocol);
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = (StreamProtocol, OpenReply);

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        let protocols =
            if self.gate.accepts() { &self.protocols.all } else { &self.protocols.hello };
        SubstreamProtocol::new(Upgrade(Arc::clone(protocols)), ())
    }

    /// Its life is decided by the session, which pings.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<
        ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>,
    > {
        if let Some(stream) = self.inbound.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(stream));
        }
        match self.opens.poll_recv(cx) {
            Poll::Ready(Some(Open { protocol, reply })) => {
                let upgrade = Upgrade(Arc::from([protocol.clone()]));
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                    protocol: SubstreamProtocol::new(upgrade, (protocol, reply))
                        .with_timeout(limits::STREAM_OPEN_TIMEOUT),
                })
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => {
                self.inbound.push_back(protocol);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, _),
                info: (_, reply),
            }) => {
                // Whoever asked may have given up; then the stream is dropped here.
                reply.send(Ok(stream)).ok();
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError {
                error,
                info: (protocol, reply),
            }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => OpenError::Timeout,
                    StreamUpgradeError::NegotiationFailed => OpenError::NotSpoken(protocol),
                    StreamUpgradeError::Io(error) => OpenError::Io(error.to_string()),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                reply.send(Err(error)).ok();
            }
            _ => {}
        }
    }
}
