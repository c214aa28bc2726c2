//! How much work gossip may ask of the core's thread: decoding keystore envelopes and verifying their signatures.

use crate::limits::{GOSSIP_PEER_UNITS_MAX, GOSSIP_UNITS_MAX};
use rota_types::{Refusal, RefusalCode, TimestampMs};
use std::collections::BTreeMap;

const WINDOW_MS: u64 = 1_000;

/// What was spent in the current second, in all and by each peer, in units of the keystore.
///
/// A second is one of the clock's own, so nothing is remembered of peers that ask for nothing, and there are never more
/// of them than units.
#[derive(Debug, Default)]
pub struct WorkBudget {
    second: u64,
    spent: u64,
    by_peer: BTreeMap<u64, u64>,
}

impl WorkBudget {
    /// Takes `units` for a peer before the work is done, all of them or none.
    ///
    /// # Errors
    /// `Limited`, with the limit and what it would have become.
    pub fn charge(&mut self, now: TimestampMs, peer: u64, units: u64) -> Result<(), Refusal> {
        let second = now.0.checked_div(WINDOW_MS).unwrap_or(0);
        // A clock that is set back gives nobody a second budget.
        if second > self.second {
            *self = Self { second, ..Self::default() };
        }
        let of_peer = self.by_peer.get(&peer).copied().unwrap_or(0).saturating_add(units);
        let of_all = self.spent.saturating_add(units);
        for (limit, value) in [(GOSSIP_PEER_UNITS_MAX, of_peer), (GOSSIP_UNITS_MAX, of_all)] {
            if value > limit {
                return Err(Refusal::at_limit(RefusalCode::Limited, limit, value));
            }
        }
        self.by_peer.insert(peer, of_peer);
        self.spent = of_all;
        Ok(())
    }

    /// Units spent in the current second.
    #[must_use]
    pub const fn spent(&self) -> u64 {
        self.spent
    }
}
