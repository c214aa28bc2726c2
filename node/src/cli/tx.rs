//! `rota tx`: sends transactions, says where they are.

use super::args::{RpcArgs, read_bytes};
use super::output::{self, Form};
use crate::api::{Level, TransactionStatus};
use crate::client::batch::{Batch, Progress, submit_in_order, wait_for};
use crate::client::level_name;
use crate::error::{ExitCode, OperatorError};
use rota_types::{Hash, RollupId, Slot, Transaction, keccak256};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// Most bytes of a file of transactions: half a gigabyte of hex.
const FILE_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Slots left off the newest `valid_until_slot`, so that a node with a slower clock admits it too.
const VALIDITY_MARGIN_SLOTS: u64 = 1;

/// Verbs of `rota tx`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum TxCommand {
    /// Send transactions and wait for a finality level
    Submit(SubmitArgs),
    /// Say where a transaction is
    Get {
        /// Id of the transaction
        id: Hash,
        /// Which nodes to ask.
        #[command(flatten)]
        rpc: RpcArgs,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
    /// Tell each finality level of a transaction as it is reached
    Follow {
        /// Id of the transaction
        id: Hash,
        /// Which nodes to ask.
        #[command(flatten)]
        rpc: RpcArgs,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
}

/// Arguments of `rota tx submit`.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["file", "payload"]))]
pub struct SubmitArgs {
    /// File of raw transactions, one in hex a line (.hexl)
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// One raw transaction in hex
    #[arg(long, value_name = "HEX")]
    pub payload: Option<String>,
    /// Rollup that the transactions belong to: its EIP-155 chain id
    #[arg(long, value_name = "ID")]
    pub rollup: RollupId,
    /// Last slot in which they may be ordered; the latest that the node admits if left out
    #[arg(long, value_name = "SLOT")]
    pub valid_until: Option<Slot>,
    /// Level to wait for: received, certified, ordered or sealed
    #[arg(long, value_name = "LEVEL", default_value = "received", value_parser = parse_level)]
    pub wait: Level,
    /// Longest wait for all of them, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u64,
    /// Which nodes to ask.
    #[command(flatten)]
    pub rpc: RpcArgs,
    /// How to answer.
    #[command(flatten)]
    pub form: Form,
}

/// Reads the name of a level.
///
/// # Errors
/// A sentence for people.
pub fn parse_level(text: &str) -> Result<Level, String> {
    serde_json::from_value(json!(text))
        .map_err(|_| format!("{text:?} is none of received, certified, ordered, sealed"))
}

/// Runs a verb.
///
/// # Errors
/// As the node answers.
pub async fn run(command: TxCommand) -> Result<(), OperatorError> {
    match command {
        TxCommand::Submit(args) => submit(args).await,
        TxCommand::Get { id, rpc, form } => {
            let status = rpc.client()?.transaction(id).await?;
            show(&status, form)
        }
        TxCommand::Follow { id, rpc, form } => follow(id, &rpc, form).await,
    }
}

fn payloads(args: &SubmitArgs) -> Result<Vec<Vec<u8>>, OperatorError> {
    let text = match (&args.file, &args.payload) {
        (Some(path), _) => String::from_utf8(read_bytes(path, FILE_BYTES_MAX)?).map_err(|_| {
            let message = format!("{} is not text", path.display());
            OperatorError::new(ExitCode::DataRefused, message)
                .hint("one raw transaction in hex a line")
        })?,
        (None, Some(payload)) => payload.clone(),
        (None, None) => String::new(),
    };
    let mut payloads = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let payload = hex::decode(line.strip_prefix("0x").unwrap_or(line)).map_err(|error| {
            let message = format!("line {} is not hex", number.saturating_add(1));
            OperatorError::new(ExitCode::DataRefused, message)
                .cause(error)
                .hint("one raw transaction in hex a line")
        })?;
        payloads.push(payload);
    }
    if payloads.is_empty() {
        return Err(OperatorError::new(ExitCode::DataRefused, "there is no transaction to send"));
    }
    Ok(payloads)
}

