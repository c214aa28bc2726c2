//! Containers by docker-compose: the shipped image, fixed addresses, homes as bind-mounted volumes.

use super::Deed;
use super::ends::Ends;
use super::layout::Layout;
use crate::error::TestnetError;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
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
    pub(super) ends: Ends,
    /// Whether nodes can be hurt from within: `rota-testnet` must run in an empty container.
    hurts: bool,
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

fn hurt_file(layout: &Layout) -> PathBuf {
    layout.place.folder.join("docker-compose.hurt.yml")
}

/// Whether a binary names no loader: only such a one runs in an empty container.
fn is_static(path: &Path) -> bool {
    // The loader's name stands right behind the program headers.
    let mut head = vec![0u8; 4096];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut head));
    read.is_ok() && !head.windows(8).any(|window| window == b"ld-linux")
}

/// Writes what nodes that are hurt from within run instead; gives whether they can.
fn write_hurt(layout: &Layout) -> Result<bool, TestnetError> {
    let own = std::env::current_exe().map_err(TestnetError::file("this executable"))?;
    let hurt: Vec<_> = layout.nodes.iter().filter(|node| node.dials.is_some()).collect();
    if hurt.is_empty() || !is_static(&own) {
        return Ok(false);
    }
    let mut text = String::from("version: \"3.7\"\nservices:\n");
    for node in hurt {
        let crimes = node.crimes.iter().map(|crime| format!(", \"--crime\", \"{crime}\""));
        text.push_str(&format!(
            "  {name}:\n    entrypoint: [\"/rota-testnet\", \"node\"]\n    \
               command: [\"--home\", \"/home\", \"--dials\", \"/dials/{name}.json\", \
               \"--seed\", \"{seed}\"{crimes}]\n    \
               volumes:\n      - {name}:/home\n      - {own}:/rota-testnet:ro\n      \
               - {dials}:/dials:ro\n",
            name = node.name,
            seed = layout.seed,
            crimes = crimes.collect::<String>(),
            own = own.display(),
            dials = layout.place.folder.join("dials").display(),
        ));
    }
    let path = hurt_file(layout);
    std::fs::write(&path, text).map_err(TestnetError::file(&path))?;
    Ok(true)
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
        let hurts = write_hurt(&layout)?;
        Ok(Self {
            layout,
            command,
            states: BTreeMap::new(),
            disconnected: BTreeSet::new(),
            ends: Ends::default(),
            hurts,
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
        let hurt = hurt_file(&self.layout).display().to_string();
        if self.hurts {
            all.extend(["-f", &hurt]);
        }
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
        self.ends.forget(name);
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

    /// What a single disconnected container can be: one side of two.
    pub(super) async fn part(
        &mut self,
        from: &[String],
        to: &[String],
        one_way: bool,
    ) -> Result<Deed, TestnetError> {
        let all = from.len().saturating_add(to.len()) == self.layout.nodes.len();
        let alone = match (from, to) {
            ([one], _) | (_, [one]) if all && !one_way => one.clone(),
            _ => return Ok(Deed::NotHere("docker cuts one container from all; --world process")),
        };
        self.disconnect(&alone).await.map(|()| Deed::Done)
    }

    pub(super) const fn hurts_from_within(&self) -> Option<&'static str> {
        if self.hurts { None } else { Some("rota-testnet is no static binary: see .ci/image") }
    }

    pub(super) async fn rota(&self, name: &str, arguments: &[&str]) -> Result<(), TestnetError> {
        let mut all = vec!["run", "--rm", "--no-deps", name];
        all.extend(arguments);
        all.extend(["--home", "/home"]);
        self.compose(&all).await.map(|_| ())
    }

    /// The last lines of a container's log, or `all`.
    pub(super) async fn logs(&self, name: &str, lines: &str) -> String {
        let container = self.container(name);
        // The daemon gives a node's stderr on stderr.
        let output = Command::new("docker").args(["logs", "--tail", lines, &container]).output();
        let output = output.await.map(|output| [output.stdout, output.stderr].concat());
        String::from_utf8_lossy(&output.unwrap_or_default()).into_owned()
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
            self.ends.note(name, code.parse().ok(), &format!("exit {code}"));
        }
    }

    pub(super) async fn look_for_ends(&mut self) {
        let names: Vec<String> = self.states.keys().cloned().collect();
        for name in names {
            self.note_end(&name).await;
        }
    }

    pub(super) async fn unexpected_ends(&mut self) -> Vec<String> {
        self.look_for_ends().await;
        self.ends.take()
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
