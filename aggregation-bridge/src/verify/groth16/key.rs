//! A Groth16 verifying key, checked and prepared for many proofs.

use crate::limits::{FIELD_INPUTS_MAX, KEY_BYTES_MAX};
use crate::verify::bytes::Reader;
use crate::verify::curve::{Curve, SCALAR_BYTES, number};
use crate::verify::verdict::{Part, Reason};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_groth16::{PreparedVerifyingKey, VerifyingKey, prepare_verifying_key};
use rota_types::{Hash, keccak256};

/// A key whose points were all checked, with what many proofs share.
#[derive(Clone, Debug)]
pub(crate) struct Key<E: Curve> {
    /// keccak256 of the key's bytes: which proofs of a batch share it.
    pub(crate) id: Hash,
    pub(crate) prepared: PreparedVerifyingKey<E>,
    /// Lines of −β, for a combination of proofs of several keys.
    pub(crate) beta_negated: E::G2Prepared,
}

impl<E: Curve> Key<E> {
    /// Reads a key; every point is canonical, on the curve, in the subgroup and not infinity.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Reason> {
        let fixed = E::G1_BYTES + 3 * E::G2_BYTES;
        let points = bytes.len().saturating_sub(fixed) / E::G1_BYTES;
        let exact = bytes.len() == fixed + points * E::G1_BYTES;
        if bytes.len() > KEY_BYTES_MAX || !exact || points == 0 || points > FIELD_INPUTS_MAX + 1 {
            return Err(Reason::KeyLength);
        }
        let fault = |fault| Part::Key.reason(fault);
        let mut reader = Reader(bytes);
        let mut take = |count| reader.take(count).ok_or(Reason::KeyLength);
        let key: VerifyingKey<E> = VerifyingKey {
            alpha_g1: E::g1(take(E::G1_BYTES)?).map_err(fault)?,
            beta_g2: E::g2(take(E::G2_BYTES)?).map_err(fault)?,
            gamma_g2: E::g2(take(E::G2_BYTES)?).map_err(fault)?,
            delta_g2: E::g2(take(E::G2_BYTES)?).map_err(fault)?,
            gamma_abc_g1: (0..points)
                .map(|_| E::g1(take(E::G1_BYTES)?).map_err(fault))
                .collect::<Result<_, _>>()?,
        };
        let beta_negated: E::G2Affine = (-key.beta_g2.into_group()).into_affine();
        Ok(Self {
            id: keccak256(bytes),
            prepared: prepare_verifying_key(&key),
            beta_negated: beta_negated.into(),
        })
    }

    /// How many inputs a proof of this key has.
    pub(crate) const fn inputs(&self) -> usize {
        self.prepared.vk.gamma_abc_g1.len().saturating_sub(1)
    }

    /// The constant's point plus every input's times that input.
    pub(crate) fn combine(&self, inputs: &[E::ScalarField]) -> E::G1 {
        let points = &self.prepared.vk.gamma_abc_g1;
        let (Some(constant), Some(bases)) = (points.first(), points.get(1..)) else {
            return E::G1::default();
        };
        E::G1::msm_unchecked(bases, inputs) + *constant
    }
}

/// Inputs of 32 bytes each.
pub(crate) fn inputs_of<E: Curve>(bytes: &[u8]) -> Result<Vec<E::ScalarField>, Reason> {
    if bytes.len() > FIELD_INPUTS_MAX * SCALAR_BYTES {
        return Err(Reason::SurplusInputs);
    }
    let pieces = bytes.chunks_exact(SCALAR_BYTES);
    if !pieces.remainder().is_empty() {
        return Err(Reason::MissingInputs);
    }
    pieces.map(|piece| number(piece).map_err(|fault| Part::Inputs.reason(fault))).collect()
}
