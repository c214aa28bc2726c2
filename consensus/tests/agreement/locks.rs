//! Traces around a lock: what one voter refused for a reason of time must stay acceptable to it.

use crate::net::{CHAIN, Net};
use rota_consensus::wal::WalEntry;
use rota_consensus::{Effect, Message, NilReason};
use rota_types::{Hash, Height, Round, Slot, VoteKind};
use std::cell::Cell;
use std::rc::Rc;

/// Height 2, round 0: one voter refuses the value for a reason of time; of the others only the proposer
/// of round 1 sees the polka, and is locked. Gives (net, locker, refuser, value).
fn locked_by_one(seed: u64) -> (Net, usize, usize, Rc<Cell<Option<Hash>>>) {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, seed);
    assert!(net.run_until(60_000, |net| net.all_decided(1)));
    let (proposer, locker) = (net.proposer(2, 0), net.proposer(2, 1));
    let refuser = (0..4).find(|i| *i != proposer && *i != locker).unwrap();
    let value = Rc::new(Cell::new(None));
    let seen = Rc::clone(&value);
    net.timely = Box::new(move |node, body| {
        if body.height == Height(2) && body.round == Round(0) {
            seen.set(Some(body.id(CHAIN)));
        }
        let refuse = node == refuser && body.height == Height(2) && body.round == Round(0);
        Some(if refuse { Err(NilReason::OverLimit) } else { Ok(()) })
    });
    net.filter = Box::new(move |_, from, _, message| match message {
        Message::Vote { vote, .. } => {
            let vote = &vote.vote;
            let lost = vote.height == Height(2)
                && vote.round == Round(0)
                && vote.kind == VoteKind::Prevote
                && from == locker;
            !lost
        }
        _ => true,
    });
    (net, locker, refuser, value)
}

fn prevoted(net: &Net, node: usize, height: u64, round: u32) -> Option<Option<Hash>> {
    net.effects.iter().filter(|(_, at, _)| *at == node).find_map(|(_, _, effect)| {
        let Effect::Broadcast { class, bytes } = effect else { return None };
        let Message::Vote { vote, .. } = Message::from_bytes(*class, bytes).unwrap() else {
            return None;
        };
        let vote = vote.vote;
        let wanted = vote.height == Height(height)
            && vote.round == Round(round)
            && vote.kind == VoteKind::Prevote;
        wanted.then_some(vote.value)
    })
}

#[test]
fn a_certificate_shown_to_one_voter_does_not_keep_it_from_a_locked_value() {
    let (mut net, _, refuser, value) = locked_by_one(21);
    assert!(net.run_until(20_000, |net| net.all_decided(2)));
    let value = value.get().unwrap();
    assert_eq!(net.chain[&Height(2)], value, "the locked value is decided");
    assert_eq!(net.slots(refuser)[1].1, 1, "in round 1");
    assert_eq!(net.reasons(refuser), vec![(2, 0, NilReason::OverLimit)]);
    assert_eq!(prevoted(&net, refuser, 2, 0), Some(None));
    assert_eq!(prevoted(&net, refuser, 2, 1), Some(Some(value)));
    net.assert_safe();
}

#[test]
fn a_slots_end_does_not_make_a_locked_value_unacceptable() {
    let (mut net, locker, _, value) = locked_by_one(22);
    // Nobody's precommits pass until the next slot is long open.
    let late = net.timing.cut(Slot(3)).0 + 500;
    net.filter = Box::new(move |now, from, _, message| match message {
        Message::Vote { vote, .. } if vote.vote.height == Height(2) && vote.vote.round.0 == 0 => {
            match vote.vote.kind {
                VoteKind::Prevote => from != locker,
                VoteKind::Precommit => now.0 > late,
            }
        }
        _ => true,
    });
    assert!(net.run_until(20_000, |net| net.all_decided(2)));
    assert!(net.now > late);
    assert_eq!(net.chain[&Height(2)], value.get().unwrap());
    assert_eq!(net.slots(locker)[1], (2, 1, 2), "height 2, round 1, and still slot 2");
    assert!(net.run_until(20_000, |net| net.all_decided(4)));
    net.assert_safe();
}

#[test]
fn an_invalid_replayed_without_its_valid_is_mended() {
    let (mut net, _, refuser, value) = locked_by_one(23);
    assert!(net.run_until(20_000, |net| prevoted(net, refuser, 2, 0).is_some()));
    let value = value.get().unwrap();
    net.crash(refuser);
    let wal = &mut net.nodes[refuser].disk.wal;
    let is_valid = |bytes: &bytes::Bytes| {
        let entry = WalEntry::from_bytes(bytes).unwrap();
        matches!(entry, WalEntry::Value { value: v, valid: true, .. } if v == value)
    };
    let cut = wal.iter().position(is_valid).expect("the Valid follows the Invalid");
    let invalid = wal.iter().take(cut).any(|bytes| {
        matches!(WalEntry::from_bytes(bytes).unwrap(), WalEntry::Value { valid: false, .. })
    });
    assert!(invalid, "the Invalid is in the log");
    wal.truncate(cut);
    net.restart(refuser);
    assert!(net.run_until(20_000, |net| net.all_decided(2)));
    assert_eq!(net.chain[&Height(2)], value);
    assert_eq!(prevoted(&net, refuser, 2, 1), Some(Some(value)));
    net.assert_safe();
}
