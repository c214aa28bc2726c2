//! From a submission's bytes to a verdict: read and checked first, arithmetic last.

use super::groth16::committed::{CommittedKey, CommittedStatement};
use super::groth16::{Key, Statement, batch, inputs_of};
use super::keys::{Kept, PreparedKeys};
use super::plonk::{GnarkKey, GnarkStatement, Linearised, SnarkjsKey, SnarkjsStatement};
use super::verdict::{Reason, Selector, Verdict};
use super::{Submission, System, risc0, sp1};
use crate::limits::{INPUTS_BYTES_MAX, KEY_BYTES_MAX, PROOF_BYTES_MAX};
use ark_bls12_381::Bls12_381;
use ark_bn254::Bn254;

/// A well-formed proof whose equation is still to be checked.
pub(super) enum Ready {
    Bn254(Statement<Bn254>),
    Bls12381(Statement<Bls12_381>),
    Committed(Box<CommittedStatement>),
    GnarkBn254(Box<GnarkStatement<Bn254>>),
    GnarkBls12381(Box<GnarkStatement<Bls12_381>>),
    Snarkjs(Box<SnarkjsStatement>),
}

impl Ready {
    /// Checks the equation.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Bn254(statement) => of_equation(statement.holds()),
            Self::Bls12381(statement) => of_equation(statement.holds()),
            Self::Committed(statement) => of_result(statement.check()),
            Self::GnarkBn254(statement) => of_equation(statement.holds()),
            Self::GnarkBls12381(statement) => of_equation(statement.holds()),
            Self::Snarkjs(statement) => of_equation(statement.holds()),
        }
    }
}

const fn of_equation(holds: bool) -> Verdict {
    if holds { Verdict::Valid } else { Verdict::Invalid(Reason::Equation) }
}

fn of_result(result: Result<(), Reason>) -> Verdict {
    result.map_or_else(Verdict::Invalid, |()| Verdict::Valid)
}

/// Reads everything that a verdict needs; the verdict itself where reading decides it.
pub(super) fn read(submission: &Submission<'_>, keys: &mut PreparedKeys) -> Result<Ready, Verdict> {
    let Submission { system, release, key, inputs, proof } = *submission;
    if !system.is_supported() {
        return Err(Verdict::Unsupported(Selector::Named(system.name())));
    }
    bounded(key, inputs, proof).map_err(Verdict::Invalid)?;
    match system {
        System::Groth16Bn254 => groth16(key, inputs, proof, keys).map(Ready::Bn254),
        System::Groth16Bls12381 => groth16(key, inputs, proof, keys).map(Ready::Bls12381),
        System::Groth16Bn254Committed => committed(key, inputs, proof, keys),
        System::Sp1Groth16 => {
            let opened = sp1::open(sp1::GROTH16, release, key, inputs, proof)?;
            wrapped(opened.key, opened.inputs, opened.proof, keys)
        }
        System::Risc0Groth16 => {
            let (inputs, proof) = risc0::open(release, key, inputs, proof)?;
            wrapped(&risc0::KEY, inputs, proof, keys)
        }
        System::Sp1Plonk => {
            let opened = sp1::open(sp1::PLONK, release, key, inputs, proof)?;
            let (inputs, form) = (opened.inputs, Linearised::Computed);
            gnark(opened.key, inputs, opened.proof, form, keys).map(Ready::GnarkBn254)
        }
        System::GnarkPlonkBn254 => {
            let inputs = inputs_of::<Bn254>(inputs).map_err(Verdict::Invalid)?;
            gnark(key, inputs, proof, Linearised::Named, keys).map(Ready::GnarkBn254)
        }
        System::GnarkPlonkBls12381 => {
            let inputs = inputs_of::<Bls12_381>(inputs).map_err(Verdict::Invalid)?;
            gnark(key, inputs, proof, Linearised::Named, keys).map(Ready::GnarkBls12381)
        }
        System::SnarkjsPlonkBn254 => snarkjs(key, inputs, proof, keys).map_err(Verdict::Invalid),
        _ => Err(Verdict::Unsupported(Selector::Named(system.name()))),
    }
}

fn gnark<E: Kept>(
    key: &[u8],
    inputs: Vec<E::ScalarField>,
    proof: &[u8],
    form: Linearised,
    keys: &mut PreparedKeys,
) -> Result<Box<GnarkStatement<E>>, Verdict> {
    let key = E::kept_plonk(keys).of(key, GnarkKey::read).map_err(Verdict::Invalid)?;
    GnarkStatement::read(key, inputs, proof, form).map(Box::new).map_err(Verdict::Invalid)
}

