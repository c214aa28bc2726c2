//! One address is enough, and a peer that was lost comes back.

mod common;

use common::{Node, config, guarded, identity, until};
use rota_p2p::Config;

#[tokio::test]
async fn one_bootstrap_address_finds_all_of_five() {
    let first = Node::validator(1, &[]);
    let address = first.address().await;
    let mut nodes = vec![first];
    for seed in 2..=5 {
        nodes.push(Node::validator(seed, std::slice::from_ref(&address)));
    }
    for node in &nodes {
        until(|| node.handle.connected_identities().len() == 4).await;
    }
    // A full node finds them too.
    let full = Node::full(9, &[address]);
    until(|| full.handle.connected_identities().len() == 5).await;
}

#[tokio::test]
async fn a_restarted_peer_is_found_again_by_itself() {
    let mut first = Node::validator(1, &[]);
    let second = Node::validator(2, &[first.address().await]);
    let address = second.address().await;
    first.up().await;
    until(|| second.handle.is_connected(&identity(1))).await;
    // The restarted one knows nobody: the other side must come.
    guarded(second.handle.shutdown()).await;
    first.down().await;
    let again = Config { listen: vec![address], ..config(2) };
    let mut second = Node::start(again, Some(identity(2)));
    assert_eq!(first.up().await.1, Some(identity(2)));
    assert_eq!(second.up().await.1, Some(identity(1)));
}

#[tokio::test]
async fn kept_records_replace_the_bootstrap_address() {
    let (first, second) = common::pair().await;
    until(|| first.handle.known_records().len() == 2).await;
    let mut known = first.handle.known_records();
    known.push(bytes::Bytes::from_static(b"not a record"));
    let third = Node::start(Config { known, ..config(3) }, Some(identity(3)));
    until(|| third.handle.connected_identities().len() == 2).await;
    until(|| second.handle.is_connected(&identity(3))).await;
}

#[tokio::test]
async fn own_address_as_bootstrap_does_no_harm() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let own: rota_p2p::Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let first = Config { listen: vec![own.clone()], bootstrap: vec![own.clone()], ..config(1) };
    let mut first = Node::start(first, Some(identity(1)));
    let _second = Node::validator(2, &[own]);
    assert_eq!(first.up().await.1, Some(identity(2)));
}

#[tokio::test]
async fn both_dial_at_once_and_both_can_send() {
    let ports = [0, 1].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, two] = ports.map(|port| {
        let port = port.local_addr().unwrap().port();
        format!("/ip4/127.0.0.1/tcp/{port}").parse::<rota_p2p::Multiaddr>().unwrap()
    });
    let start = |seed, listen: &rota_p2p::Multiaddr, other: &rota_p2p::Multiaddr| {
        let (listen, bootstrap) = (vec![listen.clone()], vec![other.clone()]);
        Node::start(Config { listen, bootstrap, ..config(seed) }, Some(identity(seed)))
    };
    let (mut first, mut second) = (start(1, &one, &two), start(2, &two, &one));
    first.up().await;
    second.up().await;
    let frame = bytes::Bytes::from_static(b"hello");
    first.handle.send(&identity(2), rota_p2p::Class::Votes, frame.clone());
    second.handle.send(&identity(1), rota_p2p::Class::Votes, frame);
    assert_eq!(first.direct().await.0, identity(2));
    assert_eq!(second.direct().await.0, identity(1));
}
