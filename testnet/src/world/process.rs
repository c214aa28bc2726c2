//! Real `rota` processes on loopback, logs in files.

use super::layout::Layout;
use crate::error::TestnetError;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
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
    ended: Vec<String>,
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
        let (children, paused) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { layout, rota, children, paused, ended: Vec::new() })
    }

    pub(super) const fn layout(&self) -> &Layout {
        &self.layout
    }

    fn log(&self, name: &str) -> PathBuf {
        self.layout.place.folder.join("logs").join(format!("{name}.log"))
    }

    pub(super) fn start(&mut self, name: &str) -> Result<(), TestnetError> {
        if self.is_up(name) {
            return Ok(());
        }
        let missing = || TestnetError::Missing(format!("a node {name}"));
        let node = self.layout.node(name).ok_or_else(missing)?;
        let path = self.log(name);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(TestnetError::file(&path))?;
        let copy = log.try_clone().map_err(TestnetError::file(&path))?;
        let child = Command::new(&self.rota)
            .arg("start")
            .arg("--home")
            .arg(&node.home)
            .stdin(Stdio::null())
            .stdout(Stdio::from(copy))
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .map_err(TestnetError::file(&self.rota))?;
        self.children.insert(name.to_owned(), child);
        Ok(())
    }

    pub(super) async fn kill(&mut self, name: &str) -> Result<(), TestnetError> {
        self.note_end(name);
        self.paused.remove(name);
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
            self.ended.push(format!("{name} ended by itself: {status}"));
        }
    }

    pub(super) fn unexpected_ends(&mut self) -> Vec<String> {
        let names: Vec<String> = self.children.keys().cloned().collect();
        for name in names {
            self.note_end(&name);
        }
        std::mem::take(&mut self.ended)
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

/// `rota` in the folder of this executable; a test executable lies one folder deeper.
fn beside_this_binary() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let folders = own.ancestors().skip(1).take(2);
    let candidates = folders.map(|folder| folder.join("rota"));
    candidates.into_iter().find(|path| path.is_file()).unwrap_or_else(|| "rota".into())
}
