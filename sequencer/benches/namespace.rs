//! Namespace benches: the tree of a slot, and the proofs cut from it.

#![expect(clippy::unwrap_used, reason = "a bench fails loudly and is no library")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rota_sequencer::execution::SlotNamespaces;
use rota_types::namespace::{Namespaces, RangeProof};
use rota_types::{RollupId, keccak256};

fn lists(txs: u32) -> Namespaces {
    let mut lists = Namespaces::default();
    for n in 0..txs {
        lists.push(RollupId(10 + u64::from(n % 8)), keccak256(&n.to_le_bytes()), 512);
    }
    lists
}

fn namespace(criterion: &mut Criterion) {
    let made = lists(100_000);
    let mut group = criterion.benchmark_group("sequencer::namespace_tree");
    group.sample_size(10).throughput(Throughput::Elements(100_000));
    group.bench_function("txs=100000", |bencher| {
        bencher.iter(|| SlotNamespaces::new(made.clone()).root());
    });
    group.finish();
    let namespaces = SlotNamespaces::new(made);
    let ids = namespaces.ids(RollupId(10));
    criterion.bench_function("sequencer::range_proof/ids=12500", |bencher| {
        bencher.iter(|| RangeProof::of(ids, 6_000, 1).unwrap());
    });
    let proof = namespaces.proof(RollupId(10));
    criterion.bench_function("sequencer::namespace_verify/rollups=8", |bencher| {
        bencher.iter(|| proof.verify(&namespaces.root()).unwrap());
    });
}

criterion_group!(benches, namespace);
criterion_main!(benches);
