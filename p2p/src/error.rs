//! What can go wrong, by who must act on it: the operator, the caller, or the peer.

use libp2p::{Multiaddr, PeerId};

/// The network could not be started; each text carries what the operator can do.
#[derive(Debug, thiserror::Error)]
pub enum P2pError {
    /// The address is taken.
    #[error(
        "cannot listen on {address}: address already in use (another node on this machine? choose another p2p.listen address)"
    )]
    AddressInUse {
        /// The address from the configuration.
        address: Multiaddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}: {cause} (see p2p.listen)")]
    Listen {
        /// The address from the configuration.
        address: Multiaddr,
        /// What the system said.
        cause: String,
    },
    /// The node key is not an ed25519 seed.
    #[error("the node key is unusable: {0}")]
    Key(String),
    /// A value in the configuration is out of bounds.
    #[error("p2p configuration: {field}: {cause}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// libp2p refused its own configuration.
    #[error("p2p setup: {0}")]
    Setup(String),
}

/// A gossip message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Longer than the limit.
    #[error("{bytes} bytes are more than {max}")]
    TooLarge {
        /// Length of the message.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The queue to the network is full; try again in a moment.
    #[error("the publish queue is full")]
    Busy,
    /// Nobody is connected, so nobody would hear it.
    #[error("no peer is connected")]
    NoPeers,
    /// The network has been shut down.
    #[error("the network is shut down")]
    Closed,
}

/// A request got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The peer has no finished connection.
    #[error("not connected to {0}")]
    NotConnected(PeerId),
    /// Longer than the limit; nothing was sent.
    #[error("a request of {bytes} bytes is more than {max}")]
    TooLarge {
        /// Length of the request.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The peer has too much to do; ask another.
    #[error("the peer is busy")]
    Busy,
    /// The peer's application declined.
    #[error("the peer declined")]
    Declined,
    /// The peer asked to be answered with more than the limit.
    #[error("an answer of {bytes} bytes is more than {max}")]
    AnswerTooLarge {
        /// Announced length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The answer begins with a status that means nothing.
    #[error("an answer of unknown status {0}")]
    Meaningless(u8),
    /// The stream broke.
    #[error("stream: {0}")]
    Stream(String),
}

/// Why a connection was given up before it became a peer. Logged once by each side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// The peer is on another chain.
    #[error("peer is on chain {theirs}, we are on {ours}")]
    WrongChain {
        /// Chain id in its hello.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// The peer has the same chain id and another genesis.
    #[error("peer has another genesis (compare `rota show genesis` on both)")]
    WrongGenesis,
    /// The peer speaks another version of the hello.
    #[error("peer speaks hello version {theirs}, we speak {ours}")]
    WrongVersion {
        /// Version in its hello.
        theirs: u16,
        /// Ours.
        ours: u16,
    },
    /// The peer does not know our hello: another chain, or other software.
    #[error("peer does not speak {0}: another chain or other software")]
    NotSpoken(String),
    /// Its proof of a validator key does not hold.
    #[error("binding refused: {0}")]
    Binding(String),
    /// Its signed address record does not hold.
    #[error("address record refused: {0}")]
    Record(String),
    /// It refused us, in its words.
    #[error("refused by peer: {0}")]
    Refused(String),
    /// Undecodable, oversize or out of order.
    #[error("malformed hello: {0}")]
    Malformed(String),
    /// Nothing in time.
    #[error("no hello in time")]
    Timeout,
    /// The stream broke.
    #[error("stream: {0}")]
    Stream(String),
}

/// Why a signed address record is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Longer than a limit.
    #[error("{what} exceeds its limit")]
    TooLarge {
        /// What is too long.
        what: &'static str,
    },
    /// Undecodable or wrongly signed.
    #[error("{0}")]
    Envelope(String),
    /// The application refused the binding.
    #[error("binding: {0}")]
    Binding(String),
}
