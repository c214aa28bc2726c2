//! Bytes of the answers that are being made or read, of all peers together and of each.
//!
//! An answer stays in memory until its reader has taken it, and a reader may take none of it for
//! [`limits::REQUEST_TIMEOUT`]. So room for it is taken before the application is asked, and held
//! by the name of the peer: a new connection does not bring new room. Without room the peer is
//! told to come back, and asks another. Strangers have half of the room; validators may use all.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use libp2p::PeerId;

use crate::{Identity, RequestProtocol, limits};

#[derive(Debug, Default)]
struct Held {
    /// Bytes held for all peers.
    all: usize,
    /// Of these, bytes held for peers without an identity.
    strangers: usize,
    /// By peer; who holds nothing has no entry.
    peers: BTreeMap<PeerId, usize>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Held>);

/// Room for one answer, given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    answers: Arc<Answers>,
    peer: PeerId,
    protocol: RequestProtocol,
    stranger: bool,
    bytes: usize,
}

/// What an answer may take before its length is known.
const fn reserve(protocol: RequestProtocol) -> usize {
    match protocol {
        RequestProtocol::Status => limits::STATUS_ANSWER_RESERVE_BYTES,
        RequestProtocol::Slots | RequestProtocol::Batches => limits::RESPONSE_BYTES_MAX,
    }
}

impl Answers {
    /// Room for an answer to this peer, or none.
    pub(crate) fn room(
        self: &Arc<Self>,
        peer: PeerId,
        identity: Option<Identity>,
        protocol: RequestProtocol,
    ) -> Option<Room> {
        let (answers, stranger) = (Arc::clone(self), identity.is_none());
        let mut room = Room { answers, peer, protocol, stranger, bytes: 0 };
        room.fit(reserve(protocol)).then_some(room)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn has_room(&self, room: &Room, more: usize) -> bool {
        let further = match room.protocol {
            RequestProtocol::Status => limits::ANSWERS_STATUS_BYTES,
            RequestProtocol::Slots | RequestProtocol::Batches => 0,
        };
        let strangers_max = limits::ANSWERS_BYTES_MAX - limits::ANSWERS_VALIDATORS_BYTES;
        let peer = self.peers.get(&room.peer).copied().unwrap_or_default();
        self.all + more <= limits::ANSWERS_BYTES_MAX + further
            && peer + more <= limits::ANSWERS_PEER_BYTES_MAX + further
            && (!room.stranger || self.strangers + more <= strangers_max + further)
    }

    fn add(&mut self, room: &Room, more: usize) {
        self.all += more;
        *self.peers.entry(room.peer).or_default() += more;
        if room.stranger {
            self.strangers += more;
        }
    }

    fn take_back(&mut self, room: &Room, less: usize) {
        self.all = self.all.saturating_sub(less);
        if room.stranger {
            self.strangers = self.strangers.saturating_sub(less);
        }
        if let Some(held) = self.peers.get_mut(&room.peer) {
            *held = held.saturating_sub(less);
            if *held == 0 {
                self.peers.remove(&room.peer);
            }
        }
    }
}

impl Room {
    /// Makes the room as large as the answer; `false`, and nothing changed, if it cannot grow so far.
    pub(crate) fn fit(&mut self, bytes: usize) -> bool {
        let answers = Arc::clone(&self.answers);
        let mut held = answers.held();
        if let Some(more) = bytes.checked_sub(self.bytes) {
            if !held.has_room(self, more) {
                return false;
            }
            held.add(self, more);
        } else {
            held.take_back(self, self.bytes - bytes);
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.answers.held().take_back(self, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: RequestProtocol = RequestProtocol::Slots;
    const VALIDATOR: Option<Identity> = Some(Identity([1; 32]));

    /// Takes room until there is none, each peer as much as it gets.
    fn take_all(answers: &Arc<Answers>, identity: Option<Identity>) -> Vec<Room> {
        let mut rooms = Vec::new();
        loop {
            let peer = PeerId::random();
            let before = rooms.len();
            rooms.extend(std::iter::from_fn(|| answers.room(peer, identity, SLOTS)));
            assert!(rooms.len() - before <= limits::ANSWERS_PEER_BYTES_MAX / reserve(SLOTS));
            if rooms.len() == before {
                return rooms;
            }
        }
    }

    #[test]
    fn strangers_leave_the_validators_their_half_and_all_comes_back() {
        let answers = Arc::<Answers>::default();
        let strangers = take_all(&answers, None);
        let max = limits::ANSWERS_BYTES_MAX - limits::ANSWERS_VALIDATORS_BYTES;
        assert_eq!(strangers.len() * reserve(SLOTS), max);
        let validators = take_all(&answers, VALIDATOR);
        assert_eq!(validators.len() * reserve(SLOTS), limits::ANSWERS_VALIDATORS_BYTES);
        assert!(answers.room(PeerId::random(), None, RequestProtocol::Status).is_some());
        drop(strangers);
        assert!(!take_all(&answers, VALIDATOR).is_empty(), "what strangers leave is theirs too");
        drop(validators);
        let held = answers.held();
        assert_eq!((held.all, held.strangers, held.peers.len()), (0, 0, 0));
    }

    #[test]
    fn what_a_peer_holds_is_what_its_answers_take() {
        let (answers, peer) = (Arc::<Answers>::default(), PeerId::random());
        let per_peer = limits::ANSWERS_PEER_BYTES_MAX / reserve(SLOTS);
        let mut rooms: Vec<Room> = std::iter::from_fn(|| answers.room(peer, None, SLOTS)).collect();
        assert_eq!(rooms.len(), per_peer);
        assert!(rooms[0].fit(100), "an answer may be short");
        assert!(answers.room(peer, None, SLOTS).is_none());
        assert!(!rooms[0].fit(reserve(SLOTS) + 1));
        assert_eq!(rooms[0].bytes, 100);
        drop(rooms.pop());
        assert!(answers.room(peer, None, SLOTS).is_some());
        let mut status = answers.room(peer, None, RequestProtocol::Status).unwrap();
        assert!(status.fit(limits::RESPONSE_BYTES_MAX), "a long status takes what is free");
    }
}
