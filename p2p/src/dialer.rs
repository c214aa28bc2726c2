//! Whom to dial when: bootstrap addresses and every known validator, with growing pauses.
//!
//! Pure: time is passed in, and the jitter is a hash of both PeerIds, so that two nodes neither
//! dial each other at the same moment nor need a random source.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use libp2p::{Multiaddr, PeerId, swarm::ConnectionId};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{limits, records::peer_of, records::without_peer};

/// What is dialed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// An address, whoever is there.
    Address(Vec<u8>),
    /// A validator, wherever it is.
    Validator(PeerId),
}

#[derive(Debug)]
struct Entry {
    addresses: Vec<Multiaddr>,
    /// Who it is, once known.
    peer: Option<PeerId>,
    /// Whether it must be that peer; an address without `/p2p/` may change its owner.
    pinned: bool,
    attempts: u32,
    /// Attempts after which it is forgotten; `None` = never.
    attempts_max: Option<u32>,
    due: Instant,
    dialing: Option<ConnectionId>,
}

/// One dial to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dial {
    pub(crate) target: Target,
    pub(crate) peer: Option<PeerId>,
    pub(crate) addresses: Vec<Multiaddr>,
}

/// See the module. At most [`limits::DIAL_ADDRESSES_MAX`] addresses and
/// [`limits::KNOWN_VALIDATORS_MAX`] validators.
#[derive(Debug)]
pub(crate) struct Dialer {
    local: PeerId,
    entries: BTreeMap<Target, Entry>,
}

impl Dialer {
    pub(crate) fn new(local: PeerId) -> Self {
        Self { local, entries: BTreeMap::new() }
    }

    /// Adds an address; `attempts_max` as in [`Entry`]. `false` if there are too many.
    pub(crate) fn add_address(
        &mut self,
        address: &Multiaddr,
        attempts_max: Option<u32>,
        now: Instant,
    ) -> bool {
        let peer = peer_of(address);
        if peer == Some(self.local) {
            return true;
        }
        let known = self.entries.keys().filter(|key| matches!(key, Target::Address(_))).count();
        let target = Target::Address(address.to_vec());
        if known >= limits::DIAL_ADDRESSES_MAX && !self.entries.contains_key(&target) {
            return false;
        }
        let addresses = vec![without_peer(address)];
        let pinned = peer.is_some();
        let (attempts, due, dialing) = (0, now, None);
        let entry = Entry { addresses, peer, pinned, attempts, attempts_max, due, dialing };
        self.entries.insert(target, entry);
        true
    }

    /// Replaces the validators to be dialed. New ones are due at once, or after the head start if
    /// it is the other side's turn; a changed address resets the pause.
    pub(crate) fn set_validators(
        &mut self,
        validators: BTreeMap<PeerId, Vec<Multiaddr>>,
        now: Instant,
    ) {
        self.entries.retain(|target, _| match target {
            Target::Validator(peer) => validators.contains_key(peer),
            Target::Address(_) => true,
        });
        for (peer, addresses) in validators {
            if peer == self.local || addresses.is_empty() {
                continue;
            }
            let due = now + self.head_start(&peer);
            let entry = self.entries.entry(Target::Validator(peer)).or_insert(Entry {
                addresses: Vec::new(),
                peer: Some(peer),
                pinned: true,
                attempts: 0,
                attempts_max: None,
                due,
                dialing: None,
            });
            if entry.addresses != addresses {
                entry.addresses = addresses;
                entry.attempts = 0;
                entry.due = entry.due.min(due);
            }
        }
    }

    fn head_start(&self, peer: &PeerId) -> Duration {
        if self.local > *peer { limits::REDIAL_HEAD_START } else { Duration::ZERO }
    }

