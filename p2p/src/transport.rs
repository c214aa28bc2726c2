//! TCP with Noise and Yamux, QUIC where asked for, names resolved; and the swarm around it.

use libp2p::{
    PeerId, Swarm, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, OptionalTransport, timeout::TransportTimeout},
        upgrade::Version,
    },
    dns,
    futures::{future::Either, io::BufReader},
    identity::Keypair,
    metrics::{BandwidthTransport, Registry},
    noise, quic,
    swarm::Config as SwarmConfig,
    tcp,
};

use crate::{behaviour::Behaviour, error::P2pError, limits, muxer::Yamux};

/// Builds the swarm; it listens and dials only when told.
pub(crate) fn swarm(
    keypair: &Keypair,
    quic: bool,
    behaviour: Behaviour,
    registry: &mut Registry,
) -> Result<Swarm<Behaviour>, P2pError> {
    let config = SwarmConfig::with_tokio_executor()
        .with_max_negotiating_inbound_streams(limits::STREAMS_NEGOTIATING_MAX)
        .with_idle_connection_timeout(limits::HELLO_TIMEOUT);
    let transport = transport(keypair, quic, registry)?;
    Ok(Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config))
}

fn transport(
    keypair: &Keypair,
    quic: bool,
    registry: &mut Registry,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, P2pError> {
    let noise = noise::Config::new(keypair).map_err(|error| P2pError::Key(error.to_string()))?;
    // Noise reads 8 KiB at a time: eight of them to one call of the system.
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .map(|stream, _| BufReader::with_capacity(limits::SOCKET_READ_BYTES, stream))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(Yamux::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = if quic {
        OptionalTransport::some(quic::tokio::Transport::new(quic_config(keypair)))
    } else {
        OptionalTransport::none()
    }
    .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let both = quic.or_transport(tcp).map(|either, _| match either {
        Either::Left(output) | Either::Right(output) => output,
    });
    // A container without resolver configuration still dials by IP.
    let (resolver, options) = (dns::ResolverConfig::default(), dns::ResolverOpts::default());
    let both = both.boxed();
    let named = if std::path::Path::new("/etc/resolv.conf").exists() {
        dns::tokio::Transport::system(both).map_err(|error| P2pError::Setup(error.to_string()))?
    } else {
        dns::tokio::Transport::custom(both, resolver, options)
    };
    let counted = BandwidthTransport::new(named, registry)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    Ok(TransportTimeout::new(counted, limits::CONNECT_TIMEOUT).boxed())
}

fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = limits::CONNECT_TIMEOUT;
    config.max_concurrent_stream_limit = u32::try_from(limits::STREAMS_MAX).unwrap_or(u32::MAX);
    config.max_connection_data = limits::QUIC_CONNECTION_BYTES_MAX;
    config.max_stream_data = limits::QUIC_CONNECTION_BYTES_MAX;
    config
}
