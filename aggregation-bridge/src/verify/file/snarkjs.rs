//! snarkjs' JSON of proofs, public signals and verification keys.

use super::text::{json, number};
use super::{FileError, ProofFile};
use crate::limits::{FIELD_INPUTS_MAX, FILE_PROOFS_MAX};
use crate::verify::System;
use crate::verify::curve::SCALAR_BYTES;
use serde::Deserialize;

/// `[x, y, z]` with z 1, or 0 for infinity.
type First = Vec<String>;
/// `[[x₀, x₁], [y₀, y₁], [z₀, z₁]]`.
type Second = Vec<Vec<String>>;

#[derive(Deserialize)]
#[serde(tag = "protocol", rename_all = "lowercase")]
enum Key {
    Groth16(Groth16Key),
    Plonk(Box<PlonkKey>),
    Fflonk {},
}

#[derive(Deserialize)]
struct Groth16Key {
    curve: String,
    vk_alpha_1: First,
    vk_beta_2: Second,
    vk_gamma_2: Second,
    vk_delta_2: Second,
    #[serde(rename = "IC")]
    inputs: Vec<First>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PlonkKey {
    #[serde(rename = "curve")]
    curve: String,
    #[serde(rename = "nPublic")]
    inputs: u16,
    #[serde(rename = "power")]
    bits: u8,
    #[serde(rename = "k1")]
    k1: String,
    #[serde(rename = "k2")]
    k2: String,
    qm: First,
    ql: First,
    qr: First,
    qo: First,
    qc: First,
    s1: First,
    s2: First,
    s3: First,
    #[serde(rename = "X_2")]
    secret: Second,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Proof {
    Groth16 { pi_a: First, pi_b: Second, pi_c: First },
    Plonk(Box<PlonkProof>),
}

#[derive(Deserialize)]
struct PlonkProof {
    #[serde(rename = "A")]
    a: First,
    #[serde(rename = "B")]
    b: First,
    #[serde(rename = "C")]
    c: First,
    #[serde(rename = "Z")]
    z: First,
    #[serde(rename = "T1")]
    t1: First,
    #[serde(rename = "T2")]
    t2: First,
    #[serde(rename = "T3")]
    t3: First,
    #[serde(rename = "Wxi")]
    opening: First,
    #[serde(rename = "Wxiw")]
    opening_shifted: First,
    eval_a: String,
    eval_b: String,
    eval_c: String,
    eval_s1: String,
    eval_s2: String,
    eval_zw: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Many(Vec<Entry>),
    One(Entry),
    Bare(Proof),
}

#[derive(Deserialize)]
struct Entry {
    proof: Proof,
    #[serde(rename = "publicSignals")]
    signals: Vec<String>,
}

/// Reads every proof of a file under one key.
pub(super) fn read(
    proof: &[u8],
    key: &[u8],
    inputs: Option<&[u8]>,
) -> Result<Vec<ProofFile>, FileError> {
    let (system, width, key) = encode_key(&json("key", key)?)?;
    let entries = match json("proof", proof)? {
        File::Many(entries) => entries,
        File::One(entry) => vec![entry],
        File::Bare(proof) => {
            let signals = json("inputs", inputs.ok_or(FileError::NoInputs)?)?;
            vec![Entry { proof, signals }]
        }
    };
    if entries.len() > FILE_PROOFS_MAX {
        return Err(FileError::TooManyProofs);
    }
    let read = entries.iter().map(|entry| {
        Ok(ProofFile {
            system,
            release: 0,
            key: key.clone(),
            inputs: encode_signals(&entry.signals)?,
            proof: encode_proof(&entry.proof, width)?,
        })
    });
    read.collect()
}

fn encode_key(key: &Key) -> Result<(System, usize, Vec<u8>), FileError> {
    match key {
        Key::Groth16(key) => {
            let (system, width) = match key.curve.as_str() {
                "bn128" | "bn254" => (System::Groth16Bn254, 32),
                "bls12381" => (System::Groth16Bls12381, 48),
                _ => return Err(FileError::Unsupported("a curve other than bn128 and bls12381")),
            };
            let mut bytes = first(&key.vk_alpha_1, width)?;
            for point in [&key.vk_beta_2, &key.vk_gamma_2, &key.vk_delta_2] {
                bytes.extend(second(point, width)?);
            }
            for point in key.inputs.iter().take(FIELD_INPUTS_MAX + 2) {
                bytes.extend(first(point, width)?);
            }
            Ok((system, width, bytes))
        }
        Key::Plonk(key) if matches!(key.curve.as_str(), "bn128" | "bn254") => {
            let mut bytes = vec![key.bits];
            bytes.extend(key.inputs.to_be_bytes());
            bytes.extend(number(&key.k1, SCALAR_BYTES)?);
            bytes.extend(number(&key.k2, SCALAR_BYTES)?);
            let selectors = [&key.qm, &key.ql, &key.qr, &key.qo, &key.qc];
            for point in selectors.into_iter().chain([&key.s1, &key.s2, &key.s3]) {
                bytes.extend(first(point, 32)?);
            }
            bytes.extend(second(&key.secret, 32)?);
            Ok((System::SnarkjsPlonkBn254, 32, bytes))
        }
        Key::Plonk(_) => {
            Err(FileError::Unsupported("Plonk of snarkjs on a curve other than bn128"))
        }
        Key::Fflonk {} => Err(FileError::Unsupported("fflonk")),
    }
}

fn encode_proof(proof: &Proof, width: usize) -> Result<Vec<u8>, FileError> {
    match proof {
        Proof::Groth16 { pi_a, pi_b, pi_c } => {
            Ok([first(pi_a, width)?, second(pi_b, width)?, first(pi_c, width)?].concat())
        }
        Proof::Plonk(proof) => {
            let mut bytes = Vec::new();
            let quotient = [&proof.t1, &proof.t2, &proof.t3];
            let openings = [&proof.opening, &proof.opening_shifted];
            let points = [&proof.a, &proof.b, &proof.c, &proof.z].into_iter();
            for point in points.chain(quotient).chain(openings) {
                bytes.extend(first(point, width)?);
            }
            let wires = [&proof.eval_a, &proof.eval_b, &proof.eval_c];
            for value in wires.into_iter().chain([&proof.eval_s1, &proof.eval_s2, &proof.eval_zw]) {
                bytes.extend(number(value, SCALAR_BYTES)?);
            }
            Ok(bytes)
        }
    }
}

/// One more than the limit is kept, so that the verifier still sees too many.
fn encode_signals(signals: &[String]) -> Result<Vec<u8>, FileError> {
    let signals = signals.iter().take(FIELD_INPUTS_MAX + 1);
    let numbers = signals.map(|signal| number(signal, SCALAR_BYTES));
    Ok(numbers.collect::<Result<Vec<_>, _>>()?.concat())
}

fn first(point: &First, width: usize) -> Result<Vec<u8>, FileError> {
    match point.as_slice() {
        [_, _, z] if z == "0" => Ok(vec![0; 2 * width]),
        [x, y] => Ok([number(x, width)?, number(y, width)?].concat()),
        [x, y, z] if z == "1" => Ok([number(x, width)?, number(y, width)?].concat()),
        _ => Err(FileError::Point("JSON")),
    }
}

fn second(point: &Second, width: usize) -> Result<Vec<u8>, FileError> {
    let (x, y) = match point.as_slice() {
        [x, y] => (x, y),
        [_, _, z] if *z == ["0", "0"] => return Ok(vec![0; 4 * width]),
        [x, y, z] if *z == ["1", "0"] => (x, y),
        _ => return Err(FileError::Point("JSON")),
    };
    let mut bytes = Vec::with_capacity(4 * width);
    for pair in [x, y] {
        let [real, imaginary] = pair.as_slice() else { return Err(FileError::Point("JSON")) };
        bytes.extend(number(imaginary, width)?);
        bytes.extend(number(real, width)?);
    }
    Ok(bytes)
}
