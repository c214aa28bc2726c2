//! The one place of this crate that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the shell's one monotonic clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Unix milliseconds, the time nodes put on levels.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the shell's one wall clock")]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unix microseconds that never go back: the wall clock at a start, and the monotonic clock since.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    start: Instant,
    start_us: u64,
}

impl Timeline {
    /// Begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self { start: now(), start_us: unix_ms().saturating_mul(1_000) }
    }

    /// Unix microseconds now.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        let since = now().duration_since(self.start).as_micros();
        self.start_us.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// Unix microseconds of the beginning.
    #[must_use]
    pub const fn begun_us(&self) -> u64 {
        self.start_us
    }

    /// The instant of a point in time.
    #[must_use]
    pub fn instant(&self, at_us: u64) -> Instant {
        let since = Duration::from_micros(at_us.saturating_sub(self.start_us));
        self.start.checked_add(since).unwrap_or(self.start)
    }
}
