//! One hostile peer: a key, a connection, and the manners it chooses to have.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use borsh::BorshSerialize;
use libp2p::{Multiaddr, PeerId, core::PeerRecord, identity::Keypair};
use rota_p2p::Identity;

use crate::{
    common::{attacker::WireHello, binding},
    wire::{Pong, RawStream, Tap, Wire},
};

/// The topic of the chain that all nodes of these tests are on.
pub(crate) const TOPIC: &str = "/rota/7/tx/1";

/// Protocol names of that chain.
pub(crate) fn name(rest: &str) -> String {
    format!("/rota/7/{rest}/1")
}

pub(crate) struct Attacker {
    pub(crate) keypair: Keypair,
    pub(crate) wire: Wire,
    /// The control stream, once a peer.
    control: Option<Tap>,
    /// Answers the pings of the hello protocol.
    answering: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Attacker {
    fn drop(&mut self) {
        if let Some(answering) = &self.answering {
            answering.abort();
        }
    }
}

/// A hello that would be accepted.
pub(crate) fn hello(keypair: &Keypair, identity: Option<Identity>) -> WireHello {
    let peer = keypair.public().to_peer_id();
    let record = PeerRecord::new(keypair, Vec::new()).unwrap();
    WireHello {
        version: 1,
        chain_id: 7,
        network: [7; 32],
        binding: identity.map(|identity| binding(identity, &peer).to_vec()),
        agent: "attacker".to_owned(),
        record: record.into_signed_envelope().into_protobuf_encoding(),
    }
}

/// The hello as a control frame.
pub(crate) fn hello_frame(hello: &WireHello) -> Vec<u8> {
    let mut frame = vec![0];
    hello.serialize(&mut frame).unwrap();
    frame
}

impl Attacker {
    /// Connected and silent.
    pub(crate) async fn connect(to: &Multiaddr) -> io::Result<Self> {
        Self::connect_as(&Keypair::generate_ed25519(), to, None, Pong::Prompt).await
    }

    pub(crate) async fn connect_as(
        keypair: &Keypair,
        to: &Multiaddr,
        from: Option<IpAddr>,
        pong: Pong,
    ) -> io::Result<Self> {
        let wire = Wire::connect(to, from, keypair, pong).await?;
        Ok(Self { keypair: keypair.clone(), wire, control: None, answering: None })
    }

    /// A peer in good standing: hello, welcome, and pings answered from here on.
    pub(crate) async fn joined(to: &Multiaddr, identity: Option<Identity>) -> io::Result<Self> {
        let mut attacker = Self::connect(to).await?;
        attacker.join(identity).await?;
        Ok(attacker)
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    /// Hello and welcome both ways; the control stream then answers pings by itself.
    pub(crate) async fn join(&mut self, identity: Option<Identity>) -> io::Result<()> {
        let mut control = self.wire.open(&name("hello")).await?;
        control.tap.write_frame(&hello_frame(&hello(&self.keypair, identity))).await?;
        control.read_frame().await?;
        control.tap.write_frame(&[1]).await?;
        if control.read_frame().await? != [1] {
            return Err(io::Error::other("not welcomed"));
        }
        self.control = Some(control.tap.clone());
        self.answering = Some(tokio::spawn(answer_pings(control)));
        Ok(())
    }

    /// The control stream of a peer.
    pub(crate) fn control(&self) -> &Tap {
        self.control.as_ref().expect("joined before")
    }

    /// A gossip stream to the target, subscribed to the topic of transactions.
    pub(crate) async fn gossip(&self) -> io::Result<RawStream> {
        let stream = self.wire.open("/meshsub/1.2.0").await?;
        stream.tap.write(&crate::protobuf::rpc(&[crate::protobuf::subscribe(TOPIC)])).await?;
        Ok(stream)
    }

    /// Whether the target still takes this key: a new connection gets as far as a hello.
    pub(crate) async fn is_welcome(keypair: &Keypair, to: &Multiaddr) -> bool {
        let again = Self::connect_as(keypair, to, None, Pong::Prompt).await;
        match again {
            Ok(mut again) => again.join(None).await.is_ok(),
            Err(_) => false,
        }
    }
}

async fn answer_pings(mut control: RawStream) {
    while let Ok(mut frame) = control.read_frame().await {
        if frame.first() == Some(&3) {
            frame[0] = 4;
            if control.tap.write_frame(&frame).await.is_err() {
                return;
            }
        }
    }
}

/// Counts what an attack has sent, across its tasks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    messages: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl Sent {
    pub(crate) fn add(&self, bytes: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(u64::try_from(bytes).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
