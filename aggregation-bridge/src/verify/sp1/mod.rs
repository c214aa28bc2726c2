//! SP1's wrapped proofs: the head of every release's proof is the hash of its verifying key.
//!
//! A proof is selector u32 ‖ (from version 6: exit code, root of the recursion keys and nonce, 32 bytes each) ‖ proof
//! of the wrapper circuit. The key is the program's verifying key hash, the inputs are the public values as the
//! program wrote them. The circuit's public inputs are the program's key, SHA-256 of the public values without its
//! three upper bits, and from version 6 those three words.
//!
//! Source: succinctlabs' verifier contracts (`contracts/src/<version>/`, commit d3629729c321).

mod groth16_releases;
mod plonk_releases;

use super::bytes::Reader;
use super::curve::{SCALAR_BYTES, number};
use super::verdict::{Part, Reason, Selector, Verdict};
use ark_bn254::Fr;
use sha2::{Digest, Sha256};

/// A release of one of the wrapper circuits.
pub(crate) struct Release {
    /// As the contracts name it.
    pub(crate) name: &'static str,
    /// Head of the SHA-256 of the key.
    pub(crate) selector: u32,
    /// Root of the recursion keys, in releases whose proofs name it.
    root: Option<[u8; 32]>,
    /// The wrapper circuit's key.
    key: &'static [u8],
}

/// The Groth16 releases, oldest first.
pub(crate) const GROTH16: &[Release] = &groth16_releases::RELEASES;

/// The Plonk releases, oldest first.
pub(crate) const PLONK: &[Release] = &plonk_releases::RELEASES;

/// What is left to check of a proof: an equation of the wrapper circuit.
pub(crate) struct Opened<'a> {
    /// The wrapper circuit's key.
    pub(crate) key: &'static [u8],
    /// Its public inputs.
    pub(crate) inputs: Vec<Fr>,
    /// Its proof.
    pub(crate) proof: &'a [u8],
}

/// A program's key hash: 32 bytes below the field's order.
pub(crate) fn program_key(bytes: &[u8]) -> Result<Fr, Reason> {
    if bytes.len() != SCALAR_BYTES {
        return Err(Reason::KeyLength);
    }
    number(bytes).map_err(|fault| Part::Key.reason(fault))
}

