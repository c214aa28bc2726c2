//! Genesis, homes and addresses of a run's nodes.

use super::WorldKind;
use crate::clock;
use crate::error::TestnetError;
use crate::manifest::Manifest;
use rota_node::error::OperatorError;
use rota_node::home::Home;
use rota_node::keys::{Cost, Password};
use rota_node::provision::{
    ComposePlan, HTTP_PORT, KeySource, METRICS_PORT, NetworkPlan, NodePlan, P2P_PORT, compose_file,
    make_network, random_chain_id,
};
use rota_types::{Genesis, RollupId, TimestampMs};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

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
    /// Its home on this machine.
    pub home: PathBuf,
    /// Where it is dialed from this machine, with `/p2p/…`.
    pub p2p: String,
    /// Fixed address of its container.
    pub address: Ipv4Addr,
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
        let entries = std::fs::read_dir(self.home.join("ledger")).ok()?;
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        paths.filter(|path| path.extension().is_some_and(|ext| ext == "seg")).max()
    }
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
            WorldKind::Process => loopback(&names)?,
            WorldKind::Compose => containers(&names, &compose),
        };
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
        let infos = network.nodes.iter().zip(&homes).enumerate().map(|(index, (node, home))| {
            let number = u8::try_from(index).unwrap_or(u8::MAX);
            let url = match kind {
                WorldKind::Process => format!("http://{}", node.plan.http),
                // By its fixed address: published ports go with the network when it is disconnected.
                WorldKind::Compose => format!("http://{}:{HTTP_PORT}", compose.address(number)),
            };
            NodeInfo {
                name: node.plan.name.clone(),
                validator: node.plan.validator,
                url,
                home: home.root().to_path_buf(),
                p2p: node.multiaddr(),
                address: compose.address(number),
            }
        });
        let nodes = infos.collect();
        Ok(Self { place, genesis: network.genesis, nodes, rollups })
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

/// Ports that this process has looked at.
static PORTS_TRIED: AtomicU32 = AtomicU32::new(0);

/// Nodes on loopback at ports that are free now.
///
/// Below the range from which the system takes ports for outgoing connections: else one of those may sit on the port of
/// a node that is down when it is to be started again.
fn loopback(names: &[(String, bool)]) -> Result<Vec<NodePlan>, TestnetError> {
    let mut held = Vec::new();
    let start = std::process::id().wrapping_mul(31);
    // Two networks of one process never look at the same port: both would find it free.
    let mut candidates = std::iter::from_fn(|| {
        let turn = PORTS_TRIED.fetch_add(1, Ordering::Relaxed);
        Some(start.wrapping_add(turn).checked_rem(12_000).unwrap_or(0).saturating_add(20_000))
    })
    .take(4_000);
    let mut free = || -> Result<SocketAddr, TestnetError> {
        let bound = candidates.by_ref().find_map(|port| {
            let port = u16::try_from(port).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
        });
        let listener = bound.ok_or_else(|| TestnetError::Missing("a free port".into()))?;
        let address = listener.local_addr().map_err(TestnetError::file("a port"))?;
        // Held until all are chosen.
        held.push(listener);
        Ok(address)
    };
    names
        .iter()
        .map(|(name, validator)| {
            Ok(NodePlan {
                name: name.clone(),
                validator: *validator,
                p2p: free()?,
                external: None,
                http: free()?,
                metrics: free()?,
            })
        })
        .collect()
}

/// Nodes in containers: each listens everywhere inside, at the usual ports.
fn containers(names: &[(String, bool)], plan: &ComposePlan) -> Vec<NodePlan> {
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let node = |(index, (name, validator)): (usize, &(String, bool))| {
        let address = plan.address(u8::try_from(index).unwrap_or(u8::MAX));
        NodePlan {
            name: name.clone(),
            validator: *validator,
            p2p: any(P2P_PORT),
            external: Some(SocketAddr::from((address, P2P_PORT))),
            http: any(HTTP_PORT),
            metrics: any(METRICS_PORT),
        }
    };
    names.iter().enumerate().map(node).collect()
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
