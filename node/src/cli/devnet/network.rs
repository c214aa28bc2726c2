//! The devnet's nodes: makes or reopens their homes, runs them, stops them.

use super::DevnetArgs;
use crate::cli::{log, output};
use crate::config::Source;
use crate::error::{ExitCode, OperatorError};
use crate::home::Home;
use crate::keys::{Cost, Password};
use crate::provision::{
    KeySource, NetworkPlan, NodePlan, OpenedHome, devnet, loopback_nodes, make_network,
    read_genesis,
};
use crate::shell::{self, NodeBackend, RunningNode};
use futures::future::{join_all, select_all};
use rota_types::Genesis;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A node of the devnet as its viewers need it.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) api: NodeBackend,
    pub(super) http: SocketAddr,
    pub(super) metrics: SocketAddr,
}

/// The devnet as its viewers need it.
pub(super) struct Devnet {
    pub(super) root: PathBuf,
    pub(super) genesis: Genesis,
    pub(super) nodes: Vec<Node>,
}

/// The running nodes, and the folder that goes with them.
pub(super) struct Running {
    root: Root,
    nodes: Vec<RunningNode>,
}

/// Length of a slot in milliseconds if no flag says another.
const SLOT_MS: u64 = 2_000;

/// Folder of the homes; removed at the end if it is temporary.
struct Root {
    path: PathBuf,
    temporary: bool,
}

impl Drop for Root {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            output::note(format!("cannot remove {}: {error}", self.path.display()));
        }
    }
}

fn make_root(home: Option<&Path>) -> Result<Root, OperatorError> {
    let (path, temporary) = match home {
        Some(path) => {
            let path = std::path::absolute(path).map_err(|error| {
                OperatorError::new(ExitCode::Usage, "the folder of --home").cause(error)
            })?;
            (path, false)
        }
        None => {
            let mut bytes = [0u8; 6];
            getrandom::fill(&mut bytes).map_err(|error| {
                OperatorError::new(ExitCode::Io, "the system gave no randomness").cause(error)
            })?;
            (std::env::temp_dir().join(format!("rota-devnet-{}", hex::encode(bytes))), true)
        }
    };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.map_err(|error| {
        OperatorError::new(ExitCode::CannotCreate, format!("cannot make {}", path.display()))
            .cause(error)
    })?;
    Ok(Root { path, temporary })
}

/// A port that is free now. Another process may take it before we do; then the start says so.
fn free_port() -> Result<u16, OperatorError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| OperatorError::new(ExitCode::Unavailable, "no free port").cause(error))
}

fn plan_nodes(args: &DevnetArgs) -> Result<Vec<NodePlan>, OperatorError> {
    let mut nodes = loopback_nodes(args.validators, args.http, args.metrics, args.p2p)?;
    if args.http == 0 {
        for node in &mut nodes {
            for address in [&mut node.http, &mut node.metrics, &mut node.p2p] {
                *address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
            }
        }
    }
    Ok(nodes)
}

fn password() -> Result<Password, OperatorError> {
    Password::new(Zeroizing::new(devnet::PASSWORD.to_owned()))
        .map_err(|error| error.about("the devnet's keys"))
}

/// Makes homes under `root`, or checks that those there are a devnet's with the rollups asked for.
fn homes(args: &DevnetArgs, root: &Path) -> Result<(Genesis, Vec<NodePlan>), OperatorError> {
    let nodes = plan_nodes(args)?;
    let path = root.join("genesis.json");
    if !path.exists() {
        let mut rollups = devnet::default_rollups();
        rollups.extend(args.rollup.iter().map(|id| (*id, format!("rollup {id}"))));
        let plan = NetworkPlan {
            chain_id: devnet::CHAIN_ID,
            name: devnet::NAME.into(),
            genesis_time: shell::now(),
            slot_ms: args.slot_ms.unwrap_or(SLOT_MS),
            rollups,
            nodes: nodes.clone(),
            keys: KeySource::Public,
        };
        let network = make_network(&plan)?;
        network.write(root, &password()?, Cost::Light, |home| home.root().to_path_buf())?;
        return Ok((network.genesis, nodes));
    }
    let genesis = read_genesis(&path)?;
    let refused = |message: String| {
        OperatorError::new(ExitCode::Config, message)
            .cause(format!("{} was made by an earlier run", path.display()))
            .hint("give another --home DIR, or leave the flag out to run what is there")
    };
    if genesis.chain_id != devnet::CHAIN_ID {
        return Err(refused("this is not a devnet's folder".into()));
    }
    if args.slot_ms.is_some_and(|slot_ms| slot_ms != genesis.slot_ms) {
        return Err(refused(format!("this devnet has slots of {} ms", genesis.slot_ms)));
    }
    let missing = args.rollup.iter().find(|id| genesis.rollups.iter().all(|r| r.id != **id));
    if let Some(id) = missing {
        return Err(refused(format!("rollup {id} is not registered in this devnet")));
    }
    if genesis.validators.len() != nodes.len() {
        return Err(refused(format!("this devnet has {} validators", genesis.validators.len())));
    }
    Ok((genesis, nodes))
}

