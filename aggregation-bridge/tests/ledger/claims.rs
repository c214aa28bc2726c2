//! Claims by path: once, by networks of that mode alone, under roots that a height handed on.

use crate::support::*;
use rota_aggregation_bridge::error::{ExitError, Refused};
use rota_aggregation_bridge::exits::{
    BridgeExit, ExitPath, ExitProof, GlobalIndex, NetworkId, rollup_exit_leaves,
};
use rota_aggregation_bridge::ledger::{Ledger, Status};
use rota_aggregation_bridge::limits::EXIT_ROOTS_KEPT;
use rota_types::Hash;
use ruint::aliases::U256;

/// The path of `exits[index]`, all of A and none of them held, in the ledger as it stands.
fn proof(ledger: &Ledger, exits: &[BridgeExit], index: u32) -> ExitProof {
    let leaves: Vec<Hash> = exits.iter().map(BridgeExit::hash).collect();
    let rollups = rollup_exit_leaves(&ledger.local_exit_roots());
    ExitProof {
        to_local: ExitPath::of(&leaves, index).unwrap(),
        to_rollups: ExitPath::of(&rollups, A.rollup_index().unwrap()).unwrap(),
        mainnet_exit_root: Hash::ZERO,
    }
}

fn at(leaf_index: u32) -> GlobalIndex {
    GlobalIndex { source: A, leaf_index }
}

fn refused(ledger: &Ledger, index: GlobalIndex, exit: &BridgeExit, proof: &ExitProof) -> Refused {
    let mut after = ledger.clone();
    let refused = after.claim(index, exit, proof).unwrap_err();
    assert_unchanged(ledger, after);
    refused
}

#[test]
fn a_claim_credits_once_and_never_again() {
    let mut ledger = ledger();
    let exits = [transfer(C, token(A), 5), transfer(C, token(A), 6)];
    send(&mut ledger, A, &exits).unwrap();
    assert_eq!(ledger.reserved(C, &token(A)), U256::from(11));
    let path = proof(&ledger, &exits, 1);
    next(&mut ledger, 2);
    ledger.claim(at(1), &exits[1], &path).unwrap();
    assert_eq!(ledger.balance(C, &token(A)), U256::from(6));
    assert_eq!(ledger.reserved(C, &token(A)), U256::from(5));
    assert_eq!(refused(&ledger, at(1), &exits[1], &path), Refused::Claimed);
    // A path made anew under a later root is the same exit.
    let later = proof(&ledger, &exits, 1);
    next(&mut ledger, 3);
    assert_eq!(refused(&ledger, at(1), &exits[1], &later), Refused::Claimed);
}

/// Both modes together would bring one exit twice.
#[test]
fn a_network_that_receives_by_inbox_cannot_claim() {
    let mut ledger = ledger();
    let exits = [transfer(B, token(A), 5)];
    send(&mut ledger, A, &exits).unwrap();
    let path = proof(&ledger, &exits, 0);
    next(&mut ledger, 2);
    assert_eq!(refused(&ledger, at(0), &exits[0], &path), Refused::NoClaims { network: B });
    let to_l1 = transfer(NetworkId::L1, token(A), 5);
    let l1 = Refused::NoClaims { network: NetworkId::L1 };
    assert_eq!(refused(&ledger, at(0), &to_l1, &path), l1);
}

