//! A validator whose disk is lost: without the flag it does not sign and says so; with it, it votes and batches again,
//! and no mark of its new life stands at a place of its old one.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use rota_node::api::{Backend as _, Head, Level, Submission, Submitted};
use rota_node::disk::RealDisk;
use rota_node::guard::{Floor, GuardRecord, Mark, read_records};
use rota_node::home::Home;
use rota_node::keys::{Cost, Password};
use rota_node::provision::{NetworkPlan, OpenedHome, make_network};
use rota_node::shell::{LostGuard, RunningNode, now, run_node};
use rota_types::receipt::SignedReceipt;
use rota_types::{Height, Incarnation, RollupId, Slot, Transaction, TransactionList, codec};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

/// Long enough for the slowest machine; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(120);
const ROLLUP: RollupId = RollupId(10);

struct Network {
    homes: Vec<Home>,
    password: Password,
    nodes: Vec<Option<RunningNode>>,
    _folder: tempfile::TempDir,
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Network {
    async fn start() -> Self {
        let mut plan = NetworkPlan::loopback(77, 4, 1_000, now()).unwrap();
        plan.rollups = vec![(ROLLUP, "test".into())];
        for node in &mut plan.nodes {
            for address in [&mut node.http, &mut node.metrics, &mut node.p2p] {
                address.set_port(free_port());
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let password = Password::random().unwrap();
        let network = make_network(&plan).unwrap();
        let at = |home: &Home| home.root().to_path_buf();
        let homes = network.write(folder.path(), &password, Cost::Light, at).unwrap();
        let mut network = Self { homes, password, nodes: Vec::new(), _folder: folder };
        for index in 0..4 {
            let node = network.run(index, LostGuard::DoNotSign).await;
            network.nodes.push(Some(node));
        }
        network
    }

    async fn run(&self, index: usize, lost_guard: LostGuard) -> RunningNode {
        let password = Some(self.password.clone());
        let home = self.homes[index].clone();
        let mut opened = OpenedHome::open(home, Vec::new(), 1, password).unwrap();
        opened.lost_guard = lost_guard;
        Box::pin(run_node(opened)).await.unwrap()
    }

    fn node(&self, index: usize) -> &RunningNode {
        self.nodes[index].as_ref().unwrap()
    }

    async fn stop(&mut self, index: usize) {
        let mut node = self.nodes[index].take().unwrap();
        node.shutdown().await;
    }

    /// Waits until the node's head satisfies the condition.
    async fn until(&self, index: usize, what: &str, done: impl Fn(&Head) -> bool) -> Head {
        let mut head = self.node(index).api.head();
        let waited = tokio::time::timeout(PATIENCE, head.wait_for(|head| done(head))).await;
        *waited.unwrap_or_else(|_| panic!("{what}")).unwrap()
    }

    async fn ahead(&self, index: usize, heights: u64) {
        let from = self.node(index).api.head().borrow().executed;
        let wanted = from.plus(heights);
        self.until(index, "no slot is decided", |head| head.executed >= wanted).await;
    }

    fn marks(&self, index: usize) -> Vec<GuardRecord> {
        let disk = RealDisk::shared();
        read_records(disk.as_ref(), &self.homes[index].guard_file()).unwrap().1
    }

    async fn submit(&self, index: usize, number: u64) -> Result<Submitted, String> {
        let api = &self.node(index).api;
        let tx = Transaction {
            rollup: ROLLUP,
            valid_until_slot: Slot(api.valid_until_max().0 - 10),
            payload: number.to_le_bytes().to_vec(),
        };
        let list = TransactionList::parse(codec::encode(&vec![tx]).into(), 1 << 20).unwrap();
        let (wait, deadline) = (Level::Ordered, Duration::from_secs(10));
        let submission = Submission { list, source: None, wait, deadline, detail: true };
        api.submit(submission).await.map_err(|error| error.to_string())
    }
}

fn receipt(submitted: &Submitted) -> Option<SignedReceipt> {
    let bytes = hex::decode(submitted.receipt.as_ref()?).unwrap();
    Some(codec::decode(&bytes, 1 << 10).unwrap())
}

/// Digests by place.
fn places(records: &[GuardRecord]) -> BTreeMap<String, String> {
    let place = |record: &GuardRecord| match record {
        GuardRecord::Mark(Mark::Vote { height, round, step, digest }) => {
            Some((format!("vote {height} {round} {step:?}"), digest.to_string()))
        }
        GuardRecord::Mark(Mark::Seal { height, digest }) => {
            Some((format!("seal {height}"), digest.to_string()))
        }
        GuardRecord::Mark(Mark::OwnBatch { incarnation, seq, digest }) => {
            Some((format!("batch {incarnation} {seq}"), digest.to_string()))
        }
        GuardRecord::Mark(Mark::Ack { lane, incarnation, seq, digest }) => {
            Some((format!("ack {lane} {incarnation} {seq}"), digest.to_string()))
        }
        GuardRecord::Floor(_) => None,
    };
    records.iter().filter_map(place).collect()
}

fn first_vote(records: &[GuardRecord]) -> Height {
    let floor = records.iter().find_map(|record| match record {
        GuardRecord::Floor(Floor::Vote { height, .. }) => Some(*height),
        _ => None,
    });
    floor.unwrap()
}

fn votes_at_or_above(records: &[GuardRecord], from: Height) -> usize {
    let votes = records.iter().filter(
        |record| matches!(record, GuardRecord::Mark(Mark::Vote { height, .. }) if *height >= from),
    );
    votes.count()
}

const LOST: usize = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_disk_signs_nothing_until_it_rejoins_and_never_twice() {
    let mut network = Network::start().await;
    network.until(0, "the network seals", |head| head.sealed >= Height(3)).await;
    let before = network.submit(LOST, 1).await.unwrap();
    assert_eq!(receipt(&before).unwrap().receipt.position.incarnation, Incarnation(0));
    network.stop(LOST).await;
    let old = places(&network.marks(LOST));
    assert!(old.keys().any(|place| place.starts_with("batch 0")), "it batched: {old:?}");
    let home = network.homes[LOST].clone();
    for folder in [home.state_folder(), home.ledger_folder(), home.index_folder()] {
        std::fs::remove_dir_all(folder).unwrap();
    }

    let node = network.run(LOST, LostGuard::DoNotSign).await;
    network.nodes[LOST] = Some(node);
    network.ahead(0, 3).await;
    let tip = network.node(0).api.head().borrow().executed;
    network.until(LOST, "it follows", |head| head.executed >= tip).await;
    assert!(receipt(&network.submit(LOST, 2).await.unwrap()).is_none(), "it takes nothing itself");
    assert!(!home.guard_file().exists(), "nothing was signed, and no guard was made");
    network.stop(LOST).await;

    let mut node = network.run(LOST, LostGuard::Rejoin).await;
    tokio::time::timeout(PATIENCE, node.rejoined()).await.expect("the others answer");
    node.shutdown().await;
    drop(node);
    let from = first_vote(&network.marks(LOST));
    assert!(from > tip);
    let node = network.run(LOST, LostGuard::Rejoin).await;
    network.nodes[LOST] = Some(node);
    network.until(LOST, "it is above its line", |head| head.executed >= from.plus(2)).await;
    assert!(votes_at_or_above(&network.marks(LOST), from) > 0, "it votes again");

    // Its lane waits for the operation, which others batch; until then it refuses.
    let mut number = 3;
    let again = loop {
        match network.submit(LOST, number).await {
            Ok(submitted) => break submitted,
            Err(error) => assert!(error.contains("NotSequencing"), "{error}"),
        }
        number += 1;
        assert!(number < 60, "its lane is not opened");
        network.ahead(LOST, 1).await;
    };
    let position = receipt(&again).unwrap().receipt.position;
    assert_eq!(position.incarnation, Incarnation(1));
    assert_eq!(again.level, Level::Ordered, "others acknowledged and ordered its batch");
    network.stop(LOST).await;
    let new = places(&network.marks(LOST));
    let twice: Vec<_> = new.keys().filter(|place| old.contains_key(*place)).collect();
    assert!(twice.is_empty(), "signed again: {twice:?}");
    for index in [0, 2, 3] {
        network.stop(index).await;
    }
}
