//! A copy of the project's sources that patches may change, and the simulator built from it.

use super::patch::Patch;
use crate::error::TestnetError;
use crate::limits::{PLANTED_RUN_MAX, SOURCE_FILES_MAX};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Crates that the simulator spends its time in, optimised as others are in a test build. A release build would take
/// longer than the seeds that it saves.
const OPTIMISED: [&str; 6] = [
    "rota-types",
    "rota-keystore",
    "rota-consensus",
    "rota-sequencer",
    "rota-node",
    "rota-testnet",
];

/// The copied sources, and the build folder beside them.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    copy: PathBuf,
    target: PathBuf,
}

/// The project's root: the nearest folder from here upwards that holds the patches.
///
/// # Errors
/// [`TestnetError::Missing`] outside the project.
pub fn project_root() -> Result<PathBuf, TestnetError> {
    let here = std::env::current_dir().map_err(TestnetError::file("."))?;
    let found = here.ancestors().find(|folder| folder.join("testnet/planted").is_dir());
    found
        .map(Path::to_path_buf)
        .ok_or_else(|| TestnetError::Missing("the project's sources; run it inside them".into()))
}

fn failed(what: &str, cause: impl std::fmt::Display) -> TestnetError {
    TestnetError::Program { what: what.to_owned(), cause: cause.to_string() }
}

/// Runs a program to its end; its output if it succeeds, else the end of what it complained of.
fn output_of(command: &mut Command, what: &str) -> Result<Vec<u8>, TestnetError> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed(what, error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = complaint.lines().collect();
    let shown = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n");
    Err(failed(what, shown))
}

impl Tree {
    /// A tree of the project at `root` under `work`. Nothing is copied yet.
    #[must_use]
    pub(super) fn new(root: &Path, work: &Path) -> Self {
        Self { root: root.to_path_buf(), copy: work.join("tree"), target: work.join("target") }
    }

    /// Files of the project: what git tracks or would track.
    fn sources(&self) -> Result<BTreeSet<PathBuf>, TestnetError> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-co", "--exclude-standard", "-z"]).current_dir(&self.root);
        let list = output_of(&mut git, "git ls-files")?;
        let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let names = names.map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned()));
        let files: BTreeSet<PathBuf> =
            names.filter(|name| self.root.join(name).is_file()).collect();
        if files.len() > SOURCE_FILES_MAX {
            return Err(TestnetError::manifest(format!("more than {SOURCE_FILES_MAX} sources")));
        }
        Ok(files)
    }

    /// Makes the copy equal to the sources. A file that is equal keeps its time, so that little is built again.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub(super) fn restore(&self) -> Result<(), TestnetError> {
        let sources = self.sources()?;
        for name in &sources {
            let (from, to) = (self.root.join(name), self.copy.join(name));
            let wanted = std::fs::read(&from).map_err(TestnetError::file(&from))?;
            if std::fs::read(&to).is_ok_and(|found| found == wanted) {
                continue;
            }
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder).map_err(TestnetError::file(folder))?;
            }
            std::fs::write(&to, wanted).map_err(TestnetError::file(&to))?;
        }
        self.remove_others(&self.copy, &sources)
    }

    /// Removes files that the sources do not have: of an earlier state, or made by a patch.
    fn remove_others(
        &self,
        folder: &Path,
        sources: &BTreeSet<PathBuf>,
    ) -> Result<(), TestnetError> {
        for entry in std::fs::read_dir(folder).map_err(TestnetError::file(folder))? {
            let path = entry.map_err(TestnetError::file(folder))?.path();
            if path.is_dir() {
                self.remove_others(&path, sources)?;
            } else if path.strip_prefix(&self.copy).is_ok_and(|name| !sources.contains(name)) {
                std::fs::remove_file(&path).map_err(TestnetError::file(&path))?;
            }
        }
        Ok(())
    }

    /// Applies a patch to the restored copy.
    ///
    /// # Errors
    /// A patch that does not apply.
    pub(super) fn apply(&self, patch: &Patch) -> Result<(), TestnetError> {
        let mut git = Command::new("git");
        // Inside another working tree git would leave files out silently.
        git.arg("apply").arg(&patch.path).current_dir(&self.copy);
        git.env("GIT_CEILING_DIRECTORIES", self.copy.parent().unwrap_or(&self.copy));
        output_of(&mut git, "git apply")?;
        let read = |root: &Path, name: &String| std::fs::read(root.join(name)).unwrap_or_default();
        match patch.files.iter().find(|name| read(&self.root, name) == read(&self.copy, name)) {
            Some(name) => Err(failed("git apply", format!("{name} is as it was"))),
            None => Ok(()),
        }
    }

    /// Builds the simulator from the copy; where it is. Only what a patch touched is built again.
    ///
    /// # Errors
    /// What does not build.
    pub(super) fn build(&self) -> Result<PathBuf, TestnetError> {
        let what = "cargo build";
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--locked", "--offline", "--bin", "rota-testnet"]);
        cargo.args(["--package", "rota-testnet", "--message-format", "json-render-diagnostics"]);
        for name in OPTIMISED {
            cargo.args(["--config", &format!("profile.dev.package.{name}.opt-level=1")]);
        }
        cargo.env("CARGO_TARGET_DIR", &self.target);
        let lines = output_of(cargo.current_dir(&self.copy), what)?;
        let messages = lines.split(|byte| *byte == b'\n');
        let mut messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let binary = messages.find_map(|m| m.get("executable")?.as_str().map(PathBuf::from));
        binary.ok_or_else(|| failed(what, "no binary was named"))
    }

    /// Plays seeds of the simulator until one breaks something; its summary.
    ///
    /// # Errors
    /// A simulator that ends without one, or does not end.
    pub(super) fn simulate(&self, binary: &Path, seeds: u64) -> Result<Value, TestnetError> {
        let what = "rota-testnet sim";
        let mut sim = Command::new(binary);
        sim.args(["sim", "--seeds", &seeds.to_string(), "--validators", "4..10"]);
        sim.args(["--until-violation", "--json"]);
        sim.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = sim.spawn().map_err(|error| failed(what, error))?;
        let started = crate::clock::now();
        while child.try_wait().map_err(|error| failed(what, error))?.is_none() {
            if started.elapsed() > PLANTED_RUN_MAX {
                child.kill().map_err(|error| failed(what, error))?;
                child.wait().map_err(|error| failed(what, error))?;
                return Err(failed(what, "it does not end"));
            }
            std::thread::sleep(crate::limits::POLL);
        }
        let output = child.wait_with_output().map_err(|error| failed(what, error))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| failed(what, format!("{}, no summary: {error}", output.status)))
    }
}
