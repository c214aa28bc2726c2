//! Cost of a batch: sealing it from submissions, and checking it when it comes in.
#![expect(clippy::unwrap_used, reason = "a bench fails loudly")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rota_sequencer::Batch;
use rota_sequencer::lanes::{Effect, Event, LaneTerms, Lanes, LanesConfig, Origin, Recovered};
use rota_types::bls::{BlsSignature, SealSecret};
use rota_types::{
    Ed25519Signer, Gate, Hash, Height, Incarnation, LanePosition, Mark, RollupId, Seq, Signature,
    Signer, Slot, TimestampMs, Transaction, TransactionList, Validator, ValidatorKey, ValidatorSet,
    Weight,
};
use std::hint::black_box;
use std::sync::Arc;

const CHAIN: u64 = 7;

struct OpenGate(Ed25519Signer);

impl Gate for OpenGate {
    fn public_key(&self) -> ValidatorKey {
        self.0.public_key()
    }
    fn sign(&mut self, mark: Mark) -> Option<Signature> {
        Some(self.0.sign(&mark.digest))
    }
    fn seal(&mut self, _: Height, _: u64, _: &Hash) -> Option<BlsSignature> {
        None
    }
    fn sign_unmarked(&mut self, digest: &Hash) -> Option<Signature> {
        Some(self.0.sign(digest))
    }
}

fn gate(n: u8) -> OpenGate {
    OpenGate(Ed25519Signer::from_seed(&[n; 32]))
}

fn filled(tag: usize, length: usize) -> Vec<u8> {
    tag.to_le_bytes().into_iter().cycle().take(length).collect()
}

fn submissions(size: usize, each: usize) -> Vec<TransactionList> {
    let count = (512 * 1024 - 4) / size / each;
    let make = |list: usize| {
        let txs: Vec<Transaction> = (0..each)
            .map(|n| Transaction {
                rollup: RollupId(10),
                valid_until_slot: Slot(50),
                payload: filled(list * each + n, size - 20),
            })
            .collect();
        TransactionList::parse(borsh::to_vec(&txs).unwrap().into(), 1 << 20).unwrap()
    };
    (0..count).map(make).collect()
}

fn lanes(me: u8) -> Lanes {
    let keys: Vec<ValidatorKey> = (1..=4).map(|n| gate(n).public_key()).collect();
    let seal_key = SealSecret::derive(&[7; 32]).unwrap().public_key();
    let set = keys.iter().map(|key| Validator { key: *key, seal_key, weight: Weight(1) });
    let terms = |lane: &ValidatorKey| LaneTerms {
        incarnation: Incarnation(0),
        closed: false,
        slot_bytes_max: 64 << 20,
        slot_txs_max: 1 << 20,
        tip: rota_sequencer::LaneTip {
            position: LanePosition { lane: *lane, incarnation: Incarnation(0), seq: Seq(0) },
            digest: Hash::ZERO,
            cumulative_bytes: 0,
            cumulative_txs: 0,
        },
    };
    let mut lanes = Lanes::new(LanesConfig {
        chain_id: CHAIN,
        me: Some(gate(me).public_key()),
        validators: ValidatorSet::new(set.collect()).unwrap(),
        lane_lead_max: 2048,
        slot_ms: 1_000,
        bodies_bytes_max: 1 << 30,
        lookup_salt: [3; 16],
    });
    let terms = keys.iter().map(terms).collect();
    let recovered = Recovered { terms, ..Recovered::default() };
    lanes.step(TimestampMs(0), Event::Recovered(Box::new(recovered)), &mut gate(me));
    lanes
}

fn seal_one(lanes: &mut Lanes, gate: &mut OpenGate, lists: &[TransactionList]) -> Arc<Batch> {
    let mut batch = None;
    for (token, list) in lists.iter().enumerate() {
        let origin = Origin::Client(token as u64);
        let event = Event::Submit { origin, list: list.clone() };
        // The clock stands before the first seal is due until all of it waits.
        let now = if token + 1 == lists.len() { 5_000 } else { 1 };
        for effect in lanes.step(TimestampMs(now), event, gate) {
            if let Effect::Store(stored) = effect {
                batch = Some(stored);
            }
        }
    }
    batch.unwrap()
}

fn batch(c: &mut Criterion) {
    for (size, each) in [(512, 1), (512, 64), (4096, 16)] {
        let lists = submissions(size, each);
        let made = seal_one(&mut lanes(1), &mut gate(1), &lists);
        let bytes = made.frame().len() as u64;
        let name = format!("size={size},per_submission={each}");
        let mut group = c.benchmark_group("batch::seal");
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(&name, |b| {
            b.iter_batched(
                || (lanes(1), gate(1)),
                |(mut lanes, mut gate)| {
                    black_box(seal_one(&mut lanes, &mut gate, &lists));
                    lanes
                },
                BatchSize::SmallInput,
            );
        });
        group.finish();
        if each == 1 {
            continue;
        }
        let mut group = c.benchmark_group("batch::check");
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(&name, |b| {
            b.iter(|| black_box(Batch::from_frame(CHAIN, made.frame().clone()).unwrap()));
        });
        group.finish();
        let mut group = c.benchmark_group("batch::acknowledge");
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(&name, |b| {
            let from = made.position().lane;
            b.iter_batched(
                || (lanes(2), gate(2), Event::Batch { from, batch: Arc::clone(&made) }),
                |(mut lanes, mut gate, event)| {
                    black_box(lanes.step(TimestampMs(5_000), event, &mut gate));
                    lanes
                },
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, batch);
criterion_main!(benches);
