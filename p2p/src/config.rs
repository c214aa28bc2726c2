//! What a node tells the network about itself, and the seam to what only the application knows.

use std::{fmt, time::Duration};

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};
use zeroize::Zeroizing;

use crate::limits;

/// Everything [`crate::start`] needs.
pub struct Config {
    /// Chain id, part of every protocol name and compared in the hello.
    pub chain_id: u64,
    /// Genesis hash, compared in the hello.
    pub network: [u8; 32],
    /// Seed of the node's ed25519 key, from which its PeerId follows.
    pub node_key_seed: Zeroizing<[u8; 32]>,
    /// Addresses to listen on; port 0 lets the system choose.
    pub listen: Vec<Multiaddr>,
    /// Addresses at which others reach us; empty = the listen addresses, loopback last.
    pub external: Vec<Multiaddr>,
    /// Addresses dialed until connected, with or without `/p2p/<id>` at the end.
    pub bootstrap: Vec<Multiaddr>,
    /// Records kept from an earlier run ([`crate::NetworkHandle::known_records`]); verified anew.
    pub known: Vec<Bytes>,
    /// Whether `/udp/…/quic-v1` addresses may be listened on and dialed.
    pub quic: bool,
    /// Name and version of the software, at most [`limits::AGENT_BYTES_MAX`] bytes.
    pub agent: String,
    /// Connection limits.
    pub limits: Limits,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("chain_id", &self.chain_id)
            .field("listen", &self.listen)
            .field("external", &self.external)
            .field("bootstrap", &self.bootstrap)
            .field("quic", &self.quic)
            .field("agent", &self.agent)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Connection limits an operator may change; validators come on top of all but `per_peer_max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Established inbound connections.
    pub inbound_max: usize,
    /// Established outbound connections.
    pub outbound_max: usize,
    /// Connections to one peer.
    pub per_peer_max: usize,
    /// Inbound connections from one IPv4 address or IPv6 /64.
    pub per_ip_max: usize,
    /// Whether loopback is an address like any other.
    pub loopback: Loopback,
    /// Pace of pings; a connection silent for [`limits::DEAD_INTERVALS`] of them is closed.
    pub ping_interval: Duration,
}

/// How the limits per address see loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// No limit: many nodes run on this machine.
    Exempt,
    /// Counted by address: behind a relay on this machine, every stranger comes from there.
    Counted,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inbound_max: limits::INBOUND_MAX,
            outbound_max: limits::OUTBOUND_MAX,
            per_peer_max: limits::PER_PEER_MAX,
            per_ip_max: limits::PER_IP_MAX,
            loopback: Loopback::Exempt,
            ping_interval: limits::PING_INTERVAL,
        }
    }
}

/// Opaque identity in the application's eyes: a validator's public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub [u8; 32]);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

/// What only the application can decide about identities. Called from several tasks at once.
pub trait Policy: Send + Sync + 'static {
    /// The bytes of our hello that prove `local` belongs to our identity; `None` on a full node.
    /// At most [`limits::BINDING_BYTES_MAX`] bytes.
    fn binding(&self, local: &PeerId) -> Option<Bytes>;

    /// Checks a remote's binding.
    ///
    /// # Errors
    /// A reason, shown to the remote and logged, for which the remote is refused.
    fn check_binding(
        &self,
        remote: &PeerId,
        binding: Option<&[u8]>,
    ) -> Result<Option<Identity>, String>;
}
