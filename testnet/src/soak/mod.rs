//! A long steady load, and whether anything grows under it: memory, descriptors, threads, files, queues.
//!
//! Each series is sampled after a warm-up, its slope taken by Theil and Sen (the median of all slopes between two
//! samples: a spike moves it little), and compared with a named limit. What must grow, because the network orders
//! bytes, is measured against the bytes ordered.

mod sample;
mod slope;

pub use slope::theil_sen;

use crate::bench::{self, Own, Shape};
use crate::clock;
use crate::error::TestnetError;
use crate::limits::{
    LEDGER_BYTES_PER_BYTE_MAX, SOAK_COUNT_PER_MINUTE_MAX, SOAK_FILE_BYTES_PER_MINUTE_MAX,
    SOAK_GUARD_BYTES_MAX, SOAK_QUEUE_BYTES_PER_MINUTE_MAX, SOAK_RSS_BYTES_PER_MINUTE_MAX,
    SOAK_SAMPLE_EVERY,
};
use crate::load::Summary;
use crate::manifest::{Rate, Via};
use crate::world::NodeInfo;
use sample::{Sample, Series};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Validators of a soak.
const VALIDATORS: usize = 4;
/// Payload of a transaction: large, so that the window of ids, which fills for ten minutes, stays small.
const TX_BYTES: usize = 8 * 1024;

/// How long, with how much.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Not measured.
    pub warm_up: Duration,
    /// Measured.
    pub window: Duration,
    /// Payload bytes per second.
    pub offered: Rate,
}

/// One series of one node.
#[derive(Clone, Debug, Serialize)]
pub struct Slope {
    /// Node.
    pub node: String,
    /// What was measured.
    pub series: Series,
    /// First and last sample.
    pub from_to: (f64, f64),
    /// By how much it grows, per minute; for the ledger, bytes per byte ordered.
    pub per_minute: f64,
    /// The largest sample.
    pub highest: f64,
    /// The most that is allowed: of growth, or of the largest sample for a file that is rewritten when it is long.
    pub limit: f64,
}

impl Slope {
    fn holds(&self) -> bool {
        let judged = if self.series == Series::Guard { self.highest } else { self.per_minute };
        judged <= self.limit
    }
}

/// What a soak found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether no series grows and nothing is lost.
    pub ok: bool,
    /// Minutes measured.
    pub minutes: f64,
    /// Samples of each node.
    pub samples: usize,
    /// Every series of every node.
    pub slopes: Vec<Slope>,
    /// Series that grow, and receipts that were not kept.
    pub broken: Vec<String>,
    /// The load.
    pub load: Summary,
}

/// Runs a network of processes under load and judges what its nodes use.
///
/// # Errors
/// If the network could not be run.
pub async fn run(
    plan: &Plan,
    rota: Option<PathBuf>,
    folder: Option<PathBuf>,
) -> Result<Report, TestnetError> {
    let shape = Shape {
        offered: plan.offered,
        tx_bytes: TX_BYTES,
        rollups: 2,
        via: vec![Via::Rpc],
        warm_up: plan.warm_up,
        window: plan.window,
        seed: 7,
    };
    let own = Own::start(VALIDATORS, 1_000, &shape, rota, folder).await?;
    let nodes = own.nodes();
    let (warm_up, window) = (plan.warm_up, plan.window);
    let sampling = tokio::spawn(async move {
        tokio::time::sleep(warm_up).await;
        gather(&nodes, window).await
    });
    let load = bench::load(&own.urls, &own.pids(), &shape, "process").await?;
    let samples = sampling.await.map_err(|error| TestnetError::Program {
        what: "sampling".into(),
        cause: error.to_string(),
    })?;
    own.end().await?;
    Ok(judge(&samples, load))
}

