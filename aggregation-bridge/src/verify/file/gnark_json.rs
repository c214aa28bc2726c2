//! gnark's Groth16 on BN254 as Go marshals its structures to JSON.

use super::FileError;
use super::gnark::{Groth16Parts, Pedersen};
use super::text::{Number, json};
use crate::limits::FIELD_INPUTS_MAX;
use crate::verify::curve::SCALAR_BYTES;
use serde::Deserialize;

const WIDTH: usize = 32;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct First {
    x: Number,
    y: Number,
}

impl First {
    fn bytes(&self) -> Result<Vec<u8>, FileError> {
        Ok([self.x.bytes(WIDTH)?, self.y.bytes(WIDTH)?].concat())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Extension {
    a0: Number,
    a1: Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Second {
    x: Extension,
    y: Extension,
}

impl Second {
    fn bytes(&self) -> Result<Vec<u8>, FileError> {
        let parts = [&self.x.a1, &self.x.a0, &self.y.a1, &self.y.a0];
        let parts = parts.into_iter().map(|part| part.bytes(WIDTH));
        Ok(parts.collect::<Result<Vec<_>, _>>()?.concat())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Proof {
    ar: First,
    bs: Second,
    krs: First,
    #[serde(default)]
    commitments: Vec<First>,
    commitment_pok: Option<First>,
}

#[derive(Deserialize)]
struct Key {
    #[serde(rename = "G1")]
    first: KeyFirst,
    #[serde(rename = "G2")]
    second: KeySecond,
    #[serde(rename = "CommitmentKey")]
    commitment: Option<CommitmentKey>,
    #[serde(rename = "CommitmentKeys", default)]
    commitments: Vec<CommitmentKey>,
    #[serde(rename = "PublicAndCommitmentCommitted", default)]
    committed: Vec<Vec<u16>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyFirst {
    alpha: First,
    k: Vec<First>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeySecond {
    beta: Second,
    gamma: Second,
    delta: Second,
}

#[derive(Deserialize)]
struct CommitmentKey {
    #[serde(rename = "G")]
    generator: Second,
    /// Of versions before 0.10: paired with the proof of knowledge.
    #[serde(rename = "GRootSigmaNeg")]
    root: Option<Second>,
    /// Of later versions: paired with the commitment.
    #[serde(rename = "GSigmaNeg")]
    sigma: Option<Second>,
}

impl CommitmentKey {
    /// What is paired with the commitment, then with the proof of knowledge.
    fn pair(&self) -> Result<Vec<u8>, FileError> {
        let generator = self.generator.bytes()?;
        match (&self.root, &self.sigma) {
            (Some(root), None) => Ok([generator, root.bytes()?].concat()),
            (None, Some(sigma)) => Ok([sigma.bytes()?, generator].concat()),
            _ => Err(FileError::Unsupported("a commitment key without its second point")),
        }
    }
}

/// Reads a proof's and a key's JSON.
pub(super) fn parts(proof: &[u8], key: &[u8]) -> Result<Groth16Parts, FileError> {
    let proof: Proof = json("proof", proof)?;
    let key: Key = json("key", key)?;
    let mut key_bytes = key.first.alpha.bytes()?;
    for point in [&key.second.beta, &key.second.gamma, &key.second.delta] {
        key_bytes.extend(point.bytes()?);
    }
    for point in key.first.k.iter().take(FIELD_INPUTS_MAX + 2) {
        key_bytes.extend(point.bytes()?);
    }
    let commitments = proof.commitments.iter().map(First::bytes).collect::<Result<Vec<_>, _>>()?;
    let knowledge = proof.commitment_pok.as_ref().map(First::bytes).transpose()?;
    let mut pairs = key.commitments;
    pairs.extend(key.commitment);
    let pair = if key.committed.is_empty() {
        Vec::new()
    } else {
        pairs.first().map(CommitmentKey::pair).transpose()?.unwrap_or_default()
    };
    Ok(Groth16Parts {
        key: key_bytes,
        proof: [proof.ar.bytes()?, proof.bs.bytes()?, proof.krs.bytes()?].concat(),
        pedersen: Pedersen {
            pair,
            covered: key.committed,
            commitments,
            knowledge: knowledge.unwrap_or_default(),
        },
    })
}

/// Reads a list of numbers.
pub(super) fn inputs(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let numbers: Vec<Number> = json("inputs", bytes)?;
    let numbers = numbers.iter().take(FIELD_INPUTS_MAX + 1);
    let numbers = numbers.map(|number| number.bytes(SCALAR_BYTES));
    Ok(numbers.collect::<Result<Vec<_>, _>>()?.concat())
}
