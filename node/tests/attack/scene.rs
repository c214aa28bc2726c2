//! The stage of every attack: three of four validators of a devnet, clients with honest
//! transactions, and what is measured meanwhile. The fourth validator's key is the attacker's.
//!
//! An attack passes if at least 99 % of the honest transactions are ordered, slots go on being
//! sealed, memory stays in its budget (counted by the allocator of this process: three nodes,
//! attacker and clients, above the level before), no honest validator is cut off, and every height
//! has one header.

use rota_node::api::Level;
use rota_node::client::Client;
use rota_node::home::Home;
use rota_node::keys::{Cost, Password};
use rota_node::provision::{
    KeySource, NetworkPlan, NodePlan, OpenedHome, devnet, loopback_nodes, make_network,
};
use rota_node::shell::{self, RunningNode};
use rota_types::codec::encode;
use rota_types::{Genesis, Hash, Height, RollupId, Slot, Transaction};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Ends a test that hangs; no test asserts on it.
const HANG: Duration = Duration::from_secs(120);
/// Memory that an attack may cost, unless it says otherwise.
pub(crate) const BUDGET_BYTES: usize = 128 * 1024 * 1024;
/// Pace of honest transactions.
const ROUND: Duration = Duration::from_millis(50);
/// Honest transactions at least.
const ROUNDS_MIN: u64 = 80;
/// The rollup they belong to.
pub(crate) const ROLLUP: RollupId = RollupId(10);
/// Index of the validator whose key the attacker has.
pub(crate) const GUILTY: usize = 3;

/// One attack at a time in this process: the allocator counts for all of it.
static STAGE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Counts what an attack has sent, across its tasks.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Sent {
    pub(crate) fn add(&self, bytes: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(u64::try_from(bytes).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }
}

/// What an attack came to.
pub(crate) struct Outcome {
    /// Messages after which the guilty was banned; `None` if the crime was only kept in limits.
    pub(crate) banned_after: Option<u64>,
    pub(crate) note: String,
}

impl Outcome {
    pub(crate) fn contained(note: impl Into<String>) -> Self {
        Self { banned_after: None, note: note.into() }
    }
}

pub(crate) async fn guarded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("the test hangs")
}

/// Waits for a state that no event announces.
pub(crate) async fn until(mut reached: impl AsyncFnMut() -> bool) {
    guarded(async {
        let mut look = tokio::time::interval(Duration::from_millis(50));
        while !reached().await {
            look.tick().await;
        }
    })
    .await;
}

/// See the module.
pub(crate) struct Scene {
    pub(crate) genesis: Genesis,
    pub(crate) plans: Vec<NodePlan>,
    pub(crate) nodes: Vec<RunningNode>,
    clients: Vec<Client>,
    _folder: tempfile::TempDir,
    _stage: tokio::sync::MutexGuard<'static, ()>,
}

