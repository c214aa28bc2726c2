//! Crimes of peers that are no validators, and of validators that pass on what is not true.

use rota_p2p::Class;

use crate::{
    attacker::{Attacker, Sent, hello, name},
    common::{binding, guarded, identity},
    scene::{BUDGET_BYTES, Outcome, Scene},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_of_a_stranger() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let attacker = Attacker::joined(&scene.target(), None).await.unwrap();
        for class in Class::ALL.into_iter().cycle().take(16) {
            let protocol = name(&format!("direct/{}", class.name()));
            let Ok(mut stream) = attacker.wire.open(&protocol).await else { break };
            stream.tap.write_frame(b"V a vote").await.ok();
            sent.add(12);
            stream.ended().await;
        }
        assert!(sent.messages() <= 5, "not banned after 5 streams");
        guarded(attacker.wire.closed()).await;
        assert!(!Attacker::is_welcome(&attacker.keypair, &scene.target()).await, "not banned");
        assert_eq!(scene.victim().seen(|seen| seen.direct), 0, "a stranger was heard");
        Outcome::banned(&sent)
    };
    scene.run("a stranger's votes", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_records_nobody_signed() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let keypair = libp2p::identity::Keypair::generate_ed25519();
        let someone = libp2p::identity::Keypair::generate_ed25519();
        let mut record = hello(&someone, None).record;
        let last = record.len() - 1;
        record[last] ^= 1;
        let bound = binding(identity(8), &someone.public().to_peer_id());
        // Control frame 5, one entry: record and binding.
        let mut frame = vec![5, 1, 0, 0, 0];
        for bytes in [record.as_slice(), &bound] {
            frame.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
            frame.extend(bytes);
        }
        let connect = || {
            let pong = crate::wire::Pong::Prompt;
            let target = scene.target();
            let keypair = keypair.clone();
            async move {
                let mut attacker =
                    Attacker::connect_as(&keypair, &target, None, pong).await.ok()?;
                attacker.join(None).await.ok()?;
                Some(attacker)
            }
        };
        while let Some(attacker) = connect().await {
            assert!(sent.messages() < 8, "not banned after 8 records");
            attacker.control().write_frame(&frame).await.ok();
            sent.add(frame.len());
            guarded(attacker.wire.closed()).await;
        }
        Outcome::banned(&sent)
    };
    scene.run("forged address records", BUDGET_BYTES, &sent, attack).await;
}
