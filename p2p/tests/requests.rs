//! Requests: one answer each, bounded, and a ban ends it all.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{
    Node,
    attacker::{Attacker, ended, read_frame, write_frame},
    guarded, identity, pair, until,
};
use futures::AsyncReadExt;
use libp2p::Stream;
use rota_p2p::{NetworkEvent, Offence, PeerId, RequestError, RequestProtocol, limits};

/// Answers every request with as many bytes as it asks for; 0 declines.
fn serve(mut node: Node) {
    tokio::spawn(async move {
        while let Some(event) = node.events.recv().await {
            if let NetworkEvent::Request { data, reply, .. } = event {
                let bytes = u32::from_le_bytes(data.as_ref().try_into().unwrap());
                if bytes > 0 {
                    let answer = vec![5; usize::try_from(bytes).unwrap()];
                    node.handle.respond(reply, answer.into());
                }
            }
        }
    });
}

fn ask_for(bytes: usize) -> Bytes {
    u32::try_from(bytes).unwrap().to_le_bytes().to_vec().into()
}

#[tokio::test]
async fn answers_up_to_the_limit_come_back() {
    let (first, second) = pair().await;
    let peer = second.peer();
    serve(second);
    for protocol in RequestProtocol::ALL {
        for bytes in [1, 70_000, limits::RESPONSE_BYTES_MAX] {
            let answer = guarded(first.handle.request(&peer, protocol, ask_for(bytes))).await;
            assert_eq!(answer.unwrap().len(), bytes);
        }
    }
}

#[tokio::test]
async fn every_refusal_has_its_name() {
    let (first, second) = pair().await;
    let peer = second.peer();
    serve(second);
    let ask = |data| guarded(first.handle.request(&peer, RequestProtocol::Slots, data));
    assert_eq!(ask(ask_for(0)).await, Err(RequestError::Declined));
    let over = limits::RESPONSE_BYTES_MAX + 1;
    assert_eq!(ask(ask_for(over)).await, Err(RequestError::Declined));
    let max = limits::REQUEST_BYTES_MAX;
    let long = Bytes::from(vec![0; max + 1]);
    assert_eq!(ask(long).await, Err(RequestError::TooLarge { bytes: max + 1, max }));
    let stranger = PeerId::random();
    let nobody = first.handle.request(&stranger, RequestProtocol::Slots, ask_for(1)).await;
    assert_eq!(nobody, Err(RequestError::NotConnected(stranger)));
}

#[tokio::test]
async fn many_requests_wait_for_their_turn() {
    let (first, second) = pair().await;
    let peer = second.peer();
    serve(second);
    let asks = (1..=20).map(|bytes| {
        let handle = first.handle.clone();
        async move { handle.request(&peer, RequestProtocol::Batches, ask_for(bytes)).await }
    });
    for (index, answer) in guarded(futures::future::join_all(asks)).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap().len(), index + 1);
    }
}

#[tokio::test]
async fn a_greedy_peer_is_told_busy() {
    let mut node = Node::validator(1, &[]);
    let mut attacker = Attacker::connect(node.peer(), node.address().await).await;
    let _control = attacker.join(None).await;
    node.up().await;
    // The application answers nothing, so two fill the room.
    let mut streams = Vec::new();
    for _ in 0..limits::REQUESTS_IN_FLIGHT_MAX {
        let mut stream = attacker.open("slots").await.unwrap();
        write_frame(&mut stream, b"give").await;
        let request = |event| match event {
            NetworkEvent::Request { reply, identity, .. } => Some((reply, identity)),
            _ => None,
        };
        streams.push((node.next(request).await, stream));
    }
    let mut stream = attacker.open("slots").await.unwrap();
    let mut status = [9];
    guarded(stream.read_exact(&mut status)).await.unwrap();
    assert_eq!(status, [1]);
    // An answer makes room again.
    let ((reply, identity), mut first) = streams.pop().unwrap();
    assert_eq!(identity, None);
    node.handle.respond(reply, Bytes::from_static(b"ok"));
    let mut answer = Vec::new();
    guarded(first.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, [0, 0, 0, 0, 2, b'o', b'k']);
    let mut again = attacker.open("slots").await.unwrap();
    write_frame(&mut again, b"more").await;
    let more = |event| matches!(event, NetworkEvent::Request { .. }).then_some(());
    node.next(more).await;
}

/// Whether a request is answered: the rest of the answer is left unread.
async fn is_served(stream: &mut Stream) -> bool {
    let mut status = [9];
    guarded(stream.read_exact(&mut status)).await.unwrap();
    assert!(status[0] <= 1, "served or busy");
    status == [0]
}

