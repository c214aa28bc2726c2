//! QUIC, where asked for: the same network over UDP.

mod common;

use bytes::Bytes;
use common::{Node, config, guarded, identity};
use rota_p2p::{Class, Config, Limits, Multiaddr};

fn quic(seed: u8, listen: &Multiaddr, bootstrap: Vec<Multiaddr>) -> Node {
    let listen = vec![listen.clone()];
    let limits =
        Limits { ping_interval: std::time::Duration::from_millis(200), ..Limits::default() };
    let config = Config { quic: true, listen, bootstrap, limits, ..config(seed) };
    Node::start(config, Some(identity(seed)))
}

#[tokio::test]
async fn frames_pass_and_a_restarted_peer_comes_back() {
    let any: Multiaddr = "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap();
    let mut first = quic(1, &any, Vec::new());
    let mut second = quic(2, &any, vec![first.address().await]);
    first.up().await;
    second.up().await;
    for node in [&first, &second] {
        assert!(node.handle.peers().first().unwrap().address.to_string().contains("quic-v1"));
    }
    let batch = Bytes::from(vec![3; Class::Batches.frame_bytes_max()]);
    first.handle.send(&identity(2), Class::Batches, batch.clone());
    assert_eq!(second.direct().await.2, batch);
    let address = second.address().await;
    guarded(second.handle.shutdown()).await;
    let mut second = quic(2, &address, vec![first.address().await]);
    second.up().await;
    // The old connection may outlive the restart (rust-libp2p#5097); the new one is used.
    guarded(async {
        loop {
            first.handle.send(&identity(2), Class::Votes, Bytes::from_static(b"again"));
            let soon = std::time::Duration::from_millis(200);
            if tokio::time::timeout(soon, second.direct()).await.is_ok() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn without_asking_there_is_no_quic() {
    let listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()];
    let config = Config { listen, ..config(1) };
    let policy = std::sync::Arc::new(common::TestPolicy(None));
    assert!(rota_p2p::start(config, policy).is_err());
}
