//! A stranger with nothing but the bytes of docs/protocol.md joins, and publishes a transaction.
//!
//! The bytes under *Vectors* are made by `types/tests/python/encode_transaction.py`, which shares no code with this
//! crate; here a real node takes them as they stand.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod common;

use std::collections::BTreeMap;

use common::{
    HANG, Node,
    attacker::{name, read_frame},
    guarded,
};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identity::Keypair, noise, tcp, yamux,
};
use rota_p2p::NetworkEvent;

/// `name = value` lines of the block behind the heading *Vectors*.
fn vectors() -> BTreeMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("\n## Vectors\n").unwrap();
    let block = section.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    block
        .lines()
        .map(|line| line.split_once(" = ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Connects with TCP, Noise and Yamux, takes the streams a gossip peer must take, and does no more.
async fn stranger(target: PeerId, address: Multiaddr) -> (PeerId, libp2p_stream::Control) {
    let key = Keypair::ed25519_from_bytes([0x77; 32]).unwrap();
    let peer = key.public().to_peer_id();
    let mut swarm: Swarm<libp2p_stream::Behaviour> = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(HANG))
        .build();
    let mut control = swarm.behaviour().new_control();
    let mut gossip = control.accept(StreamProtocol::new("/meshsub/1.1.0")).unwrap();
    tokio::spawn(async move {
        while let Some((_, mut stream)) = gossip.next().await {
            tokio::spawn(async move {
                let mut heard = [0; 1024];
                while stream.read(&mut heard).await.is_ok_and(|count| count > 0) {}
            });
        }
    });
    swarm.dial(address).unwrap();
    guarded(async {
        while !swarm.is_connected(&target) {
            swarm.next().await;
        }
    })
    .await;
    tokio::spawn(async move {
        loop {
            swarm.next().await;
        }
    });
    (peer, control)
}

#[tokio::test]
async fn the_documents_bytes_join_and_publish() {
    let vectors = vectors();
    let mut node = Node::full(9, &[]);
    let (peer, mut control) = stranger(node.peer(), node.address().await).await;
    assert_eq!(peer.to_bytes(), bytes(&vectors["hello.peer_id"]));

    let mut hello = control.open_stream(node.peer(), name("hello")).await.unwrap();
    hello.write_all(&bytes(&vectors["hello.frame"])).await.unwrap();
    hello.flush().await.unwrap();
    let theirs = read_frame(&mut hello).await.expect("their hello");
    // As documented: 0, version 1, chain 7, the genesis hash.
    assert_eq!(&theirs[..11], [0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&theirs[11..43], [7; 32]);
    hello.write_all(&bytes(&vectors["welcome.frame"])).await.unwrap();
    hello.flush().await.unwrap();
    assert_eq!(read_frame(&mut hello).await.as_deref(), Some([1].as_slice()), "welcome");
    assert_eq!(node.up().await, (peer, None));

    let meshsub = StreamProtocol::new("/meshsub/1.1.0");
    let mut gossip = control.open_stream(node.peer(), meshsub).await.unwrap();
    gossip.write_all(&bytes(&vectors["gossip.rpc"])).await.unwrap();
    gossip.flush().await.unwrap();
    let (source, id, data) = node
        .next(|event| match event {
            NetworkEvent::Gossip { message, source, data } => {
                Some((source, format!("{message:?}"), data))
            }
            _ => None,
        })
        .await;
    assert_eq!(source, peer);
    assert_eq!(data, bytes(&vectors["list"]));
    assert!(id.contains(&vectors["gossip.message_id"]), "{id}");
}
