//! gnark's Plonk, on either curve.
//!
//! A proof is [L] [R] [O] ‖ [H₀] [H₁] [H₂] ‖ l r o s₁ s₂ at ζ ‖ [Z] ‖ Z at ωζ ‖ two opening proofs ‖ each commitment's
//! selector at ζ ‖ each commitment: gnark's form for Solidity, as SP1 hands it out. In gnark's own file the value
//! of the linearised polynomial at ζ stands there too; here it comes first, and must be what follows from the rest.
//!
//! Source: gnark's verifier (`backend/plonk/bn254/verify.go`) and its KZG package; challenges are SHA-256 over a
//! name, the challenge before and what is bound. The two openings are combined by a coefficient that hangs
//! on all of them, so that the answer is the same everywhere.

use super::gnark_key::Key;
use super::{Points, pairs_hold};
use crate::verify::bytes::Reader;
use crate::verify::curve::{Curve, number_bytes};
use crate::verify::hash_to_field::hash_to_field;
use crate::verify::verdict::{Part, Reason};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{Field, One, PrimeField};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Domain of the hash that makes a commitment a public input.
const COMMITMENT_TAG: &str = "BSB22-Plonk";

/// Whether a proof names the linearised polynomial's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linearised {
    /// First, as in gnark's own file.
    Named,
    /// Left out: the form for Solidity.
    Computed,
}

/// A proof with all that it is checked against, read and well formed.
#[derive(Clone, Debug)]
pub(crate) struct Statement<E: Curve> {
    key: Arc<Key<E>>,
    inputs: Vec<E::ScalarField>,
    linearised: Option<E::ScalarField>,
    wires: [E::G1Affine; 3],
    quotient: [E::G1Affine; 3],
    /// l, r, o, s₁, s₂ at ζ.
    values: [E::ScalarField; 5],
    product: E::G1Affine,
    product_shifted: E::ScalarField,
    opening: E::G1Affine,
    opening_shifted: E::G1Affine,
    selector_values: Vec<E::ScalarField>,
    commitments: Vec<E::G1Affine>,
}

/// The five challenges that everything else is computed from.
struct Challenges<F> {
    gamma: F,
    beta: F,
    alpha: F,
    zeta: F,
}

impl<E: Curve> Statement<E> {
    /// Joins a key with inputs and a proof's bytes.
    pub(crate) fn read(
        key: Arc<Key<E>>,
        inputs: Vec<E::ScalarField>,
        proof: &[u8],
        linearised: Linearised,
    ) -> Result<Self, Reason> {
        if inputs.len() < key.inputs {
            return Err(Reason::MissingInputs);
        }
        if inputs.len() > key.inputs {
            return Err(Reason::SurplusInputs);
        }
        let mut points = Points { reader: Reader(proof), part: Part::Proof };
        let linearised = match linearised {
            Linearised::Named => Some(points.scalar()?),
            Linearised::Computed => None,
        };
        let mut three = || -> Result<_, Reason> {
            Ok([points.g1::<E>()?, points.g1::<E>()?, points.g1::<E>()?])
        };
        let (wires, quotient) = (three()?, three()?);
        let mut scalar = || points.scalar();
        let values = [scalar()?, scalar()?, scalar()?, scalar()?, scalar()?];
        let product = points.g1::<E>()?;
        let product_shifted = points.scalar()?;
        let (opening, opening_shifted) = (points.g1::<E>()?, points.g1::<E>()?);
        let count = key.commitments.len();
        let selector_values = (0..count).map(|_| points.scalar()).collect::<Result<_, _>>()?;
        let commitments = (0..count).map(|_| points.g1::<E>()).collect::<Result<_, _>>()?;
        points.end()?;
        Ok(Self {
            key,
            inputs,
            linearised,
            wires,
            quotient,
            values,
            product,
            product_shifted,
            opening,
            opening_shifted,
            selector_values,
            commitments,
        })
    }

    /// Whether all equations hold.
    pub(crate) fn holds(&self) -> bool {
        self.check().unwrap_or(false)
    }

    /// `None` where a challenge falls on the domain itself: no honest proof meets it.
    fn check(&self) -> Option<bool> {
        let challenges = self.challenges();
        let public = self.public_polynomial(challenges.zeta)?;
        let first = self.key.domain.lagrange(0, challenges.zeta)?;
        let constant = self.constant(&challenges, public, first);
        if self.linearised.is_some_and(|named| named != constant) {
            return Some(false);
        }
        let linearised = self.linearised_commitment(&challenges, first);
        Some(self.openings_hold(challenges.zeta, linearised, constant))
    }

    fn challenges(&self) -> Challenges<E::ScalarField> {
        let key = &self.key;
        let fixed = key.permutation.iter().chain(&key.selectors);
        let fixed = fixed.chain(key.commitments.iter().map(|(point, _)| point));
        let mut bound: Vec<u8> = fixed.flat_map(transcript_point::<E>).collect();
        bound.extend(self.inputs.iter().flat_map(number_bytes));
        bound.extend(self.wires.iter().flat_map(transcript_point::<E>));
        let gamma = challenge("gamma", &[], &bound);
        let beta = challenge("beta", &gamma, &[]);
        let bound = self.commitments.iter().chain([&self.product]);
        let bound: Vec<u8> = bound.flat_map(transcript_point::<E>).collect();
        let alpha = challenge("alpha", &beta, &bound);
        let bound: Vec<u8> = self.quotient.iter().flat_map(transcript_point::<E>).collect();
        let zeta = challenge("zeta", &alpha, &bound);
        let reduce = |bytes: [u8; 32]| E::ScalarField::from_be_bytes_mod_order(&bytes);
        Challenges {
            gamma: reduce(gamma),
            beta: reduce(beta),
            alpha: reduce(alpha),
            zeta: reduce(zeta),
        }
    }

