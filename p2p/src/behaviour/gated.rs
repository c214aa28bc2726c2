//! Gossipsub behind the gate: a peer that has not finished its hello neither hears nor tells, and
//! what it tells afterwards is judged by [`super::police`] before gossipsub sees it.
//!
//! The behaviour itself may queue subscriptions for such a peer, the handler sends nothing until
//! the gate passes; so the wrapper holds the handler back, reads a peer that says too much more
//! slowly, and forwards all else.

use std::{
    collections::VecDeque,
    pin::Pin,
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
use libp2p_gossipsub::TopicHash;

use super::{
    gate::{Gate, Gates},
    police::{Crime, Heard, Police},
};
use crate::{clock, gossip::Gossipsub, limits};

type Inner = THandler<Gossipsub>;

/// See the module.
pub(crate) struct GatedGossip {
    pub(crate) inner: Gossipsub,
    topic: TopicHash,
    gates: Gates,
    crimes: VecDeque<(PeerId, Crime)>,
}

impl GatedGossip {
    /// `topic` is the one that `inner` has joined.
    pub(crate) fn new(inner: Gossipsub, topic: TopicHash, gates: Gates) -> Self {
        Self { inner, topic, gates, crimes: VecDeque::new() }
    }

    fn handler(&self, connection: ConnectionId, inner: Inner) -> GatedHandler {
        GatedHandler {
            inner,
            gate: self.gates.of(connection),
            police: Police::new(self.topic.clone(), clock::now()),
            crimes: VecDeque::new(),
            pause: None,
        }
    }
}

/// What comes out of gossip.
#[derive(Debug)]
pub(crate) enum Gossiped {
    /// Gossipsub's own event.
    Event(libp2p_gossipsub::Event),
    /// A peer did what no honest one does.
    Crime(PeerId, Crime),
}

/// What a handler tells the behaviour.
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation for each message")]
#[derive(Debug)]
pub(crate) enum Told {
    Heard(Heard),
    Crime(Crime),
}

/// Gossipsub's handler, not polled before the gate passes.
pub(crate) struct GatedHandler {
    inner: Inner,
    gate: Arc<Gate>,
    police: Police,
    /// Filled by one event at a time and emptied by the poll after it.
    crimes: VecDeque<Crime>,
    /// Until when nothing is read.
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl GatedHandler {
    /// Whether the connection is to be left alone for now.
    fn is_paused(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return true;
            }
            self.pause = None;
        }
        false
    }

    /// What gossipsub is told of a frame, or the crime that it is.
    fn judge(&mut self, heard: Heard) -> Told {
        match self.police.on_heard(&heard, clock::now()) {
            Ok(wait) => {
                if !wait.is_zero() {
                    self.pause = Some(Box::pin(tokio::time::sleep(wait)));
                }
                Told::Heard(heard)
            }
            Err(crime) => Told::Crime(crime),
        }
    }
}

impl ConnectionHandler for GatedHandler {
    type FromBehaviour = <Inner as ConnectionHandler>::FromBehaviour;
    type ToBehaviour = Told;
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
        if let Some(crime) = self.crimes.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Told::Crime(crime)));
        }
        if self.is_paused(cx) {
            return Poll::Pending;
        }
        self.inner.poll(cx).map(|event| event.map_custom(|heard| self.judge(heard)))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx).map(|heard| heard.map(Told::Heard))
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        if matches!(event, ConnectionEvent::FullyNegotiatedInbound(_)) {
            self.crimes.extend(self.police.on_stream());
        }
        self.inner.on_connection_event(event);
    }
}

impl NetworkBehaviour for GatedGossip {
    type ConnectionHandler = GatedHandler;
    type ToSwarm = Gossiped;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<GatedHandler, ConnectionDenied> {
        let inner =
            self.inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(self.handler(connection, inner))
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
        Ok(self.handler(connection, inner))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        told: THandlerOutEvent<Self>,
    ) {
        match told {
            Told::Heard(heard) => self.inner.on_connection_handler_event(peer, connection, heard),
            Told::Crime(crime) if self.crimes.len() < limits::GOSSIP_CRIMES_MAX => {
                self.crimes.push_back((peer, crime));
            }
            Told::Crime(_) => {}
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some((peer, crime)) = self.crimes.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(Gossiped::Crime(peer, crime)));
        }
        self.inner.poll(cx).map(|event| event.map_out(Gossiped::Event))
    }
}
