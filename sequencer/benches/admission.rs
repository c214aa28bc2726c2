//! Cost of the doors: parsing, hashing and judging submissions.
#![expect(clippy::unwrap_used, reason = "a bench fails loudly")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rota_sequencer::admission::{AdmissionContext, Rollups, judge_bundle};
use rota_types::{RollupId, Slot, Transaction, TransactionList};
use std::hint::black_box;

fn encoded(size: usize, bytes: usize) -> bytes::Bytes {
    let count = bytes / size;
    let txs: Vec<Transaction> = (0..count)
        .map(|n| Transaction {
            rollup: RollupId(10),
            valid_until_slot: Slot(50),
            payload: n.to_le_bytes().iter().copied().cycle().take(size - 20).collect(),
        })
        .collect();
    borsh::to_vec(&txs).unwrap().into()
}

fn admission(c: &mut Criterion) {
    let rollups = Rollups::new([(RollupId(10), 0)]);
    let context = AdmissionContext {
        chain_id: 7,
        slot: Slot(40),
        validity_slots_max: 64,
        rollups: &rollups,
        known: &|_| false,
        keystore: None,
        system: None,
    };
    for size in [128, 512, 4096] {
        let bytes = encoded(size, 120 * 1024);
        let mut group = c.benchmark_group(format!("admission::check/size={size}"));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("parse+judge", |b| {
            b.iter_batched(
                || bytes.clone(),
                |bytes| {
                    let list = TransactionList::parse(bytes, 1 << 20).unwrap();
                    black_box(judge_bundle(&list, &context, &mut |_| Ok(())))
                },
                BatchSize::SmallInput,
            );
        });
        let list = TransactionList::parse(bytes.clone(), 1 << 20).unwrap();
        group.bench_function("judge", |b| {
            b.iter(|| black_box(judge_bundle(&list, &context, &mut |_| Ok(()))))
        });
        group.finish();
    }
}

criterion_group!(benches, admission);
criterion_main!(benches);
