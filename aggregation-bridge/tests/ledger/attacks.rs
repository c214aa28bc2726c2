//! One test for each rule, named for the theft or the halt that it answers.

use crate::support::*;
use rota_aggregation_bridge::error::Refused;
use rota_aggregation_bridge::exits::{Address, BridgeExit, NetworkId, TokenInfo};
use rota_aggregation_bridge::ledger::{
    BounceReason, CommitmentKind, DeliveryKind, ExitOutcome, Ledger, Mode, NetworkConfig, Status,
    Transition,
};
use rota_aggregation_bridge::limits::EXITS_MAX;
use rota_types::{Hash, Slot};
use ruint::aliases::U256;

#[test]
fn nobody_sends_more_of_a_foreign_token_than_it_received() {
    let mut ledger = ledger();
    send(&mut ledger, A, &[transfer(B, token(A), 100)]).unwrap();
    let exits = [transfer(A, token(A), 60), transfer(C, token(A), 41)];
    assert_eq!(refusal(&mut ledger, B, &exits), Refused::Balance { token: token(A) });
    send(&mut ledger, B, &[transfer(A, token(A), 60), transfer(C, token(A), 40)]).unwrap();
    assert_eq!(ledger.balance(B, &token(A)), U256::ZERO);
}

#[test]
fn a_network_issues_its_own_token_without_limit_and_it_is_not_counted_at_home() {
    let mut ledger = ledger();
    send(&mut ledger, A, &[transfer(B, token(A), 100)]).unwrap();
    assert_eq!(ledger.balance(A, &token(A)), U256::ZERO);
    assert_eq!(ledger.balance(B, &token(A)), U256::from(100));
    send(&mut ledger, B, &[transfer(A, token(A), 100)]).unwrap();
    assert_eq!(ledger.balance(A, &token(A)), U256::ZERO);
    assert_eq!(ledger.balance(B, &token(A)), U256::ZERO);
}

/// Amounts that wrap 256 bits together would be covered by a balance of nothing.
#[test]
fn amounts_that_wrap_together_are_summed_in_512_bits() {
    let mut ledger = ledger();
    let half = BridgeExit { amount: U256::ONE << 255, ..transfer(B, token(C), 0) };
    let exits = [half, half];
    assert_eq!(refusal(&mut ledger, A, &exits), Refused::Balance { token: token(C) });
    let all = [BridgeExit { amount: U256::MAX, ..half }; EXITS_MAX];
    assert_eq!(refusal(&mut ledger, A, &all), Refused::Balance { token: token(C) });
}

#[test]
fn an_exit_to_its_own_network_is_refused() {
    let mut ledger = ledger();
    let exits = [message(A, B), transfer(A, token(A), 1)];
    assert_eq!(refusal(&mut ledger, A, &exits), Refused::ToItself { position: 1 });
}

/// A rollup with a token of its own at address zero could pass it off as the coin of L1.
#[test]
fn token_zero_is_the_coin_of_l1_alone() {
    let mut ledger = ledger();
    let fake = TokenInfo { origin_network: A, origin_address: Address::ZERO };
    let exits = [transfer(B, fake, 1)];
    assert_eq!(refusal(&mut ledger, A, &exits), Refused::ZeroToken { position: 0 });
    let coin = [transfer(B, TokenInfo::L1_COIN, 1)];
    let short = Refused::Balance { token: TokenInfo::L1_COIN };
    assert_eq!(refusal(&mut ledger, A, &coin), short);
}

#[test]
fn a_message_cannot_be_sent_in_the_name_of_another_network() {
    let mut ledger = ledger();
    let exits = [message(B, C)];
    assert_eq!(refusal(&mut ledger, A, &exits), Refused::ForeignSender { position: 0 });
}

#[test]
fn a_message_carries_no_amount() {
    let mut ledger = ledger();
    let exits = [BridgeExit { amount: U256::ONE, ..message(A, B) }];
    assert_eq!(refusal(&mut ledger, A, &exits), Refused::MessageAmount { position: 0 });
}

