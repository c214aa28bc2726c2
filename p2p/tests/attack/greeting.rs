//! Crimes at the door: another chain, another's name, and hellos that are none.

use libp2p::identity::Keypair;
use rota_p2p::HelloError;

use crate::{
    attacker::{Attacker, Sent, hello, hello_frame, name},
    common::{binding, guarded, identity},
    scene::{BUDGET_BYTES, Outcome, Scene},
    wire::Pong,
};

/// Says this as a first frame and waits until the connection is closed. Gives the key.
async fn say(scene: &Scene, sent: &Sent, keypair: &Keypair, frame: &[u8]) {
    let attacker =
        Attacker::connect_as(keypair, &scene.target(), None, Pong::Prompt).await.unwrap();
    let stream = attacker.wire.open(&name("hello")).await.unwrap();
    stream.tap.write_frame(frame).await.unwrap();
    sent.add(frame.len());
    guarded(attacker.wire.closed()).await;
}

/// How the victim's last refusals read.
fn refusals(scene: &Scene) -> Vec<HelloError> {
    scene.victim().handle.refusals().borrow().iter().map(|one| one.error.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_chain() {
    const ATTEMPTS: u64 = 20;
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        for chain in 0..ATTEMPTS {
            let keypair = Keypair::generate_ed25519();
            let mut hello = hello(&keypair, None);
            if chain % 2 == 0 {
                hello.chain_id = 1_000 + chain;
            } else {
                hello.network = [0xcc; 32];
            }
            say(&scene, &sent, &keypair, &hello_frame(&hello)).await;
        }
        let refused = refusals(&scene);
        assert!(refused.iter().any(|error| matches!(error, HelloError::WrongChain { .. })));
        assert!(refused.contains(&HelloError::WrongGenesis));
        assert_eq!(scene.victim().handle.peers().len(), 3, "nobody of another chain is a peer");
        Outcome::contained("refused by name")
    };
    scene.run("wrong chain", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_hello() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let (own, victim) = (Keypair::generate_ed25519(), scene.victim().handle.local_peer_id());
        let good = hello(&own, Some(identity(9)));
        let stolen = {
            let mut hello = good.clone();
            hello.binding = Some(binding(identity(2), &victim).to_vec());
            hello_frame(&hello)
        };
        let foreign = {
            let mut hello = good.clone();
            hello.record = crate::attacker::hello(&Keypair::generate_ed25519(), None).record;
            hello_frame(&hello)
        };
        let forged = {
            let mut hello = good.clone();
            let last = hello.record.len() - 1;
            hello.record[last] ^= 1;
            hello_frame(&hello)
        };
        let long = {
            let mut hello = good.clone();
            hello.agent = "a".repeat(7_000);
            hello_frame(&hello)
        };
        let huge_binding = {
            let mut hello = good.clone();
            hello.binding = Some(vec![7; 7_000]);
            hello_frame(&hello)
        };
        let version = {
            let mut hello = good.clone();
            hello.version = 99;
            hello_frame(&hello)
        };
        let trailing = [hello_frame(&good), vec![0]].concat();
        let out_of_order = vec![3, 1, 0, 0, 0, 0, 0, 0, 0];
        // A vector that claims 4 GiB.
        let mut lengths = hello_frame(&good);
        lengths.truncate(43);
        lengths.extend([1, 0xff, 0xff, 0xff, 0xff]);
        let crimes =
            [stolen, foreign, forged, long, huge_binding, version, trailing, out_of_order, lengths];
        for frame in crimes {
            let before = refusals(&scene).len();
            say(&scene, &sent, &own, &frame).await;
            assert!(refusals(&scene).len() > before, "refused: {frame:?}");
        }
        assert_eq!(scene.victim().handle.peers().len(), 3);
        assert!(!scene.victim().handle.is_connected(&identity(9)));
        Outcome::contained("9 kinds, each refused")
    };
    scene.run("wrong hello", BUDGET_BYTES, &sent, attack).await;
}
