//! What can be wrong with bytes from outside.

use crate::ids::{RollupId, Weight};

/// A value from outside that is not what it claims to be. Wrong for ever: it follows from the bytes alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypesError {
    /// More bytes than the limit of this object.
    #[error("{found} bytes, at most {limit} are accepted")]
    TooLarge {
        /// Most bytes accepted.
        limit: usize,
        /// Bytes given.
        found: usize,
    },
    /// More items than the limit of this list.
    #[error("{found} {what}, at most {limit} are accepted")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// Most items accepted.
        limit: usize,
        /// Items given.
        found: usize,
    },
    /// Not an encoding of this type.
    #[error("undecodable: {reason}")]
    Undecodable {
        /// What the decoder met.
        reason: String,
    },
    /// Bytes after the end of the value.
    #[error("{count} trailing bytes")]
    TrailingBytes {
        /// Number of surplus bytes.
        count: usize,
    },
    /// Hex text of the wrong length or alphabet.
    #[error("expected {expected} bytes of hex, found {found:?}")]
    BadHex {
        /// Bytes expected.
        expected: usize,
        /// The text, cut to 80 characters.
        found: String,
    },
    /// An ordered list is not strictly ascending.
    #[error("{what} are not strictly ascending")]
    NotAscending {
        /// The list.
        what: &'static str,
    },
    /// A key that no honest party could have made.
    #[error("bad {what}")]
    BadKey {
        /// Which key.
        what: &'static str,
    },
    /// A signature that does not verify.
    #[error("bad signature on {what}")]
    BadSignature {
        /// The signed object.
        what: &'static str,
    },
    /// A signer that is not in the validator set.
    #[error("signer {key} is not a validator of this height")]
    UnknownSigner {
        /// Hex of the key.
        key: String,
    },
    /// Signatures of too little weight.
    #[error("signed by weight {signed} of {total}; more than two thirds are needed")]
    NoQuorum {
        /// Weight that signed.
        signed: Weight,
        /// Weight of the whole set.
        total: Weight,
    },
    /// A digest that should be equal is not.
    #[error("{what} does not match")]
    Mismatch {
        /// What was compared.
        what: &'static str,
    },
    /// A Merkle path that does not lead to the root.
    #[error("bad proof: {reason}")]
    BadProof {
        /// Which rule failed.
        reason: &'static str,
    },
    /// A rule about a whole document.
    #[error("{rule}")]
    Rule {
        /// The rule, in words.
        rule: String,
    },
    /// A rollup that is not registered.
    #[error("rollup {0} is not registered")]
    UnknownRollup(RollupId),
}
