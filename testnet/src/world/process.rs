//! Real `rota` processes on loopback, logs in files.

use super::Deed;
use super::ends::Ends;
use super::layout::{Layout, NodeInfo};
use super::relay::{Front, Links, OUTSIDE, Pids, Relay, Shape};
use crate::error::TestnetError;
use crate::limits::LOG_TAIL_BYTES;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a node may take to end when asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// The processes of a run. Dropping it kills them.
pub struct Processes {
    layout: Layout,
    rota: PathBuf,
    children: BTreeMap<String, Child>,
    paused: BTreeSet<String>,
    disconnected: BTreeSet<String>,
    pub(super) ends: Ends,
    pids: Pids,
    /// In front of every node, where the manifest needs it.
    relay: Option<Relay>,
    /// `rota-testnet`, for nodes that are hurt from within.
    hurt: Option<PathBuf>,
}

impl Processes {
    /// Finds the binary; starts nothing.
    ///
    /// # Errors
    /// [`TestnetError::Missing`] without a binary `rota`.
    pub fn new(layout: Layout, rota: Option<&Path>) -> Result<Self, TestnetError> {
        let rota = match rota {
            Some(path) => path.to_path_buf(),
            None => beside_this_binary(),
        };
        if !rota.is_file() {
            return Err(TestnetError::Missing(format!(
                "{} (build it with `cargo build --release --bin rota`, or name it by --rota)",
                rota.display()
            )));
        }
        let logs = layout.place.folder.join("logs");
        std::fs::create_dir_all(&logs).map_err(TestnetError::file(&logs))?;
        let pids = Pids::default();
        let links = Links::new(layout.link, layout.seed);
        let fronts: Vec<Front> = layout.nodes.iter().filter_map(front).collect();
        let relay =
            if fronts.is_empty() { None } else { Some(Relay::start(fronts, links, &pids)?) };
        let hurt = Some(rota.with_file_name("rota-testnet")).filter(|path| path.is_file());
        Ok(Self {
            layout,
            rota,
            children: BTreeMap::new(),
            paused: BTreeSet::new(),
            disconnected: BTreeSet::new(),
            ends: Ends::default(),
            pids,
            relay,
            hurt,
        })
    }

    pub(super) const fn layout(&self) -> &Layout {
        &self.layout
    }

    fn log(&self, name: &str) -> PathBuf {
        self.layout.place.folder.join("logs").join(format!("{name}.log"))
    }

