//! snarkjs: Groth16 on both curves and Plonk.

use super::*;
use rota_aggregation_bridge::verify::file::FileError;

fn vectors(name: &str) -> Vec<ProofFile> {
    let load = |file: String| {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file))
    };
    let proof = load(format!("{name}.json")).unwrap();
    let key = load(format!("{name}_verification_key.json")).unwrap();
    read(Source::Snarkjs, &proof, &key, None).unwrap()
}

#[test]
fn our_own_vectors_hold() {
    for (name, count) in
        [("groth16_bn254_2pub", 8), ("groth16_bls12381_2pub", 4), ("plonk_bn254", 3)]
    {
        let files = vectors(name);
        assert_eq!(files.len(), count);
        for file in &files {
            expect(file, VALID);
        }
        let views: Vec<_> = files.iter().map(ProofFile::submission).collect();
        let batch = verify_batch(&views, &mut PreparedKeys::new(), &[9; 32]);
        assert!(batch.iter().all(|verdict| *verdict == VALID));
    }
}

#[test]
fn a_changed_signal_or_another_statements_proof_is_refused() {
    for name in ["groth16_bn254_2pub", "groth16_bls12381_2pub", "plonk_bn254"] {
        let files = vectors(name);
        for signal in 0..2 {
            let mut changed = files[0].clone();
            changed.inputs[32 * signal + 31] ^= 1;
            expect(&changed, invalid(Reason::Equation));
        }
        let mut swapped = files[0].clone();
        swapped.proof = files[1].proof.clone();
        expect(&swapped, invalid(Reason::Equation));
        let mut exchanged = files[0].clone();
        exchanged.inputs.rotate_left(32);
        expect(&exchanged, invalid(Reason::Equation));
        let mut missing = files[0].clone();
        missing.inputs.truncate(32);
        expect(&missing, invalid(Reason::MissingInputs));
        let mut surplus = files[0].clone();
        surplus.inputs.extend([0; 32]);
        expect(&surplus, invalid(Reason::SurplusInputs));
    }
}

#[test]
fn no_flipped_byte_of_a_plonk_proof_holds() {
    no_flip_holds(&vectors("plonk_bn254")[0], 13);
}

#[test]
fn plonk_points_and_numbers_are_checked() {
    let file = &vectors("plonk_bn254")[0];
    let mut infinity = file.clone();
    infinity.proof[64..128].fill(0);
    expect(&infinity, invalid(Reason::ProofInfinity));
    let mut wide = file.clone();
    wide.proof[9 * 64..9 * 64 + 32].fill(0xff);
    expect(&wide, invalid(Reason::ProofNonCanonical));
    let mut off = file.clone();
    off.proof[63] ^= 1;
    expect(&off, invalid(Reason::ProofOffCurve));
    for length in [0, file.proof.len() - 1, file.proof.len() + 1] {
        let mut wrong = file.clone();
        wrong.proof.resize(length, 0);
        expect(&wrong, invalid(Reason::ProofLength));
        wrong.proof = file.proof.clone();
        wrong.key.resize(length, 0);
        assert_ne!(wrong.verify(), VALID);
    }
    let mut bits = file.clone();
    bits.key[0] = 29;
    expect(&bits, invalid(Reason::KeyParameters));
}

#[test]
fn the_larger_batch_holds() {
    let name = "snarkjs-batch/groth16_bn254_4pub";
    let key = format!("{name}_verification_key.json");
    let Some(files) = files(Source::Snarkjs, &format!("{name}.json"), &key, None) else { return };
    assert_eq!(files.len(), 32);
    let views: Vec<_> = files.iter().map(ProofFile::submission).collect();
    assert_eq!(verify_batch(&views, &mut PreparedKeys::new(), &[1; 32]), [VALID; 32]);
    for file in &files {
        assert_eq!(file.verify(), VALID);
    }
    let other = &vectors("groth16_bn254_2pub")[0];
    let mut wrong = other.clone();
    wrong.key = files[0].key.clone();
    expect(&wrong, invalid(Reason::MissingInputs));
}

/// RISC Zero's own test circuits, their signals in files of their own.
#[test]
fn bare_proofs_hold() {
    for folder in
        ["risc0/risc0/risc0/groth16/tests/data", "risc0/risc0/examples/groth16-verifier/src/data"]
    {
        let path = |name: &str| format!("{folder}/{name}.json");
        let inputs = path("public");
        let (proof, key) = (path("proof"), path("verification_key"));
        let Some(files) = files(Source::Snarkjs, &proof, &key, Some(&inputs)) else { continue };
        expect(&files[0], VALID);
        let mut wrong = files[0].clone();
        *wrong.inputs.last_mut().unwrap() ^= 1;
        expect(&wrong, invalid(Reason::Equation));
        let apart = read(Source::Snarkjs, &fixture(&proof).unwrap(), &fixture(&key).unwrap(), None);
        assert_eq!(apart, Err(FileError::NoInputs));
    }
}

#[test]
fn what_snarkjs_writes_for_others_is_named() {
    let key = br#"{"protocol":"fflonk","curve":"bn128"}"#;
    assert_eq!(read(Source::Snarkjs, b"[]", key, None), Err(FileError::Unsupported("fflonk")));
    let broken = read(Source::Snarkjs, b"{", key, None);
    assert!(broken.is_err());
    let long = vec![b' '; 1 << 20];
    assert_eq!(read(Source::Snarkjs, &long, key, None), Err(FileError::TooLong("proof")));
}
