//! Groth16 on BN254 with one Pedersen commitment, as gnark makes it when a circuit commits to witnesses.
//!
//! The hash of the commitment (and of the public inputs that it covers) is one more public input, and the
//! commitment itself is added to the inputs' sum; a proof of knowledge shows that it commits to the
//! circuit's own wires. Keys: hash u8 ‖ P, Q (G2) ‖ count u16 ‖ count × index u16 ‖ Groth16 key, with
//! e(commitment, P) · e(knowledge, Q) = 1. Proofs: Groth16 proof ‖ commitment ‖ knowledge.
//!
//! Source: gnark's verifier (`backend/groth16/bn254/verify.go`) and Pedersen package of gnark-crypto.

use super::{Key, read_proof};
use crate::limits::COMMITTED_INPUTS_MAX;
use crate::verify::bytes::Reader;
use crate::verify::curve::{Curve, number_bytes};
use crate::verify::hash_to_field::hash_to_field;
use crate::verify::verdict::{Part, Reason};
use ark_bn254::{Bn254, Fr};
use ark_ec::pairing::Pairing;
use ark_ff::{One, PrimeField};
use ark_groth16::{Groth16, Proof};
use rota_types::keccak256;
use std::sync::Arc;

type G1 = <Bn254 as Pairing>::G1Affine;
type Lines = <Bn254 as Pairing>::G2Prepared;

/// Domain of gnark's default hash of a commitment.
const COMMITMENT_TAG: &str = "bsb22-commitment";

/// How a prover hashes its commitment to a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CommitmentHash {
    /// gnark's default: `hash_to_field` over SHA-256.
    Sha256 = 1,
    /// For Solidity verifiers: keccak256, reduced.
    Keccak256 = 2,
}

/// A key of a circuit with one commitment.
#[derive(Clone, Debug)]
pub(crate) struct CommittedKey {
    hash: CommitmentHash,
    /// Lines paired with the commitment and with the proof of knowledge.
    lines: [Lines; 2],
    /// Public inputs that the commitment covers, counted from 0.
    covered: Vec<usize>,
    key: Key<Bn254>,
}

impl CommittedKey {
    /// Reads a key.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Reason> {
        let mut reader = Reader(bytes);
        let hash = match reader.array() {
            Some([1]) => CommitmentHash::Sha256,
            Some([2]) => CommitmentHash::Keccak256,
            Some(_) => return Err(Reason::KeyParameters),
            None => return Err(Reason::KeyLength),
        };
        let mut line = || {
            let bytes = reader.take(Bn254::G2_BYTES).ok_or(Reason::KeyLength)?;
            Bn254::g2(bytes).map(Lines::from).map_err(|fault| Part::Key.reason(fault))
        };
        let lines = [line()?, line()?];
        let count: usize = reader.array().map(u16::from_be_bytes).ok_or(Reason::KeyLength)?.into();
        if count > COMMITTED_INPUTS_MAX {
            return Err(Reason::KeyLength);
        }
        let covered: Vec<usize> = (0..count)
            .map(|_| reader.array().map(|index| u16::from_be_bytes(index).into()))
            .collect::<Option<_>>()
            .ok_or(Reason::KeyLength)?;
        let key = Key::read(reader.0)?;
        let public = key.inputs().checked_sub(1).ok_or(Reason::KeyLength)?;
        if covered.iter().any(|index| *index >= public) {
            return Err(Reason::KeyParameters);
        }
        Ok(Self { hash, lines, covered, key })
    }

    fn challenge(&self, commitment: &[u8], inputs: &[Fr]) -> Fr {
        let covered = self.covered.iter().filter_map(|index| inputs.get(*index));
        let message = [commitment.to_vec()].into_iter().chain(covered.map(number_bytes));
        let message = message.collect::<Vec<_>>().concat();
        match self.hash {
            CommitmentHash::Sha256 => hash_to_field(&message, COMMITMENT_TAG),
            CommitmentHash::Keccak256 => Fr::from_be_bytes_mod_order(&keccak256(&message).0),
        }
    }
}

/// A proof with its commitment, read and well formed.
#[derive(Clone, Debug)]
pub(crate) struct CommittedStatement {
    key: Arc<CommittedKey>,
    /// The key's inputs, the commitment's hash last.
    inputs: Vec<Fr>,
    proof: Proof<Bn254>,
    commitment: G1,
    knowledge: G1,
}

impl CommittedStatement {
    /// Joins a key with inputs and a proof's bytes.
    pub(crate) fn read(
        key: Arc<CommittedKey>,
        mut inputs: Vec<Fr>,
        proof: &[u8],
    ) -> Result<Self, Reason> {
        let wanted = key.key.inputs().saturating_sub(1);
        if inputs.len() < wanted {
            return Err(Reason::MissingInputs);
        }
        if inputs.len() > wanted {
            return Err(Reason::SurplusInputs);
        }
        let mut reader = Reader(proof);
        let groth16 = 2 * Bn254::G1_BYTES + Bn254::G2_BYTES;
        let groth16 = reader.take(groth16).ok_or(Reason::ProofLength)?;
        let commitment = reader.take(Bn254::G1_BYTES).ok_or(Reason::ProofLength)?;
        let knowledge = reader.take(Bn254::G1_BYTES).ok_or(Reason::ProofLength)?;
        if !reader.is_empty() {
            return Err(Reason::ProofLength);
        }
        let proof = read_proof(groth16)?;
        let fault = |fault| Part::Proof.reason(fault);
        inputs.push(key.challenge(commitment, &inputs));
        Ok(Self {
            commitment: Bn254::g1(commitment).map_err(fault)?,
            knowledge: Bn254::g1(knowledge).map_err(fault)?,
            key,
            inputs,
            proof,
        })
    }

    /// Checks the proof of knowledge, then the pairing equation.
    pub(crate) fn check(&self) -> Result<(), Reason> {
        let lines = self.key.lines.iter().cloned();
        let product = Bn254::multi_miller_loop([self.commitment, self.knowledge], lines);
        if !Bn254::final_exponentiation(product).is_some_and(|output| output.0.is_one()) {
            return Err(Reason::Commitment);
        }
        let combined = self.key.key.combine(&self.inputs) + self.commitment;
        let key = &self.key.key.prepared;
        match Groth16::<Bn254>::verify_proof_with_prepared_inputs(key, &self.proof, &combined) {
            Ok(true) => Ok(()),
            _ => Err(Reason::Equation),
        }
    }
}
