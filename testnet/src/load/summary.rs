//! The SUMMARY of a load, for people and as JSON.

use super::collect::receipts;
use super::engine::{Answer, Offered};
use super::latency::{Latencies, Percentiles};
use crate::client::SlotView;
use crate::invariants::receipts::Outcome;
use crate::invariants::{Trace, ordered_once, total};
use crate::machine::{self, Cost};
use rota_types::ValidatorKey;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a load ran on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Setting {
    /// Version the nodes say they are.
    pub version: String,
    /// Revision of this build.
    pub revision: String,
    /// `debug` or `release`, of this build.
    pub profile: &'static str,
    /// Seed.
    pub seed: u64,
    /// Arguments of this run.
    pub command: String,
    /// `process`, `compose` or `remote`.
    pub world: String,
    /// Nodes sent to.
    pub nodes: usize,
    /// Length of a slot.
    pub slot_ms: u64,
    /// Added delay of a link.
    pub link_ms: u64,
}

impl Setting {
    /// What this process knows of itself: revision, profile, command.
    #[must_use]
    pub fn here(world: &str) -> Self {
        let git = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
        let revision = git.ok().filter(|output| output.status.success());
        let revision = revision
            .map_or_else(|| "-".into(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Self {
            revision,
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            command: format!("rota-testnet {}", arguments.join(" ")),
            world: world.to_owned(),
            ..Self::default()
        }
    }
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// What it ran on.
    pub setting: Setting,
    /// CPU, cores, RAM, kernel.
    pub machine: String,
    /// Payload bytes of a transaction.
    pub tx_bytes: usize,
    /// Seconds before the window.
    pub warm_up_seconds: f64,
    /// Seconds of the window.
    pub seconds: f64,
    /// Payload offered, 10⁶ bytes per second.
    pub offered_mb_s: f64,
    /// Transactions offered per second.
    pub offered_tx_s: f64,
    /// Payload ordered, 10⁶ bytes per second, over slots that ended in the window.
    pub committed_mb_s: f64,
    /// Transactions ordered per second.
    pub committed_tx_s: f64,
    /// All transactions of the load that were ordered.
    pub committed_txs: u64,
    /// All transactions with a receipt.
    pub receipted_txs: u64,
    /// Receipted and neither at their place nor skipped there.
    pub lost: u64,
    /// Ordered more than once.
    pub twice: u64,
    /// Receipted and skipped at their place with a code.
    pub expired: u64,
    /// Refused at a door with "limited".
    pub refused: u64,
    /// Submissions without any answer, in transactions.
    pub failed: u64,
    /// Published by gossip.
    pub gossiped: u64,
    /// Published by gossip and ordered.
    pub gossiped_found: u64,
    /// Receipts that do not verify.
    pub bad_receipts: u64,
    /// Milliseconds from due time.
    pub certified: Percentiles,
    /// The same.
    pub ordered: Percentiles,
    /// The same.
    pub sealed: Percentiles,
    /// Milliseconds from the end of the slot to its seal.
    pub sealed_after_slot_end: Percentiles,
    /// CPU-seconds of all nodes per 10⁶ payload bytes committed.
    pub cpu_s_per_mb: Option<f64>,
    /// Payload committed per CPU-second of all nodes, 10⁶ bytes.
    pub mb_per_cpu_s: Option<f64>,
    /// Largest resident set of a node, MiB.
    pub rss_max_mib: Option<f64>,
    /// Written by all nodes, 10⁶ bytes per second.
    pub disk_mb_s: Option<f64>,
}

/// Costs at the ends of the window.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// At its begin.
    pub before: BTreeMap<u32, Cost>,
    /// At its end.
    pub after: BTreeMap<u32, Cost>,
}

/// The window measured, Unix microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Begin.
    pub from_us: u64,
    /// End.
    pub to_us: u64,
}

impl Window {
    fn contains(&self, at_us: u64) -> bool {
        (self.from_us..self.to_us).contains(&at_us)
    }

    fn seconds(&self) -> f64 {
        self.to_us.saturating_sub(self.from_us) as f64 / 1e6
    }
}

type Places<'a> = BTreeMap<(ValidatorKey, u32, u64), &'a SlotView>;

fn places(slots: &BTreeMap<u64, SlotView>) -> Places<'_> {
    let all = slots.values();
    let pairs = all.flat_map(|slot| slot.batches.iter().map(move |batch| (batch, slot)));
    pairs.map(|(batch, slot)| ((batch.lane, batch.incarnation, batch.seq), slot)).collect()
}

const fn micros(ms: u64) -> u64 {
    ms.saturating_mul(1_000)
}

