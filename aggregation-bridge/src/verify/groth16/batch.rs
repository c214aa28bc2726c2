//! Many proofs of several keys in one equation: a random linear combination.
//!
//! Each proof's equation is raised to a coefficient of 128 bits of its own, and all are multiplied into one product
//! of pairings: three pairings a key, one a proof, one final exponentiation. If the product is one, every proof
//! holds but for a chance of 2⁻¹²⁸. All points lie in the subgroup (checked when read), so that the outcome
//! hangs on the proofs and never on the coefficients. What fails is split once and then checked singly, so
//! that the seed decides how long it takes and nothing else.

use super::{Key, Statement};
use crate::limits::BATCH_PROOFS_MAX;
use crate::verify::curve::Curve;
use ark_ec::pairing::MillerLoopOutput;
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{One, PrimeField, Zero};
use rota_types::Hash;
use rota_types::hash::keccak256_concat;
use std::collections::BTreeMap;

/// Below this many proofs a combination saves nothing.
const COMBINED_MIN: usize = 3;
/// How often a failed combination is halved: an attacker's one bad proof costs its neighbours at most this.
const BISECTIONS: u8 = 1;
/// Pairs whose lines are held at once: bounds memory, costs a few squarings.
const LINES_HELD: usize = 64;

/// For each statement whether it holds. `seed` is unpredictable to whoever made the proofs; no answer
/// depends on it.
pub(crate) fn holds<E: Curve>(statements: &[&Statement<E>], seed: &[u8; 32]) -> Vec<bool> {
    statements.chunks(BATCH_PROOFS_MAX).flat_map(|chunk| split(chunk, seed, 0)).collect()
}

/// The whole, else its halves, else one by one.
fn split<E: Curve>(statements: &[&Statement<E>], seed: &[u8; 32], level: u8) -> Vec<bool> {
    if statements.len() >= COMBINED_MIN {
        if combination_holds(statements, seed, level) {
            return vec![true; statements.len()];
        }
        if level < BISECTIONS {
            let (left, right) = statements.split_at(statements.len() / 2);
            return [split(left, seed, level + 1), split(right, seed, level + 1)].concat();
        }
    }
    statements.iter().map(|statement| statement.holds()).collect()
}

/// What the proofs of one key add up to.
struct Sum<'a, E: Curve> {
    key: &'a Key<E>,
    coefficients: E::ScalarField,
    inputs: Vec<E::ScalarField>,
    points: Vec<E::G1Affine>,
    scalars: Vec<E::ScalarField>,
}

impl<'a, E: Curve> Sum<'a, E> {
    fn of(key: &'a Key<E>) -> Self {
        Self {
            key,
            coefficients: E::ScalarField::zero(),
            inputs: vec![E::ScalarField::zero(); key.inputs()],
            points: Vec::new(),
            scalars: Vec::new(),
        }
    }

    fn add(&mut self, statement: &Statement<E>, coefficient: E::ScalarField) {
        self.coefficients += coefficient;
        for (sum, input) in self.inputs.iter_mut().zip(&statement.inputs) {
            *sum += coefficient * input;
        }
        self.points.push(statement.proof.c);
        self.scalars.push(coefficient);
    }

    /// The key's three pairs: with −β, −γ and −δ.
    fn pairs(&self) -> [(E::G1, E::G2Prepared); 3] {
        let vk = &self.key.prepared.vk;
        let mut inputs = E::G1::zero();
        if let (Some(constant), Some(bases)) = (vk.gamma_abc_g1.first(), vk.gamma_abc_g1.get(1..)) {
            inputs = *constant * self.coefficients + E::G1::msm_unchecked(bases, &self.inputs);
        }
        [
            (vk.alpha_g1 * self.coefficients, self.key.beta_negated.clone()),
            (inputs, self.key.prepared.gamma_g2_neg_pc.clone()),
            (
                E::G1::msm_unchecked(&self.points, &self.scalars),
                self.key.prepared.delta_g2_neg_pc.clone(),
            ),
        ]
    }
}

/// 128 bits that depend on the seed and the place alone; never zero.
fn coefficient(seed: &[u8; 32], level: u8, place: usize) -> [u64; 2] {
    let Hash(digest) = keccak256_concat(&[&seed[..], &[level], &place.to_be_bytes()]);
    let (low, rest) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
    let high = rest.first_chunk().unwrap_or(&[0; 8]);
    [u64::from_be_bytes(*low) | 1, u64::from_be_bytes(*high)]
}

fn combination_holds<E: Curve>(statements: &[&Statement<E>], seed: &[u8; 32], level: u8) -> bool {
    let mut sums: BTreeMap<Hash, Sum<'_, E>> = BTreeMap::new();
    let mut left = Vec::with_capacity(statements.len() + 3);
    for (place, statement) in statements.iter().enumerate() {
        let limbs = coefficient(seed, level, place);
        let key: &Key<E> = &statement.key;
        sums.entry(key.id).or_insert_with(|| Sum::of(key)).add(statement, scalar(limbs));
        left.push(statement.proof.a.mul_bigint(limbs));
    }
    let mut right: Vec<Right<'_, E>> =
        statements.iter().map(|statement| Right::Point(&statement.proof.b)).collect();
    for (point, lines) in sums.values().flat_map(Sum::pairs) {
        left.push(point);
        right.push(Right::Lines(Box::new(lines)));
    }
    let left = E::G1::normalize_batch(&left);
    let mut product = E::TargetField::one();
    for (points, lines) in left.chunks(LINES_HELD).zip(right.chunks(LINES_HELD)) {
        product *= E::multi_miller_loop(points.iter().copied(), lines.iter().map(Right::lines)).0;
    }
    E::final_exponentiation(MillerLoopOutput(product)).is_some_and(|output| output.0.is_one())
}

fn scalar<F: PrimeField>([low, high]: [u64; 2]) -> F {
    F::from(high) * (F::from(u64::MAX) + F::one()) + F::from(low)
}

/// A point of the second group, prepared or yet to be.
enum Right<'a, E: Curve> {
    Point(&'a E::G2Affine),
    Lines(Box<E::G2Prepared>),
}

impl<E: Curve> Right<'_, E> {
    fn lines(&self) -> E::G2Prepared {
        match self {
            Self::Point(point) => (**point).into(),
            Self::Lines(lines) => lines.as_ref().clone(),
        }
    }
}
