//! The list of bad inputs against a real node: each has its code, with the limit and the value.

use crate::devnet::Devnet;
use rota_keystore::envelope::Init;
use rota_keystore::keys::KeyKind;
use rota_keystore::op::Op;
use rota_keystore::wallet::{Request, WalletKey, single_key_config};
use rota_node::api::Level;
use rota_node::client::{Client, ClientError};
use rota_node::provision::devnet::CHAIN_ID;
use rota_types::limits::TX_BYTES_MAX;
use rota_types::{Hash, RefusalCode, RollupId, Slot, Transaction, codec};
use std::time::Duration;

async fn send(client: &Client, list: Vec<u8>) -> Result<(), (i32, Option<u64>, Option<u64>)> {
    match client.submit_raw(list.into(), Level::Ordered, Duration::from_secs(60)).await {
        Ok(_) => Ok(()),
        Err(ClientError::Answered(error)) => {
            let number = |name: &str| error.data.as_ref().and_then(|data| data[name].as_u64());
            Err((error.code, number("limit"), number("value")))
        }
        Err(other) => panic!("{other}"),
    }
}

fn one(rollup: u64, valid_until: u64, payload: Vec<u8>) -> Vec<u8> {
    let (rollup, valid_until_slot) = (RollupId(rollup), Slot(valid_until));
    codec::encode(&vec![Transaction { rollup, valid_until_slot, payload }])
}

async fn refused(client: &Client, name: &str, list: Vec<u8>, code: RefusalCode) {
    let found = send(client, list).await.unwrap_err();
    assert_eq!(found.0, code.rpc_code(), "{name}: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_input_has_its_code_at_a_real_node() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("devnet");
    let devnet = tokio::task::spawn_blocking(move || {
        let mut devnet = Devnet::start(&home);
        devnet.slot();
        devnet
    })
    .await
    .unwrap();
    let client = Client::new(std::slice::from_ref(&devnet.rpc)).unwrap();
    let limits = client.limits().await.unwrap();
    let last = limits.valid_until_max.0;

    let large = send(&client, one(10, last, vec![0; TX_BYTES_MAX])).await.unwrap_err();
    let max = u64::try_from(TX_BYTES_MAX).unwrap();
    assert_eq!(large, (RefusalCode::Oversize.rpc_code(), Some(max), Some(max + 20)));
    let expired = send(&client, one(10, 0, vec![1])).await.unwrap_err();
    assert_eq!((expired.0, expired.2), (RefusalCode::Expired.rpc_code(), Some(0)));
    let ahead = send(&client, one(10, last + 1_000, vec![1])).await.unwrap_err();
    assert_eq!((ahead.0, ahead.2), (RefusalCode::TooFarAhead.rpc_code(), Some(last + 1_000)));
    refused(&client, "unknown rollup", one(11, last, vec![1]), RefusalCode::UnknownRollup).await;
    let good = one(10, last, vec![1, 2, 3]);
    send(&client, good.clone()).await.unwrap();
    refused(&client, "duplicate", good.clone(), RefusalCode::Duplicate).await;
    let cut = good[..good.len() - 1].to_vec();
    refused(&client, "undecodable", cut, RefusalCode::Undecodable).await;
    let more = [&good[..], &[0]].concat();
    refused(&client, "trailing bytes", more, RefusalCode::TrailingBytes).await;
    keystore(&client, last).await;
}

async fn keystore(client: &Client, last: u64) {
    let key = WalletKey::from_secret(KeyKind::Ed25519, &[9; 32]).unwrap();
    let init = Init { salt: Hash([3; 32]), config: single_key_config(key.public_key().clone()) };
    let request = Request::init(CHAIN_ID, init.clone(), Slot(last));
    let payload = request.sign(&[&key]).unwrap();
    let send = |payload: Vec<u8>, last: u64| one(0, last, payload);

    refused(client, "no envelope", send(vec![1], last), RefusalCode::BadEnvelope).await;
    let other = Request { chain_id: 1, ..request.clone() }.sign(&[&key]).unwrap();
    refused(client, "wrong chain", send(other, last), RefusalCode::WrongChain).await;
    let inner = RefusalCode::ValidUntilMismatch;
    refused(client, "two ends", send(payload.clone(), last - 1), inner).await;
    let mut broken = payload.clone();
    let byte = broken.iter().rposition(|byte| *byte != 0xc0).unwrap();
    broken[byte] ^= 1;
    refused(client, "bad signature", send(broken, last), RefusalCode::BadSignature).await;
    let unknown = Request { init: None, op: Op::Unfreeze, ..request.clone() };
    let unknown = unknown.sign(&[&key]).unwrap();
    refused(client, "no account", send(unknown, last), RefusalCode::UnknownAccount).await;
    let far = Request { seq: 100, op: Op::Unfreeze, ..request };
    let far = far.sign(&[&key]).unwrap();
    refused(client, "far sequence", send(far, last), RefusalCode::SeqTooFar).await;
}
