//! The manifest of a run: a network, its load, how it is hurt, and what must hold afterwards.
//!
//! Source of the form: testing.md, "One manifest, three worlds". Unknown keys are refused with the nearest known one.

mod perturbation;
mod quantity;
pub mod random;
#[cfg(test)]
mod tests;

pub use perturbation::{Kind, Perturbation, Sides, Spot, Target};
pub use quantity::{Duration, Rate};

use crate::error::TestnetError;
use crate::limits::{MANIFEST_BYTES_MAX, NODES_MAX, PERTURBATIONS_MAX};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Byzantine roles, named for the crime; which of them a world can play it says itself.
pub const ROLES: [&str; 11] = [
    "equivocate_votes",
    "equivocate_batches",
    "omit",
    "silent",
    "withhold",
    "amnesia",
    "ack_unstored",
    "break_receipt",
    "stale_parent",
    "garbage",
    "flood",
];

/// A whole manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Seeds load, kill loop and everything else that is drawn.
    #[serde(default)]
    pub seed: u64,
    /// The network.
    pub genesis: GenesisPart,
    /// Properties of every link; only worlds that can shape links obey.
    #[serde(default)]
    pub link: Option<LinkPart>,
    /// What is sent.
    #[serde(default)]
    pub load: LoadPart,
    /// Nodes with something special.
    #[serde(default)]
    pub node: BTreeMap<String, NodePart>,
    /// What happens to all.
    #[serde(default)]
    pub net: NetPart,
    /// What must hold; zeros where nothing is said.
    #[serde(default)]
    pub expect: Expect,
}

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

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// If it cannot be read or says what cannot be.
    pub fn read(path: &Path) -> Result<Self, TestnetError> {
        let size = std::fs::metadata(path).map_err(TestnetError::file(path))?.len();
        if size > MANIFEST_BYTES_MAX {
            return Err(TestnetError::manifest(format!("more than {MANIFEST_BYTES_MAX} bytes")));
        }
        Self::parse(&std::fs::read_to_string(path).map_err(TestnetError::file(path))?)
    }

    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &str) -> Result<Self, TestnetError> {
        let manifest: Self = toml::from_str(text).map_err(|error| {
            let cause = error.to_string();
            TestnetError::Manifest { hint: nearest_key(&cause), cause }
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), TestnetError> {
        let n = self.genesis.validators;
        let total = n.saturating_add(self.full_nodes().count());
        if n == 0 || total > NODES_MAX {
            return Err(TestnetError::manifest(format!("1 to {NODES_MAX} nodes, found {total}")));
        }
        if self.load.tx_bytes < 24 || self.load.tx_bytes > 100_000 {
            return Err(TestnetError::manifest("load.tx_bytes must be 24 to 100000"));
        }
        if self.load.rollups == 0 || self.load.rollups > 1_000 || self.load.via.is_empty() {
            return Err(TestnetError::manifest("load needs 1 to 1000 rollups and a door (via)"));
        }
        let validators = self.validators();
        for (name, node) in &self.node {
            if node.mode == Mode::Validator && !validators.contains(name) {
                let hint = format!("validators are v1 to v{n}; `mode = \"full\"` adds a node");
                let cause = format!("node.{name} is no validator of this network");
                return Err(TestnetError::Manifest { cause, hint: Some(hint) });
            }
        }
        let all = self.perturbations()?;
        if all.len() > PERTURBATIONS_MAX {
            let cause = format!("{} perturbations are too many", all.len());
            return Err(TestnetError::manifest(cause));
        }
        let names = self.names();
        if let Some(unknown) = all.iter().flat_map(Perturbation::named).find(|n| !names.contains(n))
        {
            let cause = format!("a partition names {unknown}, which is no node of this network");
            return Err(TestnetError::Manifest { cause, hint: Some(names.join(", ")) });
        }
        self.check_roles()
    }

    fn check_roles(&self) -> Result<(), TestnetError> {
        for (name, node) in &self.node {
            if node.mode == Mode::Full && !node.byzantine.is_empty() {
                let cause = format!("node.{name} is no validator and cannot be Byzantine");
                return Err(TestnetError::manifest(cause));
            }
            for (role, share) in &node.byzantine {
                if !ROLES.contains(&role.as_str()) || !(0.0..=1.0).contains(share) {
                    return Err(TestnetError::Manifest {
                        cause: format!("node.{name}: no Byzantine role {role} = {share}"),
                        hint: Some(format!("a share of 0 to 1 of one of {}", ROLES.join(", "))),
                    });
                }
            }
        }
        Ok(())
    }

    /// Names of all nodes, validators first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = self.validators();
        names.extend(self.full_nodes().map(|(name, _)| name.clone()));
        names
    }

    /// Names of nodes with a Byzantine role.
    #[must_use]
    pub fn byzantine(&self) -> Vec<String> {
        let lying = self.node.iter().filter(|(_, node)| !node.byzantine.is_empty());
        lying.map(|(name, _)| name.clone()).collect()
    }

    /// What happens to a node by name, or to all.
    ///
    /// # Errors
    /// As [`Self::perturbations`].
    pub fn happens_to(
        &self,
        name: &str,
        what: impl Fn(&Kind) -> bool,
    ) -> Result<bool, TestnetError> {
        Ok(self.perturbations()?.iter().any(|perturbation| {
            let here = match &perturbation.target {
                Target::Node(node) => node == name,
                Target::All => true,
            };
            here && what(&perturbation.kind)
        }))
    }

    /// Names of the validators.
    #[must_use]
    pub fn validators(&self) -> Vec<String> {
        (1..=self.genesis.validators).map(|i| format!("v{i}")).collect()
    }

    /// Full nodes with what is said about them.
    pub fn full_nodes(&self) -> impl Iterator<Item = (&String, &NodePart)> {
        self.node.iter().filter(|(_, node)| node.mode == Mode::Full)
    }

    /// Everything that happens, by slot.
    ///
    /// # Errors
    /// An unknown perturbation, with the nearest known one.
    pub fn perturbations(&self) -> Result<Vec<Perturbation>, TestnetError> {
        let mut all = Vec::new();
        for (name, node) in &self.node {
            for text in &node.perturb {
                all.push(Perturbation::parse(text, Target::Node(name.clone()))?);
            }
        }
        for text in &self.net.perturb {
            all.push(Perturbation::parse(text, Target::All)?);
        }
        all.sort_by_key(|p| p.at);
        Ok(all)
    }
}

/// From serde's "unknown field `x`, expected one of `a`, `b`": the known key nearest to `x`.
fn nearest_key(cause: &str) -> Option<String> {
    let mut quoted = cause.split("unknown field `").nth(1)?.split('`').step_by(2);
    let wrong = quoted.next()?;
    let known = cause.split("unknown field `").nth(1)?.split('`').skip(2).step_by(2);
    nearest(wrong, known).map(|key| format!("did you mean `{key}`?"))
}

/// The most similar of `known` words, if one is similar at all.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(wrong, word), word))
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
