//! Which node opened a connection: the process whose descriptor is the other end of it, by `/proc`.

use super::shape::OUTSIDE;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Processes of nodes, kept up to date by who starts and ends them. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pids(Arc<Mutex<BTreeMap<String, u32>>>);

impl Pids {
    /// A node runs as this process now, or does not run.
    pub fn set(&self, name: &str, pid: Option<u32>) {
        let mut pids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match pid {
            Some(pid) => pids.insert(name.to_owned(), pid),
            None => pids.remove(name),
        };
    }

    fn all(&self) -> Vec<(String, u32)> {
        let pids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pids.iter().map(|(name, pid)| (name.clone(), *pid)).collect()
    }
}

/// The node that connects from this address, or [`OUTSIDE`].
pub(super) async fn name_of(from: SocketAddr, pids: Pids) -> String {
    let found = tokio::task::spawn_blocking(move || {
        let wanted = PathBuf::from(format!("socket:[{}]", inode(from)?));
        pids.all().into_iter().find(|(_, pid)| holds(*pid, &wanted)).map(|(name, _)| name)
    });
    found.await.ok().flatten().unwrap_or_else(|| OUTSIDE.to_owned())
}

/// Inode of the socket bound to this address on this machine.
fn inode(address: SocketAddr) -> Option<u64> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    // The kernel prints the address as it lies in memory.
    let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let local = words.next()?;
        (local == wanted).then(|| words.nth(7)?.parse().ok()).flatten()
    })
}

fn holds(pid: u32, socket: &PathBuf) -> bool {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    entries
        .filter_map(Result::ok)
        .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|link| link == *socket))
}