#[tokio::test]
async fn answers_that_nobody_reads_leave_room_for_validators_and_come_to_an_end() {
    let (mut node, honest) = pair().await;
    let (peer, address) = (node.peer(), node.address().await);
    let mut slow = Vec::new();
    for _ in 0..8 {
        let attacker = Attacker::connect(peer, address.clone()).await;
        slow.push((attacker, Vec::new()));
    }
    let mut controls = Vec::new();
    for (attacker, _) in &mut slow {
        controls.push(attacker.join(None).await);
        node.up().await;
    }
    serve(node);
    let longest = ask_for(limits::RESPONSE_BYTES_MAX);
    let mut pinned = 0;
    for (attacker, streams) in &mut slow {
        let mut served = 0;
        for protocol in ["slots", "slots", "batches", "batches"] {
            let mut stream = attacker.open(protocol).await.unwrap();
            write_frame(&mut stream, &longest).await;
            if is_served(&mut stream).await {
                served += limits::RESPONSE_BYTES_MAX;
                streams.push(stream);
            }
        }
        pinned += served;
    }
    let strangers = limits::ANSWERS_BYTES_MAX - limits::ANSWERS_VALIDATORS_BYTES;
    assert!(pinned >= strangers, "strangers have all that they may");
    for protocol in RequestProtocol::ALL {
        let answer = guarded(honest.handle.request(&peer, protocol, longest.clone())).await;
        assert_eq!(answer.map(|bytes| bytes.len()), Ok(limits::RESPONSE_BYTES_MAX));
    }
    // Who does not read is cut off, which makes room for another.
    let (mut gone, mut last) = (slow.remove(0), slow.pop().unwrap());
    tokio::time::sleep(limits::ANSWER_PIECE_TIMEOUT * 2).await;
    let mut rest = Vec::new();
    let read = guarded(gone.1[0].read_to_end(&mut rest)).await;
    assert!(read.is_err() || rest.len() < limits::RESPONSE_BYTES_MAX, "{} bytes", rest.len());
    guarded(async {
        loop {
            let mut stream = last.0.open("slots").await.unwrap();
            write_frame(&mut stream, &longest).await;
            if is_served(&mut stream).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_banned_peer_is_gone_and_stays_away() {
    let (mut first, mut second) = pair().await;
    let (one, two) = (first.peer(), second.peer());
    first.handle.ban(&two, Duration::from_secs(3600));
    assert_eq!(first.down().await, two);
    assert_eq!(second.down().await, one);
    // It dials again and again; a third node gets in meanwhile and the banned one does not.
    let mut third = Node::validator(3, &[first.address().await]);
    assert_eq!(first.up().await.1, Some(identity(3)));
    third.up().await;
    until(|| second.handle.is_connected(&identity(3))).await;
    assert!(!first.handle.is_connected(&identity(2)));
}

#[tokio::test]
async fn a_lie_is_a_ban_and_lateness_is_not() {
    let (mut first, second) = pair().await;
    for _ in 0..1000 {
        first.handle.penalise(&second.peer(), Offence::Liveness);
    }
    first.handle.penalise(&second.peer(), Offence::LyingAnswer);
    assert_eq!(first.down().await, second.peer());
}

#[tokio::test]
async fn control_frames_without_end_are_a_flood() {
    let mut node = Node::validator(1, &[]);
    let mut attacker = Attacker::connect(node.peer(), node.address().await).await;
    let mut control = attacker.join(None).await;
    node.up().await;
    use futures::AsyncWriteExt;
    for number in 0..1000_u64 {
        let ping = [&[0, 0, 0, 9, 3], number.to_le_bytes().as_slice()].concat();
        if control.write_all(&ping).await.is_err() || control.flush().await.is_err() {
            break;
        }
    }
    assert_eq!(node.down().await, attacker.peer());
    ended(&mut control).await;
    assert!(read_frame(&mut control).await.is_none());
}

#[tokio::test]
async fn the_metrics_page_can_follow_another() {
    let (first, second) = pair().await;
    second.handle.publish(Bytes::from_static(b"x")).unwrap();
    let page = first.handle.metrics_text();
    assert!(!page.contains("# EOF") && !page.contains("# UNIT"));
    let mut families = std::collections::BTreeSet::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(name.starts_with("rota_libp2p_"), "{name}");
            assert!(families.insert(name.to_owned()), "{name} twice");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        }
    }
    assert!(families.contains("rota_libp2p_bandwidth_bytes_total"), "{page}");
}
