//! The tables of a manifest and what they are when nothing is said.

use super::quantity::{Duration, Rate};
use serde::Deserialize;
use std::collections::BTreeMap;

/// `[genesis]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisPart {
    /// Length of a slot.
    pub slot: Duration,
    /// Number of validators, `v1` to `vN`.
    pub validators: usize,
}

/// `[link]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkPart {
    /// One-way delay.
    #[serde(default)]
    pub delay: Option<Duration>,
    /// Its variation.
    #[serde(default)]
    pub jitter: Option<Duration>,
    /// Share of packets lost.
    #[serde(default)]
    pub loss: f64,
}

/// `[load]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadPart {
    /// Payload bytes of a transaction.
    #[serde(default = "default_tx_bytes")]
    pub tx_bytes: usize,
    /// Payload bytes per second.
    #[serde(default)]
    pub offered: Rate,
    /// Rollups that share it.
    #[serde(default = "default_rollups")]
    pub rollups: usize,
    /// Doors.
    #[serde(default = "default_via")]
    pub via: Vec<Via>,
    /// How long.
    #[serde(default = "default_slots")]
    pub slots: u64,
}

impl Default for LoadPart {
    fn default() -> Self {
        Self {
            tx_bytes: default_tx_bytes(),
            offered: Rate::default(),
            rollups: default_rollups(),
            via: default_via(),
            slots: default_slots(),
        }
    }
}

const fn default_tx_bytes() -> usize {
    512
}

const fn default_rollups() -> usize {
    1
}

fn default_via() -> Vec<Via> {
    vec![Via::Rpc]
}

const fn default_slots() -> u64 {
    20
}

/// A door of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// `POST /v1/transactions`.
    Rpc,
    /// The transaction topic.
    Gossip,
}

/// `node.<name>`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePart {
    /// `validator` (default for v1…vN) or `full`.
    #[serde(default)]
    pub mode: Mode,
    /// Slot at which it is started for the first time.
    #[serde(default)]
    pub start_at: u64,
    /// Voting weight.
    #[serde(default)]
    pub power: Option<u64>,
    /// What happens to it: `name[:value]@slot[+slots]`.
    #[serde(default)]
    pub perturb: Vec<String>,
    /// Byzantine roles, each with the share of occasions on which it is played.
    #[serde(default)]
    pub byzantine: BTreeMap<String, f64>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Has a validator key of genesis.
    #[default]
    Validator,
    /// Follows.
    Full,
}

/// `[net]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetPart {
    /// What happens to all nodes.
    #[serde(default)]
    pub perturb: Vec<String>,
    /// Random kills.
    #[serde(default)]
    pub kill_loop: Option<KillLoop>,
}

/// `[net] kill_loop`: `kill -9` at random instants, the node started again a random time later.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillLoop {
    /// Number of kill rounds.
    pub kills: u64,
    /// Every how many rounds all nodes are killed at once; 0 for never.
    #[serde(default = "default_kill_all_every")]
    pub all_every: u64,
    /// Longest random time between rounds.
    #[serde(default = "default_gap")]
    pub gap_max: Duration,
    /// Longest random time that a node stays down.
    #[serde(default = "default_down")]
    pub down_max: Duration,
}

const fn default_kill_all_every() -> u64 {
    10
}

const fn default_gap() -> Duration {
    Duration::from_millis(3_000)
}

const fn default_down() -> Duration {
    Duration::from_millis(2_000)
}

/// `[expect]`. Each number but the last two groups is the most that may be found.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Heights at which two nodes decided differently.
    #[serde(default)]
    pub forks: u64,
    /// Receipted transactions that are not at their place.
    #[serde(default)]
    pub receipted_lost: u64,
    /// Transactions ordered more than once.
    #[serde(default)]
    pub ordered_twice: u64,
    /// Places signed twice.
    #[serde(default)]
    pub double_signs: u64,
    /// Heights at which two nodes executed differently.
    #[serde(default)]
    pub header_mismatch: u64,
    /// Gaps and repeats in followed streams.
    #[serde(default)]
    pub stream_gaps: u64,
    /// Least height that every node must reach.
    #[serde(default)]
    pub height_min: u64,
    /// Least number of transactions ordered.
    #[serde(default)]
    pub committed_txs_min: u64,
    /// Least number of Byzantine nodes that honest ones hold evidence against.
    #[serde(default)]
    pub evidence_min: u64,
    /// Most slots that recovery from one perturbation may take.
    #[serde(default)]
    pub recover_slots_max: Option<u64>,
}
