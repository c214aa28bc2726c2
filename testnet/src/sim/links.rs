//! Connections that come and go, and what arrives on them.

use super::net::{Load, Parcel};
use super::world::{What, World};
use bytes::Bytes;
use rota_node::core::{AskProtocol, Input};
use rota_node::limits::CORE_URGENT_MAX;
use rota_p2p::RequestProtocol;

/// Pause before two machines that are not connected try again.
const REDIAL_US: (u64, u64) = (300_000, 1_200_000);
/// Time to connect: three ways and the handshake's work.
const HANDSHAKE_US: u64 = 3_000;

impl World {
    /// Whether these two keep a connection: validators all, and full nodes with everybody.
    fn are_peers(a: usize, b: usize) -> bool {
        a != b
    }

    pub(super) fn dial_all(&mut self, node: usize) {
        for other in 0..self.machines.len() {
            self.set_dial(node, other, HANDSHAKE_US);
        }
    }

    /// Sets a dial after the usual pause.
    pub(super) fn dial_later(&mut self, a: usize, b: usize) {
        let pause_us = self.dice.between(REDIAL_US.0, REDIAL_US.1);
        self.set_dial(a, b, pause_us);
    }

    fn set_dial(&mut self, a: usize, b: usize, pause_us: u64) {
        if Self::are_peers(a, b) && self.net.begin_dial(a, b) {
            let way_us = self.net.delay_us(a, b).saturating_mul(3);
            let jitter_us = self.net.jitter_us();
            let delay_us = pause_us.saturating_add(way_us).saturating_add(jitter_us);
            self.heap.after(delay_us, What::Dial(a, b));
        }
    }

    pub(super) fn dial(&mut self, a: usize, b: usize) {
        self.net.end_dial(a, b);
        if !self.is_up(a) || !self.is_up(b) || self.net.is_connected(a, b) {
            return;
        }
        if self.net.is_blocked(a, b) || self.net.is_blocked(b, a) {
            self.dial_later(a, b);
            return;
        }
        for (at, other) in [(a, b), (b, a)] {
            if let Some(old) = self.net.side(at, other) {
                self.drop_side(at, other, old);
            }
        }
        self.net.connect(a, b);
        self.counts.add("connections");
        for (at, other) in [(a, b), (b, a)] {
            let validator = self.machine(other).key();
            if let Some(running) = self.up(at) {
                let peer = running.number(other);
                running.urgent.push_back(Input::PeerUp { peer, validator });
                if let Some(validator) = validator {
                    running.urgent.push_back(Input::Connected { validator });
                }
            }
            self.wake(at);
        }
    }

    /// One side loses its connection; questions on it fail.
    fn drop_side(&mut self, at: usize, other: usize, connection: u64) {
        if !self.net.let_go(at, other, connection) {
            return;
        }
        let validator = self.machine(other).key();
        let life = self.machine(at).life;
        let Some(running) = self.up(at) else { return };
        let number = running.number_of(other);
        let Some(peer) = number else { return };
        running.peers.remove(&peer);
        running.urgent.push_back(Input::PeerDown { peer });
        if let Some(validator) = validator {
            running.urgent.push_back(Input::Disconnected { validator });
        }
        let asked = running.asked.iter().filter(|(_, whom)| **whom == peer);
        let failed: Vec<u64> = asked.map(|(question, _)| *question).collect();
        for question in failed {
            self.answer(at, life, question, None);
        }
        self.wake(at);
    }

    pub(super) fn hang_up(&mut self, at: usize, other: usize, connection: u64) {
        self.drop_side(at, other, connection);
        self.dial_later(at, other);
    }

    /// Cuts a connection: this side at once, the other when it notices.
    pub(super) fn break_connection(&mut self, at: usize, other: usize, notices_us: u64) {
        let way_us = self.net.delay_us(at, other);
        if let Some(connection) = self.net.side(other, at) {
            let delay_us = way_us.saturating_add(notices_us);
            self.heap.after(delay_us, What::HangUp { at: other, other: at, connection });
        }
        if let Some(connection) = self.net.side(at, other) {
            self.drop_side(at, other, connection);
        }
    }

    pub(super) fn arrive(&mut self, parcel: Parcel) {
        let Parcel { from, to, connection, load } = parcel;
        if self.net.side(to, from) != Some(connection) || !self.is_up(to) {
            return;
        }
        self.trace.number(u64::try_from(from).unwrap_or(0));
        match load {
            Load::Frame(class, bytes) => {
                self.trace.bytes(&bytes);
                let Some(key) = self.machine(from).key() else { return };
                let Some(running) = self.up(to) else { return };
                if running.urgent.len() >= CORE_URGENT_MAX {
                    self.counts.add("frames dropped at a full mailbox");
                    return;
                }
                running.urgent.push_back(Input::Frame { from: key, class, bytes: bytes.clone() });
                self.wake(to);
                let machine = self.machine_mut(to);
                if !machine.is_honest() {
                    machine.criminal.hear(class, &bytes);
                }
            }
            Load::Batch(frame) => {
                self.trace.bytes(&frame);
                let Some(key) = self.machine(from).key() else { return };
                let taken = self.up(to).is_some_and(|node| node.take_frame(from, key, frame));
                if !taken {
                    self.counts.add("batches dropped at a full queue");
                }
                self.parse_next(to);
            }
            Load::Question { question, protocol, bytes } => {
                self.serve(to, from, question, protocol, &bytes);
            }
            Load::Reply { question, bytes } => {
                if let Some(bytes) = &bytes {
                    self.trace.bytes(bytes);
                }
                let life = self.machine(to).life;
                self.answer(to, life, question, bytes);
            }
            Load::Gossip { message, .. } => self.gossip_arrives(to, from, message),
        }
    }

    /// Answers a question from the ledger, as the serving tasks of a node do.
    fn serve(
        &mut self,
        node: usize,
        from: usize,
        question: u64,
        protocol: AskProtocol,
        bytes: &Bytes,
    ) {
        let now = self.machine(node).clock.read(self.heap.now_us());
        let Some(running) = self.up(node) else { return };
        let Some(peer) = running.number_of(from) else { return };
        let protocol = match protocol {
            AskProtocol::Status => RequestProtocol::Status,
            AskProtocol::Slots => RequestProtocol::Slots,
            AskProtocol::Batches => RequestProtocol::Batches,
        };
        let Some(answer) = running.server.answer(now, peer, protocol, bytes) else {
            self.blame(node, from, "a question of no form");
            return;
        };
        self.counts.add("questions answered");
        let bytes = self.lie(node, protocol, answer);
        self.send(node, from, &Load::Reply { question, bytes });
    }
}
