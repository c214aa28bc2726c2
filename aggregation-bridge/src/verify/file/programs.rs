//! JSON of SP1's and RISC Zero's proofs, as their projects' own tests keep them.

use super::text::{hexadecimal, json};
use super::{FileError, ProofFile};
use crate::verify::{System, sp1};
use serde::Deserialize;

#[derive(Deserialize)]
struct Sp1Proof {
    #[serde(rename = "publicValues", alias = "PUBLIC_VALUES")]
    public_values: String,
    #[serde(alias = "PROOF_VALID", alias = "PROOF_BYTES")]
    proof: String,
}

#[derive(Deserialize)]
struct Risc0Proof {
    #[serde(alias = "SEAL")]
    seal: String,
    #[serde(alias = "JOURNAL")]
    journal: String,
}

#[derive(Deserialize)]
struct Program {
    #[serde(
        alias = "vkey",
        alias = "PROGRAM_VKEY",
        alias = "image_id",
        alias = "imageId",
        alias = "IMAGE_ID"
    )]
    id: String,
}

/// A program's hash: 32 bytes, their hexadecimal form, or JSON that names it.
fn program(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    if bytes.len() == 32 {
        return Ok(bytes.to_vec());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| FileError::Number(32))?;
    if text.trim_start().starts_with('{') {
        return hexadecimal(&json::<Program>("key", bytes)?.id);
    }
    hexadecimal(text)
}

fn selector(proof: &[u8]) -> Result<u32, FileError> {
    let head = proof.first_chunk().ok_or(FileError::Length("proof"))?;
    Ok(u32::from_be_bytes(*head))
}

/// Reads a proof of SP1. An unknown selector is taken for Groth16: the verdict names it.
pub(super) fn sp1(proof: &[u8], key: &[u8]) -> Result<ProofFile, FileError> {
    let file: Sp1Proof = json("proof", proof)?;
    let proof = hexadecimal(&file.proof)?;
    let release = selector(&proof)?;
    let plonk = sp1::PLONK.iter().any(|entry| entry.selector == release);
    Ok(ProofFile {
        system: if plonk { System::Sp1Plonk } else { System::Sp1Groth16 },
        release,
        key: program(key)?,
        inputs: hexadecimal(&file.public_values)?,
        proof,
    })
}

/// Reads a seal of RISC Zero.
pub(super) fn risc0(proof: &[u8], key: &[u8]) -> Result<ProofFile, FileError> {
    let file: Risc0Proof = json("proof", proof)?;
    let proof = hexadecimal(&file.seal)?;
    Ok(ProofFile {
        system: System::Risc0Groth16,
        release: selector(&proof)?,
        key: program(key)?,
        inputs: hexadecimal(&file.journal)?,
        proof,
    })
}
