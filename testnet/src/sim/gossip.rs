//! The gossip mesh: bundles that nodes pass on when they accept them.

use super::net::Load;
use super::world::World;
use bytes::Bytes;
use rota_node::core::Input;
use rota_types::TransactionList;
use rota_types::limits::BUNDLE_BYTES_MAX;

/// Neighbours that a bundle is passed to, as in the mesh of real nodes.
const MESH: usize = 6;
/// Numbers of clients as peers: above those of machines.
const CLIENT_PEERS_FROM: u64 = 1 << 40;

struct Message {
    bytes: Bytes,
    honest: bool,
    seen: Vec<bool>,
}

/// Messages of a run and who has seen them.
pub(super) struct Gossip {
    count: usize,
    messages: Vec<Message>,
}

impl Gossip {
    pub(super) const fn new(count: usize) -> Self {
        Self { count, messages: Vec::new() }
    }

    pub(super) fn is_honest(&self, message: usize) -> bool {
        self.messages.get(message).is_some_and(|message| message.honest)
    }

    /// A new message; its number.
    fn add(&mut self, bytes: Bytes, honest: bool) -> usize {
        self.messages.push(Message { bytes, honest, seen: vec![false; self.count] });
        self.messages.len().saturating_sub(1)
    }

    /// The bytes, if this machine has not seen them.
    fn first_time(&mut self, message: usize, node: usize) -> Option<Bytes> {
        let message = self.messages.get_mut(message)?;
        let seen = message.seen.get_mut(node)?;
        (!std::mem::replace(seen, true)).then(|| message.bytes.clone())
    }
}

impl World {
    /// A client of the mesh gives a bundle to some machines.
    pub(super) fn publish(&mut self, bytes: Bytes, to: &[usize], honest: bool) {
        let message = self.gossip.add(bytes, honest);
        for node in to {
            self.take_bundle(*node, CLIENT_PEERS_FROM, message);
        }
    }

    /// A machine publishes a bundle itself: a full node's door does.
    pub(super) fn publish_from(&mut self, node: usize, bytes: Bytes, honest: bool) {
        let message = self.gossip.add(bytes, honest);
        self.gossip.first_time(message, node);
        self.pass_on(node, message);
    }

    pub(super) fn gossip_arrives(&mut self, node: usize, from: usize, message: usize) {
        let peer = self.up(node).and_then(|running| running.number_of(from));
        if let Some(peer) = peer {
            self.take_bundle(node, peer, message);
        }
    }

    fn take_bundle(&mut self, node: usize, peer: u64, message: usize) {
        if !self.is_up(node) {
            return;
        }
        let Some(bytes) = self.gossip.first_time(message, node) else { return };
        self.trace.bytes(&bytes);
        let Some(running) = self.up(node) else { return };
        if !running.bulk_has_room() {
            self.counts.add("bundles dropped at a full mailbox");
            return;
        }
        let bundle = TransactionList::parse(bytes, BUNDLE_BYTES_MAX);
        let token = running.token();
        running.verdicts.insert(token, message);
        running.bulk.push_back(Input::Gossip { token, peer, bundle });
        self.counts.add("bundles taken");
        self.wake(node);
    }

    /// To some neighbours; those that have it drop it.
    pub(super) fn pass_on(&mut self, node: usize, message: usize) {
        let mut others: Vec<usize> = (0..self.machines.len()).filter(|o| *o != node).collect();
        self.dice.shuffle(&mut others);
        let Some(bytes) = self.gossip.messages.get(message).map(|message| message.bytes.len())
        else {
            return;
        };
        for other in others.into_iter().take(MESH) {
            self.send(node, other, &Load::Gossip { message, bytes });
        }
    }
}
