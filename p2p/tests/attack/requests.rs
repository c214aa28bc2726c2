//! Crimes with questions and answers: too many of the first, lies in the second.

use bytes::Bytes;
use rota_p2p::{Offence, RequestProtocol};

use crate::{
    attacker::{Attacker, Sent, name},
    common::guarded,
    scene::{BUDGET_BYTES, Outcome, Scene},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_storm() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let attacker = Attacker::joined(&scene.target(), None).await.unwrap();
        let question = [&[0, 0, 0xea, 0x60], vec![1; 60_000].as_slice()].concat();
        while !attacker.wire.is_closed() && sent.messages() < 2_000 {
            let Ok(stream) = attacker.wire.open(&name("slots")).await else { break };
            sent.add(question.len());
            let question = question.clone();
            tokio::spawn(async move {
                let mut stream = stream;
                stream.tap.write(&question).await.ok();
                stream.ended().await;
            });
        }
        assert!(sent.messages() < 2_000, "not banned");
        guarded(attacker.wire.closed()).await;
        assert!(!Attacker::is_welcome(&attacker.keypair, &scene.target()).await, "not banned");
        Outcome::banned(&sent)
    };
    scene.run("sync storm", BUDGET_BYTES, &sent, attack).await;
}

/// Asks the attacker once, through the victim, and answers with these bytes.
async fn answered(scene: &Scene, attacker: &mut Attacker, answer: &[u8]) -> String {
    let (handle, peer) = (&scene.victim().handle, attacker.peer());
    scene.victim().has(peer).await;
    let question = Bytes::from_static(b"slots 1 to 9");
    let asked = handle.request(&peer, RequestProtocol::Slots, question.clone());
    let answering = async {
        loop {
            let Ok((protocol, mut stream)) = attacker.wire.accept().await else { return };
            if protocol == name("slots") {
                assert_eq!(stream.read_frame().await.unwrap(), question);
                stream.tap.write(answer).await.ok();
                stream.tap.close().await.ok();
                return;
            }
        }
    };
    let (answer, ()) = guarded(async { tokio::join!(asked, answering) }).await;
    answer.map_or_else(|error| error.to_string(), |bytes| format!("{} bytes", bytes.len()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lying_answers() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let mut attacker = Attacker::joined(&scene.target(), None).await.unwrap();
        let lie = [&[0, 0, 0, 0, 4], b"lies".as_slice()].concat();
        assert_eq!(answered(&scene, &mut attacker, &lie).await, "4 bytes");
        sent.add(lie.len());
        // What the bytes prove only the application knows.
        let (handle, peer) = (&scene.victim().handle, attacker.peer());
        handle.penalise(&peer, Offence::LyingAnswer);
        guarded(attacker.wire.closed()).await;
        assert!(!Attacker::is_welcome(&attacker.keypair, &scene.target()).await, "not banned");
        Outcome::banned(&sent)
    };
    scene.run("lying answers", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversize_and_meaningless_answers() {
    for (crime, answer, most) in [
        ("oversize answers", vec![0, 0xff, 0xff, 0xff, 0xff], 2),
        ("answers of an unknown kind", vec![99, 0, 0, 0, 1, 7], 4),
    ] {
        let (scene, sent) = (Scene::new().await, Sent::default());
        let attack = async {
            let mut attacker = Attacker::joined(&scene.target(), None).await.unwrap();
            for _ in 0..most {
                answered(&scene, &mut attacker, &answer).await;
                sent.add(answer.len());
            }
            guarded(attacker.wire.closed()).await;
            assert!(!Attacker::is_welcome(&attacker.keypair, &scene.target()).await, "not banned");
            Outcome::banned(&sent)
        };
        scene.run(crime, BUDGET_BYTES, &sent, attack).await;
    }
}
