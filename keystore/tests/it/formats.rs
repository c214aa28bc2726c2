//! Ids, hashes, leaves, typed data and payloads against an independent implementation in Python; the file also
//! pins every encoding: a changed one is a decision, not a repair.

use crate::common::CHAIN;
use rota_keystore::envelope::COMMON_MEMBERS;
use rota_keystore::{AuthLeaf, Config, Envelope, KeyKind, KeystoreId, PublicKey, Status, auth_key};
use rota_types::{Hash, Slot};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/keystore.json")).unwrap()
}

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn key_ids_config_hashes_and_keystore_ids_agree_with_python() {
    let vectors = vectors();
    assert_eq!(vectors["chain_id"], CHAIN);
    for vector in vectors["key_ids"].as_array().unwrap() {
        let kind = KeyKind::ALL.into_iter().find(|kind| kind.name() == vector["kind"]).unwrap();
        let key = PublicKey::new(kind, &bytes(&vector["public_key"])).unwrap();
        assert_eq!(key.id(), hash(&vector["id"]));
    }
    for vector in vectors["configs"].as_array().unwrap() {
        let config = Config::from_bytes(&bytes(&vector["rlp"])).unwrap();
        assert_eq!(config.hash(), hash(&vector["hash"]));
        let id = KeystoreId::new(&hash(&vectors["salt"]), &config.hash());
        assert_eq!(id.0, hash(&vector["keystore_id"]));
    }
}

#[test]
fn the_leaf_agrees_with_python() {
    let vectors = vectors();
    let id = KeystoreId(hash(&vectors["configs"][0]["keystore_id"]));
    assert_eq!(auth_key(&id), hash(&vectors["auth_leaf"]["key"]));
    let leaf = AuthLeaf {
        config_hash: hash(&vectors["configs"][1]["hash"]),
        config_seq: 3,
        auth_seq: 5,
        status: Status::Frozen,
        frozen_until: Slot(2000),
        updated_slot: Slot(1234),
    };
    assert_eq!(leaf.to_bytes(), bytes(&vectors["auth_leaf"]["value"]));
}

#[test]
fn payloads_and_typed_data_digests_agree_with_python() {
    for vector in vectors()["envelopes"].as_array().unwrap() {
        let payload = bytes(&vector["payload"]);
        let envelope = Envelope::from_bytes(&payload).unwrap();
        assert_eq!(envelope.to_bytes(), payload);
        assert_eq!(envelope.digest(), hash(&vector["digest"]), "{}", vector["name"]);
        let type_string = envelope.op.type_string(COMMON_MEMBERS);
        let name = vector["name"].as_str().unwrap();
        assert!(type_string.starts_with(&format!("{name}(")));
        assert_eq!(format!("{:?}", envelope.op.kind()), name);
    }
}
