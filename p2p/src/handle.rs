//! The application's end: cheap to clone, never blocks on the network.
//!
//! Sending and asking go straight to the peer's link; only what concerns the swarm itself
//! (gossip, verdicts, bans, dials) passes the actor, through bounded queues.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId, metrics::Registry};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Class, GossipId, Identity, Offence, ReplyToken, RequestProtocol, SendOutcome, Verdict,
    direct::Link,
    error::{HelloError, PublishError, RequestError},
    limits,
    metrics::{self, Counters},
    requests,
    tasks::Context,
};

/// Which side dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// They dialed us.
    Inbound,
    /// We dialed them.
    Outbound,
}

/// A connected peer as an operator sees it; score and times are at most a second old.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// The peer.
    pub peer: PeerId,
    /// Its proven identity, if it is a validator.
    pub identity: Option<Identity>,
    /// Its software.
    pub agent: String,
    /// Address of the connection in use.
    pub address: Multiaddr,
    /// Who dialed the connection in use.
    pub direction: Direction,
    /// Gossip score, offences included; below zero is bad.
    pub score: f64,
    /// Round trip of the last ping.
    pub rtt: Option<Duration>,
    /// Connections with a finished hello.
    pub connections: usize,
    /// Bytes waiting to be sent to it directly.
    pub queued_bytes: usize,
}

/// A connection that did not become a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The peer.
    pub peer: PeerId,
    /// Where it is.
    pub address: Multiaddr,
    /// Who dialed.
    pub direction: Direction,
    /// Why.
    pub error: HelloError,
}

/// A command to the actor.
#[derive(Debug)]
pub(crate) enum Command {
    Penalise(PeerId, Offence),
    Ban(PeerId, Duration),
    Dial(Multiaddr),
}

/// Links by both names of a peer.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) by_peer: BTreeMap<PeerId, Arc<Link>>,
    pub(crate) by_identity: BTreeMap<Identity, Arc<Link>>,
}

/// What actor and handles share.
pub(crate) struct Shared {
    pub(crate) context: Arc<Context>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) registry: Registry,
    /// `None` until every listener has an address.
    pub(crate) listen: watch::Sender<Option<Vec<Multiaddr>>>,
    pub(crate) refusals: watch::Sender<VecDeque<Refusal>>,
    links: RwLock<Links>,
    peers: RwLock<BTreeMap<PeerId, PeerInfo>>,
}

impl Shared {
    pub(crate) fn new(context: Arc<Context>, counters: Counters, registry: Registry) -> Self {
        Self {
            context,
            counters: Arc::new(counters),
            registry,
            listen: watch::Sender::new(None),
            refusals: watch::Sender::new(VecDeque::new()),
            links: RwLock::default(),
            peers: RwLock::default(),
        }
    }

    pub(crate) fn links(&self) -> RwLockReadGuard<'_, Links> {
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn links_mut(&self) -> RwLockWriteGuard<'_, Links> {
        self.links.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> RwLockReadGuard<'_, BTreeMap<PeerId, PeerInfo>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn peers_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<PeerId, PeerInfo>> {
        self.peers.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module. The network stops when the last handle is dropped, or by [`Self::shutdown`].
#[derive(Clone)]
pub struct NetworkHandle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    publish: mpsc::Sender<Bytes>,
    verdicts: mpsc::Sender<(GossipId, Verdict)>,
    cancel: CancellationToken,
    /// Closed when the actor has ended.
    ended: watch::Receiver<()>,
}

impl std::fmt::Debug for NetworkHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NetworkHandle({})", self.shared.context.local)
    }
}

/// The actor's ends of a handle's queues.
pub(crate) struct Queues {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) publish: mpsc::Receiver<Bytes>,
    pub(crate) verdicts: mpsc::Receiver<(GossipId, Verdict)>,
    pub(crate) cancel: CancellationToken,
    /// Dropped by the actor when it ends.
    pub(crate) ended: watch::Sender<()>,
}

impl NetworkHandle {
    pub(crate) fn channel(shared: Arc<Shared>) -> (Self, Queues) {
        let (commands, commands_rx) = mpsc::channel(limits::COMMANDS_MAX);
        let (publish, publish_rx) = mpsc::channel(limits::PUBLISH_QUEUE_MAX);
        let (verdicts, verdicts_rx) = mpsc::channel(limits::VERDICTS_MAX);
        let (ended_tx, ended) = watch::channel(());
        let cancel = CancellationToken::new();
        let queues = Queues {
            commands: commands_rx,
            publish: publish_rx,
            verdicts: verdicts_rx,
            cancel: cancel.clone(),
            ended: ended_tx,
        };
        (Self { shared, commands, publish, verdicts, cancel, ended }, queues)
    }

    /// Our PeerId.
    #[must_use]
    pub fn local_peer_id(&self) -> PeerId {
        self.shared.context.local
    }

    /// Addresses we listen on, once every listener has one; empty if none is configured.
    pub async fn listen_addresses(&self) -> Vec<Multiaddr> {
        let mut listen = self.shared.listen.subscribe();
        let ready = listen.wait_for(Option::is_some).await;
        ready.ok().and_then(|addresses| addresses.clone()).unwrap_or_default()
    }