/// Checks all but the equation: release, exit code and root.
pub(crate) fn open<'a>(
    releases: &'static [Release],
    release: u32,
    program: &[u8],
    public_values: &[u8],
    proof: &'a [u8],
) -> Result<Opened<'a>, Verdict> {
    let length = Verdict::Invalid(Reason::ProofLength);
    let mut reader = Reader(proof);
    let selector = reader.u32().ok_or(length)?;
    let known = |wanted| releases.iter().find(|release| release.selector == wanted);
    let unsupported = |selector| Verdict::Unsupported(Selector::Release(selector));
    let entry = known(release).ok_or_else(|| unsupported(release))?;
    if selector != release {
        known(selector).ok_or_else(|| unsupported(selector))?;
        return Err(Verdict::Invalid(Reason::WrongRelease));
    }
    let scalar = |bytes: &[u8], part: Part| {
        number::<Fr>(bytes).map_err(|fault| Verdict::Invalid(part.reason(fault)))
    };
    let program_key = program_key(program).map_err(Verdict::Invalid)?;
    let mut digest: [u8; 32] = Sha256::digest(public_values).into();
    if let Some(first) = digest.first_mut() {
        *first &= 0x1f;
    }
    let mut inputs = vec![program_key, scalar(&digest, Part::Inputs)?];
    if let Some(root) = entry.root {
        let exit_code: [u8; 32] = reader.array().ok_or(length)?;
        let named: [u8; 32] = reader.array().ok_or(length)?;
        let nonce: [u8; 32] = reader.array().ok_or(length)?;
        if exit_code != [0; 32] {
            return Err(Verdict::Invalid(Reason::ExitCode));
        }
        if named != root {
            return Err(Verdict::Invalid(Reason::WrongRoot));
        }
        for word in [exit_code, named, nonce] {
            inputs.push(scalar(&word, Part::Proof)?);
        }
    }
    Ok(Opened { key: entry.key, inputs, proof: reader.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::curve::{Curve, number_bytes};
    use crate::verify::groth16::{Key, Statement};
    use crate::verify::plonk::GnarkKey;
    use ark_bn254::{Bn254, Fq};
    use serde_json::Value;
    use std::path::{Path, PathBuf};
    use std::str::FromStr;
    use std::sync::Arc;

    fn fixture(path: &str) -> Option<Value> {
        let root = std::env::var_os("ROTA_FIXTURES").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
            PathBuf::from,
        );
        let Ok(text) = std::fs::read(root.join(path)) else {
            println!("skipped: {path} is not in ROTA_FIXTURES");
            return None;
        };
        Some(serde_json::from_slice(&text).unwrap())
    }

    #[test]
    fn every_key_is_well_formed() {
        for release in GROTH16 {
            let key = Key::<Bn254>::read(release.key).unwrap();
            let inputs = if release.root.is_some() { 5 } else { 2 };
            assert_eq!(key.inputs(), inputs, "{}", release.name);
        }
        for release in PLONK {
            assert_eq!(GnarkKey::<Bn254>::read(release.key).map(drop), Ok(()), "{}", release.name);
        }
    }

    #[test]
    fn selectors_are_all_different() {
        let all: std::collections::BTreeSet<_> =
            GROTH16.iter().chain(PLONK).map(|release| release.selector).collect();
        assert_eq!(all.len(), GROTH16.len() + PLONK.len());
    }

    /// The table against the constants of the contracts, which hold β, γ and δ negated.
    #[test]
    fn keys_are_those_of_the_contracts() {
        let folder = "sp1/sp1-contracts";
        let Some(keys) = fixture(&format!("{folder}/groth16_verifier_vk_constants.json")) else {
            return;
        };
        let constants = fixture(&format!("{folder}/verifier_constants.json")).unwrap();
        assert_eq!(keys.as_object().unwrap().len(), GROTH16.len());
        for release in GROTH16 {
            let source = format!("contracts/src/{}", release.name);
            let key = &keys[format!("{source}/Groth16Verifier.sol")];
            let number = |name: String| Fq::from_str(key[name].as_str().unwrap()).unwrap();
            let mut bytes = Vec::new();
            let mut put = |value: Fq| bytes.extend(number_bytes(&value));
            let first = |name: &str| ["X", "Y"].map(|part| number(format!("{name}_{part}")));
            first("ALPHA").into_iter().for_each(&mut put);
            for name in ["BETA", "GAMMA", "DELTA"] {
                for part in ["X_1", "X_0"] {
                    put(number(format!("{name}_NEG_{part}")));
                }
                for part in ["Y_1", "Y_0"] {
                    put(-number(format!("{name}_NEG_{part}")));
                }
            }
            first("CONSTANT").into_iter().for_each(&mut put);
            let inputs = if release.root.is_some() { 5 } else { 2 };
            for input in 0..inputs {
                first(&format!("PUB_{input}")).into_iter().for_each(&mut put);
            }
            assert_eq!(bytes, release.key, "{}", release.name);
            let named = &constants[format!("{source}/SP1VerifierGroth16.sol")];
            let hash = format!("0x{:08x}", release.selector);
            assert!(named["VERIFIER_HASH"].as_str().unwrap().starts_with(&hash));
            let root = release.root.map(|root| format!("0x{}", hex::encode(root)));
            assert_eq!(named["VK_ROOT"].as_str(), root.as_deref());
        }
        for release in PLONK {
            let named = &constants[format!("contracts/src/{}/SP1VerifierPlonk.sol", release.name)];
            let hash = format!("0x{:08x}", release.selector);
            assert!(named["VERIFIER_HASH"].as_str().unwrap().starts_with(&hash));
        }
    }

    /// The oldest real proof at hand keeps the digest of its public values, not the values.
    #[test]
    fn a_proof_of_version_1_2_0_holds() {
        let Some(value) = fixture("nebra/upa/test/data/sp1/v1.2.0_fixture.json") else { return };
        let bytes = |name: &str| hex::decode(&value[name].as_str().unwrap()[2..]).unwrap();
        let digest = Fr::from_str(value["publicValuesDigest"].as_str().unwrap()).unwrap();
        let proof = bytes("proof");
        let (selector, proof) = proof.split_at(4);
        let release = GROTH16.iter().find(|release| release.name == "v1.2.0").unwrap();
        assert_eq!(selector, release.selector.to_be_bytes());
        let key = Arc::new(Key::<Bn254>::read(release.key).unwrap());
        let inputs = vec![program_key(&bytes("vkey")).unwrap(), digest];
        assert!(Statement::read(Arc::clone(&key), inputs.clone(), proof).unwrap().holds());
        let swapped = inputs.into_iter().rev().collect();
        assert!(!Statement::read(key, swapped, proof).unwrap().holds());
        assert_eq!(proof.len(), 2 * Bn254::G1_BYTES + Bn254::G2_BYTES);
    }
}
