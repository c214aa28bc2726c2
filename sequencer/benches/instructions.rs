//! Instructions of the hot path, counted by callgrind: a transaction's way from bytes to its place in a slot.
//!
//! Counts repeat for the same build and machine kind, whatever else runs; valgrind shows programs no AVX-512, so
//! hashes go four at a time here and eight at a time in life. Needs valgrind and
//! `cargo install gungraun-runner --version 0.20.0`; then `cargo bench -p rota-sequencer --bench instructions`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench fails loudly and is no library"
)]
#![expect(missing_docs, reason = "the macros of gungraun make public items")]

#[path = "../tests/slot_support/mod.rs"]
mod slot_support;

use gungraun::{library_benchmark, library_benchmark_group, main};
use rota_sequencer::Batch;
use rota_sequencer::admission::{AdmissionContext, BundleVerdict, Rollups, judge_bundle};
use rota_sequencer::execution::{DecidedSlot, ExecutedSlot, Executor, SlotNamespaces};
use rota_sequencer::slot::SlotDesk;
use rota_types::namespace::Namespaces;
use rota_types::*;
use slot_support::*;
use std::hint::black_box;

const TXS: u64 = 1_000;

/// A thousand transactions of 512 bytes.
fn thousand(batch: u64) -> Vec<Transaction> {
    let payload = |i: u64| {
        let mut payload = (batch * TXS + i).to_le_bytes().to_vec();
        payload.resize(492, 7);
        payload
    };
    (0..TXS).map(|i| tx(10 + i % 3, 500, &payload(i))).collect()
}

fn encoded() -> bytes::Bytes {
    borsh::to_vec(&thousand(0)).unwrap().into()
}

#[library_benchmark]
#[bench::txs_1000(encoded())]
fn admission(bytes: bytes::Bytes) -> BundleVerdict {
    let rollups = Rollups::new([10, 11, 12].map(|id| (RollupId(id), 0)));
    let context = AdmissionContext {
        chain_id: 7,
        slot: Slot(450),
        validity_slots_max: 64,
        rollups: &rollups,
        known: &|_| false,
        keystore: None,
        system: None,
    };
    let list = TransactionList::parse(bytes, 1 << 20).unwrap();
    black_box(judge_bundle(&list, &context, &mut |_| Ok(())))
}

fn frame() -> (u64, bytes::Bytes) {
    let net = Net::with(4, |_| {});
    let mut lanes = FakeLanes::new(&net);
    let batch = lanes.certified_batch(&net, 0, &thousand(0));
    (net.genesis.chain_id, batch.frame().clone())
}

#[library_benchmark]
#[bench::txs_1000(frame())]
fn batch_check((chain_id, frame): (u64, bytes::Bytes)) -> Batch {
    black_box(Batch::from_frame(chain_id, frame).unwrap())
}

fn decided() -> (Executor, DecidedSlot) {
    let net = Net::with(4, |genesis| genesis.rollups[2].slot_bytes_max = 0);
    let mut lanes = FakeLanes::new(&net);
    for batch in 0..8 {
        lanes.certified_batch(&net, usize::try_from(batch % 4).unwrap(), &thousand(batch));
    }
    let desk = SlotDesk::new(&net.genesis, net.set.clone());
    let executor = Executor::genesis(&net.genesis).unwrap();
    let parent = rota_sequencer::slot::Parent { header_id: Hash::ZERO, order: executor.order() };
    let proposal = desk.build(Height(1), Round(0), Slot(450), parent, &lanes, &[]);
    let decided = net.decide(proposal, &mut lanes);
    (executor, decided)
}

#[library_benchmark]
#[bench::txs_8000(decided())]
fn slot_execute((mut executor, decided): (Executor, DecidedSlot)) -> ExecutedSlot {
    black_box(executor.execute(&decided).unwrap())
}

fn lists() -> Namespaces {
    let mut lists = Namespaces::default();
    for n in 0..8_000u32 {
        lists.push(RollupId(10 + u64::from(n % 8)), keccak256(&n.to_le_bytes()), 512);
    }
    lists
}

#[library_benchmark]
#[bench::txs_8000(lists())]
fn namespace_tree(lists: Namespaces) -> Hash {
    black_box(SlotNamespaces::new(lists).root())
}

library_benchmark_group!(
    name = hot_path;
    benchmarks = admission, batch_check, slot_execute, namespace_tree
);
main!(library_benchmark_groups = hot_path);
