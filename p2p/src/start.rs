//! Puts the parts together: checks the configuration, listens, and starts the actor.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, TcpListener, UdpSocket},
    sync::Arc,
};

use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::transport::ListenerId,
    identity::Keypair,
    metrics::{Metrics, Registry},
    multiaddr::Protocol,
};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::{
    Config, NetworkEvents, NetworkHandle, P2pError, Policy,
    actor::{Actor, Parts},
    behaviour::{Behaviour, GatedGossip, Gates, Guard, Streams},
    clock,
    dialer::Dialer,
    event, gossip,
    handle::Shared,
    limits,
    metrics::{Counters, PREFIX},
    names::Names,
    records::{self, Offer, RecordEntry},
    tasks::{About, Context},
    transport,
};

/// The PeerId that follows from a node key.
///
/// # Errors
/// If the seed is unusable.
pub fn peer_id_of_seed(seed: &Zeroizing<[u8; 32]>) -> Result<PeerId, P2pError> {
    Ok(keypair(seed)?.public().to_peer_id())
}

fn keypair(seed: &Zeroizing<[u8; 32]>) -> Result<Keypair, P2pError> {
    // The copy is wiped by `ed25519_from_bytes`.
    Keypair::ed25519_from_bytes(&mut *seed.clone())
        .map_err(|error| P2pError::Key(error.to_string()))
}

/// Listens and starts the network on the current tokio runtime.
///
/// # Errors
/// If an address cannot be listened on, or the configuration does not hold.
///
/// # Panics
/// Outside a tokio runtime.
pub fn start(
    config: Config,
    policy: Arc<dyn Policy>,
) -> Result<(NetworkHandle, NetworkEvents), P2pError> {
    let keypair = keypair(&config.node_key_seed)?;
    let local = keypair.public().to_peer_id();
    check(&config, &*policy, &local)?;
    let names = Names::new(config.chain_id)?;
    let topic = gossip::topic(config.chain_id);
    let mut registry = Registry::with_prefix(PREFIX);
    let metrics = Metrics::new(&mut registry);
    let gates = Gates::default();
    let gossip = {
        let registry = registry.sub_registry_with_prefix("libp2p");
        gossip::build(&topic, registry.sub_registry_with_prefix("gossipsub"))?
    };
    let behaviour = Behaviour {
        guard: Guard::new(config.limits),
        streams: Streams::new(names.hello.clone(), names.all(), gates.clone()),
        gossip: GatedGossip::new(gossip, topic.hash(), gates),
    };
    let mut swarm = transport::swarm(&keypair, config.quic, behaviour, &mut registry)?;
    let listeners = listen(&mut swarm, &config.listen)?;

    let (senders, events) = event::channel();
    let (reports_tx, reports) = mpsc::channel(limits::TASK_EVENTS_MAX);
    let Config { chain_id, network, agent, external, bootstrap, known, limits, .. } = config;
    let node =
        About { chain_id, network, agent, local, names, ping_interval: limits.ping_interval };
    let context = Context::new(node, policy, senders, reports_tx);
    remember(&context, &known);
    let mut dialer = Dialer::new(local);
    for address in &bootstrap {
        dialer.add_address(address, None, clock::now());
    }
    let shared = Arc::new(Shared::new(Arc::new(context), Counters::new(), registry));
    let (handle, queues) = NetworkHandle::channel(Arc::clone(&shared));
    let parts =
        Parts { swarm, keypair, shared, topic, metrics, external, listeners, dialer, reports };
    tokio::spawn(Actor::new(parts).run(queues));
    Ok((handle, events))
}

fn check(config: &Config, policy: &dyn Policy, local: &PeerId) -> Result<(), P2pError> {
    let refuse = |field, cause: String| Err(P2pError::Config { field, cause });
    if config.agent.len() > limits::AGENT_BYTES_MAX {
        return refuse("agent", format!("more than {} bytes", limits::AGENT_BYTES_MAX));
    }
    if config.external.len() > limits::RECORD_ADDRESSES_MAX {
        return refuse("external", format!("more than {}", limits::RECORD_ADDRESSES_MAX));
    }
    if config.bootstrap.len() > limits::DIAL_ADDRESSES_MAX {
        return refuse("bootstrap", format!("more than {}", limits::DIAL_ADDRESSES_MAX));
    }
    if config.limits.per_peer_max == 0 {
        return refuse("limits.per_peer_max", "must be at least 1".to_owned());
    }
    if config.limits.ping_interval.is_zero() {
        return refuse("limits.ping_interval", "must not be zero".to_owned());
    }
    let too_long = policy.binding(local).is_some_and(|b| b.len() > limits::BINDING_BYTES_MAX);
    if too_long {
        return refuse("binding", format!("more than {} bytes", limits::BINDING_BYTES_MAX));
    }
    Ok(())
}

fn listen(
    swarm: &mut Swarm<Behaviour>,
    addresses: &[Multiaddr],
) -> Result<HashSet<ListenerId>, P2pError> {
    let listen = |address: &Multiaddr| {
        probe(address)?;
        swarm.listen_on(address.clone()).map_err(|error| {
            let (address, cause) = (address.clone(), error.to_string());
            P2pError::Listen { address, cause }
        })
    };
    addresses.iter().map(listen).collect()
}

/// Binds the port alone, once: libp2p listens with `SO_REUSEPORT`, so a second node on the same
/// port would start and take half of the first one's connections.
fn probe(address: &Multiaddr) -> Result<(), P2pError> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => IpAddr::V4(ip),
        Some(Protocol::Ip6(ip)) => IpAddr::V6(ip),
        _ => return Ok(()),
    };
    let bound = match parts.next() {
        Some(Protocol::Tcp(port)) => TcpListener::bind((ip, port)).map(drop),
        Some(Protocol::Udp(port)) => UdpSocket::bind((ip, port)).map(drop),
        _ => return Ok(()),
    };
    bound.map_err(|error| {
        let address = address.clone();
        if error.kind() == io::ErrorKind::AddrInUse {
            P2pError::AddressInUse { address }
        } else {
            P2pError::Listen { address, cause: error.to_string() }
        }
    })
}

/// Puts records of an earlier run into the book, as far as they still verify.
fn remember(context: &Context, known: &[bytes::Bytes]) {
    for bytes in known.iter().take(limits::KNOWN_VALIDATORS_MAX) {
        let Some(entry) = RecordEntry::from_bytes(bytes) else { continue };
        match records::verify(&*context.policy, &entry) {
            Ok(known) => {
                context.book_mut().offer(known, Offer::Passed);
            }
            Err(error) => tracing::debug!(%error, "kept record is no longer good"),
        }
    }
}
