//! Streams over WebSocket.

use crate::serve;
use jsonrpsee::core::client::{Subscription, SubscriptionClientT as _};
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use rota_node::rpc::RpcLimits;
use serde_json::{Value, json};

async fn connect(served: &crate::Served) -> WsClient {
    WsClientBuilder::default().build(format!("ws://{}/rpc", served.bound.http)).await.unwrap()
}

async fn subscribe(client: &WsClient, topic: &str, fields: Value) -> Subscription<Value> {
    let mut params = ArrayParams::new();
    params.insert(topic).unwrap();
    params.insert(fields).unwrap();
    client.subscribe("rota_subscribe", params, "rota_unsubscribe").await.unwrap()
}

#[tokio::test]
async fn a_rollup_is_backfilled_and_then_live_without_gap_or_repeat() {
    let served = serve(RpcLimits::default()).await;
    for n in 0..50u8 {
        served.chain.order(&[&[n, 0], &[n, 1]]);
    }
    let client = connect(&served).await;
    let mut stream = subscribe(&client, "rollup", json!({ "id": 10, "from": 3 })).await;
    let chain = served.chain.clone();
    let ordering = tokio::spawn(async move {
        for n in 50..100u8 {
            chain.order(&[&[n, 0], &[n, 1]]);
            tokio::task::yield_now().await;
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 98 * 2 {
        let page = stream.next().await.unwrap().unwrap();
        for tx in page["transactions"].as_array().unwrap() {
            seen.push((tx["height"].as_u64().unwrap(), tx["index"].as_u64().unwrap()));
        }
    }
    ordering.await.unwrap();
    let expected: Vec<_> = (3..=100).flat_map(|h| [(h, 0), (h, 1)]).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn headers_come_when_sealed_and_slots_when_executed() {
    let served = serve(RpcLimits::default()).await;
    let client = connect(&served).await;
    let mut slots = subscribe(&client, "slots", json!({ "from": 1 })).await;
    let mut headers = subscribe(&client, "headers", json!({ "from": 1 })).await;
    served.chain.order(&[b"a"]);
    assert_eq!(slots.next().await.unwrap().unwrap()["level"], "ordered");
    served.chain.seal_all();
    assert_eq!(headers.next().await.unwrap().unwrap()["height"], 1);
    served.chain.order(&[b"b"]);
    served.chain.seal_all();
    assert_eq!(slots.next().await.unwrap().unwrap()["height"], 2);
    assert_eq!(headers.next().await.unwrap().unwrap()["height"], 2);
}

#[tokio::test]
async fn a_transaction_is_followed_until_it_is_sealed() {
    let served = serve(RpcLimits::default()).await;
    let client = connect(&served).await;
    let id = rota_types::Transaction {
        rollup: rota_types::RollupId(10),
        valid_until_slot: crate::backend::VALID_UNTIL_MAX,
        payload: b"a".to_vec(),
    }
    .id();
    let mut stream = subscribe(&client, "transaction", json!({ "id": id })).await;
    served.chain.order(&[b"a"]);
    assert_eq!(stream.next().await.unwrap().unwrap()["level"], "ordered");
    served.chain.seal_all();
    assert_eq!(stream.next().await.unwrap().unwrap()["level"], "sealed");
}

#[tokio::test]
async fn calls_work_on_the_same_socket_and_bad_topics_are_refused() {
    use jsonrpsee::core::client::ClientT as _;
    let served = serve(RpcLimits::default()).await;
    let client = connect(&served).await;
    let status: Value = client.request("rota_syncStatus", ArrayParams::new()).await.unwrap();
    assert_eq!(status["chain_id"], 5);
    let mut params = ArrayParams::new();
    params.insert("news").unwrap();
    let refused = client.subscribe::<Value, _>("rota_subscribe", params, "rota_unsubscribe").await;
    assert!(refused.unwrap_err().to_string().contains("news"));
}
