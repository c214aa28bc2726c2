//! Bodies wanted by digest: of decided slots, and of lanes that missed a batch.

use crate::limits::{CATCHUP_BODIES_MAX, CATCHUP_DIGESTS_PER_REQUEST, CATCHUP_HOLDERS_MAX};
use rota_types::Hash;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default)]
struct Wanted {
    /// Connected peers said to hold it.
    holders: BTreeSet<u64>,
    /// Peers that did not give it, since all were tried last.
    tried: BTreeSet<u64>,
    in_flight: bool,
}

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Bodies {
    wanted: BTreeMap<Hash, Wanted>,
}

impl Bodies {
    /// Wants a body; beyond [`CATCHUP_BODIES_MAX`] it is dropped, so who wants them wants no more at once.
    pub(super) fn want(&mut self, digest: Hash, holders: impl Iterator<Item = u64>) {
        if self.wanted.len() < CATCHUP_BODIES_MAX || self.wanted.contains_key(&digest) {
            let wanted = self.wanted.entry(digest).or_default();
            let room = CATCHUP_HOLDERS_MAX.saturating_sub(wanted.holders.len());
            wanted.holders.extend(holders.take(room));
        }
    }

    /// No longer wants it; whether it was wanted.
    pub(super) fn have(&mut self, digest: &Hash) -> bool {
        self.wanted.remove(digest).is_some()
    }

    /// What this peer can be asked for now: first of all what it is said to hold.
    pub(super) fn for_peer(&self, peer: u64) -> Vec<Hash> {
        let open = |wanted: &Wanted| !wanted.in_flight && !wanted.tried.contains(&peer);
        let holds = |wanted: &Wanted| {
            wanted.holders.is_empty()
                || wanted.holders.contains(&peer)
                || wanted.holders.is_subset(&wanted.tried)
        };
        self.wanted
            .iter()
            .filter(|(_, wanted)| open(wanted) && holds(wanted))
            .map(|(digest, _)| *digest)
            .take(CATCHUP_DIGESTS_PER_REQUEST)
            .collect()
    }

    pub(super) fn asked(&mut self, digests: &[Hash]) {
        for digest in digests {
            if let Some(wanted) = self.wanted.get_mut(digest) {
                wanted.in_flight = true;
            }
        }
    }

    /// A request is over; what it did not bring is asked of others.
    pub(super) fn ended(&mut self, peer: u64, digests: &[Hash]) {
        for digest in digests {
            if let Some(wanted) = self.wanted.get_mut(digest) {
                wanted.in_flight = false;
                wanted.tried.insert(peer);
            }
        }
    }

    /// A peer is gone: what it holds is asked of others.
    pub(super) fn lose(&mut self, peer: u64) {
        for wanted in self.wanted.values_mut() {
            wanted.holders.remove(&peer);
            wanted.tried.remove(&peer);
        }
    }

    /// All peers were tried in vain: another round.
    pub(super) fn try_all_again(&mut self) {
        for wanted in self.wanted.values_mut().filter(|wanted| !wanted.in_flight) {
            wanted.tried.clear();
        }
    }

    /// Whether something is wanted and not in flight.
    pub(super) fn is_open(&self) -> bool {
        self.wanted.values().any(|wanted| !wanted.in_flight)
    }
}
