//! The pool against a plain model: ranks, the restarted clock, shares, rate, expiry.

use proptest::prelude::*;
use rota_sequencer::Batch;
use rota_sequencer::limits::{GOSSIP_BURST_BYTES_MAX, GOSSIP_SCORE_BYTES};
use rota_sequencer::mempool::{Effect, Event, Mempool, MempoolConfig, rank};
use rota_types::bls::SealKey;
use rota_types::{
    BatchHeader, Ed25519Signer, Hash, Incarnation, LanePosition, RefusalCode, RollupId, Seq,
    Signer, Slot, TimestampMs, Transaction, TransactionList, TxId, Validator, ValidatorKey,
    ValidatorSet, Weight,
};
use std::collections::BTreeSet;
use std::sync::Arc;

const CHAIN: u64 = 77;
const SLOT_MS: u64 = 8_000;

fn signer(n: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&[n; 32])
}

fn set() -> ValidatorSet {
    let validators = (1..=4).map(|n| Validator {
        key: signer(n).public_key(),
        seal_key: SealKey([0; 96]),
        weight: Weight(1),
    });
    ValidatorSet::new(validators.collect()).unwrap()
}

fn me() -> ValidatorKey {
    signer(1).public_key()
}

fn pool(bytes_max: u64, txs_max: u64) -> Mempool {
    let config = MempoolConfig::new(CHAIN, Some(me()), set(), SLOT_MS);
    Mempool::new(MempoolConfig { bytes_max, txs_max, ..config })
}

fn open(pool: &mut Mempool, now: u64) -> Vec<Effect> {
    let room = Event::OwnLane { room: 1 << 30, certification_ms: Some(10) };
    pool.step(TimestampMs(now), room)
}

fn list(rollup: u64, until: u64, tags: impl IntoIterator<Item = u64>) -> TransactionList {
    let txs: Vec<Transaction> = tags
        .into_iter()
        .map(|tag| Transaction {
            rollup: RollupId(rollup),
            valid_until_slot: Slot(until),
            payload: tag.to_le_bytes().repeat(4),
        })
        .collect();
    TransactionList::parse(borsh::to_vec(&txs).unwrap().into(), 1 << 20).unwrap()
}

fn offer(pool: &mut Mempool, now: u64, source: u64, list: &TransactionList) -> usize {
    let all: Vec<usize> = (0..list.len()).collect();
    let offered = pool.offer(TimestampMs(now), source, list, &all);
    list.len() - offered.refusals.len()
}

fn taken(effects: &[Effect]) -> Vec<TxId> {
    effects.iter().flat_map(|Effect::Take(list)| list.ids().collect::<Vec<_>>()).collect()
}

/// A transaction whose turn of this validator is `wanted`.
fn of_rank(wanted: usize) -> TransactionList {
    (0..)
        .map(|tag| list(10, 50, [tag]))
        .find(|l| rank(CHAIN, &l.get(0).unwrap().id, &me(), &set()) == wanted)
        .unwrap()
}

fn batch(author: u8, body: &TransactionList) -> Arc<Batch> {
    let header = BatchHeader {
        position: LanePosition {
            lane: signer(author).public_key(),
            incarnation: Incarnation(0),
            seq: Seq(1),
        },
        parent: Hash::ZERO,
        body_digest: rota_types::ids_tree::root(CHAIN, body.ids()),
        cumulative_bytes: body.tx_bytes(),
        cumulative_txs: body.len() as u64,
    };
    Arc::new(Batch::assemble(CHAIN, header.sign(CHAIN, &signer(author)), body.clone()))
}

