//! From gossip to certificate: who batches, and what a validator that withholds can do.

use crate::net::{CHAIN, Net, list};
use rota_sequencer::lanes::{Event as LaneEvent, Origin};
use rota_sequencer::mempool::{Effect, Event, Mempool, MempoolConfig, rank};
use rota_types::{Hash, TimestampMs, TransactionList};
use std::collections::BTreeMap;

const SLOT_MS: u64 = 8_000;

struct World {
    net: Net,
    pools: Vec<Mempool>,
    /// This node never batches what gossip brings.
    censor: Option<usize>,
    stored: Vec<usize>,
}

impl World {
    fn new(censor: Option<usize>) -> Self {
        let net = Net::new(4);
        let pool =
            |key| Mempool::new(MempoolConfig::new(CHAIN, Some(key), net.set.clone(), SLOT_MS));
        let pools = net.keys.iter().map(|key| pool(*key)).collect();
        Self { net, pools, censor, stored: vec![0; 4] }
    }

    fn gossip(&mut self, list: &TransactionList) {
        let all: Vec<usize> = (0..list.len()).collect();
        for pool in &mut self.pools {
            let offered = pool.offer(TimestampMs(self.net.now), 1, list, &all);
            assert!(offered.refusals.is_empty());
        }
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.net.run(10);
            for i in 0..4 {
                let now = TimestampMs(self.net.now);
                let lanes = &self.net.nodes[i].lanes;
                let room = if self.censor == Some(i) { 0 } else { lanes.room() };
                let certification_ms = lanes.certification_median_ms();
                let mut effects = Vec::new();
                while let Some(batch) = self.net.nodes[i].ledger.get(self.stored[i]) {
                    let event = Event::Stored(batch.clone());
                    effects.extend(self.pools[i].step(now, event));
                    self.stored[i] += 1;
                }
                effects.extend(self.pools[i].step(now, Event::OwnLane { room, certification_ms }));
                for Effect::Take(list) in effects {
                    self.net.step(i, LaneEvent::Submit { origin: Origin::Pool, list });
                }
            }
        }
    }

    /// How often each id stands in a stored batch.
    fn copies(&self) -> BTreeMap<Hash, usize> {
        let mut copies = BTreeMap::new();
        for batch in &self.net.nodes[3].ledger {
            for id in batch.body().ids() {
                *copies.entry(id).or_insert(0) += 1;
            }
        }
        copies
    }
}

#[test]
fn what_gossip_brings_to_all_is_batched_once() {
    let mut world = World::new(None);
    world.gossip(&list(0..200, 300));
    world.run(500);
    let copies = world.copies();
    assert_eq!(copies.len(), 200, "at once, by the first of each rank");
    assert!(copies.values().all(|count| *count == 1));
    let authors: std::collections::BTreeSet<_> =
        world.net.nodes[3].ledger.iter().map(|b| b.position().lane).collect();
    assert_eq!(authors.len(), 4, "the work is shared");
}

#[test]
fn a_validator_that_does_not_batch_delays_and_cannot_stop() {
    let mut world = World::new(Some(0));
    let all = list(0..100, 300);
    world.gossip(&all);
    let censor = world.net.keys[0];
    let first = |id: &Hash| rank(CHAIN, id, &censor, &world.net.set) == 0;
    let owned = all.ids().filter(first).count();
    assert!(owned > 5);
    world.run(SLOT_MS / 8 - 100);
    assert_eq!(world.copies().len(), 100 - owned, "its own are not batched yet");
    world.run(300);
    assert_eq!(world.copies().len(), 100, "rank 1 took over after an eighth of a slot");
}

#[test]
fn a_batch_that_is_shown_but_never_certified_buys_one_more_wait_only() {
    let mut world = World::new(Some(0));
    let all = list(0..100, 300);
    world.gossip(&all);
    let censor = world.net.keys[0];
    let withheld: Vec<usize> = all
        .iter()
        .enumerate()
        .filter(|(_, tx)| rank(CHAIN, &tx.id, &censor, &world.net.set) == 0)
        .map(|(index, _)| index)
        .collect();
    // Node 0 batches them, shows the batch to node 1 only, and answers nobody.
    world.net.cut.extend([(0, 2), (0, 3), (1, 0)]);
    let list = all.pick(&withheld).unwrap();
    world.net.step(0, LaneEvent::Submit { origin: Origin::Pool, list });
    world.run(3 * SLOT_MS / 8);
    assert_eq!(world.copies().len(), 100, "others batched them all the same");
}