#[test]
fn an_exit_that_was_not_made_cannot_be_claimed() {
    let mut ledger = ledger();
    let exits = [transfer(C, token(A), 5), transfer(C, token(A), 6)];
    send(&mut ledger, A, &exits).unwrap();
    let path = proof(&ledger, &exits, 0);
    next(&mut ledger, 2);
    let richer = transfer(C, token(A), 500);
    assert_eq!(refused(&ledger, at(0), &richer, &path), Refused::UnknownRoot);
    assert_eq!(refused(&ledger, at(1), &exits[0], &path), Refused::UnknownRoot);
    let of_b = GlobalIndex { source: B, leaf_index: 0 };
    assert_eq!(refused(&ledger, of_b, &exits[0], &path), Refused::UnknownRoot);
    let of_l1 = GlobalIndex { source: NetworkId::L1, leaf_index: 0 };
    let mainnet = Refused::Exit(ExitError::Mainnet);
    assert_eq!(refused(&ledger, of_l1, &exits[0], &path), mainnet);
    let elsewhere = transfer(NetworkId(77), token(A), 5);
    let unknown = Refused::UnknownNetwork { network: NetworkId(77) };
    assert_eq!(refused(&ledger, at(0), &elsewhere, &path), unknown);
}

#[test]
fn an_exit_of_the_height_in_progress_is_not_claimable_yet() {
    let mut ledger = ledger();
    let exits = [transfer(C, token(A), 5)];
    send(&mut ledger, A, &exits).unwrap();
    let path = proof(&ledger, &exits, 0);
    assert_eq!(refused(&ledger, at(0), &exits[0], &path), Refused::UnknownRoot);
    ledger.end_height();
    ledger.claim(at(0), &exits[0], &path).unwrap();
}

#[test]
fn a_paused_network_claims_when_it_is_open_again() {
    let mut ledger = ledger();
    let exits = [transfer(C, token(A), 5)];
    send(&mut ledger, A, &exits).unwrap();
    let path = proof(&ledger, &exits, 0);
    next(&mut ledger, 2);
    ledger.set_status(C, Status::Paused).unwrap();
    assert_eq!(refused(&ledger, at(0), &exits[0], &path), Refused::Paused { network: C });
    ledger.set_status(C, Status::Open).unwrap();
    ledger.claim(at(0), &exits[0], &path).unwrap();
}

/// What is under way keeps its room, so that a claim is never refused for want of it.
#[test]
fn an_unclaimed_exit_keeps_its_room() {
    let mut ledger = ledger();
    let most = u128::from(u64::MAX);
    let exits = [transfer(C, token(A), most)];
    send(&mut ledger, A, &exits).unwrap();
    let path = proof(&ledger, &exits, 0);
    let more = [transfer(C, token(A), 1)];
    assert_eq!(refusal(&mut ledger, A, &more), Refused::NoRoom { position: 0, network: C });
    next(&mut ledger, 2);
    ledger.claim(at(0), &exits[0], &path).unwrap();
    assert_eq!(ledger.balance(C, &token(A)), U256::from(most));
}

/// What C claimed it can send, and no more: a claim that it only pretends to have seen pays nothing.
#[test]
fn only_what_was_claimed_can_be_sent_on() {
    let mut ledger = ledger();
    let exits = [transfer(C, token(A), 5)];
    send(&mut ledger, A, &exits).unwrap();
    let path = proof(&ledger, &exits, 0);
    next(&mut ledger, 2);
    let on = [transfer(B, token(A), 5)];
    assert_eq!(refusal(&mut ledger, C, &on), Refused::Balance { token: token(A) });
    ledger.claim(at(0), &exits[0], &path).unwrap();
    send(&mut ledger, C, &on).unwrap();
}

#[test]
fn roots_are_kept_for_a_while_only() {
    let mut ledger = ledger();
    let exits = [transfer(C, token(A), 5)];
    send(&mut ledger, A, &exits).unwrap();
    let old = proof(&ledger, &exits, 0);
    let mut all = exits.to_vec();
    for slot in 0..=EXIT_ROOTS_KEPT as u64 {
        next(&mut ledger, slot);
        let exit = transfer(NetworkId::L1, token(A), 1);
        send(&mut ledger, A, &[exit]).unwrap();
        all.push(exit);
    }
    assert_eq!(refused(&ledger, at(0), &exits[0], &old), Refused::UnknownRoot);
    let fresh = proof(&ledger, &all, 0);
    ledger.end_height();
    ledger.claim(at(0), &exits[0], &fresh).unwrap();
}
