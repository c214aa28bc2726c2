//! Random submissions, losses, crashes and decisions: the invariants hold, and all heals.

use crate::net::{CHAIN, Net, list};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rota_sequencer::Batch;
use rota_sequencer::lanes::{Event, LaneMessage};
use rota_types::{Ack, BatchCertificate, Hash, MarkPlace};
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Acknowledgements that the honest nodes 1 to 3 gave to a batch of node 0.
fn ackers(net: &Net, batch: &Batch) -> Vec<usize> {
    let position = batch.position();
    let digest = Ack::signing_digest(CHAIN, &position, &batch.digest());
    let place = MarkPlace::Ack { position };
    (1..4).filter(|i| net.nodes[*i].gate.marks.get(&place) == Some(&digest)).collect()
}

fn certificate(net: &Net, batch: &Batch) -> Option<BatchCertificate> {
    let signers = ackers(net, batch);
    let sign = |i: &usize| {
        let ack = Ack::sign(CHAIN, batch.position(), batch.digest(), &net.nodes[*i].gate.signer());
        (ack.validator, ack.signature)
    };
    let mut acks: Vec<_> = signers.iter().map(sign).collect();
    acks.sort_by_key(|(key, _)| *key);
    (acks.len() >= 2).then(|| BatchCertificate { batch: batch.signed().clone(), acks })
}

/// Node 0 signs a tree of batches and shows any of them, and any certificate it can make, to whom it likes.
fn run_with_a_lying_author(seed: u64) -> usize {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut net = Net::new(4);
    net.crash(0);
    let mut tree: Vec<Arc<Batch>> = vec![net.forge(0, None, &[0]), net.forge(0, None, &[1])];
    for tag in 2..24u64 {
        let from = (tree.len() as u64).saturating_sub(4);
        let parent = (from + pick(&mut rng, 4)).min(tree.len() as u64 - 1) as usize;
        let next = net.forge(0, Some(&tree[parent]), &[tag]);
        tree.push(next);
    }
    for _ in 0..400 {
        let to = 1 + pick(&mut rng, 3) as usize;
        let batch = Arc::clone(&tree[pick(&mut rng, tree.len() as u64) as usize]);
        let from = net.keys[0];
        match (pick(&mut rng, 3), certificate(&net, &batch)) {
            (0, Some(certificate)) => {
                let message = LaneMessage::Certificate(Box::new(certificate));
                net.step(to, Event::Message { from, message });
            }
            _ => net.step(to, Event::Batch { from, batch }),
        }
        net.run(1 + pick(&mut rng, 300));
    }
    let mut certified: Vec<&Arc<Batch>> =
        tree.iter().filter(|batch| certificate(&net, batch).is_some()).collect();
    certified.sort_by_key(|batch| batch.position().seq);
    for pair in certified.windows(2) {
        assert!(pair[0].position().seq < pair[1].position().seq, "seed {seed}: two at one place");
        let mut above: &Batch = pair[1];
        while above.position().seq > pair[0].position().seq {
            let parent = above.header().parent;
            if above.position().seq.prev() == pair[0].position().seq {
                assert_eq!(parent, pair[0].digest(), "seed {seed}: two branches are certified");
                break;
            }
            above = tree.iter().find(|batch| batch.digest() == parent).unwrap();
        }
    }
    for node in &net.nodes[1..] {
        assert_eq!(
            node.gate.refused, 0,
            "seed {seed}: an honest node asked for a second signature"
        );
        assert!(node.evidence.len() <= 1, "seed {seed}: evidence is given once");
        assert!(node.penalties.is_empty(), "seed {seed}: every batch was well formed");
        let (_, headers) = node.lanes.usage();
        assert!(headers <= tree.len());
    }
    certified.len()
}

#[test]
fn whatever_an_author_signs_what_is_certified_lies_on_one_chain() {
    let certified: usize = (0..60).map(run_with_a_lying_author).sum();
    assert!(certified > 60, "the runs certify enough to mean something: {certified}");
}
