//! Percentiles of weighted samples.

use serde::Serialize;

/// Three percentiles in milliseconds, and how many transactions they speak for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 95th.
    pub p95: f64,
    /// 99th.
    pub p99: f64,
    /// Transactions.
    pub count: u64,
}

/// Latencies of transactions, a few points for each submission.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    points: Vec<(u64, u64)>,
}

/// Points of one submission: its transactions were due one after another, and came back together.
const POINTS: u64 = 4;

impl Latencies {
    /// Adds a submission of `count` transactions due evenly from `first` to `last`, done at `done` (µs).
    pub fn add(&mut self, count: u64, first: u64, last: u64, done: u64) {
        let span = last.saturating_sub(first);
        let weight = count.div_ceil(POINTS);
        for point in 0..POINTS {
            // The middles of four equal parts of the span.
            let part = span.saturating_mul(point.saturating_mul(2).saturating_add(1));
            let due = first.saturating_add(part / POINTS.saturating_mul(2));
            self.points.push((done.saturating_sub(due), weight));
        }
    }

    /// The percentiles.
    #[must_use]
    pub fn percentiles(mut self) -> Percentiles {
        self.points.sort_unstable();
        let total: u64 = self.points.iter().map(|(_, weight)| *weight).sum();
        let at = |percent: u64| {
            let wanted = u128::from(total).saturating_mul(u128::from(percent)).div_ceil(100);
            let mut sum = 0u128;
            let found = self.points.iter().find(|(_, weight)| {
                sum = sum.saturating_add(u128::from(*weight));
                sum >= wanted
            });
            found.map_or(0.0, |(micros, _)| *micros as f64 / 1e3)
        };
        Percentiles { p50: at(50), p95: at(95), p99: at(99), count: total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_due_not_from_sent() {
        let mut latencies = Latencies::default();
        // 100 transactions due over 8 ms, answered 10 ms after the last was due: 11, 13, 15 and 17 ms.
        latencies.add(100, 0, 8_000, 18_000);
        let found = latencies.percentiles();
        assert_eq!((found.p50, found.p99, found.count), (13.0, 17.0, 100));
    }

    #[test]
    fn one_slow_submission_of_a_hundred_is_the_p99_and_not_the_median() {
        let mut latencies = Latencies::default();
        for i in 0..98 {
            latencies.add(10, i, i, i + 1_000);
        }
        for i in 98..100 {
            latencies.add(10, i, i, i + 900_000);
        }
        let found = latencies.percentiles();
        assert_eq!((found.p50, found.p99), (1.0, 900.0));
        assert_eq!(Latencies::default().percentiles(), Percentiles::default());
    }
}
