//! Random slots against a plain model of order, skipping and the replay window.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

mod slot_support;

use proptest::prelude::*;
use rota_sequencer::LaneView as _;
use rota_sequencer::execution::{Executor, locate, namespaces_of};
use rota_sequencer::order::start_rank;
use rota_sequencer::slot::{Objective, Parent, SlotDesk, Work};
use rota_types::*;
use slot_support::*;
use std::collections::{BTreeMap, BTreeSet};

/// Window of the small network: genesis asks for ten minutes of one-minute slots.
const V_SMALL: u64 = 10;

#[derive(Clone, Debug)]
struct PlannedSlot {
    gap: u64,
    /// Per lane: batches of transaction numbers.
    lanes: Vec<Vec<Vec<u8>>>,
}

fn slots() -> impl Strategy<Value = Vec<PlannedSlot>> {
    let batch = prop::collection::vec(0u8..40, 1..5);
    let lane = prop::collection::vec(batch, 0..3);
    let slot = (1u64..7, prop::collection::vec(lane, 4))
        .prop_map(|(gap, lanes)| PlannedSlot { gap, lanes });
    prop::collection::vec(slot, 1..10)
}

/// Transaction number `n`: of five rollups, two of them not registered, with validities spread around the window.
fn transaction(n: u8) -> Transaction {
    tx(9 + u64::from(n % 5), u64::from(n) + 3, &[n; 300])
}

/// The rules, said plainly.
#[derive(Default)]
struct Model {
    ordered: BTreeMap<Hash, u64>,
}

impl Model {
    fn judge(
        &mut self,
        transaction: &Transaction,
        slot: u64,
        used: &mut BTreeMap<RollupId, usize>,
    ) -> Option<RefusalCode> {
        let valid_until = transaction.valid_until_slot.0;
        if valid_until < slot {
            return Some(RefusalCode::Expired);
        }
        if valid_until > slot + V_SMALL {
            return Some(RefusalCode::TooFarAhead);
        }
        if ![10, 11, 12].contains(&transaction.rollup.0) {
            return Some(RefusalCode::UnknownRollup);
        }
        if self.ordered.contains_key(&transaction.id()) {
            return Some(RefusalCode::Duplicate);
        }
        let bytes = codec::encode(transaction).len();
        let sum = used.entry(transaction.rollup).or_default();
        if transaction.rollup == RollupId(12) && *sum + bytes > 1_000 {
            return Some(RefusalCode::Quota);
        }
        *sum += bytes;
        self.ordered.insert(transaction.id(), slot);
        None
    }
}

fn check(slots: &[PlannedSlot]) {
    let net = Net::with(4, |genesis| {
        genesis.slot_ms = 60_000;
        genesis.validity_slots_max = V_SMALL;
    });
    let mut lanes = FakeLanes::new(&net);
    let mut executor = Executor::genesis(&net.genesis).unwrap();
    let mut model = Model::default();
    let desk = SlotDesk::new(&net.genesis, net.set.clone());
    let (mut slot, mut seen) = (0, BTreeSet::new());
    for (height, planned) in (1u64..).zip(slots) {
        slot += planned.gap;
        let mut runs: Vec<Vec<Vec<Transaction>>> = vec![vec![]; 4];
        for (rank, batches) in planned.lanes.iter().enumerate() {
            for batch in batches {
                let txs: Vec<_> = batch.iter().map(|n| transaction(*n)).collect();
                lanes.certified_batch(&net, rank, &txs);
                runs[rank].push(txs);
            }
        }
        let parent = Parent { header_id: executor.header_id(), order: executor.order() };
        let proposal = desk.build(Height(height), Round(0), Slot(slot), parent, &lanes, &[]);
        let work =
            Work { height: Height(height), parent_slot: executor.slot(), parent: Some(parent) };
        assert_eq!(desk.check(&proposal, &work, &lanes), Objective::Valid);
        let start = start_rank(&proposal.id(CHAIN), 4);
        let decided = net.decide(proposal, &mut lanes);
        let executed = executor.execute(&decided).unwrap();
        let batches: Vec<_> =
            executed.record.batches.iter().map(|b| lanes.batch(&b.digest).unwrap()).collect();
        let mut located = locate(&executed.record, &batches).unwrap();
        let mut used = BTreeMap::new();
        for k in 0..runs.iter().map(Vec::len).max().unwrap() {
            for turn in 0..4 {
                for expected in runs[(start + turn) % 4].get(k).into_iter().flatten() {
                    let found = located.next().unwrap();
                    assert_eq!(found.id, expected.id());
                    assert_eq!(found.skipped, model.judge(expected, slot, &mut used));
                    if found.skipped.is_none() {
                        assert!(seen.insert(found.id), "ordered twice");
                        let place = executor.window().place_of(&found.id).unwrap();
                        assert_eq!((place.height, place.index), (Height(height), found.index));
                    }
                }
            }
        }
        assert!(located.next().is_none());
        assert_eq!(
            namespaces_of(&executed.record, &batches).unwrap().root(),
            executed.header.txs_root
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_slots_are_ordered_as_the_plain_rules_say(slots in slots()) {
        check(&slots);
    }
}
