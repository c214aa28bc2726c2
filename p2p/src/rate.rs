//! A token bucket by passed-in time.

use std::time::Duration;

use tokio::time::Instant;

/// Allows `burst` at once and `per_second` in the long run.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    burst: u32,
    interval: Duration,
    /// Time at which the bucket is full again; the distance from now counts the tokens taken.
    full_at: Instant,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        Self { burst, interval: Duration::from_secs(1) / per_second.max(1), full_at: now }
    }

    /// Takes one token; `false` if there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + self.interval;
        if full_at.duration_since(now) > self.interval * self.burst {
            return false;
        }
        self.full_at = full_at;
        true
    }

    /// Takes that many tokens, there or not; gives how long to wait until none is owed.
    pub(crate) fn charge(&mut self, tokens: u32, now: Instant) -> Duration {
        self.full_at = self.full_at.max(now) + self.interval.saturating_mul(tokens);
        let owed = self.full_at.duration_since(now);
        owed.saturating_sub(self.interval.saturating_mul(self.burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_rate() {
        let start = crate::clock::now();
        let mut bucket = Bucket::new(2, 3, start);
        assert!(bucket.take(start) && bucket.take(start) && bucket.take(start));
        assert!(!bucket.take(start));
        assert!(bucket.take(start + Duration::from_millis(500)));
        assert!(!bucket.take(start + Duration::from_millis(500)));
        let later = start + Duration::from_secs(60);
        assert!(bucket.take(later) && bucket.take(later) && bucket.take(later));
        assert!(!bucket.take(later));
    }

    #[test]
    fn what_is_owed_is_waited_for() {
        let start = crate::clock::now();
        let mut bucket = Bucket::new(10, 5, start);
        assert_eq!(bucket.charge(5, start), Duration::ZERO);
        assert_eq!(bucket.charge(0, start), Duration::ZERO);
        assert_eq!(bucket.charge(20, start), Duration::from_secs(2));
        let later = start + Duration::from_secs(2);
        assert_eq!(bucket.charge(1, later), Duration::from_millis(100));
    }
}
