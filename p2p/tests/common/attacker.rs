//! A peer without manners: real TCP, Noise and Yamux, then frames by hand.

use borsh::BorshSerialize;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder, core::PeerRecord,
    identity::Keypair,
};
use rota_p2p::Identity;
use tokio::task::JoinHandle;

use super::{binding, guarded};

/// The wire form of the hello, written down a second time on purpose.
#[derive(BorshSerialize, Clone)]
pub struct WireHello {
    pub version: u16,
    pub chain_id: u64,
    pub network: [u8; 32],
    pub binding: Option<Vec<u8>>,
    pub agent: String,
    pub record: Vec<u8>,
}

pub struct Attacker {
    pub keypair: Keypair,
    pub control: libp2p_stream::Control,
    target: PeerId,
    swarm: JoinHandle<()>,
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.swarm.abort();
    }
}

pub fn name(rest: &str) -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/rota/7/{rest}/1")).unwrap()
}

impl Attacker {
    /// Connects and does nothing else.
    pub async fn connect(target: PeerId, address: Multiaddr) -> Self {
        let keypair = Keypair::generate_ed25519();
        let mut swarm: Swarm<libp2p_stream::Behaviour> =
            SwarmBuilder::with_existing_identity(keypair.clone())
                .with_tokio()
                .with_tcp(
                    libp2p::tcp::Config::default(),
                    libp2p::noise::Config::new,
                    libp2p::yamux::Config::default,
                )
                .unwrap()
                .with_behaviour(|_| libp2p_stream::Behaviour::new())
                .unwrap()
                .with_swarm_config(|config| config.with_idle_connection_timeout(super::HANG))
                .build();
        let control = swarm.behaviour().new_control();
        swarm.dial(address).unwrap();
        guarded(async {
            while swarm.connected_peers().next().is_none() {
                swarm.next().await;
            }
        })
        .await;
        let swarm = tokio::spawn(async move {
            loop {
                swarm.next().await;
            }
        });
        Self { keypair, control, target, swarm }
    }

    pub fn peer(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    pub async fn open(&mut self, rest: &str) -> Result<Stream, libp2p_stream::OpenStreamError> {
        guarded(self.control.open_stream(self.target, name(rest))).await
    }

    /// A hello that would be accepted.
    pub fn hello(&self, identity: Option<Identity>) -> WireHello {
        let record = PeerRecord::new(&self.keypair, Vec::new()).unwrap();
        WireHello {
            version: 1,
            chain_id: 7,
            network: [7; 32],
            binding: identity.map(|identity| binding(identity, &self.peer()).to_vec()),
            agent: "attacker".to_owned(),
            record: record.into_signed_envelope().into_protobuf_encoding(),
        }
    }

    /// Sends a hello and a welcome and reads the other side's first frame.
    pub async fn greet(&mut self, hello: WireHello) -> Stream {
        let mut stream = self.open("hello").await.unwrap();
        let mut message = vec![0];
        hello.serialize(&mut message).unwrap();
        write_frame(&mut stream, &message).await;
        let theirs = read_frame(&mut stream).await.expect("their hello");
        assert_eq!(theirs.first(), Some(&0));
        stream
    }

    /// Becomes a peer in good standing, with a control stream to keep.
    pub async fn join(&mut self, identity: Option<Identity>) -> Stream {
        let mut stream = self.greet(self.hello(identity)).await;
        write_frame(&mut stream, &[1]).await;
        assert_eq!(read_frame(&mut stream).await.as_deref(), Some([1].as_slice()));
        stream
    }
}

pub async fn write_frame(stream: &mut Stream, frame: &[u8]) {
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, frame].concat()).await.unwrap();
    stream.flush().await.unwrap();
}

/// `None` if the stream ended or was reset.
pub async fn read_frame(stream: &mut Stream) -> Option<Vec<u8>> {
    guarded(async {
        let mut length = [0; 4];
        stream.read_exact(&mut length).await.ok()?;
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        stream.read_exact(&mut frame).await.ok()?;
        Some(frame)
    })
    .await
}

/// Reads until the stream ends or is reset.
pub async fn ended(stream: &mut Stream) {
    while read_frame(stream).await.is_some() {}
}
