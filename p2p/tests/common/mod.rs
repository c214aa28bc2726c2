//! Nodes for the tests: real sockets on loopback, a policy that binds by plain bytes.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![allow(dead_code, unreachable_pub, reason = "not every test file uses every helper")]

pub mod attacker;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rota_p2p::{
    Class, Config, Identity, Limits, Multiaddr, NetworkEvent, NetworkEvents, NetworkHandle, PeerId,
    Policy, start,
};
use zeroize::Zeroizing;

/// Ends a test that hangs; no test asserts on it.
pub const HANG: Duration = Duration::from_secs(60);

/// Binding = identity ‖ PeerId; anything else is refused.
pub struct TestPolicy(pub Option<Identity>);

impl Policy for TestPolicy {
    fn binding(&self, local: &PeerId) -> Option<Bytes> {
        self.0.map(|identity| binding(identity, local))
    }

    fn check_binding(
        &self,
        remote: &PeerId,
        bytes: Option<&[u8]>,
    ) -> Result<Option<Identity>, String> {
        let Some(bytes) = bytes else { return Ok(None) };
        let (identity, peer) = bytes.split_first_chunk().ok_or("too short")?;
        if peer == remote.to_bytes() {
            Ok(Some(Identity(*identity)))
        } else {
            Err("another peer's binding".to_owned())
        }
    }
}

pub fn binding(identity: Identity, peer: &PeerId) -> Bytes {
    [&identity.0, peer.to_bytes().as_slice()].concat().into()
}

pub struct Node {
    pub handle: NetworkHandle,
    pub events: NetworkEvents,
}

pub fn identity(seed: u8) -> Identity {
    Identity([seed ^ 0xaa; 32])
}

pub fn config(seed: u8) -> Config {
    Config {
        chain_id: 7,
        network: [7; 32],
        node_key_seed: Zeroizing::new([seed; 32]),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        external: Vec::new(),
        bootstrap: Vec::new(),
        known: Vec::new(),
        quic: false,
        agent: "rota-test/1".to_owned(),
        limits: Limits::default(),
    }
}

impl Node {
    pub fn start(config: Config, identity: Option<Identity>) -> Self {
        let (handle, events) = start(config, Arc::new(TestPolicy(identity))).unwrap();
        Self { handle, events }
    }

    /// A validator that knows these addresses.
    pub fn validator(seed: u8, bootstrap: &[Multiaddr]) -> Self {
        let config = Config { bootstrap: bootstrap.to_vec(), ..config(seed) };
        Self::start(config, Some(identity(seed)))
    }

    /// A full node that knows these addresses.
    pub fn full(seed: u8, bootstrap: &[Multiaddr]) -> Self {
        Self::start(Config { bootstrap: bootstrap.to_vec(), ..config(seed) }, None)
    }

    pub fn peer(&self) -> PeerId {
        self.handle.local_peer_id()
    }

    pub async fn address(&self) -> Multiaddr {
        guarded(self.handle.listen_addresses()).await.into_iter().next().unwrap()
    }

    /// The next event that `wanted` maps to something; others are dropped.
    pub async fn next<T>(&mut self, mut wanted: impl FnMut(NetworkEvent) -> Option<T>) -> T {
        guarded(async {
            loop {
                let event = self.events.recv().await.expect("the network is up");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        })
        .await
    }

    pub async fn up(&mut self) -> (PeerId, Option<Identity>) {
        self.next(|event| match event {
            NetworkEvent::PeerUp { peer, identity, .. } => Some((peer, identity)),
            _ => None,
        })
        .await
    }

    pub async fn down(&mut self) -> PeerId {
        self.next(|event| match event {
            NetworkEvent::PeerDown { peer, .. } => Some(peer),
            _ => None,
        })
        .await
    }

    pub async fn direct(&mut self) -> (Identity, Class, Bytes) {
        self.next(|event| match event {
            NetworkEvent::Direct { identity, class, data, .. } => Some((identity, class, data)),
            _ => None,
        })
        .await
    }
}

/// Fails instead of hanging.
pub async fn guarded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("the test hangs")
}

/// Waits for a state that no event announces.
pub async fn until(mut reached: impl FnMut() -> bool) {
    guarded(async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !reached() {
            look.tick().await;
        }
    })
    .await;
}

/// Two validators, connected.
pub async fn pair() -> (Node, Node) {
    let mut first = Node::validator(1, &[]);
    let mut second = Node::validator(2, &[first.address().await]);
    first.up().await;
    second.up().await;
    (first, second)
}
