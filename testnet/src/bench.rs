//! A load against nodes of its own or of others, measured over a window after a warm-up.

use crate::client::Client;
use crate::clock::{self, Timeline};
use crate::error::TestnetError;
use crate::invariants::{Trace, receipts};
use crate::limits::{HEAL_TIME_MIN, POLL, START_TIMEOUT};
use crate::load::summary::{Costs, Setting, Summary, Window};
use crate::load::{Door, Generator, Plan, collect, engine, gossip::Gossip, saturation};
use crate::machine;
use crate::manifest::{Manifest, Rate, Via};
use crate::world::{Layout, NodeInfo, Place, World, WorldKind};
use std::path::PathBuf;
use std::time::Duration;

/// What to offer, for how long.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Payload bytes per second.
    pub offered: Rate,
    /// Payload bytes of a transaction.
    pub tx_bytes: usize,
    /// Most rollups to share it.
    pub rollups: usize,
    /// Doors.
    pub via: Vec<Via>,
    /// Before the window.
    pub warm_up: Duration,
    /// The window.
    pub window: Duration,
    /// Seed.
    pub seed: u64,
}

/// Loads the nodes at `urls`, whose processes are `pids` if they are on this machine.
///
/// # Errors
/// If a node does not answer.
pub async fn load(
    urls: &[String],
    pids: &[u32],
    shape: &Shape,
    world: &str,
) -> Result<Summary, TestnetError> {
    let doors = urls
        .iter()
        .enumerate()
        .map(|(i, url)| Ok(Door { name: format!("{i}: {url}"), client: Client::new(url)? }))
        .collect::<Result<Vec<_>, TestnetError>>()?;
    let first = doors.first().ok_or_else(|| TestnetError::Missing("an --rpc URL".into()))?.clone();
    let status = first.client.status().await?;
    let plan = plan(&doors, &first.client, shape).await?;
    let rollups = plan.rollups.clone();
    let timeline = Timeline::begin();
    let load = engine::start(plan);
    let begun = load.begun_us;
    let from_us = begun.saturating_add(micros(shape.warm_up));
    let window = Window { from_us, to_us: from_us.saturating_add(micros(shape.window)) };
    tokio::time::sleep_until(timeline.instant(window.from_us).into()).await;
    let before = machine::costs(pids);
    tokio::time::sleep_until(timeline.instant(window.to_us).into()).await;
    let costs = Costs { before, after: machine::costs(pids) };
    let offered = load.finish().await?;
    tracing::info!(submissions = offered.sent.len(), "sent; asking for every receipt");

    let mut trace = Trace::default();
    let genesis_ms = clock::unix_ms().saturating_sub(status.slot.saturating_mul(status.slot_ms));
    trace.slot_times = Some((exact_genesis(&first.client, genesis_ms).await, status.slot_ms));
    trace.receipts = collect::receipts(&offered).map(|(_, receipt)| receipt.clone()).collect();
    let patience = HEAL_TIME_MIN.max(Duration::from_millis(status.slot_ms.saturating_mul(20)));
    let mut known = std::collections::BTreeMap::new();
    collect::decided(&first.client, &mut known, &trace.receipts, patience).await;
    settle_seals(&first.client, &mut known, status.slot_ms).await?;
    let until = known.last_key_value().map_or(0, |(height, _)| *height);
    trace.slots.insert(first.name.clone(), known);
    collect::streams(&mut trace, &first, &rollups, until, &offered.plan.generator).await?;
    for door in doors.iter().skip(1) {
        let mut known = std::collections::BTreeMap::new();
        collect::slots(&door.client, &mut known).await?;
        trace.slots.insert(door.name.clone(), known);
    }
    collect::sample(&mut trace, &offered, &doors).await?;
    let (outcome, findings) = receipts::check(&trace);
    for finding in findings {
        tracing::warn!("{}: {}", finding.invariant, finding.what);
    }
    let setting = Setting {
        version: status.version,
        seed: shape.seed,
        nodes: urls.len(),
        slot_ms: status.slot_ms,
        ..Setting::here(world)
    };
    Ok(Summary::of(setting, &offered, &trace, &outcome, window, &costs))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Start of slot 0 from a header (`time` is its slot's end), or the guess.
async fn exact_genesis(client: &Client, guess: u64) -> u64 {
    client.genesis_ms().await.unwrap_or(guess)
}

/// Gives the last slots the time to be sealed.
async fn settle_seals(
    client: &Client,
    known: &mut std::collections::BTreeMap<u64, crate::client::SlotView>,
    slot_ms: u64,
) -> Result<(), TestnetError> {
    let begun = clock::now();
    let patience = Duration::from_millis(slot_ms.saturating_mul(3)).max(Duration::from_secs(5));
    loop {
        collect::seals(client, known).await?;
        let open = known.values().any(|slot| slot.times.sealed.is_none());
        if !open || clock::now().duration_since(begun) > patience {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn plan(doors: &[Door], first: &Client, shape: &Shape) -> Result<Plan, TestnetError> {
    let (status, limits) = (first.status().await?, first.limits().await?);
    let mut rollups = first.rollups().await?;
    rollups.truncate(shape.rollups.max(1));
    if rollups.is_empty() {
        return Err(TestnetError::Missing("a registered rollup".into()));
    }
    let gossip = if shape.via.contains(&Via::Gossip) {
        let chain = status.chain_id;
        Some(Gossip::join(chain, status.genesis.0, shape.seed, &status.listen).await?)
    } else {
        None
    };
    Ok(Plan {
        doors: doors.to_vec(),
        gossip,
        via: shape.via.clone(),
        rollups,
        offered: shape.offered,
        generator: Generator::new(shape.seed, clock::unix_ms(), shape.tx_bytes),
        duration: shape.warm_up.saturating_add(shape.window),
        chain_id: status.chain_id,
        slot_ms: status.slot_ms,
        valid_until: limits.valid_until_max,
    })
}

/// Doubles the offer from `shape.offered` until the network is saturated; gives the whole curve.
///
/// # Errors
/// As [`load`].
pub async fn saturate(
    urls: &[String],
    pids: &[u32],
    shape: &Shape,
    world: &str,
) -> Result<Vec<Summary>, TestnetError> {
    let mut shape = shape.clone();
    let mut curve = Vec::new();
    // Two offers past saturation show whether committed throughput falls there.
    let mut beyond = 0u32;
    while beyond < 2 && curve.len() < 12 {
        let summary = load(urls, pids, &shape, world).await?;
        tracing::info!("\n{summary}");
        if saturation::is_saturated(&summary) {
            beyond = beyond.saturating_add(1);
        }
        curve.push(summary);
        shape.offered.bytes_per_second = shape.offered.bytes_per_second.saturating_mul(2);
        shape.seed = shape.seed.saturating_add(1);
    }
    Ok(curve)
}

/// Nodes of its own for a load.
pub struct Own {
    world: World,
    /// Their doors.
    pub urls: Vec<String>,
}

impl Own {
    /// Starts `validators` processes with slots of `slot_ms`.
    ///
    /// # Errors
    /// If they do not come up.
    pub async fn start(
        validators: usize,
        slot_ms: u64,
        shape: &Shape,
        rota: Option<PathBuf>,
        folder: Option<PathBuf>,
    ) -> Result<Self, TestnetError> {
        let text = format!(
            "seed = {}\ngenesis = {{ slot = \"{slot_ms}ms\", validators = {validators} }}\n\
             load = {{ rollups = {}, tx_bytes = {} }}\n",
            shape.seed, shape.rollups, shape.tx_bytes
        );
        let manifest = Manifest::parse(&text)?;
        let place = Place::new(folder.as_deref(), shape.seed);
        let layout = Layout::make(&manifest, WorldKind::Process, place)?;
        let urls: Vec<String> = layout.nodes.iter().map(|node| node.url.clone()).collect();
        let names = layout.names();
        let mut world = World::new(WorldKind::Process, layout, rota.as_deref()).await?;
        for name in &names {
            world.start(name).await?;
        }
        let begun = clock::now();
        for url in &urls {
            let client = Client::new(url)?;
            while !matches!(client.status().await, Ok(status) if status.executed >= 1) {
                if clock::now().duration_since(begun) > START_TIMEOUT {
                    let look = world.where_to_look().join("\n");
                    let what = format!("{url} at its first height\n{look}");
                    return Err(TestnetError::Late { what, seconds: START_TIMEOUT.as_secs() });
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(Self { world, urls })
    }

    /// Nodes with their processes.
    #[must_use]
    pub fn nodes(&self) -> Vec<(NodeInfo, u32)> {
        self.world.layout().nodes.iter().cloned().zip(self.pids()).collect()
    }

    /// Their processes.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.world.pids()
    }

    /// Ends them and removes their files.
    ///
    /// # Errors
    /// If something cannot be ended or removed.
    pub async fn end(mut self) -> Result<(), TestnetError> {
        self.world.down().await?;
        let folder = &self.world.layout().place.folder;
        std::fs::remove_dir_all(folder).map_err(TestnetError::file(folder))
    }
}
