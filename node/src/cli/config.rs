//! `rota config`: the defaults with their docs, a check, and what is in force and why.

use super::args::{ConfigFlags, HomeArgs};
use super::output::{self, Form};
use crate::config::Config;
use crate::error::OperatorError;
use crate::provision::open::load_config;
use crate::shell;
use serde_json::json;

/// Verbs of `rota config`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Print a whole config.toml with every key documented
    Default,
    /// Check the home's config.toml and the environment
    Check {
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
    },
    /// Print what differs from the defaults
    Show {
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// Print every value, with where it came from
        #[arg(long)]
        effective: bool,
        /// How to answer.
        #[command(flatten)]
        form: Form,
        /// Configuration by flag.
        #[command(flatten)]
        flags: ConfigFlags,
    },
}

/// Runs a verb.
///
/// # Errors
/// Config, naming the key.
pub fn run(command: ConfigCommand) -> Result<(), OperatorError> {
    match command {
        ConfigCommand::Default => output::text(&Config::default().to_toml()),
        ConfigCommand::Check { home } => {
            let home = home.resolve()?;
            shell::check_addresses(&load_config(&home, Vec::new(), 1)?.config)?;
            output::note(format!("{} is in order", home.config_file().display()));
            Ok(())
        }
        ConfigCommand::Show { home, effective, form, flags } => {
            let loaded = load_config(&home.resolve()?, flags.given, 1)?;
            let defaults = Config::default().entries();
            for ((entry, source), default) in loaded.entries().into_iter().zip(defaults) {
                if !effective && entry.value == default.value {
                    continue;
                }
                if form.json {
                    let (key, value) = (&entry.key, &entry.value);
                    let source = source.to_string();
                    output::json(&json!({ "key": key, "value": value, "source": source }))?;
                } else {
                    output::line(format!("{} = {}  # {source}", entry.key, entry.value))?;
                }
            }
            Ok(())
        }
    }
}
