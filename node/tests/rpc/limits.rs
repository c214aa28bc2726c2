//! Limits: each is met, says so, and leaves others alone.

use crate::backend::VALID_UNTIL_MAX;
use crate::serve;
use jsonrpsee::core::client::SubscriptionClientT as _;
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::ws_client::WsClientBuilder;
use rota_keystore::keys::KeyKind;
use rota_keystore::limits::AUTHS_MAX;
use rota_keystore::wallet::{Request, WalletKey};
use rota_keystore::{KeystoreId, Op};
use rota_node::rpc::RpcLimits;
use rota_node::rpc::limits::{BATCH_CALLS_MAX, SOCKETS_PER_IP_MAX, SUBSCRIPTIONS_PER_SOCKET_MAX};
use rota_types::{Hash, RollupId, Transaction, codec};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn a_metered_caller_is_told_when_to_come_again_at_both_doors() {
    let limits = RpcLimits {
        limit_loopback: true,
        units_per_second: 1,
        units_burst: 12,
        ..RpcLimits::default()
    };
    let served = serve(limits).await;
    served.chain.order(&[b"a"]);
    assert_eq!(served.get("/v1/slots/1/namespaces/10").await.status(), 200);
    let refused = served.get("/v1/slots/1/namespaces/10").await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    let error = served.error("rota_getNamespace", json!([1, 10])).await;
    assert_eq!(error["code"], -32_005);
    assert!(error["data"]["retry_ms"].as_u64().unwrap() > 0);
}

/// A keystore operation with as many P-256 signatures as there may be; its account does not matter to the door's meter.
fn heavy_operation() -> Vec<u8> {
    let keys: Vec<WalletKey> = (1..=u8::try_from(AUTHS_MAX).unwrap())
        .map(|n| WalletKey::from_secret(KeyKind::P256, &[n; 32]).unwrap())
        .collect();
    let request = Request {
        chain_id: 7,
        keystore_id: KeystoreId(Hash([1; 32])),
        seq: 0,
        valid_until_slot: VALID_UNTIL_MAX,
        init: None,
        op: Op::Unfreeze,
    };
    request.sign(&keys.iter().collect::<Vec<_>>()).unwrap()
}

#[tokio::test]
async fn a_submission_is_charged_by_its_signatures_at_every_door() {
    // One operation of 32 signatures of 4 units each is 16 units beside the method's own.
    let limits = RpcLimits {
        limit_loopback: true,
        units_per_second: 1,
        units_burst: 20,
        ..RpcLimits::default()
    };
    let payload = heavy_operation();
    let light = json!({ "transactions": [{ "rollup": 10, "payload": "01" }] });
    let heavy = json!({ "transactions": [{ "rollup": 0, "payload": hex::encode(&payload) }] });
    let raw = codec::encode(&vec![Transaction {
        rollup: RollupId::KEYSTORE,
        valid_until_slot: VALID_UNTIL_MAX,
        payload: payload.clone(),
    }]);
    let served = serve(limits).await;
    for _ in 0..9 {
        served.result("rota_submit", light.clone()).await;
    }
    assert_eq!(served.error("rota_submit", heavy.clone()).await["code"], -32_005);

    let served = serve(limits).await;
    let post = || {
        let content = (reqwest::header::CONTENT_TYPE, "application/octet-stream");
        let url = served.url("/v1/transactions");
        served.http.post(url).header(content.0, content.1).body(raw.clone()).send()
    };
    assert_eq!(post().await.unwrap().status(), 200);
    assert_eq!(post().await.unwrap().status(), 429);

    let served = serve(limits).await;
    let envelope = json!({ "envelope": hex::encode(&payload) });
    served.result("keystore_sendTransaction", envelope.clone()).await;
    assert_eq!(served.error("keystore_sendTransaction", envelope).await["code"], -32_005);
}

#[tokio::test]
async fn back_pressure_of_the_node_is_429_with_its_time() {
    let served = serve(RpcLimits::default()).await;
    served.chain.fill();
    let body = json!({ "transactions": [{ "rollup": 10, "payload": "01" }] });
    let refused =
        served.http.post(served.url("/v1/transactions")).json(&body).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"2".parse().unwrap())
    );
    let error = served.error("rota_submit", body).await;
    assert_eq!((&error["code"], &error["data"]["retry_ms"]), (&json!(-32_005), &json!(1_500)));
    assert_eq!(served.get("/v1/status/ready").await.status(), 503);
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read() {
    let served = serve(RpcLimits::default()).await;
    for path in ["/rpc", "/v1/transactions"] {
        let mut socket = tokio::net::TcpStream::connect(served.bound.http).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = socket.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
        assert!(answer.contains("99999999") || answer.contains("-32024"), "{path}: {answer}");
    }
    let chunked = reqwest::Body::from(vec![b' '; 600 * 1024]);
    let refused = served
        .http
        .post(served.url("/v1/transactions"))
        .header("content-type", "application/octet-stream")
        .body(chunked)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 413);
}

#[tokio::test]
async fn sockets_and_subscriptions_are_counted() {
    let served = serve(RpcLimits::default()).await;
    let url = format!("ws://{}/rpc", served.bound.http);
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS_PER_IP_MAX {
        sockets.push(WsClientBuilder::default().build(&url).await.unwrap());
    }
    assert!(WsClientBuilder::default().build(&url).await.is_err());
    let mut streams = Vec::new();
    for n in 0..=SUBSCRIPTIONS_PER_SOCKET_MAX {
        let mut params = ArrayParams::new();
        params.insert("slots").unwrap();
        let stream =
            sockets[0].subscribe::<Value, _>("rota_subscribe", params, "rota_unsubscribe").await;
        assert_eq!(stream.is_ok(), n < SUBSCRIPTIONS_PER_SOCKET_MAX, "{n}");
        streams.push(stream);
    }
}

#[tokio::test]
async fn long_batches_of_calls_and_long_lists_are_refused() {
    let served = serve(RpcLimits::default()).await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "rota_limits" });
    let calls = vec![call; BATCH_CALLS_MAX as usize + 1];
    let answer: Value = served
        .http
        .post(served.url("/rpc"))
        .json(&calls)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer["error"]["code"], -32_010);
    let many = vec![json!({ "rollup": 10, "payload": "01" }); 257];
    let error = served.error("rota_submit", json!({ "transactions": many })).await;
    assert!(error["message"].as_str().unwrap().contains("256"));
    let ids = vec![rota_types::Hash::ZERO; 257];
    assert_eq!(served.error("rota_getTransactions", json!({ "ids": ids })).await["code"], -32_602);
}

#[tokio::test]
async fn the_metrics_listener_answers_on_its_own_port_and_shutdown_closes_both() {
    let served = serve(RpcLimits::default()).await;
    let url = |path: &str| format!("http://{}{path}", served.bound.metrics);
    let text = |path: &str| {
        let request = served.http.get(url(path));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    assert_eq!(text("/metrics").await, "rota_x 1\n");
    assert!(text("/livez").await.contains("true"));
    assert!(text("/readyz").await.contains("quorum"));
    assert!(text("/version").await.contains("rota"));
    served.stop.send_replace(true);
    let closed = async {
        while tokio::net::TcpStream::connect(served.bound.http).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), closed).await.unwrap();
}
