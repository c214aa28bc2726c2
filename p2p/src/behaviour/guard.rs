//! Connection limits and bans: what is refused here reaches no other behaviour.
//!
//! libp2p's own limits count no IP addresses and know no quiet connections. Validators (`exempt`)
//! come on top of all totals but not of the two connections a peer may have. A *quiet* connection
//! (no answer to pings) is not counted for its peer, so that a restarted peer gets in at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, DialFailure, FromSwarm, ListenFailure,
        NetworkBehaviour, ToSwarm, dummy,
    },
};
use tokio::time::Instant;

use crate::{Limits, Loopback, clock, limits, rate::Bucket};

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("too many connections being established")]
    Pending,
    #[error("too many inbound connections")]
    Inbound,
    #[error("too many outbound connections")]
    Outbound,
    #[error("too many connections with this peer")]
    PerPeer,
    #[error("too many connections from this address")]
    PerIp,
    #[error("connections from this address come too fast")]
    Pace,
    #[error("the peer is banned")]
    Banned,
}

#[derive(Debug)]
struct Established {
    peer: PeerId,
    source: Option<IpAddr>,
    inbound: bool,
    quiet: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Guard {
    limits: Limits,
    pending_inbound: BTreeMap<ConnectionId, Option<IpAddr>>,
    pending_outbound: BTreeSet<ConnectionId>,
    established: BTreeMap<ConnectionId, Established>,
    exempt: BTreeSet<PeerId>,
    banned: BTreeMap<PeerId, Instant>,
    /// How fast addresses begin connections, and when each began its last.
    paces: BTreeMap<IpAddr, (Instant, Bucket)>,
}

impl Guard {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            pending_inbound: BTreeMap::new(),
            pending_outbound: BTreeSet::new(),
            established: BTreeMap::new(),
            exempt: BTreeSet::new(),
            banned: BTreeMap::new(),
            paces: BTreeMap::new(),
        }
    }

    /// Replaces the peers that come on top of the totals: the validators in the book.
    pub(crate) fn set_exempt(&mut self, peers: BTreeSet<PeerId>) {
        self.exempt = peers;
    }

    pub(crate) fn set_quiet(&mut self, connection: ConnectionId, quiet: bool) {
        if let Some(established) = self.established.get_mut(&connection) {
            established.quiet = quiet;
        }
    }

    pub(crate) fn ban(&mut self, peer: PeerId, until: Instant) {
        if self.banned.len() >= limits::OFFENDERS_MAX
            && let Some(soonest) =
                self.banned.iter().min_by_key(|(_, until)| **until).map(|(peer, _)| *peer)
        {
            self.banned.remove(&soonest);
        }
        self.banned.insert(peer, until);
    }

    pub(crate) fn is_banned(&self, peer: &PeerId, now: Instant) -> bool {
        self.banned.get(peer).is_some_and(|until| *until > now)
    }

    /// Counts a connection that an address begins.
    fn check_pace(&mut self, source: IpAddr, now: Instant) -> Result<(), Refused> {
        if self.paces.len() >= limits::INBOUND_PACES_MAX
            && !self.paces.contains_key(&source)
            && let Some(oldest) =
                self.paces.iter().min_by_key(|(_, (last, _))| *last).map(|(source, _)| *source)
        {
            self.paces.remove(&oldest);
        }
        let (rate, burst) = (limits::INBOUND_PER_IP_PER_SECOND, limits::INBOUND_PER_IP_BURST);
        let (last, bucket) =
            self.paces.entry(source).or_insert_with(|| (now, Bucket::new(rate, burst, now)));
        *last = now;
        if bucket.take(now) { Ok(()) } else { Err(Refused::Pace) }
    }

    fn check_peer(&self, peer: &PeerId, inbound: bool) -> Result<(), Refused> {
        if self.is_banned(peer, clock::now()) {
            return Err(Refused::Banned);
        }
        let mine = self.established.values().filter(|other| other.peer == *peer && !other.quiet);
        if mine.count() >= self.limits.per_peer_max {
            return Err(Refused::PerPeer);
        }
        if self.exempt.contains(peer) {
            return Ok(());
        }
        let others = self.established.values();
        let others = others
            .filter(|other| other.inbound == inbound && !self.exempt.contains(&other.peer))
            .count();
        match inbound {
            true if others >= self.limits.inbound_max => Err(Refused::Inbound),
            false if others >= self.limits.outbound_max => Err(Refused::Outbound),
            _ => Ok(()),
        }
    }

    fn check_source(&self, peer: &PeerId, source: Option<IpAddr>) -> Result<(), Refused> {
        let Some(source) = source else { return Ok(()) };
        if self.exempt.contains(peer) {
            return Ok(());
        }
        let same = self.established.values().filter(|other| {
            other.inbound && other.source == Some(source) && !self.exempt.contains(&other.peer)
        });
        if same.count() >= self.limits.per_ip_max { Err(Refused::PerIp) } else { Ok(()) }
    }
}

