//! Command line of `rota-testnet`: `run`, `load`, `bench`, `sim`, `planted`, `kill-loop`, `soak`.

use crate::bench::{self, Own, Shape};
use crate::error::TestnetError;
use crate::hurt::NodeArgs;
use crate::load::{Summary, saturation};
use crate::manifest::{Manifest, Rate, Via, random};
use crate::planted::PlantedArgs;
use crate::run::{self, Options};
use crate::sim::SimArgs;
use crate::soak;
use crate::world::WorldKind;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// The manifest of `kill-loop`, whatever folder it is run in.
const KILL_LOOP: &str = include_str!("../manifests/kill-loop.toml");

/// The agreement library logs every vote at info, and values that are valid later as warnings.
const LEVELS: &str = "info,libp2p=warn,rota_p2p=warn,arc_malachitebft_core_consensus=error,\
                      arc_malachitebft_core_driver=warn,arc_malachitebft_core_votekeeper=warn,\
                      arc_malachitebft_core_state_machine=warn";

/// Run many nodes and hurt them: docker-compose, processes, load.
#[derive(Debug, Parser)]
#[command(name = "rota-testnet", version)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs a manifest: starts a network, loads it, hurts it, checks what must hold. Exit 0 iff it does.
    Run(RunArgs),
    /// Loads nodes that run already, and asks for every receipt at the end.
    Load(LoadArgs),
    /// Starts nodes of its own, loads them, and says what it cost.
    Bench(BenchArgs),
    /// Kills nodes at random instants under load, some of the time all at once, and checks what must hold.
    KillLoop(KillLoopArgs),
    /// Loads a network for long, and measures whether anything grows.
    Soak(SoakArgs),
    /// One node that is hurt from within; worlds start it instead of `rota start`.
    #[command(hide = true)]
    Node(NodeArgs),
    /// Plays seeds in the deterministic simulator. Exit 0 iff every invariant holds.
    Sim(SimArgs),
    /// Builds the simulator with bugs planted in a copy of the sources. Exit 0 iff each is caught.
    Planted(PlantedArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The manifest.
    #[arg(required_unless_present = "random", conflicts_with = "random")]
    manifest: Option<PathBuf>,
    /// Draws a manifest from this seed instead, and prints it.
    #[arg(long, value_name = "SEED")]
    random: Option<u64>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Where and how a network is run.
#[derive(Debug, Args)]
struct PlaceArgs {
    /// Where nodes run.
    #[arg(long, value_enum, default_value = "process")]
    world: WorldKind,
    /// Report as JSON on stdout.
    #[arg(long)]
    json: bool,
    /// Keep nodes and files when everything held, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// The binary `rota`; default: beside this one.
    #[arg(long, env = "ROTA_BINARY")]
    rota: Option<PathBuf>,
    /// Folder under which the run makes its own.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl PlaceArgs {
    fn options(&self) -> Options {
        Options {
            world: self.world,
            rota: self.rota.clone(),
            folder: self.dir.clone(),
            keep: self.keep,
        }
    }

    async fn run(&self, manifest: &Manifest, name: &str) -> Result<Verdict, TestnetError> {
        let report = run::run(manifest, name, &self.options()).await?;
        print(&report, self.json)?;
        Ok(if report.ok { Verdict::Holds } else { Verdict::Broken })
    }
}

#[derive(Debug, Args)]
struct KillLoopArgs {
    /// Rounds of `kill -9`; every tenth is on all nodes at once.
    #[arg(long, default_value_t = 50)]
    kills: u64,
    /// Seeds victims and instants.
    #[arg(long, default_value_t = 11)]
    seed: u64,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
struct SoakArgs {
    /// Minutes measured.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Minutes before them.
    #[arg(long, default_value_t = 3)]
    warm_up: u64,
    /// Payload offered.
    #[arg(long, default_value = "200KB/s")]
    offered: Rate,
    /// Report as JSON on stdout.
    #[arg(long)]
    json: bool,
    /// The binary `rota`; default: beside this one.
    #[arg(long, env = "ROTA_BINARY")]
    rota: Option<PathBuf>,
    /// Folder under which the run makes its own.
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ShapeArgs {
    /// Payload offered, like 10MB/s.
    #[arg(long, default_value = "10MB/s")]
    offered: Rate,
    /// Payload bytes of a transaction.
    #[arg(long, default_value_t = 512)]
    tx_bytes: usize,
    /// Rollups that share it.
    #[arg(long, default_value_t = 8)]
    rollups: usize,
    /// Seconds measured.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seconds before them.
    #[arg(long, default_value_t = 20)]
    warm_up: u64,
    /// Seed of payloads and the load's peer.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Doors.
    #[arg(long, value_enum, default_values_t = [Via::Rpc])]
    via: Vec<Via>,
    /// Doubles the offer until p99 of `ordered` exceeds a slot and two seconds.
    #[arg(long)]
    saturate: bool,
    /// Summary as JSON on stdout.
    #[arg(long)]
    json: bool,
}

impl ShapeArgs {
    fn shape(&self) -> Result<Shape, TestnetError> {
        let bounds = 24..=100_000;
        if !bounds.contains(&self.tx_bytes) || self.seconds == 0 {
            return Err(TestnetError::manifest("--tx-bytes is 24 to 100000, --seconds at least 1"));
        }
        Ok(Shape {
            offered: self.offered,
            tx_bytes: self.tx_bytes,
            rollups: self.rollups,
            via: self.via.clone(),
            warm_up: Duration::from_secs(self.warm_up),
            window: Duration::from_secs(self.seconds),
            seed: self.seed,
        })
    }
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// Doors of the nodes, like http://127.0.0.1:8645.
    #[arg(long, required = true, num_args = 1..)]
    rpc: Vec<String>,
    /// Processes whose cost is measured.
    #[arg(long)]
    pid: Vec<u32>,
    #[command(flatten)]
    shape: ShapeArgs,
}

#[derive(Debug, Args)]
struct BenchArgs {
    /// Validators to start.
    #[arg(long, default_value_t = 4)]
    validators: usize,
    /// Length of a slot in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    slot_ms: u64,
    /// The binary `rota`; default: beside this one.
    #[arg(long, env = "ROTA_BINARY")]
    rota: Option<PathBuf>,
    /// Folder under which the run makes its own.
    #[arg(long)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything held.
    Holds,
    /// Something did not.
    Broken,
}

impl Cli {
    /// What is logged by default: nodes in virtual time would log a thousand times faster than anyone reads.
    #[must_use]
    pub const fn log_filter(&self) -> &'static str {
        match self.verb {
            Verb::Sim(_) => "off",
            _ => LEVELS,
        }
    }

    /// Carries the command out.
    ///
    /// # Errors
    /// If it could not be carried out.
    pub async fn run(self) -> Result<Verdict, TestnetError> {
        match self.verb {
            Verb::Run(args) => args.run().await,
            Verb::Load(args) => args.run().await,
            Verb::Bench(args) => args.run().await,
            Verb::KillLoop(args) => args.run().await,
            Verb::Soak(args) => args.run().await,
            Verb::Node(args) => args.run().await.map(|()| Verdict::Holds),
            Verb::Sim(args) => {
                let holds = aside(move || args.run()).await?;
                Ok(if holds { Verdict::Holds } else { Verdict::Broken })
            }
            Verb::Planted(args) => {
                let json = args.json;
                let report = aside(move || args.run()).await?;
                print(&report, json)?;
                Ok(if report.holds() { Verdict::Holds } else { Verdict::Broken })
            }
        }
    }
}

/// Runs what computes or waits for long on a thread of its own.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TestnetError> + Send + 'static,
) -> Result<T, TestnetError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| TestnetError::Program {
        what: "a simulated run".into(),
        cause: error.to_string(),
    })?
}

