//! Bodies that are asked for: each once, a bounded number at a time, gone when it is here or no longer needed.
//!
//! An own lane may lack thousands of batches after its ledger was lost, a decided slot as many. Whoever needs a body
//! says so once; the own ledger and the catch-up hear of it when it is its turn, and the catch-up goes on trying.

use crate::limits::WANTS_IN_FLIGHT_MAX;
use rota_types::Hash;
use std::collections::{BTreeMap, BTreeSet};

/// What a body is needed for. Each purpose has places of its own, so that own batches that nobody has hold up no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// The decided slot.
    Slot,
    /// The own lane, which signed it and lost it.
    OwnLane,
}

#[derive(Clone, Debug)]
struct Wanted {
    /// Whose place it takes.
    line: Purpose,
    /// Its turn in that line.
    turn: u64,
    needed_for: BTreeSet<Purpose>,
}

/// See the module's documentation. Every call takes time logarithmic in what is wanted.
#[derive(Debug, Default)]
pub(super) struct Wants {
    wanted: BTreeMap<Hash, Wanted>,
    waiting: BTreeMap<(Purpose, u64), Hash>,
    in_flight: BTreeSet<(Purpose, Hash)>,
    turns: u64,
}

impl Wants {
    /// Wants a body; it is asked for once. One that a slot needs waits no longer behind those of the own lane.
    pub(super) fn want(&mut self, purpose: Purpose, digest: Hash) {
        let turn = self.turns;
        self.turns = self.turns.saturating_add(1);
        let fresh = || Wanted { line: purpose, turn, needed_for: BTreeSet::new() };
        let wanted = self.wanted.entry(digest).or_insert_with(fresh);
        wanted.needed_for.insert(purpose);
        if self.in_flight.contains(&(wanted.line, digest)) {
            return;
        }
        self.waiting.remove(&(wanted.line, wanted.turn));
        wanted.line = wanted.line.min(purpose);
        self.waiting.insert((wanted.line, wanted.turn), digest);
    }

    /// It is here. Whether it had been asked for.
    pub(super) fn arrived(&mut self, digest: &Hash) -> bool {
        let Some(Wanted { line, turn, .. }) = self.wanted.remove(digest) else { return false };
        self.waiting.remove(&(line, turn));
        self.in_flight.remove(&(line, *digest))
    }

    /// It is no longer needed for this purpose. Whether it had been asked for, and nothing else needs it.
    pub(super) fn cancel(&mut self, purpose: Purpose, digest: &Hash) -> bool {
        let Some(wanted) = self.wanted.get_mut(digest) else { return false };
        wanted.needed_for.remove(&purpose);
        wanted.needed_for.is_empty() && self.arrived(digest)
    }

    /// Nothing more is needed for this purpose; gives what had been asked for and nothing else needs.
    pub(super) fn cancel_all(&mut self, purpose: Purpose) -> Vec<Hash> {
        let all = self.wanted.iter().filter(|(_, wanted)| wanted.needed_for.contains(&purpose));
        let all: Vec<Hash> = all.map(|(digest, _)| *digest).collect();
        all.into_iter().filter(|digest| self.cancel(purpose, digest)).collect()
    }

    /// The next body to ask for, if its purpose has a place free; it counts as asked for.
    pub(super) fn next(&mut self) -> Option<(Purpose, Hash)> {
        [Purpose::Slot, Purpose::OwnLane].into_iter().find_map(|purpose| {
            let asked = self.in_flight.range((purpose, Hash::ZERO)..=(purpose, Hash([0xff; 32])));
            if asked.count() >= WANTS_IN_FLIGHT_MAX {
                return None;
            }
            let first = self.waiting.range((purpose, 0)..=(purpose, u64::MAX)).next();
            let (place, digest) = first.map(|(place, digest)| (*place, *digest))?;
            self.waiting.remove(&place);
            self.in_flight.insert((purpose, digest));
            Some((purpose, digest))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: usize) -> Hash {
        rota_types::keccak256(&n.to_le_bytes())
    }

    fn asked(wants: &mut Wants) -> Vec<(Purpose, Hash)> {
        std::iter::from_fn(|| wants.next()).collect()
    }

    #[test]
    fn each_is_asked_for_once_in_order_and_so_many_at_a_time() {
        let (mut wants, count) = (Wants::default(), 5 * WANTS_IN_FLIGHT_MAX);
        let mut order = Vec::new();
        for _ in 0..3 {
            (0..count).for_each(|n| wants.want(Purpose::OwnLane, digest(n)));
            order.extend(asked(&mut wants));
            assert_eq!(order.len(), WANTS_IN_FLIGHT_MAX);
        }
        for n in 0..count {
            assert!(wants.arrived(&digest(n)), "{n} was asked for before it came");
            assert!(!wants.arrived(&digest(n)));
            order.extend(asked(&mut wants));
        }
        let expected: Vec<_> = (0..count).map(|n| (Purpose::OwnLane, digest(n))).collect();
        assert_eq!(order, expected);
        assert!(wants.wanted.is_empty() && wants.waiting.is_empty() && wants.in_flight.is_empty());
    }

    #[test]
    fn what_nobody_has_holds_up_no_slot() {
        let mut wants = Wants::default();
        (0..1_000).for_each(|n| wants.want(Purpose::OwnLane, digest(n)));
        asked(&mut wants);
        let slot = [digest(7), digest(900), digest(2_000)];
        slot.iter().for_each(|digest| wants.want(Purpose::Slot, *digest));
        assert_eq!(
            asked(&mut wants),
            [(Purpose::Slot, digest(900)), (Purpose::Slot, digest(2_000)),]
        );
        assert!(!wants.cancel(Purpose::OwnLane, &digest(7)), "the slot needs it");
        assert!(wants.cancel(Purpose::OwnLane, &digest(8)));
        assert!(!wants.cancel(Purpose::OwnLane, &digest(999)), "not asked for yet");
        assert!(!wants.cancel(Purpose::OwnLane, &digest(900)));
        let mut ended = wants.cancel_all(Purpose::Slot);
        ended.sort_unstable();
        let mut expected = slot.to_vec();
        expected.sort_unstable();
        assert_eq!(ended, expected);
        let next = [0, 1].map(|n| (Purpose::OwnLane, digest(WANTS_IN_FLIGHT_MAX + n)));
        assert_eq!(
            asked(&mut wants),
            next,
            "two places are free: of the one cancelled and the one found"
        );
    }
}
