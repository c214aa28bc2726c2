//! The attested cap: what it lets through, what waits, and that waiting loses nothing.

use crate::support::*;
use rota_aggregation_bridge::error::Refused;
use rota_aggregation_bridge::exits::NetworkId;
use rota_aggregation_bridge::ledger::{
    BounceReason, CapFigure, ExitId, ExitOutcome, Ledger, Outcomes, Status,
};
use rota_aggregation_bridge::limits::{CAP_WINDOW_SLOTS_MAX, CAPS_MAX, EXITS_MAX, HELD_EXITS_MAX};
use rota_types::Slot;
use ruint::aliases::U256;

const DELIVERED: fn(u32) -> ExitOutcome = |leaf_index| ExitOutcome::Delivered { leaf_index };

/// A may send 10 of its token in any 3 slots.
fn capped() -> Ledger {
    let mut ledger = ledger();
    ledger.set_cap(A, token(A), Some((U256::from(10), 3))).unwrap();
    ledger
}

fn figure(ledger: &Ledger) -> CapFigure {
    ledger.caps(A)[0]
}

#[test]
fn what_exceeds_the_cap_waits_until_the_window_frees() {
    let mut ledger = capped();
    let sent = send(&mut ledger, A, &[6, 4, 1, 2].map(|n| transfer(B, token(A), n))).unwrap();
    let held = ExitOutcome::Held;
    assert_eq!(outcomes(&sent), [DELIVERED(0), DELIVERED(1), held, held]);
    let shown = figure(&ledger);
    assert_eq!((shown.used, shown.held_amount), (U256::from(10), U256::from(3)));
    assert_eq!((shown.held_count, shown.window_slots), (2, 3));
    assert_eq!(ledger.held_place(ExitId { source: A, number: 3 }), Some(1));
    assert_eq!(next(&mut ledger, 2), []);
    assert_eq!(next(&mut ledger, 3), []);
    assert_eq!(outcomes(&next(&mut ledger, 4)), [DELIVERED(2), DELIVERED(3)]);
    assert_eq!(ledger.balance(B, &token(A)), U256::from(13));
    assert_eq!(ledger.held_place(ExitId { source: A, number: 3 }), None);
}

#[test]
fn the_window_slides_and_no_w_slots_let_more_than_the_cap_through() {
    let mut ledger = capped();
    let mut left = Vec::new();
    for slot in 1..60u64 {
        let mut now = 0u64;
        for event in next(&mut ledger, slot) {
            now += u64::from(matches!(event.outcome, ExitOutcome::Delivered { .. }));
        }
        let exits = [transfer(B, token(A), 1); 7];
        let events = send(&mut ledger, A, &exits[..usize::try_from(slot % 8).unwrap()]).unwrap();
        now += events.iter().filter(|e| e.outcome != ExitOutcome::Held).count() as u64;
        left.push(now);
    }
    assert!(left.windows(3).all(|window| window.iter().sum::<u64>() <= 10), "{left:?}");
    assert!(left.iter().sum::<u64>() > 150, "the cap is used: {left:?}");
}

#[test]
fn a_small_exit_does_not_overtake_a_held_one_of_its_token() {
    let mut ledger = capped();
    let exits = [transfer(B, token(A), 11), transfer(B, token(A), 1), message(A, B)];
    let events = send(&mut ledger, A, &exits).unwrap();
    let held = ExitOutcome::Held;
    assert_eq!(outcomes(&events), [held, held, DELIVERED(0)]);
}

/// A foreign chain honours what stands under a sealed root: what is held must not stand there.
#[test]
fn a_held_exit_stands_in_no_tree() {
    let mut ledger = capped();
    let before = (ledger.global_exit_root(), ledger.network_roots(A).unwrap().1);
    send(&mut ledger, A, &[transfer(NetworkId::L1, token(A), 11)]).unwrap();
    assert_eq!((ledger.global_exit_root(), ledger.network_roots(A).unwrap().1), before);
}

#[test]
fn a_folded_transition_releases_what_it_holds_and_no_later_one() {
    let mut ledger = capped();
    send(&mut ledger, A, &[transfer(B, token(A), 11)]).unwrap();
    send(&mut ledger, A, &[transfer(B, token(A), 12)]).unwrap();
    ledger.mark_folded(A, 1).unwrap();
    assert_eq!(outcomes(&next(&mut ledger, 2)), [DELIVERED(0)]);
    assert_eq!(figure(&ledger).used, U256::ZERO, "the folded one is not counted");
    // Folding ahead of what was accepted says nothing about transitions to come.
    ledger.mark_folded(A, u64::MAX).unwrap();
    assert_eq!(outcomes(&next(&mut ledger, 3)), [DELIVERED(1)]);
    send(&mut ledger, A, &[transfer(B, token(A), 13)]).unwrap();
    assert_eq!(next(&mut ledger, 4), []);
}

#[test]
fn a_raised_or_lifted_cap_lets_the_queue_go() {
    let mut ledger = capped();
    send(&mut ledger, A, &[transfer(B, token(A), 11), transfer(B, token(A), 90)]).unwrap();
    ledger.set_cap(A, token(A), Some((U256::from(20), 3))).unwrap();
    assert_eq!(outcomes(&next(&mut ledger, 2)), [DELIVERED(0)]);
    ledger.set_cap(A, token(A), None).unwrap();
    assert_eq!(outcomes(&next(&mut ledger, 3)), [DELIVERED(1)]);
    assert_eq!(ledger.caps(A), []);
}