#[test]
fn a_list_other_than_the_proven_one_is_refused() {
    let mut ledger = ledger();
    let exits = [message(A, B), transfer(B, token(A), 1)];
    let good = Transition { exits: &exits, exits_count: 2, exits_hash: exits_hash(&exits) };
    let swapped = [exits[1], exits[0]];
    let wrong = [
        Transition { exits: &swapped, ..good },
        Transition { exits: &exits[..1], ..good },
        Transition { exits_count: 1, ..good },
        Transition { exits_hash: CommitmentKind::Keccak.exits_hash(CHAIN + 1, &exits), ..good },
        Transition { exits: &[], exits_count: 0, exits_hash: Hash::ZERO },
    ];
    for transition in wrong {
        let mut after = ledger.clone();
        let refused = after.accept_transition(A, &transition);
        assert_eq!(refused, Err(Refused::ExitsMismatch));
        assert_unchanged(&ledger, after);
    }
    ledger.accept_transition(A, &good).unwrap();
}

#[test]
fn a_network_of_poseidon_kind_commits_by_poseidon_alone() {
    let mut ledger = ledger();
    let kind = CommitmentKind::Poseidon;
    let d = ledger.register(NetworkConfig { kind, ..config(Mode::Inbox, 64) }).unwrap();
    let exits = [message(d, B), transfer(B, token(d), 1)];
    assert_eq!(refusal(&mut ledger, d, &exits), Refused::ExitsMismatch);
    let exits_hash = kind.exits_hash(CHAIN, &exits);
    let swapped = [exits[1], exits[0]];
    assert_ne!(kind.exits_hash(CHAIN, &swapped), exits_hash);
    let transition = Transition { exits: &exits, exits_count: 2, exits_hash };
    ledger.accept_transition(d, &transition).unwrap();
    let none = Transition { exits: &[], exits_count: 0, exits_hash: Hash::ZERO };
    ledger.accept_transition(d, &none).unwrap();
}

#[test]
fn more_exits_than_the_limit_are_refused_before_they_are_hashed() {
    let mut ledger = ledger();
    let exits = vec![message(A, B); EXITS_MAX + 1];
    let transition = Transition { exits: &exits, exits_count: 1025, exits_hash: Hash::ZERO };
    let refused = ledger.accept_transition(A, &transition);
    assert_eq!(refused, Err(Refused::TooManyExits { found: EXITS_MAX + 1 }));
    send(&mut ledger, A, &exits[..EXITS_MAX]).unwrap();
}

/// Were it accepted, B could never consume its inbox again: the source pays.
#[test]
fn what_a_destination_cannot_count_refuses_the_transition() {
    let mut ledger = ledger();
    let most = u128::from(u64::MAX);
    let over = [transfer(B, token(A), most + 1)];
    let no_room = |network| Refused::NoRoom { position: 0, network };
    assert_eq!(refusal(&mut ledger, A, &over), no_room(B));
    send(&mut ledger, A, &[transfer(B, token(A), most - 1)]).unwrap();
    assert_eq!(refusal(&mut ledger, A, &[transfer(B, token(A), 2)]), no_room(B));
    send(&mut ledger, A, &[transfer(B, token(A), 1)]).unwrap();
    assert_eq!(ledger.balance(B, &token(A)), U256::from(most));
}

#[test]
fn no_balance_exceeds_128_bits_whatever_the_network_can_count() {
    let mut ledger = ledger();
    let wide = config(Mode::Inbox, 128);
    let d = ledger.register(wide).unwrap();
    send(&mut ledger, A, &[transfer(d, token(A), u128::MAX)]).unwrap();
    let refused = refusal(&mut ledger, A, &[transfer(d, token(A), 1)]);
    assert_eq!(refused, Refused::NoRoom { position: 0, network: d });
    for amount_bits in [0, 129, 256] {
        let refused = ledger.register(config(Mode::Inbox, amount_bits));
        assert_eq!(refused, Err(Refused::AmountBits));
    }
}