impl Summary {
    /// Computes everything from the load and what the network answered about it.
    #[must_use]
    pub fn of(
        setting: Setting,
        offered: &Offered,
        trace: &Trace,
        outcome: &Outcome,
        window: Window,
        costs: &Costs,
    ) -> Self {
        let generator = &offered.plan.generator;
        let mb_per_tx = generator.tx_bytes() as f64 / 1e6;
        let mut summary = Self {
            machine: machine::describe(),
            tx_bytes: generator.tx_bytes(),
            warm_up_seconds: window.from_us.saturating_sub(offered.begun_us) as f64 / 1e6,
            seconds: window.seconds(),
            lost: outcome.lost,
            expired: outcome.skipped,
            receipted_txs: outcome.at_place.saturating_add(outcome.skipped + outcome.lost),
            twice: total(&ordered_once::check(trace)),
            bad_receipts: offered.bad_receipts,
            setting,
            ..Self::default()
        };
        summary.count(offered, trace);
        let due: u64 = offered
            .sent
            .iter()
            .filter(|sent| window.contains(sent.due_last_us))
            .map(|sent| sent.count)
            .sum();
        summary.offered_tx_s = due as f64 / window.seconds().max(1e-9);
        summary.offered_mb_s = summary.offered_tx_s * mb_per_tx;
        // A node that was killed forgets when it learned of slots; then the average must do.
        let average = summary.committed_txs as f64 / window.seconds().max(1e-9);
        summary.committed_tx_s = committed_tx_s(trace, window).unwrap_or(average);
        summary.committed_mb_s = summary.committed_tx_s * mb_per_tx;
        summary.latencies(offered, trace, window);
        summary.costs(costs, window);
        summary
    }

    fn count(&mut self, offered: &Offered, trace: &Trace) {
        let streams = trace.longest_streams();
        let mut found: Vec<u64> =
            streams.values().flat_map(|s| s.iter()).filter_map(|tx| tx.number).collect();
        found.sort_unstable();
        found.dedup();
        self.committed_txs = u64::try_from(found.len()).unwrap_or(u64::MAX);
        for sent in &offered.sent {
            match &sent.answer {
                Answer::Receipt(_) => {}
                Answer::Limited => self.refused = self.refused.saturating_add(sent.count),
                Answer::Failed(_) => self.failed = self.failed.saturating_add(sent.count),
                Answer::Gossiped => {
                    self.gossiped = self.gossiped.saturating_add(sent.count);
                    let end = sent.first.saturating_add(sent.count);
                    let here = (sent.first..end).filter(|n| found.binary_search(n).is_ok());
                    let here = u64::try_from(here.count()).unwrap_or(0);
                    self.gossiped_found = self.gossiped_found.saturating_add(here);
                }
            }
        }
    }

    fn latencies(&mut self, offered: &Offered, trace: &Trace, window: Window) {
        let (mut certified, mut ordered) = (Latencies::default(), Latencies::default());
        let (mut sealed, mut after) = (Latencies::default(), Latencies::default());
        let by_node: BTreeMap<&str, Places<'_>> =
            trace.slots.iter().map(|(node, slots)| (node.as_str(), places(slots))).collect();
        let any = by_node.values().max_by_key(|places| places.len());
        for (sent, receipt) in receipts(offered) {
            if !window.contains(sent.due_last_us) {
                continue;
            }
            let (count, first, last) = (sent.count, sent.due_first_us, sent.due_last_us);
            if sent.certified {
                certified.add(count, first, last, sent.answered_us);
            }
            let door = offered.plan.doors.get(sent.door).map_or("", |door| door.name.as_str());
            let place = (receipt.lane, receipt.incarnation, receipt.seq);
            let Some(slot) = by_node.get(door).or(any).and_then(|all| all.get(&place)) else {
                continue;
            };
            if let Some(at) = slot.times.ordered {
                ordered.add(count, first, last, micros(at));
            }
            if let Some(at) = slot.times.sealed {
                sealed.add(count, first, last, micros(at));
            }
        }
        for slot in trace.slots.values().flat_map(BTreeMap::values) {
            if let (Some(sealed), Some(end)) = (slot.times.sealed, slot_end(slot, trace))
                && window.contains(micros(sealed))
            {
                after.add(1, micros(end), micros(end), micros(sealed));
            }
        }
        self.certified = certified.percentiles();
        self.ordered = ordered.percentiles();
        self.sealed = sealed.percentiles();
        self.sealed_after_slot_end = after.percentiles();
    }

