//! What the network tells the application, and the receiver that hands it over by urgency.
//!
//! One bounded queue for each kind, so that a heap of batches never stands before a vote. Within
//! one kind and peer the order is that of the wire; between kinds there is none, except that
//! `PeerUp` comes before anything else from that peer.

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};
use libp2p_gossipsub::MessageId;
use tokio::sync::{mpsc, oneshot};

use crate::{Identity, limits};

/// Classes of direct streams; each has its own stream, frame limit and queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Consensus votes.
    Votes,
    /// Batch certificates and acknowledgements.
    Certificates,
    /// Slot proposals.
    Proposals,
    /// Batches.
    Batches,
}

impl Class {
    /// All classes, most urgent first.
    pub const ALL: [Self; 4] = [Self::Votes, Self::Certificates, Self::Proposals, Self::Batches];

    /// Name in protocol names and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Certificates => "certificates",
            Self::Proposals => "proposals",
            Self::Batches => "batches",
        }
    }

    /// Longest frame, bytes.
    #[must_use]
    pub const fn frame_bytes_max(self) -> usize {
        match self {
            Self::Votes => limits::VOTE_FRAME_BYTES_MAX,
            Self::Certificates => limits::CERTIFICATE_FRAME_BYTES_MAX,
            Self::Proposals => limits::PROPOSAL_FRAME_BYTES_MAX,
            Self::Batches => limits::BATCH_FRAME_BYTES_MAX,
        }
    }

    /// Bytes that may wait for one peer.
    #[must_use]
    pub const fn queue_bytes_max(self) -> usize {
        match self {
            Self::Batches => limits::SEND_QUEUE_BATCH_BYTES_MAX,
            Self::Votes | Self::Certificates | Self::Proposals => limits::SEND_QUEUE_BYTES_MAX,
        }
    }
}

/// Protocols of one request and one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestProtocol {
    /// Where a node stands.
    Status,
    /// Ranges of decided slots.
    Slots,
    /// Batches by digest.
    Batches,
}

impl RequestProtocol {
    /// All protocols.
    pub const ALL: [Self; 3] = [Self::Status, Self::Slots, Self::Batches];

    /// Name in protocol names and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Slots => "slots",
            Self::Batches => "batches",
        }
    }
}

/// What the application thinks of a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Good: pass it on.
    Accept,
    /// Not for us now: do not pass it on, blame nobody.
    Ignore,
    /// Wrong by its bytes alone: do not pass it on, blame who sent it.
    Reject,
}

/// What a peer did wrong, as the application or this crate saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offence {
    /// A frame longer than its class allows.
    Oversize,
    /// Bytes that do not decode.
    Malformed,
    /// A signature that does not verify.
    BadSignature,
    /// A gossip message rejected by its bytes.
    InvalidGossip,
    /// An answer that contradicts what it proves: banned at once.
    LyingAnswer,
    /// More than the limits allow.
    Flood,
    /// Late or silent. Costs a full node its place; never counts against a validator.
    Liveness,
}

/// What became of a frame given to `send`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// In the queue of a connected peer.
    Queued,
    /// The peer's queue for this class is full; nothing was queued.
    Full,
    /// No connection; nothing was queued.
    NotConnected,
    /// Longer than the class allows; nothing was queued.
    TooLarge,
}

/// Token of a gossip message that awaits its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GossipId {
    pub(crate) message: MessageId,
    pub(crate) source: PeerId,
}

/// Right to answer one request; dropped unanswered it declines.
#[derive(Debug)]
pub struct ReplyToken(pub(crate) oneshot::Sender<Bytes>);

/// What happened on the network.
#[derive(Debug)]
pub enum NetworkEvent {
    /// A gossip message; answer with [`crate::NetworkHandle::report`] within 4 s.
    Gossip {
        /// Token for the verdict.
        message: GossipId,
        /// Who passed it on to us, not who made it.
        source: PeerId,
        /// The message.
        data: Bytes,
    },
    /// A frame from an authenticated validator.
    Direct {
        /// The peer.
        from: PeerId,
        /// Its proven identity.
        identity: Identity,
        /// The class of the stream.
        class: Class,
        /// The frame.
        data: Bytes,
    },
    /// A question; answer with [`crate::NetworkHandle::respond`].
    Request {
        /// The peer.
        from: PeerId,
        /// Its proven identity, if it is a validator.
        identity: Option<Identity>,
        /// The protocol.
        protocol: RequestProtocol,
        /// The question.
        data: Bytes,
        /// Token for the answer.
        reply: ReplyToken,
    },
    /// A peer finished its hello on a first connection.
    PeerUp {
        /// The peer.
        peer: PeerId,
        /// Its proven identity, if it is a validator.
        identity: Option<Identity>,
        /// Its software.
        agent: String,
        /// The address of the connection.
        address: Multiaddr,
    },
    /// The last connection of a peer ended. May come before frames it sent earlier.
    PeerDown {
        /// The peer.
        peer: PeerId,
        /// The identity it had.
        identity: Option<Identity>,
    },
}

