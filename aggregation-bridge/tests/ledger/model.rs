//! Random histories against a plain model: value is conserved, each exit arrives once, no balance is negative,
//! and a refusal changes nothing.
//!
//! The model knows nothing of trees: balances are signed sums in maps, and every exit is in exactly one place.

use crate::support::*;
use proptest::prelude::*;
use rota_aggregation_bridge::error::Refused;
use rota_aggregation_bridge::exits::{
    BridgeExit, ExitPath, ExitProof, GlobalIndex, LeafType, NetworkId, TokenInfo,
    rollup_exit_leaves,
};
use rota_aggregation_bridge::ledger::{
    Delivery, DeliveryKind, ExitEvent, ExitId, ExitOutcome, Ledger, Mode, Status,
};
use rota_types::{Hash, Slot};
use ruint::aliases::U256;
use std::collections::{BTreeMap, BTreeSet};

const NETWORKS: [NetworkId; 4] = [A, B, C, NetworkId(6)];

#[derive(Clone, Debug)]
enum Step {
    Send { from: usize, exits: Vec<(u32, usize, u128, bool)> },
    Next { slots: u64 },
    Cap { of: usize, token: usize, cap: Option<(u8, u8)> },
    Status { of: usize, status: Status },
    Folded { of: usize, last: u64 },
    Claim { any: usize, twice: bool },
}

fn step() -> impl Strategy<Value = Step> {
    // Amounts of a few units meet caps; some are as large as a 64-bit circuit counts, or larger.
    let amount = prop_oneof![
        8 => 0u128..20,
        1 => Just(u128::from(u64::MAX) / 3),
        1 => Just(u128::from(u64::MAX) + 1),
    ];
    let exit = (0u32..9, 0usize..4, amount, prop::bool::weighted(0.15));
    let status = prop_oneof![3 => Just(Status::Open), 2 => Just(Status::Paused)];
    prop_oneof![
        10 => (0usize..4, prop::collection::vec(exit, 0..6))
            .prop_map(|(from, exits)| Step::Send { from, exits }),
        4 => (1u64..4).prop_map(|slots| Step::Next { slots }),
        2 => (0usize..4, 0usize..4, prop::option::of((0u8..40, 1u8..6)))
            .prop_map(|(of, token, cap)| Step::Cap { of, token, cap }),
        1 => (0usize..4, status).prop_map(|(of, status)| Step::Status { of, status }),
        1 => (0usize..4, 0u64..9).prop_map(|(of, last)| Step::Folded { of, last }),
        4 => (0usize..64, any::<bool>()).prop_map(|(any, twice)| Step::Claim { any, twice }),
    ]
}

#[derive(Default)]
struct Model {
    /// What each network holds of each token; of its own, minus what it issued.
    balances: BTreeMap<(NetworkId, TokenInfo), i128>,
    /// Where each exit is, with its content.
    exits: BTreeMap<ExitId, (BridgeExit, ExitOutcome)>,
    /// Leaves of each network, in order.
    leaves: BTreeMap<NetworkId, Vec<ExitId>>,
    claimed: BTreeSet<ExitId>,
    delivered: BTreeSet<(NetworkId, NetworkId, u64)>,
    numbers: BTreeMap<NetworkId, u64>,
}

impl Model {
    fn add(&mut self, network: NetworkId, token: TokenInfo, amount: i128) {
        *self.balances.entry((network, token)).or_default() += amount;
    }

    fn amount(exit: &BridgeExit) -> i128 {
        i128::try_from(u128::try_from(exit.amount).unwrap()).unwrap()
    }

    fn sent(&mut self, from: NetworkId, exits: &[BridgeExit], events: &[ExitEvent]) {
        assert_eq!(exits.len(), events.len());
        for (exit, event) in exits.iter().zip(events) {
            let number = self.numbers.entry(from).or_default();
            assert_eq!(event.id, ExitId { source: from, number: *number });
            *number += 1;
            self.add(from, exit.amount_token(), -Self::amount(exit));
            self.exits.insert(event.id, (*exit, ExitOutcome::Held));
        }
        self.happened(events);
    }

