//! Messages about seals between validators: class *certificates*, first bytes `0x20` and up.

use crate::limits::SEAL_MESSAGE_BYTES_MAX;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::codec::{decode, encode};
use rota_types::{SealSignature, SealedHeader, SlotHeader, TypesError};

/// First byte of the first message of this list.
pub const FIRST_TAG: u8 = 0x20;
/// First byte of the last message of this list.
pub const LAST_TAG: u8 = 0x22;

/// A message about seals.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum SealMessage {
    /// From a validator: its own signature over an executed header.
    Signature(SealSignature) = 0x20,
    /// To a validator that still signs a height that is sealed here.
    Seal(Box<SealedHeader>) = 0x21,
    /// To a validator that signed another header: the one executed here.
    Header(Box<SlotHeader>) = 0x22,
}

impl SealMessage {
    /// The encoding.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes at most [`SEAL_MESSAGE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`TypesError`]: all of them are the sender's fault.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TypesError> {
        decode(bytes, SEAL_MESSAGE_BYTES_MAX)
    }
}
