//! Peers of catch-up: what they have, and which of them is asked next.

use super::wire::Status;
use crate::limits::{CATCHUP_PEERS_MAX, CATCHUP_REST_MS, CATCHUP_REST_MS_MAX, CATCHUP_STRIKES_MAX};
use rota_types::{Height, TimestampMs};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
struct Peer {
    validator: bool,
    status: Option<Status>,
    /// When to ask for its status; `None` while that is in flight.
    poll_at: Option<TimestampMs>,
    /// It is asked again after this.
    rests_until: TimestampMs,
    /// How badly it did lately; the least goes first.
    strikes: u32,
    /// Number of the turn in which it was asked last.
    turn: u64,
}

/// The connected peers.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    peers: BTreeMap<u64, Peer>,
    turns: u64,
}

impl Peers {
    /// A new peer. A stranger beyond [`CATCHUP_PEERS_MAX`] is left out; validators have places of their own, so
    /// that strangers cannot take them.
    pub(super) fn connect(&mut self, peer: u64, validator: bool, now: TimestampMs) {
        let strangers = self.peers.values().filter(|peer| !peer.validator).count();
        if validator || strangers < CATCHUP_PEERS_MAX {
            self.peers.entry(peer).or_insert(Peer {
                validator,
                status: None,
                poll_at: Some(now),
                rests_until: TimestampMs(0),
                strikes: 0,
                turn: 0,
            });
        }
    }

    pub(super) fn disconnect(&mut self, peer: u64) {
        self.peers.remove(&peer);
    }

    pub(super) fn contains(&self, peer: u64) -> bool {
        self.peers.contains_key(&peer)
    }

    pub(super) fn next_poll(&self) -> Option<TimestampMs> {
        self.peers.values().filter_map(|peer| peer.poll_at).min()
    }

    /// Peers whose status is due; they count as asked.
    pub(super) fn due(&mut self, now: TimestampMs) -> Vec<u64> {
        let mut due = Vec::new();
        for (id, peer) in &mut self.peers {
            if peer.poll_at.is_some_and(|at| at <= now) {
                peer.poll_at = None;
                due.push(*id);
            }
        }
        due
    }

    /// A status came, or failed to come.
    pub(super) fn polled(&mut self, peer: u64, status: Option<Status>, next: TimestampMs) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.poll_at = Some(next);
            peer.status = status.or(peer.status);
        }
    }

    /// What came with another answer.
    pub(super) fn refresh(&mut self, peer: u64, status: Status) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.status = Some(status);
        }
    }

    /// The peer served something large.
    pub(super) fn praise(&mut self, peer: u64) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.strikes = peer.strikes.saturating_sub(1);
        }
    }

    /// The peer answered, but slowly: others go first as long as there are any. Worth more than a praise.
    pub(super) fn demote(&mut self, peer: u64) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.strikes = peer.strikes.saturating_add(2).min(CATCHUP_STRIKES_MAX);
        }
    }

    /// The peer failed: others go first, for longer each time in a row.
    pub(super) fn strike(&mut self, peer: u64, now: TimestampMs) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.strikes = peer.strikes.saturating_add(1).min(CATCHUP_STRIKES_MAX);
            let pause = CATCHUP_REST_MS.saturating_mul(u64::from(peer.strikes));
            peer.rests_until = now.plus(pause);
        }
    }

    /// The peer asked for a pause; it gets no longer one than [`CATCHUP_REST_MS_MAX`].
    pub(super) fn rest(&mut self, peer: u64, now: TimestampMs, pause_ms: u64) {
        let until = now.plus(pause_ms.min(CATCHUP_REST_MS_MAX));
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.rests_until = peer.rests_until.max(until);
        }
    }

    pub(super) fn highest_decided(&self) -> Height {
        let decided = self.peers.values().filter_map(|peer| peer.status).map(|s| s.decided);
        decided.max().unwrap_or_default()
    }

    /// The peer to ask next among those that `has` what is needed: not resting, fewest strikes, longest not asked.
    pub(super) fn choose(
        &mut self,
        now: TimestampMs,
        has: impl Fn(u64, &Status) -> bool,
    ) -> Option<u64> {
        let fit = |id: u64, peer: &Peer| {
            peer.rests_until <= now && has(id, &peer.status.unwrap_or_default())
        };
        let (id, _) = self
            .peers
            .iter()
            .filter(|(id, peer)| fit(**id, peer))
            .min_by_key(|(_, peer)| (peer.strikes, peer.turn))?;
        let id = *id;
        self.turns = self.turns.saturating_add(1);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.turn = self.turns;
        }
        Some(id)
    }
}
