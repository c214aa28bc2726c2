//! `rota-testnet sim`: one seed with its story, or many seeds with a summary.

use super::plan::Byzantine;
use super::run::{Options, Outcome, run};
use super::swarm::{Summary, swarm, until_violation};
use super::tags::Signatures;
use super::trace::Lines;
use crate::error::TestnetError;
use clap::Args;
use rota_types::limits::VALIDATORS_MAX;
use std::io::Write as _;
use std::ops::{Range, RangeInclusive};

/// Plays seeds in the simulator.
#[derive(Clone, Debug, Args)]
pub struct SimArgs {
    /// One seed.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Many seeds: a number of them, or a range like 100..200.
    #[arg(long, default_value = "100", value_parser = seeds)]
    seeds: Range<u64>,
    /// Validators: a number, or a range like 4..10 from which each seed draws.
    #[arg(long, default_value = "4..10", value_parser = validators)]
    validators: RangeInclusive<usize>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Tells the story of the run on standard error.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Signs with Ed25519 and BLS12-381 instead of keyed hashes, as one seed in a hundred does anyway.
    #[arg(long)]
    real_signatures: bool,
    /// A third of the weight or more is Byzantine: the network may halt, and fork only with evidence.
    #[arg(long)]
    too_many: bool,
    /// Stops at the first seed that breaks something, and tells no story.
    #[arg(long, conflicts_with = "seed")]
    until_violation: bool,
    /// Summary as JSON on stdout.
    #[arg(long)]
    json: bool,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    match text.split_once("..") {
        Some((from, to)) => Ok(number(from)?..number(to)?),
        None => Ok(0..number(text)?),
    }
}

fn validators(text: &str) -> Result<RangeInclusive<usize>, String> {
    let number = |text: &str| text.parse::<usize>().map_err(|error| format!("{text:?}: {error}"));
    let range = match text.split_once("..") {
        Some((from, to)) => number(from)?..=number(to)?,
        None => number(text)?..=number(text)?,
    };
    let fits =
        *range.start() >= 1 && range.start() <= range.end() && *range.end() <= VALIDATORS_MAX;
    if fits { Ok(range) } else { Err(format!("1 to {VALIDATORS_MAX} validators")) }
}

impl SimArgs {
    /// Runs; `true` iff everything held.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn run(&self) -> Result<bool, TestnetError> {
        match self.seed {
            Some(seed) => self.one(seed),
            None => self.many(),
        }
    }

    fn options(&self, lines: Lines) -> Options {
        let signatures = if self.real_signatures { Signatures::Real } else { Signatures::Tags };
        let byzantine = if self.too_many { Byzantine::TooMany } else { Byzantine::Tolerated };
        Options { validators: self.validators.clone(), byzantine, signatures, lines }
    }

    fn one(&self, seed: u64) -> Result<bool, TestnetError> {
        let lines = if self.trace { Lines::Print } else { Lines::Keep };
        let outcome = run(seed, &self.options(lines));
        if outcome.violation.is_some() && !self.trace {
            report(&outcome, &self.options(lines));
        }
        say(&line_of(&outcome))?;
        if self.trace {
            for (name, count) in outcome.counts.iter() {
                say(&format!("  {name:<44} {count:>9}"))?;
            }
        }
        Ok(outcome.violation.is_none())
    }

    fn many(&self) -> Result<bool, TestnetError> {
        let options = self.options(Lines::None);
        let summary = if self.until_violation {
            until_violation(self.seeds.clone(), &options, self.jobs)
        } else {
            swarm(self.seeds.clone(), &options, self.jobs, &|outcome| {
                // The same seed again, with its story.
                let told = Options { lines: Lines::Keep, ..options.clone() };
                report(&run(outcome.seed, &told), &told);
            })
        };
        if self.json {
            let text = serde_json::to_string(&summary).map_err(|error| TestnetError::Program {
                what: "writing JSON".into(),
                cause: error.to_string(),
            })?;
            say(&text)?;
        } else {
            say(&summary.to_string())?;
        }
        Ok(holds(&summary))
    }
}

fn holds(summary: &Summary) -> bool {
    summary.violations.is_empty() && summary.never_fired.is_empty()
}

fn line_of(outcome: &Outcome) -> String {
    let verdict = match &outcome.violation {
        Some(violation) => format!("VIOLATED {}: {}", violation.invariant, violation.what),
        None => "holds".to_owned(),
    };
    format!(
        "seed {} validators {} events {} virtual {} s trace {:016x}: {verdict}",
        outcome.seed,
        outcome.validators,
        outcome.events,
        outcome.virtual_us / 1_000_000,
        outcome.trace_hash,
    )
}

/// Seed, invariant, newest events and the command that repeats it.
fn report(outcome: &Outcome, options: &Options) {
    for line in &outcome.story {
        eprintln!("{line}");
    }
    eprintln!("{}", line_of(outcome));
    let (low, high) = (options.validators.start(), options.validators.end());
    let real = if options.signatures == Signatures::Real { " --real-signatures" } else { "" };
    eprintln!(
        "again: rota-testnet sim --seed {} --validators {low}..{high}{real} --trace",
        outcome.seed
    );
}

fn say(text: &str) -> Result<(), TestnetError> {
    writeln!(std::io::stdout().lock(), "{text}").map_err(TestnetError::file("stdout"))
}