    fn costs(&mut self, costs: &Costs, window: Window) {
        if costs.after.is_empty() {
            return;
        }
        let before = |pid: &u32| costs.before.get(pid).copied().unwrap_or_default();
        let spent: f64 =
            costs.after.iter().map(|(p, c)| c.cpu_seconds - before(p).cpu_seconds).sum();
        let written: u64 =
            costs.after.iter().map(|(p, c)| c.written.saturating_sub(before(p).written)).sum();
        let megabytes = self.committed_mb_s * window.seconds();
        if megabytes > 0.0 && spent > 0.0 {
            self.cpu_s_per_mb = Some(spent / megabytes);
            self.mb_per_cpu_s = Some(megabytes / spent);
        }
        let rss = costs.after.values().map(|cost| cost.rss_max).max().unwrap_or(0);
        self.rss_max_mib = Some(rss as f64 / f64::from(1u32 << 20));
        self.disk_mb_s = Some(written as f64 / 1e6 / window.seconds().max(1e-9));
    }
}

/// End of a slot, if the trace knows the network's times.
fn slot_end(slot: &SlotView, trace: &Trace) -> Option<u64> {
    let (genesis_ms, slot_ms) = trace.slot_times?;
    let ends = slot.slot.checked_add(1)?.checked_mul(slot_ms)?;
    genesis_ms.checked_add(ends)
}

/// When the first node had each height in its ledger: one that was down learned it later.
fn first_ordered(trace: &Trace) -> BTreeMap<u64, u64> {
    let mut all: BTreeMap<u64, u64> = BTreeMap::new();
    for slot in trace.slots.values().flat_map(BTreeMap::values) {
        if let Some(at) = slot.times.ordered {
            let first = all.entry(slot.height).or_insert(at);
            *first = at.min(*first);
        }
    }
    all
}

/// Transactions of the load in slots ordered in the window, but for the first such slot, over the time between the
/// first and the last: whole slots only, or twelve-second slots would be counted or not by chance.
fn committed_tx_s(trace: &Trace, window: Window) -> Option<f64> {
    let mut per_height: BTreeMap<u64, u64> = BTreeMap::new();
    for stream in trace.longest_streams().values() {
        for tx in stream.iter().filter(|tx| tx.number.is_some()) {
            let count = per_height.entry(tx.place.0).or_default();
            *count = count.saturating_add(1);
        }
    }
    let times = first_ordered(trace);
    if per_height.keys().any(|height| !times.contains_key(height)) {
        return None;
    }
    let mut inside: Vec<(u64, u64)> = times
        .into_iter()
        .map(|(height, at)| (micros(at), height))
        .filter(|(at, _)| window.contains(*at))
        .collect();
    inside.sort_unstable();
    let ((first, _), (last, _)) = (inside.first()?, inside.last()?);
    let txs: u64 = inside.iter().skip(1).filter_map(|(_, height)| per_height.get(height)).sum();
    let span = last.saturating_sub(*first) as f64 / 1e6;
    (span > 0.0).then(|| txs as f64 / span)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.setting;
        let slot = Duration::from_millis(s.slot_ms);
        let ms = |p: &Percentiles| format!("{:.0}/{:.0}/{:.0}", p.p50, p.p95, p.p99);
        writeln!(
            f,
            "SUMMARY  rota {} {} {}   seed {}   {}",
            s.version, s.revision, s.profile, s.seed, s.command
        )?;
        writeln!(
            f,
            "machine    {}   world {}   nodes {}   slot {slot:?}   link {} ms",
            self.machine, s.world, s.nodes, s.link_ms
        )?;
        writeln!(
            f,
            "offered    {:.2} MB/s  {:.0} tx/s of {} B   {:.0} s warm-up + {:.0} s",
            self.offered_mb_s, self.offered_tx_s, self.tx_bytes, self.warm_up_seconds, self.seconds
        )?;
        writeln!(
            f,
            "committed  {:.2} MB/s  {:.0} tx/s   lost {}  twice {}  expired {}  refused {}{}",
            self.committed_mb_s,
            self.committed_tx_s,
            self.lost,
            self.twice,
            self.expired,
            self.refused,
            if self.failed > 0 { format!("  unanswered {}", self.failed) } else { String::new() }
        )?;
        if self.gossiped > 0 {
            writeln!(f, "gossip     {} published, {} ordered", self.gossiped, self.gossiped_found)?;
        }
        writeln!(
            f,
            "latency    certified {}   ordered {}   sealed {}   (p50/p95/p99, ms from due time)   sealed − slot end {}",
            ms(&self.certified),
            ms(&self.ordered),
            ms(&self.sealed),
            ms(&self.sealed_after_slot_end)
        )?;
        let cost = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "?".to_owned(), |value| format!("{value:.digits$}"))
        };
        write!(
            f,
            "cost       {} CPU-s per MB ({} MB per CPU-s; nodes; clients apart)   RSS max {} MiB   disk {} MB/s",
            cost(self.cpu_s_per_mb, 4),
            cost(self.mb_per_cpu_s, 1),
            cost(self.rss_max_mib, 0),
            cost(self.disk_mb_s, 1)
        )
    }
}
