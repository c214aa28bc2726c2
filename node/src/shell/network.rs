//! From network events to the core: frames as they are, batches and bundles parsed and hashed on the way.

use super::release::Verdicts;
use super::serve::Server;
use crate::core::{FrameClass, Input};
use crate::limits::{GONE_PEERS_MAX, SERVE_MAX, VERIFY_QUEUE_MAX};
use bytes::Bytes;
use rota_p2p::{Class, Identity, NetworkEvent, NetworkEvents, NetworkHandle, Offence, PeerId};
use rota_sequencer::Batch;
use rota_types::limits::BUNDLE_BYTES_MAX;
use rota_types::{TransactionList, ValidatorKey};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, mpsc};

/// Numbers for peers: the core knows no PeerId. A peer that comes back has the number it had, so that a new connection
/// renews no budget that goes by it.
#[derive(Default)]
pub(super) struct Peers(Mutex<Numbers>);

#[derive(Default)]
struct Numbers {
    by_peer: HashMap<PeerId, u64>,
    peers: HashMap<u64, PeerId>,
    /// Longest gone first.
    gone: VecDeque<(PeerId, u64)>,
    next: u64,
}

impl Peers {
    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a peer that came its number.
    fn add(&self, peer: PeerId) -> u64 {
        let mut numbers = self.numbers();
        if let Some(number) = numbers.by_peer.get(&peer) {
            return *number;
        }
        let earlier = numbers.gone.iter().position(|(gone, _)| *gone == peer);
        let earlier = earlier.and_then(|at| numbers.gone.remove(at));
        let number = earlier.map_or(numbers.next, |(_, number)| number);
        numbers.next = numbers.next.max(number.saturating_add(1));
        numbers.by_peer.insert(peer, number);
        numbers.peers.insert(number, peer);
        number
    }

    /// The number of a peer while it is connected: its last messages may come after it has gone, and must not
    /// bring it back.
    fn number(&self, peer: &PeerId) -> Option<u64> {
        self.numbers().by_peer.get(peer).copied()
    }

    /// The peer of a number, while it is connected.
    pub(super) fn peer(&self, number: u64) -> Option<PeerId> {
        self.numbers().peers.get(&number).copied()
    }

    fn forget(&self, peer: &PeerId) -> Option<u64> {
        let mut numbers = self.numbers();
        let number = numbers.by_peer.remove(peer)?;
        numbers.peers.remove(&number);
        if numbers.gone.len() >= GONE_PEERS_MAX {
            numbers.gone.pop_front();
        }
        numbers.gone.push_back((*peer, number));
        Some(number)
    }
}

/// The task that reads network events.
pub(super) struct Inbound {
    pub(super) chain_id: u64,
    pub(super) network: NetworkHandle,
    pub(super) peers: Arc<Peers>,
    pub(super) verdicts: Arc<Verdicts>,
    pub(super) urgent: mpsc::Sender<Input>,
    pub(super) batches: mpsc::Sender<Input>,
    pub(super) bulk: mpsc::Sender<Input>,
    pub(super) server: Arc<Server>,
}

struct Unverified {
    peer: PeerId,
    from: ValidatorKey,
    frame: Bytes,
}

impl Inbound {
    /// Reads events until the network is shut down.
    pub(super) async fn run(self, mut events: NetworkEvents) {
        let batches = self.spawn_verifier();
        let serving = Arc::new(Semaphore::new(SERVE_MAX));
        while let Some(event) = events.recv().await {
            match event {
                NetworkEvent::Direct { from, identity, class, data } => {
                    self.on_direct(&batches, from, identity, class, data).await;
                }
                NetworkEvent::Gossip { message, source, data } => {
                    self.on_gossip(message, source, data).await;
                }
                NetworkEvent::Request { from, protocol, data, reply, .. } => {
                    let permit = Arc::clone(&serving).try_acquire_owned();
                    let (Ok(permit), Some(peer)) = (permit, self.peers.number(&from)) else {
                        continue;
                    };
                    let (server, network) = (Arc::clone(&self.server), self.network.clone());
                    let now = self.server.now();
                    tokio::task::spawn_blocking(move || {
                        if let Some(answer) = server.answer(now, peer, protocol, &data) {
                            network.respond(reply, answer);
                        }
                        drop(permit);
                    });
                }
                NetworkEvent::PeerUp { peer, identity, .. } => {
                    self.on_peer_up(peer, identity).await;
                }
                NetworkEvent::PeerDown { peer, identity } => {
                    self.on_peer_down(peer, identity).await;
                }
            }
        }
    }

    async fn tell(&self, input: Input) {
        // A closed mailbox means that the node is going down.
        self.urgent.send(input).await.ok();
    }

    async fn on_peer_up(&self, peer: PeerId, identity: Option<Identity>) {
        let validator = identity.map(|identity| ValidatorKey(identity.0));
        let number = self.peers.add(peer);
        tracing::info!(%peer, ?validator, "peer connected");
        self.tell(Input::PeerUp { peer: number, validator }).await;
        if let Some(validator) = validator {
            self.tell(Input::Connected { validator }).await;
        }
    }

