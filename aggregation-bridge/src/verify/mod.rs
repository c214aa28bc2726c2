//! Verifies proofs of many systems natively: pure functions over bytes, the same answer on every validator.
//!
//! A [`Submission`] names a system and holds a key, inputs and a proof in that system's one form (see [`System`]);
//! [`verify`] answers with a [`Verdict`]. [`verify_batch`] answers the same for many at once and spends less. Nothing
//! is read from a clock, a disk or a source of randomness; nothing panics; what is allocated is bounded by
//! [`limits`](crate::limits). [`cost_units`] bounds what an answer takes, before anything is read.
//!
//! Groth16 proofs can be re-randomised by anyone: two proofs of one statement differ in their bytes, so that no
//! caller may tell statements apart by their proofs' hashes.

mod bytes;
mod cost;
mod curve;
pub mod file;
mod groth16;
mod hash_to_field;
mod keys;
mod plonk;
mod ready;
mod risc0;
mod sp1;
mod system;
mod verdict;

pub use cost::cost_units;
pub use keys::PreparedKeys;
pub use system::System;
pub use verdict::{Reason, Selector, Verdict};

use ready::Ready;

/// One proof with all that it is checked against. Every byte is taken as hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission<'a> {
    /// Which system, and so which form the bytes have.
    pub system: System,
    /// Which release of it, as the rule says: the selector of SP1 and RISC Zero; 0 for the others.
    pub release: u32,
    /// The verifying key; the program's hash where the release holds the key.
    pub key: &'a [u8],
    /// What the proof is about.
    pub inputs: &'a [u8],
    /// The proof.
    pub proof: &'a [u8],
}

/// The verdict on one proof.
#[must_use]
pub fn verify(submission: &Submission<'_>, keys: &mut PreparedKeys) -> Verdict {
    match ready::read(submission, keys) {
        Ok(ready) => ready.verdict(),
        Err(verdict) => verdict,
    }
}

/// The verdicts on many proofs, in their order: what [`verify`] says of each, for less where many are Groth16 on
/// one curve. `seed` is 32 bytes that whoever made the proofs could not foresee; each validator has its own, and no
/// verdict depends on it but for a chance of 2⁻¹²⁸.
#[must_use]
pub fn verify_batch(
    submissions: &[Submission<'_>],
    keys: &mut PreparedKeys,
    seed: &[u8; 32],
) -> Vec<Verdict> {
    let read: Vec<Result<Ready, Verdict>> =
        submissions.iter().map(|submission| ready::read(submission, keys)).collect();
    ready::verdicts(&read, seed)
}

/// Whether a key can be registered: well formed, every point on its curve and in its subgroup.
///
/// # Errors
/// The reason that every proof under this key would be invalid for.
pub fn check_key(system: System, key: &[u8]) -> Result<(), Reason> {
    ready::check_key(system, key, &mut PreparedKeys::new())
}

/// Releases of a system by name and selector; none where the key itself says all.
#[must_use]
pub fn releases(system: System) -> Vec<(&'static str, u32)> {
    let of_sp1 = |table: &'static [sp1::Release]| {
        table.iter().map(|release| (release.name, release.selector)).collect()
    };
    match system {
        System::Sp1Groth16 => of_sp1(sp1::GROTH16),
        System::Sp1Plonk => of_sp1(sp1::PLONK),
        System::Risc0Groth16 => risc0::releases().collect(),
        _ => Vec::new(),
    }
}
