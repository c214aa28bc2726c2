//! Direct streams: in order, bounded, and nobody waits for somebody else.

mod common;

use bytes::Bytes;
use common::{
    Node,
    attacker::{Attacker, ended},
    guarded, identity, pair, until,
};
use futures::AsyncWriteExt;
use rota_p2p::{Class, NetworkEvent, SendOutcome};

#[tokio::test]
async fn frames_of_each_class_arrive_in_order() {
    let (first, mut second) = pair().await;
    for class in Class::ALL {
        let sizes = [1, 100, class.frame_bytes_max() - 1, 7, class.frame_bytes_max()];
        for (index, size) in sizes.into_iter().enumerate() {
            let frame = vec![u8::try_from(index).unwrap(); size];
            let outcome = first.handle.send(&identity(2), class, frame.into());
            assert_eq!(outcome, SendOutcome::Queued);
        }
        for (index, size) in sizes.into_iter().enumerate() {
            let (from, got, data) = second.direct().await;
            assert_eq!((from, got, data.len()), (identity(1), class, size));
            assert!(data.iter().all(|byte| usize::from(*byte) == index));
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_is_said_at_once() {
    let (first, _second) = pair().await;
    let long = Bytes::from(vec![0; Class::Votes.frame_bytes_max() + 1]);
    assert_eq!(first.handle.send(&identity(2), Class::Votes, long), SendOutcome::TooLarge);
    let vote = Bytes::from_static(b"vote");
    assert_eq!(first.handle.send(&identity(9), Class::Votes, vote), SendOutcome::NotConnected);
}

#[tokio::test]
async fn broadcast_reaches_every_validator() {
    let (mut first, mut second) = pair().await;
    let mut third = Node::validator(3, &[first.address().await]);
    until(|| third.handle.connected_identities().len() == 2).await;
    until(|| second.handle.connected_identities().len() == 2).await;
    assert_eq!(third.handle.broadcast(Class::Proposals, &Bytes::from(vec![1; 300_000])), 2);
    for node in [&mut first, &mut second] {
        assert_eq!(node.direct().await.0, identity(3));
    }
    assert!(third.events.try_recv().is_some(), "it saw the others come");
}

#[tokio::test]
async fn a_reader_that_stops_delays_neither_votes_nor_others() {
    let (first, mut stuck) = pair().await;
    let mut other = Node::validator(3, &[first.address().await]);
    until(|| first.handle.is_connected(&identity(3))).await;
    // `stuck` reads nothing until its queue, the stream and our own queue are full.
    let batch = Bytes::from(vec![7; 512 * 1024]);
    let mut sent = 0;
    guarded(async {
        let mut full_for = 0;
        while full_for < 20 {
            match first.handle.send(&identity(2), Class::Batches, batch.clone()) {
                SendOutcome::Queued => (sent, full_for) = (sent + 1, 0),
                SendOutcome::Full => {
                    full_for += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                outcome => panic!("{outcome:?}"),
            }
        }
    })
    .await;
    assert!(sent > stuck.events.waiting(Class::Batches));
    // Another peer gets its batch, the stuck one its vote, ahead of all batches.
    assert_eq!(first.handle.send(&identity(3), Class::Batches, batch), SendOutcome::Queued);
    assert_eq!(other.direct().await.1, Class::Batches);
    let vote = Bytes::from_static(b"vote");
    assert_eq!(first.handle.send(&identity(2), Class::Votes, vote), SendOutcome::Queued);
    until(|| stuck.events.waiting(Class::Votes) == 1).await;
    assert_eq!(stuck.direct().await.1, Class::Votes);
    // When it reads again, everything comes.
    for _ in 0..sent {
        assert_eq!(stuck.direct().await.1, Class::Batches);
    }
}

#[tokio::test]
async fn an_oversize_frame_is_refused_before_it_is_there_and_punished() {
    let mut node = Node::validator(1, &[]);
    let mut attacker = Attacker::connect(node.peer(), node.address().await).await;
    let mut control = attacker.join(Some(identity(9))).await;
    node.up().await;
    // Two of these are a ban.
    for _ in 0..2 {
        let mut votes = attacker.open("direct/votes").await.unwrap();
        let announced = u32::try_from(Class::Votes.frame_bytes_max() + 1).unwrap();
        votes.write_all(&announced.to_be_bytes()).await.unwrap();
        votes.flush().await.unwrap();
        ended(&mut votes).await;
    }
    assert_eq!(node.down().await, attacker.peer());
    ended(&mut control).await;
    let mut refused = Attacker::connect(node.peer(), node.address().await).await;
    refused.join(None).await;
    assert_eq!(node.up().await.0, refused.peer());
}

#[tokio::test]
async fn a_peer_without_identity_may_not_send_directly() {
    let mut node = Node::validator(1, &[]);
    let mut attacker = Attacker::connect(node.peer(), node.address().await).await;
    let _control = attacker.join(None).await;
    node.up().await;
    let mut votes = attacker.open("direct/votes").await.unwrap();
    votes.write_all(&[0, 0, 0, 1, 7]).await.ok();
    votes.flush().await.ok();
    ended(&mut votes).await;
    let quiet = node.events.try_recv();
    assert!(!matches!(quiet, Some(NetworkEvent::Direct { .. })));
}

#[tokio::test]
async fn a_broken_stream_is_opened_again() {
    let (first, mut second) = pair().await;
    let mut attacker = Attacker::connect(second.peer(), second.address().await).await;
    let _control = attacker.join(Some(identity(9))).await;
    for byte in [1, 2] {
        let mut votes = attacker.open("direct/votes").await.unwrap();
        votes.write_all(&[0, 0, 0, 1, byte]).await.unwrap();
        votes.flush().await.unwrap();
        assert_eq!(second.direct().await, (identity(9), Class::Votes, vec![byte].into()));
        drop(votes);
    }
    first.handle.send(&identity(2), Class::Votes, Bytes::from_static(b"still"));
    assert_eq!(second.direct().await.0, identity(1));
}
