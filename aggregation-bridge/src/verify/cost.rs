//! What a verdict may cost at most, known before anything is read.

use super::System;
use super::curve::SCALAR_BYTES;
use crate::limits::FIELD_INPUTS_MAX;

/// Bytes hashed for one unit: SHA-256 and keccak256 on one core without vector instructions of their own.
const HASHED_PER_UNIT: u64 = 128;

/// Most units that the verdict on one submission costs, its key not yet prepared. A unit is one microsecond of one
/// core of the reference machine of `docs/proofs.md`; the numbers are part of the protocol and round upwards.
#[must_use]
pub fn cost_units(system: System, key_bytes: usize, inputs_bytes: usize) -> u64 {
    let scalars = inputs_bytes.div_ceil(SCALAR_BYTES).min(FIELD_INPUTS_MAX);
    let scalars = u64::try_from(scalars).unwrap_or(u64::MAX);
    let bytes = key_bytes.saturating_add(inputs_bytes);
    let hashed = u64::try_from(bytes).unwrap_or(u64::MAX) / HASHED_PER_UNIT;
    let arithmetic = match system {
        System::Groth16Bn254 => 4_000 + 200 * scalars,
        System::Groth16Bls12381 => 6_000 + 400 * scalars,
        System::Groth16Bn254Committed => 7_000 + 200 * scalars,
        System::Sp1Groth16 | System::Risc0Groth16 => 5_000,
        System::Sp1Plonk => 5_000,
        System::GnarkPlonkBls12381 => 9_000 + 30 * scalars,
        System::GnarkPlonkBn254 | System::SnarkjsPlonkBn254 => 5_000 + 20 * scalars,
        _ => 1,
    };
    arithmetic.saturating_add(hashed)
}
