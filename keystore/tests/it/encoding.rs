//! One accepted encoding of everything, and nothing of it that a stranger can change.

use crate::common::{CHAIN, Wallet, World, check, config_of, ed, key, params};
use proptest::prelude::*;
use rota_keystore::config::Implementation;
use rota_keystore::wallet::{Request, rotate};
use rota_keystore::{
    AccountProof, Config, Envelope, FreezeAuthority, Init, Key, KeyKind, KeystoreState, Op,
    Recovery, Role,
};
use rota_types::{Hash, Slot};

const KINDS: [KeyKind; 4] = [KeyKind::Ed25519, KeyKind::Secp256k1, KeyKind::Eoa, KeyKind::P256];

fn hashes() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn configs() -> impl Strategy<Value = Config> {
    let keys =
        prop::collection::btree_map(1u8..250, (0usize..4, 1u16.., any::<u16>(), 0u64..9), 1..5);
    let recovery = prop::option::of((hashes(), 1u16..=5, 12u32..1000));
    let implementations =
        prop::collection::btree_map(prop::collection::vec(any::<u8>(), 1..40), hashes(), 0..4);
    (keys, recovery, implementations, any::<bool>()).prop_map(
        |(keys, recovery, implementations, more)| {
            let keys: Vec<Key> = keys
                .into_iter()
                .enumerate()
                .map(|(at, (number, (kind, weight, roles, end)))| Key {
                    weight,
                    roles: if at == 0 { Role::ALL_BITS } else { roles },
                    not_after_slot: Slot(if at == 0 { 0 } else { end }),
                    policy: if at > 0 && more { Hash([number; 32]) } else { Hash::ZERO },
                    ..Key::all_roles(key(KINDS[kind], number).public_key().clone())
                })
                .collect();
            Config {
                recovery: recovery.map(|(guardians_root, count, delay_hours)| Recovery {
                    guardians_root,
                    count,
                    threshold: count,
                    delay_hours,
                }),
                implementations: implementations
                    .into_iter()
                    .map(|(chain_ref, code_hash)| Implementation { chain_ref, code_hash })
                    .collect(),
                ..Config::of_keys(keys, [1; 8])
            }
        },
    )
}

fn operations() -> impl Strategy<Value = Op> {
    let new_key = (1u8..250, 0usize..4)
        .prop_map(|(number, kind)| Key::all_roles(key(KINDS[kind], number).public_key().clone()));
    prop_oneof![
        Just(Op::Unfreeze),
        (hashes(), configs())
            .prop_map(|(previous_config_hash, new)| Op::SetConfig { previous_config_hash, new }),
        (hashes(), hashes(), new_key.clone()).prop_map(
            |(previous_config_hash, old_key, new_key)| {
                Op::RotateKey { previous_config_hash, old_key, new_key }
            }
        ),
        (hashes(), new_key).prop_map(|(previous_config_hash, new_key)| Op::AddKey {
            previous_config_hash,
            new_key
        }),
        (hashes(), hashes()).prop_map(|(previous_config_hash, old_key)| Op::RemoveKey {
            previous_config_hash,
            old_key
        }),
    ]
}