/// Receiver of all events; most urgent kind first.
#[derive(Debug)]
pub struct NetworkEvents {
    peers: mpsc::Receiver<NetworkEvent>,
    votes: mpsc::Receiver<NetworkEvent>,
    certificates: mpsc::Receiver<NetworkEvent>,
    proposals: mpsc::Receiver<NetworkEvent>,
    requests: mpsc::Receiver<NetworkEvent>,
    gossip: mpsc::Receiver<NetworkEvent>,
    batches: mpsc::Receiver<NetworkEvent>,
}

/// Sending ends of [`NetworkEvents`].
#[derive(Debug, Clone)]
pub(crate) struct EventSenders {
    pub(crate) peers: mpsc::Sender<NetworkEvent>,
    pub(crate) requests: mpsc::Sender<NetworkEvent>,
    pub(crate) gossip: mpsc::Sender<NetworkEvent>,
    votes: mpsc::Sender<NetworkEvent>,
    certificates: mpsc::Sender<NetworkEvent>,
    proposals: mpsc::Sender<NetworkEvent>,
    batches: mpsc::Sender<NetworkEvent>,
}

impl EventSenders {
    pub(crate) fn class(&self, class: Class) -> &mpsc::Sender<NetworkEvent> {
        match class {
            Class::Votes => &self.votes,
            Class::Certificates => &self.certificates,
            Class::Proposals => &self.proposals,
            Class::Batches => &self.batches,
        }
    }
}

pub(crate) fn channel() -> (EventSenders, NetworkEvents) {
    let (peers, peers_rx) = mpsc::channel(limits::EVENT_PEERS_MAX);
    let (votes, votes_rx) = mpsc::channel(limits::EVENT_VOTES_MAX);
    let (certificates, certificates_rx) = mpsc::channel(limits::EVENT_CERTIFICATES_MAX);
    let (proposals, proposals_rx) = mpsc::channel(limits::EVENT_PROPOSALS_MAX);
    let (requests, requests_rx) = mpsc::channel(limits::EVENT_REQUESTS_MAX);
    let (gossip, gossip_rx) = mpsc::channel(limits::EVENT_GOSSIP_MAX);
    let (batches, batches_rx) = mpsc::channel(limits::EVENT_BATCHES_MAX);
    (
        EventSenders { peers, requests, gossip, votes, certificates, proposals, batches },
        NetworkEvents {
            peers: peers_rx,
            votes: votes_rx,
            certificates: certificates_rx,
            proposals: proposals_rx,
            requests: requests_rx,
            gossip: gossip_rx,
            batches: batches_rx,
        },
    )
}

impl NetworkEvents {
    /// The most urgent event that waits, or the next one to come. `None` after shutdown.
    /// Cancel safe.
    pub async fn recv(&mut self) -> Option<NetworkEvent> {
        tokio::select! {
            biased;
            Some(event) = self.peers.recv() => Some(event),
            Some(event) = self.votes.recv() => Some(event),
            Some(event) = self.certificates.recv() => Some(event),
            Some(event) = self.proposals.recv() => Some(event),
            Some(event) = self.requests.recv() => Some(event),
            Some(event) = self.gossip.recv() => Some(event),
            Some(event) = self.batches.recv() => Some(event),
            else => None,
        }
    }

    /// Frames of a class that wait to be received.
    #[must_use]
    pub fn waiting(&self, class: Class) -> usize {
        match class {
            Class::Votes => self.votes.len(),
            Class::Certificates => self.certificates.len(),
            Class::Proposals => self.proposals.len(),
            Class::Batches => self.batches.len(),
        }
    }

    /// The most urgent event that waits, if any.
    pub fn try_recv(&mut self) -> Option<NetworkEvent> {
        [
            &mut self.peers,
            &mut self.votes,
            &mut self.certificates,
            &mut self.proposals,
            &mut self.requests,
            &mut self.gossip,
            &mut self.batches,
        ]
        .into_iter()
        .find_map(|queue| queue.try_recv().ok())
    }
}
