//! What a node answers: the seam between the running node and its doors (JSON-RPC, REST, streams).
//!
//! Answers are plain data whose JSON form is the wire form. Whoever serves them holds a [`Backend`];
//! the running node implements it.

use rota_types::{
    Hash, Height, Incarnation, Refusal, RollupId, Round, Seq, Slot, SlotHeader, TimestampMs,
    TransactionList, ValidatorKey, Weight,
};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::watch;

/// How final a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Given to gossip by a full node: no receipt, send it to a validator for one.
    Published,
    /// Durable in the author's ledger, with a receipt.
    Received,
    /// Its batch is held by more than two thirds of weight.
    Certified,
    /// Its slot is decided and in this node's ledger.
    Ordered,
    /// Its slot's header carries the seal of more than two thirds of weight.
    Sealed,
}

/// When each level was reached here, Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelTimes {
    /// Of the receipt.
    pub received: Option<TimestampMs>,
    /// Of the batch certificate.
    pub certified: Option<TimestampMs>,
    /// Of the decision in the ledger.
    pub ordered: Option<TimestampMs>,
    /// Of the seal.
    pub sealed: Option<TimestampMs>,
}

/// A submission from a door.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Parsed and hashed; bytes-alone checks are the node's.
    pub list: TransactionList,
    /// Whose share of the limits it takes.
    pub source: Option<IpAddr>,
    /// Level to wait for.
    pub wait: Level,
    /// How long to wait at most; then the level reached is answered.
    pub deadline: Duration,
    /// Whether `Submitted::transactions` is asked for: heavy senders leave it out.
    pub detail: bool,
}

/// Where one transaction of a submission stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionStatus {
    /// Its id.
    pub id: Hash,
    /// keccak256 of the payload: the L2 hash of a raw rollup transaction.
    pub payload_hash: Option<Hash>,
    /// Its rollup, if its bytes are known here.
    pub rollup: Option<RollupId>,
    /// Level reached.
    pub level: Level,
    /// When.
    pub times: LevelTimes,
    /// Lane it is in.
    pub lane: Option<ValidatorKey>,
    /// Incarnation of the lane.
    pub incarnation: Option<Incarnation>,
    /// Batch in the lane.
    pub seq: Option<Seq>,
    /// Index in the batch.
    pub index: Option<u32>,
    /// Decided height.
    pub height: Option<Height>,
    /// Slot of that height.
    pub slot: Option<Slot>,
    /// Index among the rollup's transactions of the slot.
    pub namespace_index: Option<u64>,
    /// Why it was skipped at its place, if it was.
    pub skipped: Option<RefusalView>,
}

/// A refusal as answered everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalView {
    /// Name of the code, e.g. `Expired`.
    pub name: String,
    /// Number of the code in the slot record.
    pub number: u16,
    /// What to do.
    pub message: String,
    /// Limit that was met.
    pub limit: Option<u64>,
    /// Value that met it.
    pub value: Option<u64>,
}

impl From<Refusal> for RefusalView {
    fn from(refusal: Refusal) -> Self {
        Self {
            name: refusal.code.name().into(),
            number: refusal.code.number(),
            message: refusal.code.text().into(),
            limit: refusal.limit,
            value: refusal.value,
        }
    }
}

/// Answer to a submission that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Lowest level reached by its transactions.
    pub level: Level,
    /// Hex of the borsh `SignedReceipt`; it covers all transactions of the submission in order. `None` from a
    /// full node, which has no lane and gives no receipt.
    pub receipt: Option<String>,
    /// Lane of the receipt.
    pub lane: Option<ValidatorKey>,
    /// Batch of the receipt.
    pub seq: Option<Seq>,
    /// Index of the first transaction in the batch.
    pub first_index: Option<u32>,
    /// Slot in which it is expected, unsigned.
    pub forecast_slot: Slot,
    /// Each transaction in the order submitted.
    pub transactions: Vec<TransactionStatus>,
}

