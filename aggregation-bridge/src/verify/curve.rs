//! Points and numbers of both curves, from and to bytes: one encoding each, checked before any arithmetic.
//!
//! Coordinates are big-endian and of fixed width (32 bytes on BN254, 48 on BLS12-381); a point is `x ‖ y`, and a
//! number of the quadratic extension is its imaginary part, then its real part, as EIP-197 and the uncompressed
//! form of zcash have it.

use super::bytes::Reader;
use super::verdict::Fault;
use ark_bls12_381::Bls12_381;
use ark_bn254::Bn254;
use ark_ec::AffineRepr;
use ark_ec::pairing::Pairing;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::fields::models::fp2::{Fp2, Fp2Config};
use ark_ff::{BigInteger, PrimeField, Zero};

/// Bytes of a scalar: both orders lie below 2²⁵⁶.
pub(crate) const SCALAR_BYTES: usize = 32;

/// A pairing-friendly curve whose points can be read from hostile bytes.
pub(crate) trait Curve: Pairing {
    /// Bytes of a coordinate.
    const FIELD_BYTES: usize;
    /// Whether gnark marks infinity in an uncompressed encoding.
    const FLAGGED_INFINITY: bool;
    /// Bytes of a point of the first group.
    const G1_BYTES: usize = 2 * Self::FIELD_BYTES;
    /// Bytes of a point of the second group.
    const G2_BYTES: usize = 4 * Self::FIELD_BYTES;

    /// A point of the first group: canonical, on the curve, in the subgroup, not infinity.
    fn g1(bytes: &[u8]) -> Result<Self::G1Affine, Fault>;
    /// A point of the second group, under the same conditions.
    fn g2(bytes: &[u8]) -> Result<Self::G2Affine, Fault>;
    /// The encoding of a point that gnark compressed: coordinates are found, the subgroup is not checked.
    fn g1_of_gnark(bytes: &[u8]) -> Option<Vec<u8>>;
    /// The same of a point of the second group.
    fn g2_of_gnark(bytes: &[u8]) -> Option<Vec<u8>>;
    /// The encoding of a point of the first group; infinity is all zeros.
    fn g1_bytes(point: &Self::G1Affine) -> Vec<u8>;
    /// The encoding of a point of the second group; infinity is all zeros.
    fn g2_bytes(point: &Self::G2Affine) -> Vec<u8>;
}

/// A number below its modulus, big-endian; wrong lengths are not canonical.
pub(crate) fn number<F: PrimeField>(bytes: &[u8]) -> Result<F, Fault> {
    let mut value = F::BigInt::default();
    let limbs = value.as_mut();
    if bytes.len() != size_of_val(limbs) {
        return Err(Fault::NonCanonical);
    }
    for (limb, piece) in limbs.iter_mut().zip(bytes.rchunks_exact(size_of::<u64>())) {
        *limb = piece.try_into().map(u64::from_be_bytes).map_err(|_| Fault::NonCanonical)?;
    }
    F::from_bigint(value).ok_or(Fault::NonCanonical)
}

/// The one encoding of a number.
pub(crate) fn number_bytes<F: PrimeField>(number: &F) -> Vec<u8> {
    number.into_bigint().to_bytes_be()
}

fn extension<C: Fp2Config>(bytes: &[u8]) -> Result<Fp2<C>, Fault>
where
    C::Fp: PrimeField,
{
    let (imaginary, real) = bytes.split_at(bytes.len() / 2);
    Ok(Fp2::new(number(real)?, number(imaginary)?))
}

fn extension_bytes<C: Fp2Config>(value: &Fp2<C>) -> Vec<u8>
where
    C::Fp: PrimeField,
{
    [number_bytes(&value.c1), number_bytes(&value.c0)].concat()
}

