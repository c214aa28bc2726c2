//! What this machine is, and what processes cost on it, from `/proc`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Cost of one process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// User and system time, seconds.
    pub cpu_seconds: f64,
    /// Largest resident set so far, bytes.
    pub rss_max: u64,
    /// Bytes that reached the disk.
    pub written: u64,
}

/// Cost of process `pid`, or `None` if it is gone.
#[must_use]
pub fn cost(pid: u32) -> Option<Cost> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields after the name in parentheses: the 12th and 13th are utime and stime.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    Some(Cost {
        cpu_seconds: (user + system) / ticks,
        rss_max: number(&status, "VmHWM:").saturating_mul(1024),
        written: number(&io, "write_bytes:"),
    })
}

/// What a process holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Resident memory, bytes.
    pub resident: u64,
    /// What its open descriptors are of.
    pub descriptors: Vec<PathBuf>,
    /// Threads.
    pub threads: u64,
}

impl Process {
    /// Open descriptors of anything but files in this folder.
    #[must_use]
    pub fn descriptors_outside(&self, folder: &Path) -> usize {
        self.descriptors.iter().filter(|path| !path.starts_with(folder)).count()
    }
}

/// What process `pid` holds, or `None` if it is gone.
#[must_use]
pub fn process(pid: u32) -> Option<Process> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    Some(Process {
        resident: number(&status, "VmRSS:").saturating_mul(1024),
        descriptors: links.collect(),
        threads: number(&status, "Threads:"),
    })
}

fn number(text: &str, key: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}

/// Costs of several processes at one instant.
#[must_use]
pub fn costs(pids: &[u32]) -> BTreeMap<u32, Cost> {
    pids.iter().filter_map(|pid| cost(*pid).map(|cost| (*pid, cost))).collect()
}

/// `cpu, cores, RAM, kernel` in one line.
#[must_use]
pub fn describe() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let cpu = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split(':').nth(1))
        .map_or("unknown cpu", str::trim);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let gib = number(&read("/proc/meminfo"), "MemTotal:") / (1 << 20);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cpu}, {cores} cores, {gib} GiB RAM, Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_cost_and_a_missing_one_has_none() {
        let mine = cost(std::process::id()).unwrap();
        assert!(mine.rss_max > 0);
        assert!(cost(u32::MAX).is_none());
        let file = tempfile::NamedTempFile::new().unwrap();
        let held = process(std::process::id()).unwrap();
        let outside = held.descriptors_outside(file.path().parent().unwrap());
        assert!(outside < held.descriptors.len() && held.threads > 0);
    }
}
