//! snarkjs' Plonk on BN254.
//!
//! Source: the protocol of "PLONK" (ePrint 2019/953) as snarkjs verifies it (`src/plonk_verify.js`, version 0.7):
//! challenges are keccak256 over points and numbers, reduced.

use super::{Domain, Points, pairs_hold};
use crate::limits::{FIELD_INPUTS_MAX, KEY_BYTES_MAX};
use crate::verify::bytes::Reader;
use crate::verify::curve::{Curve, number_bytes};
use crate::verify::verdict::{Part, Reason};
use ark_bn254::{Bn254, Fr};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, VariableBaseMSM};
use ark_ff::{FftField, Field, One, PrimeField, Zero};
use rota_types::keccak256;
use std::sync::Arc;

type G1 = <Bn254 as Pairing>::G1Affine;
type Lines = <Bn254 as Pairing>::G2Prepared;
type Projective = <Bn254 as Pairing>::G1;

/// One key, checked and prepared.
///
/// Bytes: domain bits u8 ‖ inputs u16 ‖ k1 ‖ k2 ‖ Qm Ql Qr Qo Qc S1 S2 S3 ‖ X₂.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    domain: Domain<Fr>,
    inputs: usize,
    cosets: [Fr; 2],
    /// Qm, Ql, Qr, Qo, Qc.
    selectors: [G1; 5],
    permutation: [G1; 3],
    /// Of G₂ and X₂.
    lines: [Lines; 2],
}

impl Key {
    /// Reads a key.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Reason> {
        if bytes.len() > KEY_BYTES_MAX {
            return Err(Reason::KeyLength);
        }
        let mut reader = Reader(bytes);
        let [bits, high, low] = reader.array().ok_or(Reason::KeyLength)?;
        let inputs = usize::from(u16::from_be_bytes([high, low]));
        if inputs > FIELD_INPUTS_MAX {
            return Err(Reason::KeyLength);
        }
        let rows = 1_u64.checked_shl(u32::from(bits)).ok_or(Reason::KeyParameters)?;
        let generator = Fr::get_root_of_unity(rows).ok_or(Reason::KeyParameters)?;
        let domain = Domain::new(u32::from(bits), generator)?;
        if u64::try_from(inputs).is_ok_and(|inputs| inputs > rows) {
            return Err(Reason::KeyParameters);
        }
        let mut points = Points { reader, part: Part::Key };
        let cosets = [points.scalar()?, points.scalar()?];
        if cosets.iter().any(Zero::is_zero) {
            return Err(Reason::KeyParameters);
        }
        let mut selector = || points.commitment::<Bn254>();
        let selectors = [selector()?, selector()?, selector()?, selector()?, selector()?];
        let permutation = [points.g1::<Bn254>()?, points.g1::<Bn254>()?, points.g1::<Bn254>()?];
        let lines =
            [<Bn254 as Pairing>::G2Affine::generator().into(), points.g2::<Bn254>()?.into()];
        points.end()?;
        Ok(Self { domain, inputs, cosets, selectors, permutation, lines })
    }
}

/// A proof with all that it is checked against, read and well formed.
///
/// Bytes: A B C Z T1 T2 T3 Wxi Wxiw ‖ a b c s1 s2 zw.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    key: Arc<Key>,
    inputs: Vec<Fr>,
    wires: [G1; 3],
    product: G1,
    quotient: [G1; 3],
    openings: [G1; 2],
    /// a, b, c, s1, s2 at ξ, the product at ωξ.
    values: [Fr; 6],
}

struct Challenges {
    beta: Fr,
    gamma: Fr,
    alpha: Fr,
    xi: Fr,
    v: Fr,
    u: Fr,
}

impl Statement {
    /// Joins a key with inputs and a proof's bytes.
    pub(crate) fn read(key: Arc<Key>, inputs: Vec<Fr>, proof: &[u8]) -> Result<Self, Reason> {
        if inputs.len() < key.inputs {
            return Err(Reason::MissingInputs);
        }
        if inputs.len() > key.inputs {
            return Err(Reason::SurplusInputs);
        }
        let mut points = Points { reader: Reader(proof), part: Part::Proof };
        let mut point = || points.g1::<Bn254>();
        let wires = [point()?, point()?, point()?];
        let product = point()?;
        let quotient = [point()?, point()?, point()?];
        let openings = [point()?, point()?];
        let mut scalar = || points.scalar();
        let values = [scalar()?, scalar()?, scalar()?, scalar()?, scalar()?, scalar()?];
        points.end()?;
        Ok(Self { key, inputs, wires, product, quotient, openings, values })
    }