#[test]
fn rank_zero_is_batched_at_once_and_each_later_rank_waits_its_turn() {
    for turn in 0..4u64 {
        let mut pool = pool(1 << 20, 1000);
        open(&mut pool, 0);
        let tx = of_rank(turn as usize);
        assert_eq!(offer(&mut pool, 1_000, 1, &tx), 1);
        let due = 1_000 + turn * SLOT_MS / 8;
        assert_eq!(pool.deadline(), Some(TimestampMs(due)));
        if turn > 0 {
            assert!(pool.step(TimestampMs(due - 1), Event::Tick).is_empty());
        }
        let effects = pool.step(TimestampMs(due), Event::Tick);
        assert_eq!(taken(&effects), vec![tx.get(0).unwrap().id]);
        assert_eq!(pool.usage(), (0, 0));
    }
}

#[test]
fn a_slow_lane_makes_everyone_more_patient() {
    let mut pool = pool(1 << 20, 1000);
    let slow = Event::OwnLane { room: 1 << 20, certification_ms: Some(700) };
    pool.step(TimestampMs(0), slow);
    offer(&mut pool, 0, 1, &of_rank(2));
    assert_eq!(pool.deadline(), Some(TimestampMs(2 * 4 * 700)), "four times the median");
}

#[test]
fn the_clock_restarts_once_when_a_stored_batch_holds_it() {
    let mut pool = pool(1 << 20, 1000);
    open(&mut pool, 0);
    let tx = of_rank(1);
    offer(&mut pool, 0, 1, &tx);
    pool.step(TimestampMs(900), Event::Stored(batch(2, &tx)));
    let due = 900 + 2 * 8_000 + 1_000;
    assert_eq!(pool.deadline(), Some(TimestampMs(due)), "two slots, then its rank");
    pool.step(TimestampMs(1_800), Event::Stored(batch(3, &tx)));
    assert_eq!(pool.deadline(), Some(TimestampMs(due)), "once: withholding cannot delay for ever");
    assert_eq!(pool.step(TimestampMs(due), Event::Tick).len(), 1);

    offer(&mut pool, 20_000, 1, &tx);
    pool.step(TimestampMs(20_001), Event::Stored(batch(1, &tx)));
    assert_eq!(pool.usage(), (0, 0), "in the own lane: gone");
}

#[test]
fn nothing_is_taken_while_the_own_lane_is_at_its_limit() {
    let mut pool = pool(1 << 20, 1000);
    let full = || Event::OwnLane { room: 0, certification_ms: None };
    pool.step(TimestampMs(0), full());
    offer(&mut pool, 0, 1, &of_rank(0));
    assert_eq!(pool.deadline(), None);
    assert!(pool.step(TimestampMs(5_000), Event::Tick).is_empty());
    assert_eq!(open(&mut pool, 5_001).len(), 1);

    offer(&mut pool, 5_001, 1, &list(10, 50, 0..100));
    let narrow = Event::OwnLane { room: 300, certification_ms: None };
    let effects = pool.step(TimestampMs(60_000), narrow);
    assert_eq!(taken(&effects).len(), 5, "300 bytes hold five of 52");
    assert_eq!(pool.deadline(), None);
}

#[test]
fn what_is_ordered_or_expired_leaves_the_pool() {
    let mut pool = pool(1 << 20, 1000);
    let (soon, late) = (list(10, 5, 0..3), list(10, 9, 3..6));
    offer(&mut pool, 0, 1, &soon);
    offer(&mut pool, 0, 1, &late);
    pool.step(TimestampMs(1), Event::Slot(Slot(5)));
    assert_eq!(pool.usage().0, 6, "the last slot is still one");
    pool.step(TimestampMs(2), Event::Slot(Slot(6)));
    assert_eq!(pool.usage().0, 3);
    let prefixes = late.ids().take(2).map(|id| *id.0.first_chunk().unwrap()).collect();
    pool.step(TimestampMs(3), Event::Ordered(prefixes));
    assert_eq!(pool.usage().0, 1);
    assert!(pool.contains(&late.get(2).unwrap().id) && !pool.contains(&late.get(0).unwrap().id));
}

