//! The binary `rota` as its users meet it: help, errors with exit codes, homes, and a devnet end to end.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail loudly, and name what they skip"
)]

mod bad_input;
mod devnet;
mod document;
mod errors;
mod homes;

use std::path::Path;
use std::process::{Command, Output};

/// The binary, with an environment that sets nothing of ours.
fn rota() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rota"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROTA_") {
            command.env_remove(name);
        }
    }
    command.env("COLUMNS", "100");
    command
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn run(arguments: &[&str]) -> Ran {
    rota().args(arguments).output().unwrap().into()
}

/// Runs a verb that must succeed and gives its data.
fn ok(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "rota {}: {}{}", arguments.join(" "), ran.out, ran.err);
    ran.out
}

fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&ok(arguments)).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