/// A port below the range of outgoing connections, which no connection of another test takes meanwhile.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() % 600 * 20;
    loop {
        let number = first + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(20_000 + number % 12_000).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

impl Scene {
    /// Three nodes that have sealed a slot; `flags` are keys of their configuration.
    pub(crate) async fn new(flags: &[(&str, &str)]) -> Self {
        let stage = STAGE.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let mut plans = loopback_nodes(GUILTY + 1, 1, 1, 1).unwrap();
        for plan in &mut plans {
            for address in [&mut plan.http, &mut plan.metrics, &mut plan.p2p] {
                *address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            }
        }
        let plan = NetworkPlan {
            chain_id: devnet::CHAIN_ID,
            name: devnet::NAME.to_owned(),
            genesis_time: shell::now(),
            slot_ms: 2_000,
            rollups: devnet::default_rollups(),
            nodes: plans.clone(),
            keys: KeySource::Public,
        };
        let network = make_network(&plan).unwrap();
        let password = || Password::new(Zeroizing::new(devnet::PASSWORD.to_owned())).unwrap();
        let at = |home: &Home| home.root().to_path_buf();
        let homes = network.write(folder.path(), &password(), Cost::Light, at).unwrap();
        let flags: Vec<(String, String)> =
            flags.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let mut nodes = Vec::new();
        for home in homes.into_iter().take(GUILTY) {
            let opened = OpenedHome::open(home, flags.clone(), 1, Some(password())).unwrap();
            nodes.push(Box::pin(shell::run_node(opened)).await.map_err(|e| e.to_string()).unwrap());
        }
        let url = |node: &RunningNode| format!("http://{}", node.http);
        let clients = nodes.iter().map(|node| Client::new(&[url(node)]).unwrap()).collect();
        let genesis = network.genesis;
        let scene = Self { genesis, plans, nodes, clients, _folder: folder, _stage: stage };
        until(async || scene.sealed().await >= Height(1)).await;
        scene
    }

    fn client(&self, index: usize) -> &Client {
        self.clients.get(index % self.clients.len()).expect("three nodes")
    }

    pub(crate) async fn sealed(&self) -> Height {
        self.client(0).status().await.map_or(Height(0), |status| status.sealed)
    }

    pub(crate) async fn slot(&self) -> Slot {
        self.client(0).status().await.unwrap().slot
    }

    /// What a node holds against validators.
    pub(crate) async fn evidence(&self, node: usize) -> Vec<String> {
        self.client(node).status().await.unwrap().evidence
    }

    /// Runs an attack beside honest traffic and judges what came of it.
    pub(crate) async fn run(
        mut self,
        crime: &str,
        budget_bytes: usize,
        sent: &Sent,
        attack: impl AsyncFnOnce(&Self) -> Outcome,
    ) {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let (started, height) = (tokio::time::Instant::now(), self.sealed().await);
        let over = AtomicBool::new(false);
        let attack = async {
            let outcome = attack(&self).await;
            over.store(true, Ordering::Relaxed);
            outcome
        };
        let (outcome, ids) = guarded(async { tokio::join!(attack, self.traffic(&over)) }).await;
        let seconds = started.elapsed().as_secs_f64();
        until(async || self.sealed().await >= height.next()).await;
        let ordered = self.settle(&ids).await;
        let peak = MEMORY.peak_usage().saturating_sub(before);
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (rate, megabytes, mib, delivery) = (
            sent.messages() as f64 / seconds,
            sent.bytes.load(Ordering::Relaxed) as f64 / 1e6 / seconds,
            peak as f64 / 1_048_576.0,
            100.0 * ordered as f64 / ids.len() as f64,
        );
        let banned = outcome.banned_after.map_or("-".to_owned(), |sent| sent.to_string());
        println!(
            "ATTACK {crime} | {rate:.0}/s, {megabytes:.2} MB/s | memory +{mib:.1} MiB | \
             delivery {delivery:.2} % | banned after {banned} | {}",
            outcome.note
        );
        assert!(delivery >= 99.0, "{crime}: honest delivery {delivery:.2} %");
        assert!(peak <= budget_bytes, "{crime}: {peak} bytes, allowed are {budget_bytes}");
        for index in 0..self.nodes.len() {
            let peers = self.client(index).peers().await.unwrap();
            let honest = self.genesis.validators.iter().take(GUILTY);
            let there = honest.filter(|v| peers.iter().any(|peer| peer.validator == Some(v.key)));
            assert_eq!(there.count(), GUILTY - 1, "{crime}: an honest peer fell: {peers:?}");
        }
        self.headers_are_equal(crime).await;
        for node in &mut self.nodes {
            node.shutdown().await;
        }
    }

    /// Every height that the first node has sealed has one header on all nodes.
    async fn headers_are_equal(&self, crime: &str) {
        for height in 1..=self.sealed().await.0 {
            let mut ids = BTreeSet::new();
            for client in &self.clients {
                until(async || {
                    let asked = client.call::<Value>("rota_getHeader", &json!([height])).await;
                    let id = asked.ok().map(|header| header["header_id"].to_string());
                    let there = id.is_some();
                    ids.extend(id);
                    there
                })
                .await;
            }
            assert_eq!(ids.len(), 1, "{crime}: height {height} forked: {ids:?}");
        }
    }

    /// Honest transactions until the attack is over, at least so many. Gives the ids of all, those
    /// that a door refused too.
    async fn traffic(&self, over: &AtomicBool) -> Vec<Hash> {
        let mut ticks = tokio::time::interval(ROUND);
        let slot = self.slot().await;
        let mut ids = Vec::new();
        let mut round: u64 = 0;
        while round < ROUNDS_MIN || !over.load(Ordering::Relaxed) {
            ticks.tick().await;
            let transaction = Transaction {
                rollup: ROLLUP,
                valid_until_slot: Slot(slot.0 + 100),
                payload: [b"honest".as_slice(), &round.to_le_bytes()].concat(),
            };
            ids.push(transaction.id());
            let list = encode(&vec![transaction]).into();
            let to = self.client(usize::try_from(round).unwrap());
            if let Err(error) = to.submit_raw(list, Level::Received, HANG / 12).await {
                println!("an honest submission was refused: {error}");
            }
            round += 1;
        }
        ids
    }

    /// Waits until all are ordered or time is up; gives how many are.
    async fn settle(&self, ids: &[Hash]) -> usize {
        let mut look = tokio::time::interval(Duration::from_millis(200));
        let mut ordered = 0;
        for _ in 0..100 {
            look.tick().await;
            ordered = 0;
            for some in ids.chunks(256) {
                let statuses = self.client(0).statuses(some).await.unwrap_or_default();
                ordered += statuses.iter().flatten().filter(|s| s.level >= Level::Ordered).count();
            }
            if ordered == ids.len() {
                break;
            }
        }
        ordered
    }
}