async fn submit(args: SubmitArgs) -> Result<(), OperatorError> {
    let payloads = payloads(&args)?;
    let client = args.rpc.client()?;
    let deadline = tokio::time::Instant::now()
        .checked_add(Duration::from_secs(args.timeout))
        .ok_or_else(|| OperatorError::new(ExitCode::Usage, "--timeout is too long"))?;
    let valid_until_slot = match args.valid_until {
        Some(slot) => slot,
        None => client.limits().await?.valid_until_max.minus(VALIDITY_MARGIN_SLOTS),
    };
    let transactions: Vec<Transaction> = payloads
        .into_iter()
        .map(|payload| Transaction { rollup: args.rollup, valid_until_slot, payload })
        .collect();
    let batch = Batch::new(&transactions)?;
    submit_in_order(&client, &batch, deadline).await?;
    let progress = wait_for(&client, &batch, args.wait, deadline).await?;
    let statuses: Vec<_> = progress
        .into_iter()
        .zip(batch.ids().iter().zip(&transactions))
        .map(|(progress, (id, transaction))| complete(progress, *id, transaction))
        .collect();
    for status in &statuses {
        show(status, args.form)?;
    }
    outcome(&statuses, args.wait)
}

/// The node may have forgotten the bytes; we have them.
fn complete(progress: Progress, id: Hash, transaction: &Transaction) -> TransactionStatus {
    let mut status = progress.unwrap_or(TransactionStatus {
        id,
        payload_hash: None,
        rollup: None,
        level: Level::Published,
        times: crate::api::LevelTimes::default(),
        lane: None,
        incarnation: None,
        seq: None,
        index: None,
        height: None,
        slot: None,
        namespace_index: None,
        skipped: None,
    });
    status.payload_hash = Some(keccak256(&transaction.payload));
    status.rollup = Some(transaction.rollup);
    status
}

fn outcome(statuses: &[TransactionStatus], wait: Level) -> Result<(), OperatorError> {
    if let Some(status) = statuses.iter().find(|status| status.skipped.is_some()) {
        let reason = status.skipped.as_ref().map(|view| format!("{}: {}", view.name, view.message));
        let message = format!("transaction {} was skipped at its place", status.id);
        return Err(OperatorError::new(ExitCode::DataRefused, message)
            .cause(reason.unwrap_or_default())
            .hint("docs/rollups.md, \"Errors\""));
    }
    let late = statuses.iter().filter(|status| status.level < wait).count();
    if late > 0 {
        let message =
            format!("{late} of {} transactions are not {} yet", statuses.len(), level_name(wait));
        return Err(OperatorError::new(ExitCode::TryAgain, message)
            .hint("rota tx follow ID; sending again is safe with the --valid-until of the first time, else it is another transaction"));
    }
    Ok(())
}

async fn follow(id: Hash, rpc: &RpcArgs, form: Form) -> Result<(), OperatorError> {
    let client = rpc.client()?;
    let mut last = None;
    loop {
        match client.transaction(id).await {
            Ok(status) => {
                let now = (status.level, status.skipped.is_some());
                if last != Some(now) {
                    show(&status, form)?;
                    last = Some(now);
                }
                if status.level == Level::Sealed {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => match error.retry_ms() {
                Some(retry_ms) if last.is_some() => {
                    tokio::time::sleep(Duration::from_millis(retry_ms)).await;
                }
                _ => return Err(error.into()),
            },
        }
    }
}

fn show(status: &TransactionStatus, form: Form) -> Result<(), OperatorError> {
    if form.json {
        return output::json(status);
    }
    let number = |name: &str, number: Option<u64>| {
        number.map_or_else(String::new, |number| format!("  {name} {number}"))
    };
    let skipped =
        status.skipped.as_ref().map_or_else(String::new, |view| format!("  skipped {}", view.name));
    output::line(format!(
        "{}  {:<9}{}{}{}{}{skipped}",
        status.id,
        level_name(status.level),
        number("height", status.height.map(|height| height.0)),
        number("index", status.namespace_index),
        number("batch", status.seq.map(|seq| seq.0)),
        status.lane.map_or_else(String::new, |lane| {
            format!("  lane {}", lane.to_string().get(..8).unwrap_or_default())
        }),
    ))
}