/// Samples of every node over the window.
async fn gather(nodes: &[(NodeInfo, u32)], window: Duration) -> BTreeMap<String, Vec<Sample>> {
    let begun = clock::now();
    let mut every = tokio::time::interval(SOAK_SAMPLE_EVERY);
    let mut samples: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    loop {
        every.tick().await;
        let since = clock::now().duration_since(begun);
        if since > window {
            return samples;
        }
        for (node, pid) in nodes {
            match sample::take(node, *pid, since).await {
                Ok(sample) => samples.entry(node.name.clone()).or_default().push(sample),
                Err(error) => tracing::warn!(node = node.name, %error, "no sample"),
            }
        }
    }
}

const fn limit(series: Series) -> f64 {
    match series {
        Series::Resident => SOAK_RSS_BYTES_PER_MINUTE_MAX,
        Series::Descriptors | Series::Threads | Series::QueuedEvents => SOAK_COUNT_PER_MINUTE_MAX,
        Series::Guard => SOAK_GUARD_BYTES_MAX,
        Series::Wal | Series::Index => SOAK_FILE_BYTES_PER_MINUTE_MAX,
        Series::QueuedBytes => SOAK_QUEUE_BYTES_PER_MINUTE_MAX,
        Series::Ledger => LEDGER_BYTES_PER_BYTE_MAX,
    }
}

fn judge(samples: &BTreeMap<String, Vec<Sample>>, load: Summary) -> Report {
    let mut slopes = Vec::new();
    for (node, samples) in samples {
        for series in Series::ALL {
            let points: Vec<(f64, f64)> = samples
                .iter()
                .map(|sample| match series {
                    Series::Ledger => (sample.ordered_bytes, sample.of(series)),
                    _ => (sample.minutes, sample.of(series)),
                })
                .collect();
            let ends = points.first().zip(points.last()).map(|(a, b)| (a.1, b.1));
            slopes.push(Slope {
                node: node.clone(),
                series,
                from_to: ends.unwrap_or_default(),
                per_minute: theil_sen(&points),
                highest: points.iter().map(|point| point.1).fold(0.0, f64::max),
                limit: limit(series),
            });
        }
    }
    let mut broken: Vec<String> = slopes
        .iter()
        .filter(|slope| !slope.holds())
        .map(|slope| {
            format!(
                "{} of {} grows by {:.2} a minute up to {:.0}, at most {:.2} is allowed",
                slope.series, slope.node, slope.per_minute, slope.highest, slope.limit
            )
        })
        .collect();
    if load.lost > 0 || load.twice > 0 {
        broken.push(format!("lost {}, twice {}", load.lost, load.twice));
    }
    let fewest = samples.values().map(Vec::len).min().unwrap_or(0);
    if samples.len() < VALIDATORS || fewest < SAMPLES_MIN {
        broken.push(format!("{fewest} samples of {} nodes say nothing", samples.len()));
    }
    let last = samples.values().filter_map(|samples| samples.last());
    let minutes = last.map(|sample| sample.minutes).fold(0.0, f64::max);
    Report { ok: broken.is_empty(), minutes, samples: fewest, slopes, broken, load }
}

/// Fewer samples than this make no slope.
const SAMPLES_MIN: usize = 5;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.ok { "holds" } else { "BROKEN" };
        writeln!(f, "soak  {:.1} min  {} samples a node  {verdict}", self.minutes, self.samples)?;
        writeln!(
            f,
            "{:<14}{:<6}{:>16}{:>16}{:>14}{:>12}",
            "series", "node", "first", "last", "a minute", "limit"
        )?;
        for slope in &self.slopes {
            writeln!(
                f,
                "{:<14}{:<6}{:>16.0}{:>16.0}{:>14.2}{:>12.2}",
                slope.series.to_string(),
                slope.node,
                slope.from_to.0,
                slope.from_to.1,
                slope.per_minute,
                slope.limit
            )?;
        }
        for line in &self.broken {
            writeln!(f, "broken: {line}")?;
        }
        write!(f, "{}", self.load)
    }
}
