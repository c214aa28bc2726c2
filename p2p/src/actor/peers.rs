//! Peers: up with their first finished hello, down with their last connection.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use libp2p::{PeerId, swarm::ConnectionId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::Actor;
use crate::{
    Identity, NetworkEvent, RequestProtocol, clock,
    direct::Link,
    handle::PeerInfo,
    limits,
    rate::Bucket,
    records::{Known, Offer},
    session::Control,
};

/// A peer with at least one finished connection.
pub(super) struct Peer {
    pub(super) identity: Option<Identity>,
    pub(super) link: Arc<Link>,
    connections: BTreeSet<ConnectionId>,
    /// The connection that the link uses.
    primary: ConnectionId,
    /// Requests of the peer that we serve.
    serving: [Arc<Semaphore>; 3],
    requests: Bucket,
    status: Bucket,
}

impl Peer {
    fn new(
        identity: Option<Identity>,
        link: Arc<Link>,
        primary: ConnectionId,
        now: Instant,
    ) -> Self {
        let (status, requests) = (limits::STATUS_PER_SECOND, limits::REQUESTS_PER_SECOND);
        Self {
            identity,
            link,
            connections: BTreeSet::from([primary]),
            primary,
            serving: RequestProtocol::ALL
                .map(|_| Arc::new(Semaphore::new(limits::REQUESTS_IN_FLIGHT_MAX))),
            requests: Bucket::new(requests, requests, now),
            status: Bucket::new(status, 2 * status, now),
        }
    }

    /// Room for one more request of this peer, or none.
    pub(super) fn admit(
        &mut self,
        protocol: RequestProtocol,
        now: Instant,
    ) -> Option<OwnedSemaphorePermit> {
        let [status, slots, batches] = &self.serving;
        let serving = match protocol {
            RequestProtocol::Status if !self.status.take(now) => return None,
            RequestProtocol::Status => status,
            RequestProtocol::Slots => slots,
            RequestProtocol::Batches => batches,
        };
        if !self.requests.take(now) {
            return None;
        }
        Arc::clone(serving).try_acquire_owned().ok()
    }
}

impl Actor {
    /// A hello is finished on both sides.
    pub(super) fn on_up(
        &mut self,
        id: ConnectionId,
        identity: Option<Identity>,
        agent: String,
        known: Option<Known>,
    ) {
        let now = clock::now();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.up_at = Some(now);
        let (peer, opener) = (connection.peer, connection.opener.clone());
        self.refusals_logged.remove(&peer);
        self.dialer.up(&peer);
        if known.is_some_and(|known| self.context.book_mut().offer(known, Offer::Own)) {
            self.on_book();
        }
        if self.peers.get(&peer).is_some_and(|state| state.identity != identity) {
            // The same node key under another identity: to the application another peer.
            self.forget(peer);
        }
        if self.peers.contains_key(&peer) {
            self.join(peer, id, now);
        } else {
            let counters = &self.shared.counters;
            let link = Link::start(&self.context, counters, peer, identity, opener);
            let mut links = self.shared.links_mut();
            links.by_peer.insert(peer, Arc::clone(&link));
            if let Some(identity) = identity {
                links.by_identity.insert(identity, Arc::clone(&link));
            }
            drop(links);
            self.peers.insert(peer, Peer::new(identity, link, id, now));
            self.show(peer, &agent);
            let address = self.connections.get(&id).map(|connection| connection.address.clone());
            let address = address.unwrap_or_else(libp2p::Multiaddr::empty);
            self.tell(NetworkEvent::PeerUp { peer, identity, agent, address });
        }
        self.exchange_records();
        let parked = self.connections.get_mut(&id).map(|connection| &mut connection.parked);
        for stream in parked.map(std::mem::take).unwrap_or_default() {
            self.on_inbound(stream);
        }
    }