/// A decided batch of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchView {
    /// Its lane.
    pub lane: ValidatorKey,
    /// Incarnation of the lane.
    pub incarnation: Incarnation,
    /// Its number.
    pub seq: Seq,
    /// Digest of its header.
    pub digest: Hash,
    /// Transactions in it.
    pub txs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A decided slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotView {
    /// Its height.
    pub height: Height,
    /// Its slot number.
    pub slot: Slot,
    /// Round in which it was decided.
    pub round: Round,
    /// Id of the decided proposal.
    pub proposal: Hash,
    /// Who proposed in that round.
    pub proposer: ValidatorKey,
    /// Id of the executed header; `None` until executed here.
    pub header_id: Option<Hash>,
    /// The executed header.
    pub header: Option<SlotHeader>,
    /// Level of the slot: ordered or sealed.
    pub level: Level,
    /// Hex of the borsh `Seal`, if sealed.
    pub seal: Option<String>,
    /// Validators in the seal.
    pub sealed_by: Vec<ValidatorKey>,
    /// When this node learned each level.
    pub times: LevelTimes,
    /// Decided batches in slot order.
    pub batches: Vec<BatchView>,
    /// Registered rollups with transactions in the slot, and how many.
    pub namespaces: Vec<(RollupId, u64)>,
    /// Skipped transactions: (index in slot order, code).
    pub skipped: Vec<(u64, RefusalView)>,
}

/// A place in a rollup's ordered transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// Height.
    pub height: Height,
    /// Index in the rollup's namespace of that height.
    pub index: u64,
}

/// One ordered transaction of a rollup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedTransaction {
    /// Height.
    pub height: Height,
    /// Slot of the height.
    pub slot: Slot,
    /// Index in the namespace.
    pub index: u64,
    /// Its id.
    pub id: Hash,
    /// Payload in hex.
    pub payload: String,
    /// Lane it came through.
    pub lane: ValidatorKey,
    /// Batch of the lane.
    pub seq: Seq,
}

/// A page of a rollup's ordered transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The rollup.
    pub rollup: RollupId,
    /// Transactions in order from the cursor asked for.
    pub transactions: Vec<OrderedTransaction>,
    /// Where to go on: everything before it has been given.
    pub next: Cursor,
    /// Newest executed height here.
    pub head: Height,
}

/// What a bundle shall show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleOf {
    /// A transaction at its place.
    Transaction(Hash),
    /// All transactions of a rollup in a slot, or that there are none.
    Namespace(Height, RollupId),
    /// An account of the keystore rollup, or that there is none, at the newest sealed height.
    Account(Hash),
}

/// A validator as seen here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorView {
    /// Name from genesis.
    pub name: String,
    /// Its key.
    pub key: ValidatorKey,
    /// Its weight.
    pub weight: Weight,
    /// Whether this node is connected to it (or is it).
    pub connected: bool,
    /// Decided tip of its lane.
    pub lane_seq: Seq,
}

/// A peer as seen here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// libp2p id.
    pub peer: String,
    /// Validator key, if proved.
    pub validator: Option<ValidatorKey>,
    /// Remote address.
    pub address: String,
    /// Software.
    pub agent: String,
}

/// How far this node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncView {
    /// `validator` or `full`.
    pub mode: String,
    /// Version of the software.
    pub version: String,
    /// The network.
    pub chain_id: u64,
    /// Hash of its genesis.
    pub genesis: Hash,
    /// Length of a slot.
    pub slot_ms: u64,
    /// Current slot by this node's clock.
    pub slot: Slot,
    /// Newest decided height in the ledger.
    pub decided: Height,
    /// Newest executed height.
    pub executed: Height,
    /// Newest sealed height.
    pub sealed: Height,
    /// First height kept.
    pub first_kept: Height,
    /// Highest decided height that a peer claims.
    pub best_peer: Height,
    /// Whether the node is catching up.
    pub syncing: bool,
    /// Id of the newest executed header.
    pub header_id: Hash,
    /// Signatures that the guard refused since start.
    pub guard_refusals: u64,
    /// Own validator key.
    pub validator: Option<ValidatorKey>,
    /// libp2p id.
    pub peer_id: String,
    /// Dialable p2p addresses.
    pub listen: Vec<String>,
    /// libp2p peers connected.
    pub peers: usize,
    /// Validators that were caught signing two things, as known here.
    pub evidence: Vec<String>,
}

