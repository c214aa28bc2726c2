//! Messages about lanes between validators: class *certificates*, at most 16 KiB each.
//!
//! Batches themselves travel as raw frames ([`crate::Batch::frame`]) on their own class. The first byte
//! of a message says what it is; `0x10` and up are this list's, so that other messages can share the class.

use crate::limits::{HEADERS_PER_MESSAGE_MAX, LANE_MESSAGE_BYTES_MAX};
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::codec::{decode, encode};
use rota_types::limits::VALIDATORS_MAX;
use rota_types::{
    Ack, BatchCertificate, Hash, Incarnation, LanePosition, Seq, Signature, SignedBatchHeader,
    TypesError,
};

/// First byte of the first message of this list.
pub const FIRST_TAG: u8 = 0x10;
/// First byte of the last message of this list.
pub const LAST_TAG: u8 = 0x16;

/// What an acker last acknowledged in the lane of the validator it tells.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AckStatement {
    /// Generation of the lane.
    pub incarnation: Incarnation,
    /// Last place acknowledged and held, or decided.
    pub after: Seq,
    /// Header digest and signature of the acknowledgement at `after`, if one was given.
    pub last: Option<(Hash, Signature)>,
    /// Whether what follows `after` is wanted again, even if it was sent before.
    pub resend: bool,
}

/// One lane's newest certified place, as a validator tells the next proposers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TipClaim {
    /// The place.
    pub position: LanePosition,
    /// Digest of the header there.
    pub digest: Hash,
}

/// A message about lanes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum LaneMessage {
    /// From an acker to the author.
    Ack(Ack) = 0x10,
    /// From an acker to the author, on every connection and when the decided tip moves.
    Statement(AckStatement) = 0x11,
    /// From the author to all, or from anyone who was asked.
    Certificate(Box<BatchCertificate>) = 0x12,
    /// Headers of one lane, the newest first, each the child of the next.
    Headers(Vec<SignedBatchHeader>) = 0x13,
    /// Asks for the newest certificate of a lane, at this place or later.
    CertificateRequest {
        /// The place that must be covered.
        position: LanePosition,
    } = 0x14,
    /// Asks for a header and those before it.
    HeaderRequest {
        /// Digest of the newest header wanted.
        digest: Hash,
    } = 0x15,
    /// Newest certified places, by strictly ascending lane; the receiver sends what the sender lacks and
    /// asks for what it lacks itself.
    Tips(Vec<TipClaim>) = 0x16,
}

impl LaneMessage {
    /// The encoding.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes a message and checks its lists.
    ///
    /// # Errors
    /// [`TypesError`]: all of them are the sender's fault.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TypesError> {
        let message: Self = decode(bytes, LANE_MESSAGE_BYTES_MAX)?;
        let too_many = |what, limit, found| Err(TypesError::TooMany { what, limit, found });
        match &message {
            Self::Headers(list) if list.len() > HEADERS_PER_MESSAGE_MAX => {
                too_many("headers", HEADERS_PER_MESSAGE_MAX, list.len())
            }
            Self::Tips(list) if list.len() > VALIDATORS_MAX => {
                too_many("tips", VALIDATORS_MAX, list.len())
            }
            Self::Tips(list)
                if !list
                    .iter()
                    .zip(list.iter().skip(1))
                    .all(|(a, b)| a.position.lane < b.position.lane) =>
            {
                Err(TypesError::NotAscending { what: "lanes of the tips" })
            }
            _ => Ok(message),
        }
    }
}