    async fn on_peer_down(&self, peer: PeerId, identity: Option<Identity>) {
        tracing::info!(%peer, "peer disconnected");
        if let Some(number) = self.peers.forget(&peer) {
            self.tell(Input::PeerDown { peer: number }).await;
        }
        if let Some(identity) = identity {
            self.tell(Input::Disconnected { validator: ValidatorKey(identity.0) }).await;
        }
    }

    async fn on_direct(
        &self,
        batches: &mpsc::Sender<Unverified>,
        peer: PeerId,
        identity: Identity,
        class: Class,
        bytes: Bytes,
    ) {
        let from = ValidatorKey(identity.0);
        let class = match class {
            Class::Votes => FrameClass::Votes,
            Class::Certificates => FrameClass::Certificates,
            Class::Proposals => FrameClass::Proposals,
            Class::Batches => {
                if batches.try_send(Unverified { peer, from, frame: bytes }).is_err() {
                    // Its author sends it again: our next statement does not cover it.
                    metrics::counter!("rota_node_batches_dropped_total").increment(1);
                }
                return;
            }
        };
        self.tell(Input::Frame { from, class, bytes }).await;
    }

    /// One thread parses, hashes and checks batches in the order they came.
    fn spawn_verifier(&self) -> mpsc::Sender<Unverified> {
        let (sender, mut receiver) = mpsc::channel::<Unverified>(VERIFY_QUEUE_MAX);
        let (chain_id, network, core) = (self.chain_id, self.network.clone(), self.batches.clone());
        tokio::task::spawn_blocking(move || {
            while let Some(Unverified { peer, from, frame }) = receiver.blocking_recv() {
                match Batch::from_frame(chain_id, frame) {
                    Ok(batch) => {
                        let input = Input::Batch { from, batch: Arc::new(batch) };
                        if core.blocking_send(input).is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%peer, %error, "a batch that is none");
                        network.penalise(&peer, Offence::Malformed);
                    }
                }
            }
        });
        sender
    }

    async fn on_gossip(&self, message: rota_p2p::GossipId, source: PeerId, data: Bytes) {
        static TOKENS: AtomicU64 = AtomicU64::new(0);
        let Some(peer) = self.peers.number(&source) else {
            return self.network.report(message, rota_p2p::Verdict::Ignore);
        };
        let token = TOKENS.fetch_add(1, Ordering::Relaxed);
        let bundle = TransactionList::parse(data, BUNDLE_BYTES_MAX);
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).insert(token, message);
        if self.bulk.try_send(Input::Gossip { token, peer, bundle }).is_err() {
            let message =
                self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
            if let Some(message) = message {
                self.network.report(message, rota_p2p::Verdict::Ignore);
            }
        }
    }
}

/// Writes what the network knows of validators to `peers.json` now and then, so that a restart needs no bootstrap.
pub(super) async fn save_peers(network: NetworkHandle, path: std::path::PathBuf) {
    let mut every = tokio::time::interval(std::time::Duration::from_secs(30));
    let mut last = String::new();
    loop {
        every.tick().await;
        let records: Vec<String> = network.known_records().iter().map(hex::encode).collect();
        let Ok(text) = serde_json::to_string(&records) else { continue };
        if text != last && !records.is_empty() {
            match tokio::fs::write(&path, &text).await {
                Ok(()) => last = text,
                Err(error) => tracing::warn!(%error, "cannot write peers.json"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_does_not_bring_a_peer_back() {
        let (peers, peer) = (Peers::default(), PeerId::random());
        assert_eq!(peers.number(&peer), None);
        let number = peers.add(peer);
        assert_eq!(peers.add(peer), number);
        assert_eq!((peers.number(&peer), peers.peer(number)), (Some(number), Some(peer)));
        assert_eq!(peers.forget(&peer), Some(number));
        assert_eq!((peers.number(&peer), peers.peer(number)), (None, None));
        let numbers = peers.numbers();
        assert!(numbers.by_peer.is_empty() && numbers.peers.is_empty());
    }

    #[test]
    fn who_comes_back_has_the_number_it_had() {
        let (peers, peer) = (Peers::default(), PeerId::random());
        let number = peers.add(peer);
        peers.forget(&peer);
        let other = peers.add(PeerId::random());
        assert_ne!(other, number);
        assert_eq!(peers.add(peer), number);
        peers.forget(&peer);
        for _ in 0..GONE_PEERS_MAX {
            let passing = PeerId::random();
            assert!(peers.add(passing) > number);
            peers.forget(&passing);
        }
        assert_eq!(peers.numbers().gone.len(), GONE_PEERS_MAX, "memory is bounded");
        assert!(peers.add(peer) > number, "gone longest, forgotten first");
    }
}
