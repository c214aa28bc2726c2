//! Random submissions, losses, crashes and decisions: the invariants hold, and all heals.

use crate::net::{Net, list};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rota_types::{Hash, MarkPlace};
use std::collections::BTreeMap;

fn pick(rng: &mut ChaCha20Rng, n: u64) -> u64 {
    rng.next_u64() % n
}

/// Every place was acknowledged with one digest by each validator, across all its lives.
fn remember(net: &Net, seen: &mut BTreeMap<(usize, MarkPlace), Hash>) {
    for (i, node) in net.nodes.iter().enumerate() {
        for (place, digest) in &node.gate.marks {
            let known = *seen.entry((i, *place)).or_insert(*digest);
            assert_eq!(known, *digest, "signed twice at one place");
        }
    }
}

fn run(seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut net = Net::with_limits(4, 1 << 20, 1 << 20, 64);
    let mut seen = BTreeMap::new();
    let mut token = 0;
    for _ in 0..150 {
        let i = pick(&mut rng, 4) as usize;
        match pick(&mut rng, 12) {
            0..=4 if net.nodes[i].up => {
                token += 1;
                let count = 1 + pick(&mut rng, 20);
                let tags = (0..count).map(|n| token * 100 + n);
                net.submit(i, token, list(tags, 40 + pick(&mut rng, 900) as usize));
            }
            5 if net.nodes.iter().filter(|node| node.up).count() > 2 && net.nodes[i].up => {
                net.crash(i);
            }
            6 | 7 if !net.nodes[i].up => net.restart(i),
            8 => {
                let j = pick(&mut rng, 4) as usize;
                net.no_batches.insert((i, j));
            }
            9 => net.no_batches.clear(),
            10 if net.nodes.iter().all(|node| node.up) => net.decide(i),
            _ => {}
        }
        let ms = pick(&mut rng, 120);
        net.run(ms);
        remember(&net, &mut seen);
        net.check();
    }
    net.no_batches.clear();
    (0..4)
        .filter(|i| !net.nodes[*i].up)
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|i| net.restart(i));
    for _ in 0..6 {
        net.run(10_000);
        net.decide(0);
    }
    remember(&net, &mut seen);
    net.check();
    for (i, node) in net.nodes.iter().enumerate() {
        assert_eq!(node.gate.refused, 0, "seed {seed}: node {i} asked for a second signature");
        assert!(node.evidence.is_empty() && node.penalties.is_empty(), "seed {seed}: node {i}");
        assert_eq!(node.lanes.usage(), (0, 0), "seed {seed}: node {i} holds undecided batches");
        for receipt in node.receipts.values() {
            let tip = net.decided[&receipt.receipt.position.lane];
            assert!(receipt.receipt.position.seq <= tip.position.seq, "seed {seed}: not decided");
        }
    }
}

#[test]
fn whatever_fails_nothing_is_signed_twice_and_every_receipt_is_decided_at_its_place() {
    for seed in 0..24 {
        run(seed);
    }
}
