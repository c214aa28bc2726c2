//! Many seeds on a few threads, and what they came to together.

use super::counts::Counts;
use super::run::{Options, Outcome, run};
use super::tags::Signatures;
use crate::clock;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// One seed in so many signs with real keys.
const REAL_SIGNATURES_EVERY: u64 = 100;
/// Seeds from which on a fault that never fired is a failure.
const LARGE_RUN_SEEDS: u64 = 1_000;
/// Violations reported with their story.
const REPORTS_MAX: usize = 3;
/// Most threads.
const JOBS_MAX: usize = 64;

/// A seed that broke something.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// The invariant.
    pub invariant: &'static str,
    /// What was found.
    pub what: String,
}

/// What a swarm came to.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Summary {
    /// Seeds played.
    pub seeds: u64,
    /// Of them with real signatures.
    pub real_signatures: u64,
    /// Virtual hours.
    pub virtual_hours: f64,
    /// Events.
    pub events: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// What broke.
    pub violations: Vec<Broken>,
    /// How often each thing happened, and in how many seeds.
    pub counts: BTreeMap<&'static str, (u64, u64)>,
    /// Faults that never happened though the run is large.
    pub never_fired: Vec<&'static str>,
}

impl Summary {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds = self.seeds.saturating_add(1);
        self.events = self.events.saturating_add(outcome.events);
        self.virtual_hours += hours(outcome.virtual_us);
        for (name, count) in outcome.counts.iter() {
            let entry = self.counts.entry(name).or_default();
            entry.0 = entry.0.saturating_add(count);
            entry.1 = entry.1.saturating_add(1);
        }
        if let Some(violation) = &outcome.violation {
            self.violations.push(Broken {
                seed: outcome.seed,
                invariant: violation.invariant,
                what: violation.what.clone(),
            });
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people; far below 2⁵³")]
fn hours(us: u64) -> f64 {
    us as f64 / 3.6e9
}

/// Plays all seeds of a range; `on_broken` is told of the first few that break something.
pub fn swarm(
    seeds: Range<u64>,
    options: &Options,
    jobs: usize,
    on_broken: &(dyn Fn(&Outcome) + Sync),
) -> Summary {
    play(seeds, options, jobs, false, on_broken)
}

/// Plays seeds of a range, ascending, until one breaks something. Those below it have all been played, so that the
/// lowest of [`Summary::violations`] does not depend on the number of threads.
#[must_use]
pub fn until_violation(seeds: Range<u64>, options: &Options, jobs: usize) -> Summary {
    play(seeds, options, jobs, true, &|_| ())
}

fn play(
    seeds: Range<u64>,
    options: &Options,
    jobs: usize,
    stops: bool,
    on_broken: &(dyn Fn(&Outcome) + Sync),
) -> Summary {
    let started = clock::now();
    let (next, stopped) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let summary = Mutex::new(Summary::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || stopped.load(Ordering::Relaxed) {
                return;
            }
            let real = seed % REAL_SIGNATURES_EVERY == REAL_SIGNATURES_EVERY - 1;
            let signatures = if real { Signatures::Real } else { options.signatures };
            let outcome = run(seed, &Options { signatures, ..options.clone() });
            if stops && outcome.violation.is_some() {
                stopped.store(true, Ordering::Relaxed);
            }
            let reported = {
                let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                summary.add(&outcome);
                summary.real_signatures = summary.real_signatures.saturating_add(u64::from(real));
                outcome.violation.is_some() && summary.violations.len() <= REPORTS_MAX
            };
            if reported {
                on_broken(&outcome);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, JOBS_MAX) {
            scope.spawn(work);
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.seconds = started.elapsed().as_secs_f64();
    summary.violations.sort_by_key(|broken| broken.seed);
    if summary.seeds >= LARGE_RUN_SEEDS {
        let counts = &summary.counts;
        let fired = |name: &&str| counts.get(*name).is_some_and(|(count, _)| *count > 0);
        summary.never_fired =
            Counts::must_happen().into_iter().filter(|name| !fired(name)).collect();
    }
    summary
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "SIMULATION  seeds {}  real signatures {}  virtual hours {:.1}  events {}  took {:.0} s",
            self.seeds, self.real_signatures, self.virtual_hours, self.events, self.seconds
        )?;
        for (name, (count, seeds)) in &self.counts {
            writeln!(f, "  {name:<44} {count:>10}  in {seeds} seeds")?;
        }
        for name in &self.never_fired {
            writeln!(f, "  never happened: {name}")?;
        }
        for broken in &self.violations {
            writeln!(f, "  seed {}: VIOLATED {}: {}", broken.seed, broken.invariant, broken.what)?;
        }
        write!(f, "violations {}", self.violations.len())
    }
}