#[test]
fn gossip_brings_two_megabytes_a_second_and_not_more() {
    let mut pool = pool(1 << 30, 1 << 20);
    let big = |tag: u64| {
        let payload = tag.to_le_bytes().repeat(12_000);
        let tx = Transaction { rollup: RollupId(10), valid_until_slot: Slot(50), payload };
        TransactionList::parse(borsh::to_vec(&vec![tx]).unwrap().into(), 1 << 20).unwrap()
    };
    let mut kept = 0;
    for tag in 0..300 {
        kept += offer(&mut pool, 10_000 + tag * 10, 1, &big(tag)) * 96_020;
    }
    // A burst of 2 MB and three seconds of 2 MB/s.
    assert!((7_800_000..=8_000_000).contains(&kept), "{kept}");
    let refused = pool.offer(TimestampMs(13_000), 1, &big(999), &[0]);
    assert_eq!(refused.refusals[0].1.code, RefusalCode::Limited);
}

#[test]
fn small_transactions_count_by_the_hashes_of_their_ranks() {
    for (validators, max) in [(1u8, 7_812), (64, 1_953)] {
        let set = (1..=validators).map(|n| Validator {
            key: signer(n).public_key(),
            seal_key: SealKey([0; 96]),
            weight: Weight(1),
        });
        let set = ValidatorSet::new(set.collect()).unwrap();
        let mut pool = Mempool::new(MempoolConfig::new(CHAIN, Some(me()), set, SLOT_MS));
        let mut kept = 0u64;
        for bundle in 0..71u64 {
            let txs: Vec<Transaction> = (0..1_000u64)
                .map(|tag| Transaction {
                    rollup: RollupId(10),
                    valid_until_slot: Slot(50),
                    payload: (bundle * 1_000 + tag).to_le_bytes().to_vec(),
                })
                .collect();
            let list =
                TransactionList::parse(borsh::to_vec(&txs).unwrap().into(), 1 << 20).unwrap();
            assert_eq!(list.tx_bytes(), 28_000);
            kept += offer(&mut pool, 5_000, bundle, &list) as u64;
        }
        let scores = kept * u64::from(validators);
        assert!(scores <= GOSSIP_BURST_BYTES_MAX / GOSSIP_SCORE_BYTES, "{scores}");
        assert_eq!(kept, max, "of {validators} validators");
    }
}

#[test]
fn one_rollup_may_fill_the_pool_and_makes_way_for_others() {
    let mut pool = pool(1 << 30, 800);
    assert_eq!(offer(&mut pool, 0, 1, &list(10, 50, 0..1_000)), 800);
    assert_eq!(offer(&mut pool, 0, 2, &list(11, 50, 0..1_000)), 100, "an eighth while others wait");
    assert_eq!(pool.usage().0, 800);
    assert_eq!(offer(&mut pool, 0, 3, &list(12, 50, 0..50)), 50);
    assert_eq!(offer(&mut pool, 0, 1, &list(10, 50, 2_000..2_001)), 0, "above its share now");
    let held = |rollup: u64| {
        (0..1_000).filter(|n| pool.contains(&list(rollup, 50, [*n]).get(0).unwrap().id)).count()
    };
    assert_eq!((held(10), held(11), held(12)), (650, 100, 50), "the newest made way");
}

#[test]
fn one_source_cannot_fill_a_rollups_share() {
    let mut pool = pool(1 << 30, 800);
    assert_eq!(offer(&mut pool, 0, 1, &list(10, 50, 0..700)), 700, "alone it may");
    assert_eq!(offer(&mut pool, 0, 2, &list(10, 50, 1_000..1_200)), 100, "an eighth for each");
    assert_eq!(offer(&mut pool, 0, 3, &list(10, 50, 2_000..2_010)), 10, "the largest makes way");
    assert_eq!(pool.usage().0, 800);
}

