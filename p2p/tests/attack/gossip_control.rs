//! Crimes in the control part of gossip: subscriptions, grafts, prunes, ihaves and iwants.

use std::time::Duration;

use rota_p2p::limits;

use crate::{
    attacker::{Attacker, Sent, TOPIC},
    common::guarded,
    protobuf::{control, graft, ihave, iwant, prune, rpc, subscribe},
    scene::{BUDGET_BYTES, Outcome, Scene},
};

/// Sends what `crime` makes, one each millisecond, until the target has closed the connection.
/// Fails if that takes more than `most` messages or if the key is still welcome afterwards.
async fn until_banned(
    scene: &Scene,
    sent: &Sent,
    most: u64,
    mut crime: impl FnMut(u64) -> Vec<u8>,
) -> Outcome {
    let attacker = Attacker::joined(&scene.target(), None).await.unwrap();
    let stream = attacker.gossip().await.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while !attacker.wire.is_closed() && sent.messages() <= most {
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

/// An id nobody has.
fn id(number: u64) -> [u8; 20] {
    let mut id = [0xee; 20];
    id[..8].copy_from_slice(&number.to_le_bytes());
    id
}

fn topic(number: u64) -> String {
    format!("/rota/7/other-{number}/1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscription_flood() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let topics = u64::try_from(limits::GOSSIP_TOPICS_PER_PEER_MAX).unwrap() + 1;
    let crime = |count| {
        let parts: Vec<_> = (0..topics).map(|i| subscribe(&topic(count * topics + i))).collect();
        rpc(&parts)
    };
    let attack = until_banned(&scene, &sent, 30, crime);
    scene.run("subscription flood", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribing_and_leaving_without_end() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let leave = crate::protobuf::field(
        1,
        &[crate::protobuf::number(1, 0), crate::protobuf::field(2, TOPIC.as_bytes())].concat(),
    );
    let crime = |_| rpc(&[leave.clone(), subscribe(TOPIC)]);
    let attack = until_banned(&scene, &sent, 100, crime);
    scene.run("subscribe and leave", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graft_and_prune_for_unknown_topics() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let crime = |count| {
        let entries: Vec<_> = (0..200)
            .flat_map(|i| {
                let topic = topic(count * 200 + i);
                [graft(&topic), prune(&topic, u64::MAX)]
            })
            .collect();
        rpc(&[control(&entries)])
    };
    let attack = until_banned(&scene, &sent, 100, crime);
    scene.run("GRAFT, PRUNE unknown topics", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graft_against_the_backoff() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let crime = |_| rpc(&[control(&[prune(TOPIC, 3600), graft(TOPIC)])]);
    let attack = until_banned(&scene, &sent, 5_000, crime);
    scene.run("GRAFT against the backoff", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ihave_of_nothing() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let crime = |count| {
        let ids: Vec<_> = (0..600).map(|i| id(count * 600 + i)).collect();
        rpc(&[control(&[ihave(TOPIC, &ids)])])
    };
    let attack = until_banned(&scene, &sent, 10_000, crime);
    scene.run("IHAVE spam", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iwant_without_end() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let crime = |count| {
        let entries: Vec<_> = (0..100).map(|i| iwant(&[id(count), id(i)])).collect();
        rpc(&[control(&entries)])
    };
    let attack = until_banned(&scene, &sent, 300, crime);
    scene.run("IWANT spam", BUDGET_BYTES, &sent, attack).await;
}
