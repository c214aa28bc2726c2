//! Gossip: accepted messages reach everybody, rejected ones stop and cost the sender.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Node, guarded, identity, until};
use rota_p2p::{NetworkEvent, PublishError, Verdict, limits};

/// Judges everything this node hears; gives each message it accepted.
fn judge(mut node: Node, verdict: fn(&[u8]) -> Verdict) -> tokio::sync::mpsc::Receiver<Bytes> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1024);
    tokio::spawn(async move {
        while let Some(event) = node.events.recv().await {
            if let NetworkEvent::Gossip { message, data, .. } = event {
                let verdict = verdict(&data);
                node.handle.report(message, verdict);
                if verdict == Verdict::Accept {
                    sender.send(data).await.ok();
                }
            }
        }
    });
    receiver
}

/// Publishes ever new messages beginning with `first` until the receiver has one.
async fn publish_until_heard(
    node: &Node,
    first: u8,
    heard: &mut tokio::sync::mpsc::Receiver<Bytes>,
) -> Bytes {
    guarded(async {
        for count in 0_u32.. {
            let message = [&[first], count.to_le_bytes().as_slice()].concat();
            node.handle.publish(message.into()).unwrap();
            let soon = Duration::from_millis(100);
            if let Ok(Some(message)) = tokio::time::timeout(soon, heard.recv()).await {
                return message;
            }
        }
        unreachable!("four billion messages")
    })
    .await
}

#[tokio::test]
async fn an_accepted_message_reaches_everybody_once() {
    let first = Node::validator(1, &[]);
    let address = first.address().await;
    let nodes: Vec<Node> =
        (2..=4).map(|seed| Node::validator(seed, std::slice::from_ref(&address))).collect();
    for node in &nodes {
        until(|| node.handle.connected_identities().len() == 3).await;
    }
    let mut heard: Vec<_> =
        nodes.into_iter().map(|node| judge(node, |_| Verdict::Accept)).collect();
    for heard in &mut heard {
        publish_until_heard(&first, 0, heard).await;
    }
    // The mesh stands: from here each message comes to each node, once.
    for count in 0..20_u8 {
        first.handle.publish(Bytes::from(vec![1, count])).unwrap();
    }
    for heard in &mut heard {
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 20 {
            let message = guarded(heard.recv()).await.unwrap();
            if message.first() == Some(&1) {
                assert!(seen.insert(message), "a message came twice");
            }
        }
    }
}

#[tokio::test]
async fn a_rejected_message_stops_and_costs_score_then_the_connection() {
    // sender ─ middle ─ end; full nodes, so that nobody introduces sender to end.
    let middle = Node::full(2, &[]);
    let address = middle.address().await;
    let mut sender = Node::full(1, std::slice::from_ref(&address));
    let end = Node::full(3, &[address]);
    sender.up().await;
    until(|| middle.handle.peers().len() == 2).await;
    let handle = middle.handle.clone();
    let from = sender.peer();
    let judged = judge(middle, |data| match data.first() {
        Some(0) => Verdict::Accept,
        _ => Verdict::Reject,
    });
    let mut heard = judge(end, |_| Verdict::Accept);
    publish_until_heard(&sender, 0, &mut heard).await;
    sender.handle.publish(Bytes::from_static(b"\x01bad")).unwrap();
    let score = || handle.peers().iter().find(|info| info.peer == from).map(|info| info.score);
    until(|| score().is_some_and(|score| score < -100.0)).await;
    // A message after it gets through, so the rejected one had its time.
    loop {
        let message = publish_until_heard(&sender, 0, &mut heard).await;
        assert_eq!(message.first(), Some(&0), "a rejected message was passed on");
        if heard.is_empty() {
            break;
        }
    }
    for count in 0..10_u8 {
        sender.handle.publish(Bytes::from(vec![1, count])).unwrap();
    }
    assert_eq!(sender.down().await, handle.local_peer_id());
    drop(judged);
}

#[tokio::test]
async fn what_cannot_be_published_is_said() {
    let lonely = Node::validator(1, &[]);
    let long = Bytes::from(vec![0; limits::GOSSIP_BYTES_MAX + 1]);
    let (bytes, max) = (long.len(), limits::GOSSIP_BYTES_MAX);
    assert_eq!(lonely.handle.publish(long), Err(PublishError::TooLarge { bytes, max }));
    let short = Bytes::from_static(b"x");
    assert_eq!(lonely.handle.publish(short), Err(PublishError::NoPeers));
}

#[tokio::test]
async fn the_longest_message_gets_through() {
    let (first, second) = common::pair().await;
    assert!(first.handle.is_connected(&identity(2)));
    let mut heard = judge(second, |_| Verdict::Accept);
    publish_until_heard(&first, 0, &mut heard).await;
    first.handle.publish(Bytes::from(vec![9; limits::GOSSIP_BYTES_MAX])).unwrap();
    guarded(async { while heard.recv().await.unwrap().len() != limits::GOSSIP_BYTES_MAX {} }).await;
}

#[tokio::test]
async fn the_longest_messages_get_through_one_behind_the_other() {
    const MESSAGES: usize = 40;
    let (first, second) = common::pair().await;
    let mut heard = judge(second, |_| Verdict::Accept);
    publish_until_heard(&first, 0, &mut heard).await;
    let mut arrived = 0;
    guarded(async {
        for count in 0..MESSAGES {
            let mut message = vec![9; limits::GOSSIP_BYTES_MAX];
            message[..8].copy_from_slice(&count.to_le_bytes());
            first.handle.publish(message.into()).unwrap();
            // A few under way at a time, which the send queue holds.
            while count >= arrived + 8 {
                arrived += usize::from(heard.recv().await.unwrap().len() > 9);
            }
        }
        while arrived < MESSAGES {
            arrived += usize::from(heard.recv().await.unwrap().len() > 9);
        }
    })
    .await;
}

#[tokio::test]
async fn a_restarted_node_is_in_the_mesh_again() {
    let (first, second) = common::pair().await;
    let address = second.address().await;
    let mut heard = judge(first, |_| Verdict::Accept);
    publish_until_heard(&second, 0, &mut heard).await;
    guarded(second.handle.shutdown()).await;
    let again = rota_p2p::Config { listen: vec![address], ..common::config(2) };
    let second = Node::start(again, Some(identity(2)));
    until(|| second.handle.is_connected(&identity(1))).await;
    publish_until_heard(&second, 1, &mut heard).await;
}
