//! `rota db`: the ledger and the index of a stopped node.

use super::args::HomeArgs;
use super::output::{self, Form};
use crate::disk::RealDisk;
use crate::error::{ExitCode, OperatorError};
use crate::home::Home;
use crate::index::Index;
use crate::ledger::{self, Ledger};
use crate::provision::read_genesis;
use serde_json::json;

/// Verbs of `rota db`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum DbCommand {
    /// Read every record of the ledger and check it; changes nothing unless told to
    Verify {
        /// Cut the ledger at the first damage; the node fetches what is missing from its peers
        #[arg(long)]
        repair: bool,
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
    /// Remove the index; the node rebuilds it from the ledger when it starts
    Reindex {
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
    },
    /// Say how much is kept
    Stats {
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
}

/// Runs a verb.
///
/// # Errors
/// Try-again while a node runs on the home; data-refused for a damaged ledger.
pub fn run(command: DbCommand) -> Result<(), OperatorError> {
    match command {
        DbCommand::Verify { repair, home, form } => verify(&home.resolve()?, repair, form),
        DbCommand::Reindex { home } => {
            let home = home.resolve()?;
            home.check()?;
            let _lock = home.lock()?;
            Index::remove(&home.index_folder())?;
            output::note("the index is gone; rota start rebuilds it from the ledger");
            Ok(())
        }
        DbCommand::Stats { home, form } => stats(&home.resolve()?, form),
    }
}

fn verify(home: &Home, repair: bool, form: Form) -> Result<(), OperatorError> {
    home.check()?;
    let _lock = home.lock()?;
    let disk = RealDisk::shared();
    let folder = home.ledger_folder();
    if repair {
        let report = ledger::repair(disk.as_ref(), &folder)?;
        if report.cut.is_none() && report.set_aside.is_empty() {
            output::note("nothing to repair");
        }
        if let Some((segment, length)) = report.cut {
            output::note(format!("segment {segment} was cut to {length} bytes"));
        }
        for segment in report.set_aside {
            output::note(format!("segment {segment} was set aside as .seg.bad"));
        }
    }
    let report = ledger::verify(disk.as_ref(), &folder)?;
    let damage = report.damage.as_ref().map(ToString::to_string);
    if form.json {
        output::json(&json!({
            "segments": report.segments,
            "records": report.records,
            "bytes": report.bytes,
            "torn_bytes": report.torn_bytes,
            "damage": damage,
        }))?;
    } else {
        output::line(format!(
            "{} segments, {} records, {} bytes, {} bytes of a torn tail",
            report.segments, report.records, report.bytes, report.torn_bytes
        ))?;
    }
    match damage {
        None => Ok(()),
        Some(damage) => Err(OperatorError::new(ExitCode::DataRefused, "the ledger is damaged")
            .cause(damage)
            .hint(
                "rota db verify --repair cuts it there; the node fetches the rest from its peers",
            )),
    }
}

fn stats(home: &Home, form: Form) -> Result<(), OperatorError> {
    home.check()?;
    let _lock = home.lock()?;
    let genesis = read_genesis(&home.genesis_file())?;
    let mut salt = [0u8; 8];
    getrandom::fill(&mut salt).map_err(|error| {
        OperatorError::new(ExitCode::Io, "the system gave no randomness").cause(error)
    })?;
    let salt = u64::from_be_bytes(salt);
    let (opened, _) =
        Ledger::open(RealDisk::shared(), &home.ledger_folder(), genesis.hash(), salt)?;
    let stats = opened.reader().stats();
    if form.json {
        return output::json(&json!({
            "segments": stats.segments,
            "bytes": stats.bytes,
            "batches": stats.batches,
            "undecided": stats.undecided,
            "first": stats.first,
            "tip": stats.tip,
        }));
    }
    let height =
        |height: Option<rota_types::Height>| height.map_or_else(|| "-".into(), |h| h.to_string());
    output::lines([
        format!("segments   {}", stats.segments),
        format!("bytes      {}", stats.bytes),
        format!("batches    {} ({} undecided)", stats.batches, stats.undecided),
        format!("heights    {} to {}", height(stats.first), height(stats.tip)),
    ])
}