/// Writes data to stdout; all else goes to stderr.
fn print<T: Serialize + std::fmt::Display>(value: &T, json: bool) -> Result<(), TestnetError> {
    let text = if json {
        serde_json::to_string(value).map_err(|error| TestnetError::Program {
            what: "writing JSON".into(),
            cause: error.to_string(),
        })?
    } else {
        value.to_string()
    };
    writeln!(std::io::stdout().lock(), "{text}").map_err(TestnetError::file("stdout"))
}

fn print_curve(curve: &[Summary], json: bool) -> Result<(), TestnetError> {
    if !json {
        let table = saturation::table(curve);
        return write!(std::io::stdout().lock(), "{table}").map_err(TestnetError::file("stdout"));
    }
    curve.iter().try_for_each(|summary| print(summary, true))
}

fn verdict(summary: &Summary) -> Verdict {
    if summary.lost == 0 && summary.twice == 0 && summary.bad_receipts == 0 {
        Verdict::Holds
    } else {
        Verdict::Broken
    }
}

async fn measure(
    urls: &[String],
    pids: &[u32],
    args: &ShapeArgs,
    world: &str,
) -> Result<Verdict, TestnetError> {
    let shape = args.shape()?;
    if args.saturate {
        let curve = bench::saturate(urls, pids, &shape, world).await?;
        print_curve(&curve, args.json)?;
        let broken = curve.iter().any(|summary| verdict(summary) == Verdict::Broken);
        return Ok(if broken { Verdict::Broken } else { Verdict::Holds });
    }
    let summary = bench::load(urls, pids, &shape, world).await?;
    print(&summary, args.json)?;
    Ok(verdict(&summary))
}

