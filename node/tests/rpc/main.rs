//! The doors against a backend that holds real transactions and no node: methods, REST, streams, limits, errors.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

mod backend;
mod bad_input;
mod json_rpc;
mod limits;
mod rest;
mod streams;

use backend::Chain;
use reqwest::{Client, Response};
use rota_node::rpc::{Bound, Doors, RpcLimits};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::sync::watch;

/// Doors over a chain, and the way to close them.
struct Served {
    chain: Chain,
    bound: Bound,
    http: Client,
    stop: watch::Sender<bool>,
}

async fn serve(limits: RpcLimits) -> Served {
    let chain = Chain::new();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let doors = Doors::bind(any, any).await.unwrap();
    let bound = doors.bound();
    let (stop, stopped) = watch::channel(false);
    // The handle is not needed: the tests end with the process.
    drop(doors.serve(chain.clone(), limits, stopped));
    Served { chain, bound, http: Client::builder().no_proxy().build().unwrap(), stop }
}

impl Served {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.bound.http)
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        self.http.post(self.url("/rpc")).json(&body).send().await.unwrap().json().await.unwrap()
    }

    async fn result(&self, method: &str, params: Value) -> Value {
        let mut answer = self.call(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    async fn error(&self, method: &str, params: Value) -> Value {
        let mut answer = self.call(method, params).await;
        assert!(answer.get("result").is_none(), "{method}: {answer}");
        answer["error"].take()
    }

    async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    async fn get_json(&self, path: &str) -> (u16, Value) {
        let response = self.get(path).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }
}
