//! What a run found: the fields other programs read, what they mean, and whether expectations hold.

use super::perturb::Conductor;
use crate::invariants::{
    self, Finding, Trace, agreement, double_signs, header_mismatch, index, ordered_once, receipts,
    streams,
};
use crate::load::Offered;
use crate::load::engine::Answer;
use crate::load::summary::{Costs, Setting, Summary, Window};
use crate::manifest::{Expect, Manifest};
use crate::world::Layout;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// Something the manifest asked for and this world did not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotRun {
    /// As written.
    pub what: String,
    /// The reason.
    pub why: String,
}

/// A node that was hurt and came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Which node.
    pub node: String,
    /// From what.
    pub what: String,
    /// Slots from its release until it was at a new height with the others.
    pub slots: u64,
}

/// What a run found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Whether every expectation holds.
    pub ok: bool,
    /// Expectations that do not.
    pub broken: Vec<String>,
    /// The manifest.
    pub manifest: String,
    /// The world.
    pub world: &'static str,
    /// Its seed.
    pub seed: u64,
    /// Heights decided in two ways.
    pub forks: u64,
    /// Receipted transactions neither at their place nor skipped there.
    pub receipted_lost: u64,
    /// Transactions ordered more than once.
    pub ordered_twice: u64,
    /// Places signed twice, and evidence.
    pub double_signs: u64,
    /// Heights executed in two ways.
    pub header_mismatch: u64,
    /// Nodes that lied on purpose and that honest ones hold evidence against.
    pub caught: BTreeSet<String>,
    /// Gaps, repeats and differences of streams.
    pub stream_gaps: u64,
    /// Look-ups that a ledger contradicts.
    pub index_wrong: u64,
    /// Least executed height of all nodes at the end.
    pub height_min: u64,
    /// Transactions of the load that were ordered.
    pub committed_txs: u64,
    /// Most slots a recovery took; absent if nothing was hurt.
    pub recover_slots_max: Option<u64>,
    /// Each recovery.
    pub recoveries: Vec<Recovery>,
    /// What was not done, with the reason.
    pub not_run: Vec<NotRun>,
    /// What was done.
    pub done: Vec<String>,
    /// Nodes that ended by themselves.
    pub ended: Vec<String>,
    /// Every finding, with names and numbers.
    pub findings: Vec<Finding>,
    /// Places looked up one by one.
    pub sampled_places: usize,
    /// The load.
    pub load: Summary,
    /// Commands to look with, if everything was left in place.
    pub where_to_look: Vec<String>,
}

/// What a report is made of.
pub(super) struct Parts<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) layout: &'a Layout,
    pub(super) offered: &'a Offered,
    pub(super) trace: &'a Trace,
    pub(super) world: &'static str,
}

impl Parts<'_> {
    /// Judges the trace.
    pub(super) fn report(&self, conductor: Conductor, unsettled: Option<String>) -> Report {
        let trace = self.trace;
        let checks = [
            agreement::check(trace),
            header_mismatch::check(trace),
            ordered_once::check(trace),
            double_signs::check(trace),
            streams::check(trace),
            index::check(trace),
        ];
        let [forks, headers, twice, signs, gaps, wrong] =
            checks.each_ref().map(|f| invariants::total(f));
        let (outcome, lost) = receipts::check(trace);
        let (recoveries, unrecovered) = conductor.watcher.recoveries();
        let heights = trace.slots.values().map(|slots| slots.last_key_value().map_or(0, |s| *s.0));
        let mut report = Report {
            seed: self.manifest.seed,
            forks,
            header_mismatch: headers,
            ordered_twice: twice,
            double_signs: signs,
            stream_gaps: gaps,
            index_wrong: wrong,
            receipted_lost: outcome.lost,
            caught: trace.caught.clone(),
            height_min: heights.min().unwrap_or(0),
            recover_slots_max: recoveries.iter().map(|recovery| recovery.slots).max(),
            recoveries: recoveries.to_vec(),
            sampled_places: trace.sampled.len(),
            findings: checks.into_iter().flatten().chain(lost).collect(),
            load: self.summary(&outcome),
            ..Report::default()
        };
        report.committed_txs = report.load.committed_txs;
        report.broken = broken(&self.manifest.expect, &report);
        report.broken.extend(unsettled);
        report.broken.extend(unrecovered.into_iter().map(|who| format!("not recovered: {who}")));
        report.broken.extend(conductor.ended.iter().cloned());
        if report.load.receipted_txs == 0 && self.manifest.load.offered.bytes_per_second > 0 {
            let asked = self.offered.sent.iter().find_map(|sent| match &sent.answer {
                Answer::Failed(cause) => Some(cause.clone()),
                _ => None,
            });
            report.broken.push(format!("no submission got a receipt: {asked:?}"));
        }
        if report.load.bad_receipts > 0 {
            report.broken.push(format!("{} receipts do not verify", report.load.bad_receipts));
        }
        report.not_run = conductor.not_run;
        report.done = conductor.done;
        report.ended = conductor.ended;
        report.ok = report.broken.is_empty();
        report
    }

    fn summary(&self, outcome: &receipts::Outcome) -> Summary {
        let from_us = self.offered.begun_us;
        let micros = u64::try_from(self.offered.plan.duration.as_micros()).unwrap_or(u64::MAX);
        let window = Window { from_us, to_us: from_us.saturating_add(micros) };
        let setting = Setting {
            version: env!("CARGO_PKG_VERSION").into(),
            seed: self.manifest.seed,
            nodes: self.layout.nodes.len(),
            slot_ms: self.layout.genesis.slot_ms,
            ..Setting::here(self.world)
        };
        let costs = Costs::default();
        Summary::of(setting, self.offered, self.trace, outcome, window, &costs)
    }
}

