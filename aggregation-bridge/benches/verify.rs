//! Verification benches: one proof of each system, and many Groth16 proofs together.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench fails loudly, and says what it skips"
)]

#[path = "../tests/made/mod.rs"]
mod made;

use ark_bls12_381::Bls12_381;
use ark_bn254::Bn254;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use made::{Encoded, Made};
use rota_aggregation_bridge::verify::file::{ProofFile, Source, read};
use rota_aggregation_bridge::verify::{PreparedKeys, System, Verdict, verify, verify_batch};

const INPUTS: usize = 4;
const KEYS: u64 = 8;

/// `count` proofs over [`KEYS`] keys.
fn proofs<E: Encoded>(system: System, count: u64) -> Vec<ProofFile> {
    let mut made: Vec<_> = (0..KEYS).map(|seed| Made::<E>::new(INPUTS, seed)).collect();
    let keys = made.len();
    (0..count)
        .zip((0..keys).cycle())
        .map(|(first, place)| {
            let made = made.get_mut(place).unwrap();
            let (inputs, proof) = made.prove(first + 2);
            ProofFile {
                system,
                release: 0,
                key: made::key(made.vk()),
                inputs: made::inputs(&inputs),
                proof: made::proof(&proof),
            }
        })
        .collect()
}

fn single(criterion: &mut Criterion, name: &str, file: &ProofFile, expected: Verdict) {
    let mut keys = PreparedKeys::new();
    assert_eq!(verify(&file.submission(), &mut keys), expected, "{name}");
    criterion.bench_function(&format!("aggregation_bridge::verify/single/{name}"), |bencher| {
        bencher.iter(|| verify(&file.submission(), &mut keys));
    });
    criterion.bench_function(&format!("aggregation_bridge::verify/first/{name}"), |bencher| {
        bencher.iter(|| verify(&file.submission(), &mut PreparedKeys::new()));
    });
}

fn singles(criterion: &mut Criterion) {
    let bn254 = &proofs::<Bn254>(System::Groth16Bn254, 1)[0];
    single(criterion, "groth16-bn254", bn254, Verdict::Valid);
    let bls12_381 = &proofs::<Bls12_381>(System::Groth16Bls12381, 1)[0];
    single(criterion, "groth16-bls12-381", bls12_381, Verdict::Valid);
    let folder = format!("{}/tests/vectors", env!("CARGO_MANIFEST_DIR"));
    let load = |name: &str| std::fs::read(format!("{folder}/{name}.json")).unwrap();
    let (proof, key) = (load("plonk_bn254"), load("plonk_bn254_verification_key"));
    let plonk = &read(Source::Snarkjs, &proof, &key, None).unwrap()[0];
    single(criterion, "snarkjs-plonk-bn254", plonk, Verdict::Valid);
    real(criterion);
}

/// Systems whose proofs only others make: benched where the fixtures are.
fn real(criterion: &mut Criterion) {
    let folder = std::env::var("ROTA_FIXTURES")
        .unwrap_or_else(|_| format!("{}/../../shared/fixtures", env!("CARGO_MANIFEST_DIR")));
    let gnark = "aligned/v0.10.1/gnark_plonk";
    let [bn254, bls] = ["bn254", "bls12_381"].map(|curve| format!("{gnark}_{curve}_script/plonk"));
    let [sp1, risc0] = ["sp1/project-template/d1b0924", "risc0/risc0-ethereum/TestReceiptV3_0"];
    let (groth16, wrapped) = (format!("{sp1}/groth16-fixture"), format!("{sp1}/plonk-fixture"));
    let json = |name: &str| [format!("{name}.json"), format!("{name}.json"), String::new()];
    let binary = |name: &str| ["proof", "vk"].map(|end| format!("{name}.{end}"));
    let gnark = |name: &str| {
        let [proof, key] = binary(name);
        [proof, key, format!("{name}_pub_input.pub")]
    };
    for (name, source, [proof, key, inputs]) in [
        ("sp1-groth16", Source::Sp1, json(&groth16)),
        ("sp1-plonk", Source::Sp1, json(&wrapped)),
        ("risc0-groth16", Source::Risc0, json(risc0)),
        ("gnark-plonk-bn254", Source::GnarkPlonkBn254, gnark(&bn254)),
        ("gnark-plonk-bls12-381", Source::GnarkPlonkBls12381, gnark(&bls)),
    ] {
        let load = |path: &str| std::fs::read(format!("{folder}/{path}")).ok();
        let (Some(proof), Some(key)) = (load(&proof), load(&key)) else {
            println!("skipped: {proof} is not in ROTA_FIXTURES");
            continue;
        };
        let file = &read(source, &proof, &key, load(&inputs).as_deref()).unwrap()[0];
        single(criterion, name, file, Verdict::Valid);
    }
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("aggregation_bridge::verify/batch");
    group.sample_size(10);
    let bn254 = proofs::<Bn254>(System::Groth16Bn254, 1_024);
    let bls = proofs::<Bls12_381>(System::Groth16Bls12381, 64);
    for (name, files) in [("groth16-bn254", &bn254), ("groth16-bls12-381", &bls)] {
        for count in [8, 64, 1_024].into_iter().filter(|count| *count <= files.len()) {
            let views: Vec<_> = files.iter().take(count).map(ProofFile::submission).collect();
            let mut keys = PreparedKeys::new();
            let verdicts = verify_batch(&views, &mut keys, &[1; 32]);
            assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Valid));
            group.throughput(Throughput::Elements(u64::try_from(count).unwrap()));
            group.bench_function(format!("{name}/keys=8/proofs={count}"), |bencher| {
                bencher.iter(|| verify_batch(&views, &mut keys, &[1; 32]));
            });
        }
    }
    let mut spoilt = bn254.get(..64).unwrap().to_vec();
    *spoilt.first_mut().unwrap().inputs.last_mut().unwrap() ^= 1;
    let views: Vec<_> = spoilt.iter().map(ProofFile::submission).collect();
    let mut keys = PreparedKeys::new();
    group.bench_function("groth16-bn254/keys=8/proofs=64/bad=1", |bencher| {
        bencher.iter(|| verify_batch(&views, &mut keys, &[1; 32]));
    });
    group.finish();
}

criterion_group!(benches, singles, batches);
criterion_main!(benches);
