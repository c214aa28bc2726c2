//! The swarm's behaviours, limits first so that a refused connection reaches no other.

use libp2p::swarm::NetworkBehaviour;

mod gate;
mod gated;
mod guard;
mod handler;
mod police;
mod streams;

pub(crate) use self::{
    gate::{Gate, Gates},
    gated::{GatedGossip, Gossiped},
    guard::Guard,
    handler::{InboundStream, OpenError, Opener},
    streams::Streams,
};

/// All behaviours of a node. The order matters: `guard` refuses before the others look.
#[derive(NetworkBehaviour)]
#[behaviour(to_swarm = "Event")]
pub(crate) struct Behaviour {
    pub(crate) guard: Guard,
    pub(crate) streams: Streams,
    pub(crate) gossip: GatedGossip,
}

/// What the behaviours report.
#[derive(Debug)]
pub(crate) enum Event {
    /// The remote opened a stream of one of our protocols.
    Inbound(Box<InboundStream>),
    /// What comes out of gossip.
    Gossip(Box<Gossiped>),
}

impl From<std::convert::Infallible> for Event {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<InboundStream> for Event {
    fn from(stream: InboundStream) -> Self {
        Self::Inbound(Box::new(stream))
    }
}

impl From<Gossiped> for Event {
    fn from(gossiped: Gossiped) -> Self {
        Self::Gossip(Box::new(gossiped))
    }
}
