//! Canonical borsh with one accepted encoding and explicit limits.
//!
//! borsh itself refuses non-0/1 booleans and unknown enum variants, and [`decode`] refuses trailing
//! bytes; types with ordered lists (signers, bitmaps) check their order in `validate`. No protocol type holds
//! a map, a float or a signed number.

use crate::error::TypesError;
use borsh::{BorshDeserialize, BorshSerialize};

/// Encodes a protocol value.
#[must_use]
pub fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to a Vec cannot fail and protocol lists fit u32 lengths")
}

/// Decodes exactly one value from at most `limit` bytes, leaving nothing over.
///
/// # Errors
/// [`TypesError::TooLarge`] before any allocation, else [`TypesError::Undecodable`] or [`TypesError::TrailingBytes`].
pub fn decode<T: BorshDeserialize>(bytes: &[u8], limit: usize) -> Result<T, TypesError> {
    if bytes.len() > limit {
        return Err(TypesError::TooLarge { limit, found: bytes.len() });
    }
    let mut rest = bytes;
    let value = T::deserialize(&mut rest)
        .map_err(|error| TypesError::Undecodable { reason: error.to_string() })?;
    if rest.is_empty() { Ok(value) } else { Err(TypesError::TrailingBytes { count: rest.len() }) }
}
