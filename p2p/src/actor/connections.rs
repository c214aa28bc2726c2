//! Connections from established to closed, our own addresses, and whom to dial.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU8,
    sync::Arc,
};

use libp2p::{
    Multiaddr, PeerId, Stream,
    core::ConnectedPoint,
    multiaddr::Protocol,
    swarm::{
        ConnectionError, ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::Actor;
use crate::{
    Class,
    behaviour::{InboundStream, Opener},
    clock,
    dialer::{Dial, Target},
    handle::Direction,
    limits,
    rate::Bucket,
    records::{self, Offer, RecordEntry},
    session::{self, Control, Role, Session},
};

/// One established connection.
pub(super) struct Connection {
    pub(super) peer: PeerId,
    pub(super) direction: Direction,
    pub(super) address: Multiaddr,
    pub(super) opener: Opener,
    /// Hands the inbound hello stream to the session, once.
    pub(super) hello: Option<oneshot::Sender<Stream>>,
    pub(super) cancel: CancellationToken,
    /// When the hello was finished.
    pub(super) up_at: Option<Instant>,
    pub(super) quiet: bool,
    /// Whether the failure of its hello was told.
    pub(super) refused: bool,
    /// Control frames to the session.
    pub(super) mailbox: mpsc::Sender<Control>,
    /// Version of the address book the remote was sent.
    pub(super) book_sent: u64,
    /// Streams that came before the report of the finished hello.
    pub(super) parked: Vec<InboundStream>,
    pub(super) streams: Bucket,
    pub(super) readers: BTreeMap<Class, AbortHandle>,
}

impl Actor {
    pub(super) fn on_established(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let now = clock::now();
        let streams = &mut self.swarm.behaviour_mut().streams;
        let (Some(opener), gate) = (streams.take_opener(id), streams.gate(id)) else {
            self.swarm.close_connection(id);
            return;
        };
        let (direction, address, role, hello) = match endpoint {
            ConnectedPoint::Dialer { address, .. } => {
                self.dialer.reached(id, peer, now);
                (Direction::Outbound, address, Role::Dialer, None)
            }
            ConnectedPoint::Listener { send_back_addr, .. } => {
                let (sender, receiver) = oneshot::channel();
                (Direction::Inbound, send_back_addr, Role::Listener(receiver), Some(sender))
            }
        };
        let (mailbox, outgoing) = mpsc::channel(limits::CONTROL_MAILBOX_MAX);
        let cancel = CancellationToken::new();
        let session = Session {
            connection: id,
            peer,
            role,
            opener: opener.clone(),
            gate,
            outgoing,
            cancel: cancel.clone(),
        };
        tokio::spawn(session::run(Arc::clone(&self.context), session));
        let rate = limits::STREAMS_PER_SECOND;
        let connection = Connection {
            peer,
            direction,
            address: records::without_peer(address),
            opener,
            hello,
            cancel,
            up_at: None,
            quiet: false,
            refused: false,
            mailbox,
            book_sent: 0,
            parked: Vec::new(),
            streams: Bucket::new(rate, rate, now),
            readers: BTreeMap::new(),
        };
        self.connections.insert(id, connection);
        self.plan_dials();
    }

    pub(super) fn on_closed(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        cause: Option<ConnectionError>,
    ) {
        let Some(connection) = self.connections.remove(&id) else { return };
        connection.cancel.cancel();
        tracing::debug!(%peer, %id, ?cause, "connection closed");
        if let Some(up_at) = connection.up_at {
            self.on_lost(peer, id, clock::now().saturating_duration_since(up_at));
        }
        self.plan_dials();
    }

    pub(super) fn on_dial_error(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        error: &DialError,
    ) {
        tracing::debug!(?peer, %error, "dial failed");
        if matches!(error, DialError::LocalPeerId { .. }) {
            self.dialer.is_self(id);
        } else {
            self.dialer.dial_failed(id, clock::now());
        }
        self.plan_dials();
    }

    /// Peers that need no dial: any connection that answers, finished or not.
    fn reachable(&self) -> BTreeSet<PeerId> {
        let alive = self.connections.values().filter(|connection| !connection.quiet);
        alive.map(|connection| connection.peer).collect()
    }

    /// Finds out when the next dial is due. Called when that may have changed.
    pub(super) fn plan_dials(&mut self) {
        let ready = self.listeners_pending.is_empty();
        self.dial_at = if ready { self.dialer.next_due(&self.reachable()) } else { None };
    }

    pub(super) fn dial_due(&mut self) {
        if self.listeners_pending.is_empty() {
            let now = clock::now();
            let room = limits::PENDING_OUTBOUND_MAX.saturating_sub(self.dialer.dialing_count());
            let validators = self.peers.values().filter(|peer| peer.identity.is_some()).count();
            let enough = !self.is_validator && validators >= limits::FULL_NODE_VALIDATORS;
            for dial in self.dialer.due(&self.reachable(), now, room) {
                if enough && matches!(dial.target, Target::Validator(_)) {
                    self.dialer.failed(&dial.target, now);
                } else {
                    self.dial(dial, now);
                }
            }
        }
        self.plan_dials();
        // Without room for a dial that is due, look again soon and not at once.
        let soonest = clock::now() + limits::REDIAL_FIRST;
        self.dial_at = self.dial_at.map(|at| at.max(soonest));
    }

    /// A fresh port for each dial: from the listening port, two nodes that dial each other at once
    /// would meet in one TCP connection with two dialers and no listener.
    fn dial(&mut self, dial: Dial, now: Instant) {
        let Dial { target, peer, mut addresses } = dial;
        let options = match (peer, addresses.pop()) {
            (_, None) => return self.dialer.failed(&target, now),
            (None, Some(address)) => {
                DialOpts::unknown_peer_id().address(address).allocate_new_port().build()
            }
            (Some(peer), Some(address)) => {
                addresses.push(address);
                DialOpts::peer_id(peer)
                    .condition(PeerCondition::Always)
                    .addresses(addresses)
                    .override_dial_concurrency_factor(NonZeroU8::MIN.saturating_add(3))
                    .allocate_new_port()
                    .build()
            }
        };
        let id = options.connection_id();
        self.dialer.dialing(&target, id);
        if let Err(error) = self.swarm.dial(options) {
            // Also reported as an event in some cases; the second report finds nothing to do.
            self.on_dial_error(id, peer, &error);
        }
    }

    /// Our addresses changed, or the listeners are ready: sign a new record.
    pub(super) fn on_addresses(&mut self) {
        if !self.listeners_pending.is_empty() {
            return;
        }
        let addresses = advertised(&self.external, &self.listening);
        match records::sign(&self.keypair, addresses) {
            Ok(record) => {
                self.context.set_own_record(record.clone());
                let binding = self.context.policy.binding(&self.context.local);
                if let Some(binding) = binding {
                    self.offer_own(&RecordEntry { record, binding: binding.to_vec() });
                }
            }
            Err(error) => tracing::error!(%error, "cannot sign own address record"),
        }
        let listening = self.listening.iter().cloned().collect();
        self.shared.listen.send_replace(Some(listening));
        self.plan_dials();
    }

    fn offer_own(&mut self, entry: &RecordEntry) {
        match records::verify(&*self.context.policy, entry) {
            Ok(known) => {
                self.context.book_mut().offer(known, Offer::Own);
            }
            Err(error) => tracing::error!(%error, "our own binding is refused by our policy"),
        }
    }

    /// The address book changed: new validators to dial, new exemptions from the totals.
    pub(super) fn on_book(&mut self) {
        let (peers, addresses) = {
            let book = self.context.book();
            let addresses = book.iter().map(|known| (known.at.peer, known.at.addresses.clone()));
            (book.peers(), addresses.collect())
        };
        self.dialer.set_validators(addresses, clock::now());
        self.swarm.behaviour_mut().guard.set_exempt(peers);
        self.plan_dials();
    }
}

/// The addresses of our record: the configured ones, else those we listen on, loopback only if
/// there is nothing else; at most [`limits::RECORD_ADDRESSES_MAX`].
fn advertised(external: &[Multiaddr], listening: &BTreeSet<Multiaddr>) -> Vec<Multiaddr> {
    let is_loopback = |address: &Multiaddr| {
        address.iter().any(|part| match part {
            Protocol::Ip4(ip) => ip.is_loopback(),
            Protocol::Ip6(ip) => ip.is_loopback(),
            _ => false,
        })
    };
    let mut addresses: Vec<Multiaddr> = if external.is_empty() {
        listening.iter().filter(|address| !is_loopback(address)).cloned().collect()
    } else {
        external.to_vec()
    };
    if addresses.is_empty() {
        addresses.extend(listening.iter().cloned());
    }
    addresses.truncate(limits::RECORD_ADDRESSES_MAX);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_only_when_there_is_nothing_else() {
        let lo: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        let lan: Multiaddr = "/ip4/172.18.0.2/tcp/1".parse().unwrap();
        let outside: Multiaddr = "/dns4/v1/tcp/1".parse().unwrap();
        let both = BTreeSet::from([lo.clone(), lan.clone()]);
        assert_eq!(advertised(&[], &both), vec![lan]);
        assert_eq!(advertised(&[], &BTreeSet::from([lo.clone()])), vec![lo]);
        assert_eq!(advertised(std::slice::from_ref(&outside), &both), vec![outside]);
    }
}