fn snarkjs(
    key: &[u8],
    inputs: &[u8],
    proof: &[u8],
    keys: &mut PreparedKeys,
) -> Result<Ready, Reason> {
    let key = keys.snarkjs.of(key, SnarkjsKey::read)?;
    let statement = SnarkjsStatement::read(key, inputs_of::<Bn254>(inputs)?, proof)?;
    Ok(Ready::Snarkjs(Box::new(statement)))
}

fn bounded(key: &[u8], inputs: &[u8], proof: &[u8]) -> Result<(), Reason> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Reason::KeyLength);
    }
    if inputs.len() > INPUTS_BYTES_MAX {
        return Err(Reason::SurplusInputs);
    }
    if proof.len() > PROOF_BYTES_MAX {
        return Err(Reason::ProofLength);
    }
    Ok(())
}

fn groth16<E: Kept>(
    key: &[u8],
    inputs: &[u8],
    proof: &[u8],
    keys: &mut PreparedKeys,
) -> Result<Statement<E>, Verdict> {
    let key = E::kept(keys).of(key, Key::read).map_err(Verdict::Invalid)?;
    let inputs = inputs_of::<E>(inputs).map_err(Verdict::Invalid)?;
    Statement::read(key, inputs, proof).map_err(Verdict::Invalid)
}

/// A proof of a release's own circuit.
fn wrapped(
    key: &[u8],
    inputs: Vec<ark_bn254::Fr>,
    proof: &[u8],
    keys: &mut PreparedKeys,
) -> Result<Ready, Verdict> {
    let key = keys.bn254.of(key, Key::read).map_err(Verdict::Invalid)?;
    Statement::read(key, inputs, proof).map(Ready::Bn254).map_err(Verdict::Invalid)
}

fn committed(
    key: &[u8],
    inputs: &[u8],
    proof: &[u8],
    keys: &mut PreparedKeys,
) -> Result<Ready, Verdict> {
    let key = keys.committed.of(key, CommittedKey::read).map_err(Verdict::Invalid)?;
    let inputs = inputs_of::<Bn254>(inputs).map_err(Verdict::Invalid)?;
    let statement = CommittedStatement::read(key, inputs, proof).map_err(Verdict::Invalid)?;
    Ok(Ready::Committed(Box::new(statement)))
}

/// Verdicts on what was read, Groth16 of one curve together.
pub(super) fn verdicts(read: &[Result<Ready, Verdict>], seed: &[u8; 32]) -> Vec<Verdict> {
    let bn254: Vec<_> = read
        .iter()
        .filter_map(|read| match read {
            Ok(Ready::Bn254(statement)) => Some(statement),
            _ => None,
        })
        .collect();
    let bls12_381: Vec<_> = read
        .iter()
        .filter_map(|read| match read {
            Ok(Ready::Bls12381(statement)) => Some(statement),
            _ => None,
        })
        .collect();
    let mut bn254 = batch::holds(&bn254, seed).into_iter();
    let mut bls12_381 = batch::holds(&bls12_381, seed).into_iter();
    read.iter()
        .map(|read| match read {
            Ok(Ready::Bn254(_)) => of_equation(bn254.next().unwrap_or(false)),
            Ok(Ready::Bls12381(_)) => of_equation(bls12_381.next().unwrap_or(false)),
            Ok(other) => other.verdict(),
            Err(verdict) => *verdict,
        })
        .collect()
}

/// Whether a key can be read.
pub(super) fn check_key(system: System, key: &[u8], keys: &mut PreparedKeys) -> Result<(), Reason> {
    match system {
        System::Groth16Bn254 => keys.bn254.of(key, Key::read).map(drop),
        System::Groth16Bls12381 => keys.bls12_381.of(key, Key::read).map(drop),
        System::Groth16Bn254Committed => keys.committed.of(key, CommittedKey::read).map(drop),
        System::GnarkPlonkBn254 => keys.gnark_bn254.of(key, GnarkKey::read).map(drop),
        System::GnarkPlonkBls12381 => keys.gnark_bls12_381.of(key, GnarkKey::read).map(drop),
        System::SnarkjsPlonkBn254 => keys.snarkjs.of(key, SnarkjsKey::read).map(drop),
        System::Sp1Groth16 | System::Sp1Plonk => sp1::program_key(key).map(drop),
        System::Risc0Groth16 => risc0::check_image_id(key).map(drop),
        _ => Ok(()),
    }
}
