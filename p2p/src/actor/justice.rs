//! Offences, scores, bans, and what is told of refused hellos.

use std::time::Duration;

use libp2p::{PeerId, swarm::ConnectionId};

use super::Actor;
use crate::{
    Offence, clock,
    error::HelloError,
    handle::{Direction, Refusal},
    limits,
    penalties::Sentence,
    tasks::End,
};

impl Actor {
    pub(super) fn offence(&mut self, peer: PeerId, offence: Offence, what: &str) {
        self.shared.counters.offences.increment(1);
        tracing::debug!(%peer, ?offence, what, "offence");
        let validator = self.peers.get(&peer).is_some_and(|peer| peer.identity.is_some());
        match self.penalties.add(peer, offence, validator, clock::now()) {
            Sentence::Score(score) => {
                self.set_score(peer, score);
                self.ban_if_unheard(peer);
            }
            Sentence::Ban(duration) => {
                tracing::warn!(%peer, ?offence, what, "peer banned for its offences");
                self.ban(peer, duration);
            }
        }
    }

    pub(super) fn ban(&mut self, peer: PeerId, duration: Duration) {
        if peer == self.context.local {
            return;
        }
        self.shared.counters.bans.increment(1);
        self.swarm.behaviour_mut().guard.ban(peer, clock::now() + duration);
        // Not connected is no error.
        self.swarm.disconnect_peer_id(peer).ok();
    }

    fn set_score(&mut self, peer: PeerId, score: f64) {
        self.swarm.behaviour_mut().gossip.inner.set_application_score(&peer, score);
    }

    /// Bans a stranger whom gossipsub itself would no longer hear: its messages were invalid, its
    /// promises broken, its grafts against the backoff. Not a validator: promises break on a slow
    /// wire too, and agreement must not lose its streams by that.
    fn ban_if_unheard(&mut self, peer: PeerId) {
        let stranger = self.peers.get(&peer).is_some_and(|state| state.identity.is_none());
        let score = self.swarm.behaviour().gossip.inner.peer_score(&peer).unwrap_or_default();
        if stranger
            && score <= limits::SCORE_GRAYLIST
            && let Sentence::Ban(duration) = self.penalties.ban(peer, clock::now())
        {
            tracing::warn!(%peer, score, "peer banned for its gossip");
            self.ban(peer, duration);
        }
    }

    /// Lets offences fade, and shows the scores.
    pub(super) fn refresh_scores(&mut self) {
        let now = clock::now();
        let gossip = &mut self.swarm.behaviour_mut().gossip.inner;
        let mut infos = self.shared.peers_mut();
        for (peer, state) in &self.peers {
            gossip.set_application_score(peer, self.penalties.score(peer, now));
            if let Some(info) = infos.get_mut(peer) {
                info.score = gossip.peer_score(peer).unwrap_or_default();
                info.queued_bytes = state.link.queued_bytes();
            }
        }
        drop(infos);
        let connected: Vec<PeerId> = self.peers.keys().copied().collect();
        connected.into_iter().for_each(|peer| self.ban_if_unheard(peer));
    }

    pub(super) fn on_ended(&mut self, id: ConnectionId, peer: PeerId, end: End) {
        match end {
            End::Hello(error) => self.on_refused(id, peer, error),
            End::Silent => tracing::info!(%peer, "peer went silent, connection closed"),
            End::Broken(error) => tracing::debug!(%peer, error, "control stream broke"),
            End::Offence(offence, what) => self.offence(peer, offence, &what),
        }
        self.swarm.close_connection(id);
    }

    /// Logged once per peer, at a level an operator sees if we dialed it.
    pub(super) fn on_refused(&mut self, id: ConnectionId, peer: PeerId, error: HelloError) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        // Once per connection: first as a refusal, then as the end of its session.
        if std::mem::replace(&mut connection.refused, true) {
            return;
        }
        self.shared.counters.hello_failures.increment(1);
        let (direction, address) = (connection.direction, connection.address.clone());
        let noise = matches!(error, HelloError::Stream(_) | HelloError::Timeout);
        if self.refusals_logged.len() >= limits::REFUSALS_LOGGED_MAX {
            self.refusals_logged.clear();
        }
        if !noise && self.refusals_logged.insert(peer) && direction == Direction::Outbound {
            tracing::warn!(%peer, %address, %error, "no connection with peer");
        } else {
            tracing::debug!(%peer, %address, %error, "no connection with peer");
        }
        self.shared.refusals.send_modify(|refusals| {
            if refusals.len() >= limits::REFUSALS_KEPT_MAX {
                refusals.pop_front();
            }
            refusals.push_back(Refusal { peer, address, direction, error });
        });
    }
}
