//! Who becomes a peer, and who does not.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod common;

use common::{
    Node,
    attacker::{Attacker, read_frame, write_frame},
    config, guarded, identity, pair,
};
use rota_p2p::{Config, HelloError, P2pError, PublishError, Refusal, SendOutcome, start};

/// The first refusal a node sees.
async fn refusal(node: &Node) -> Refusal {
    let mut refusals = node.handle.refusals();
    let found = guarded(refusals.wait_for(|refusals| !refusals.is_empty())).await.unwrap();
    found.back().unwrap().clone()
}

#[tokio::test]
async fn two_nodes_know_each_other() {
    let mut first = Node::validator(1, &[]);
    let mut second = Node::full(2, &[first.address().await]);
    assert_eq!(first.up().await, (second.peer(), None));
    assert_eq!(second.up().await, (first.peer(), Some(identity(1))));
    assert_eq!(second.handle.connected_identities(), vec![identity(1)]);
    assert!(first.handle.connected_identities().is_empty());
    let peers = first.handle.peers();
    assert_eq!(peers.len(), 1);
    assert_eq!(peers.first().unwrap().agent, "rota-test/1");
}

#[tokio::test]
async fn wrong_chain_is_refused() {
    let first = Node::validator(1, &[]);
    let other = Config { chain_id: 8, bootstrap: vec![first.address().await], ..config(2) };
    let second = Node::start(other, Some(identity(2)));
    assert_eq!(refusal(&second).await.error, HelloError::NotSpoken("/rota/8/hello/1".to_owned()));
    assert!(first.handle.peers().is_empty());
}

#[tokio::test]
async fn a_lie_about_the_chain_is_refused() {
    let first = Node::validator(1, &[]);
    let mut attacker = Attacker::connect(first.peer(), first.address().await).await;
    let mut hello = attacker.hello(None);
    hello.chain_id = 8;
    let mut stream = attacker.greet(hello).await;
    let answer = read_frame(&mut stream).await.unwrap();
    assert_eq!(answer.first(), Some(&2), "refused, not welcomed");
    assert_eq!(refusal(&first).await.error, HelloError::WrongChain { theirs: 8, ours: 7 });
}

#[tokio::test]
async fn wrong_genesis_is_refused_by_name() {
    let first = Node::validator(1, &[]);
    let other = Config { network: [8; 32], bootstrap: vec![first.address().await], ..config(2) };
    let second = Node::start(other, Some(identity(2)));
    for node in [&first, &second] {
        let error = refusal(node).await.error;
        let expected = matches!(&error, HelloError::WrongGenesis)
            || matches!(&error, HelloError::Refused(reason) if reason.contains("genesis"));
        assert!(expected, "{error}");
        assert!(node.handle.peers().is_empty());
    }
}

#[tokio::test]
async fn a_stolen_binding_is_refused() {
    let first = Node::validator(1, &[]);
    let mut attacker = Attacker::connect(first.peer(), first.address().await).await;
    let mut hello = attacker.hello(None);
    hello.binding = Some(common::binding(identity(2), &first.peer()).to_vec());
    attacker.greet(hello).await;
    assert!(matches!(refusal(&first).await.error, HelloError::Binding(_)));
    assert!(!first.handle.is_connected(&identity(2)));
}

#[tokio::test]
async fn a_foreign_record_is_refused() {
    let first = Node::validator(1, &[]);
    let other = Attacker::connect(first.peer(), first.address().await).await;
    let mut attacker = Attacker::connect(first.peer(), first.address().await).await;
    let mut hello = attacker.hello(None);
    hello.record = other.hello(None).record;
    attacker.greet(hello).await;
    assert!(matches!(refusal(&first).await.error, HelloError::Record(_)));
}

#[tokio::test]
async fn silence_is_not_a_hello() {
    let first = Node::validator(1, &[]);
    let attacker = Attacker::connect(first.peer(), first.address().await).await;
    let refusal = refusal(&first).await;
    assert_eq!((refusal.peer, refusal.error), (attacker.peer(), HelloError::Timeout));
}

#[tokio::test]
async fn an_oversize_hello_is_refused_before_it_is_there() {
    use futures::AsyncWriteExt;
    let first = Node::validator(1, &[]);
    let mut attacker = Attacker::connect(first.peer(), first.address().await).await;
    let mut stream = attacker.open("hello").await.unwrap();
    stream.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    assert!(matches!(refusal(&first).await.error, HelloError::Malformed(_)));
}

#[tokio::test]
async fn nothing_is_spoken_before_the_hello() {
    let first = Node::validator(1, &[]);
    let mut attacker = Attacker::connect(first.peer(), first.address().await).await;
    for rest in ["direct/votes", "direct/batches", "status", "slots", "batches"] {
        let error = attacker.open(rest).await.unwrap_err();
        assert!(
            matches!(error, libp2p_stream::OpenStreamError::UnsupportedProtocol(_)),
            "{rest}: {error}"
        );
    }
    let mut stream = attacker.join(Some(identity(9))).await;
    common::until(|| first.handle.is_connected(&identity(9))).await;
    attacker.open("direct/votes").await.unwrap();
    // And the ping that follows the hello is answered like any other frame.
    write_frame(&mut stream, &[3, 5, 0, 0, 0, 0, 0, 0, 0]).await;
    loop {
        let frame = read_frame(&mut stream).await.unwrap();
        if frame == [4, 5, 0, 0, 0, 0, 0, 0, 0] {
            break;
        }
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let first = Node::validator(1, &[]);
    let address = first.address().await;
    let taken = Config { listen: vec![address.clone()], ..config(2) };
    let error = start(taken, std::sync::Arc::new(common::TestPolicy(None))).unwrap_err();
    assert!(matches!(&error, P2pError::AddressInUse { address: named } if *named == address));
}

#[tokio::test]
async fn after_shutdown_nothing_is_sent() {
    let (first, mut second) = pair().await;
    let handle = first.handle.clone();
    guarded(first.handle.shutdown()).await;
    let vote = bytes::Bytes::from_static(b"vote");
    let outcome = handle.send(&identity(2), rota_p2p::Class::Votes, vote.clone());
    assert_eq!(outcome, SendOutcome::NotConnected);
    assert_eq!(handle.publish(vote), Err(PublishError::NoPeers));
    second.down().await;
}
