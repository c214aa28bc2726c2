//! `rota devnet`: validators in one process over real loopback libp2p, with demo traffic; its keys are public.

mod network;
mod traffic;

use super::output;
use super::start::Stop;
use crate::api::{Backend, Head, Level, SlotView};
use crate::error::OperatorError;
use crate::provision::{HTTP_PORT, METRICS_PORT, P2P_PORT};
use network::Devnet;
use rota_types::{Height, RollupId, ValidatorKey};
use std::path::PathBuf;
use tokio::sync::watch;

/// Arguments of `rota devnet`.
#[derive(Clone, Debug, clap::Args)]
pub struct DevnetArgs {
    /// End after this many sealed slots, with a summary
    #[arg(long, value_name = "N")]
    pub slots: Option<u64>,
    /// Keep the homes here, and run them again if they are there; temporary ones if left out
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Register further rollups
    #[arg(long, value_name = "ID")]
    pub rollup: Vec<RollupId>,
    /// Length of a slot in milliseconds, 1000 to 60000; 2000 if left out
    #[arg(long, value_name = "MS")]
    pub slot_ms: Option<u64>,
    /// How many validators
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub validators: usize,
    /// First http port; 0 takes free ports for everything
    #[arg(long, value_name = "PORT", default_value_t = HTTP_PORT)]
    pub http: u16,
    /// First metrics port
    #[arg(long, value_name = "PORT", default_value_t = METRICS_PORT)]
    pub metrics: u16,
    /// First p2p port
    #[arg(long, value_name = "PORT", default_value_t = P2P_PORT)]
    pub p2p: u16,
    /// No demo traffic
    #[arg(long)]
    pub quiet: bool,
}

/// What was seen while it ran.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    slots: u64,
    transactions: u64,
    bytes: u64,
    first: Option<Height>,
    last: Height,
}

/// Runs the verb.
///
/// # Errors
/// Whatever keeps a node from starting, or stops it.
pub async fn run(args: DevnetArgs) -> Result<(), OperatorError> {
    let mut stop = Stop::new()?;
    let (devnet, mut running) = network::start(&args).await?;
    let mut seen = Seen::default();
    let result = tokio::select! {
        result = show(&args, &devnet, &mut seen) => result,
        () = stop.asked() => Ok(()),
        error = running.failed() => Err(error),
    };
    let result = result.and_then(|()| summary(&seen, &devnet));
    running.shutdown().await;
    result
}

async fn show(args: &DevnetArgs, devnet: &Devnet, seen: &mut Seen) -> Result<(), OperatorError> {
    let Some(first) = devnet.nodes.first() else { return Ok(()) };
    banner(devnet)?;
    let traffic = (!args.quiet).then(|| traffic::start(devnet));
    let account = traffic::register_account(devnet);
    let mut head = first.api.head();
    let mut next = head.borrow().sealed.next();
    while args.slots.is_none_or(|slots| seen.slots < slots) {
        reach(&mut head, next).await;
        let slot = match first.api.slot(Some(next)).await {
            Ok(slot) => slot,
            Err(error) => {
                tracing::warn!(%error, height = %next, "a sealed slot cannot be read");
                next = next.next();
                continue;
            }
        };
        seen.take(&slot);
        output::line(line(&slot, devnet))?;
        next = next.next();
    }
    account.abort();
    if let Some(traffic) = traffic {
        traffic.abort();
    }
    Ok(())
}

async fn reach(head: &mut watch::Receiver<Head>, height: Height) {
    if head.wait_for(|head| head.sealed >= height).await.is_err() {
        // The node has gone; `failed` says why.
        std::future::pending::<()>().await;
    }
}

impl Seen {
    fn take(&mut self, slot: &SlotView) {
        self.slots = self.slots.saturating_add(1);
        self.first = self.first.or(Some(slot.height));
        self.last = slot.height;
        if let Some(header) = &slot.header {
            self.transactions = self.transactions.saturating_add(header.tx_count);
            self.bytes = self.bytes.saturating_add(header.byte_count);
        }
    }
}

fn name_of(key: &ValidatorKey, devnet: &Devnet) -> String {
    devnet
        .genesis
        .validators
        .iter()
        .find(|validator| validator.key == *key)
        .map_or_else(|| "?".into(), |validator| validator.name.clone())
}

/// Milliseconds before or after the slot's end.
fn against_end(time: Option<rota_types::TimestampMs>, end: rota_types::TimestampMs) -> String {
    match time {
        None => "-".into(),
        Some(time) if time >= end => format!("+{} ms", time.0.saturating_sub(end.0)),
        Some(time) => format!("-{} ms", end.0.saturating_sub(time.0)),
    }
}

fn line(slot: &SlotView, devnet: &Devnet) -> String {
    let (txs, bytes, end) = slot
        .header
        .as_ref()
        .map_or((0, 0, rota_types::TimestampMs(0)), |h| (h.tx_count, h.byte_count, h.time));
    format!(
        "slot {:<6} height {:<5} {:>5} txs {:>8} bytes  {} batches  round {}  proposer {}  \
         {} by {}/{} at {} of its end",
        slot.slot,
        slot.height,
        txs,
        bytes,
        slot.batches.len(),
        slot.round,
        name_of(&slot.proposer, devnet),
        if slot.level == Level::Sealed { "sealed" } else { "ordered" },
        slot.sealed_by.len(),
        devnet.genesis.validators.len(),
        against_end(slot.times.sealed.or(slot.times.ordered), end),
    )
}

fn banner(devnet: &Devnet) -> Result<(), OperatorError> {
    let genesis = &devnet.genesis;
    output::line(format!(
        "rota devnet: {} validators, slots of {} ms, chain id {}. Its keys are public: never use them elsewhere.\n",
        genesis.validators.len(),
        genesis.slot_ms,
        genesis.chain_id
    ))?;
    for node in &devnet.nodes {
        output::line(format!(
            "{}  rpc http://{}  metrics http://{}/metrics  {}",
            node.name,
            node.http,
            node.metrics,
            node.api.sync_status().peer_id
        ))?;
    }
    output::line("\nrollups")?;
    output::lines(
        genesis.rollups.iter().map(|rollup| format!("  {:<20} {}", rollup.id, rollup.name)),
    )?;
    output::lines(traffic::account_lines(devnet)?)?;
    let Some(network::Node { http, .. }) = devnet.nodes.first() else { return Ok(()) };
    let rollup = genesis.rollups.first().map_or(RollupId(10), |rollup| rollup.id);
    output::line(format!(
        "\ngenesis  {}\n\nsubmit a transaction and wait until it is sealed:\n\n  \
         curl -s http://{http}/v1/transactions -H 'content-type: application/json' \
         -d '{{\"transactions\":[{{\"rollup\":{rollup},\"payload\":\"0x68656c6c6f\"}}],\"wait\":\"sealed\"}}'\n",
        devnet.root.join("genesis.json").display(),
    ))
}

fn summary(seen: &Seen, devnet: &Devnet) -> Result<(), OperatorError> {
    let heads: Vec<Height> =
        devnet.nodes.iter().map(|node| node.api.head().borrow().sealed).collect();
    output::line(format!(
        "\nsummary: {} slots sealed (heights {} to {}), {} transactions, {} bytes; sealed heights of the nodes: {}",
        seen.slots,
        seen.first.unwrap_or_default(),
        seen.last,
        seen.transactions,
        seen.bytes,
        heads.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    ))
}
