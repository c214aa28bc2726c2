//! The behaviour around [`super::handler`]: an opener for each connection, inbound streams out.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, DialFailure, FromSwarm, ListenFailure,
        NetworkBehaviour, ToSwarm,
    },
};

use super::{
    gate::{Gate, Gates},
    handler::{Handler, InboundStream, Opener, Protocols},
};

/// See the module.
pub(crate) struct Streams {
    protocols: Protocols,
    gates: Gates,
    openers: BTreeMap<ConnectionId, Opener>,
    /// Drained by each poll of the swarm before it takes more from the connections.
    inbound: VecDeque<InboundStream>,
}

impl Streams {
    pub(crate) fn new(hello: StreamProtocol, all: Vec<StreamProtocol>, gates: Gates) -> Self {
        Self {
            protocols: Protocols { hello: Arc::from([hello]), all: all.into() },
            gates,
            openers: BTreeMap::new(),
            inbound: VecDeque::new(),
        }
    }

    /// Takes the opener of a new connection, once.
    pub(crate) fn take_opener(&mut self, connection: ConnectionId) -> Option<Opener> {
        self.openers.remove(&connection)
    }

    pub(crate) fn gate(&self, connection: ConnectionId) -> Arc<Gate> {
        self.gates.of(connection)
    }

    fn handler(&mut self, connection: ConnectionId) -> Handler {
        let (opener, opens) = Opener::channel();
        self.openers.insert(connection, opener);
        Handler::new(self.protocols.clone(), self.gates.of(connection), opens)
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = InboundStream;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler(connection))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler(connection))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let (FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. })
        | FromSwarm::DialFailure(DialFailure { connection_id, .. })
        | FromSwarm::ListenFailure(ListenFailure { connection_id, .. })) = event
        else {
            return;
        };
        self.openers.remove(&connection_id);
        self.gates.remove(connection_id);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        (stream, protocol): (Stream, StreamProtocol),
    ) {
        self.inbound.push_back(InboundStream { peer, connection, protocol, stream });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<InboundStream, Infallible>> {
        self.inbound
            .pop_front()
            .map_or(Poll::Pending, |stream| Poll::Ready(ToSwarm::GenerateEvent(stream)))
    }
}
