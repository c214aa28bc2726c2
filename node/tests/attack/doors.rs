//! Crimes at the doors: floods, bodies that are too much, readers and writers that do not move.
//!
//! The attacker is 127.0.0.2, so that what is counted by address is counted apart from the honest.

use crate::scene::{BUDGET_BYTES, Outcome, Scene, Sent, guarded};
use reqwest::{Client, StatusCode};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Loopback is metered like the world.
const METERED: (&str, &str) = ("rpc.limit_loopback", "true");
/// What honest clients of these tests may spend: they are one address here.
const UNITS: (&str, &str) = ("rpc.units_per_second", "400");

fn stranger() -> Client {
    let client = Client::builder().no_proxy().local_address(FROM);
    client.timeout(Duration::from_secs(30)).build().unwrap()
}

async fn socket(to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((FROM, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rpc_flood() {
    const REQUESTS: usize = 8_000;
    const AT_ONCE: usize = 32;
    let (scene, sent) = (Scene::new(&[METERED, UNITS]).await, Sent::default());
    let attack = async |scene: &Scene| {
        let (client, node) = (stranger(), scene.nodes.first().unwrap().http);
        let asking = (0..AT_ONCE).map(|lane| {
            let (client, sent) = (client.clone(), &sent);
            async move {
                let mut refused = 0_usize;
                for number in 0..REQUESTS / AT_ONCE {
                    let method = match number % 3 {
                        0 => json!({"method": "rota_syncStatus", "params": []}),
                        1 => json!({"method": "rota_getNamespace", "params": [1, 10]}),
                        _ => json!({"method": "rota_getTransaction", "params": [format!("{lane:064}")]}),
                    };
                    let mut call = method;
                    call["jsonrpc"] = json!("2.0");
                    call["id"] = json!(number);
                    let request = client.post(format!("http://{node}/rpc")).json(&call);
                    let answer = request.send().await.unwrap();
                    sent.add(100);
                    let text = answer.text().await.unwrap();
                    refused += usize::from(text.contains("-32005"));
                }
                refused
            }
        });
        let refused: usize = futures::future::join_all(asking).await.into_iter().sum();
        assert!(refused > REQUESTS / 2, "only {refused} refused");
        Outcome::contained(format!("{refused} of {REQUESTS} refused"))
    };
    scene.run("RPC flood", BUDGET_BYTES, &sent, attack).await;
}

/// Bodies that cost more to read than they are worth, each within the limit of bytes.
fn huge() -> Vec<(&'static str, Vec<u8>)> {
    let bytes = 500 * 1024;
    let nested = [vec![b'['; bytes / 2], vec![b']'; bytes / 2]].concat();
    let text = format!("{{\"transactions\":[\"0x{}\"]}}", "ab".repeat(bytes / 2));
    let empty = format!("{{\"transactions\":[{}\"\"]}}", "\"\",".repeat(bytes / 3));
    let objects = format!("{{\"transactions\":[{}{{}}]}}", "{},".repeat(bytes / 3));
    let escapes = format!("{{\"transactions\":[\"{}\"]}}", "\\u0000".repeat(bytes / 6));
    let number = format!("{{\"timeout_ms\":{},\"transactions\":[]}}", "9".repeat(bytes));
    let keys = format!("{{{}\"x\":1}}", "\"transactions\":[],".repeat(bytes / 20));
    let calls = format!(
        "[{}1]",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rota_limits\"},".repeat(8_000)
    );
    vec![
        ("nested", nested),
        ("one long string", text.into_bytes()),
        ("empty strings", empty.into_bytes()),
        ("empty objects", objects.into_bytes()),
        ("escapes", escapes.into_bytes()),
        ("a long number", number.into_bytes()),
        ("the same key", keys.into_bytes()),
        ("a long batch", calls.into_bytes()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_json() {
    const ROUNDS: usize = 12;
    let (scene, sent) = (Scene::new(&[]).await, Sent::default());
    let attack = async |scene: &Scene| {
        let (client, node) = (stranger(), scene.nodes.first().unwrap().http);
        let bodies = huge();
        for _ in 0..ROUNDS {
            let asking = bodies.iter().flat_map(|(name, body)| {
                ["/v1/transactions", "/rpc", "/v1/transactions/status"].map(|path| {
                    let (client, body, sent) = (client.clone(), body.clone(), &sent);
                    async move {
                        let request = client
                            .post(format!("http://{node}{path}"))
                            .header("content-type", "application/json");
                        sent.add(body.len());
                        let answer = request.body(body).send().await.unwrap();
                        let status = answer.status();
                        let text = answer.text().await.unwrap();
                        let refused = status.is_client_error() || text.contains("\"error\"");
                        assert!(refused, "{path}, {name}: {status} {text}");
                        assert!(text.len() < 64 * 1024, "{path}, {name}: {} bytes", text.len());
                    }
                })
            });
            futures::future::join_all(asking).await;
        }
        // And one byte too many is not read at all.
        let long = vec![b' '; 600 * 1024];
        let request = client.post(format!("http://{node}/v1/transactions"));
        let answer = request.header("content-type", "application/json").body(long).send().await;
        assert_eq!(answer.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
        Outcome::contained(format!("{} kinds at 3 doors, each refused", bodies.len()))
    };
    scene.run("huge JSON", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_and_writers() {
    const SOCKETS: usize = 100;
    let (scene, sent) = (Scene::new(&[]).await, Sent::default());
    let attack = async |scene: &Scene| {
        let node = scene.nodes.first().unwrap().http;
        let mut held = Vec::new();
        for number in 0..SOCKETS {
            let mut socket = socket(node).await;
            let head = match number % 3 {
                // Asks again and again, in one go, and reads nothing.
                0 => "GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2_000),
                // Half a head.
                1 => "POST /rpc HTTP/1.1\r\nhost: x\r\nx-slow: ".to_owned(),
                // A head, and a body that does not come.
                _ => "POST /rpc HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                      content-length: 500000\r\n\r\n[1"
                    .to_owned(),
            };
            sent.add(head.len());
            let writing = socket.write_all(head.as_bytes());
            tokio::time::timeout(Duration::from_millis(200), writing).await.ok();
            held.push(socket);
        }
        // The doors are open to others all the while.
        let client = stranger();
        for _ in 0..20 {
            let answer = client.get(format!("http://{node}/v1/status")).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
        }
        drop(held);
        Outcome::contained(format!("{SOCKETS} sockets held, the doors open to others"))
    };
    scene.run("slow readers and writers", BUDGET_BYTES, &sent, attack).await;
}

/// A WebSocket by hand, that subscribes and reads nothing after its greeting.
async fn subscriber(node: SocketAddr, subscriptions: usize, sent: &Sent) -> Option<TcpStream> {
    let mut socket = socket(node).await;
    let head = "GET /rpc HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = guarded(socket.read(&mut answer)).await.unwrap();
    if !answer[..read].starts_with(b"HTTP/1.1 101") {
        return None;
    }
    for id in 0..subscriptions {
        let call = json!({
            "jsonrpc": "2.0", "id": id, "method": "rota_subscribe", "params": ["slots", 1]
        });
        let text = call.to_string();
        // A masked text frame; a mask of zeros leaves the bytes as they are.
        let length = u8::try_from(text.len()).unwrap();
        assert!(length < 126, "one byte of length");
        let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
        sent.add(frame.len());
        if socket.write_all(&frame).await.is_err() {
            return None;
        }
    }
    Some(socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_subscriptions() {
    const SOCKETS: usize = 40;
    let (scene, sent) = (Scene::new(&[]).await, Sent::default());
    let attack = async |scene: &Scene| {
        let node = scene.nodes.first().unwrap().http;
        let mut held = Vec::new();
        for _ in 0..SOCKETS {
            held.extend(subscriber(node, 100, &sent).await);
        }
        assert!(held.len() <= 16, "{} sockets of one address", held.len());
        assert!(!held.is_empty(), "a limit, no wall");
        let height = scene.sealed().await;
        crate::scene::until(async || scene.sealed().await.0 > height.0 + 2).await;
        Outcome::contained(format!("{} of {SOCKETS} sockets, 32 streams each", held.len()))
    };
    scene.run("many subscriptions, unread", BUDGET_BYTES, &sent, attack).await;
}
