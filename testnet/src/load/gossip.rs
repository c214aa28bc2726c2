//! The gossip door: a libp2p peer without any key of the network publishes bundles, as any rollup may.

use crate::error::TestnetError;
use bytes::Bytes;
use rota_p2p::{
    Config, Identity, Limits, Multiaddr, NetworkEvent, NetworkHandle, PeerId, Policy, Verdict,
};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long the first peer may take to be met.
const MEET_TIMEOUT: Duration = Duration::from_secs(15);

/// Proves nothing and asks for no proof.
struct Stranger;

impl Policy for Stranger {
    fn binding(&self, _local: &PeerId) -> Option<Bytes> {
        None
    }

    fn check_binding(
        &self,
        _remote: &PeerId,
        _binding: Option<&[u8]>,
    ) -> Result<Option<Identity>, String> {
        Ok(None)
    }
}

/// A connected publisher.
#[derive(Clone, Debug)]
pub struct Gossip {
    handle: NetworkHandle,
}

fn failed(cause: &dyn std::fmt::Display) -> TestnetError {
    TestnetError::Program { what: "the gossip peer".into(), cause: cause.to_string() }
}

impl Gossip {
    /// Joins the network and waits for the first peer.
    ///
    /// # Errors
    /// If no node can be met.
    pub async fn join(
        chain_id: u64,
        network: [u8; 32],
        seed: u64,
        nodes: &[String],
    ) -> Result<Self, TestnetError> {
        let bootstrap = nodes
            .iter()
            .map(|address| address.parse::<Multiaddr>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(&error))?;
        let named = [&b"rota load peer"[..], &seed.to_le_bytes()].concat();
        let config = Config {
            chain_id,
            network,
            node_key_seed: Zeroizing::new(rota_types::keccak256(&named).0),
            listen: Vec::new(),
            external: Vec::new(),
            bootstrap,
            known: Vec::new(),
            quic: false,
            agent: concat!("rota-testnet/", env!("CARGO_PKG_VERSION")).into(),
            limits: Limits::default(),
        };
        let (handle, mut events) =
            rota_p2p::start(config, Arc::new(Stranger)).map_err(|error| failed(&error))?;
        let (met, mut first) = tokio::sync::mpsc::channel(1);
        let reporter = handle.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    NetworkEvent::Gossip { message, .. } => {
                        reporter.report(message, Verdict::Accept);
                    }
                    NetworkEvent::PeerUp { .. } => {
                        // Only the first one is waited for.
                        met.try_send(()).ok();
                    }
                    _ => {}
                }
            }
        });
        match tokio::time::timeout(MEET_TIMEOUT, first.recv()).await {
            Ok(Some(())) => Ok(Self { handle }),
            _ => Err(TestnetError::Late {
                what: "a first gossip peer".into(),
                seconds: MEET_TIMEOUT.as_secs(),
            }),
        }
    }

    /// Publishes one bundle; `false` if it was not taken.
    #[must_use]
    pub fn publish(&self, bundle: Bytes) -> bool {
        self.handle.publish(bundle).is_ok()
    }
}
