//! A lane that copies what was ordered long before loses its share; an honest lane never does.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod slot_support;

use rota_sequencer::execution::Executor;
use rota_sequencer::limits::{COPY_ADVANCES, COPY_HALVINGS_MAX, COPY_SLOTS_CLEAN};
use rota_types::limits::BATCH_BODY_BYTES_MAX;
use rota_types::*;
use slot_support::chain::Chain;
use slot_support::*;

/// A lane's share in these tests: one full batch.
const SHARE: u64 = BATCH_BODY_BYTES_MAX as u64;

fn chain() -> Chain {
    Chain::of(Net::with(4, |genesis| genesis.slot_bytes_max = 4 * SHARE))
}

/// Transaction `n` of `bytes`; the same number is the same transaction.
fn numbered(n: u64, bytes: usize) -> Transaction {
    let mut payload = n.to_le_bytes().to_vec();
    payload.resize(bytes - 20, 7);
    tx(10, V - 10, &payload)
}

/// A batch that takes more than half of a share.
fn large(n: u64) -> Vec<Transaction> {
    (0..3).map(|part| numbered(n * 10 + part, 100_000)).collect()
}

fn halvings(chain: &Chain) -> Vec<u8> {
    (0..4).map(|rank| chain.executor.order().lane(&chain.net.key(rank)).unwrap().halvings).collect()
}

/// Lane 0 orders something new in every slot, lane 1 what lane 0 ordered `behind` slots before, beside `fresh` bytes of its own.
fn copy_for(chain: &mut Chain, slots: std::ops::Range<u64>, behind: u64, fresh: usize) {
    for slot in slots {
        chain.put(0, &[numbered(slot, 1_000)]);
        let mut txs = vec![numbered(1_000_000 + slot, fresh)];
        if slot > behind {
            txs.push(numbered(slot - behind, 1_000));
        }
        chain.put(1, &txs);
        chain.run(slot);
    }
}

#[test]
fn a_lane_that_copies_is_halved_each_slot_and_keeps_one_batch_a_slot() {
    let mut chain = chain();
    let behind = COPY_ADVANCES as u64;
    copy_for(&mut chain, 1..40, behind, 1_000);
    assert_eq!(halvings(&chain), [0, COPY_HALVINGS_MAX, 0, 0]);
    let lane = chain.net.key(1);
    assert!(chain.executor.order().share(&lane).bytes >= 1);
    let first = chain.put(1, &large(7)).position();
    chain.put(1, &large(8));
    let cut = chain.propose(40, &[]).cut;
    assert_eq!(cut.iter().find(|entry| entry.position.lane == lane).unwrap().position, first);
}

#[test]
fn a_share_comes_back_by_one_halving_for_eight_clean_slots() {
    let mut chain = chain();
    copy_for(&mut chain, 1..6, COPY_ADVANCES as u64, 1_000);
    assert_eq!(halvings(&chain)[1], 2, "copies were in slots 4 and 5");
    let lane = chain.net.key(1);
    assert_eq!(chain.executor.order().share(&lane).bytes, SHARE / 4);
    for clean in 1..=2 * u64::from(COPY_SLOTS_CLEAN) {
        chain.run(5 + clean);
        let left = 2 - clean / u64::from(COPY_SLOTS_CLEAN);
        assert_eq!(u64::from(halvings(&chain)[1]), left, "after {clean} clean slots");
    }
    assert_eq!(chain.executor.order().share(&lane).bytes, SHARE);
}

#[test]
fn a_quarter_is_no_crime_and_more_is() {
    for (fresh, halved) in [(3_000, false), (2_999, true)] {
        let mut chain = chain();
        copy_for(&mut chain, 1..5, COPY_ADVANCES as u64, fresh);
        assert_eq!(halvings(&chain)[1] > 0, halved, "{fresh} fresh bytes beside 1000 copied");
    }
}

#[test]
fn a_copy_of_what_was_ordered_just_before_is_no_crime() {
    let mut chain = chain();
    copy_for(&mut chain, 1..30, COPY_ADVANCES as u64 - 1, 30);
    assert_eq!(halvings(&chain), [0; 4]);
}

/// Everything is posted to all four; lane 0 is free, the others are two shares behind, as far as lanes may be.
#[test]
fn a_client_that_posts_to_four_nodes_punishes_no_lane_however_full() {
    let mut chain = chain();
    for slot in 1..=4 {
        for rank in 0..4 {
            chain.put(rank, &[numbered(rank as u64 * 1_000 + slot, 1_000)]);
        }
        chain.run(slot);
    }
    for rank in 1..4 {
        for n in 0..2 {
            chain.put(rank, &large(100 * rank as u64 + n));
        }
    }
    for rank in 0..4 {
        chain.put(rank, &large(900));
    }
    let mut copied = 0;
    for slot in 5..=8 {
        copied += chain.run(slot).header.skipped_count;
        assert_eq!(halvings(&chain), [0; 4]);
    }
    assert_eq!(copied, 9, "three lanes repeated the three transactions");
    assert_eq!(chain.run(9).record.prefixes.len(), 0, "three slots took it all");
}

/// Clients of an unreachable validator send elsewhere; what it batched meanwhile is ordered when it is back.
#[test]
fn an_outage_of_one_validator_does_not_punish_its_lane() {
    let mut chain = chain();
    for slot in 1..=3 {
        chain.put(1, &[numbered(slot, 1_000)]);
        chain.run(slot);
    }
    for slot in 4..=20 {
        if slot <= 6 {
            chain.put(0, &large(slot));
        }
        chain.run(slot);
    }
    for n in 4..=6 {
        chain.put(1, &large(n));
    }
    for slot in 21..=24 {
        chain.run(slot);
        assert_eq!(halvings(&chain), [0; 4], "slot {slot}");
    }
    let lane = chain.net.key(1);
    assert_eq!(chain.lanes.certified[&lane], chain.lanes.decided[&lane], "its backlog is through");
}

/// Without quorum heights stand still: all lanes hold the same two shares, and drain them together.
#[test]
fn an_outage_of_all_punishes_no_lane() {
    let mut chain = chain();
    for slot in 1..=3 {
        for rank in 0..4 {
            chain.put(rank, &[numbered(slot, 1_000)]);
        }
        chain.run(slot);
    }
    for rank in 0..4 {
        for n in 0..3 {
            chain.put(rank, &large(50 + (n + rank as u64) % 3));
        }
    }
    for slot in 300..304 {
        chain.run(slot);
        assert_eq!(halvings(&chain), [0; 4]);
    }
}

#[test]
fn the_penalty_is_in_the_order_root_and_survives_a_restart() {
    let mut chain = chain();
    copy_for(&mut chain, 1..6, COPY_ADVANCES as u64, 1_000);
    let (last, _) = chain.history.last().unwrap();
    let copied = chain.executor.order().root(CHAIN, &Hash::ZERO);
    let mut restored =
        Executor::from_checkpoint(&chain.net.genesis, &chain.executor.to_checkpoint()).unwrap();
    for (_, executed) in &chain.history {
        restored.load_window(&executed.record).unwrap();
    }
    assert_eq!(restored.order().root(CHAIN, &Hash::ZERO), copied);
    assert_eq!(last.height(), Height(5));
    let proposal = chain.propose(6, &[]);
    let decided = chain.net.decide(proposal, &mut chain.lanes);
    let (here, there) =
        (chain.executor.execute(&decided).unwrap(), restored.execute(&decided).unwrap());
    assert_eq!(here.header, there.header);
}
