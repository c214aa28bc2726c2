//! Crimes in gossip messages: wrong by their bytes, under other topics, or far too many.

use rota_p2p::limits;

use crate::{
    attacker::{Attacker, Sent, TOPIC},
    common::{guarded, until},
    protobuf::{field, message, number, rpc, varint},
    scene::{BUDGET_BYTES, Outcome, Scene},
};

/// Sends what `crime` makes, one after the other, until the target has closed the connection.
async fn until_banned(
    scene: &Scene,
    sent: &Sent,
    most: u64,
    mut crime: impl FnMut(u64) -> Vec<u8>,
) -> Outcome {
    let attacker = Attacker::joined(&scene.target(), None).await.unwrap();
    let stream = attacker.gossip().await.unwrap();
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
    while !attacker.wire.is_closed() && sent.messages() <= most {
        // The verdict of the application comes by way of its queue.
        ticks.tick().await;
        let frame = crime(sent.messages());
        if stream.tap.write(&frame).await.is_err() {
            break;
        }
        sent.add(frame.len());
    }
    assert!(sent.messages() <= most, "not banned after {most} messages");
    guarded(attacker.wire.closed()).await;
    assert!(!Attacker::is_welcome(&attacker.keypair, &scene.target()).await, "not banned");
    Outcome::banned(sent)
}

/// A number of its own and `bytes` in all, beginning with what the application looks at.
fn body(kind: u8, number: u64, bytes: usize) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend(number.to_be_bytes());
    body.resize(bytes.max(body.len()), 0x5a);
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_the_application_rejects() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let crime = |count| rpc(&[message(TOPIC, &body(b'x', count, 512))]);
    let attack = until_banned(&scene, &sent, 30, crime);
    scene.run("messages with invalid signatures", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_signed_where_nothing_is() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let crime = |count| {
        let parts = [
            field(1, &[0; 34]),
            field(2, &body(b'v', count, 512)),
            field(3, &[0; 8]),
            field(4, TOPIC.as_bytes()),
            field(5, &[7; 64]),
        ];
        rpc(&[field(2, &parts.concat())])
    };
    let attack = until_banned(&scene, &sent, 30, crime);
    scene.run("author and signature forged", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_on_a_topic_nobody_joined() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let crime = |count| rpc(&[message("/rota/7/other/1", &body(b'v', count, 120 * 1024))]);
    let attack = until_banned(&scene, &sent, 30, crime);
    scene.run("messages on unknown topics", BUDGET_BYTES, &sent, attack).await;
}

/// The same message in `count` protobuf disguises: unknown fields, long varints, other order.
fn disguised(count: u64, data: &[u8]) -> Vec<u8> {
    let unknown = field(100 + count % 1000, &count.to_be_bytes());
    let long_length = {
        // The length of the data in more bytes than it needs.
        let mut length = varint(u64::try_from(data.len()).unwrap() | 1 << 28);
        let last = length.len() - 1;
        length[last] = 0;
        [varint(2 << 3 | 2), length, data.to_vec()].concat()
    };
    let (topic, key) = (field(4, TOPIC.as_bytes()), field(6, &count.to_le_bytes()));
    let parts = match count % 3 {
        0 => [topic, long_length, key, unknown],
        1 => [unknown, long_length, topic, key],
        _ => [key, number(99, count), long_length, topic],
    };
    rpc(&[field(2, &parts.concat())])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_with_changed_padding() {
    const DUPLICATES: u64 = 20_000;
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let attacker = Attacker::joined(&scene.target(), None).await.unwrap();
        let stream = attacker.gossip().await.unwrap();
        let data = body(b'v', 1, 200);
        for count in 0..DUPLICATES {
            let frame = disguised(count, &data);
            stream.tap.write(&frame).await.unwrap();
            sent.add(frame.len());
        }
        // Behind them all, so that they have been read.
        stream.tap.write(&rpc(&[message(TOPIC, &body(b'v', 2, 200))])).await.unwrap();
        until(|| scene.victim().seen(|seen| seen.foreign) >= 2).await;
        assert_eq!(scene.victim().seen(|seen| seen.foreign), 2, "a disguise was taken for new");
        Outcome::contained("one delivery of all")
    };
    scene.run("duplicates in disguise", BUDGET_BYTES, &sent, attack).await;
}

/// Streams `count` ever new messages at whatever pace the target takes.
async fn stream_of(scene: &Scene, sent: &Sent, kind: u8, bytes: usize, count: u64) -> Outcome {
    let attacker = Attacker::joined(&scene.target(), None).await.unwrap();
    let stream = attacker.gossip().await.unwrap();
    for number in 0..count {
        let frame = rpc(&[message(TOPIC, &body(kind, number, bytes))]);
        stream.tap.write(&frame).await.unwrap();
        sent.add(frame.len());
    }
    Outcome::contained("paced, nobody blamed for what only the clock or the state refuses")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_messages_at_line_rate() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = stream_of(&scene, &sent, b'i', 32, 30_000);
    scene.run("flood of small new messages", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_at_line_rate() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = stream_of(&scene, &sent, b'i', limits::GOSSIP_BYTES_MAX, 400);
    scene.run("flood of large new messages", BUDGET_BYTES, &sent, attack).await;
}