    /// A further connection of a known peer. A peer dials again only when it has lost the one it
    /// had, unless both dialed at once; so the newer one is used, if the older one is not as new.
    fn join(&mut self, peer: PeerId, id: ConnectionId, now: Instant) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.connections.insert(id);
        let old = self.connections.get(&state.primary);
        let fresh = old.is_some_and(|old| {
            let age = old.up_at.map(|up_at| now.saturating_duration_since(up_at));
            !old.quiet && age.is_some_and(|age| age < limits::SIMULTANEOUS_DIALS)
        });
        if !fresh {
            self.route(peer, id);
        }
        self.show_connection(peer);
    }

    fn route(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let Some(connection) = self.connections.get(&id) else { return };
        state.primary = id;
        state.link.reroute(connection.opener.clone());
    }

    /// A finished connection closed.
    pub(super) fn on_lost(&mut self, peer: PeerId, id: ConnectionId, lasted: Duration) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.connections.remove(&id);
        if state.connections.is_empty() {
            self.forget(peer);
            self.dialer.down(&peer, lasted, clock::now());
            return;
        }
        if state.primary == id {
            self.route_elsewhere(peer);
        }
        self.show_connection(peer);
    }

    /// Uses another finished connection, one that answers if there is one.
    fn route_elsewhere(&mut self, peer: PeerId) {
        let Some(state) = self.peers.get(&peer) else { return };
        let others = state.connections.iter().filter(|id| **id != state.primary);
        let best = others
            .filter_map(|id| Some((self.connections.get(id)?.quiet, *id)))
            .min_by_key(|(quiet, _)| *quiet);
        if let Some((_, id)) = best {
            self.route(peer, id);
        }
    }

    pub(super) fn on_quiet(&mut self, id: ConnectionId, quiet: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.quiet = quiet;
        let peer = connection.peer;
        self.swarm.behaviour_mut().guard.set_quiet(id, quiet);
        if quiet && self.peers.get(&peer).is_some_and(|state| state.primary == id) {
            self.route_elsewhere(peer);
        }
        self.plan_dials();
    }

    pub(super) fn on_rtt(&mut self, id: ConnectionId, rtt: Duration) {
        let Some(peer) = self.connections.get(&id).map(|connection| connection.peer) else {
            return;
        };
        if let Some(info) = self.shared.peers_mut().get_mut(&peer) {
            info.rtt = Some(rtt);
        }
    }

    /// Removes a peer everywhere and tells the application.
    fn forget(&mut self, peer: PeerId) {
        let Some(state) = self.peers.remove(&peer) else { return };
        state.link.stop();
        let mut links = self.shared.links_mut();
        links.by_peer.remove(&peer);
        if let Some(identity) = state.identity
            && links.by_identity.get(&identity).is_some_and(|link| link.peer == peer)
        {
            links.by_identity.remove(&identity);
            // The same validator on a second node: its link takes over.
            let other = links.by_peer.values().find(|link| link.identity == Some(identity));
            if let Some(other) = other.cloned() {
                links.by_identity.insert(identity, other);
            }
        }
        drop(links);
        self.shared.peers_mut().remove(&peer);
        self.tell(NetworkEvent::PeerDown { peer, identity: state.identity });
    }

    fn tell(&self, event: NetworkEvent) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge of at most a few hundred")]
        self.shared.counters.peers.set(self.peers.len() as f64);
        if self.context.events.peers.try_send(event).is_err() {
            tracing::error!("the application does not read network events: one is lost");
        }
    }

    /// Makes the peer visible to handles.
    fn show(&self, peer: PeerId, agent: &str) {
        let Some(state) = self.peers.get(&peer) else { return };
        let Some(connection) = self.connections.get(&state.primary) else { return };
        let info = PeerInfo {
            peer,
            identity: state.identity,
            agent: agent.to_owned(),
            address: connection.address.clone(),
            direction: connection.direction,
            score: 0.0,
            rtt: None,
            connections: state.connections.len(),
            queued_bytes: 0,
        };
        self.shared.peers_mut().insert(peer, info);
    }

    fn show_connection(&self, peer: PeerId) {
        let Some(state) = self.peers.get(&peer) else { return };
        let Some(connection) = self.connections.get(&state.primary) else { return };
        if let Some(info) = self.shared.peers_mut().get_mut(&peer) {
            info.address = connection.address.clone();
            info.direction = connection.direction;
            info.connections = state.connections.len();
        }
    }

    /// Sends every peer what it has not been sent of the address book.
    pub(super) fn exchange_records(&mut self) {
        let book = self.context.book();
        for (peer, state) in &self.peers {
            let Some(connection) = self.connections.get_mut(&state.primary) else { continue };
            if connection.book_sent >= book.version() {
                continue;
            }
            let entries = book.since(connection.book_sent, peer);
            let frames = entries.chunks(limits::RECORDS_PER_FRAME_MAX);
            if connection.mailbox.capacity() < frames.len() {
                continue;
            }
            for frame in frames {
                connection.mailbox.try_send(Control::Records(frame.to_vec())).ok();
            }
            connection.book_sent = book.version();
        }
    }
}
