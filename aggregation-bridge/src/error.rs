//! What can be wrong with what the bridge is given: wrong for ever, or refused now.

use crate::exits::{NetworkId, TokenInfo};

/// An exit, an index or a path that is not what it claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExitError {
    /// A leaf type other than transfer and message.
    #[error("leaf type {found} does not exist; 0 is a transfer, 1 a message")]
    LeafType {
        /// The byte given.
        found: u8,
    },
    /// A local exit tree holds 2³² − 1 leaves already.
    #[error("the local exit tree is full")]
    TreeFull,
    /// A number that names no leaf.
    #[error("the global index sets bits that no leaf sets")]
    GlobalIndex,
    /// An exit of L1 proved like one of a rollup, or the other way round.
    #[error("index and proof disagree on whether the exit comes from L1")]
    Mainnet,
    /// A step of a proof that leads elsewhere.
    #[error("the path fails at the {step}")]
    Path {
        /// Where it fails.
        step: &'static str,
    },
    /// A statement of another version.
    #[error("statement of version {found}, only 1 is known")]
    StatementVersion {
        /// The version given.
        found: u16,
    },
}

/// Why the ledger refuses a transition, a claim or a change. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No rollup is registered under this id.
    #[error("network {network} is no registered rollup")]
    UnknownNetwork {
        /// The id.
        network: NetworkId,
    },
    /// The network is paused: try again when it is open.
    #[error("network {network} is paused")]
    Paused {
        /// The id.
        network: NetworkId,
    },
    /// The network is closed for ever.
    #[error("network {network} is closed")]
    Closed {
        /// The id.
        network: NetworkId,
    },
    /// More exits than a transition may carry: prove a shorter range.
    #[error("{found} exits, at most {limit} are accepted", limit = crate::limits::EXITS_MAX)]
    TooManyExits {
        /// Exits given.
        found: usize,
    },
    /// The list given is not the one that was proven.
    #[error("the exits are not those of the statement")]
    ExitsMismatch,
    /// An exit to its own network.
    #[error("exit {position} leads to its own network")]
    ToItself {
        /// Its place in the list.
        position: usize,
    },
    /// The zero address names the coin of L1 only.
    #[error("exit {position} names token zero of a network other than L1")]
    ZeroToken {
        /// Its place in the list.
        position: usize,
    },
    /// A message whose sender is said to be on another network.
    #[error("exit {position} is a message whose sender is not on its own network")]
    ForeignSender {
        /// Its place in the list.
        position: usize,
    },
    /// A message with an amount, which must be zero.
    #[error("exit {position} is a message with an amount")]
    MessageAmount {
        /// Its place in the list.
        position: usize,
    },
    /// More leaves than was ever bridged in.
    #[error("the source holds less than it sends of {token:?}")]
    Balance {
        /// The token.
        token: TokenInfo,
    },
    /// The receiver could not count it.
    #[error("exit {position} is more than network {network} can hold")]
    NoRoom {
        /// Its place in the list.
        position: usize,
        /// The receiver.
        network: NetworkId,
    },
    /// The receiver's inbox is full in this height: try again in the next.
    #[error("the inbox of network {network} is full in this height")]
    InboxFull {
        /// The receiver.
        network: NetworkId,
    },
    /// The cap's queue is full: try again when it has drained.
    #[error("the queue of held exits of {token:?} is full")]
    HeldFull {
        /// The token.
        token: TokenInfo,
    },
    /// The destination receives by inbox: a claim would be a second delivery.
    #[error("network {network} receives by inbox, not by claims")]
    NoClaims {
        /// The destination.
        network: NetworkId,
    },
    /// The exit was claimed before.
    #[error("the exit was claimed already")]
    Claimed,
    /// A path to no root of the last heights: make it anew.
    #[error("the path leads to no global exit root of the last heights")]
    UnknownRoot,
    /// An exit or index that cannot be.
    #[error(transparent)]
    Exit(#[from] ExitError),
    /// The mode of L1, which no rollup has.
    #[error("mode foreign is for L1 alone; register with inbox or claims")]
    Foreign,
    /// Amounts take 1 to 128 bits.
    #[error("amount_bits must be 1 to 128")]
    AmountBits,
    /// No further network can be registered.
    #[error("at most {limit} networks are registered", limit = crate::limits::NETWORKS_MAX)]
    TooManyNetworks,
    /// The window of a cap is 1 to 3,600 slots.
    #[error("a cap's window is 1 to {limit} slots", limit = crate::limits::CAP_WINDOW_SLOTS_MAX)]
    CapWindow,
    /// No further cap for this network: lift one first.
    #[error("a network has at most {limit} caps", limit = crate::limits::CAPS_MAX)]
    TooManyCaps,
}