    /// Doubling pauses up to the maximum, ± a quarter by the hash of both ends and the attempt.
    fn pause(&self, peer: Option<PeerId>, attempts: u32) -> Duration {
        let doubled = limits::REDIAL_FIRST * 2_u32.saturating_pow(attempts.min(16));
        let pause = doubled.min(limits::REDIAL_MAX);
        let mut hasher = Sha256::new();
        hasher.update(self.local.to_bytes());
        hasher.update(peer.map(PeerId::to_bytes).unwrap_or_default());
        hasher.update(attempts.to_le_bytes());
        let byte = hasher.finalize().first().copied().unwrap_or_default();
        pause.mul_f64(0.75 + f64::from(byte) / 512.0)
    }

    /// The dials due now, at most `room`; the caller answers each with [`Self::dialing`] or
    /// [`Self::failed`]. `connected` peers and dials under way are left alone.
    pub(crate) fn due(&self, connected: &BTreeSet<PeerId>, now: Instant, room: usize) -> Vec<Dial> {
        let due = self.entries.iter().filter(|(_, entry)| {
            // A dial under way holds up no other way to the same peer: it may be a dead end.
            let lost = entry.peer.is_none_or(|peer| !connected.contains(&peer));
            lost && entry.dialing.is_none() && entry.due <= now
        });
        let dials = due.take(room).map(|(target, entry)| Dial {
            target: target.clone(),
            peer: entry.peer.filter(|_| entry.pinned),
            addresses: entry.addresses.clone(),
        });
        dials.collect()
    }

    /// When the next dial is due, if any.
    pub(crate) fn next_due(&self, connected: &BTreeSet<PeerId>) -> Option<Instant> {
        self.entries
            .values()
            .filter(|entry| entry.dialing.is_none())
            .filter(|entry| entry.peer.is_none_or(|peer| !connected.contains(&peer)))
            .map(|entry| entry.due)
            .min()
    }

    pub(crate) fn dialing_count(&self) -> usize {
        self.entries.values().filter(|entry| entry.dialing.is_some()).count()
    }

    /// A dial is under way.
    pub(crate) fn dialing(&mut self, target: &Target, connection: ConnectionId) {
        if let Some(entry) = self.entries.get_mut(target) {
            entry.dialing = Some(connection);
        }
    }

    /// A dial could not even begin.
    pub(crate) fn failed(&mut self, target: &Target, now: Instant) {
        let pause = self.entries.get(target).map(|entry| self.pause(entry.peer, entry.attempts));
        if let (Some(entry), Some(pause)) = (self.entries.get_mut(target), pause) {
            entry.dialing = None;
            entry.attempts = entry.attempts.saturating_add(1);
            entry.due = now + pause;
            if entry.attempts_max.is_some_and(|max| entry.attempts >= max) {
                self.entries.remove(target);
            }
        }
    }

    fn target_of(&self, connection: ConnectionId) -> Option<Target> {
        let mut entries = self.entries.iter();
        entries.find(|(_, entry)| entry.dialing == Some(connection)).map(|(key, _)| key.clone())
    }

    /// A dial under way failed; gives whether it was ours.
    pub(crate) fn dial_failed(&mut self, connection: ConnectionId, now: Instant) {
        if let Some(target) = self.target_of(connection) {
            self.failed(&target, now);
        }
    }

    /// The address is our own: never again.
    pub(crate) fn is_self(&mut self, connection: ConnectionId) {
        if let Some(target) = self.target_of(connection) {
            self.entries.remove(&target);
        }
    }

    /// A dial reached a peer; its hello is still to come, so it counts as an attempt until then.
    pub(crate) fn reached(&mut self, connection: ConnectionId, peer: PeerId, now: Instant) {
        if let Some(target) = self.target_of(connection) {
            if let Some(entry) = self.entries.get_mut(&target) {
                entry.peer = Some(peer);
            }
            self.failed(&target, now);
        }
    }

    /// A peer finished its hello: addresses given for one use have done their work.
    pub(crate) fn up(&mut self, peer: &PeerId) {
        self.entries.retain(|_, entry| entry.peer != Some(*peer) || entry.attempts_max.is_none());
    }

