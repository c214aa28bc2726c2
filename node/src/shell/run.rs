//! Starts one node from an opened home, and stops it.

use super::backend::{Inner, NodeBackend};
use super::ground::Ground;
use super::network::Inbound;
use super::policy::ValidatorPolicy;
use super::release::Outward;
use super::serve::{Attester, Server};
use super::slots::Slots;
use super::submit::{End, Submitter};
use super::{LostGuard, recover, telemetry, threads};
use crate::config::{Config, IndexTransactions};
use crate::disk::{Committer, RealDisk};
use crate::error::{ExitCode, OperatorError};
use crate::home::HomeLock;
use crate::index::Index;
use crate::provision::OpenedHome;
use crate::rpc::{Doors, RpcLimits};
use rota_p2p::{Multiaddr, NetworkHandle};
use rota_types::{Genesis, ValidatorKey, ValidatorSet};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A node that runs until it is shut down or fails.
pub struct RunningNode {
    /// The node as its doors see it.
    pub api: NodeBackend,
    /// JSON-RPC and REST.
    pub http: SocketAddr,
    /// Metrics and health.
    pub metrics: SocketAddr,
    failure: watch::Receiver<Option<OperatorError>>,
    rejoined: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
    doors: Option<JoinHandle<()>>,
    core: Option<std::thread::JoinHandle<()>>,
    committer: Option<Committer<Outward>>,
    network: Option<NetworkHandle>,
    tasks: Vec<JoinHandle<()>>,
    _lock: HomeLock,
}

impl RunningNode {
    /// Waits until the node cannot go on, and says why.
    pub async fn failed(&self) -> OperatorError {
        match self.failure.clone().wait_for(Option::is_some).await {
            Ok(failure) => failure.clone(),
            Err(_) => None,
        }
        .unwrap_or_else(|| OperatorError::new(ExitCode::Bug, "the node stopped without a reason"))
    }

    /// Waits until the key has a guard again: then the node is to be shut down and started anew.
    pub async fn rejoined(&self) {
        if self.rejoined.clone().wait_for(|rejoined| *rejoined).await.is_err() {
            // The thread that would say so has ended; the failure says why.
            std::future::pending::<()>().await;
        }
    }

    /// Stops in order: doors, network, core, and the commit queue last, so that nothing queued is lost.
    pub async fn shutdown(&mut self) {
        self.stop.send_replace(true);
        if let Some(doors) = self.doors.take() {
            // A door that panicked has nothing left to stop.
            doors.await.ok();
        }
        if let Some(network) = self.network.take() {
            network.shutdown().await;
        }
        for task in self.tasks.drain(..) {
            task.abort();
        }
        let (core, committer) = (self.core.take(), self.committer.take());
        let ended = tokio::task::spawn_blocking(move || {
            drop(committer);
            core.map(std::thread::JoinHandle::join)
        });
        if ended.await.is_err() {
            tracing::error!("the core thread panicked");
        }
    }
}

fn addresses(texts: &[String], key: &str) -> Result<Vec<Multiaddr>, OperatorError> {
    let parse = |text: &String| {
        text.parse().map_err(|error| {
            OperatorError::new(ExitCode::Config, format!("{key}: {text:?} is no multiaddress"))
                .cause(error)
                .hint("for example /ip4/127.0.0.1/tcp/7645/p2p/12D3KooW…")
        })
    };
    texts.iter().map(parse).collect()
}

fn known_records(path: &std::path::Path) -> Vec<bytes::Bytes> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let records: Vec<String> = serde_json::from_str(&text).unwrap_or_default();
    records.iter().filter_map(|record| hex::decode(record).ok()).map(Into::into).collect()
}

