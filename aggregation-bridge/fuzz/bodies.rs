//! What the fuzzer does with bytes for this crate: submissions of every system, and files of every source.

use rota_aggregation_bridge::verify::file::{self, Source};
use rota_aggregation_bridge::verify::{
    PreparedKeys, Submission, System, Verdict, check_key, verify, verify_batch,
};

/// The next `count` bytes, or what is left of them.
fn take<'a>(data: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (head, tail) = data.split_at(count.min(data.len()));
    *data = tail;
    head
}

fn length(data: &mut &[u8]) -> usize {
    take(data, 2).iter().fold(0, |length, byte| length * 256 + usize::from(*byte))
}

/// Which of `systems`, its release, the lengths of key and inputs; then key, inputs and proof.
fn submission(mut data: &[u8], systems: &[System]) {
    let data = &mut data;
    let Some(choice) = take(data, 1).first() else { return };
    let Some(system) = systems.get(usize::from(*choice) % systems.len()) else { return };
    let release = take(data, 4).iter().fold(0, |release, byte| release << 8 | u32::from(*byte));
    let (key, inputs) = (length(data), length(data));
    let (key, inputs) = (take(data, key), take(data, inputs));
    let submission = Submission { system: *system, release, key, inputs, proof: data };
    let mut keys = PreparedKeys::new();
    let verdict = verify(&submission, &mut keys);
    assert_eq!(verify(&submission, &mut keys), verdict, "a kept key changes the verdict");
    assert_eq!(verify_batch(&[submission; 3], &mut keys, &[1; 32]), [verdict; 3]);
    let good_key = check_key(*system, key).is_ok();
    assert!(good_key || verdict != Verdict::Valid, "valid under a key that cannot be registered");
}

/// Groth16 of every kind.
pub(crate) fn groth16(data: &[u8]) {
    let committed = System::Groth16Bn254Committed;
    submission(data, &[System::Groth16Bn254, System::Groth16Bls12381, committed]);
}

/// Plonk of every kind.
pub(crate) fn plonk(data: &[u8]) {
    let snarkjs = System::SnarkjsPlonkBn254;
    submission(data, &[System::GnarkPlonkBn254, System::GnarkPlonkBls12381, snarkjs]);
}

/// Wrapped proofs of programs.
pub(crate) fn programs(data: &[u8]) {
    submission(data, &[System::Sp1Groth16, System::Sp1Plonk, System::Risc0Groth16]);
}

/// Which source, the lengths of key and inputs; then key, inputs and proof.
pub(crate) fn files(mut data: &[u8]) {
    let data = &mut data;
    let Some(choice) = take(data, 1).first() else { return };
    let Some(source) = Source::ALL.get(usize::from(*choice) % Source::ALL.len()) else { return };
    let (key, inputs) = (length(data), length(data));
    let (key, inputs) = (take(data, key), take(data, inputs));
    if let Ok(files) = file::read(*source, data, key, Some(inputs)) {
        for file in files.iter().take(2) {
            let first = file.verify();
            assert_eq!(file.verify(), first, "two verdicts on one file");
        }
    }
}