    fn happened(&mut self, events: &[ExitEvent]) {
        for event in events {
            let (exit, before) = self.exits[&event.id];
            assert_eq!(before, ExitOutcome::Held, "an exit moves once: {event:?}");
            assert_eq!(
                (event.exit_hash, event.destination),
                (exit.hash(), exit.destination_network)
            );
            let (token, amount) = (exit.amount_token(), Self::amount(&exit));
            match event.outcome {
                ExitOutcome::Held => {}
                ExitOutcome::Bounced(_) => self.add(event.id.source, token, amount),
                ExitOutcome::Delivered { leaf_index } | ExitOutcome::Claimable { leaf_index } => {
                    let leaves = self.leaves.entry(event.id.source).or_default();
                    assert_eq!(leaves.len(), leaf_index as usize);
                    leaves.push(event.id);
                    let arrives = !matches!(event.outcome, ExitOutcome::Claimable { .. })
                        || exit.destination_network == NetworkId::L1;
                    if arrives {
                        self.add(exit.destination_network, token, amount);
                    }
                }
            }
            self.exits.insert(event.id, (exit, event.outcome));
        }
    }

    fn inboxes(&mut self, deliveries: &BTreeMap<NetworkId, Vec<Delivery>>) {
        for (to, inbox) in deliveries {
            assert!(inbox.is_sorted_by(|a, b| (a.source, a.place) < (b.source, b.place)));
            for delivery in inbox {
                let once = self.delivered.insert((*to, delivery.source, delivery.place));
                assert!(once, "delivered twice: {delivery:?}");
                let id = match delivery.kind {
                    DeliveryKind::Bounce => ExitId { source: *to, number: delivery.place },
                    DeliveryKind::Exit => {
                        self.leaves[&delivery.source][usize::try_from(delivery.place).unwrap()]
                    }
                };
                assert_eq!(self.exits[&id].0, delivery.exit);
            }
        }
    }

    /// Exits of networks of mode Claims that wait for their claim.
    fn claimable(&self) -> Vec<(ExitId, u32)> {
        let open = |(id, (exit, outcome)): (&ExitId, &(BridgeExit, ExitOutcome))| match outcome {
            ExitOutcome::Claimable { leaf_index } if exit.destination_network == C => {
                Some((*id, *leaf_index))
            }
            _ => None,
        };
        self.exits.iter().filter_map(open).collect()
    }

    fn proof(&self, ledger: &Ledger, id: ExitId, leaf_index: u32) -> ExitProof {
        let leaves: Vec<Hash> =
            self.leaves[&id.source].iter().map(|id| self.exits[id].0.hash()).collect();
        let rollups = rollup_exit_leaves(&ledger.local_exit_roots());
        ExitProof {
            to_local: ExitPath::of(&leaves, leaf_index).unwrap(),
            to_rollups: ExitPath::of(&rollups, id.source.0 - 1).unwrap(),
            mainnet_exit_root: Hash::ZERO,
        }
    }

    /// The ledger holds what the model does, nothing is negative, and all value is somewhere.
    fn compare(&self, ledger: &Ledger) {
        let mut total: BTreeMap<TokenInfo, i128> = BTreeMap::new();
        for ((network, token), amount) in &self.balances {
            *total.entry(*token).or_default() += amount;
            if *network != token.origin_network {
                assert!(*amount >= 0, "{network} owes {token:?}");
                let held = u128::try_from(ledger.balance(*network, token)).unwrap();
                assert_eq!(held, u128::try_from(*amount).unwrap(), "{network} {token:?}");
            }
        }
        for (id, (exit, outcome)) in &self.exits {
            let under_way = match outcome {
                ExitOutcome::Held => true,
                ExitOutcome::Claimable { .. } => {
                    exit.destination_network == C && !self.claimed.contains(id)
                }
                _ => false,
            };
            if under_way {
                *total.entry(exit.amount_token()).or_default() += Self::amount(exit);
            }
            let held = ledger.held_place(*id).is_some();
            assert_eq!(held, *outcome == ExitOutcome::Held);
        }
        assert!(total.values().all(|sum| *sum == 0), "value made or lost: {total:?}");
    }
}

fn exit(from: NetworkId, (to, of, amount, is_message): (u32, usize, u128, bool)) -> BridgeExit {
    // 0 is L1, 1 and 2 take nothing, 3 to 6 are rollups, 7 and 8 are not registered.
    let to = NetworkId(to);
    if is_message { message(from, to) } else { transfer(to, token(NETWORKS[of]), amount) }
}

