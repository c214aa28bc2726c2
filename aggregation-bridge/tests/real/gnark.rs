//! gnark: Groth16 with and without a commitment, Plonk on both curves.

use super::*;

const ALIGNED: &str = "aligned/v0.10.1";

fn aligned(source: Source, folder: &str, names: [&str; 3]) -> Option<ProofFile> {
    let [proof, key, inputs] = names.map(|name| format!("{ALIGNED}/{folder}/{name}"));
    Some(files(source, &proof, &key, Some(&inputs))?.remove(0))
}

/// The second is Groth16 too, whatever its name.
#[test]
fn binary_groth16_holds() {
    let folder = "gnark_groth16_bn254_script";
    for names in [
        ["groth16.proof", "groth16.vk", "groth16.pub"],
        ["plonk.proof", "plonk.vk", "plonk_pub_input.pub"],
    ] {
        let Some(file) = aligned(Source::GnarkGroth16, folder, names) else { return };
        expect(&file, VALID);
        let mut wrong = file.clone();
        wrong.inputs[31] ^= 1;
        expect(&wrong, invalid(Reason::Equation));
        no_flip_holds(&file, 11);
    }
}

#[test]
fn plonk_holds_on_both_curves() {
    for (source, folder) in [
        (Source::GnarkPlonkBn254, "gnark_plonk_bn254_script"),
        (Source::GnarkPlonkBls12381, "gnark_plonk_bls12_381_script"),
    ] {
        let names = ["plonk.proof", "plonk.vk", "plonk_pub_input.pub"];
        let Some(file) = aligned(source, folder, names) else { return };
        expect(&file, VALID);
        let mut wrong = file.clone();
        wrong.inputs[31] ^= 1;
        expect(&wrong, invalid(Reason::Equation));
        wrong.inputs.clear();
        expect(&wrong, invalid(Reason::MissingInputs));
        wrong.inputs.resize(64, 0);
        expect(&wrong, invalid(Reason::SurplusInputs));
        let mut linearised = file.clone();
        linearised.proof[31] ^= 1;
        expect(&linearised, invalid(Reason::Equation));
        let mut infinity = file.clone();
        let point = if source == Source::GnarkPlonkBn254 { 32..96 } else { 32..128 };
        infinity.proof[point].fill(0);
        expect(&infinity, invalid(Reason::ProofInfinity));
        no_flip_holds(&file, 17);
    }
}

const NEBRA: &str = "nebra/circuits/src/tests/data/gnark";

fn nebra(source: Source, name: &str) -> Option<ProofFile> {
    let path = |part: &str| format!("{NEBRA}/{name}.{part}.json");
    Some(files(source, &path("proof"), &path("vk"), Some(&path("inputs")))?.remove(0))
}

#[test]
fn json_without_a_commitment_holds() {
    let Some(file) = nebra(Source::GnarkGroth16, "no_commitment") else { return };
    expect(&file, VALID);
    let mut wrong = file.clone();
    wrong.inputs[31] ^= 1;
    expect(&wrong, invalid(Reason::Equation));
}

#[test]
fn json_with_a_commitment_holds_under_its_own_hash() {
    let Some(file) = nebra(Source::GnarkGroth16Keccak, "brevis") else { return };
    expect(&file, VALID);
    let other = nebra(Source::GnarkGroth16, "brevis").unwrap();
    expect(&other, invalid(Reason::Equation));
    let mut wrong = file.clone();
    wrong.inputs[31] ^= 1;
    expect(&wrong, invalid(Reason::Equation));
    let (commitment, knowledge) = (256..320, 320..384);
    let mut swapped = file.clone();
    let pok = swapped.proof[knowledge.clone()].to_vec();
    swapped.proof[commitment.clone()].copy_from_slice(&pok);
    expect(&swapped, invalid(Reason::Commitment));
    for range in [commitment, knowledge] {
        let mut infinity = file.clone();
        infinity.proof[range].fill(0);
        expect(&infinity, invalid(Reason::ProofInfinity));
    }
    let mut short = file.clone();
    short.proof.truncate(256);
    expect(&short, invalid(Reason::ProofLength));
    let mut missing = file.clone();
    missing.inputs.truncate(32);
    expect(&missing, invalid(Reason::MissingInputs));
    let mut surplus = file.clone();
    surplus.inputs.extend([0; 32]);
    expect(&surplus, invalid(Reason::SurplusInputs));
    no_flip_holds(&file, 19);
}

/// Keys that gnark's own tests keep, in every form.
#[test]
fn keys_of_gnark_are_read() {
    use rota_aggregation_bridge::verify::file::FileError;
    for (name, source) in [
        ("blank_groth16_bn254_commit", Source::GnarkGroth16),
        ("blank_groth16_bn254_nocommit", Source::GnarkGroth16),
        ("blank_plonk_bn254_commit", Source::GnarkPlonkBn254),
        ("blank_plonk_bn254_nocommit", Source::GnarkPlonkBn254),
    ] {
        let Some(key) = fixture(&format!("gnark/backend/solidity/testdata/{name}.vk")) else {
            return;
        };
        let witness = [[0; 4], [0; 4], [0; 4]].concat();
        let read = read(source, b"", &key, Some(&witness));
        assert_eq!(read, Err(FileError::Length("proof")), "{name}");
    }
}
