//! What durability costs: groups of batches through the commit pipeline on a real disk.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rota_node::disk::{Item, Pipeline, RealDisk};
use rota_node::guard::{Create, Guard, GuardRecord, Mark};
use rota_node::ledger::{BatchKey, Ledger, PruneRequest};
use rota_node::wal::Wal;
use rota_types::{Hash, Height, Incarnation, Seq, ValidatorKey, keccak256};
use std::hint::black_box;
use std::path::Path;

const LANE: ValidatorKey = ValidatorKey([1; 32]);

fn stores(home: &Path) -> Pipeline {
    let disk = RealDisk::shared();
    let (ledger, _) = Ledger::open(disk.clone(), &home.join("ledger"), Hash::ZERO, 1)
        .expect("a fresh folder makes a ledger");
    let wal = Wal::open(disk.clone(), &home.join("wal"), 2).expect("a fresh folder makes a WAL");
    let (_, guard, _) = Guard::open(disk, &home.join("guard.log"), LANE, Create::New)
        .expect("a fresh folder makes a guard");
    Pipeline::new(ledger, wal, Some(guard))
}

/// One group: `batches` bodies with their marks, a slot over them, and everything synced once.
fn group(height: u64, batches: u64, body: &Bytes) -> Vec<Item<()>> {
    let mut items = Vec::new();
    let mut digests = Vec::new();
    for index in 0..batches {
        let seq = Seq(height.saturating_mul(batches).saturating_add(index));
        let digest = keccak256(&seq.0.to_le_bytes());
        let incarnation = Incarnation(1);
        let key = BatchKey { lane: LANE, incarnation, seq, digest };
        items.push(Item::Batch { key, header: Bytes::from_static(&[7; 200]), body: body.clone() });
        items.push(Item::Guard(GuardRecord::Mark(Mark::OwnBatch { incarnation, seq, digest })));
        digests.push(digest);
    }
    items.push(Item::Slot { height: Height(height), batches: digests, bytes: Bytes::new() });
    items.push(Item::Release(()));
    items
}

fn bench(criterion: &mut Criterion) {
    for (name, batches, bytes) in [
        ("ledger::commit/batches=4,bytes=524288", 4u64, 524_288usize),
        ("ledger::commit/batches=1,bytes=512", 1, 512),
    ] {
        let home = tempfile::tempdir().expect("the system has a temporary folder");
        let mut pipeline = stores(home.path());
        let body = Bytes::from(vec![0xA5; bytes]);
        let mut height = 0u64;
        let mut measured = criterion.benchmark_group("node");
        let total = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(batches);
        measured.throughput(Throughput::Bytes(total));
        measured.sample_size(30);
        measured.bench_function(name, |bencher| {
            bencher.iter(|| {
                height = height.saturating_add(1);
                let items = group(height, batches, &body);
                pipeline.commit(items, |()| {}).expect("the disk takes it");
                if height.is_multiple_of(256) {
                    let keep_from = Height(height.saturating_sub(8));
                    let request = PruneRequest { keep_from, ..PruneRequest::default() };
                    black_box(pipeline.ledger.prune(&request).expect("old segments can go"));
                }
            });
        });
        measured.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
