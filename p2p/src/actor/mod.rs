//! The one task that owns the swarm; everything it is told comes through bounded queues.
//!
//! ```text
//! swarm ───────► on_swarm      connections, inbound streams, gossip
//! own tasks ───► on_report     sessions up and over, offences, a changed address book
//! handles ─────► on_command, publish, verdicts
//! clock ───────► dial_due, on_second
//! ```
//!
//! It never waits for a task, a peer or the application.

mod connections;
mod inbound;
mod justice;
mod peers;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::transport::ListenerId,
    identity::Keypair,
    metrics::{Metrics, Recorder},
    swarm::{ConnectionId, SwarmEvent},
};
use libp2p_gossipsub::{IdentTopic, MessageAcceptance};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};

use self::{connections::Connection, peers::Peer};
use crate::{
    GossipId, Offence, Verdict,
    behaviour::{Behaviour, Event},
    clock,
    dialer::Dialer,
    handle::{Command, Queues, Shared},
    limits,
    penalties::Penalties,
    tasks::{Context, Report},
};

/// What the actor is built from.
pub(crate) struct Parts {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) keypair: Keypair,
    pub(crate) shared: Arc<Shared>,
    pub(crate) topic: IdentTopic,
    pub(crate) metrics: Metrics,
    pub(crate) external: Vec<Multiaddr>,
    pub(crate) listeners: HashSet<ListenerId>,
    pub(crate) dialer: Dialer,
    pub(crate) reports: mpsc::Receiver<Report>,
}

/// See the module.
pub(crate) struct Actor {
    swarm: Swarm<Behaviour>,
    keypair: Keypair,
    context: Arc<Context>,
    shared: Arc<Shared>,
    topic: IdentTopic,
    metrics: Metrics,
    external: Vec<Multiaddr>,
    /// Listeners that have no address yet; nothing is dialed before they have.
    listeners_pending: HashSet<ListenerId>,
    listening: BTreeSet<Multiaddr>,
    is_validator: bool,
    dialer: Dialer,
    dial_at: Option<Instant>,
    penalties: Penalties,
    connections: BTreeMap<ConnectionId, Connection>,
    peers: BTreeMap<PeerId, Peer>,
    /// Peers whose refusal was logged; see [`limits::REFUSALS_LOGGED_MAX`].
    refusals_logged: BTreeSet<PeerId>,
    reports: mpsc::Receiver<Report>,
}

impl Actor {
    pub(crate) fn new(parts: Parts) -> Self {
        let context = Arc::clone(&parts.shared.context);
        let is_validator = context.policy.binding(&context.local).is_some();
        Self {
            swarm: parts.swarm,
            keypair: parts.keypair,
            context,
            shared: parts.shared,
            topic: parts.topic,
            metrics: parts.metrics,
            external: parts.external,
            listeners_pending: parts.listeners,
            listening: BTreeSet::new(),
            is_validator,
            dialer: parts.dialer,
            dial_at: None,
            penalties: Penalties::default(),
            connections: BTreeMap::new(),
            peers: BTreeMap::new(),
            refusals_logged: BTreeSet::new(),
            reports: parts.reports,
        }
    }

    /// Runs until shutdown or until the last handle is gone.
    pub(crate) async fn run(mut self, mut queues: Queues) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.on_addresses();
        self.on_book();
        loop {
            let dial_at = self.dial_at.unwrap_or_else(|| clock::now() + limits::REDIAL_MAX);
            tokio::select! {
                () = queues.cancel.cancelled() => break,
                event = self.swarm.select_next_some() => self.on_swarm(event),
                Some(report) = self.reports.recv() => self.on_report(report),
                command = queues.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => break,
                },
                Some(data) = queues.publish.recv() => self.on_publish(data.into()),
                Some((id, verdict)) = queues.verdicts.recv() => self.on_verdict(&id, verdict),
                _ = seconds.tick() => self.on_second(),
                () = tokio::time::sleep_until(dial_at) => self.dial_due(),
            }
        }
        self.stop();
        // Listeners and connections close with the swarm, before whoever waits is told.
        drop(self);
        drop(queues.ended);
    }

    fn stop(&mut self) {
        for connection in self.connections.values() {
            connection.cancel.cancel();
        }
        for peer in self.peers.values() {
            peer.link.stop();
        }
        let mut links = self.shared.links_mut();
        links.by_peer.clear();
        links.by_identity.clear();
        drop(links);
        self.shared.peers_mut().clear();
    }

    fn on_swarm(&mut self, event: SwarmEvent<Event>) {
        self.metrics.record(&event);
        match event {
            SwarmEvent::Behaviour(Event::Inbound(stream)) => self.on_inbound(*stream),
            SwarmEvent::Behaviour(Event::Gossip(event)) => self.on_gossip(*event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.on_closed(peer_id, connection_id, cause);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.on_dial_error(connection_id, peer_id, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(%send_back_addr, %error, "inbound connection failed");
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.listeners_pending.remove(&listener_id);
                self.listening.insert(address);
                self.on_addresses();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.listening.remove(&address);
                self.on_addresses();
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                tracing::error!(?addresses, ?reason, "a listener closed");
                self.listeners_pending.remove(&listener_id);
                addresses.iter().for_each(|address| {
                    self.listening.remove(address);
                });
                self.on_addresses();
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listener"),
            _ => {}
        }
    }

    fn on_report(&mut self, report: Report) {
        match report {
            Report::Up { connection, identity, agent, known } => {
                self.on_up(connection, identity, agent, known);
            }
            Report::Refused { connection, peer, error } => {
                self.on_refused(connection, peer, error);
            }
            Report::Ended { connection, peer, end } => self.on_ended(connection, peer, end),
            Report::Rtt { connection, rtt } => self.on_rtt(connection, rtt),
            Report::Quiet { connection, quiet } => self.on_quiet(connection, quiet),
            Report::BookChanged => self.on_book(),
            Report::Offence { peer, offence, what } => self.offence(peer, offence, &what),
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Penalise(peer, offence) => self.offence(peer, offence, "application"),
            Command::Ban(peer, duration) => self.ban(peer, duration),
            Command::Dial(address) => {
                let attempts = Some(limits::DIAL_ONCE_ATTEMPTS_MAX);
                if !self.dialer.add_address(&address, attempts, clock::now()) {
                    tracing::warn!(%address, "too many addresses to dial, dropped");
                }
                self.plan_dials();
            }
        }
    }

    fn on_publish(&mut self, data: Vec<u8>) {
        let gossip = &mut self.swarm.behaviour_mut().gossip.inner;
        if let Err(error) = gossip.publish(self.topic.clone(), data) {
            tracing::debug!(%error, "not published");
        }
    }

    fn on_verdict(&mut self, id: &GossipId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip.inner;
        gossip.report_message_validation_result(&id.message, &id.source, acceptance);
        if verdict == Verdict::Reject {
            self.offence(id.source, Offence::InvalidGossip, "gossip message rejected");
        }
    }

    fn on_second(&mut self) {
        self.exchange_records();
        self.refresh_scores();
        self.plan_dials();
    }
}
