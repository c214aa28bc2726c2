//! The manifest of a run: a network, its load, how it is hurt, and what must hold afterwards.
//!
//! Source of the form: testing.md, "One manifest, three worlds". Unknown keys are refused with the nearest known one.

mod parts;
mod perturbation;
mod quantity;
pub mod random;
#[cfg(test)]
mod tests;

pub use parts::{Expect, GenesisPart, KillLoop, LinkPart, LoadPart, Mode, NetPart, NodePart, Via};
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