    pub(super) fn start(&mut self, name: &str, more: &[&str]) -> Result<(), TestnetError> {
        if self.is_up(name) {
            return Ok(());
        }
        let node = self.node(name)?;
        let path = self.log(name);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(TestnetError::file(&path))?;
        let copy = log.try_clone().map_err(TestnetError::file(&path))?;
        let child = self
            .command(node)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::from(copy))
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .map_err(TestnetError::file(&self.rota))?;
        self.pids.set(name, child.id());
        self.children.insert(name.to_owned(), child);
        Ok(())
    }

    fn node(&self, name: &str) -> Result<&NodeInfo, TestnetError> {
        self.layout.node(name).ok_or_else(|| TestnetError::Missing(format!("a node {name}")))
    }

    /// `rota start`, or the same node over a disk, clock and road that can be turned.
    fn command(&self, node: &NodeInfo) -> Command {
        match (&node.dials, &self.hurt) {
            (Some(dials), Some(program)) => {
                let mut command = Command::new(program);
                command.arg("node").arg("--home").arg(&node.home).arg("--dials").arg(dials);
                command.arg("--seed").arg(self.layout.seed.to_string());
                command.args(node.crimes.iter().flat_map(|crime| ["--crime", crime]));
                command
            }
            _ => {
                let mut command = Command::new(&self.rota);
                command.arg("start").arg("--home").arg(&node.home);
                command
            }
        }
    }

    pub(super) const fn hurts_from_within(&self) -> Option<&'static str> {
        match self.hurt {
            Some(_) => None,
            None => Some("no rota-testnet beside rota, to run nodes that are hurt from within"),
        }
    }

    pub(super) async fn can_rejoin(&self) -> Result<Deed, TestnetError> {
        let help = Command::new(&self.rota).args(["start", "--help"]).output().await;
        let help = help.map_err(TestnetError::file(&self.rota))?;
        let known = String::from_utf8_lossy(&help.stdout).contains("--rejoin");
        Ok(if known { Deed::Done } else { Deed::NotHere("this rota has no start --rejoin") })
    }

    pub(super) async fn rota(&self, name: &str, arguments: &[&str]) -> Result<(), TestnetError> {
        let home = &self.node(name)?.home;
        let output = Command::new(&self.rota).args(arguments).arg("--home").arg(home).output();
        let output = output.await.map_err(TestnetError::file(&self.rota))?;
        if output.status.success() {
            return Ok(());
        }
        let cause = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(TestnetError::Program { what: format!("rota {}", arguments.join(" ")), cause })
    }

    /// Every other name that may dial or be dialed.
    fn others<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let nodes = self.layout.nodes.iter().map(|node| node.name.as_str());
        nodes.filter(move |other| *other != name).chain([OUTSIDE])
    }

    pub(super) fn disconnect(&mut self, name: &str) -> Deed {
        let Some(relay) = &self.relay else { return NO_RELAY };
        for other in self.others(name) {
            relay.links().cut(name, other);
            relay.links().cut(other, name);
        }
        self.disconnected.insert(name.to_owned());
        Deed::Done
    }

    pub(super) fn connect(&mut self, name: &str) {
        let Some(relay) = &self.relay else { return };
        if self.disconnected.remove(name) {
            for other in self.others(name) {
                relay.links().mend(name, other);
                relay.links().mend(other, name);
            }
        }
    }

    pub(super) fn part(&mut self, from: &[String], to: &[String], one_way: bool) -> Deed {
        let Some(relay) = &self.relay else { return NO_RELAY };
        for (a, b) in pairs(from, to) {
            relay.links().cut(a, b);
            if !one_way {
                relay.links().cut(b, a);
            }
        }
        Deed::Done
    }

    pub(super) fn join(&mut self, from: &[String], to: &[String], one_way: bool) {
        let Some(relay) = &self.relay else { return };
        for (a, b) in pairs(from, to) {
            relay.links().mend(a, b);
            if !one_way {
                relay.links().mend(b, a);
            }
        }
    }

    pub(super) fn shape(&mut self, name: &str, shape: Option<Shape>) -> Deed {
        let Some(relay) = &self.relay else { return NO_RELAY };
        for other in self.others(name) {
            relay.links().shape(name, other, shape);
            relay.links().shape(other, name, shape);
        }
        Deed::Done
    }

    pub(super) fn heal_links(&mut self) {
        self.disconnected.clear();
        if let Some(relay) = &self.relay {
            relay.links().heal();
        }
    }

    pub(super) fn said(&self, name: &str, words: &str) -> bool {
        let Ok(log) = std::fs::File::open(self.log(name)) else { return false };
        std::io::BufReader::new(log).lines().map_while(Result::ok).any(|line| line.contains(words))
    }

    pub(super) fn last_words(&self, name: &str) -> String {
        let bytes = std::fs::read(self.log(name)).unwrap_or_default();
        let tail = usize::try_from(LOG_TAIL_BYTES).unwrap_or(usize::MAX);
        let from = bytes.len().saturating_sub(tail);
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
    }

    pub(super) async fn kill(&mut self, name: &str) -> Result<(), TestnetError> {
        self.note_end(name);
        self.ends.forget(name);
        self.paused.remove(name);
        self.pids.set(name, None);
        match self.children.remove(name) {
            None => Ok(()),
            Some(mut child) => child.kill().await.map_err(TestnetError::file(&self.rota)),
        }
    }

    pub(super) async fn stop(&mut self, name: &str) -> Result<(), TestnetError> {
        self.note_end(name);
        self.resume(name)?;
        self.signal(name, Signal::TERM)?;
        if let Some(child) = self.children.get_mut(name)
            && tokio::time::timeout(STOP_TIMEOUT, child.wait()).await.is_ok()
        {
            self.children.remove(name);
        }
        self.kill(name).await
    }

    pub(super) fn pause(&mut self, name: &str) -> Result<(), TestnetError> {
        self.paused.insert(name.to_owned());
        self.signal(name, Signal::STOP)
    }

    pub(super) fn resume(&mut self, name: &str) -> Result<(), TestnetError> {
        if self.paused.remove(name) { self.signal(name, Signal::CONT) } else { Ok(()) }
    }

    fn signal(&self, name: &str, signal: Signal) -> Result<(), TestnetError> {
        let Some(pid) = self.pid(name) else { return Ok(()) };
        kill_process(pid, signal).map_err(|error| TestnetError::Program {
            what: format!("signal to {name}"),
            cause: error.to_string(),
        })
    }

    fn pid(&self, name: &str) -> Option<Pid> {
        let id = self.children.get(name)?.id()?;
        Pid::from_raw(i32::try_from(id).ok()?)
    }

    pub(super) fn is_up(&self, name: &str) -> bool {
        self.children.contains_key(name)
    }

    /// Notes a child that is gone though nobody asked.
    fn note_end(&mut self, name: &str) {
        let Some(child) = self.children.get_mut(name) else { return };
        if let Ok(Some(status)) = child.try_wait() {
            self.children.remove(name);
            self.pids.set(name, None);
            self.ends.note(name, status.code(), &status.to_string());
        }
    }

    pub(super) fn look_for_ends(&mut self) {
        let names: Vec<String> = self.children.keys().cloned().collect();
        for name in names {
            self.note_end(&name);
        }
    }

    pub(super) fn unexpected_ends(&mut self) -> Vec<String> {
        self.look_for_ends();
        self.ends.take()
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.children.values().filter_map(Child::id).collect()
    }

    pub(super) fn where_to_look(&self) -> Vec<String> {
        let folder = self.layout.place.folder.display();
        let mut lines = vec![format!("ls {folder}        # homes, genesis.json, logs/")];
        for node in &self.layout.nodes {
            lines.push(format!("tail -n 40 {}", self.log(&node.name).display()));
        }
        let status = self.layout.nodes.first().map(|node| node.url.clone()).unwrap_or_default();
        lines.push(format!("curl {status}/v1/status"));
        lines
    }

    pub(super) async fn down(&mut self) -> Result<(), TestnetError> {
        let names: Vec<String> = self.children.keys().cloned().collect();
        for name in &names {
            self.resume(name)?;
            self.signal(name, Signal::TERM)?;
        }
        for name in &names {
            self.stop(name).await?;
        }
        Ok(())
    }
}

const NO_RELAY: Deed = Deed::NotHere("no relay between these processes");

/// The relay's part in front of a node that has one.
fn front(node: &NodeInfo) -> Option<Front> {
    let (name, target) = (node.name.clone(), node.listen);
    node.front.map(|listen| Front { name, listen, target })
}

fn pairs<'a>(
    from: &'a [String],
    to: &'a [String],
) -> impl Iterator<Item = (&'a String, &'a String)> {
    from.iter().flat_map(move |a| to.iter().map(move |b| (a, b)))
}

/// `rota` in the folder of this executable; a test executable lies one folder deeper.
fn beside_this_binary() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let folders = own.ancestors().skip(1).take(2);
    let candidates = folders.map(|folder| folder.join("rota"));
    candidates.into_iter().find(|path| path.is_file()).unwrap_or_else(|| "rota".into())
}
