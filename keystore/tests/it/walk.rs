//! Random walks of one account: whatever is tried by whoever, the invariants hold after every step.

use crate::common::{CHAIN, Wallet, World, config_of, ed};
use proptest::prelude::*;
use rota_keystore::wallet::{Request, WalletKey};
use rota_keystore::{
    AccountProof, FreezeAuthority, Key, KeystoreState, Op, Role, Shown, authorises,
};
use rota_types::Slot;

#[derive(Clone, Debug)]
enum Try {
    Replace { members: u8, threshold: u32 },
    Rotate { old: u8, new: u8 },
    Add(u8),
    Remove(u8),
    Freeze { slots: u64, by_config: bool },
    Unfreeze,
    Wait(u64),
}

fn tries() -> impl Strategy<Value = (Try, u8)> {
    let what = prop_oneof![
        (1u8..16, 1u32..3).prop_map(|(members, threshold)| Try::Replace { members, threshold }),
        (0u8..4, 0u8..4).prop_map(|(old, new)| Try::Rotate { old, new }),
        (0u8..4).prop_map(Try::Add),
        (0u8..4).prop_map(Try::Remove),
        (0u64..60_000, any::<bool>())
            .prop_map(|(slots, by_config)| Try::Freeze { slots, by_config }),
        Just(Try::Unfreeze),
        (1u64..40_000).prop_map(Try::Wait),
    ];
    // Which of the four keys sign.
    (what, 1u8..16)
}

fn chosen(keys: &[WalletKey], mask: u8) -> Vec<&WalletKey> {
    keys.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0).map(|(_, key)| key).collect()
}

fn operation(world: &World, wallet: &Wallet, keys: &[WalletKey], what: &Try) -> Option<Op> {
    let account = world.state.account(&wallet.id).unwrap();
    let previous_config_hash = account.config.hash();
    let key = |at: u8| Key::all_roles(keys[usize::from(at)].public_key().clone());
    Some(match what {
        Try::Replace { members, threshold } => {
            let members: Vec<_> =
                chosen(keys, *members).into_iter().map(|key| (key, Role::ALL_BITS)).collect();
            let threshold = (*threshold).min(u32::try_from(members.len()).unwrap());
            Op::SetConfig { previous_config_hash, new: config_of(&members, threshold) }
        }
        Try::Rotate { old, new } => {
            Op::RotateKey { previous_config_hash, old_key: key(*old).id(), new_key: key(*new) }
        }
        Try::Add(new) => Op::AddKey { previous_config_hash, new_key: key(*new) },
        Try::Remove(old) => Op::RemoveKey { previous_config_hash, old_key: key(*old).id() },
        Try::Freeze { slots, by_config } => Op::Freeze {
            until: world.slot.plus(*slots),
            config_seq: account.config_seq,
            freeze_count: account.freeze_count,
            authority: if *by_config { FreezeAuthority::Config } else { FreezeAuthority::Freeze },
        },
        Try::Unfreeze => Op::Unfreeze,
        Try::Wait(_) => return None,
    })
}

fn check_invariants(world: &World, wallet: &Wallet, keys: &[WalletKey]) {
    let root = world.state.root();
    let account = world.state.account(&wallet.id).unwrap();
    account.config.validate().unwrap();
    let next = account.lanes.next_seq(0, world.slot, world.state.params().validity_slots);
    assert_eq!(world.state.next_seq(&wallet.id, 0, world.slot), next);
    let restored: KeystoreState = borsh::from_slice(&borsh::to_vec(&world.state).unwrap()).unwrap();
    assert_eq!(restored.bytes(), world.state.bytes());
    match AccountProof::of(&world.state, &wallet.id).verify(&root).unwrap() {
        Shown::Present { leaf, config } => {
            assert_eq!((leaf, *config), (account.auth_leaf(), account.config.clone()));
        }
        Shown::Absent => panic!("an account leaf is never deleted"),
    }
    assert!(account.freeze_ends.len() <= account.config.keys.len());
    for key in keys {
        let answer = authorises(&world.state, &wallet.id, Role::Sign, &[key.key_id()], world.slot);
        if account.is_frozen(world.slot) || account.config.key(&key.key_id()).is_none() {
            answer.unwrap_err();
        }
    }
    let restored = borsh::from_slice(&borsh::to_vec(&world.state).unwrap()).unwrap();
    assert_eq!(world.state, restored);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn invariants_hold_after_every_step_of_any_walk(walk in prop::collection::vec(tries(), 1..25)) {
        let keys: Vec<WalletKey> = (1..=4).map(ed).collect();
        let wallet = Wallet::new(0, config_of(&[(&keys[0], 255), (&keys[1], 255)], 1));
        let mut world = World::with(&wallet, &[&keys[0]]);
        let mut executed: Vec<(Vec<u8>, Slot)> = Vec::new();
        for (what, signers) in &walk {
            let before = world.state.clone();
            let leaf_before = before.auth_leaf(&wallet.id).unwrap();
            let Some(op) = operation(&world, &wallet, &keys, what) else {
                if let Try::Wait(slots) = what {
                    world.slot = world.slot.plus(*slots);
                }
                continue;
            };
            let request: Request = world.request(&wallet, op);
            let payload = request.sign(&chosen(&keys, *signers)).unwrap();
            match world.submit_bytes(&payload, request.valid_until_slot) {
                Ok(effects) => {
                    prop_assert_eq!(effects.auth_leaf.auth_seq, leaf_before.auth_seq + 1);
                    prop_assert!(effects.auth_leaf.config_seq >= leaf_before.config_seq);
                    prop_assert_eq!(effects.auth_leaf.updated_slot, world.slot);
                    executed.push((payload, request.valid_until_slot));
                }
                Err(refusal) => {
                    // Right by its bytes, so that no honest relay is ever scored for it.
                    prop_assert!(!refusal.code.from_bytes_alone(), "{}", refusal);
                    prop_assert_eq!(&world.state, &before);
                }
            }
            for (replayed, until) in &executed {
                prop_assert!(world.submit_bytes(replayed, *until).is_err(), "replayed");
            }
            check_invariants(&world, &wallet, &keys);
        }
        prop_assert_eq!(world.state.params().chain_id, CHAIN);
    }
}

#[test]
fn an_account_is_json_for_the_rpc() {
    let owner = ed(1);
    let wallet = Wallet::single(0, &owner);
    let mut world = World::with(&wallet, &[&owner]);
    world.run(&wallet, world.freeze(&wallet, 9), &[&owner]).unwrap();
    let account = world.state.account(&wallet.id).unwrap();
    let json = serde_json::to_value(&account).unwrap();
    assert_eq!(json["keystore_id"], wallet.id.to_string());
    assert_eq!(json["config"]["keys"][0]["kind"], "ed25519");
    assert_eq!(json["config"]["keys"][0]["public_key"], hex::encode(owner.public_key().bytes()));
    assert_eq!(json["lanes"]["0"]["next_seq"], 1);
    assert_eq!(json["frozen_until"], 109);
    let leaf = serde_json::to_value(account.auth_leaf()).unwrap();
    assert_eq!(leaf["status"], "frozen");
}