/// Every address by flag: ports may differ from the run that made the home.
fn flags(nodes: &[NodePlan], index: usize) -> Result<Vec<(String, String)>, OperatorError> {
    let mut bootstrap = Vec::new();
    for (other, node) in nodes.iter().enumerate() {
        let seed = devnet::public_keys(other, false)?.node_seed;
        let peer = rota_p2p::peer_id_of_seed(&seed)
            .map_err(|error| OperatorError::new(ExitCode::Bug, "a node key").cause(error))?;
        if other != index {
            bootstrap.push(format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer}", node.p2p.port()));
        }
    }
    let Some(node) = nodes.get(index) else { return Ok(Vec::new()) };
    let flag = |key: &str, value: String| (key.to_owned(), value);
    Ok(vec![
        flag("p2p.listen", format!("/ip4/127.0.0.1/tcp/{}", node.p2p.port())),
        flag("p2p.bootstrap", bootstrap.join(",")),
        flag("http.listen", node.http.to_string()),
        flag("metrics.listen", node.metrics.to_string()),
        // A devnet is for looking: everything stays findable by id.
        flag("index.transactions", "all".to_owned()),
    ])
}

/// Starts all nodes.
///
/// # Errors
/// The first that cannot be started; those before it are stopped again.
pub(super) async fn start(args: &DevnetArgs) -> Result<(Devnet, Running), OperatorError> {
    let root = make_root(args.home.as_deref())?;
    let (genesis, plans) = homes(args, &root.path)?;
    let mut opened = Vec::new();
    for (index, plan) in plans.iter().enumerate() {
        let home = Home::at(root.path.join(&plan.name));
        let opened_home = OpenedHome::open(home, flags(&plans, index)?, 1, Some(password()?))?;
        opened.push((plan.name.clone(), opened_home));
    }
    if let Some((_, first)) = opened.first() {
        let mut logging = first.config.config.log.clone();
        if first.config.source("log.level") == Source::Default {
            // The lines of slots are the output here; the log only tells what is wrong.
            "warn".clone_into(&mut logging.level);
        }
        log::start(&logging)?;
    }
    let mut devnet = Devnet { root: root.path.clone(), genesis, nodes: Vec::new() };
    let mut running = Running { root, nodes: Vec::new() };
    for (name, home) in opened {
        match Box::pin(shell::run_node(home)).await {
            Ok(node) => {
                let (api, http, metrics) = (node.api.clone(), node.http, node.metrics);
                devnet.nodes.push(Node { name, api, http, metrics });
                running.nodes.push(node);
            }
            Err(error) => {
                running.shutdown().await;
                return Err(error.hint("rota devnet --http 0 takes free ports"));
            }
        }
    }
    Ok((devnet, running))
}

impl Running {
    /// Why a node had to stop, once one has.
    pub(super) async fn failed(&mut self) -> OperatorError {
        let failures: Vec<_> = self.nodes.iter_mut().map(|node| Box::pin(node.failed())).collect();
        select_all(failures).await.0
    }

    /// Stops every node, and removes temporary homes.
    pub(super) async fn shutdown(mut self) {
        join_all(self.nodes.iter_mut().map(|node| Box::pin(node.shutdown()))).await;
        drop(self.nodes);
        drop(self.root);
    }
}
