//! `rota completions`, `rota man`, and the document of every flag that docs/cli.md is.

use super::Cli;
use super::output;
use crate::error::{ExitCode, OperatorError};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use std::path::PathBuf;

/// Verbs under their headings, as `rota help` shows them.
pub const HEADINGS: &[(&str, &[&str])] = &[
    ("Run", &["devnet", "init", "start", "testnet"]),
    ("Keys", &["key"]),
    ("Look", &["status", "show", "slot", "tx", "proof", "keystore"]),
    ("Disk", &["db"]),
    ("Help", &["config", "completions", "man", "version"]),
];

/// The command with its verbs listed under headings.
#[must_use]
pub fn command() -> Command {
    let command = Cli::command();
    let mut text = String::new();
    for (heading, verbs) in HEADINGS {
        text.push_str(&format!("\n{heading}:\n"));
        for verb in *verbs {
            let about = command
                .find_subcommand(verb)
                .and_then(Command::get_about)
                .map(ToString::to_string)
                .unwrap_or_default();
            text.push_str(&format!("  {verb:<12} {about}\n"));
        }
    }
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n{text}\nOptions:\n{{options}}{{after-help}}"
    ))
}

/// Prints a completion script.
///
/// # Errors
/// As standard output.
pub fn completions(shell: Shell) -> Result<(), OperatorError> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut command(), "rota", &mut bytes);
    output::text(&String::from_utf8_lossy(&bytes))
}

/// Prints the manual page, or writes one for every verb into a folder.
///
/// # Errors
/// Cannot-create.
pub fn man(folder: Option<PathBuf>) -> Result<(), OperatorError> {
    let failed = |error: std::io::Error| {
        OperatorError::new(ExitCode::CannotCreate, "cannot write the manual").cause(error)
    };
    match folder {
        Some(folder) => clap_mangen::generate_to(command(), folder).map_err(failed),
        None => {
            let mut bytes = Vec::new();
            clap_mangen::Man::new(command()).render(&mut bytes).map_err(failed)?;
            output::text(&String::from_utf8_lossy(&bytes))
        }
    }
}

/// The text of docs/cli.md.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# The command line\n\nMade from `--help` by `rota help-document`; a test compares it. Data goes to standard output, \
         all else to standard error;\n`--json` on every reading verb. Exit codes: docs/operators.md.\n",
    );
    let mut root = command().term_width(100);
    root.build();
    section(&mut text, &mut root, "rota");
    text
}

fn section(text: &mut String, command: &mut Command, name: &str) {
    let mut help = command.clone().term_width(100).color(clap::ColorChoice::Never);
    let rendered = help.render_help().to_string();
    let lines: Vec<&str> = rendered.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## {name}\n\n```\n{}\n```\n", lines.join("\n").trim_end()));
    for verb in command.get_subcommands_mut() {
        if verb.is_hide_set() || verb.get_name() == "help" {
            continue;
        }
        let name = format!("{name} {}", verb.get_name());
        section(text, verb, &name);
    }
}
