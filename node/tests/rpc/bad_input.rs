//! The list of bad inputs: each has its own code, the same at every door, with limit and value.

use crate::serve;
use rota_node::api::ApiError;
use rota_node::rpc::{DoorError, RpcLimits};
use rota_types::{Height, Refusal, RefusalCode, RollupId, Slot, Transaction, codec};
use serde_json::{Value, json};
use std::fmt::Write as _;

fn encoded(rollup: u64, valid_until: u64, payload: usize) -> Vec<u8> {
    codec::encode(&Transaction {
        rollup: RollupId(rollup),
        valid_until_slot: Slot(valid_until),
        payload: vec![1; payload],
    })
}

/// Name, encoded transaction, code, limit, value.
type Bad = (&'static str, Vec<u8>, RefusalCode, Value, Value);

fn bad_inputs() -> Vec<Bad> {
    let mut trailing = encoded(10, 1_100, 5);
    trailing.push(0);
    let mut cut = encoded(10, 1_100, 5);
    cut.pop();
    let none = json!(null);
    vec![
        (
            "oversize",
            encoded(10, 1_100, 122_880),
            RefusalCode::Oversize,
            json!(122_880),
            json!(122_900),
        ),
        ("expired", encoded(10, 900, 5), RefusalCode::Expired, json!(1_000), json!(900)),
        (
            "too far ahead",
            encoded(10, 5_000, 5),
            RefusalCode::TooFarAhead,
            json!(1_298),
            json!(5_000),
        ),
        (
            "unknown rollup",
            encoded(11, 1_100, 5),
            RefusalCode::UnknownRollup,
            none.clone(),
            none.clone(),
        ),
        ("undecodable", cut, RefusalCode::Undecodable, none.clone(), none),
        ("trailing bytes", trailing, RefusalCode::TrailingBytes, json!(0), json!(1)),
    ]
}

#[tokio::test]
async fn each_bad_input_has_its_code_at_json_rpc_and_rest() {
    let served = serve(RpcLimits::default()).await;
    for (name, bytes, code, limit, value) in bad_inputs() {
        let hex = format!("0x{}", hex::encode(&bytes));
        let error = served.error("rota_submit", json!({ "transactions": [hex] })).await;
        assert_eq!(error["code"], code.rpc_code(), "{name}: {error}");
        assert_eq!(error["data"]["name"], code.name(), "{name}");
        assert_eq!((&error["data"]["limit"], &error["data"]["value"]), (&limit, &value), "{name}");
        assert_eq!(error["data"]["index"], 0, "{name}");

        // One transaction as a raw list: a count, and the bytes.
        let list = [&1u32.to_le_bytes()[..], &bytes].concat();
        let response = served
            .http
            .post(served.url("/v1/transactions"))
            .header("content-type", "application/octet-stream")
            .body(list)
            .send()
            .await
            .unwrap();
        assert!(response.status().is_client_error(), "{name}");
        let raw: Value = response.json().await.unwrap();
        assert_eq!(raw["code"], code.rpc_code(), "{name}: {raw}");
        assert_eq!((&raw["data"]["limit"], &raw["data"]["value"]), (&limit, &value), "{name}");
    }
}

#[tokio::test]
async fn requests_that_are_none_are_bad_requests() {
    let served = serve(RpcLimits::default()).await;
    let post = |kind: &'static str, body: &'static str| {
        let request = served
            .http
            .post(served.url("/v1/transactions"))
            .header("content-type", kind)
            .body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(post("application/json", "{").await, 400);
    assert_eq!(post("application/json", r#"{"transactions":[]}"#).await, 400);
    assert_eq!(
        post("application/json", r#"{"transactions":[{"rollup":10,"payload":"0xzz"}]}"#).await,
        400
    );
    assert_eq!(post("application/json", r#"{"transactions":[{"rollup":10}]}"#).await, 400);
    assert_eq!(post("text/plain", "hello").await, 400);
    assert_eq!(post("application/octet-stream", "").await, 400);
    assert_eq!(served.get_json("/v1/slots/one").await.0, 400);
    assert_eq!(served.get_json("/v1/rollups/10/transactions?form=1").await.0, 400);
}

#[test]
fn errors_are_as_they_were() {
    let mut text = String::new();
    let mut write = |error: DoorError| {
        writeln!(text, "{} {}", error.status, serde_json::to_string(&error).unwrap()).unwrap();
    };
    for code in RefusalCode::ALL {
        write(DoorError::refused(Some(3), Refusal::at_limit(*code, 1, 2)));
    }
    for error in [
        ApiError::Limited { what: "mempool", retry_ms: 250 },
        ApiError::NotFound("transaction 00".into()),
        ApiError::NotYet("height 9 is not decided".into()),
        ApiError::Pruned(Height(5)),
        ApiError::BadRequest("nonsense".into()),
        ApiError::Unavailable("the ledger is closed".into()),
    ] {
        write(error.into());
    }
    write(DoorError::too_large(524_288, Some(600_000)));
    write(DoorError::slow_reader(json!({ "from": 7 })));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rpc/errors.snapshot");
    if std::env::var_os("ROTA_UPDATE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap();
    assert_eq!(text, known, "ROTA_UPDATE=1 cargo test -p rota-node --test rpc writes it anew");
}