    /// Publishes a message on the transaction topic.
    ///
    /// # Errors
    /// If it is too long, the queue is full, nobody is connected, or the network is down.
    pub fn publish(&self, data: Bytes) -> Result<(), PublishError> {
        let max = limits::GOSSIP_BYTES_MAX;
        if data.len() > max {
            return Err(PublishError::TooLarge { bytes: data.len(), max });
        }
        if self.shared.links().by_peer.is_empty() {
            return Err(PublishError::NoPeers);
        }
        self.publish.try_send(data).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PublishError::Busy,
            mpsc::error::TrySendError::Closed(_) => PublishError::Closed,
        })
    }

    /// Gives the verdict on a gossip message. Every one needs one, within 4 s.
    pub fn report(&self, message: GossipId, verdict: Verdict) {
        // The queue outlasts all gossip events that can wait; if the application floods it with
        // verdicts nobody asked for, the message simply expires unforwarded.
        self.verdicts.try_send((message, verdict)).ok();
    }

    /// Queues a frame to a validator; never waits.
    pub fn send(&self, to: &Identity, class: Class, data: Bytes) -> SendOutcome {
        let links = self.shared.links();
        links
            .by_identity
            .get(to)
            .map_or(SendOutcome::NotConnected, |link| self.queue(link, class, data))
    }

    /// Queues a frame to a peer; a full node takes direct frames, but may send none.
    pub fn send_peer(&self, to: &PeerId, class: Class, data: Bytes) -> SendOutcome {
        let links = self.shared.links();
        links
            .by_peer
            .get(to)
            .map_or(SendOutcome::NotConnected, |link| self.queue(link, class, data))
    }

    /// Queues a frame to every connected validator; gives to how many it was queued.
    pub fn broadcast(&self, class: Class, data: &Bytes) -> usize {
        let links = self.shared.links();
        links
            .by_identity
            .values()
            .filter(|link| self.queue(link, class, data.clone()) == SendOutcome::Queued)
            .count()
    }

    fn queue(&self, link: &Link, class: Class, data: Bytes) -> SendOutcome {
        let outcome = link.send(class, data);
        if outcome == SendOutcome::Full {
            self.shared.counters.full(class);
        }
        outcome
    }

    /// Validators with a finished connection.
    #[must_use]
    pub fn connected_identities(&self) -> Vec<Identity> {
        self.shared.links().by_identity.keys().copied().collect()
    }

    /// Whether a validator has a finished connection.
    #[must_use]
    pub fn is_connected(&self, identity: &Identity) -> bool {
        self.shared.links().by_identity.contains_key(identity)
    }

    /// The peer that a connected validator is.
    #[must_use]
    pub fn peer_of(&self, identity: &Identity) -> Option<PeerId> {
        self.shared.links().by_identity.get(identity).map(|link| link.peer)
    }

    /// All connected peers.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.shared.peers().values().cloned().collect()
    }

    /// Asks a peer and waits for the answer, at most [`limits::REQUEST_TIMEOUT`].
    ///
    /// # Errors
    /// See [`RequestError`]; on all but `TooLarge` another peer may do better.
    pub async fn request(
        &self,
        peer: &PeerId,
        protocol: RequestProtocol,
        data: Bytes,
    ) -> Result<Bytes, RequestError> {
        let link = self.shared.links().by_peer.get(peer).cloned();
        let link = link.ok_or(RequestError::NotConnected(*peer))?;
        let answer = requests::ask(&link, &self.shared.context.names, protocol, data).await;
        match &answer {
            Err(RequestError::AnswerTooLarge { .. }) => self.penalise(peer, Offence::Oversize),
            Err(RequestError::Meaningless(_)) => self.penalise(peer, Offence::Malformed),
            _ => {}
        }
        answer
    }

    /// Answers a request, at most [`limits::RESPONSE_BYTES_MAX`] bytes; too late is no error.
    pub fn respond(&self, reply: ReplyToken, data: Bytes) {
        reply.0.send(data).ok();
    }

    /// Counts an offence against a peer; enough of them ban it.
    pub fn penalise(&self, peer: &PeerId, offence: Offence) {
        self.command(Command::Penalise(*peer, offence));
    }

    /// Bans a peer for a time and closes its connections.
    pub fn ban(&self, peer: &PeerId, duration: Duration) {
        self.command(Command::Ban(*peer, duration));
    }

    /// Dials an address, a few times if need be.
    pub fn dial(&self, address: Multiaddr) {
        self.command(Command::Dial(address));
    }

    fn command(&self, command: Command) {
        if let Err(error) = self.commands.try_send(command) {
            tracing::warn!(%error, "network command dropped");
        }
    }

    /// Records of all known validators, for [`crate::Config::known`] of the next run.
    #[must_use]
    pub fn known_records(&self) -> Vec<Bytes> {
        self.shared.context.book().iter().map(|known| known.entry.to_bytes()).collect()
    }

    /// The last refused hellos, newest last; the receiver tells of new ones.
    #[must_use]
    pub fn refusals(&self) -> watch::Receiver<VecDeque<Refusal>> {
        self.shared.refusals.subscribe()
    }

    /// libp2p's own metrics as a page that can follow another one; names begin `rota_libp2p_`.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        metrics::page(&self.shared.registry)
    }

    /// Closes all connections and waits until the network has ended.
    pub async fn shutdown(mut self) {
        self.cancel.cancel();
        while self.ended.changed().await.is_ok() {}
    }
}
