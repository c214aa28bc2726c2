//! Plonk over KZG commitments: gnark's (and SP1's) form and snarkjs' form.

mod gnark;
mod gnark_key;
mod snarkjs;

pub(crate) use gnark::{Linearised, Statement as GnarkStatement};
pub(crate) use gnark_key::Key as GnarkKey;
pub(crate) use snarkjs::{Key as SnarkjsKey, Statement as SnarkjsStatement};

use super::bytes::Reader;
use super::curve::{Curve, SCALAR_BYTES, number};
use super::verdict::{Fault, Part, Reason};
use crate::limits::PLONK_DOMAIN_BITS_MAX;
use ark_ec::CurveGroup;
use ark_ff::{Field, One, PrimeField, Zero};

/// The multiplicative subgroup that a circuit's rows stand for.
#[derive(Clone, Debug)]
pub(crate) struct Domain<F> {
    bits: u32,
    size: F,
    generator: F,
}

impl<F: PrimeField> Domain<F> {
    /// A domain of 2^`bits` rows whose generator has exactly that order.
    fn new(bits: u32, generator: F) -> Result<Self, Reason> {
        if bits == 0 || bits > PLONK_DOMAIN_BITS_MAX {
            return Err(Reason::KeyParameters);
        }
        let half = power_of_two(generator, bits - 1);
        if half != -F::one() {
            return Err(Reason::KeyParameters);
        }
        Ok(Self { bits, size: F::from(1_u64 << bits), generator })
    }

    /// ζⁿ.
    fn power(&self, point: F) -> F {
        power_of_two(point, self.bits)
    }

    /// The polynomial that is one at row `row` and zero at the others, at `point`; `None` on the domain itself.
    fn lagrange(&self, row: u64, point: F) -> Option<F> {
        let root = self.generator.pow([row]);
        let below = (self.size * (point - root)).inverse()?;
        Some(root * (self.power(point) - F::one()) * below)
    }
}

fn power_of_two<F: Field>(mut value: F, bits: u32) -> F {
    for _ in 0..bits {
        value.square_in_place();
    }
    value
}

/// What points and numbers of one part are read by.
struct Points<'a> {
    reader: Reader<'a>,
    part: Part,
}

impl Points<'_> {
    fn short(&self) -> Reason {
        if self.part == Part::Key { Reason::KeyLength } else { Reason::ProofLength }
    }

    fn take<T>(
        &mut self,
        bytes: usize,
        read: impl FnOnce(&[u8]) -> Result<T, Fault>,
    ) -> Result<T, Reason> {
        let bytes = self.reader.take(bytes).ok_or_else(|| self.short())?;
        read(bytes).map_err(|fault| self.part.reason(fault))
    }

    fn scalar<F: PrimeField>(&mut self) -> Result<F, Reason> {
        self.take(SCALAR_BYTES, number)
    }

    fn g1<E: Curve>(&mut self) -> Result<E::G1Affine, Reason> {
        self.take(E::G1_BYTES, E::g1)
    }

    fn g2<E: Curve>(&mut self) -> Result<E::G2Affine, Reason> {
        self.take(E::G2_BYTES, E::g2)
    }

    /// A commitment to a polynomial that may be zero: infinity, as zeros, is allowed.
    fn commitment<E: Curve>(&mut self) -> Result<E::G1Affine, Reason> {
        self.take(E::G1_BYTES, |bytes| {
            if bytes.iter().all(|byte| *byte == 0) {
                return Ok(E::G1::zero().into_affine());
            }
            E::g1(bytes)
        })
    }

    /// Everything was read.
    fn end(self) -> Result<(), Reason> {
        if self.reader.is_empty() { Ok(()) } else { Err(self.short()) }
    }
}

/// Whether e(left, G₂) · e(−right, τG₂) is one.
fn pairs_hold<E: Curve>(
    left: E::G1,
    right: E::G1,
    generator: &E::G2Prepared,
    secret: &E::G2Prepared,
) -> bool {
    let points = [left.into_affine(), (-right).into_affine()];
    let product = E::multi_miller_loop(points, [generator.clone(), secret.clone()]);
    E::final_exponentiation(product).is_some_and(|output| output.0.is_one())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::Fr;
    use ark_ff::FftField;

    #[test]
    fn a_domain_takes_a_generator_of_its_own_order_only() {
        let root = |bits: u64| Fr::get_root_of_unity(1 << bits).unwrap();
        assert!(Domain::new(4, root(4)).is_ok());
        for (bits, generator) in [(4, root(3)), (4, root(5)), (4, Fr::one()), (0, Fr::one())] {
            assert_eq!(Domain::new(bits, generator).map(drop), Err(Reason::KeyParameters));
        }
        assert!(Domain::new(PLONK_DOMAIN_BITS_MAX + 1, root(28)).is_err());
    }

    #[test]
    fn lagrange_polynomials_sum_to_one() {
        let domain = Domain::new(3, Fr::get_root_of_unity(8).unwrap()).unwrap();
        let point = Fr::from(77);
        let sum: Fr = (0..8).map(|row| domain.lagrange(row, point).unwrap()).sum();
        assert!(sum.is_one());
        assert!(domain.lagrange(2, domain.generator.square()).is_none());
    }
}
