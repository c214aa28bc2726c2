//! The gate of one connection: shut until the hello is finished, for every protocol but hello.
//!
//! Two steps, because a stream refused once is never tried again by gossipsub: `accept` (we have
//! verified the remote's hello, so what it opens is taken) is set before our welcome is sent;
//! `pass` (the remote has welcomed us) lets our own side open streams. So nobody opens a stream
//! that the other side would still refuse.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use futures::task::AtomicWaker;
use libp2p::swarm::ConnectionId;

/// Shared by the handlers of one connection and its session.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    accept: AtomicBool,
    pass: AtomicBool,
    waker: AtomicWaker,
}

impl Gate {
    /// Whether inbound streams of any protocol are taken.
    pub(crate) fn accepts(&self) -> bool {
        self.accept.load(Ordering::Acquire)
    }

    /// Whether we may open streams and read what came in.
    pub(crate) fn passes(&self) -> bool {
        self.pass.load(Ordering::Acquire)
    }

    /// Takes inbound streams from here on. The handler reads the flag at each negotiation.
    pub(crate) fn accept(&self) {
        self.accept.store(true, Ordering::Release);
    }

    /// Opens the gate in full and wakes the gossip handler behind it.
    pub(crate) fn pass(&self) {
        self.accept();
        self.pass.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Remembers who waits for [`Self::pass`].
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}

/// The gates of all connections, so that two behaviours find the same one. As long as the map of
/// connections, which the guard bounds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<BTreeMap<ConnectionId, Arc<Gate>>>>);

impl Gates {
    pub(crate) fn of(&self, connection: ConnectionId) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(connection).or_default().clone()
    }

    pub(crate) fn remove(&self, connection: ConnectionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    }
}
