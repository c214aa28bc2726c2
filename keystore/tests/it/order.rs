//! Order inside a slot: own place, never earlier; emergency first; shares kept.

use crate::common::{CHAIN, Wallet, World, check, code, config_of, ed, params};
use proptest::prelude::*;
use rota_keystore::wallet::{Request, WalletKey};
use rota_keystore::{
    Effects, Envelope, Key, KeystoreId, KeystoreState, Op, Role, SlotOp, SlotPayload, apply_slot,
    execute_slot,
};
use rota_types::{Hash, Refusal, RefusalCode as Code, Slot};

/// Payloads of one account by key 1: the first operation and `count` key additions after it, in sequence.
fn chain_of(wallet: &Wallet, owner: &WalletKey, count: u8) -> Vec<Vec<u8>> {
    let mut world = World::new();
    let first = Request::init(CHAIN, wallet.init.clone(), world.valid_until());
    let mut payloads = vec![first.sign(&[owner]).unwrap()];
    world.submit(&first, &[owner]).unwrap();
    for number in 0..count {
        let new_key = Key {
            roles: Role::Sign.bit(),
            ..Key::all_roles(ed(100 + number).public_key().clone())
        };
        let op = Op::AddKey { previous_config_hash: world.config(wallet).hash(), new_key };
        let request = world.request(wallet, op);
        payloads.push(request.sign(&[owner]).unwrap());
        world.submit(&request, &[owner]).unwrap();
    }
    payloads
}

fn ops(payloads: &[Vec<u8>], order: &[usize]) -> Vec<SlotOp> {
    order
        .iter()
        .enumerate()
        .map(|(position, at)| SlotOp {
            position: position as u64,
            author: 0,
            op: check(&payloads[*at], Slot(110)).unwrap(),
        })
        .collect()
}

fn codes(results: &[(u64, Result<Effects, Refusal>)]) -> Vec<Option<Code>> {
    results.iter().map(|(_, result)| result.as_ref().err().map(|refusal| refusal.code)).collect()
}

#[test]
fn an_operation_waits_for_its_predecessor_and_runs_directly_after_it() {
    let owner = ed(1);
    let wallet = Wallet::single(0, &owner);
    let payloads = chain_of(&wallet, &owner, 4);
    let mut state = KeystoreState::new(params());
    let results = apply_slot(&mut state, ops(&payloads, &[3, 2, 0, 1, 4]), Slot(100), 1);
    assert_eq!(codes(&results), vec![None; 5]);
    let seqs: Vec<u64> =
        results.iter().map(|(_, r)| r.as_ref().unwrap().auth_leaf.config_seq).collect();
    assert_eq!(seqs, [3, 2, 0, 1, 4], "each in its sequence, whatever its place");
}

#[test]
fn what_still_waits_at_the_end_is_skipped_and_its_gap_is_named() {
    let owner = ed(1);
    let wallet = Wallet::single(0, &owner);
    let payloads = chain_of(&wallet, &owner, 4);
    let mut state = KeystoreState::new(params());
    let results = apply_slot(&mut state, ops(&payloads, &[4, 0, 2, 1]), Slot(100), 1);
    assert_eq!(codes(&results), [Some(Code::SeqGap), None, None, None]);
    assert_eq!(results[0].1.unwrap_err(), Refusal::at_limit(Code::SeqGap, 3, 4));
    // It is not lost: in a later slot it may run.
    let later = apply_slot(&mut state, ops(&payloads, &[3, 4]), Slot(101), 1);
    assert_eq!(codes(&later), [None, None]);
}

#[test]
fn a_refused_predecessor_leaves_its_followers_waiting() {
    let (owner, stranger) = (ed(1), ed(9));
    let wallet = Wallet::single(0, &owner);
    let mut payloads = chain_of(&wallet, &owner, 2);
    let bad = Request { seq: 1, ..World::with(&wallet, &[&owner]).request(&wallet, Op::Unfreeze) };
    payloads.push(bad.sign(&[&stranger]).unwrap());
    let mut state = KeystoreState::new(params());
    let results = apply_slot(&mut state, ops(&payloads, &[2, 0, 3]), Slot(100), 1);
    assert_eq!(codes(&results), [Some(Code::SeqGap), None, Some(Code::NotFrozen)]);
    let mut state = KeystoreState::new(params());
    let results = apply_slot(&mut state, ops(&payloads, &[2, 3, 1, 0]), Slot(100), 1);
    assert_eq!(codes(&results), [None, Some(Code::NotFrozen), None, None]);
}

