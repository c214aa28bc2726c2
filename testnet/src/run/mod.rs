//! One run of a manifest: setup, start, load, perturb, heal, wait, check, report, down.
//!
//! A run that fails leaves everything as it is and says where to look; one that holds takes everything away,
//! unless it is asked to keep it.

mod check;
mod edit;
mod guards;
mod kill_loop;
mod mend;
mod observe;
mod perturb;
mod report;
mod roles;

pub use guards::marks;
pub use observe::{Heads, Watcher};
pub use report::{NotRun, Recovery, Report};

use crate::client::Client;
use crate::clock;
use crate::error::TestnetError;
use crate::invariants::Trace;
use crate::limits::{HEAL_SLOTS_MAX, HEAL_TIME_MIN, POLL, START_TIMEOUT};
use crate::load::{Door, Generator, Offered, Plan, engine, gossip::Gossip};
use crate::manifest::{Manifest, Mode, Via};
use crate::world::{Layout, Place, World, WorldKind};
use perturb::Conductor;
use std::path::PathBuf;
use std::time::Duration;

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where nodes run.
    pub world: WorldKind,
    /// The binary, if not beside this one.
    pub rota: Option<PathBuf>,
    /// Parent of the run's folder, if not the system's temporary folder.
    pub folder: Option<PathBuf>,
    /// Keep nodes and files in any case.
    pub keep: bool,
}

/// Says a stage on stderr.
fn stage(name: &str, what: &str) {
    tracing::info!(stage = name, "{what}");
}

/// Runs a manifest.
///
/// # Errors
/// If the run could not be made; what it found is in the report.
pub async fn run(
    manifest: &Manifest,
    name: &str,
    options: &Options,
) -> Result<Report, TestnetError> {
    stage("setup", "keys, genesis and homes");
    let place = Place::new(options.folder.as_deref(), manifest.seed);
    let layout = Layout::make(manifest, options.world, place)?;
    let mut world = World::new(options.world, layout, options.rota.as_deref()).await?;
    let outcome = stages(manifest, &mut world).await;
    let mut report = match outcome {
        Ok(report) => report,
        Err(error) => {
            for line in world.where_to_look() {
                stage("look", &line);
            }
            return Err(error);
        }
    };
    report.manifest = name.to_owned();
    report.world = options.world.name();
    if options.keep || !report.ok {
        report.where_to_look = world.where_to_look();
    } else {
        stage("down", "everything held");
        world.down().await?;
        let folder = &world.layout().place.folder;
        std::fs::remove_dir_all(folder).map_err(TestnetError::file(folder))?;
    }
    if options.keep {
        stage("keep", "nodes run on until this process ends; Ctrl-C ends it");
        tokio::signal::ctrl_c().await.ok();
        world.down().await?;
    }
    Ok(report)
}

/// Doors of all nodes.
fn doors(layout: &Layout) -> Result<Vec<Door>, TestnetError> {
    let door = |node: &crate::world::NodeInfo| {
        Ok(Door { name: node.name.clone(), client: Client::new(&node.url)? })
    };
    layout.nodes.iter().map(door).collect()
}

async fn stages(manifest: &Manifest, world: &mut World) -> Result<Report, TestnetError> {
    let layout = world.layout().clone();
    let lying = manifest.byzantine();
    let mut doors = doors(&layout)?;
    // What a liar answers proves nothing, and a receipt of its may be broken.
    doors.retain(|door| !lying.contains(&door.name));
    let late = |name: &str| manifest.node.get(name).is_some_and(|node| node.start_at > 0);
    stage("start", &layout.place.folder.display().to_string());
    for node in layout.nodes.iter().filter(|node| !late(&node.name)) {
        world.start(&node.name).await?;
    }
    let early: Vec<Door> = doors.iter().filter(|door| !late(&door.name)).cloned().collect();
    ready(&early, world).await?;

    stage("load", &format!("{:.2} MB/s", manifest.load.offered.megabytes()));
    let plan = plan(manifest, &layout, &doors).await?;
    let load = engine::start(plan);
    let watcher = Watcher::new(doors.clone());

    stage("perturb", &format!("{} perturbations", manifest.perturbations()?.len()));
    let mut conductor = Conductor::new(manifest, &layout, watcher);
    conductor.conduct(world, &load).await?;

    stage("heal", "all nodes up, connected and running");
    conductor.heal(world).await?;
    let offered = load.finish().await?;
    stage("wait", "until all are equal and every receipt's place is decided");
    let mut trace = Trace::default();
    let waited = settle(manifest, &doors, &offered, &mut conductor, world, &mut trace).await;
    stage("check", &format!("settled: {}", waited.is_none()));
    let silent = check::fill(&mut trace, &layout, &doors, &offered, &lying).await;
    conductor.note_ends(world).await;
    conductor.roles_played(world).await;
    conductor.ended.extend(silent);
    let world = world.kind().name();
    let parts =
        report::Parts { manifest, layout: &layout, offered: &offered, trace: &trace, world };
    Ok(parts.report(conductor, waited))
}

