//! Bytes of the answers that are being made or read, of all peers together and of each.
//!
//! An answer stays in memory until its reader has taken it, and a reader may take none of it for
//! [`limits::ANSWER_PIECE_TIMEOUT`]. So room for it is taken before the application is asked, and
//! held by the name of who asked: a new connection brings no new room, nor does a new peer id to a
//! validator. Without room the peer is told to come back, and asks another. Strangers have half of
//! the room; a validator may use all, but beyond half of it one answer at a time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use libp2p::PeerId;

use crate::{Identity, RequestProtocol, limits};

#[derive(Debug, Default)]
struct Held {
    /// Bytes held for all.
    all: usize,
    /// Of these, bytes held for peers without an identity.
    strangers: usize,
    /// Who holds nothing has no entry.
    holders: BTreeMap<Holder, usize>,
}

/// In whose name room is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Validator(Identity),
    Stranger(PeerId),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Held>);

/// Room for one answer, given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    answers: Arc<Answers>,
    holder: Holder,
    protocol: RequestProtocol,
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
        let holder = identity.map_or(Holder::Stranger(peer), Holder::Validator);
        let mut room = Room { answers: Arc::clone(self), holder, protocol, bytes: 0 };
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
        let half = limits::ANSWERS_BYTES_MAX - limits::ANSWERS_VALIDATORS_BYTES + further;
        let own = self.holders.get(&room.holder).copied().unwrap_or_default();
        let others_have_some = match room.holder {
            Holder::Stranger(_) => self.strangers + more <= half,
            Holder::Validator(_) => self.all + more <= half || own == room.bytes,
        };
        others_have_some
            && self.all + more <= limits::ANSWERS_BYTES_MAX + further
            && own + more <= limits::ANSWERS_PEER_BYTES_MAX + further
    }

    fn add(&mut self, room: &Room, more: usize) {
        self.all += more;
        *self.holders.entry(room.holder).or_default() += more;
        if matches!(room.holder, Holder::Stranger(_)) {
            self.strangers += more;
        }
    }

    fn take_back(&mut self, room: &Room, less: usize) {
        self.all = self.all.saturating_sub(less);
        if matches!(room.holder, Holder::Stranger(_)) {
            self.strangers = self.strangers.saturating_sub(less);
        }
        if let Some(held) = self.holders.get_mut(&room.holder) {
            *held = held.saturating_sub(less);
            if *held == 0 {
                self.holders.remove(&room.holder);
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

    /// Takes room until there is none, each as much as it gets.
    fn take_all(answers: &Arc<Answers>, identity: impl Fn(u8) -> Option<Identity>) -> Vec<Room> {
        let mut rooms = Vec::new();
        for i in 0..=u8::MAX {
            let (peer, before) = (PeerId::random(), rooms.len());
            rooms.extend(std::iter::from_fn(|| answers.room(peer, identity(i), SLOTS)));
            assert!(rooms.len() - before <= limits::ANSWERS_PEER_BYTES_MAX / reserve(SLOTS));
        }
        rooms
    }

    const fn validator(i: u8) -> Option<Identity> {
        Some(Identity([i; 32]))
    }

    #[test]
    fn a_validator_with_many_peer_ids_leaves_the_others_an_answer_each() {
        let answers = Arc::<Answers>::default();
        let greedy = take_all(&answers, |_| validator(1));
        assert_eq!(greedy.len() * reserve(SLOTS), limits::ANSWERS_PEER_BYTES_MAX);
        let filled = take_all(&answers, |i| validator(2 + i / 2));
        let half = limits::ANSWERS_BYTES_MAX - limits::ANSWERS_VALIDATORS_BYTES;
        let held: Vec<usize> = answers.held().holders.values().copied().collect();
        assert!(held.iter().filter(|bytes| **bytes > reserve(SLOTS)).sum::<usize>() <= half);
        assert_eq!(answers.held().all, limits::ANSWERS_BYTES_MAX);
        drop((greedy, filled));
    }

    #[test]
    fn strangers_leave_the_validators_their_half_and_all_comes_back() {
        let answers = Arc::<Answers>::default();
        let strangers = take_all(&answers, |_| None);
        let max = limits::ANSWERS_BYTES_MAX - limits::ANSWERS_VALIDATORS_BYTES;
        assert_eq!(strangers.len() * reserve(SLOTS), max);
        let validators = take_all(&answers, validator);
        assert_eq!(validators.len() * reserve(SLOTS), limits::ANSWERS_VALIDATORS_BYTES);
        assert!(answers.room(PeerId::random(), None, RequestProtocol::Status).is_some());
        drop(strangers);
        assert!(!take_all(&answers, validator).is_empty(), "what strangers leave is theirs too");
        drop(validators);
        let held = answers.held();
        assert_eq!((held.all, held.strangers, held.holders.len()), (0, 0, 0));
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
