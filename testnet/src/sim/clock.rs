//! A node's clock: virtual time, wrong by an offset and a drift.

use super::cast::GENESIS_MS;
use rota_types::TimestampMs;

const MILLION: i128 = 1_000_000;

/// How a node reads the virtual time, which counts microseconds from genesis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// How far ahead it is at virtual time 0.
    pub(super) offset_us: i64,
    /// How many microseconds a second it gains.
    pub(super) drift_ppm: i64,
}

/// What a node's clock showed when it started. A view stamps the times of levels with it; no invariant reads those.
pub(super) struct Started(pub(super) TimestampMs);

impl rota_node::shell::Clock for Started {
    fn now(&self) -> TimestampMs {
        self.0
    }
}

impl Clock {
    /// What it shows at a virtual time.
    pub(super) fn read(&self, at_us: u64) -> TimestampMs {
        let at = i128::from(at_us);
        let gained = at.saturating_mul(i128::from(self.drift_ppm)) / MILLION;
        let shown = at.saturating_add(gained).saturating_add(i128::from(self.offset_us));
        let ms = i128::from(GENESIS_MS).saturating_add(shown.div_euclid(1_000));
        TimestampMs(u64::try_from(ms).unwrap_or(0))
    }

    /// The first virtual time at which it shows `when` or more.
    pub(super) fn reaches(&self, when: TimestampMs) -> u64 {
        let wanted =
            i128::from(when.0).saturating_sub(i128::from(GENESIS_MS)).saturating_mul(1_000);
        let since = wanted.saturating_sub(i128::from(self.offset_us));
        let rate = MILLION.saturating_add(i128::from(self.drift_ppm));
        let guess = since.saturating_mul(MILLION).checked_div(rate).unwrap_or(since);
        let mut at = u64::try_from(guess.saturating_sub(2)).unwrap_or(0);
        while self.read(at) < when {
            at = at.saturating_add(1);
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_reached_when_the_clock_first_shows_it() {
        for (offset_us, drift_ppm) in [(0, 0), (-3_700, 40), (812_345, -200), (-2_000_000, 500)] {
            let clock = Clock { offset_us, drift_ppm };
            for ms in (2_500..90_000).step_by(777) {
                let when = TimestampMs(GENESIS_MS + ms);
                let at = clock.reaches(when);
                assert_eq!(clock.read(at), when);
                assert!(at == 0 || clock.read(at - 1) < when);
            }
        }
    }
}
