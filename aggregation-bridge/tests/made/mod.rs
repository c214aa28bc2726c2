//! Proofs that the tests make themselves: a small circuit, proven with arkworks on either curve.

use ark_ec::pairing::Pairing;
use ark_ff::{BigInteger, Field, PrimeField};
use ark_groth16::{Groth16, Proof, ProvingKey, VerifyingKey};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError,
};
use ark_snark::SNARK;
use ark_std::rand::{SeedableRng, rngs::StdRng};

/// Knows the square root of every public input.
#[derive(Clone)]
struct Roots<F>(Vec<F>);

impl<F: Field> ConstraintSynthesizer<F> for Roots<F> {
    fn generate_constraints(self, system: ConstraintSystemRef<F>) -> Result<(), SynthesisError> {
        for root in self.0 {
            let square = system.new_input_variable(|| Ok(root.square()))?;
            let root = system.new_witness_variable(|| Ok(root))?;
            let one = |variable| LinearCombination::from(variable);
            system.enforce_r1cs_constraint(|| one(root), || one(root), || one(square))?;
        }
        Ok(())
    }
}

/// A circuit of `inputs` public inputs with its keys.
pub(crate) struct Made<E: Pairing> {
    proving: ProvingKey<E>,
    inputs: usize,
    random: StdRng,
}

impl<E: Pairing> Made<E> {
    /// Keys from `seed`.
    pub(crate) fn new(inputs: usize, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let circuit = Roots(vec![E::ScalarField::ONE; inputs]);
        let (proving, _) = Groth16::<E>::circuit_specific_setup(circuit, &mut random).unwrap();
        Self { proving, inputs, random }
    }

    /// The verifying key as arkworks has it.
    pub(crate) fn vk(&self) -> &VerifyingKey<E> {
        &self.proving.vk
    }

    /// A proof about the squares of `first`, `first + 1`, …
    pub(crate) fn prove(&mut self, first: u64) -> (Vec<E::ScalarField>, Proof<E>) {
        let roots: Vec<_> = (first..).take(self.inputs).map(E::ScalarField::from).collect();
        let inputs = roots.iter().map(Field::square).collect();
        let proof = Groth16::<E>::prove(&self.proving, Roots(roots), &mut self.random).unwrap();
        (inputs, proof)
    }
}

/// Bytes in the one form of the verifiers.
pub(crate) trait Encoded: Pairing {
    fn first(point: &Self::G1Affine) -> Vec<u8>;
    fn second(point: &Self::G2Affine) -> Vec<u8>;
}

fn number<F: PrimeField>(value: F) -> Vec<u8> {
    value.into_bigint().to_bytes_be()
}

macro_rules! encoded {
    ($curve:ty) => {
        impl Encoded for $curve {
            fn first(point: &Self::G1Affine) -> Vec<u8> {
                [number(point.x), number(point.y)].concat()
            }

            fn second(point: &Self::G2Affine) -> Vec<u8> {
                let parts = [point.x.c1, point.x.c0, point.y.c1, point.y.c0];
                parts.map(number).concat()
            }
        }
    };
}

encoded!(ark_bn254::Bn254);
encoded!(ark_bls12_381::Bls12_381);

/// A key's bytes.
pub(crate) fn key<E: Encoded>(vk: &VerifyingKey<E>) -> Vec<u8> {
    let mut bytes = E::first(&vk.alpha_g1);
    for point in [&vk.beta_g2, &vk.gamma_g2, &vk.delta_g2] {
        bytes.extend(E::second(point));
    }
    bytes.extend(vk.gamma_abc_g1.iter().flat_map(E::first));
    bytes
}

/// A proof's bytes.
pub(crate) fn proof<E: Encoded>(proof: &Proof<E>) -> Vec<u8> {
    [E::first(&proof.a), E::second(&proof.b), E::first(&proof.c)].concat()
}

/// Inputs' bytes.
pub(crate) fn inputs<F: PrimeField>(inputs: &[F]) -> Vec<u8> {
    inputs.iter().flat_map(|input| number(*input)).collect()
}
