//! Crimes below the meaning: frames too long, cut short, or fed one byte at a time.

use std::time::Duration;

use rota_p2p::{Class, Identity, limits};

use crate::{
    attacker::{Attacker, Sent, TOPIC, hello, hello_frame, name},
    common::{guarded, identity, until},
    protobuf::{message, rpc, varint},
    scene::{BUDGET_BYTES, Outcome, Scene},
    wire::Pong,
};

/// Opens a stream of the protocol again and again and writes the same bytes, until banned.
async fn until_banned(
    scene: &Scene,
    sent: &Sent,
    identity: Option<Identity>,
    protocol: String,
    bytes: Vec<u8>,
    most: u64,
) -> Outcome {
    let mut attacker = Attacker::joined(&scene.target(), identity).await.unwrap();
    let keypair = attacker.keypair.clone();
    loop {
        // Some crimes end the connection before they end in a ban.
        if attacker.wire.is_closed() {
            attacker =
                match Attacker::connect_as(&keypair, &scene.target(), None, Pong::Prompt).await {
                    Ok(again) => again,
                    Err(_) => break,
                };
            if attacker.join(identity).await.is_err() {
                break;
            }
        }
        assert!(sent.messages() < most, "not banned after {most} frames");
        if protocol.ends_with("hello/1") {
            attacker.control().write(&bytes).await.ok();
            sent.add(bytes.len());
            guarded(attacker.wire.closed()).await;
            continue;
        }
        let Ok(mut stream) = attacker.wire.open(&protocol).await else { continue };
        if stream.tap.write(&bytes).await.is_ok() {
            sent.add(bytes.len());
        }
        guarded(stream.ended()).await;
    }
    assert!(!Attacker::is_welcome(&keypair, &scene.target()).await, "not banned");
    Outcome::banned(sent)
}

fn announced(bytes: usize) -> Vec<u8> {
    u32::try_from(bytes).unwrap().to_be_bytes().to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversize_frames_of_a_validator() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let bytes = announced(Class::Votes.frame_bytes_max() + 1);
    let protocol = name("direct/votes");
    let attack = until_banned(&scene, &sent, Some(identity(9)), protocol, bytes, 3);
    scene.run("oversize direct frames", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversize_requests() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let bytes = announced(limits::REQUEST_BYTES_MAX + 1);
    let attack = until_banned(&scene, &sent, None, name("slots"), bytes, 3);
    scene.run("oversize requests", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversize_control_frames() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = until_banned(&scene, &sent, None, name("hello"), announced(1 << 30), 3);
    scene.run("oversize control frames", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversize_gossip_frames() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let bytes = [varint(1 << 30), vec![0; 256 * 1024]].concat();
    let attack = until_banned(&scene, &sent, None, "/meshsub/1.2.0".to_owned(), bytes, 8);
    scene.run("oversize gossip frames", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gossip_that_is_no_protobuf() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let bytes = [varint(64), vec![0xff; 64]].concat();
    let attack = until_banned(&scene, &sent, None, "/meshsub/1.2.0".to_owned(), bytes, 8);
    scene.run("gossip that is no protobuf", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_frames() {
    const CUTS: usize = 300;
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let attacker = Attacker::joined(&scene.target(), Some(identity(9))).await.unwrap();
        let (vote, question) = (name("direct/votes"), name("slots"));
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for cut in 0..CUTS {
            ticks.tick().await;
            let protocol = if cut % 2 == 0 { &vote } else { &question };
            let Ok(stream) = attacker.wire.open(protocol).await else { break };
            let frame = [announced(1000), vec![0; cut]].concat();
            stream.tap.write(&frame).await.unwrap();
            sent.add(frame.len());
            match cut % 3 {
                0 => stream.tap.reset().await.unwrap(),
                _ => stream.tap.close().await.unwrap(),
            }
        }
        assert_eq!(scene.victim().seen(|seen| seen.direct + seen.requests), 0, "half a frame");
        Outcome::contained("no half frame reached the application")
    };
    scene.run("cut frames", BUDGET_BYTES, &sent, attack).await;
    scene.answers().await.unwrap();
}

/// Feeds bytes one at a time until the target has had enough, or all are through.
async fn drip(tap: &crate::wire::Tap, bytes: &[u8], sent: &Sent) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    for byte in bytes {
        ticks.tick().await;
        if tap.write(&[*byte]).await.is_err() {
            return;
        }
        sent.add(1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_at_a_time() {
    const PEERS: usize = 12;
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let peers = (0..PEERS).map(|number| {
            let (target, sent) = (scene.target(), sent.clone());
            async move {
                let attacker = Attacker::joined(&target, None).await.unwrap();
                match number % 3 {
                    // A request that never ends, a gossip message that never ends.
                    0 => {
                        let stream = attacker.wire.open(&name("slots")).await.unwrap();
                        drip(&stream.tap, &[announced(60_000), vec![0; 3_000]].concat(), &sent)
                            .await;
                    }
                    1 => {
                        let stream = attacker.gossip().await.unwrap();
                        let frame = rpc(&[message(TOPIC, &[b'i'; 3_000])]);
                        drip(&stream.tap, &frame, &sent).await;
                    }
                    _ => {
                        let mut late = Attacker::connect(&target).await.unwrap();
                        let stream = late.wire.open(&name("hello")).await.unwrap();
                        let frame = hello_frame(&hello(&late.keypair, None));
                        let frame = [announced(frame.len()), frame, vec![0; 2_000]].concat();
                        drip(&stream.tap, &frame, &sent).await;
                        // Too late for a hello, or malformed: no peer either way.
                        guarded(late.wire.closed()).await;
                        late.join(None).await.unwrap_err();
                    }
                }
            }
        });
        futures::future::join_all(peers).await;
        Outcome::contained(format!("{PEERS} peers at once"))
    };
    scene.run("one byte at a time", BUDGET_BYTES, &sent, attack).await;
    scene.answers().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_pong_buys_no_window() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let keypair = libp2p::identity::Keypair::generate_ed25519();
        // The target would grow a window as long as half of it is read within two round trips.
        let pong = Pong::After(2_000);
        let mut attacker =
            Attacker::connect_as(&keypair, &scene.target(), None, pong).await.unwrap();
        attacker.join(Some(identity(9))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let stream = attacker.wire.open(&name("direct/batches")).await.unwrap();
        let frame = [announced(500 * 1024), vec![7; 500 * 1024]].concat();
        for _ in 0..200 {
            stream.tap.write(&frame).await.unwrap();
            sent.add(frame.len());
        }
        until(|| scene.victim().seen(|seen| seen.direct) == 200).await;
        let window = stream.tap.credit();
        assert!(window <= limits::CONNECTION_WINDOW_BYTES_MAX, "a window of {window} bytes");
        Outcome::contained(format!("window {} KiB", window / 1024))
    };
    scene.run("late pongs", 2 * BUDGET_BYTES, &sent, attack).await;
}