fn requests() -> impl Strategy<Value = Request> {
    (operations(), prop::option::of(configs()), any::<u64>(), any::<u64>()).prop_map(
        |(op, initial, seq, until)| {
            let init = initial.map(|config| Init { salt: Hash([7; 32]), config });
            Request {
                chain_id: CHAIN,
                keystore_id: init.as_ref().map(Init::keystore_id).unwrap_or_default(),
                seq,
                valid_until_slot: Slot(until),
                init,
                op,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn decode_of_encode_is_the_value(request in requests()) {
        let payload = request.sign(&[&ed(1), &key(KeyKind::P256, 2)]).unwrap();
        let envelope = Envelope::from_bytes(&payload).unwrap();
        prop_assert_eq!(&envelope.op, &request.op);
        prop_assert_eq!(&envelope.init, &request.init);
        prop_assert_eq!(envelope.to_bytes(), payload.clone());
        prop_assert!(check(&payload, request.valid_until_slot).is_ok());
    }

    #[test]
    fn configs_round_trip_and_hash_their_bytes(config in configs(), flip in any::<usize>()) {
        let bytes = config.to_bytes();
        prop_assert_eq!(Config::from_bytes(&bytes).unwrap(), config.clone());
        let mut other = bytes.clone();
        let bit = flip % (bytes.len() * 8);
        other[bit / 8] ^= 1 << (bit % 8);
        if let Ok(decoded) = Config::from_bytes(&other) {
            prop_assert_eq!(decoded.to_bytes(), other);
            prop_assert_ne!(decoded.hash(), config.hash());
        }
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Envelope::from_bytes(&bytes).is_err());
        let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        let framed = [&[1, 0xf8, length], &bytes[..]].concat();
        prop_assert!(Envelope::from_bytes(&framed).is_err());
        prop_assert!(borsh::from_slice::<KeystoreState>(&bytes).is_err());
        prop_assert!(AccountProof::from_bytes(&bytes).is_err());
    }
}

#[test]
fn any_flipped_bit_of_a_payload_is_refused_by_its_bytes_alone() {
    for kind in KINDS {
        let (owner, next) = (key(kind, 3), key(kind, 4));
        let wallet = Wallet::single(0, &owner);
        let op = rotate(&wallet.init.config, &owner.key_id(), next.public_key().clone()).unwrap();
        let request = Request { op, ..Request::init(CHAIN, wallet.init.clone(), Slot(110)) };
        let payload = request.sign(&[&owner, &next]).unwrap();
        check(&payload, Slot(110)).unwrap();
        for bit in 0..payload.len() * 8 {
            let mut flipped = payload.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(check(&flipped, Slot(110)).is_err(), "{kind}: bit {bit}");
        }
        for cut in 0..payload.len() {
            assert!(check(&payload[..cut], Slot(110)).is_err(), "{kind}: cut at {cut}");
        }
    }
}

#[test]
fn the_largest_envelope_fits_and_one_key_more_does_not() {
    let keys: Vec<_> = (1..=33).map(ed).collect();
    let of = |count: usize| {
        let all: Vec<_> = keys.iter().take(count).map(|key| (key, Role::ALL_BITS)).collect();
        let threshold = u32::try_from(count).unwrap();
        let mut config = config_of(&all, threshold);
        config.implementations = (0..16)
            .map(|n| Implementation { chain_ref: vec![n; 40], code_hash: Hash([n; 32]) })
            .collect();
        config
    };
    let sign = |config: Config, signers: usize| {
        let init = Init { salt: Hash([1; 32]), config: config.clone() };
        let op = Op::SetConfig { previous_config_hash: config.hash(), new: config };
        let request = Request { op, ..Request::init(CHAIN, init, Slot(110)) };
        let signers: Vec<_> = keys.iter().take(signers).collect();
        request.sign(&signers).unwrap()
    };
    let largest = sign(of(32), 32);
    check(&largest, Slot(110)).unwrap();
    assert!(largest.len() > 10_000, "{} bytes", largest.len());
    assert!(check(&sign(of(33), 32), Slot(110)).is_err());
    assert!(check(&sign(of(32), 33), Slot(110)).is_err());
}

#[test]
fn a_checkpoint_restores_the_same_root_and_a_changed_one_does_not() {
    let owner = ed(1);
    let wallet = Wallet::single(0, &owner);
    let mut world = World::with(&wallet, &[&owner]);
    world.run(&wallet, world.freeze(&wallet, 9), &[&owner]).unwrap();
    let snapshot = world.state.clone();
    let bytes = borsh::to_vec(&world.state).unwrap();
    let restored: KeystoreState = borsh::from_slice(&bytes).unwrap();
    assert_eq!(restored, world.state);
    assert_eq!(restored.account(&wallet.id), world.state.account(&wallet.id));
    for bit in (0..bytes.len() * 8).step_by(13) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = borsh::from_slice::<KeystoreState>(&flipped) {
            assert_ne!(other.root(), world.state.root());
        }
    }
    // A snapshot taken by clone stays as it was.
    world.run(&wallet, Op::Unfreeze, &[&owner]).unwrap();
    assert_eq!(snapshot.root(), restored.root());
    assert_ne!(snapshot.root(), world.state.root());
}

#[test]
fn any_flipped_bit_of_an_account_proof_is_refused() {
    let owner = ed(1);
    let mut world = World::new();
    for salt in 0..6 {
        let init = Wallet::single(salt, &owner).init;
        world.submit(&Request::init(CHAIN, init, world.valid_until()), &[&owner]).unwrap();
    }
    let root = world.state.root();
    for salt in [0, 50] {
        let bytes =
            borsh::to_vec(&AccountProof::of(&world.state, &Wallet::single(salt, &owner).id));
        let bytes = bytes.unwrap();
        AccountProof::from_bytes(&bytes).unwrap().verify(&root).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            if let Ok(proof) = AccountProof::from_bytes(&flipped) {
                // A flipped id of an absent account names another absent account, and that is true.
                let other_absent = salt == 50 && bit < 256;
                assert!(other_absent || proof.verify(&root).is_err(), "salt {salt} bit {bit}");
            }
        }
    }
    assert_eq!(world.state.params(), &params());
}

#[test]
fn the_signed_struct_of_each_operation_is_its_own() {
    let (a, hash) = (ed(1), Hash([1; 32]));
    let new_key = Key::all_roles(a.public_key().clone());
    let freeze =
        |authority| Op::Freeze { until: Slot(1), config_seq: 2, freeze_count: 3, authority };
    let all = [
        Op::Init,
        Op::Unfreeze,
        Op::SetConfig { previous_config_hash: hash, new: config_of(&[(&a, 255)], 1) },
        Op::RotateKey { previous_config_hash: hash, old_key: hash, new_key: new_key.clone() },
        Op::AddKey { previous_config_hash: hash, new_key },
        Op::RemoveKey { previous_config_hash: hash, old_key: hash },
        freeze(FreezeAuthority::Freeze),
        freeze(FreezeAuthority::Config),
    ];
    let wallet = Wallet::single(0, &a);
    let world = World::with(&wallet, &[&a]);
    let digests: std::collections::BTreeSet<Hash> =
        all.iter().map(|op| world.request(&wallet, op.clone()).envelope().digest()).collect();
    assert_eq!(digests.len(), all.len());
}