#[test]
fn the_same_operation_twice_runs_once() {
    let owner = ed(1);
    let wallet = Wallet::single(0, &owner);
    let payloads = chain_of(&wallet, &owner, 1);
    let mut state = KeystoreState::new(params());
    let results = apply_slot(&mut state, ops(&payloads, &[1, 1, 0, 0, 1]), Slot(100), 1);
    let used = Some(Code::SeqUsed);
    assert_eq!(codes(&results), [None, used, None, used, used]);
}

#[test]
fn emergency_operations_run_first_whatever_their_place() {
    let (owner, guard) = (ed(1), ed(2));
    let config = config_of(&[(&owner, Role::ALL_BITS), (&guard, Role::Freeze.bit())], 1);
    let wallet = Wallet::new(0, config);
    let mut world = World::with(&wallet, &[&owner]);
    // A thief removes the guard's key in the same slot, at an earlier place.
    let theft = world.request(
        &wallet,
        Op::RemoveKey {
            previous_config_hash: world.config(&wallet).hash(),
            old_key: guard.key_id(),
        },
    );
    let freeze = world.request(&wallet, world.freeze(&wallet, 50));
    let payloads = [theft.sign(&[&owner]).unwrap(), freeze.sign(&[&guard]).unwrap()];
    let results = apply_slot(&mut world.state, ops(&payloads, &[0, 1]), Slot(100), 1);
    // (FREEZE would be left without a key of its own: the owner's has it too.)
    assert_eq!(codes(&results), [None, None]);
    assert!(world.state.account(&wallet.id).unwrap().is_frozen(Slot(100)));
    assert_eq!(results[1].1.unwrap().auth_leaf.auth_seq, 1, "before the theft");
}

#[test]
fn emergency_beyond_its_authors_share_runs_at_its_own_place() {
    let owner = ed(1);
    let wallet = Wallet::single(0, &owner);
    let world = World::with(&wallet, &[&owner]);
    let freeze = world.request(&wallet, world.freeze(&wallet, 50)).sign(&[&owner]).unwrap();
    let unfreeze = world.request(&wallet, Op::Unfreeze).sign(&[&owner]).unwrap();
    // 16 KiB a share: author 0 floods with freezes of accounts that do not exist, author 1 does not.
    let strangers: Vec<Vec<u8>> = (0..200u8)
        .map(|number| {
            let mut other = world.request(&wallet, world.freeze(&wallet, 50));
            other.keystore_id = KeystoreId(Hash([number; 32]));
            other.sign(&[&owner]).unwrap()
        })
        .collect();
    let run = |author: u32| {
        let mut state = world.state.clone();
        let flood = strangers.iter().enumerate().map(|(at, payload)| (at as u64, 0, payload));
        let mine = [(300, 1, &unfreeze), (301, author, &freeze)];
        let slot_ops = flood.chain(mine).map(|(position, author, payload)| SlotOp {
            position,
            author,
            op: check(payload, Slot(110)).unwrap(),
        });
        let results = apply_slot(&mut state, slot_ops, Slot(100), 4);
        codes(&results)[200..].to_vec()
    };
    assert_eq!(run(1), [None, None], "frozen first, then unfrozen");
    assert_eq!(run(0), [Some(Code::NotFrozen), None], "at its own place, after the unfreeze");
}

