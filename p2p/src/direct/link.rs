//! Everything needed to send to one connected peer; handles use it without asking the actor.

use std::sync::Arc;

use bytes::Bytes;
use libp2p::PeerId;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{queue::Queue, writer};
use crate::{
    Class, Identity, RequestProtocol, SendOutcome, behaviour::Opener, limits, metrics::Counters,
    tasks::Context,
};

/// See the module. Lives as long as the peer has a finished connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) peer: PeerId,
    pub(crate) identity: Option<Identity>,
    queues: [Arc<Queue>; 4],
    /// The connection that new streams use; changes when a connection ends or goes quiet.
    route: watch::Sender<Opener>,
    /// Requests under way to the peer, per protocol.
    requests: [Semaphore; 3],
    cancel: CancellationToken,
}

impl Link {
    /// Makes the link and starts its four writers.
    pub(crate) fn start(
        context: &Arc<Context>,
        counters: &Arc<Counters>,
        peer: PeerId,
        identity: Option<Identity>,
        opener: Opener,
    ) -> Arc<Self> {
        let (route, routes) = watch::channel(opener);
        let queues =
            Class::ALL.map(|class| Arc::new(Queue::new(class, Arc::clone(&context.budget))));
        let cancel = CancellationToken::new();
        for queue in &queues {
            let writer = writer::run(
                Arc::clone(queue),
                context.names.direct(queue.class()),
                routes.clone(),
                Arc::clone(counters),
            );
            let cancel = cancel.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = writer => {}
                }
            });
        }
        let requests = RequestProtocol::ALL.map(|_| Semaphore::new(limits::REQUESTS_IN_FLIGHT_MAX));
        Arc::new(Self { peer, identity, queues, route, requests, cancel })
    }

    fn queue(&self, class: Class) -> &Queue {
        let [votes, certificates, proposals, batches] = &self.queues;
        match class {
            Class::Votes => votes,
            Class::Certificates => certificates,
            Class::Proposals => proposals,
            Class::Batches => batches,
        }
    }

    pub(crate) fn send(&self, class: Class, frame: Bytes) -> SendOutcome {
        self.queue(class).push(frame)
    }

    /// Bytes that wait in all classes.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queues.iter().map(|queue| queue.bytes()).sum()
    }

    pub(crate) fn opener(&self) -> Opener {
        self.route.borrow().clone()
    }

    pub(crate) fn requests(&self, protocol: RequestProtocol) -> &Semaphore {
        let [status, slots, batches] = &self.requests;
        match protocol {
            RequestProtocol::Status => status,
            RequestProtocol::Slots => slots,
            RequestProtocol::Batches => batches,
        }
    }

    /// Moves all streams to another connection of the peer.
    pub(crate) fn reroute(&self, opener: Opener) {
        self.route.send_replace(opener);
    }

    /// Ends the writers; what is queued is dropped.
    pub(crate) fn stop(&self) {
        self.cancel.cancel();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
