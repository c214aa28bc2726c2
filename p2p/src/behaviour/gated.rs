//! Gossipsub behind the gate: a peer that has not finished its hello neither hears nor tells.
//!
//! The behaviour itself may queue subscriptions for such a peer, the handler sends nothing until
//! the gate passes; so the wrapper only holds the handler back and forwards all else.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse, upgrade::DeniedUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        derive_prelude::Either, handler::ConnectionEvent,
    },
};

use super::gate::{Gate, Gates};
use crate::gossip::Gossipsub;

type Inner = THandler<Gossipsub>;

/// See the module.
pub(crate) struct GatedGossip {
    pub(crate) inner: Gossipsub,
    gates: Gates,
}

impl GatedGossip {
    pub(crate) fn new(inner: Gossipsub, gates: Gates) -> Self {
        Self { inner, gates }
    }
}

/// Gossipsub's handler, not polled before the gate passes.
pub(crate) struct GatedHandler {
    inner: Inner,
    gate: Arc<Gate>,
}

impl ConnectionHandler for GatedHandler {
    type FromBehaviour = <Inner as ConnectionHandler>::FromBehaviour;
    type ToBehaviour = <Inner as ConnectionHandler>::ToBehaviour;
    type InboundProtocol = <Inner as ConnectionHandler>::InboundProtocol;
    type OutboundProtocol = <Inner as ConnectionHandler>::OutboundProtocol;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        if self.gate.accepts() {
            self.inner.listen_protocol()
        } else {
            SubstreamProtocol::new(Either::Right(DeniedUpgrade), ())
        }
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if !self.gate.passes() {
            self.gate.register(cx.waker());
            // It may have passed between the question and the registration.
            if !self.gate.passes() {
                return Poll::Pending;
            }
        }
        self.inner.poll(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        self.inner.on_connection_event(event);
    }
}

impl NetworkBehaviour for GatedGossip {
    type ConnectionHandler = GatedHandler;
    type ToSwarm = libp2p_gossipsub::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<GatedHandler, ConnectionDenied> {
        let inner =
            self.inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(GatedHandler { inner, gate: self.gates.of(connection) })
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<GatedHandler, ConnectionDenied> {
        let inner = self
            .inner
            .handle_established_outbound_connection(connection, peer, address, role, port)?;
        Ok(GatedHandler { inner, gate: self.gates.of(connection) })
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx)
    }
}
