//! Move bytes between authenticated peers under limits.
//!
//! The crate knows bytes, one gossip topic, classes of direct streams, requests, peers and
//! verdicts; what any of the bytes mean is the application's affair ([`Policy`] is the only
//! question it asks). All of it is real libp2p: TCP + Noise + Yamux, QUIC if asked for.
//!
//! ```text
//!            NetworkHandle                                       NetworkEvents
//!   send / broadcast  publish / report  request              recv (most urgent first)
//!        │                  │              │                          ▲
//!   direct::queue      actor queues   requests::ask      event queues, one per kind
//!        │                  │              │               ▲          ▲        ▲
//!   direct::writer     actor::Actor        │        direct::reader  actor  requests::Serving
//!        └──────┬───────────┴──────┬───────┘               └──────────┴────────┘
//!        behaviour::Streams   behaviour::GatedGossip    ◄── behaviour::Guard (limits, bans) first
//!                        transport::swarm
//! ```
//!
//! A connection begins with `session`: hello on both sides, and nothing else passes the gate
//! before it is finished; then pings and signed address records of validators on the same stream,
//! so that one address is enough to find them all. `dialer` keeps every known validator connected.
//!
//! Every queue, map and frame has its bound in [`limits`]; a slow peer fills its own queue, a slow
//! application stops the streams of the class it does not read.
//!
//! # Deviations
//!
//! From node.md, "p2p limits":
//! - Streams are opened by an own handler (`behaviour::handler`), not by libp2p-stream: that one
//!   opens on a random connection of the peer, dials by itself, and drops a stream that comes
//!   while another peer's waits to be taken. Requests ride on the same handler.
//! - Yamux is driven by an own adapter (`muxer`), for libp2p's leaves each connection a window of
//!   1 GiB.
//! - Pings and liveness are frames of the control stream, not libp2p-ping.
//! - Status requests are limited to 5 per second, not 5 in 15 s: a restarted node asks everybody
//!   and asks again.

mod actor;
mod answers;
mod behaviour;
mod clock;
mod config;
mod dialer;
mod direct;
mod error;
mod event;
mod frame;
mod gossip;
mod handle;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub mod limits;
mod metrics;
mod muxer;
mod names;
mod penalties;
mod rate;
mod records;
mod requests;
mod session;
mod start;
mod tasks;
mod transport;

pub use libp2p::{Multiaddr, PeerId};

pub use self::{
    config::{Config, Identity, Limits, Loopback, Policy},
    error::{HelloError, P2pError, PublishError, RecordError, RequestError},
    event::{
        Class, GossipId, NetworkEvent, NetworkEvents, Offence, ReplyToken, RequestProtocol,
        SendOutcome, Verdict,
    },
    handle::{Direction, NetworkHandle, PeerInfo, Refusal},
    start::{peer_id_of_seed, start},
};