/// A point from its coordinates: on the curve, in the subgroup, not the stand-in for infinity.
pub(crate) fn point<P: SWCurveConfig>(
    x: P::BaseField,
    y: P::BaseField,
) -> Result<Affine<P>, Fault> {
    if x.is_zero() && y.is_zero() {
        return Err(Fault::Infinity);
    }
    let point = Affine::new_unchecked(x, y);
    if !point.is_on_curve() {
        return Err(Fault::OffCurve);
    }
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Fault::OffSubgroup);
    }
    Ok(point)
}

/// What the upper bits of a compressed point say.
#[derive(PartialEq, Eq)]
enum Flags {
    Least,
    Greatest,
    Infinity,
}

/// Takes the flags off a point that gnark compressed: two bits on BN254, three (zcash's) on BLS12-381. `None` for
/// flags of another form, and for infinity with coordinates.
fn without_flags(bytes: &[u8], three_bits: bool) -> Option<(Flags, Vec<u8>)> {
    let mut x = bytes.to_vec();
    let first = x.first_mut()?;
    let (flags, rest) =
        if three_bits { (*first >> 5, *first & 0x1f) } else { (*first >> 6, *first & 0x3f) };
    *first = rest;
    let flags = match (three_bits, flags) {
        (true, 0b100) | (false, 0b10) => Flags::Least,
        (true, 0b101) | (false, 0b11) => Flags::Greatest,
        (true, 0b110) | (false, 0b01) => Flags::Infinity,
        _ => return None,
    };
    if flags == Flags::Infinity && x.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some((flags, x))
}

macro_rules! curve {
    ($curve:ty, $module:ident, $bytes:literal, $flagged:literal) => {
        impl Curve for $curve {
            const FIELD_BYTES: usize = $bytes;
            const FLAGGED_INFINITY: bool = $flagged;

            fn g1(bytes: &[u8]) -> Result<Self::G1Affine, Fault> {
                let mut reader = Reader(bytes);
                let x = reader.take($bytes).ok_or(Fault::NonCanonical)?;
                point::<$module::g1::Config>(number(x)?, number(reader.0)?)
            }

            fn g2(bytes: &[u8]) -> Result<Self::G2Affine, Fault> {
                let mut reader = Reader(bytes);
                let x = reader.take(2 * $bytes).ok_or(Fault::NonCanonical)?;
                point::<$module::g2::Config>(extension(x)?, extension(reader.0)?)
            }

            fn g1_of_gnark(bytes: &[u8]) -> Option<Vec<u8>> {
                let (flags, x) = without_flags(bytes, $flagged)?;
                if flags == Flags::Infinity {
                    return Some(vec![0; Self::G1_BYTES]);
                }
                let greatest = flags == Flags::Greatest;
                let point = Affine::<$module::g1::Config>::get_point_from_x_unchecked(
                    number(&x).ok()?,
                    greatest,
                )?;
                Some(Self::g1_bytes(&point))
            }

            fn g2_of_gnark(bytes: &[u8]) -> Option<Vec<u8>> {
                let (flags, x) = without_flags(bytes, $flagged)?;
                if flags == Flags::Infinity {
                    return Some(vec![0; Self::G2_BYTES]);
                }
                let greatest = flags == Flags::Greatest;
                let point = Affine::<$module::g2::Config>::get_point_from_x_unchecked(
                    extension(&x).ok()?,
                    greatest,
                )?;
                Some(Self::g2_bytes(&point))
            }

            fn g1_bytes(point: &Self::G1Affine) -> Vec<u8> {
                if point.is_zero() {
                    return vec![0; Self::G1_BYTES];
                }
                [number_bytes(&point.x), number_bytes(&point.y)].concat()
            }

            fn g2_bytes(point: &Self::G2Affine) -> Vec<u8> {
                if point.is_zero() {
                    return vec![0; Self::G2_BYTES];
                }
                [extension_bytes(&point.x), extension_bytes(&point.y)].concat()
            }
        }
    };
}

curve!(Bn254, ark_bn254, 32, false);
curve!(Bls12_381, ark_bls12_381, 48, true);
