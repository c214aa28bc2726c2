//! Genesis, homes and addresses of a run's nodes.

use super::WorldKind;
use super::ports::{containers, loopback};
use super::relay::Shape;
use super::small_disk::SmallDisks;
use crate::clock;
use crate::error::TestnetError;
use crate::hurt::Crime;
use crate::manifest::{Duration, Kind, Manifest};
use rota_node::error::OperatorError;
use rota_node::home::Home;
use rota_node::keys::{Cost, Password};
use rota_node::provision::{
    ComposePlan, HTTP_PORT, KeySource, METRICS_PORT, NetworkPlan, compose_file, make_network,
    random_chain_id,
};
use rota_types::{Genesis, RollupId, TimestampMs};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// First of the rollups that a run registers.
const FIRST_ROLLUP: u64 = 70_001;
/// First three numbers of a run's subnet: not that of `rota testnet`, so that both may be up.
const SUBNET: [u8; 3] = [172, 30, 58];
/// How much the published ports of containers are shifted, for the same reason.
const PORT_SHIFT: u16 = 100;

/// A node of a run.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Name in the manifest.
    pub name: String,
    /// Whether it is a validator.
    pub validator: bool,
    /// Its door.
    pub url: String,
    /// Where its metrics are.
    pub metrics: SocketAddr,
    /// Its home on this machine.
    pub home: PathBuf,
    /// Where it is dialed from this machine, with `/p2p/…`.
    pub p2p: String,
    /// Fixed address of its container.
    pub address: Ipv4Addr,
    /// Where it listens for peers, and the front that others dial instead, if there is one.
    pub listen: SocketAddr,
    /// See `listen`.
    pub front: Option<SocketAddr>,
    /// Its dials, if its disk and clock can be turned: then it runs as `rota-testnet node`.
    pub dials: Option<PathBuf>,
    /// Its crimes, as that command takes them.
    pub crimes: Vec<String>,
}

impl NodeInfo {
    /// The rebuildable index.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.home.join("index")
    }

    /// The guard's marks.
    #[must_use]
    pub fn guard(&self) -> PathBuf {
        self.home.join("state/guard.log")
    }

    /// The newest ledger segment, if there is one.
    #[must_use]
    pub fn last_segment(&self) -> Option<PathBuf> {
        newest(&self.home.join("ledger"), |path| path.extension().is_some_and(|ext| ext == "seg"))
    }

    /// The newest write-ahead log, if there is one.
    #[must_use]
    pub fn last_wal(&self) -> Option<PathBuf> {
        newest(&self.home.join("state/wal"), |_| true)
    }

    /// The index's main file, if there is one.
    #[must_use]
    pub fn index_file(&self) -> Option<PathBuf> {
        newest(&self.index(), |path| path.file_name().is_some_and(|name| name == "db"))
    }
}

/// The last file by name of a folder, of those that are wanted.
fn newest(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.filter(|path| path.is_file() && wanted(path)).max()
}

/// Where a run keeps its files.
#[derive(Clone, Debug)]
pub struct Place {
    /// Folder of the run.
    pub folder: PathBuf,
    /// Name for containers and networks.
    pub name: String,
}

impl Place {
    /// A folder for this process under `parent`, or under the system's temporary folder.
    #[must_use]
    pub fn new(parent: Option<&Path>, seed: u64) -> Self {
        let name = format!("rota-run-{}-{seed}", std::process::id());
        let folder = parent.map_or_else(std::env::temp_dir, Path::to_path_buf).join(&name);
        Self { folder, name }
    }
}

/// Everything a world needs to start nodes.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Files.
    pub place: Place,
    /// The network.
    pub genesis: Genesis,
    /// Nodes, validators first.
    pub nodes: Vec<NodeInfo>,
    /// Rollups registered for the load.
    pub rollups: Vec<u64>,
    /// How every link is, unless something happens to it.
    pub link: Shape,
    /// Seeds links and crimes.
    pub seed: u64,
    /// File systems of nodes whose disk is to be filled.
    pub disks: Arc<SmallDisks>,
}

fn operator(error: OperatorError) -> TestnetError {
    TestnetError::Program { what: "making the network".into(), cause: error.to_string() }
}

