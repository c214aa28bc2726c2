//! What a slot costs against what it is charged, counted in decompressed points.

use super::*;
use crate::config::{Config, Key, Role};
use crate::envelope::Init;
use crate::keys::{DECOMPRESSED, KeyKind};
use crate::limits::UNITS_SHARE_MIN;
use crate::op::Op;
use crate::params::Params;
use crate::wallet::{Request, WalletKey};
use rota_types::Hash;

const CHAIN: u64 = 4242;
const UNTIL: Slot = Slot(110);

fn params(units_max: u64) -> Params {
    Params {
        chain_id: CHAIN,
        slot_ms: 12_000,
        validity_slots: 64,
        new_accounts_max: 1_000,
        accounts_max: 1_000,
        emergency_bytes_max: 64 * 1024,
        units_max,
        state_bytes_max: 1 << 20,
    }
}

fn wallet_key(kind: KeyKind, number: u8) -> WalletKey {
    WalletKey::from_secret(kind, &[number; 32]).unwrap()
}

fn owner() -> WalletKey {
    wallet_key(KeyKind::Ed25519, 200)
}

/// A key that signs for the account elsewhere and changes nothing.
fn idle(kind: KeyKind, number: u8) -> Key {
    let public_key = wallet_key(kind, number).public_key().clone();
    Key { roles: Role::Sign.bit(), ..Key::all_roles(public_key) }
}

/// The owner's key and `count` idle ones of a kind.
fn config(kind: KeyKind, count: u8) -> Config {
    let mut keys: Vec<Key> = (1..=count).map(|number| idle(kind, number)).collect();
    keys.push(Key::all_roles(owner().public_key().clone()));
    Config::of_keys(keys, [1; 8])
}

/// Runs a slot of one author: points decompressed, and the answers.
fn run(state: &mut KeystoreState, payloads: &[Vec<u8>]) -> (u64, Vec<Outcome>) {
    let slot_payloads = payloads.iter().zip(0..).map(|(payload, position)| SlotPayload {
        position,
        author: 0,
        valid_until: UNTIL,
        payload,
    });
    let before = DECOMPRESSED.get();
    let outcomes = execute_slot(state, slot_payloads, Slot(100), 1);
    (DECOMPRESSED.get().saturating_sub(before), outcomes)
}

/// Units of the payloads that the budget let through.
fn charged(payloads: &[Vec<u8>], outcomes: &[Outcome]) -> u64 {
    let over = |outcome: &Outcome| {
        outcome.1.as_ref().is_err_and(|refusal| refusal.code == RefusalCode::KeystoreBudget)
    };
    let kept = payloads.iter().zip(outcomes).filter(|(_, outcome)| !over(outcome));
    kept.map(|(bytes, _)| Envelope::from_bytes(bytes).unwrap().units()).sum()
}

/// A state with one account of this config, and its first operation.
fn account(config: &Config, units_max: u64) -> (KeystoreState, KeystoreId) {
    let init = Init { salt: Hash([1; 32]), config: config.clone() };
    let id = init.keystore_id();
    let mut state = KeystoreState::new(params(units_max));
    let (_, outcomes) =
        run(&mut state, &[Request::init(CHAIN, init, UNTIL).sign(&[&owner()]).unwrap()]);
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
    (state, id)
}

/// Removals of one key, each followed by its return: `count` operations.
fn removals_and_returns(id: KeystoreId, config: &Config, key: &Key, count: u64) -> Vec<Vec<u8>> {
    let mut without = config.clone();
    without.keys.retain(|other| other != key);
    let op = |number: u64| {
        if number.is_multiple_of(2) {
            Op::RemoveKey { previous_config_hash: config.hash(), old_key: key.id() }
        } else {
            Op::AddKey { previous_config_hash: without.hash(), new_key: key.clone() }
        }
    };
    let request = |number: u64| Request {
        chain_id: CHAIN,
        keystore_id: id,
        seq: number.saturating_add(1),
        valid_until_slot: UNTIL,
        init: None,
        op: op(number),
    };
    (0..count).map(|number| request(number).sign(&[&owner()]).unwrap()).collect()
}

#[test]
fn a_key_change_decompresses_no_more_than_it_is_charged_however_large_the_account() {
    for (kind, brought) in [
        (KeyKind::P256, KeyKind::P256),
        (KeyKind::Secp256k1, KeyKind::Secp256k1),
        (KeyKind::Secp256k1, KeyKind::Eoa),
        (KeyKind::Eoa, KeyKind::Secp256k1),
    ] {
        let mut full = config(kind, 30);
        let key = idle(brought, 99);
        full.keys.push(key.clone());
        full.keys.sort_by_cached_key(Key::id);
        let (mut state, id) = account(&full, 48_000);
        let mut payloads = removals_and_returns(id, &full, &key, 20);
        // Backwards, so that all but one wait for their predecessor.
        payloads.reverse();
        let (points, outcomes) = run(&mut state, &payloads);
        assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
        let units = charged(&payloads, &outcomes);
        assert!(points <= units, "{kind}, {brought}: {points} points for {units} units");
    }
}

#[test]
fn nothing_is_decompressed_that_was_not_charged_nor_after_the_share_is_used_up() {
    let two_configs = |salt: u8| {
        let init = Init { salt: Hash([salt; 32]), config: config(KeyKind::P256, 31) };
        let request = Request {
            op: Op::SetConfig {
                previous_config_hash: init.config.hash(),
                new: config(KeyKind::Secp256k1, 31),
            },
            ..Request::init(CHAIN, init, UNTIL)
        };
        request.sign(&[&owner()]).unwrap()
    };
    let payloads: Vec<Vec<u8>> = (1..=20).map(two_configs).collect();
    let mut state = KeystoreState::new(params(0));
    let (points, outcomes) = run(&mut state, &payloads);
    let units = charged(&payloads, &outcomes);
    assert!(outcomes.last().unwrap().1.is_err(), "the share is used up");
    assert!(outcomes.first().unwrap().1.is_ok());
    assert!(units <= UNITS_SHARE_MIN);
    assert!(points <= units, "{points} points for {units} units");
}

#[test]
fn the_dearest_envelope_fits_the_least_share() {
    let keys: Vec<WalletKey> = (1..=32).map(|number| wallet_key(KeyKind::P256, number)).collect();
    let all = keys.iter().map(|key| Key::all_roles(key.public_key().clone())).collect();
    let config = Config::of_keys(all, [32; 8]);
    let init = Init { salt: Hash([1; 32]), config: config.clone() };
    let request = Request {
        op: Op::SetConfig { previous_config_hash: config.hash(), new: config },
        ..Request::init(CHAIN, init, UNTIL)
    };
    let signers: Vec<&WalletKey> = keys.iter().collect();
    let payload = request.sign(&signers).unwrap();
    let mut state = KeystoreState::new(params(0));
    let (_, outcomes) = run(&mut state, &[payload]);
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
}

#[test]
fn the_next_sequence_number_is_read_without_the_config() {
    let full = config(KeyKind::P256, 31);
    let (state, id) = account(&full, 48_000);
    let before = DECOMPRESSED.get();
    assert_eq!(state.next_seq(&id, 0, Slot(100)), 1);
    let account = state.account(&id).unwrap();
    assert_eq!(DECOMPRESSED.get(), before);
    assert_eq!(account.config, full);
    assert_eq!(account.lanes.next_seq(0, Slot(100), 64), 1);
}