fn p2p_config(
    config: &Config,
    genesis: &Genesis,
    opened: &OpenedHome,
) -> Result<rota_p2p::Config, OperatorError> {
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(rota_p2p::Config {
        chain_id: genesis.chain_id,
        network: genesis.hash().0,
        node_key_seed: opened.keys.node_seed.clone(),
        listen: addresses(&config.p2p.listen, "p2p.listen")?,
        external: addresses(&config.p2p.external, "p2p.external")?,
        bootstrap: addresses(&config.p2p.bootstrap, "p2p.bootstrap")?,
        known: known_records(&opened.home.peers_file()),
        quic: config.p2p.quic,
        agent: format!("rota/{}", env!("CARGO_PKG_VERSION")),
        limits: rota_p2p::Limits {
            inbound_max: size(config.p2p.inbound_max),
            outbound_max: size(config.p2p.outbound_max),
            per_ip_max: size(config.p2p.per_ip_max),
            ..rota_p2p::Limits::default()
        },
    })
}

fn network_error(error: &rota_p2p::P2pError) -> OperatorError {
    OperatorError::new(ExitCode::Unavailable, "cannot start the network")
        .cause(error)
        .hint("rota start --instance 2 shifts every port, or set --p2p.listen")
}

/// Checks the addresses of a configuration.
///
/// # Errors
/// Config, naming the key.
pub fn check_addresses(config: &Config) -> Result<(), OperatorError> {
    let p2p = &config.p2p;
    for (texts, key) in [
        (&p2p.listen, "p2p.listen"),
        (&p2p.external, "p2p.external"),
        (&p2p.bootstrap, "p2p.bootstrap"),
    ] {
        addresses(texts, key)?;
    }
    Ok(())
}

/// Checks what [`run_node`] would stumble over, without opening a socket or writing anything.
///
/// # Errors
/// Config, for addresses or a genesis that breaks a rule; safety stop, for a guard that cannot be read.
pub fn check(opened: &OpenedHome) -> Result<(), OperatorError> {
    opened.genesis.validate().map_err(|error| {
        OperatorError::new(ExitCode::Config, "genesis breaks a rule").cause(error)
    })?;
    p2p_config(&opened.config.config, &opened.genesis, opened)?;
    if opened.keys.validator_key().is_some() {
        let disk = RealDisk::shared();
        crate::guard::read_records(disk.as_ref(), &opened.home.guard_file())?;
    }
    Ok(())
}

/// A key that genesis does not name signs nothing; its operator must hear of it.
fn warn_of_a_stranger(key: Option<ValidatorKey>, me: Option<ValidatorKey>) {
    if let (Some(key), None) = (key, me) {
        tracing::warn!(%key, "this validator key is not in genesis: running as a full node");
    }
}

/// Starts the node of an opened home.
///
/// # Errors
/// [`OperatorError`] with the hint that mends it: ports, keys, ledger, index.
pub async fn run_node(opened: OpenedHome) -> Result<RunningNode, OperatorError> {
    run_node_on(opened, Ground::default()).await
}

/// As [`run_node`], on a ground of the caller's.
///
/// # Errors
/// As [`run_node`].
pub async fn run_node_on(opened: OpenedHome, ground: Ground) -> Result<RunningNode, OperatorError> {
    let config = opened.config.config.clone();
    let doors = Doors::bind(config.http.listen, config.metrics.listen).await?;
    let genesis = Arc::new(opened.genesis.clone());
    let rule = |error: rota_types::TypesError| {
        OperatorError::new(ExitCode::Config, "genesis breaks a rule").cause(error)
    };
    let validators = genesis.validate().map_err(rule)?;
    let key = opened.keys.validator_key();
    let me = key.filter(|key| validators.contains(key));
    warn_of_a_stranger(key, me);
    let p2p = p2p_config(&config, &genesis, &opened)?;
    let salts = recover::Salts::draw()?;
    let nonce = match opened.lost_guard {
        LostGuard::Rejoin => Some(recover::random()?),
        LostGuard::DoNotSign => None,
    };
    let stores = {
        let (home, genesis) = (opened.home.clone(), Arc::clone(&genesis));
        let disk = Arc::clone(&ground.disk);
        tokio::task::spawn_blocking(move || recover::open(&disk, &home, &genesis, me, salts, nonce))
            .await
            .map_err(|error| {
                OperatorError::new(ExitCode::Bug, "start-up panicked").cause(error)
            })??
    };
    let all = match config.index.transactions {
        IndexTransactions::All => true,
        IndexTransactions::None => false,
        IndexTransactions::Auto => me.is_none(),
    };
    let index = Arc::new(recover::open_index(&opened.home, &genesis, all, &stores.reader)?);
    let signing = stores.signs();
    let signer = opened.keys.validator_signer().filter(|_| signing);
    let policy = ValidatorPolicy::new(
        genesis.chain_id,
        genesis.hash(),
        validators.clone(),
        signer.filter(|_| me.is_some()),
    );
    let (network, events) =
        rota_p2p::start(p2p, Arc::new(policy)).map_err(|e| network_error(&e))?;
    let parts =
        Parts { config, genesis, validators, stores, index, network, validator: me, ground };
    parts.start(opened, doors, events).await
}

