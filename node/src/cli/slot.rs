//! `rota slot`: decided slots, and a rollup's transactions in order.

use super::args::RpcArgs;
use super::output::{self, Form};
use crate::api::{Cursor, OrderedTransaction};
use crate::client::{Client, ClientError};
use crate::error::{ExitCode, OperatorError};
use rota_types::{Height, RollupId};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the node may hold a request for the next transactions.
const PAGE_WAIT: Duration = Duration::from_secs(10);
/// Longest pause between two tries at a node that is away.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Verbs of `rota slot`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum SlotCommand {
    /// Show a decided slot
    Get {
        /// Height, or `latest`
        #[arg(default_value = "latest")]
        height: String,
        /// Which nodes to ask.
        #[command(flatten)]
        rpc: RpcArgs,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
    /// Follow a rollup's ordered transactions without gap or repeat, through restarts of the node
    Tail(TailArgs),
}

/// Arguments of `rota slot tail`.
#[derive(Clone, Debug, clap::Args)]
pub struct TailArgs {
    /// The rollup
    #[arg(long, value_name = "ID")]
    pub rollup: RollupId,
    /// First height
    #[arg(long, value_name = "HEIGHT", default_value_t = Height(1))]
    pub from: Height,
    /// Index of the first transaction in the first height
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub index: u64,
    /// Last height, or `head` for the newest now; goes on for ever if left out
    #[arg(long, value_name = "HEIGHT")]
    pub until: Option<String>,
    /// Which nodes to ask.
    #[command(flatten)]
    pub rpc: RpcArgs,
    /// How to answer.
    #[command(flatten)]
    pub form: Form,
}

/// Runs a verb.
///
/// # Errors
/// As the node answers.
pub async fn run(command: SlotCommand) -> Result<(), OperatorError> {
    match command {
        SlotCommand::Get { height, rpc, form } => {
            let height = if height == "latest" { None } else { Some(parse_height(&height)?) };
            let slot = rpc.client()?.slot(height).await?;
            if form.json { output::json(&slot) } else { show(&slot) }
        }
        SlotCommand::Tail(args) => tail(args).await,
    }
}

fn parse_height(text: &str) -> Result<Height, OperatorError> {
    text.parse().map_err(|_| {
        OperatorError::new(ExitCode::Usage, format!("{text:?} is no height"))
            .hint("a number, `latest` or `head`")
    })
}

async fn tail(args: TailArgs) -> Result<(), OperatorError> {
    let client = args.rpc.client()?;
    let until = match args.until.as_deref() {
        None => None,
        Some("head") => Some(client.status().await?.executed),
        Some(text) => Some(parse_height(text)?),
    };
    let mut cursor = Cursor { height: args.from.max(Height(1)), index: args.index };
    let mut failures = 0u32;
    loop {
        if until.is_some_and(|until| cursor.height > until) {
            return Ok(());
        }
        match client.page(args.rollup, cursor, until, PAGE_WAIT).await {
            Ok(page) => {
                failures = 0;
                output::lines(
                    page.transactions
                        .iter()
                        .map(|transaction| line(transaction, args.form))
                        .collect::<Result<Vec<_>, _>>()?,
                )?;
                cursor = page.next;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                again(&client, error, failures).await?;
            }
        }
    }
}

/// Waits for a node that is away; gives back what waiting does not mend.
async fn again(client: &Client, error: ClientError, failures: u32) -> Result<(), OperatorError> {
    let Some(retry_ms) = error.retry_ms() else { return Err(error.into()) };
    if failures == 1 {
        output::note(format!("{}: {error}; trying again", client.url()));
    }
    let pause = Duration::from_millis(retry_ms).saturating_mul(failures.min(20)).min(RETRY_MAX);
    tokio::time::sleep(pause).await;
    Ok(())
}

fn line(transaction: &OrderedTransaction, form: Form) -> Result<String, OperatorError> {
    if form.json {
        return output::to_json(&json!({
            "height": transaction.height,
            "index": transaction.index,
            "id": transaction.id,
            "payload": transaction.payload,
        }));
    }
    Ok(format!(
        "{}\t{}\t{}\t{}",
        transaction.height, transaction.index, transaction.id, transaction.payload
    ))
}

fn show(slot: &Value) -> Result<(), OperatorError> {
    let field = |name: &str| match slot.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    for name in ["height", "slot", "round", "level", "proposer", "proposal", "header_id"] {
        output::line(format!("{name:<10} {}", field(name)))?;
    }
    let list = |name: &str| slot.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    output::line(format!("{:<10} {}", "sealed by", list("sealed_by").len()))?;
    for batch in list("batches") {
        let of = |name: &str| batch.get(name).map(Value::to_string).unwrap_or_default();
        let lane = of("lane");
        output::line(format!(
            "batch      lane {} seq {} txs {} bytes {}",
            lane.trim_matches('"').get(..8).unwrap_or_default(),
            of("seq"),
            of("txs"),
            of("bytes")
        ))?;
    }
    for namespace in list("namespaces") {
        let at = |index: usize| namespace.get(index).map(Value::to_string).unwrap_or_default();
        output::line(format!("rollup     {} txs {}", at(0), at(1)))?;
    }
    for skipped in list("skipped") {
        output::line(format!("skipped    {skipped}"))?;
    }
    Ok(())
}