/// Why a statement does not fit the proven head of its rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It begins before the proven head: another proof was faster.
    #[error("the range is proven already")]
    Stale,
    /// It begins after the proven head: the proof in between is missing.
    #[error("the range begins after the proven head")]
    Gap,
    /// It speaks of a height that is not executed yet.
    #[error("the range ends after the last executed height")]
    Unexecuted,
    /// Another version of the layout.
    #[error("unknown version of the statement")]
    Version,
    /// Another rule than the one whose key verifies it.
    #[error("the statement names another rule")]
    Rule,
    /// More exits than a transition may carry.
    #[error("the statement has more than {limit} exits", limit = crate::limits::EXITS_MAX)]
    TooManyExits,
    /// Nothing is processed.
    #[error("the range is empty")]
    EmptyRange,
    /// A cursor inside a height.
    #[error("the range does not begin and end at the end of a height")]
    NoBoundary,
    /// Another inbox before the range: of another rollup, chain, configuration or fork.
    #[error("the inbox before the range is not the rollup's")]
    PreInbox,
    /// Another inbox after the range.
    #[error("the inbox after the range is not the rollup's")]
    PostInbox,
    /// Another state before the range.
    #[error("the state before the range is not the proven one")]
    PreState,
    /// A field of the statement is no element of the circuit's field.
    #[error("a field of the statement is not below the circuit's modulus")]
    NotAScalar,
    /// Too much waits for a proof: prove before more is taken.
    #[error("the inbox is full")]
    InboxFull,
}

impl Unfit {
    /// Whether the same statement may fit later.
    #[must_use]
    pub const fn is_early(self) -> bool {
        matches!(self, Self::Gap | Self::Unexecuted)
    }

    /// Reason code of an `Invalid` verdict, from 0x0100; 0 for what is no fault: stale, early or full.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Stale | Self::Gap | Self::Unexecuted | Self::InboxFull => 0,
            Self::Version => 0x0101,
            Self::Rule => 0x0102,
            Self::TooManyExits => 0x0103,
            Self::EmptyRange => 0x0104,
            Self::NoBoundary => 0x0105,
            Self::PreInbox => 0x0106,
            Self::PostInbox => 0x0107,
            Self::PreState => 0x0108,
            Self::NotAScalar => 0x0109,
        }
    }
}

impl Refused {
    /// Whether the same transition may be accepted in a later height.
    #[must_use]
    pub const fn is_early(&self) -> bool {
        matches!(self, Self::Paused { .. } | Self::InboxFull { .. } | Self::HeldFull { .. })
    }

    /// Reason code of an `Invalid` verdict, from 0x0200; 0 for what no proof can cause.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::UnknownNetwork { .. } => 0x0201,
            Self::Paused { .. } => 0x0202,
            Self::Closed { .. } => 0x0203,
            Self::TooManyExits { .. } => 0x0204,
            Self::ExitsMismatch => 0x0205,
            Self::ToItself { .. } => 0x0206,
            Self::ZeroToken { .. } => 0x0207,
            Self::ForeignSender { .. } => 0x0208,
            Self::MessageAmount { .. } => 0x0209,
            Self::Balance { .. } => 0x020a,
            Self::NoRoom { .. } => 0x020b,
            Self::InboxFull { .. } => 0x020c,
            Self::HeldFull { .. } => 0x020d,
            Self::NoClaims { .. }
            | Self::Claimed
            | Self::UnknownRoot
            | Self::Exit(_)
            | Self::Foreign
            | Self::AmountBits
            | Self::TooManyNetworks
            | Self::CapWindow
            | Self::TooManyCaps => 0,
        }
    }
}
