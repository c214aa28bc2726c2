//! Real proofs of other projects: what their own verifiers accept holds here, and what is tampered with does not.
//!
//! The files are read from `ROTA_FIXTURES`, else from `../shared/fixtures` beside the project; what is absent is skipped
//! by name. The proofs under `tests/vectors` are our own and always there.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail loudly, and say what they skip"
)]

mod gnark;
mod programs;
mod snarkjs;

use rota_aggregation_bridge::verify::file::{ProofFile, Source, read};
use rota_aggregation_bridge::verify::{PreparedKeys, Reason, Verdict, verify_batch};
use std::path::{Path, PathBuf};

const VALID: Verdict = Verdict::Valid;

const fn invalid(reason: Reason) -> Verdict {
    Verdict::Invalid(reason)
}

/// A fixture's bytes.
fn fixture(path: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("ROTA_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        PathBuf::from,
    );
    let bytes = std::fs::read(root.join(path)).ok();
    if bytes.is_none() {
        println!("skipped: {path} is not in ROTA_FIXTURES");
    }
    bytes
}

/// Proof, key and inputs of one source.
fn files(source: Source, proof: &str, key: &str, inputs: Option<&str>) -> Option<Vec<ProofFile>> {
    let inputs = match inputs {
        Some(path) => Some(fixture(path)?),
        None => None,
    };
    Some(read(source, &fixture(proof)?, &fixture(key)?, inputs.as_deref()).unwrap())
}

/// The verdict alone and in a batch, which must agree.
#[track_caller]
fn expect(file: &ProofFile, expected: Verdict) {
    assert_eq!(file.verify(), expected);
    let batch = verify_batch(&[file.submission(); 3], &mut PreparedKeys::new(), &[3; 32]);
    assert_eq!(batch, [expected; 3]);
}

/// Every byte's lowest bit flipped in turn, a step apart: never valid.
#[track_caller]
fn no_flip_holds(file: &ProofFile, step: usize) {
    for place in (0..file.proof.len()).step_by(step) {
        let mut flipped = file.clone();
        flipped.proof[place] ^= 1;
        assert_ne!(flipped.verify(), VALID, "proof byte {place}");
    }
    for place in (0..file.inputs.len()).step_by(step) {
        let mut flipped = file.clone();
        flipped.inputs[place] ^= 1;
        assert_ne!(flipped.verify(), VALID, "input byte {place}");
    }
}