/// Others fill B while the exit waits; it could then never be released.
#[test]
fn a_held_exit_keeps_its_room_in_the_destination() {
    let mut ledger = capped();
    let most = u128::from(u64::MAX);
    let c_has = [transfer(C, token(A), 5), transfer(B, token(A), 5)];
    send(&mut ledger, A, &c_has).unwrap();
    send(&mut ledger, A, &[transfer(B, token(A), most - 10)]).unwrap();
    assert_eq!(ledger.reserved(B, &token(A)), U256::from(most - 10));
    let more = [transfer(B, token(A), 6)];
    assert_eq!(refusal(&mut ledger, A, &more), Refused::NoRoom { position: 0, network: B });
    ledger.mark_folded(A, 2).unwrap();
    next(&mut ledger, 2);
    assert_eq!(ledger.balance(B, &token(A)), U256::from(most - 5));
    assert_eq!(ledger.reserved(B, &token(A)), U256::ZERO);
}

/// The exit waits, its source is filled by others, its destination is paused: it must still come back.
#[test]
fn a_held_exit_keeps_its_room_in_the_source() {
    let mut ledger = ledger();
    let most = u128::from(u64::MAX);
    send(&mut ledger, A, &[transfer(B, token(A), most)]).unwrap();
    ledger.set_cap(B, token(A), Some((U256::ONE, 3))).unwrap();
    send(&mut ledger, B, &[transfer(C, token(A), 100)]).unwrap();
    assert_eq!(ledger.balance(B, &token(A)), U256::from(most - 100));
    let fill = [transfer(B, token(A), 1)];
    assert_eq!(refusal(&mut ledger, A, &fill), Refused::NoRoom { position: 0, network: B });
    ledger.set_status(C, Status::Paused).unwrap();
    ledger.mark_folded(B, 1).unwrap();
    let events = next(&mut ledger, 2);
    assert_eq!(outcomes(&events), [ExitOutcome::Bounced(BounceReason::Paused)]);
    assert_eq!(ledger.balance(B, &token(A)), U256::from(most));
    assert_eq!(ledger.reserved(C, &token(A)), U256::ZERO);
}

#[test]
fn a_full_queue_refuses_the_transition() {
    let mut ledger = capped();
    let exits = vec![transfer(B, token(A), 11); EXITS_MAX];
    for _ in 0..HELD_EXITS_MAX / EXITS_MAX {
        send(&mut ledger, A, &exits).unwrap();
    }
    let one = [transfer(B, token(A), 1)];
    assert_eq!(refusal(&mut ledger, A, &one), Refused::HeldFull { token: token(A) });
    send(&mut ledger, A, &[message(A, B)]).unwrap();
    ledger.mark_folded(A, u64::MAX).unwrap();
    let (mut released, mut slot) = (0, 2);
    while released < HELD_EXITS_MAX {
        let now = next(&mut ledger, slot).len();
        assert!(now > 0 && now <= 256);
        (released, slot) = (released + now, slot + 1);
    }
    assert_eq!(ledger.balance(B, &token(A)), U256::from(11 * HELD_EXITS_MAX));
}

#[test]
fn windows_and_numbers_of_caps_are_bounded() {
    let mut ledger = ledger();
    for window in [0, CAP_WINDOW_SLOTS_MAX + 1] {
        let refused = ledger.set_cap(A, token(A), Some((U256::ONE, window)));
        assert_eq!(refused, Err(Refused::CapWindow));
    }
    for n in 0..u32::try_from(CAPS_MAX).unwrap() {
        ledger.set_cap(A, token(NetworkId(n)), Some((U256::ONE, 1))).unwrap();
    }
    let more = ledger.set_cap(A, token(NetworkId(99)), Some((U256::ONE, 1)));
    assert_eq!(more, Err(Refused::TooManyCaps));
    ledger.set_cap(A, token(NetworkId(0)), None).unwrap();
    ledger.set_cap(A, token(NetworkId(99)), Some((U256::ONE, 1))).unwrap();
}

#[test]
fn an_exits_way_can_be_followed_by_number_and_by_hash() {
    let mut ledger = capped();
    let mut outcomes = Outcomes::default();
    let exits = [transfer(B, token(A), 11), transfer(B, token(A), 11)];
    outcomes.observe(&send(&mut ledger, A, &exits).unwrap());
    let id = ExitId { source: A, number: 0 };
    assert_eq!(outcomes.exit_status(id).unwrap().outcome, ExitOutcome::Held);
    assert_eq!(outcomes.exits_of_hash(exits[0].hash()).count(), 2);
    ledger.mark_folded(A, 1).unwrap();
    ledger.end_height();
    outcomes.observe(&ledger.begin_height(Slot(9)));
    assert_eq!(outcomes.exit_status(id).unwrap().outcome, DELIVERED(0));
    assert_eq!(outcomes.exits_of_hash(exits[0].hash()).count(), 2);
    assert_eq!(outcomes.exit_status(ExitId { source: A, number: 2 }), None);
}
