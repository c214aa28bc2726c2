//! The command line of `rota`: verbs, their arguments, and what they print.
//!
//! Data goes to standard output, all else to standard error; [`output`] is the one module that prints. Every error is
//! an [`OperatorError`]: what, why, what mends it, and the exit code.

pub mod args;
pub mod config;
pub mod db;
pub mod devnet;
pub mod help;
pub mod init;
pub mod key;
pub mod keystore;
pub mod log;
pub mod output;
pub mod proof;
pub mod raise;
pub mod slot;
pub mod start;
pub mod status;
pub mod tx;
pub mod wallet;

use crate::error::{ExitCode, OperatorError};
use clap::FromArgMatches as _;
use output::Form;
use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;

/// A decentralised sequencing network for keystore rollups
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "rota", version, propagate_version = false, arg_required_else_help = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Verb,
}

/// Verbs.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Verb {
    /// Run four validators in one process, ordering demo traffic
    Devnet(devnet::DevnetArgs),
    /// Make the home of a node of an existing network
    Init(init::InitArgs),
    /// Run a node
    Start(Box<start::StartArgs>),
    /// Write a test network: homes, genesis, compose file
    Testnet(init::TestnetArgs),
    /// Say how far a node is, or whether it is ready
    Status(status::StatusArgs),
    /// Keys of a home, and their guard
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Send transactions and follow them
    #[command(subcommand)]
    Tx(tx::TxCommand),
    /// Decided slots, and a rollup's transactions in order
    #[command(subcommand)]
    Slot(slot::SlotCommand),
    /// Fetch proofs, and verify them offline
    #[command(subcommand)]
    Proof(proof::ProofCommand),
    /// An account of the keystore rollup
    #[command(subcommand)]
    Keystore(keystore::KeystoreCommand),
    /// Ledger and index of a stopped node
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Configuration: defaults, check, what is in force
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Facts of a home: peer id, validator, genesis, limits
    #[command(subcommand)]
    Show(status::ShowCommand),
    /// Print the version
    Version {
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write a page for every verb into this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Print docs/cli.md
    #[command(hide = true)]
    HelpDocument,
}

/// Parses the arguments, runs the verb, prints what went wrong, and gives the exit code.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let parsed = help::command()
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let result = match parsed {
        Ok(cli) => run(cli.command),
        Err(error) => return usage(&error),
    };
    match result {
        Ok(()) => ExitCode::Ok.number(),
        Err(error) => {
            if error.exit != ExitCode::Ok {
                output::note(&error);
            }
            error.exit.number()
        }
    }
}

fn usage(error: &clap::Error) -> u8 {
    let text = error.render();
    if error.use_stderr() {
        output::note(text.to_string().trim_end());
        return ExitCode::Usage.number();
    }
    match output::text(&text.to_string()) {
        Ok(()) => ExitCode::Ok.number(),
        Err(error) => error.exit.number(),
    }
}

/// Runs an asynchronous verb on a runtime of its own.
fn block_on<F>(future: F) -> Result<(), OperatorError>
where
    F: Future<Output = Result<(), OperatorError>>,
{
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| OperatorError::new(ExitCode::Io, "no threads to run on").cause(error))?
        .block_on(future)
}

fn run(verb: Verb) -> Result<(), OperatorError> {
    match verb {
        Verb::Devnet(args) => block_on(Box::pin(devnet::run(args))),
        Verb::Init(args) => init::init(args),
        Verb::Start(args) => block_on(Box::pin(start::run(*args))),
        Verb::Testnet(args) => init::testnet(args),
        Verb::Status(args) => block_on(status::status(args)),
        Verb::Key(command) => key::run(command),
        Verb::Tx(command) => block_on(Box::pin(tx::run(command))),
        Verb::Slot(command) => block_on(Box::pin(slot::run(command))),
        Verb::Proof(command) => block_on(Box::pin(proof::run(command))),
        Verb::Keystore(command) => block_on(Box::pin(keystore::run(command))),
        Verb::Db(command) => db::run(command),
        Verb::Config(command) => config::run(command),
        Verb::Show(command) => block_on(Box::pin(status::show(command))),
        Verb::Version { form } => status::version(form),
        Verb::Completions { shell } => help::completions(shell),
        Verb::Man { out } => help::man(out),
        Verb::HelpDocument => output::text(&help::document()),
    }
}