#[derive(Clone, Debug)]
enum Action {
    Offer { source: u64, rollup: u64, tag: u64, count: u64, until: u64 },
    Pass(u64),
    Room(u64),
    Stored { author: u8, tag: u64 },
    Ordered { tag: u64 },
    Slot,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (0u64..4, 10u64..13, 0u64..60, 1u64..12, 0u64..12).prop_map(
            |(source, rollup, tag, count, until)| Action::Offer {
                source,
                rollup,
                tag,
                count,
                until
            }
        ),
        (0u64..3_000).prop_map(Action::Pass),
        (0u64..2_000).prop_map(Action::Room),
        (1u8..5, 0u64..60).prop_map(|(author, tag)| Action::Stored { author, tag }),
        (0u64..60).prop_map(|tag| Action::Ordered { tag }),
        Just(Action::Slot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// The pool holds exactly what was kept and has not left by one of its four ways out; it gives nothing
    /// twice in a stay, nothing late, nothing beyond the room, and stays within its limits.
    #[test]
    fn the_pool_agrees_with_a_plain_model(actions in proptest::collection::vec(action(), 1..80)) {
        let mut pool = pool(16_000, 30);
        let mut model: BTreeSet<TxId> = BTreeSet::new();
        let mut until_of = std::collections::BTreeMap::new();
        let (mut now, mut slot, mut room) = (0u64, 0u64, 0u64);
        for action in actions {
            let effects = match action {
                Action::Offer { source, rollup, tag, count, until } => {
                    // The doors let nothing in that is late already.
                    let until = until.max(slot);
                    let list = list(rollup, until, tag..tag + count);
                    let all: Vec<usize> = (0..list.len()).collect();
                    let offered = pool.offer(TimestampMs(now), source, &list, &all);
                    let refused: BTreeSet<usize> = offered.refusals.iter().map(|r| r.0).collect();
                    for (index, view) in list.iter().enumerate() {
                        if refused.contains(&index) {
                            continue;
                        }
                        prop_assert!(model.insert(view.id), "kept twice");
                        until_of.insert(view.id, until);
                    }
                    // Evicted ones are those the pool no longer has.
                    model.retain(|id| pool.contains(id));
                    Vec::new()
                }
                Action::Pass(ms) => {
                    now += ms;
                    pool.step(TimestampMs(now), Event::Tick)
                }
                Action::Room(bytes) => {
                    room = bytes;
                    pool.step(TimestampMs(now), Event::OwnLane { room, certification_ms: None })
                }
                Action::Stored { author, tag } => {
                    let list = list(10, 5, tag..tag + 3);
                    if signer(author).public_key() == me() {
                        list.ids().for_each(|id| { model.remove(&id); });
                    }
                    pool.step(TimestampMs(now), Event::Stored(batch(author, &list)))
                }
                Action::Ordered { tag } => {
                    let list = list(11, 5, tag..tag + 3);
                    list.ids().for_each(|id| { model.remove(&id); });
                    let prefixes = list.ids().map(|id| *id.0.first_chunk().unwrap()).collect();
                    pool.step(TimestampMs(now), Event::Ordered(prefixes))
                }
                Action::Slot => {
                    slot += 1;
                    model.retain(|id| until_of[id] >= slot);
                    pool.step(TimestampMs(now), Event::Slot(Slot(slot)))
                }
            };
            let mut given = 0;
            for Effect::Take(list) in &effects {
                given += list.tx_bytes();
                for id in list.ids() {
                    prop_assert!(model.remove(&id), "given without being held");
                    prop_assert!(until_of[&id] >= slot, "given after it expired");
                }
            }
            prop_assert!(given <= room, "{given} bytes into room for {room}");
            room -= given;
            let (txs, bytes) = pool.usage();
            prop_assert_eq!(txs, model.len() as u64);
            prop_assert!(txs <= 30 && bytes <= 16_000);
            for id in &model {
                prop_assert!(pool.contains(id));
            }
        }
    }
}