fn run(steps: Vec<Step>) {
    let mut ledger = ledger();
    ledger.register(config(Mode::Inbox, 128)).unwrap();
    let (mut model, mut slot) = (Model::default(), 1);
    for step in steps {
        match step {
            Step::Send { from, exits } => {
                let from = NETWORKS[from];
                let exits: Vec<_> = exits.into_iter().map(|e| exit(from, e)).collect();
                let mut after = ledger.clone();
                match send(&mut after, from, &exits) {
                    Ok(events) => {
                        model.sent(from, &exits, &events);
                        ledger = after;
                    }
                    Err(_) => assert_unchanged(&ledger, after),
                }
            }
            Step::Next { slots } => {
                slot += slots;
                model.inboxes(&ledger.end_height().deliveries);
                model.happened(&ledger.begin_height(Slot(slot)));
            }
            Step::Cap { of, token: t, cap } => {
                let cap = cap.map(|(amount, window)| (U256::from(amount), u64::from(window)));
                ledger.set_cap(NETWORKS[of], token(NETWORKS[t]), cap).unwrap();
            }
            Step::Status { of, status } => ledger.set_status(NETWORKS[of], status).unwrap(),
            Step::Folded { of, last } => ledger.mark_folded(NETWORKS[of], last).unwrap(),
            Step::Claim { any, twice } => claim(&mut ledger, &mut model, any, twice),
        }
        model.compare(&ledger);
    }
    restored(ledger, slot);
}

/// A checkpoint restores the same root, and the same future.
fn restored(mut ledger: Ledger, slot: u64) {
    ledger.end_height();
    let bytes = borsh::to_vec(&ledger).unwrap();
    let mut other: Ledger = borsh::from_slice(&bytes).unwrap();
    assert_eq!(other.root(), ledger.root());
    assert_eq!(borsh::to_vec(&other).unwrap(), bytes);
    for slot in slot..slot + 8 {
        assert_eq!(other.begin_height(Slot(slot)), ledger.begin_height(Slot(slot)));
        assert_eq!(other.end_height(), ledger.end_height());
        assert_eq!(other.root(), ledger.root());
    }
}

fn claim(ledger: &mut Ledger, model: &mut Model, any: usize, twice: bool) {
    model.inboxes(&ledger.end_height().deliveries);
    let open = model.claimable();
    let Some((id, leaf_index)) = open.get(any % open.len().max(1)).copied() else { return };
    let exit = model.exits[&id].0;
    let proof = model.proof(ledger, id, leaf_index);
    let index = GlobalIndex { source: id.source, leaf_index };
    for _ in 0..=u8::from(twice) {
        let first = !model.claimed.contains(&id);
        match ledger.claim(index, &exit, &proof) {
            Ok(()) => {
                assert!(first, "claimed twice: {id:?}");
                model.claimed.insert(id);
                model.add(C, exit.amount_token(), Model::amount(&exit));
            }
            Err(Refused::Claimed) => assert!(!first),
            Err(other) => assert_eq!(other, Refused::Paused { network: C }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn value_is_conserved_and_every_exit_arrives_once(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        run(steps);
    }

    #[test]
    fn the_same_calls_give_the_same_root(
        lists in prop::collection::vec(prop::collection::vec((0u32..9, 0usize..4, 0u128..9, any::<bool>()), 0..5), 1..12)
    ) {
        let play = || {
            let mut ledger = ledger();
            for (n, list) in lists.iter().enumerate() {
                let from = NETWORKS[n % 3];
                let exits: Vec<_> = list.iter().map(|e| exit(from, *e)).collect();
                let accepted = send(&mut ledger, from, &exits).is_ok();
                prop_assert!(accepted || !exits.is_empty());
                next(&mut ledger, n as u64);
            }
            Ok(ledger.root())
        };
        prop_assert_eq!(play()?, play()?);
    }
}

#[test]
fn a_checkpoint_is_taken_between_heights() {
    let mut ledger = ledger();
    send(&mut ledger, A, &[message(A, B)]).unwrap();
    assert!(borsh::to_vec(&ledger).is_err());
    ledger.end_height();
    let bytes = borsh::to_vec(&ledger).unwrap();
    // Fewer networks than Rota's own, and more than the limit, before any of them is read.
    for count in [2u32, 4097, u32::MAX] {
        let mut bytes = bytes.clone();
        bytes[16..20].copy_from_slice(&count.to_le_bytes());
        assert!(borsh::from_slice::<Ledger>(&bytes).is_err());
    }
}

#[test]
fn histories_reach_every_outcome() {
    let mut ledger = ledger();
    ledger.set_cap(A, token(A), Some((U256::from(3u8), 2))).unwrap();
    let exits = [transfer(B, token(A), 2), transfer(C, token(A), 1), transfer(B, token(A), 1)];
    let events = send(&mut ledger, A, &exits).unwrap();
    let found = outcomes(&events);
    assert!(matches!(
        found[..],
        [ExitOutcome::Delivered { .. }, ExitOutcome::Claimable { .. }, ExitOutcome::Held]
    ));
    assert_eq!(message(A, B).leaf_type, LeafType::Message);
}
