//! JSON-RPC over HTTP.

use crate::serve;
use rota_node::rpc::RpcLimits;
use rota_node::rpc::methods::METHODS;
use rota_types::{Hash, RollupId, Slot, Transaction, codec};
use serde_json::json;

#[tokio::test]
async fn a_submission_is_found_by_id_slot_namespace_and_proof() {
    let served = serve(RpcLimits::default()).await;
    let encoded =
        Transaction { rollup: RollupId(10), valid_until_slot: Slot(1_200), payload: b"b".to_vec() };
    let hex = hex::encode(codec::encode(&encoded));
    let submitted = served
        .result(
            "rota_submit",
            json!({ "transactions": [{ "rollup": 10, "payload": "0x61" }, format!("0x{hex}")], "wait": "sealed" }),
        )
        .await;
    assert_eq!(submitted["transactions"].as_array().unwrap().len(), 2);
    assert_eq!(submitted["transactions"][1]["id"], json!(encoded.id()));
    let id = submitted["transactions"][1]["id"].clone();

    let found = served.result("rota_getTransaction", json!({ "id": id })).await;
    assert_eq!((&found["height"], &found["namespace_index"]), (&json!(1), &json!(1)));
    let two = served.result("rota_getTransactions", json!({ "ids": [id, Hash([9; 32])] })).await;
    assert_eq!(two[0]["level"], "ordered");
    assert!(two[1].is_null());

    let slot = served.result("rota_getSlot", json!([1])).await;
    assert_eq!(slot["namespaces"], json!([[10, 2]]));
    let latest = served.result("rota_getSlot", json!(["latest"])).await;
    assert_eq!(latest, slot);
    let header = served.result("rota_getHeader", json!({ "height": 1 })).await;
    assert_eq!(header["header_id"], slot["header_id"]);

    let all = served.result("rota_getNamespace", json!([1, 10])).await;
    assert_eq!((&all["count"], &all["next_index"]), (&json!(2), &json!(null)));
    assert_eq!(all["transactions"][1]["payload"], "62");
    let none = served.result("rota_getNamespace", json!([1, 8453])).await;
    assert_eq!((&none["count"], &none["transactions"]), (&json!(0), &json!([])));

    let early = served.error("rota_getFinalityBundle", json!({ "id": id })).await;
    assert_eq!(early["code"], -32_021);
    served.chain.seal_all();
    let bundle = served.result("rota_getFinalityBundle", json!({ "id": id })).await;
    assert_eq!(bundle["bundle"], id);
    let proof = served.result("rota_getProof", json!({ "height": 1, "rollup": 10 })).await;
    assert_eq!(proof["bundle"], hex::encode("1 10"));
}

#[tokio::test]
async fn every_method_of_the_table_answers() {
    let served = serve(RpcLimits::default()).await;
    served.chain.order(&[b"a"]);
    served.chain.seal_all();
    let id = Hash([1; 32]);
    for method in METHODS {
        let params = match method.name {
            "rota_submit" => json!({ "transactions": [{ "rollup": 10, "payload": "01" }] }),
            "rota_getTransactions" => json!([[id]]),
            "rota_getNamespace" => json!([1, 10]),
            "rota_getProof" | "rota_getFinalityBundle" => json!({ "account": id }),
            "keystore_sendTransaction" => json!(["00"]),
            "rota_subscribe" => json!(["slots"]),
            name if name.ends_with("getTransaction") || name.starts_with("keystore_") => {
                json!([id])
            }
            _ => json!([]),
        };
        let answer = served.call(method.name, params).await;
        let code = answer["error"]["code"].as_i64();
        let expected = match method.name {
            "rota_getTransaction" => Some(-32_020),
            "keystore_sendTransaction" => Some(-33_100),
            // Streams need a WebSocket.
            "rota_subscribe" => Some(-32_603),
            _ => None,
        };
        assert_eq!(code, expected, "{}: {answer}", method.name);
    }
}

#[tokio::test]
async fn unknown_methods_and_arguments_are_refused_by_name() {
    let served = serve(RpcLimits::default()).await;
    assert_eq!(served.error("rota_nothing", json!([])).await["code"], -32_601);
    let error = served.error("rota_getSlot", json!({ "hieght": 1 })).await;
    assert_eq!(error["code"], -32_602);
    assert!(error["message"].as_str().unwrap().contains("hieght"));
    let both = served.error("rota_getProof", json!({ "id": Hash::ZERO, "height": 1 })).await;
    assert_eq!(both["code"], -32_602);
}
