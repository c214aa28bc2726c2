//! REST: submission, reading, caching.

use crate::serve;
use bytes::Bytes;
use rota_node::client::Client;
use rota_node::rpc::RpcLimits;
use rota_types::{Hash, RollupId, Slot, Transaction, codec};
use serde_json::json;

fn tx(payload: &[u8]) -> Transaction {
    Transaction { rollup: RollupId(10), valid_until_slot: Slot(1_200), payload: payload.to_vec() }
}

#[tokio::test]
async fn raw_submissions_of_many_transactions_name_none_unless_asked() {
    let served = serve(RpcLimits::default()).await;
    let txs: Vec<_> = (0..1_000u32).map(|n| tx(&n.to_be_bytes())).collect();
    for (query, listed) in [("", 0), ("&detail=1", 1_000)] {
        let response = served
            .http
            .post(served.url(&format!("/v1/transactions?wait=ordered{query}")))
            .header("content-type", "application/octet-stream")
            .body(codec::encode(&txs))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let answer: serde_json::Value = response.json().await.unwrap();
        assert_eq!(answer["level"], "ordered");
        assert_eq!(answer["transactions"].as_array().unwrap().len(), listed);
    }
}

#[tokio::test]
async fn sealed_answers_are_immutable_and_open_ones_are_not_stored() {
    let served = serve(RpcLimits::default()).await;
    served.chain.order(&[b"a"]);
    for path in ["/v1/slots/1", "/v1/headers/1", "/v1/slots/1/namespaces/10"] {
        let open = served.get(path).await;
        assert_eq!(open.headers()["cache-control"], "no-store", "{path}");
    }
    served.chain.seal_all();
    for path in [
        "/v1/slots/1",
        "/v1/headers/1",
        "/v1/slots/1/namespaces/10",
        "/v1/bundles/slots/1/namespaces/10",
    ] {
        let sealed = served.get(path).await;
        assert!(sealed.headers()["cache-control"].to_str().unwrap().contains("immutable"));
        let tag = sealed.headers()["etag"].clone();
        let again = served
            .http
            .get(served.url(path))
            .header("if-none-match", tag.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), 304, "{path}");
        assert_eq!(again.headers()["etag"], tag);
    }
    assert_eq!(served.get("/v1/slots/latest").await.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn what_is_not_there_says_whether_it_will_be() {
    let served = serve(RpcLimits::default()).await;
    for payload in [b"a", b"b", b"c"] {
        served.chain.order(&[payload]);
    }
    let later = served.get("/v1/slots/4").await;
    assert_eq!(
        (later.status().as_u16(), &later.headers()["retry-after"]),
        (404, &"1".parse().unwrap())
    );
    served.chain.prune_below(2);
    let (status, gone) = served.get_json("/v1/slots/1").await;
    assert_eq!((status, &gone["data"]["first_height"]), (410, &json!(2)));
    assert_eq!(served.get_json("/v1/transactions/00").await.0, 400);
    let (status, unknown) = served.get_json(&format!("/v1/transactions/{}", Hash::ZERO)).await;
    assert_eq!((status, &unknown["name"]), (404, &json!("NotFound")));
    assert_eq!(served.get_json("/v1/nothing").await.0, 404);
}

#[tokio::test]
async fn pages_walk_a_rollup_without_gap_or_repeat() {
    let served = serve(RpcLimits { range_slots_max: 2, ..RpcLimits::default() }).await;
    let large = vec![7u8; 100 * 1024];
    for n in 0..7u8 {
        let mut own = large.clone();
        own[0] = n;
        let all: Vec<Vec<u8>> = (0..14u8)
            .map(|m| {
                let mut x = own.clone();
                x[1] = m;
                x
            })
            .collect();
        served.chain.order(&all.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
    let (mut height, mut index, mut seen) = (1, 0, Vec::new());
    while height <= 7 {
        let path = format!("/v1/rollups/10/transactions?from={height}&index={index}");
        let (_, page) = served.get_json(&path).await;
        for tx in page["transactions"].as_array().unwrap() {
            seen.push((tx["height"].as_u64().unwrap(), tx["index"].as_u64().unwrap()));
        }
        height = page["next"]["height"].as_u64().unwrap();
        index = page["next"]["index"].as_u64().unwrap();
    }
    let expected: Vec<_> = (1..=7).flat_map(|h| (0..14).map(move |i| (h, i))).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_page_request_may_wait_for_the_next_transaction() {
    let served = serve(RpcLimits::default()).await;
    served.chain.order(&[b"a"]);
    let chain = served.chain.clone();
    let waiting = served.get_json("/v1/rollups/10/transactions?from=2&wait_ms=20000");
    let ordering = async {
        tokio::task::yield_now().await;
        chain.order(&[b"b"]);
    };
    let ((_, page), ()) = tokio::join!(waiting, ordering);
    assert_eq!(page["transactions"][0]["payload"], "62");
}

#[tokio::test]
async fn the_client_reads_what_the_doors_write() {
    let served = serve(RpcLimits::default()).await;
    let gone = "http://127.0.0.1:1".to_owned();
    let client = Client::new(&[gone, format!("http://{}", served.bound.http)]).unwrap();
    assert_eq!(client.limits().await.unwrap().chain_id, 5);
    let list = Bytes::from(codec::encode(&vec![tx(b"x")]));
    let level = rota_node::api::Level::Received;
    let submitted =
        client.submit_raw(list, level, std::time::Duration::from_secs(1)).await.unwrap();
    assert_eq!(submitted.level, level);
    let id = tx(b"x").id();
    assert_eq!(client.transaction(id).await.unwrap().id, id);
    assert_eq!(client.statuses(&[id, Hash::ZERO]).await.unwrap()[1], None);
    let unknown = client.transaction(Hash::ZERO).await.unwrap_err();
    assert_eq!((unknown.name(), unknown.retry_ms()), (Some("NotFound"), None));
    let early = client.bundle(&format!("transactions/{id}")).await.unwrap_err();
    assert_eq!(early.retry_ms(), Some(1_000));
    assert!(client.readiness().await.unwrap().ready);
    assert!(!client.account(id).await.unwrap().exists);
    let raw: serde_json::Value = client.call("rota_syncStatus", &json!([])).await.unwrap();
    assert_eq!(raw["chain_id"], 5);
}