    /// Whether all equations hold.
    pub(crate) fn holds(&self) -> bool {
        self.check().unwrap_or(false)
    }

    fn challenges(&self) -> Challenges {
        let key = &self.key;
        let fixed = key.selectors.iter().chain(&key.permutation);
        let beta = reduced(&[
            fixed.flat_map(Bn254::g1_bytes).collect(),
            self.inputs.iter().flat_map(number_bytes).collect(),
            points(&self.wires),
        ]);
        let gamma = reduced(&[number_bytes(&beta)]);
        let alpha =
            reduced(&[number_bytes(&beta), number_bytes(&gamma), Bn254::g1_bytes(&self.product)]);
        let xi = reduced(&[number_bytes(&alpha), points(&self.quotient)]);
        let values = self.values.iter().flat_map(number_bytes).collect();
        let v = reduced(&[number_bytes(&xi), values]);
        let u = reduced(&[points(&self.openings)]);
        Challenges { beta, gamma, alpha, xi, v, u }
    }

    /// `None` where a challenge falls on the domain itself: no honest proof meets it.
    fn check(&self) -> Option<bool> {
        let challenges = self.challenges();
        let Challenges { beta, gamma, alpha, xi, v, u } = challenges;
        let domain = &self.key.domain;
        let first = domain.lagrange(0, xi)?;
        let mut public = Fr::zero();
        for (row, input) in (0..).zip(&self.inputs) {
            public -= domain.lagrange(row, xi)? * input;
        }
        let [a, b, c, s1, s2, zw] = self.values;
        let permuted = (a + beta * s1 + gamma) * (b + beta * s2 + gamma) * (c + gamma);
        let constant = public - first * alpha.square() - alpha * permuted * zw;

        let powers = [v, v.square(), v.square() * v, v.square().square(), v.square().square() * v];
        let folded: Fr =
            powers.iter().zip([a, b, c, s1, s2]).map(|(power, value)| *power * value).sum();
        let value = folded + u * zw - constant;

        let [opening, opening_shifted] = self.openings;
        let [wire_a, wire_b, wire_c] = self.wires;
        let [perm_1, perm_2, _] = self.key.permutation;
        let mut bases = vec![wire_a, wire_b, wire_c, perm_1, perm_2, G1::generator()];
        let mut scalars = powers.to_vec();
        scalars.push(-value);
        bases.extend([opening, opening_shifted]);
        scalars.extend([xi, u * xi * domain.generator]);
        let left =
            Projective::msm_unchecked(&bases, &scalars) + self.linearised(&challenges, first);
        let right = opening.into_group() + opening_shifted * u;
        let [generator, secret] = &self.key.lines;
        Some(pairs_hold::<Bn254>(left, right, generator, secret))
    }

    /// The commitment to the linearised polynomial, and that to the product for ωξ.
    fn linearised(&self, challenges: &Challenges, first: Fr) -> Projective {
        let Challenges { beta, gamma, alpha, xi, u, .. } = *challenges;
        let [a, b, c, s1, s2, zw] = self.values;
        let [k1, k2] = self.key.cosets;
        let shifted =
            (a + beta * xi + gamma) * (b + beta * k1 * xi + gamma) * (c + beta * k2 * xi + gamma);
        let product = alpha * shifted + first * alpha.square() + u;
        let third = (a + beta * s1 + gamma) * (b + beta * s2 + gamma) * alpha * beta * zw;
        let power = self.key.domain.power(xi);
        let vanishing = power - Fr::one();
        let [_, _, s3] = self.key.permutation;
        let mut bases = self.key.selectors.to_vec();
        bases.extend([self.product, s3]);
        bases.extend(self.quotient);
        let mut scalars = vec![a * b, a, b, c, Fr::one(), product, -third];
        scalars.extend([-vanishing, -vanishing * power, -vanishing * power.square()]);
        Projective::msm_unchecked(&bases, &scalars)
    }
}

fn points(list: &[G1]) -> Vec<u8> {
    list.iter().flat_map(Bn254::g1_bytes).collect()
}

/// A challenge: keccak256 of what came before, reduced.
fn reduced(parts: &[Vec<u8>]) -> Fr {
    Fr::from_be_bytes_mod_order(&keccak256(&parts.concat()).0)
}
