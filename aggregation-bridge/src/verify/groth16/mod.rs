//! Groth16 on BN254 and BLS12-381.
//!
//! Form of the bytes (coordinates as in [`curve`](super::curve)): a key is α (G1) ‖ β, γ, δ (G2) ‖ one G1 point for
//! the constant and one for every input; a proof is A (G1) ‖ B (G2) ‖ C (G1); inputs are scalars of 32 bytes,
//! big-endian. Other projects' forms are brought into this one by [`file`](super::file).

pub(crate) mod batch;
pub(crate) mod committed;
mod key;

pub(crate) use key::{Key, inputs_of};

use super::bytes::Reader;
use super::curve::Curve;
use super::verdict::{Part, Reason};
use ark_groth16::{Groth16, Proof};
use std::sync::Arc;

/// A proof with all that it is checked against, read and well formed.
#[derive(Clone, Debug)]
pub(crate) struct Statement<E: Curve> {
    pub(crate) key: Arc<Key<E>>,
    /// As many as the key asks for.
    pub(crate) inputs: Vec<E::ScalarField>,
    pub(crate) proof: Proof<E>,
}

impl<E: Curve> Statement<E> {
    /// Joins a key with inputs and a proof's bytes.
    pub(crate) fn read(
        key: Arc<Key<E>>,
        inputs: Vec<E::ScalarField>,
        proof: &[u8],
    ) -> Result<Self, Reason> {
        let wanted = key.inputs();
        if inputs.len() < wanted {
            return Err(Reason::MissingInputs);
        }
        if inputs.len() > wanted {
            return Err(Reason::SurplusInputs);
        }
        Ok(Self { proof: read_proof::<E>(proof)?, key, inputs })
    }

    /// Whether the pairing equation holds.
    pub(crate) fn holds(&self) -> bool {
        let combined = self.key.combine(&self.inputs);
        Groth16::<E>::verify_proof_with_prepared_inputs(&self.key.prepared, &self.proof, &combined)
            .unwrap_or(false)
    }
}

/// Reads a proof of exactly the right length.
pub(crate) fn read_proof<E: Curve>(bytes: &[u8]) -> Result<Proof<E>, Reason> {
    if bytes.len() != 2 * E::G1_BYTES + E::G2_BYTES {
        return Err(Reason::ProofLength);
    }
    let fault = |fault| Part::Proof.reason(fault);
    let mut reader = Reader(bytes);
    let mut take = |count| reader.take(count).ok_or(Reason::ProofLength);
    let (a, b, c) = (take(E::G1_BYTES)?, take(E::G2_BYTES)?, take(E::G1_BYTES)?);
    Ok(Proof {
        a: E::g1(a).map_err(fault)?,
        b: E::g2(b).map_err(fault)?,
        c: E::g1(c).map_err(fault)?,
    })
}