/// A keystore account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Its id.
    pub keystore_id: Hash,
    /// Height at which this was read.
    pub height: Height,
    /// Whether it exists; the other fields are zero if not.
    pub exists: bool,
    /// Hash of the config in force.
    pub config_hash: Hash,
    /// Number of configs before it.
    pub config_seq: u64,
    /// Rises with every revocation.
    pub auth_seq: u64,
    /// `active` or `frozen`.
    pub status: String,
    /// Slot until which it is frozen.
    pub frozen_until: Slot,
    /// Slot of the last change.
    pub updated_slot: Slot,
    /// Next sequence number of lane 0.
    pub next_seq: u64,
    /// Number of freezes, which an emergency operation binds.
    pub freeze_count: u64,
    /// RLP of the config in force, hex.
    pub config: String,
}

/// What the node is doing, for `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether every check holds.
    pub ready: bool,
    /// Each check by name, with what was found.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `synced`, `quorum`, `slot_age`, `disk`, `guard`, `clock`.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// What was found.
    pub found: String,
}

/// Newest heights; changes wake streams and waiters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Newest decided height.
    pub decided: Height,
    /// Newest executed height.
    pub executed: Height,
    /// Newest height up to which all are sealed.
    pub sealed: Height,
}

/// An error a door answers with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// A transaction was refused; `index` in the submission.
    #[error("transaction {index}: {refusal}")]
    Refused {
        /// Which transaction.
        index: usize,
        /// Why.
        refusal: Refusal,
    },
    /// The node is at a limit.
    #[error("limited: {what}; retry after {retry_ms} ms")]
    Limited {
        /// Which limit.
        what: &'static str,
        /// When to try again.
        retry_ms: u64,
    },
    /// Not known here (yet).
    #[error("not found: {0}")]
    NotFound(String),
    /// Known, not at the level asked for yet.
    #[error("not yet: {0}")]
    NotYet(String),
    /// Below what is kept.
    #[error("pruned: the first height kept is {0}")]
    Pruned(Height),
    /// The request is not well formed.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// The node cannot answer now.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

/// The running node as its doors see it.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Takes a submission and waits for the level asked for, or the deadline.
    fn submit(
        &self,
        submission: Submission,
    ) -> impl Future<Output = Result<Submitted, ApiError>> + Send;
    /// Where a transaction is.
    fn transaction(
        &self,
        id: Hash,
    ) -> impl Future<Output = Result<TransactionStatus, ApiError>> + Send;
    /// A decided slot; `None` is the newest executed.
    fn slot(
        &self,
        height: Option<Height>,
    ) -> impl Future<Output = Result<SlotView, ApiError>> + Send;
    /// A page of a rollup's ordered transactions, at most `bytes_max` of payload (one at least).
    fn follow(
        &self,
        rollup: RollupId,
        from: Cursor,
        until: Option<Height>,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Page, ApiError>> + Send;
    /// A finality bundle, borsh.
    fn bundle(&self, of: BundleOf) -> impl Future<Output = Result<Vec<u8>, ApiError>> + Send;
    /// A keystore account.
    fn account(&self, id: Hash) -> impl Future<Output = Result<AccountView, ApiError>> + Send;
    /// The validators.
    fn validators(&self) -> impl Future<Output = Vec<ValidatorView>> + Send;
    /// Connected peers.
    fn peers(&self) -> impl Future<Output = Vec<PeerView>> + Send;
    /// How far the node is.
    fn sync_status(&self) -> SyncView;
    /// Whether the node does its work.
    fn readiness(&self) -> Readiness;
    /// Milliseconds since the core loop last ticked.
    fn loop_age_ms(&self) -> u64;
    /// Registered rollups.
    fn rollups(&self) -> Vec<(RollupId, String)>;
    /// Highest `valid_until_slot` a door admits now.
    fn valid_until_max(&self) -> Slot;
    /// Newest heights, and a wake-up for each change.
    fn head(&self) -> watch::Receiver<Head>;
    /// The metrics page.
    fn metrics(&self) -> String;
}
