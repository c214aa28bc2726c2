//! What the crate's own tasks report to the actor, and what they all share.

use std::{
    ops::Deref,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use libp2p::{PeerId, swarm::ConnectionId};
use tokio::sync::mpsc;

use crate::{
    Identity, Offence, Policy,
    answers::Answers,
    direct::Budget,
    error::HelloError,
    event::EventSenders,
    names::Names,
    records::{Book, Known},
};

/// What a node is, fixed at start.
pub(crate) struct About {
    pub(crate) chain_id: u64,
    pub(crate) network: [u8; 32],
    pub(crate) agent: String,
    pub(crate) local: PeerId,
    pub(crate) names: Names,
    pub(crate) ping_interval: Duration,
}

/// Shared by the actor and every task of one node.
pub(crate) struct Context {
    about: About,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) events: EventSenders,
    pub(crate) reports: mpsc::Sender<Report>,
    /// Bytes in the send queues of all peers.
    pub(crate) budget: Arc<Budget>,
    /// Bytes of answers to all peers.
    pub(crate) answers: Arc<Answers>,
    book: RwLock<Book>,
    own_record: RwLock<Vec<u8>>,
}

impl Deref for Context {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

impl Context {
    pub(crate) fn new(
        about: About,
        policy: Arc<dyn Policy>,
        events: EventSenders,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        let (budget, answers) = (Arc::default(), Arc::default());
        let (book, own_record) = (RwLock::default(), RwLock::default());
        Self { about, policy, events, reports, budget, answers, book, own_record }
    }

    pub(crate) fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn book_mut(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our signed address record as it stands.
    pub(crate) fn own_record(&self) -> Vec<u8> {
        self.own_record.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_own_record(&self, record: Vec<u8>) {
        *self.own_record.write().unwrap_or_else(PoisonError::into_inner) = record;
    }

    /// Tells the actor; waits for room, and does nothing once the actor is gone.
    pub(crate) async fn report(&self, report: Report) {
        self.reports.send(report).await.ok();
    }
}

/// How a session ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Before it began.
    Hello(HelloError),
    /// Nothing was heard for too long.
    Silent,
    /// The control stream broke.
    Broken(String),
    /// The peer broke the rules of the control stream.
    Offence(Offence, String),
}

/// A task's report.
#[derive(Debug)]
pub(crate) enum Report {
    /// A hello is finished on both sides.
    Up { connection: ConnectionId, identity: Option<Identity>, agent: String, known: Option<Known> },
    /// We refuse a remote's hello; the session ends soon.
    Refused { connection: ConnectionId, peer: PeerId, error: HelloError },
    /// A session is over; the connection is to be closed.
    Ended { connection: ConnectionId, peer: PeerId, end: End },
    /// A ping came back.
    Rtt { connection: ConnectionId, rtt: Duration },
    /// A connection stopped or resumed answering.
    Quiet { connection: ConnectionId, quiet: bool },
    /// The address book changed.
    BookChanged,
    /// A peer did wrong on one of its streams.
    Offence { peer: PeerId, offence: Offence, what: String },
}