#[test]
fn a_flood_spends_its_authors_share_of_the_work_and_nobody_elses() {
    let owner = ed(1);
    let mut small = params();
    small.units_max = 512;
    let mut state = KeystoreState::new(small);
    let valid_until = Slot(110);
    let payload = |salt: u8| {
        let wallet = Wallet::single(salt, &owner);
        let mut envelope = Envelope::from_bytes(
            &Request::init(CHAIN, wallet.init, valid_until).sign(&[&owner]).unwrap(),
        )
        .unwrap();
        if salt < 150 {
            envelope.auths[0].signature[5] ^= 1;
        }
        envelope.to_bytes()
    };
    let payloads: Vec<(u32, Vec<u8>)> =
        (0..140).chain([200]).map(|salt| (u32::from(salt >= 150), payload(salt))).collect();
    let slot_payloads = payloads.iter().enumerate().map(|(at, (author, payload))| SlotPayload {
        position: at as u64,
        author: *author,
        valid_until,
        payload,
    });
    let results = execute_slot(&mut state, slot_payloads, Slot(100), 2);
    let codes = codes(&results);
    assert!(codes[..85].iter().all(|code| *code == Some(Code::BadSignature)), "256 units, 3 each");
    assert!(codes[85..140].iter().all(|code| *code == Some(Code::KeystoreBudget)));
    assert_eq!(codes[140], None);
}

#[test]
fn payloads_that_are_no_envelope_have_their_code_at_their_place() {
    let owner = ed(1);
    let wallet = Wallet::single(0, &owner);
    let good = chain_of(&wallet, &owner, 0).remove(0);
    let mut long = good.clone();
    long.push(0);
    let mut state = KeystoreState::new(params());
    let payloads: [(&[u8], Slot); 4] =
        [(&[], Slot(110)), (&long, Slot(110)), (&good, Slot(109)), (&good, Slot(110))];
    let slot_payloads = payloads.iter().enumerate().map(|(at, (payload, valid_until))| {
        SlotPayload { position: at as u64, author: 0, valid_until: *valid_until, payload }
    });
    let results = execute_slot(&mut state, slot_payloads, Slot(100), 1);
    let bad = Some(Code::BadEnvelope);
    assert_eq!(codes(&results), [bad, bad, Some(Code::ValidUntilMismatch), None]);
}

#[test]
fn new_accounts_of_a_slot_are_limited_and_the_next_slot_begins_again() {
    let owner = ed(1);
    let mut world = World::new();
    let create = |world: &mut World, salt: u8| {
        let wallet = Wallet::single(salt, &owner);
        let request = Request::init(CHAIN, wallet.init, world.valid_until());
        world.submit(&request, &[&owner])
    };
    for salt in 0..8 {
        create(&mut world, salt).unwrap();
    }
    assert_eq!(code(create(&mut world, 8)), Code::NewAccountsLimit);
    world.slot = world.slot.plus(1);
    create(&mut world, 8).unwrap();
    assert_eq!(world.state.accounts(), 9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_root_is_equal_for_any_order_of_independent_operations(
        order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle()
    ) {
        let owner = ed(1);
        let payloads: Vec<Vec<u8>> = (0..6)
            .map(|salt| chain_of(&Wallet::single(salt, &owner), &owner, 0).remove(0))
            .collect();
        let mut straight = KeystoreState::new(params());
        apply_slot(&mut straight, ops(&payloads, &[0, 1, 2, 3, 4, 5]), Slot(100), 1);
        let mut shuffled = KeystoreState::new(params());
        let results = apply_slot(&mut shuffled, ops(&payloads, &order), Slot(100), 1);
        prop_assert!(results.iter().all(|(_, result)| result.is_ok()));
        prop_assert_eq!(straight.root(), shuffled.root());
    }

    #[test]
    fn one_account_ends_equal_for_any_order_of_its_chain(
        order in Just((0..5usize).collect::<Vec<_>>()).prop_shuffle()
    ) {
        let owner = ed(1);
        let payloads = chain_of(&Wallet::single(0, &owner), &owner, 4);
        let mut state = KeystoreState::new(params());
        let results = apply_slot(&mut state, ops(&payloads, &order), Slot(100), 1);
        prop_assert!(results.iter().all(|(_, result)| result.is_ok()));
        let mut straight = KeystoreState::new(params());
        apply_slot(&mut straight, ops(&payloads, &[0, 1, 2, 3, 4]), Slot(100), 1);
        prop_assert_eq!(straight.root(), state.root());
    }
}