impl RunArgs {
    async fn run(self) -> Result<Verdict, TestnetError> {
        let (manifest, name) = match (&self.manifest, self.random) {
            (_, Some(seed)) => {
                let text = random::manifest(seed);
                tracing::info!("rota-testnet run --random {seed} drew\n{text}");
                (Manifest::parse(&text)?, format!("random {seed}"))
            }
            (Some(path), None) => (Manifest::read(path)?, path.display().to_string()),
            (None, None) => return Err(TestnetError::manifest("neither a file nor --random")),
        };
        self.place.run(&manifest, &name).await
    }
}

impl KillLoopArgs {
    async fn run(self) -> Result<Verdict, TestnetError> {
        let mut manifest = Manifest::parse(KILL_LOOP)?;
        manifest.seed = self.seed;
        let kills = self.kills;
        let plan = manifest.net.kill_loop.as_mut();
        let plan = plan.ok_or_else(|| TestnetError::manifest("no kill loop"))?;
        plan.kills = kills;
        // The load outlasts the loop, which ends it: a round takes a gap, and never as long as this.
        manifest.load.slots = kills.saturating_mul(10).saturating_add(60);
        manifest.expect.height_min = kills.min(manifest.expect.height_min);
        self.place.run(&manifest, &format!("kill-loop --kills {kills}")).await
    }
}

impl SoakArgs {
    async fn run(self) -> Result<Verdict, TestnetError> {
        let plan = soak::Plan {
            warm_up: Duration::from_secs(self.warm_up.saturating_mul(60)),
            window: Duration::from_secs(self.minutes.saturating_mul(60)),
            offered: self.offered,
        };
        let report = soak::run(&plan, self.rota, self.dir).await?;
        print(&report, self.json)?;
        Ok(if report.ok { Verdict::Holds } else { Verdict::Broken })
    }
}

impl LoadArgs {
    async fn run(self) -> Result<Verdict, TestnetError> {
        measure(&self.rpc, &self.pid, &self.shape, "remote").await
    }
}

impl BenchArgs {
    async fn run(self) -> Result<Verdict, TestnetError> {
        let shape = self.shape.shape()?;
        let own = Own::start(self.validators, self.slot_ms, &shape, self.rota, self.dir).await?;
        let verdict = measure(&own.urls, &own.pids(), &self.shape, "process").await?;
        own.end().await?;
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_commands_of_the_design_parse() {
        for line in [
            "rota-testnet run smoke.toml --world compose --json --keep",
            "rota-testnet load --rpc http://a --rpc http://b --offered 10MB/s --tx-bytes 512 --rollups 8 \
             --seconds 60 --warm-up 20 --seed 7 --via gossip --json",
            "rota-testnet run --random 7 --json",
            "rota-testnet kill-loop --kills 500 --json",
            "rota-testnet soak --minutes 30",
            "rota-testnet node --home h --dials d.json --crime equivocate_votes=0.5",
            "rota-testnet bench --slot-ms 12000 --offered 20MB/s --saturate",
        ] {
            Cli::try_parse_from(line.split_whitespace()).unwrap();
        }
    }
}