/// Waits until every node answers, knows its peers and has executed a height.
async fn ready(doors: &[Door], world: &mut World) -> Result<(), TestnetError> {
    let begun = clock::now();
    loop {
        let mut waiting = Vec::new();
        for door in doors {
            match door.client.status().await {
                Ok(status) if status.executed >= 1 => {}
                Ok(status) => waiting.push(format!("{} at height {}", door.name, status.executed)),
                Err(error) => waiting.push(format!("{}: {error}", door.name)),
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        if let Some(end) = world.unexpected_ends().await.first() {
            return Err(TestnetError::Program { what: "start".into(), cause: end.clone() });
        }
        if clock::now().duration_since(begun) > START_TIMEOUT {
            return Err(TestnetError::Late {
                what: waiting.join("; "),
                seconds: START_TIMEOUT.as_secs(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn plan(manifest: &Manifest, layout: &Layout, doors: &[Door]) -> Result<Plan, TestnetError> {
    let first = doors.first().ok_or_else(|| TestnetError::Missing("a node".into()))?;
    let limits = first.client.limits().await?;
    let gossip = if manifest.load.via.contains(&Via::Gossip) {
        let started = layout.nodes.iter().filter(|node| node.validator);
        let addresses: Vec<String> = started.map(|node| node.p2p.clone()).collect();
        let (chain, network) = (layout.genesis.chain_id, layout.genesis.hash().0);
        Some(Gossip::join(chain, network, manifest.seed, &addresses).await?)
    } else {
        None
    };
    let is_full = |name: &str| manifest.node.get(name).is_some_and(|n| n.mode == Mode::Full);
    let validators = doors.iter().filter(|door| !is_full(&door.name)).cloned().collect();
    let slots = manifest.genesis.slot.as_millis().saturating_mul(manifest.load.slots);
    Ok(Plan {
        doors: validators,
        gossip,
        via: manifest.load.via.clone(),
        rollups: layout.rollups.clone(),
        offered: manifest.load.offered,
        generator: Generator::new(manifest.seed, clock::unix_ms(), manifest.load.tx_bytes),
        duration: Duration::from_millis(slots),
        chain_id: layout.genesis.chain_id,
        slot_ms: layout.genesis.slot_ms,
        valid_until: limits.valid_until_max,
    })
}

/// Waits until every receipted place is decided and all nodes are at one height. `Some` says what never came.
async fn settle(
    manifest: &Manifest,
    doors: &[Door],
    offered: &Offered,
    conductor: &mut Conductor,
    world: &mut World,
    trace: &mut Trace,
) -> Option<String> {
    let slot = manifest.genesis.slot.std();
    let slots = u32::try_from(HEAL_SLOTS_MAX).unwrap_or(u32::MAX);
    let timeout = slot.saturating_mul(slots).max(HEAL_TIME_MIN);
    let receipts: Vec<_> =
        crate::load::collect::receipts(offered).map(|(_, receipt)| receipt.clone()).collect();
    if let Some(door) = doors.first() {
        let known = trace.slots.entry(door.name.clone()).or_default();
        let open = crate::load::collect::decided(&door.client, known, &receipts, timeout).await;
        if open > 0 {
            return Some(format!("{open} receipted batches undecided after {timeout:?}"));
        }
    }
    let begun = clock::now();
    loop {
        let heads = conductor.watcher.look().await;
        if heads.all_equal(doors.len()) && conductor.all_recovered() {
            return None;
        }
        if clock::now().duration_since(begun) > timeout {
            return Some(format!("not equal after {timeout:?}: {heads}"));
        }
        conductor.note_ends(world).await;
        tokio::time::sleep(POLL).await;
    }
}
