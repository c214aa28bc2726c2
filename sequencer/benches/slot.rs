//! Slot benches: building and checking a cut, executing a slot of 100,000 transactions, restarting from a checkpoint.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench fails loudly and is no library"
)]

#[path = "../tests/slot_support/mod.rs"]
mod slot_support;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rota_sequencer::execution::{DecidedSlot, Executor};
use rota_sequencer::slot::{Parent, SlotDesk, Work};
use rota_types::*;
use slot_support::*;

const TX_PAYLOAD: usize = 492;
const BATCH_TXS: u64 = 1_000;

struct Made {
    net: Net,
    lanes: FakeLanes,
    desk: SlotDesk,
    executor: Executor,
}

/// `txs` transactions of 512 bytes of three rollups, in batches of a thousand over four lanes.
fn made(txs: u64) -> Made {
    let net = Net::with(4, |genesis| genesis.rollups[2].slot_bytes_max = 0);
    let mut lanes = FakeLanes::new(&net);
    for batch in 0..txs / BATCH_TXS {
        let list: Vec<_> = (0..BATCH_TXS)
            .map(|i| {
                let mut payload = (batch * BATCH_TXS + i).to_le_bytes().to_vec();
                payload.resize(TX_PAYLOAD, 7);
                tx(10 + i % 3, 500, &payload)
            })
            .collect();
        lanes.certified_batch(&net, usize::try_from(batch % 4).unwrap(), &list);
    }
    let desk = SlotDesk::new(&net.genesis, net.set.clone());
    let executor = Executor::genesis(&net.genesis).unwrap();
    Made { net, lanes, desk, executor }
}

impl Made {
    fn propose(&self) -> SlotProposal {
        let parent = Parent { header_id: Hash::ZERO, order: self.executor.order() };
        self.desk.build(Height(1), Round(0), Slot(5), parent, &self.lanes, &[])
    }

    fn decided(&self) -> DecidedSlot {
        self.net.decide(self.propose(), &mut self.lanes.clone())
    }
}

fn slot(criterion: &mut Criterion) {
    let made = made(100_000);
    criterion.bench_function("sequencer::slot_build/lanes=4", |bencher| {
        bencher.iter(|| made.propose());
    });
    let proposal = made.propose();
    criterion.bench_function("sequencer::slot_check/lanes=4", |bencher| {
        let parent = Parent { header_id: Hash::ZERO, order: made.executor.order() };
        let work = Work { height: Height(1), parent_slot: Slot(0), parent: Some(parent) };
        bencher.iter(|| made.desk.check(&proposal, &work, &made.lanes));
    });
    let decided = made.decided();
    let mut group = criterion.benchmark_group("sequencer::slot_execute");
    group.sample_size(10).throughput(Throughput::Elements(100_000));
    group.bench_function("txs=100000", |bencher| {
        bencher.iter_batched(
            || made.executor.clone(),
            |mut executor| executor.execute(&decided).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
    let mut executor = made.executor.clone();
    let record = executor.execute(&decided).unwrap().record;
    let checkpoint = executor.to_checkpoint();
    let mut group = criterion.benchmark_group("sequencer::window_load");
    group.sample_size(10).throughput(Throughput::Elements(100_000));
    group.bench_function("txs=100000", |bencher| {
        bencher.iter(|| {
            let mut executor = Executor::from_checkpoint(&made.net.genesis, &checkpoint).unwrap();
            executor.load_window(&record).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, slot);
criterion_main!(benches);