/// The network a remote comes from: an IPv4 address or an IPv6 /64. `None` for what is exempt:
/// loopback, unless it is counted, and addresses without IP.
fn source_of(address: &Multiaddr, loopback: Loopback) -> Option<IpAddr> {
    let ip = address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)),
        _ => None,
    })?;
    if ip.is_loopback() && loopback == Loopback::Exempt {
        return None;
    }
    Some(match ip {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from(ip.octets())),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) >> 64 << 64)),
    })
}

impl NetworkBehaviour for Guard {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let source = source_of(remote, self.limits.loopback);
        if let Some(source) = source {
            self.check_pace(source, clock::now()).map_err(ConnectionDenied::new)?;
        }
        if self.pending_inbound.len() >= limits::PENDING_INBOUND_MAX {
            return Err(ConnectionDenied::new(Refused::Pending));
        }
        // Half of a small budget for one address, so that slow handshakes from it shut out nobody.
        let same = self.pending_inbound.values().filter(|other| **other == source);
        if source.is_some() && same.count() >= limits::PER_IP_MAX {
            return Err(ConnectionDenied::new(Refused::PerIp));
        }
        self.pending_inbound.insert(connection, source);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        self.pending_inbound.remove(&connection);
        let source = source_of(remote, self.limits.loopback);
        self.check_peer(&peer, true)
            .and_then(|()| self.check_source(&peer, source))
            .map_err(ConnectionDenied::new)?;
        let established = Established { peer, source, inbound: true, quiet: false };
        self.established.insert(connection, established);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if peer.is_some_and(|peer| self.is_banned(&peer, clock::now())) {
            return Err(ConnectionDenied::new(Refused::Banned));
        }
        if self.pending_outbound.len() >= limits::PENDING_OUTBOUND_MAX {
            return Err(ConnectionDenied::new(Refused::Pending));
        }
        self.pending_outbound.insert(connection);
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        self.pending_outbound.remove(&connection);
        self.check_peer(&peer, false).map_err(ConnectionDenied::new)?;
        let established = Established { peer, source: None, inbound: false, quiet: false };
        self.established.insert(connection, established);
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let (FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. })
        | FromSwarm::DialFailure(DialFailure { connection_id, .. })
        | FromSwarm::ListenFailure(ListenFailure { connection_id, .. })) = event
        else {
            return;
        };
        self.established.remove(&connection_id);
        self.pending_inbound.remove(&connection_id);
        self.pending_outbound.remove(&connection_id);
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Infallible>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbound(guard: &mut Guard, id: usize, peer: PeerId, remote: &str) -> Result<(), String> {
        let connection = ConnectionId::new_unchecked(id);
        let remote: Multiaddr = remote.parse().unwrap();
        let local = Multiaddr::empty();
        guard
            .handle_pending_inbound_connection(connection, &local, &remote)
            .and_then(|()| {
                guard
                    .handle_established_inbound_connection(connection, peer, &local, &remote)
                    .map(drop)
            })
            .map_err(|denied| denied.downcast::<Refused>().unwrap().to_string())
    }

    #[test]
    fn one_address_gets_four_and_loopback_is_exempt() {
        let mut guard = Guard::new(Limits::default());
        for id in 0..4 {
            inbound(&mut guard, id, PeerId::random(), "/ip4/10.0.0.9/tcp/1").unwrap();
        }
        let refused = inbound(&mut guard, 4, PeerId::random(), "/ip4/10.0.0.9/tcp/1");
        assert_eq!(refused, Err(Refused::PerIp.to_string()));
        for id in 5..15 {
            inbound(&mut guard, id, PeerId::random(), "/ip4/127.0.0.1/tcp/1").unwrap();
        }
    }

    #[test]
    fn an_address_that_comes_too_fast_waits_and_paces_are_bounded() {
        let mut guard = Guard::new(Limits::default());
        let start = clock::now();
        let source = |number: u32| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number));
        for _ in 0..limits::INBOUND_PER_IP_BURST {
            guard.check_pace(source(0), start).unwrap();
        }
        assert_eq!(guard.check_pace(source(0), start), Err(Refused::Pace));
        guard.check_pace(source(1), start).unwrap();
        guard.check_pace(source(0), start + std::time::Duration::from_secs(1)).unwrap();
        for number in 2..10_000 {
            guard.check_pace(source(number), start).unwrap();
        }
        assert_eq!(guard.paces.len(), limits::INBOUND_PACES_MAX);
        assert!(guard.paces.contains_key(&source(0)), "the latest to come stays");
    }

    #[test]
    fn a_slash_64_is_one_address() {
        let source = |address: &str| source_of(&address.parse().unwrap(), Loopback::Exempt);
        let first = source("/ip6/2001:db8::1/tcp/1");
        assert_eq!(first, source("/ip6/2001:db8::ffff:0:0:2/tcp/1"));
        assert_ne!(first, source("/ip6/2001:db8:0:1::1/tcp/1"));
        let near = "/ip4/127.0.0.2/tcp/1";
        assert_eq!(source(near), None);
        let counted = source_of(&near.parse().unwrap(), Loopback::Counted);
        assert_eq!(counted, Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))));
    }

    #[test]
    fn validators_come_on_top_of_the_totals() {
        let mut guard = Guard::new(Limits { inbound_max: 2, ..Limits::default() });
        let validator = PeerId::random();
        guard.set_exempt(BTreeSet::from([validator]));
        inbound(&mut guard, 0, PeerId::random(), "/ip4/10.0.0.1/tcp/1").unwrap();
        inbound(&mut guard, 1, PeerId::random(), "/ip4/10.0.0.2/tcp/1").unwrap();
        let refused = inbound(&mut guard, 2, PeerId::random(), "/ip4/10.0.0.3/tcp/1");
        assert_eq!(refused, Err(Refused::Inbound.to_string()));
        inbound(&mut guard, 3, validator, "/ip4/10.0.0.4/tcp/1").unwrap();
    }

    #[test]
    fn a_quiet_connection_makes_room_for_the_same_peer() {
        let mut guard = Guard::new(Limits::default());
        let peer = PeerId::random();
        inbound(&mut guard, 0, peer, "/ip4/127.0.0.1/tcp/1").unwrap();
        inbound(&mut guard, 1, peer, "/ip4/127.0.0.1/tcp/1").unwrap();
        let refused = inbound(&mut guard, 2, peer, "/ip4/127.0.0.1/tcp/1");
        assert_eq!(refused, Err(Refused::PerPeer.to_string()));
        guard.set_quiet(ConnectionId::new_unchecked(0), true);
        inbound(&mut guard, 3, peer, "/ip4/127.0.0.1/tcp/1").unwrap();
    }

    #[test]
    fn a_ban_ends() {
        let mut guard = Guard::new(Limits::default());
        let peer = PeerId::random();
        let now = clock::now();
        guard.ban(peer, now + limits::BAN_FIRST);
        assert!(guard.is_banned(&peer, now));
        assert!(!guard.is_banned(&peer, now + limits::BAN_FIRST));
        let refused = inbound(&mut guard, 0, peer, "/ip4/127.0.0.1/tcp/1");
        assert_eq!(refused, Err(Refused::Banned.to_string()));
    }
}