/// A token that comes home is not summed, but its circuit must count each amount of it.
#[test]
fn a_homecoming_amount_must_fit_the_home_circuit() {
    let mut ledger = ledger();
    let wide = config(Mode::Inbox, 128);
    let d = ledger.register(wide).unwrap();
    let most = u128::from(u64::MAX);
    send(&mut ledger, A, &[transfer(d, token(A), most), transfer(d, token(A), most)]).unwrap();
    let refused = refusal(&mut ledger, d, &[transfer(A, token(A), most + 1)]);
    assert_eq!(refused, Refused::NoRoom { position: 0, network: A });
    send(&mut ledger, d, &[transfer(A, token(A), most)]).unwrap();
    send(&mut ledger, d, &[transfer(A, token(A), most)]).unwrap();
}

#[test]
fn an_exit_to_nowhere_bounces_and_the_transition_stands() {
    let mut ledger = ledger();
    ledger.set_status(B, Status::Paused).unwrap();
    let nowhere = [NetworkId(77), B, NetworkId::KEYSTORE, NetworkId::SYSTEM];
    let exits = nowhere.map(|to| transfer(to, token(A), 5));
    let events = send(&mut ledger, A, &exits).unwrap();
    let reasons =
        [BounceReason::Unknown, BounceReason::Paused, BounceReason::Closed, BounceReason::Closed];
    assert_eq!(outcomes(&events), reasons.map(ExitOutcome::Bounced));
    let inbox = ledger.end_height().deliveries.remove(&A).unwrap();
    assert!(inbox.iter().all(|delivery| delivery.kind == DeliveryKind::Bounce));
    let returned: Vec<_> = inbox.iter().map(|delivery| (delivery.place, delivery.exit)).collect();
    assert_eq!(returned, (0..).zip(exits).collect::<Vec<_>>());
}

#[test]
fn a_bounced_foreign_token_is_the_sources_again() {
    let mut ledger = ledger();
    send(&mut ledger, A, &[transfer(B, token(A), 100)]).unwrap();
    send(&mut ledger, B, &[transfer(NetworkId(77), token(A), 30)]).unwrap();
    assert_eq!(ledger.balance(B, &token(A)), U256::from(100));
    send(&mut ledger, B, &[transfer(A, token(A), 100)]).unwrap();
}

/// Registered later as network 6 with mode Claims, the destination could claim by path what came back already.
#[test]
fn a_bounced_exit_stands_in_no_tree() {
    let mut ledger = ledger();
    let before = ledger.network_roots(A).unwrap().1;
    send(&mut ledger, A, &[transfer(NetworkId(6), token(A), 5)]).unwrap();
    assert_eq!(ledger.network_roots(A).unwrap().1, before);
    send(&mut ledger, A, &[transfer(B, token(A), 5)]).unwrap();
    assert_ne!(ledger.network_roots(A).unwrap().1, before);
}

#[test]
fn a_bounce_that_the_source_cannot_count_refuses_its_transition() {
    let mut ledger = ledger();
    let exits = [transfer(NetworkId(77), token(A), u128::from(u64::MAX) + 1)];
    assert_eq!(refusal(&mut ledger, A, &exits), Refused::NoRoom { position: 0, network: A });
}

#[test]
fn inboxes_are_ordered_by_source_and_leaf_whatever_was_accepted_first() {
    let mut ledger = ledger();
    let d = ledger.register(config(Mode::Inbox, 64)).unwrap();
    send(&mut ledger, d, &[transfer(A, token(d), 1), transfer(A, token(d), 2)]).unwrap();
    send(&mut ledger, B, &[transfer(d, token(B), 3), transfer(A, token(B), 4)]).unwrap();
    send(&mut ledger, d, &[transfer(A, token(d), 5)]).unwrap();
    let inbox = ledger.end_height().deliveries.remove(&A).unwrap();
    let order: Vec<_> = inbox.iter().map(|d| (d.source.0, d.place)).collect();
    assert_eq!(order, [(4, 1), (6, 0), (6, 1), (6, 2)]);
}

