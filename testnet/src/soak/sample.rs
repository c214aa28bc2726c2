//! One look at one node: its process, its files, its metrics.

use crate::client::Client;
use crate::error::TestnetError;
use crate::machine;
use crate::world::NodeInfo;
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// Resident memory, bytes.
    Resident,
    /// Open descriptors, but for those of ledger segments: one each, as long as they are kept.
    Descriptors,
    /// Threads.
    Threads,
    /// `state/guard.log`, bytes.
    Guard,
    /// `state/wal/`, bytes.
    Wal,
    /// `index/`, bytes.
    Index,
    /// Bytes waiting for the commit thread.
    QueuedBytes,
    /// Events waiting for the core.
    QueuedEvents,
    /// `ledger/`, bytes, against the bytes ordered.
    Ledger,
}

impl Series {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Resident,
        Self::Descriptors,
        Self::Threads,
        Self::Guard,
        Self::Wal,
        Self::Index,
        Self::QueuedBytes,
        Self::QueuedEvents,
        Self::Ledger,
    ];
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resident => "resident",
            Self::Descriptors => "descriptors",
            Self::Threads => "threads",
            Self::Guard => "guard.log",
            Self::Wal => "wal",
            Self::Index => "index",
            Self::QueuedBytes => "queued bytes",
            Self::QueuedEvents => "queued events",
            Self::Ledger => "ledger/ordered",
        })
    }
}

/// One look.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) minutes: f64,
    pub(super) ordered_bytes: f64,
    values: Vec<(Series, f64)>,
}

impl Sample {
    pub(super) fn of(&self, series: Series) -> f64 {
        self.values.iter().find(|(kind, _)| *kind == series).map_or(0.0, |(_, value)| *value)
    }
}

/// Looks.
pub(super) async fn take(
    node: &NodeInfo,
    pid: u32,
    since: Duration,
) -> Result<Sample, TestnetError> {
    let page = Client::new(&format!("http://{}", node.metrics))?.text("/metrics").await?;
    let process = machine::process(pid)
        .ok_or_else(|| TestnetError::Missing(format!("process {pid} of {}", node.name)))?;
    let size = |path: &str| bytes_of(&node.home.join(path)) as f64;
    Ok(Sample {
        minutes: since.as_secs_f64() / 60.0,
        ordered_bytes: sum(&page, "rota_sequencer_ordered_bytes_total"),
        values: vec![
            (Series::Resident, process.resident as f64),
            (Series::Descriptors, process.descriptors_outside(&node.home.join("ledger")) as f64),
            (Series::Threads, process.threads as f64),
            (Series::Guard, size("state/guard.log")),
            (Series::Wal, size("state/wal")),
            (Series::Index, size("index")),
            (Series::QueuedBytes, sum(&page, "rota_disk_commit_queue_bytes")),
            (Series::QueuedEvents, sum(&page, "rota_node_core_waiting_events")),
            (Series::Ledger, size("ledger")),
        ],
    })
}

/// Sum of a metric over its labels.
fn sum(page: &str, name: &str) -> f64 {
    page.lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Bytes of a file, or of all files of a folder. Files that go while we look count nothing.
fn bytes_of(path: &Path) -> u64 {
    let Ok(meta) = std::fs::metadata(path) else { return 0 };
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| bytes_of(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_their_labels_and_not_over_longer_names() {
        let page = "# TYPE a gauge\na{x=\"1\"} 3\na{x=\"2\"} 4.5\na_total 100\nb 7\n";
        assert_eq!(sum(page, "a"), 7.5);
        assert_eq!(sum(page, "b"), 7.0);
        assert_eq!(sum(page, "c"), 0.0);
    }
}