    /// A peer was lost after this long; a stable one is dialed again almost at once.
    pub(crate) fn down(&mut self, peer: &PeerId, lasted: Duration, now: Instant) {
        let head_start = self.head_start(peer);
        let first = self.pause(Some(*peer), 0);
        for (target, entry) in self.entries.iter_mut() {
            if entry.peer != Some(*peer) {
                continue;
            }
            if lasted >= limits::REDIAL_STABLE {
                entry.attempts = 0;
            }
            entry.attempts = entry.attempts.min(3);
            entry.due = now + first * 2_u32.saturating_pow(entry.attempts) + head_start;
            if matches!(target, Target::Address(_)) {
                // The peer's own record knows better where it is; one dial is enough if it does.
                entry.due += limits::REDIAL_HEAD_START * 2;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validator(dialer: &mut Dialer, now: Instant) -> PeerId {
        let peer = PeerId::random();
        let addresses = vec!["/ip4/127.0.0.1/tcp/9".parse().unwrap()];
        dialer.set_validators(BTreeMap::from([(peer, addresses)]), now);
        peer
    }

    #[test]
    fn pauses_grow_to_the_maximum_and_never_stop() {
        let mut now = crate::clock::now();
        let mut dialer = Dialer::new(PeerId::random());
        validator(&mut dialer, now);
        let mut pauses = Vec::new();
        for id in 0..20 {
            let due = dialer.next_due(&BTreeSet::new()).unwrap();
            pauses.push(due.duration_since(now));
            now = due;
            let dials = dialer.due(&BTreeSet::new(), now, 16);
            assert_eq!(dials.len(), 1);
            let connection = ConnectionId::new_unchecked(id);
            dialer.dialing(&dials[0].target, connection);
            assert!(dialer.due(&BTreeSet::new(), now, 16).is_empty());
            dialer.dial_failed(connection, now);
        }
        assert!(pauses[1] <= limits::REDIAL_FIRST.mul_f64(1.25));
        assert!(pauses[19] <= limits::REDIAL_MAX.mul_f64(1.25));
        assert!(pauses[19] >= limits::REDIAL_MAX.mul_f64(0.75));
    }

    #[test]
    fn a_lost_peer_is_dialed_within_a_second_and_a_connected_one_is_not() {
        let now = crate::clock::now();
        let mut dialer = Dialer::new(PeerId::random());
        let peer = validator(&mut dialer, now);
        let connected = BTreeSet::from([peer]);
        let later = now + Duration::from_secs(60);
        assert!(dialer.due(&connected, later, 16).is_empty());
        assert_eq!(dialer.next_due(&connected), None);
        dialer.down(&peer, Duration::from_secs(60), later);
        let due = dialer.next_due(&BTreeSet::new()).unwrap();
        assert!(due.duration_since(later) < Duration::from_secs(1));
    }

    #[test]
    fn one_side_has_a_head_start() {
        let (first, second) = (PeerId::random(), PeerId::random());
        let starts = [(first, second), (second, first)]
            .map(|(local, remote)| Dialer::new(local).head_start(&remote));
        assert!(starts.contains(&Duration::ZERO));
        assert!(starts.contains(&limits::REDIAL_HEAD_START));
    }

    #[test]
    fn addresses_are_bounded_and_used_up() {
        let now = crate::clock::now();
        let mut dialer = Dialer::new(PeerId::random());
        for port in 0..limits::DIAL_ADDRESSES_MAX {
            let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
            assert!(dialer.add_address(&address, Some(1), now));
        }
        let one_more = "/ip4/127.0.0.2/tcp/1".parse().unwrap();
        assert!(!dialer.add_address(&one_more, None, now));
        for dial in dialer.due(&BTreeSet::new(), now, usize::MAX) {
            dialer.failed(&dial.target, now);
        }
        assert!(dialer.entries.is_empty());
    }
}
