//! What can be wrong: bytes from outside, and what must stop the node.

use rota_types::{Height, Round, TypesError};

/// A frame that no honest validator sends, or a log entry that this program did not write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Size, encoding or trailing bytes.
    #[error(transparent)]
    Types(#[from] TypesError),
    /// A list that breaks its order or bound.
    #[error("{what}")]
    Rule {
        /// Which rule.
        what: &'static str,
    },
}

/// What could no longer be held: stop signing, flush, exit 86, never restart by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// The log and the core disagree on what we signed.
    #[error("replay derived another {what} at height {height}, round {round} than the log holds")]
    ReplayDivergence {
        /// Kind of message.
        what: String,
        /// Its height.
        height: Height,
        /// Its round.
        round: Round,
    },
    /// A valid signature by our key that neither the log nor the guard knows: the key is used elsewhere.
    #[error(
        "a {what} at height {height}, round {round} carries our signature, which we did not make"
    )]
    ForeignSignature {
        /// Kind of message.
        what: &'static str,
        /// Its height.
        height: Height,
        /// Its round.
        round: Round,
    },
    /// An entry of the write-ahead log that cannot be decoded.
    #[error("entry {index} of the write-ahead log of height {height} is unreadable: {error}")]
    WalUnreadable {
        /// Height of the log.
        height: Height,
        /// Number of the entry, from 0.
        index: usize,
        /// What is wrong with it.
        error: FrameError,
    },
    /// The core built a commit certificate that does not verify.
    #[error("the certificate built for height {height} does not verify: {error}")]
    BadCertificate {
        /// Its height.
        height: Height,
        /// What is wrong with it.
        error: TypesError,
    },
    /// Weights above 2⁶⁴ / 3: thresholds could not be computed.
    #[error("the validator set of height {height} weighs more than 2^64 / 3")]
    TooHeavy {
        /// Height of the set.
        height: Height,
    },
}
