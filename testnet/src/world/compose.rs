//! Containers by docker-compose: the shipped image, fixed addresses, homes as bind-mounted volumes.

use super::layout::Layout;
use crate::error::TestnetError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// What a container is in, as far as we put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Paused,
}

/// The containers of a run.
pub struct Compose {
    layout: Layout,
    /// `docker-compose`, or `docker compose` where only the plug-in is installed.
    command: Vec<String>,
    states: BTreeMap<String, State>,
    disconnected: BTreeSet<String>,
    ended: Vec<String>,
}

/// Runs a program and gives its output.
async fn run(program: &[&str]) -> Result<String, TestnetError> {
    let what = program.join(" ");
    let (name, arguments) = program.split_first().unwrap_or((&"", &[]));
    let output =
        Command::new(name).args(arguments).stdin(Stdio::null()).output().await.map_err(
            |error| TestnetError::Program { what: what.clone(), cause: error.to_string() },
        )?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let cause = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(TestnetError::Program { what, cause })
}

impl Compose {
    /// Looks for daemon, compose and image; starts nothing.
    ///
    /// # Errors
    /// [`TestnetError::Missing`] naming the first that is not there.
    pub async fn new(layout: Layout) -> Result<Self, TestnetError> {
        let missing = |what: &str| TestnetError::Missing(what.to_owned());
        run(&["docker", "info"]).await.map_err(|_| missing("a docker daemon"))?;
        let command = if run(&["docker-compose", "version"]).await.is_ok() {
            vec!["docker-compose".to_owned()]
        } else if run(&["docker", "compose", "version"]).await.is_ok() {
            vec!["docker".to_owned(), "compose".to_owned()]
        } else {
            return Err(missing("docker-compose"));
        };
        run(&["docker", "image", "inspect", "rota:local"])
            .await
            .map_err(|_| missing("the image rota:local (make it with .ci/image)"))?;
        Ok(Self {
            layout,
            command,
            states: BTreeMap::new(),
            disconnected: BTreeSet::new(),
            ended: Vec::new(),
        })
    }

    pub(super) const fn layout(&self) -> &Layout {
        &self.layout
    }

    fn file(&self) -> PathBuf {
        self.layout.place.folder.join("docker-compose.yml")
    }

    fn container(&self, name: &str) -> String {
        format!("{}-{name}", self.layout.place.name)
    }

    fn network(&self) -> String {
        format!("{}_rota", self.layout.place.name)
    }

    async fn compose(&self, arguments: &[&str]) -> Result<String, TestnetError> {
        let file = self.file().display().to_string();
        let mut all: Vec<&str> = self.command.iter().map(String::as_str).collect();
        all.extend(["-p", &self.layout.place.name, "-f", &file]);
        all.extend(arguments);
        run(&all).await
    }

    pub(super) async fn start(&mut self, name: &str) -> Result<(), TestnetError> {
        if self.is_up(name) {
            return Ok(());
        }
        self.compose(&["up", "-d", "--no-deps", name]).await?;
        self.states.insert(name.to_owned(), State::Up);
        Ok(())
    }

    pub(super) async fn kill(&mut self, name: &str) -> Result<(), TestnetError> {
        self.note_end(name).await;
        match self.states.remove(name) {
            None => Ok(()),
            Some(_) => run(&["docker", "kill", &self.container(name)]).await.map(|_| ()),
        }
    }

    pub(super) async fn stop(&mut self, name: &str) -> Result<(), TestnetError> {
        self.resume(name).await?;
        match self.states.remove(name) {
            None => Ok(()),
            Some(_) => run(&["docker", "stop", &self.container(name)]).await.map(|_| ()),
        }
    }

    pub(super) async fn pause(&mut self, name: &str) -> Result<(), TestnetError> {
        if self.states.get(name) == Some(&State::Up) {
            run(&["docker", "pause", &self.container(name)]).await?;
            self.states.insert(name.to_owned(), State::Paused);
        }
        Ok(())
    }

    pub(super) async fn resume(&mut self, name: &str) -> Result<(), TestnetError> {
        if self.states.get(name) == Some(&State::Paused) {
            run(&["docker", "unpause", &self.container(name)]).await?;
            self.states.insert(name.to_owned(), State::Up);
        }
        Ok(())
    }

    pub(super) async fn disconnect(&mut self, name: &str) -> Result<(), TestnetError> {
        let (network, container) = (self.network(), self.container(name));
        run(&["docker", "network", "disconnect", &network, &container]).await?;
        self.disconnected.insert(name.to_owned());
        Ok(())
    }

    pub(super) async fn connect(&mut self, name: &str) -> Result<(), TestnetError> {
        if !self.disconnected.remove(name) {
            return Ok(());
        }
        let Some(node) = self.layout.node(name) else { return Ok(()) };
        let (network, container) = (self.network(), self.container(name));
        let address = node.address.to_string();
        run(&["docker", "network", "connect", "--ip", &address, &network, &container])
            .await
            .map(|_| ())
    }

    pub(super) fn is_up(&self, name: &str) -> bool {
        self.states.contains_key(name)
    }

    async fn note_end(&mut self, name: &str) {
        if !self.is_up(name) {
            return;
        }
        let container = self.container(name);
        let format = "{{.State.Running}} {{.State.ExitCode}}";
        let seen = run(&["docker", "inspect", "-f", format, &container]).await;
        if let Ok(text) = seen
            && let Some(code) = text.trim().strip_prefix("false ")
        {
            self.states.remove(name);
            self.ended.push(format!("{name} ended by itself: exit {code}"));
        }
    }

    pub(super) async fn unexpected_ends(&mut self) -> Vec<String> {
        let names: Vec<String> = self.states.keys().cloned().collect();
        for name in names {
            self.note_end(&name).await;
        }
        std::mem::take(&mut self.ended)
    }

    pub(super) fn where_to_look(&self) -> Vec<String> {
        let file = self.file();
        let command = format!(
            "{} -p {} -f {}",
            self.command.join(" "),
            self.layout.place.name,
            file.display()
        );
        let mut lines = vec![format!("{command} ps"), format!("{command} logs --tail 40")];
        if let Some(node) = self.layout.nodes.first() {
            lines.push(format!("curl {}/v1/status", node.url));
        }
        lines.push(format!("{command} down -v        # when you have seen enough"));
        lines
    }

    pub(super) async fn down(&mut self) -> Result<(), TestnetError> {
        let paused: Vec<String> = self.states.keys().cloned().collect();
        for name in paused {
            self.resume(&name).await?;
        }
        self.compose(&["down", "-v", "-t", "10"]).await?;
        self.states.clear();
        Ok(())
    }
}
