//! Carries out what leaves a node, once everything before it is durable: the simulator's half of `shell::release`.

use super::net::{Load, Parcel};
use super::roles::Act;
use super::world::{What, World};
use bytes::Bytes;
use rota_node::core::{AskProtocol, Effect, Input, Notice};
use rota_node::guard::Floor;
use rota_node::shell::{Outward, load_batch};
use rota_p2p::Verdict;
use rota_types::ValidatorKey;

/// As [`rota_p2p::limits::REQUEST_TIMEOUT`].
const REQUEST_TIMEOUT_US: u64 = 10_000_000;
/// How long a banned peer stays away.
const BAN_US: u64 = 30_000_000;

impl World {
    pub(super) fn release(&mut self, node: usize, outward: Outward) {
        match outward {
            Outward::Stored(batch) => {
                if let Some(running) = self.up(node) {
                    running.view.on_batch(batch);
                }
            }
            Outward::Effect(effect) => {
                let check = self.judged(node, |all, actor| all.on_release(actor, &effect));
                self.judge(check);
                match self.commit_crime(node, effect) {
                    Act::As(effect) => self.carry_out(node, effect),
                    Act::Instead(effects) => {
                        for effect in effects {
                            let check =
                                self.judged(node, |all, actor| all.on_release(actor, &effect));
                            self.judge(check);
                            self.carry_out(node, effect);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn carry_out(&mut self, node: usize, effect: Effect) {
        self.tell(node, &effect);
        match effect {
            Effect::Send { to, class, bytes } => {
                self.send_to(node, &to, &Load::Frame(class, bytes));
            }
            Effect::Broadcast { class, bytes } => {
                self.broadcast(node, &Load::Frame(class, bytes));
            }
            Effect::SendBatch { to: Some(to), frame } => {
                self.send_to(node, &to, &Load::Batch(frame));
            }
            Effect::SendBatch { to: None, frame } => self.broadcast(node, &Load::Batch(frame)),
            Effect::SendStored { to, digest } => {
                let stored = self.up(node).and_then(|running| running.reader.batch(&digest).ok());
                if let Some(stored) = stored.flatten() {
                    self.send_to(node, &to, &Load::Batch(stored.frame));
                }
            }
            Effect::LoadBatch { digest } => {
                let chain_id = self.genesis.chain_id;
                if let Some(running) = self.up(node)
                    && let Some(input) = load_batch(&running.reader, chain_id, &digest)
                {
                    running.urgent.push_back(input);
                    self.wake(node);
                }
            }
            Effect::Receipt { token, receipt } => self.receipted(node, token, &receipt),
            Effect::Refuse { token, .. } => self.refused(node, token),
            Effect::GossipVerdict { token, verdict } => self.verdict(node, token, verdict),
            Effect::Execute(decided) => {
                if let Some(running) = self.up(node) {
                    running.decided.push_back(decided);
                }
                self.execute_next(node);
            }
            Effect::Ask { peer, question, protocol, bytes } => {
                self.ask(node, peer, question, protocol, bytes);
            }
            Effect::BanPeer { peer, reason } => self.ban(node, peer, &reason),
            Effect::Penalise { .. } => self.counts.add("penalties"),
            Effect::Notice(notice) => {
                if matches!(notice, Notice::Evidence { .. }) {
                    self.counts.add("evidence against the guilty");
                }
                if let Some(running) = self.up(node) {
                    running.view.on_notice(notice);
                }
            }
            Effect::Publish { bundle } => self.publish_from(node, bundle, true),
            Effect::Rejoined { floors } => self.start_anew(node, &floors),
            Effect::Fatal { .. } => self.safety_stop(node),
            Effect::StoreBatch(_)
            | Effect::StoreDecided { .. }
            | Effect::StoreExecuted { .. }
            | Effect::StoreSeal { .. }
            | Effect::StoreCheckpoint { .. }
            | Effect::Wal { .. }
            | Effect::Guard(_) => unreachable!("durable effects become writes in `items`"),
        }
    }

    /// A node whose lost guard is made anew starts again with it.
    fn start_anew(&mut self, node: usize, floors: &[Floor]) {
        self.machine_mut(node).make_guard(floors);
        self.go_down(node);
        self.heap.after(1_000, What::Boot(node));
    }

    /// An honest node that stops for safety stays down. A Byzantine one saw signatures by its key that its core did not
    /// make, and is started again.
    fn safety_stop(&mut self, node: usize) {
        self.go_down(node);
        if self.machine(node).is_honest() {
            self.counts.add("safety stops");
            self.machine_mut(node).held_down = true;
            return;
        }
        self.counts.add("safety stops of Byzantine nodes");
        self.heap.after(2_000_000, What::Boot(node));
    }

    pub(super) fn send_to(&mut self, node: usize, to: &ValidatorKey, load: &Load) {
        if let Some(to) = self.index_of.get(to).copied() {
            self.send(node, to, load);
        }
    }

    pub(super) fn broadcast(&mut self, node: usize, load: &Load) {
        for to in 0..self.plan.weights.len() {
            if to != node {
                self.send(node, to, load);
            }
        }
    }

    pub(super) fn send(&mut self, from: usize, to: usize, load: &Load) {
        let now_us = self.heap.now_us();
        let Some((connection, arrivals)) = self.net.send(now_us, from, to, load) else { return };
        for at_us in arrivals.into_iter().flatten() {
            let parcel = Parcel { from, to, connection, load: load.clone() };
            self.heap.at(at_us, What::Arrive(Box::new(parcel)));
        }
    }

    fn ask(&mut self, node: usize, peer: u64, question: u64, protocol: AskProtocol, bytes: Bytes) {
        let life = self.machine(node).life;
        let Some(running) = self.up(node) else { return };
        running.asked.insert(question, peer);
        let Some(to) = running.peers.get(&peer).copied() else {
            self.answer(node, life, question, None);
            return;
        };
        self.heap.after(REQUEST_TIMEOUT_US, What::Expire { node, life, question });
        self.send(node, to, &Load::Question { question, protocol, bytes });
    }

    /// An answer, or that there was none; the first counts.
    pub(super) fn answer(&mut self, node: usize, life: u64, question: u64, bytes: Option<Bytes>) {
        let Some(running) = self.running(node, life) else { return };
        if running.asked.remove(&question).is_some() {
            running.urgent.push_back(Input::Answer { question, bytes });
            self.wake(node);
        }
    }

    fn verdict(&mut self, node: usize, token: u64, verdict: Verdict) {
        let message = self.up(node).and_then(|running| running.verdicts.remove(&token));
        let Some(message) = message else { return };
        match verdict {
            Verdict::Accept => self.pass_on(node, message),
            Verdict::Ignore => self.counts.add("bundles ignored"),
            Verdict::Reject => {
                self.counts.add("bundles rejected");
                if self.gossip.is_honest(message) && self.machine(node).is_honest() {
                    let check = self.invariants.on_reject(node);
                    self.judge(check);
                }
            }
        }
    }

    fn ban(&mut self, node: usize, peer: u64, reason: &str) {
        let other = self.up(node).and_then(|running| running.peers.get(&peer).copied());
        if let Some(other) = other {
            self.blame(node, other, reason);
        }
    }

    /// A machine cuts another off for what it sent.
    pub(super) fn blame(&mut self, node: usize, other: usize, reason: &str) {
        self.counts.add("bans");
        let at = self.heap.now_us();
        self.trace.line(at, || format!("n{node} bans n{other}: {reason}"));
        if self.machine(node).is_honest() && self.machine(other).is_honest() {
            self.violate("honest are not punished", format!("n{node} bans n{other}: {reason}"));
        }
        self.break_connection(node, other, 0);
        self.heap.after(BAN_US, What::Dial(node, other));
    }
}