/// Nullifier and balance are set with the delivery, not with its consumption: both are in the root at once.
#[test]
fn delivery_credits_and_sets_the_nullifier_in_one_step() {
    let mut ledger = ledger();
    let before = ledger.network_roots(B).unwrap().0;
    let events = send(&mut ledger, A, &[transfer(B, token(A), 5)]).unwrap();
    assert_eq!(outcomes(&events), [ExitOutcome::Delivered { leaf_index: 0 }]);
    assert_eq!(ledger.balance(B, &token(A)), U256::from(5));
    let credited = ledger.network_roots(B).unwrap().0;
    // A message changes no balance: the root moves by the nullifier alone.
    send(&mut ledger, A, &[message(A, B)]).unwrap();
    let nullified = ledger.network_roots(B).unwrap().0;
    assert!(before != credited && credited != nullified);
    let inbox = ledger.end_height().deliveries.remove(&B).unwrap();
    assert_eq!(inbox.len(), 2);
    assert_eq!(ledger.end_height().deliveries.len(), 0);
}

#[test]
fn a_paused_network_sends_nothing_and_a_closed_one_never_again() {
    let mut ledger = ledger();
    ledger.set_status(A, Status::Paused).unwrap();
    let exits = [message(A, B)];
    assert_eq!(refusal(&mut ledger, A, &exits), Refused::Paused { network: A });
    ledger.set_status(A, Status::Open).unwrap();
    send(&mut ledger, A, &exits).unwrap();
    ledger.set_status(A, Status::Closed).unwrap();
    assert_eq!(refusal(&mut ledger, A, &exits), Refused::Closed { network: A });
    assert_eq!(ledger.set_status(A, Status::Open), Err(Refused::Closed { network: A }));
}

#[test]
fn networks_of_rota_and_l1_make_no_transitions_and_are_not_opened() {
    let mut ledger = ledger();
    for id in [NetworkId::L1, NetworkId::KEYSTORE, NetworkId::SYSTEM, NetworkId(99)] {
        let unknown = Refused::UnknownNetwork { network: id };
        assert_eq!(refusal(&mut ledger, id, &[message(id, A)]), unknown);
        assert_eq!(ledger.set_status(id, Status::Open), Err(unknown));
    }
    let foreign = config(Mode::Foreign, 64);
    assert_eq!(ledger.register(foreign), Err(Refused::Foreign));
}

#[test]
fn network_ids_are_dense_from_three() {
    let mut ledger = Ledger::new(CHAIN);
    let config = config(Mode::Inbox, 64);
    for id in 3..10 {
        assert_eq!(ledger.register(config), Ok(NetworkId(id)));
    }
    ledger.set_status(NetworkId(9), Status::Closed).unwrap();
    assert_eq!(ledger.register(config), Ok(NetworkId(10)), "an id is never reused");
}

#[test]
fn an_exit_to_l1_leaves_and_is_in_the_global_exit_root() {
    let mut ledger = ledger();
    let before = ledger.global_exit_root();
    let events = send(&mut ledger, A, &[transfer(NetworkId::L1, token(A), 5)]).unwrap();
    assert_eq!(outcomes(&events), [ExitOutcome::Claimable { leaf_index: 0 }]);
    assert_eq!(ledger.balance(NetworkId::L1, &token(A)), U256::from(5));
    let end = ledger.end_height();
    assert_eq!(end.deliveries.len(), 0);
    assert_ne!(end.global_exit_root, before);
}

#[test]
fn the_root_commits_to_every_part_of_the_state() {
    let base = ledger();
    let mut roots = vec![base.root()];
    let changes: [fn(&mut Ledger); 8] = [
        |l| drop(send(l, A, &[message(A, B)]).unwrap()),
        |l| drop(send(l, A, &[transfer(C, token(A), 1)]).unwrap()),
        |l| drop(send(l, A, &[]).unwrap()),
        |l| drop(send(l, A, &[message(A, NetworkId(77))]).unwrap()),
        |l| l.set_status(B, Status::Paused).unwrap(),
        |l| l.set_cap(A, token(A), Some((U256::ONE, 1))).unwrap(),
        |l| assert!(l.register(config(Mode::Claims, 1)).is_ok()),
        |l| drop(l.begin_height(Slot(2))),
    ];
    for change in changes {
        let mut ledger = base.clone();
        change(&mut ledger);
        roots.push(ledger.root());
    }
    roots.sort_unstable();
    roots.dedup();
    assert_eq!(roots.len(), 9);
}