impl Layout {
    /// Makes genesis, keys and homes.
    ///
    /// # Errors
    /// If a file, key or port cannot be had.
    pub fn make(manifest: &Manifest, kind: WorldKind, place: Place) -> Result<Self, TestnetError> {
        let mut names: Vec<(String, bool)> =
            manifest.validators().into_iter().map(|name| (name, true)).collect();
        names.extend(manifest.full_nodes().map(|(name, _)| (name.clone(), false)));
        let compose = ComposePlan { subnet: SUBNET, user: owner(), ..ComposePlan::default() };
        let nodes = match kind {
            WorldKind::Process => loopback(&names, needs_links(manifest)?)?,
            WorldKind::Compose => containers(&names, &compose),
        };
        let small = small_disks(manifest)?;
        let disks = Arc::new(SmallDisks::mount(&place.folder, &small)?);
        let rollups: Vec<u64> = (FIRST_ROLLUP..).take(manifest.load.rollups).collect();
        let plan = NetworkPlan {
            chain_id: random_chain_id().map_err(operator)?,
            name: place.name.clone(),
            genesis_time: TimestampMs(clock::unix_ms()),
            slot_ms: manifest.genesis.slot.as_millis(),
            rollups: rollups.iter().map(|id| (RollupId(*id), format!("load {id}"))).collect(),
            nodes,
            keys: KeySource::Random,
        };
        let network = make_network(&plan).map_err(operator)?;
        let password = Password::random().map_err(|error| TestnetError::Program {
            what: "drawing a password".into(),
            cause: error.to_string(),
        })?;
        let root = |home: &Home| match kind {
            WorldKind::Process => home.root().to_path_buf(),
            WorldKind::Compose => PathBuf::from("/home"),
        };
        let homes = network.write(&place.folder, &password, Cost::Light, root).map_err(operator)?;
        if kind == WorldKind::Compose {
            let text = shifted(&compose_file(&network, &compose, &place.folder), &place.name);
            let path = place.folder.join("docker-compose.yml");
            std::fs::write(&path, text).map_err(TestnetError::file(&path))?;
        }
        let dials = place.folder.join("dials");
        std::fs::create_dir_all(&dials).map_err(TestnetError::file(&dials))?;
        let infos = network.nodes.iter().zip(&homes).enumerate().map(|(index, (node, home))| {
            let number = u8::try_from(index).unwrap_or(u8::MAX);
            let url = match kind {
                WorldKind::Process => format!("http://{}", node.plan.http),
                // By its fixed address: published ports go with the network when it is disconnected.
                WorldKind::Compose => format!("http://{}:{HTTP_PORT}", compose.address(number)),
            };
            let crimes = crimes(manifest, &node.plan.name);
            let turned = manifest.happens_to(&node.plan.name, Kind::needs_dials)?;
            Ok(NodeInfo {
                name: node.plan.name.clone(),
                validator: node.plan.validator,
                url,
                metrics: node.plan.metrics,
                home: home.root().to_path_buf(),
                p2p: node.multiaddr(),
                address: compose.address(number),
                listen: node.plan.p2p,
                front: node.plan.external.filter(|_| kind == WorldKind::Process),
                dials: (turned || !crimes.is_empty())
                    .then(|| dials.join(format!("{}.json", node.plan.name))),
                crimes,
            })
        });
        let nodes = infos.collect::<Result<_, TestnetError>>()?;
        let (link, seed) = (shape(manifest), manifest.seed);
        let genesis = network.genesis;
        Ok(Self { place, genesis, nodes, rollups, link, seed, disks })
    }

    /// A node by name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Names of all nodes.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }
}

/// Whether processes need a relay between them.
fn needs_links(manifest: &Manifest) -> Result<bool, TestnetError> {
    let some = manifest.perturbations()?.iter().any(|p| p.kind.needs_links());
    Ok(some || manifest.link.is_some())
}

/// Nodes whose disk is to be filled.
fn small_disks(manifest: &Manifest) -> Result<Vec<String>, TestnetError> {
    let mut names = Vec::new();
    for name in manifest.names() {
        if manifest.happens_to(&name, |kind| *kind == Kind::DiskFull)? {
            names.push(name);
        }
    }
    Ok(names)
}

/// How the manifest wants every link to be.
fn shape(manifest: &Manifest) -> Shape {
    let link = manifest.link.clone().unwrap_or_default();
    let time = |given: Option<Duration>| given.map(Duration::std).unwrap_or_default();
    Shape {
        delay: time(link.delay),
        jitter: time(link.jitter),
        bytes_per_second: 0,
        loss: link.loss,
    }
}

/// The crimes of a node that processes can commit, as `rota-testnet node` takes them.
fn crimes(manifest: &Manifest, name: &str) -> Vec<String> {
    let roles = manifest.node.get(name).map(|node| node.byzantine.clone()).unwrap_or_default();
    let known = roles.into_iter().filter(|(role, _)| Crime::is_known(role));
    known.map(|(role, share)| format!("{role}={share}")).collect()
}

/// `uid:gid` of this process, so that homes written by containers stay readable here.
fn owner() -> String {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    format!("{uid}:{gid}")
}

/// The compose file with names and ports of its own, so that a run stands beside a network of `rota testnet`.
fn shifted(text: &str, name: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut line = line.replace("container_name: rota-", &format!("container_name: {name}-"));
        for base in [HTTP_PORT, METRICS_PORT] {
            for index in 0..100u16 {
                let from = format!("127.0.0.1:{}:{base}\"", base + index);
                let to = format!("127.0.0.1:{}:{base}\"", base + index + PORT_SHIFT);
                if line.contains(&from) {
                    line = line.replace(&from, &to);
                    break;
                }
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(
            "genesis = { slot = \"1s\", validators = 4 }\n[node]\nf1 = { mode = \"full\" }\n",
        )
        .unwrap()
    }

    #[test]
    fn process_homes_have_ports_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(Some(folder.path()), 1);
        let layout = Layout::make(&manifest(), WorldKind::Process, place).unwrap();
        assert_eq!(layout.names(), ["v1", "v2", "v3", "v4", "f1"]);
        let mut urls: Vec<_> = layout.nodes.iter().map(|node| node.url.clone()).collect();
        urls.sort();
        urls.dedup();
        assert_eq!(urls.len(), 5);
        assert!(layout.nodes.iter().all(|node| node.home.join("config.toml").is_file()));
        assert_eq!(layout.genesis.validators.len(), 4);
    }

    #[test]
    fn compose_files_have_names_and_ports_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(Some(folder.path()), 2);
        let layout = Layout::make(&manifest(), WorldKind::Compose, place).unwrap();
        let path = layout.place.folder.join("docker-compose.yml");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(&format!("container_name: {}-v1", layout.place.name)), "{text}");
        assert!(text.contains("127.0.0.1:8745:8645"), "{text}");
        assert!(!text.contains("127.0.0.1:8645:8645"), "{text}");
        assert!(text.contains("ipv4_address: 172.30.58.11"), "{text}");
        let urls = layout.nodes.iter().map(|node| node.url.as_str());
        assert_eq!(urls.take(1).collect::<Vec<_>>(), ["http://172.30.58.11:8645"]);
    }
}
