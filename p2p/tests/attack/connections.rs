//! Crimes with connections and streams: held, idle, and made without end.
//!
//! Loopback counts as an address here, so that the attacker is 127.0.0.2 and honest nodes are not.

use std::net::{IpAddr, Ipv4Addr};

use libp2p::identity::Keypair;
use rota_p2p::{Config, Limits, Loopback, limits};
use tokio::io::AsyncReadExt;

use crate::{
    attacker::{Attacker, Sent, name},
    common::{config, guarded, identity, until},
    scene::{BUDGET_BYTES, Outcome, Scene, Watched},
    wire::{Pong, tcp},
};

/// Where the attacker comes from.
const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

async fn counted() -> Scene {
    Scene::with(Limits { loopback: Loopback::Counted, per_ip_max: 8, ..Limits::default() }).await
}

/// A node that comes while the attack is on, and is let in.
async fn newcomer(scene: &Scene, seed: u8) -> Watched {
    let bootstrap = vec![scene.target()];
    let node = Watched::start(Config { bootstrap, ..config(seed) }, None).await;
    node.has(scene.victim().handle.local_peer_id()).await;
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_handshakes() {
    const SOCKETS: usize = 64;
    let (scene, sent) = (counted().await, Sent::default());
    let attack = async {
        let mut silent = Vec::new();
        for _ in 0..SOCKETS {
            silent.push(tcp(&scene.target(), Some(FROM)).await.unwrap());
            sent.add(0);
        }
        let node = newcomer(&scene, 50).await;
        // Each is closed by the target: at once beyond the limit, by its time within it.
        for mut socket in silent {
            let mut rest = Vec::new();
            guarded(socket.read_to_end(&mut rest)).await.ok();
        }
        drop(node);
        Outcome::contained(format!("{SOCKETS} sockets closed, a newcomer let in"))
    };
    scene.run("slow handshakes", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_peers_from_one_address() {
    const PEERS: usize = 64;
    let (scene, sent) = (counted().await, Sent::default());
    let attack = async {
        let mut held = Vec::new();
        for _ in 0..PEERS {
            let key = Keypair::generate_ed25519();
            let peer = Attacker::connect_as(&key, &scene.target(), Some(FROM), Pong::Prompt).await;
            sent.add(0);
            if let Ok(mut peer) = peer
                && peer.join(None).await.is_ok()
            {
                held.push(peer);
            }
        }
        let node = newcomer(&scene, 51).await;
        let alive = held.iter().filter(|peer| !peer.wire.is_closed()).count();
        assert!(alive <= 8, "{alive} connections from one address, allowed are 8");
        assert!(alive > 0, "a limit, no ban");
        drop(node);
        Outcome::contained(format!("{alive} of {PEERS} held"))
    };
    scene.run("many peers, one address", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnect_churn() {
    const ATTEMPTS: usize = 600;
    let (scene, sent) = (counted().await, Sent::default());
    let attack = async {
        let mut joined = 0;
        for _ in 0..ATTEMPTS {
            let key = Keypair::generate_ed25519();
            let peer = Attacker::connect_as(&key, &scene.target(), Some(FROM), Pong::Prompt).await;
            sent.add(0);
            if let Ok(mut peer) = peer
                && peer.join(None).await.is_ok()
            {
                joined += 1;
            }
        }
        let burst = usize::try_from(limits::INBOUND_PER_IP_BURST).unwrap();
        assert!(joined >= burst / 2, "the pace lets the first ones in");
        drop(newcomer(&scene, 52).await);
        Outcome::contained(format!("{joined} of {ATTEMPTS} handshakes paid for"))
    };
    scene.run("reconnect churn", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_streams() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        // As many as Yamux allows, half of them not even negotiated, and left.
        let attacker = Attacker::joined(&scene.target(), Some(identity(9))).await.unwrap();
        let mut idle = Vec::new();
        for number in 0..limits::STREAMS_MAX - 16 {
            let stream = match number % 4 {
                0 => attacker.wire.open(&name("direct/votes")).await,
                1 => attacker.wire.open(&name("batches")).await,
                _ => attacker.wire.open_raw().await,
            };
            idle.extend(stream);
            sent.add(0);
        }
        scene.answers().await.unwrap();
        assert!(!attacker.wire.is_closed(), "idle is no crime within the limit");
        // Beyond the limit each is refused, and the rest goes on.
        let over = 2 * limits::STREAMS_MAX;
        for _ in 0..over {
            attacker.wire.open_raw().await.unwrap();
            sent.add(0);
        }
        let refused = u32::try_from(limits::STREAMS_MAX).unwrap();
        until(|| attacker.wire.is_closed() || attacker.wire.refused() >= refused).await;
        scene.answers().await.unwrap();
        Outcome::contained(format!("{} of {} refused", attacker.wire.refused(), sent.messages()))
    };
    scene.run("idle streams", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_flood() {
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        let attacker = Attacker::joined(&scene.target(), None).await.unwrap();
        while !attacker.wire.is_closed() && sent.messages() < 2_000 {
            let Ok(stream) = attacker.wire.open(&name("status")).await else { break };
            sent.add(0);
            stream.tap.reset().await.ok();
        }
        assert!(sent.messages() < 2_000, "not banned");
        guarded(attacker.wire.closed()).await;
        assert!(!Attacker::is_welcome(&attacker.keypair, &scene.target()).await, "not banned");
        Outcome::banned(&sent)
    };
    scene.run("stream flood", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_no_yamux() {
    const ATTEMPTS: u8 = 16;
    let (scene, sent) = (Scene::new().await, Sent::default());
    let attack = async {
        for kind in 0..ATTEMPTS {
            let attacker = Attacker::joined(&scene.target(), None).await.unwrap();
            // A header of an unknown version or kind, or a length nobody may send.
            let header = [kind % 2, kind, 0xff, 0xff, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff];
            attacker.wire.write_below(&header).await.unwrap();
            attacker.wire.write_below(&[kind; 4096]).await.ok();
            sent.add(4096 + header.len());
            guarded(attacker.wire.closed()).await;
        }
        Outcome::contained("each ends its own connection")
    };
    scene.run("no Yamux", BUDGET_BYTES, &sent, attack).await;
}