/// Expectations that do not hold.
fn broken(expect: &Expect, report: &Report) -> Vec<String> {
    let most = [
        ("forks", report.forks, expect.forks),
        ("receipted_lost", report.receipted_lost, expect.receipted_lost),
        ("ordered_twice", report.ordered_twice, expect.ordered_twice),
        ("double_signs", report.double_signs, expect.double_signs),
        ("header_mismatch", report.header_mismatch, expect.header_mismatch),
        ("stream_gaps", report.stream_gaps, expect.stream_gaps),
        ("index_wrong", report.index_wrong, 0),
    ];
    let caught = u64::try_from(report.caught.len()).unwrap_or(u64::MAX);
    let least = [
        ("caught", caught, expect.evidence_min),
        ("height_min", report.height_min, expect.height_min),
        ("committed_txs", report.committed_txs, expect.committed_txs_min),
    ];
    let mut broken: Vec<String> = most
        .into_iter()
        .filter(|(_, found, most)| found > most)
        .map(|(name, found, most)| format!("{name} is {found}, at most {most} was expected"))
        .collect();
    broken.extend(
        least.into_iter().filter(|(_, found, least)| found < least).map(|(name, found, least)| {
            format!("{name} is {found}, at least {least} was expected")
        }),
    );
    if let (Some(most), Some(found)) = (expect.recover_slots_max, report.recover_slots_max)
        && found > most
    {
        broken.push(format!("recover_slots_max is {found}, at most {most} was expected"));
    }
    broken
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.ok { "holds" } else { "BROKEN" };
        writeln!(f, "{}  world {}  seed {}  {verdict}", self.manifest, self.world, self.seed)?;
        writeln!(
            f,
            "forks {}  receipted_lost {}  ordered_twice {}  double_signs {}  header_mismatch {}  stream_gaps {}",
            self.forks,
            self.receipted_lost,
            self.ordered_twice,
            self.double_signs,
            self.header_mismatch,
            self.stream_gaps
        )?;
        writeln!(
            f,
            "height_min {}  committed_txs {}  recover_slots_max {:?}",
            self.height_min, self.committed_txs, self.recover_slots_max
        )?;
        for not_run in &self.not_run {
            writeln!(f, "not run: {}: {}", not_run.what, not_run.why)?;
        }
        for line in &self.broken {
            writeln!(f, "broken: {line}")?;
        }
        for finding in &self.findings {
            writeln!(f, "found: {}: {}", finding.invariant, finding.what)?;
        }
        for line in &self.where_to_look {
            writeln!(f, "look: {line}")?;
        }
        write!(f, "{}", self.load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_that_do_not_hold_are_named() {
        let report = Report { forks: 1, height_min: 5, ..Report::default() };
        let expect = Expect { height_min: 6, ..Expect::default() };
        let broken = broken(&expect, &report);
        assert_eq!(broken.len(), 2);
        assert!(broken[0].contains("forks is 1") && broken[1].contains("height_min is 5"));
    }

    #[test]
    fn the_json_has_the_fields_others_read() {
        let json = serde_json::to_value(Report::default()).unwrap();
        for field in [
            "forks",
            "receipted_lost",
            "ordered_twice",
            "double_signs",
            "header_mismatch",
            "height_min",
            "committed_txs",
            "recover_slots_max",
            "not_run",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
    }
}
