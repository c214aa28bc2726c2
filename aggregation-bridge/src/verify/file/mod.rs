//! Proof files of other projects, brought into the one form of their system.
//!
//! A file says what its project's tools write: [`read`] takes the proof, the key and (where they stand apart) the
//! public inputs, and gives one [`ProofFile`] for each proof. Numbers are not reduced and points are not checked here:
//! that is the verifier's part, so that a hostile file is refused for the same reason at every door.

mod arkworks;
mod gnark;
mod gnark_json;
mod programs;
mod snarkjs;
mod text;

use super::{PreparedKeys, Submission, System, Verdict, verify};
use crate::limits::{FILE_BYTES_MAX, FILE_PROOFS_MAX};

/// Who wrote a file, by the name that the command line takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// snarkjs' JSON: Groth16 on BN254 or BLS12-381, Plonk on BN254, as the file itself says. Proofs: `{proof,
    /// publicSignals}`, a list of them, or a bare proof with its inputs apart.
    Snarkjs,
    /// gnark's Groth16 on BN254, binary or JSON, its commitments hashed by SHA-256 (gnark's default).
    GnarkGroth16,
    /// The same with commitments hashed by keccak256.
    GnarkGroth16Keccak,
    /// gnark's Plonk on BN254, binary.
    GnarkPlonkBn254,
    /// gnark's Plonk on BLS12-381, binary.
    GnarkPlonkBls12381,
    /// arkworks' canonical encoding of Groth16 on BN254, compressed or not; inputs of 32 bytes, little-endian.
    ArkworksBn254,
    /// The same on BLS12-381.
    ArkworksBls12381,
    /// SP1: JSON with `vkey`, `publicValues` and `proof`; Groth16 or Plonk, as the selector says. The key is the
    /// program's hash: 32 bytes, their hexadecimal form, or a JSON file with `vkey`.
    Sp1,
    /// RISC Zero: JSON with `seal` and `journal`. The key is the image id, as above with `image_id`.
    Risc0,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Snarkjs,
        Self::GnarkGroth16,
        Self::GnarkGroth16Keccak,
        Self::GnarkPlonkBn254,
        Self::GnarkPlonkBls12381,
        Self::ArkworksBn254,
        Self::ArkworksBls12381,
        Self::Sp1,
        Self::Risc0,
    ];

    /// The name that the command line takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snarkjs => "snarkjs",
            Self::GnarkGroth16 => "gnark-groth16",
            Self::GnarkGroth16Keccak => "gnark-groth16-keccak",
            Self::GnarkPlonkBn254 => "gnark-plonk-bn254",
            Self::GnarkPlonkBls12381 => "gnark-plonk-bls12-381",
            Self::ArkworksBn254 => "arkworks-bn254",
            Self::ArkworksBls12381 => "arkworks-bls12-381",
            Self::Sp1 => "sp1",
            Self::Risc0 => "risc0",
        }
    }

    /// The source of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// One proof with its key and inputs, in the form that is submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// Which system.
    pub system: System,
    /// Which release of it; 0 where the key says all.
    pub release: u32,
    /// The key's bytes.
    pub key: Vec<u8>,
    /// The inputs' bytes.
    pub inputs: Vec<u8>,
    /// The proof's bytes.
    pub proof: Vec<u8>,
}

impl ProofFile {
    /// What [`verify`] takes.
    #[must_use]
    pub fn submission(&self) -> Submission<'_> {
        Submission {
            system: self.system,
            release: self.release,
            key: &self.key,
            inputs: &self.inputs,
            proof: &self.proof,
        }
    }

    /// The verdict on it.
    #[must_use]
    pub fn verify(&self) -> Verdict {
        verify(&self.submission(), &mut PreparedKeys::new())
    }
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file is longer than [`FILE_BYTES_MAX`].
    #[error("the {0} file is longer than {FILE_BYTES_MAX} bytes")]
    TooLong(&'static str),
    /// More proofs than [`FILE_PROOFS_MAX`].
    #[error("more than {FILE_PROOFS_MAX} proofs in one file: split it")]
    TooManyProofs,
    /// The text is not the JSON that the source writes.
    #[error("the {part} file is not this source's JSON: {reason}")]
    Json {
        /// Which file.
        part: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// A number is none, or wider than its field's bytes.
    #[error("not a number of at most {0} bytes")]
    Number(usize),
    /// A binary file is longer or shorter than what it announces.
    #[error("the {0} file's length is not what it announces")]
    Length(&'static str),
    /// A point of a binary file has no encoding of the source, or lies on no curve.
    #[error("a point in the {0} file is not encoded as this source does it")]
    Point(&'static str),
    /// The proof's public inputs stand in another file, which was not given.
    #[error("no public inputs: give the file that holds them")]
    NoInputs,
    /// A curve, protocol or option that no verifier here knows.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
}

/// Reads the proofs of a file.
///
/// # Errors
/// [`FileError`], which says what to do.
pub fn read(
    source: Source,
    proof: &[u8],
    key: &[u8],
    inputs: Option<&[u8]>,
) -> Result<Vec<ProofFile>, FileError> {
    for (part, bytes) in [("proof", proof), ("key", key), ("inputs", inputs.unwrap_or_default())] {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(FileError::TooLong(part));
        }
    }
    match source {
        Source::Snarkjs => snarkjs::read(proof, key, inputs),
        Source::GnarkGroth16 => gnark::groth16(proof, key, inputs, gnark::SHA256).map(one),
        Source::GnarkGroth16Keccak => gnark::groth16(proof, key, inputs, gnark::KECCAK256).map(one),
        Source::GnarkPlonkBn254 => {
            gnark::plonk::<ark_bn254::Bn254>(System::GnarkPlonkBn254, proof, key, inputs).map(one)
        }
        Source::GnarkPlonkBls12381 => {
            let system = System::GnarkPlonkBls12381;
            gnark::plonk::<ark_bls12_381::Bls12_381>(system, proof, key, inputs).map(one)
        }
        Source::ArkworksBn254 => {
            arkworks::read::<ark_bn254::Bn254>(System::Groth16Bn254, proof, key, inputs).map(one)
        }
        Source::ArkworksBls12381 => {
            let system = System::Groth16Bls12381;
            arkworks::read::<ark_bls12_381::Bls12_381>(system, proof, key, inputs).map(one)
        }
        Source::Sp1 => programs::sp1(proof, key).map(one),
        Source::Risc0 => programs::risc0(proof, key).map(one),
    }
}

fn one(file: ProofFile) -> Vec<ProofFile> {
    vec![file]
}
