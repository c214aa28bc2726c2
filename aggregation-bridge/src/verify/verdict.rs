//! What a verifier says of a proof, and why.

use std::fmt;

/// What is true of a proof, the same on every validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The proof holds for this key and these inputs.
    Valid,
    /// It does not, for this reason.
    Invalid(Reason),
    /// No verifier of this version knows the system, release or option that the selector names.
    Unsupported(Selector),
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => out.write_str("Valid"),
            Self::Invalid(reason) => write!(out, "Invalid({reason})"),
            Self::Unsupported(selector) => write!(out, "Unsupported({selector})"),
        }
    }
}

/// What this version does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// A release's four bytes at the head of a proof, as SP1 and RISC Zero put them.
    Release(u32),
    /// A system or an option of one, by name.
    Named(&'static str),
}

impl fmt::Display for Selector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(bytes) => write!(out, "release 0x{bytes:08x}"),
            Self::Named(name) => out.write_str(name),
        }
    }
}

/// What is wrong with the bytes of a point or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NonCanonical,
    OffCurve,
    OffSubgroup,
    Infinity,
}

/// Whose bytes are at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Proof,
    Inputs,
}

impl Part {
    /// The reason for a fault in this part.
    pub(crate) const fn reason(self, fault: Fault) -> Reason {
        match (self, fault) {
            (Self::Inputs, _) => Reason::InputNonCanonical,
            (Self::Key, Fault::NonCanonical) => Reason::KeyNonCanonical,
            (Self::Key, Fault::OffCurve) => Reason::KeyOffCurve,
            (Self::Key, Fault::OffSubgroup) => Reason::KeyOffSubgroup,
            (Self::Key, Fault::Infinity) => Reason::KeyInfinity,
            (Self::Proof, Fault::NonCanonical) => Reason::ProofNonCanonical,
            (Self::Proof, Fault::OffCurve) => Reason::ProofOffCurve,
            (Self::Proof, Fault::OffSubgroup) => Reason::ProofOffSubgroup,
            (Self::Proof, Fault::Infinity) => Reason::ProofInfinity,
        }
    }
}

/// Why a proof is invalid. The number is what a verdict's leaf carries; it never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[repr(u16)]
pub enum Reason {
    /// The key is longer or shorter than its system's keys, or asks for more inputs than the limit.
    #[error("the key's length is not one of its system's")]
    KeyLength = 1,
    /// A coordinate or number of the key is not below its modulus, or its encoding is one of several.
    #[error("a number in the key is not canonical")]
    KeyNonCanonical = 2,
    /// A point of the key does not lie on the curve.
    #[error("a point of the key is off the curve")]
    KeyOffCurve = 3,
    /// A point of the key lies outside the subgroup of prime order.
    #[error("a point of the key is outside the subgroup")]
    KeyOffSubgroup = 4,
    /// A point of the key is the point at infinity.
    #[error("a point of the key is the point at infinity")]
    KeyInfinity = 5,
    /// The key's parameters contradict each other: a domain, generator, index or count.
    #[error("the key's parameters contradict each other")]
    KeyParameters = 6,
    /// The proof is longer or shorter than its system's proofs.
    #[error("the proof's length is not its system's")]
    ProofLength = 16,
    /// A coordinate or number of the proof is not below its modulus, or its encoding is one of several.
    #[error("a number in the proof is not canonical")]
    ProofNonCanonical = 17,
    /// A point of the proof does not lie on the curve.
    #[error("a point of the proof is off the curve")]
    ProofOffCurve = 18,
    /// A point of the proof lies outside the subgroup of prime order.
    #[error("a point of the proof is outside the subgroup")]
    ProofOffSubgroup = 19,
    /// A point of the proof is the point at infinity, where none may be.
    #[error("a point of the proof is the point at infinity")]
    ProofInfinity = 20,
    /// Fewer inputs than the key asks for, or a part of one.
    #[error("fewer public inputs than the key asks for")]
    MissingInputs = 32,
    /// More inputs than the key asks for.
    #[error("more public inputs than the key asks for")]
    SurplusInputs = 33,
    /// An input is not below the order of the scalar field.
    #[error("a public input is not below the field's order")]
    InputNonCanonical = 34,
    /// Everything is well formed, and the equation does not hold: another statement, key or proof.
    #[error("the proof does not hold for this key and these inputs")]
    Equation = 48,
    /// The proof of knowledge of a commitment does not hold.
    #[error("the proof of knowledge of the commitment does not hold")]
    Commitment = 49,
    /// The proof is of another release than the rule names.
    #[error("the proof is of another release than the rule")]
    WrongRelease = 64,
    /// The program did not end with exit code 0.
    #[error("the program's exit code is not 0")]
    ExitCode = 65,
    /// The proof names another root of recursion keys than its release's.
    #[error("the root of recursion keys is not the release's")]
    WrongRoot = 66,
}

impl Reason {
    /// The number in a verdict's leaf.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }
}