/// Who signs for others how far this validator is: only a key with its guard.
fn attester(genesis: &Genesis, stores: &recover::Opened, opened: &OpenedHome) -> Option<Attester> {
    let signer = opened.keys.validator_signer().filter(|_| stores.guard.is_some())?;
    Some(Attester { chain_id: genesis.chain_id, signer, voted: stores.restored.voted })
}

struct Parts {
    config: Config,
    genesis: Arc<Genesis>,
    validators: ValidatorSet,
    stores: recover::Opened,
    index: Arc<Index>,
    network: NetworkHandle,
    validator: Option<ValidatorKey>,
    ground: Ground,
}

impl Parts {
    async fn start(
        self,
        opened: OpenedHome,
        doors: Doors,
        events: rota_p2p::NetworkEvents,
    ) -> Result<RunningNode, OperatorError> {
        let Self { config, genesis, validators, stores, index, network, validator, ground } = self;
        let (reader, clock) = (stores.reader.clone(), Arc::clone(&ground.clock));
        let attester = attester(&genesis, &stores, &opened);
        let threads = threads::spawn(threads::Plan {
            genesis: &genesis,
            validators,
            stores,
            keys: opened.keys,
            keep_bytes: config.disk.keep.0,
            index: Arc::clone(&index),
            network: network.clone(),
            ground,
            guard_file: opened.home.guard_file(),
        })?;
        let server = Server::new(reader.clone(), Arc::clone(&threads.view)).attesting(attester);
        let urgent = threads.urgent.downgrade();
        let batches = threads.batches.downgrade();
        let inbound = Inbound {
            chain_id: genesis.chain_id,
            network: network.clone(),
            peers: threads.peers,
            verdicts: threads.verdicts,
            urgent: threads.urgent,
            batches: threads.batches,
            bulk: threads.bulk.clone(),
            server: Arc::new(server),
        };
        let peers_file = opened.home.peers_file();
        let tasks = vec![
            tokio::spawn(inbound.run(events)),
            tokio::spawn(super::network::save_peers(network.clone(), peers_file)),
        ];
        let listen = network.listen_addresses().await;
        let (stop, stopped) = watch::channel(false);
        let end = End { failure: threads.failure.clone(), stop: stopped.clone() };
        let inner = Inner {
            slots: Slots::new(genesis.chain_id, reader),
            submitter: Submitter::new(genesis, threads.bulk, threads.waiting, clock, end),
            urgent,
            batches,
            view: threads.view,
            index: Some(index),
            network: network.clone(),
            committer: threads.committer.handle(),
            prometheus: telemetry::prometheus(),
            me: threads.me,
            validator,
            listen: listen.iter().map(ToString::to_string).collect(),
            best_peer: threads.gauges.best_peer,
            ticked: threads.gauges.ticked,
        };
        let api = NodeBackend { inner: Arc::new(inner) };
        let bound = doors.bound();
        let doors = doors.serve(api.clone(), RpcLimits::from(&config.rpc), stopped);
        Ok(RunningNode {
            api,
            http: bound.http,
            metrics: bound.metrics,
            failure: threads.failure,
            rejoined: threads.rejoined,
            stop,
            doors: Some(doors),
            core: Some(threads.core),
            committer: Some(threads.committer),
            network: Some(network),
            tasks,
            _lock: opened.lock,
        })
    }
}
