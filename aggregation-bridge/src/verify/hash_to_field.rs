//! A scalar from bytes, as gnark's provers derive them.
//!
//! RFC 9380's `hash_to_field` with `expand_message_xmd` over SHA-256: 48 bytes, reduced.

use ark_ff::PrimeField;
use sha2::{Digest, Sha256};

/// Bytes of a SHA-256 block.
const BLOCK: usize = 64;
/// Bytes reduced to one scalar of about 254 bits: 128 bits more, so that the bias is negligible.
const EXPANDED: u8 = 48;

/// One scalar from `message` under the domain `tag` of fewer than 256 bytes.
pub(crate) fn hash_to_field<F: PrimeField>(message: &[u8], tag: &'static str) -> F {
    let length = u8::try_from(tag.len()).unwrap_or(u8::MAX);
    let tag = [tag.as_bytes(), &[length]].concat();
    let first = Sha256::new_with_prefix([0_u8; BLOCK])
        .chain_update(message)
        .chain_update([0, EXPANDED, 0])
        .chain_update(&tag)
        .finalize();
    let one = Sha256::new_with_prefix(first).chain_update([1_u8]).chain_update(&tag).finalize();
    let mixed: Vec<u8> = first.iter().zip(&one).map(|(a, b)| a ^ b).collect();
    let two = Sha256::new_with_prefix(mixed).chain_update([2_u8]).chain_update(&tag).finalize();
    let bytes: Vec<u8> = one.iter().chain(&two).copied().take(usize::from(EXPANDED)).collect();
    F::from_be_bytes_mod_order(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::Fr;

    #[test]
    fn tags_and_messages_tell_apart() {
        let one: Fr = hash_to_field(b"a", "x");
        assert_ne!(one, hash_to_field(b"b", "x"));
        assert_ne!(one, hash_to_field(b"a", "y"));
        assert_ne!(hash_to_field::<Fr>(b"ab", "c"), hash_to_field(b"a", "bc"));
    }
}