    /// The polynomial of the public inputs at ζ, the hashes of the commitments among them.
    fn public_polynomial(&self, zeta: E::ScalarField) -> Option<E::ScalarField> {
        let domain = &self.key.domain;
        let mut sum = E::ScalarField::default();
        for (row, input) in (0..).zip(&self.inputs) {
            sum += domain.lagrange(row, zeta)? * input;
        }
        let after = u64::try_from(self.key.inputs).ok()?;
        for ((_, row), commitment) in self.key.commitments.iter().zip(&self.commitments) {
            let hash: E::ScalarField =
                hash_to_field(&transcript_point::<E>(commitment), COMMITMENT_TAG);
            sum += domain.lagrange(after + row, zeta)? * hash;
        }
        Some(sum)
    }

    /// What the linearised polynomial is at ζ if the circuit's equation holds there.
    fn constant(
        &self,
        challenges: &Challenges<E::ScalarField>,
        public: E::ScalarField,
        first: E::ScalarField,
    ) -> E::ScalarField {
        let Challenges { gamma, beta, alpha, .. } = *challenges;
        let [l, r, o, s1, s2] = self.values;
        let permuted = (l + beta * s1 + gamma) * (r + beta * s2 + gamma) * (o + gamma);
        alpha.square() * first - public - alpha * self.product_shifted * permuted
    }

    /// The commitment to the linearised polynomial.
    fn linearised_commitment(
        &self,
        challenges: &Challenges<E::ScalarField>,
        first: E::ScalarField,
    ) -> E::G1Affine {
        let Challenges { gamma, beta, alpha, zeta } = *challenges;
        let [l, r, o, s1, s2] = self.values;
        let shift = self.key.shift;
        let vanishing = self.key.domain.power(zeta) - E::ScalarField::one();
        let third = (l + beta * s1 + gamma) * (r + beta * s2 + gamma);
        let third = third * beta * alpha * self.product_shifted;
        let shifted = (l + beta * zeta + gamma)
            * (r + beta * shift * zeta + gamma)
            * (o + beta * shift.square() * zeta + gamma);
        let product = alpha.square() * first - alpha * shifted;
        let step = self.key.domain.power(zeta) * zeta.square();
        let [ql, qr, qm, qo, qk] = self.key.selectors;
        let [h0, h1, h2] = self.quotient;
        let [_, _, s3] = self.key.permutation;
        let mut points = vec![ql, qr, qm, qo, qk, s3, self.product, h0, h1, h2];
        let one = E::ScalarField::one();
        let mut scalars = vec![l, r, l * r, o, one, third, product];
        scalars.extend([-vanishing, -vanishing * step, -vanishing * step.square()]);
        points.extend(&self.commitments);
        scalars.extend(&self.selector_values);
        E::G1::msm_unchecked(&points, &scalars).into_affine()
    }

    /// Whether all values are those of the committed polynomials at ζ and ωζ.
    fn openings_hold(
        &self,
        zeta: E::ScalarField,
        linearised: E::G1Affine,
        constant: E::ScalarField,
    ) -> bool {
        let [l, r, o] = self.wires;
        let [s1, s2, _] = self.key.permutation;
        let mut digests = vec![linearised, l, r, o, s1, s2];
        digests.extend(self.key.commitments.iter().map(|(point, _)| *point));
        let values: Vec<_> =
            [constant].iter().chain(&self.values).chain(&self.selector_values).copied().collect();
        let mut bound = number_bytes(&zeta);
        bound.extend(digests.iter().flat_map(transcript_point::<E>));
        bound.extend(values.iter().flat_map(number_bytes));
        bound.extend(number_bytes(&self.product_shifted));
        let fold = challenge("gamma", &[], &bound);
        bound.extend(self.opening_points().iter().flat_map(transcript_point::<E>));
        let both = challenge("u", &fold, &bound);
        let fold = E::ScalarField::from_be_bytes_mod_order(&fold);
        let both = E::ScalarField::from_be_bytes_mod_order(&both);

        let powers =
            std::iter::successors(Some(E::ScalarField::one()), |power| Some(*power * fold));
        let powers: Vec<_> = powers.take(digests.len()).collect();
        let mut value: E::ScalarField = powers.iter().zip(&values).map(|(a, b)| *a * b).sum();
        value += both * self.product_shifted;
        let mut points = digests;
        let mut scalars = powers;
        points.extend(self.opening_points());
        points.push(self.key.generator);
        scalars.extend([both, zeta, both * zeta * self.key.domain.generator, -value]);
        let left = E::G1::msm_unchecked(&points, &scalars);
        let right = self.opening.into_group() + self.opening_shifted * both;
        let [generator, secret] = &self.key.lines;
        pairs_hold::<E>(left, right, generator, secret)
    }

    fn opening_points(&self) -> [E::G1Affine; 3] {
        [self.product, self.opening, self.opening_shifted]
    }
}

/// A challenge: SHA-256 of its name, the one before, and what is bound to it.
fn challenge(name: &str, before: &[u8], bound: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(name).chain_update(before).chain_update(bound).finalize().into()
}

/// A point as gnark writes it into a transcript: uncompressed; on BLS12-381 infinity has its flag.
fn transcript_point<E: Curve>(point: &E::G1Affine) -> Vec<u8> {
    let mut bytes = E::g1_bytes(point);
    if point.is_zero()
        && E::FLAGGED_INFINITY
        && let Some(first) = bytes.first_mut()
    {
        *first = 0x40;
    }
    bytes
}
