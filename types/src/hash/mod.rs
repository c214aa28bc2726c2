//! keccak256, the one hash of the protocol: everything another chain may check is under it.

mod many;
#[cfg(target_arch = "x86_64")]
mod permutation;

pub use many::keccak256_all;

use borsh::{BorshDeserialize, BorshSerialize};
use keccak_asm::Digest as _;

/// A 32-byte keccak256 digest. Ordered bytewise; `Hash::ZERO` stands for "none" where a rule says so.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Thirty-two zero bytes: the parent of the first height, the root of an empty tree.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest as a slice.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Bit `index` counted from the most significant bit of the first byte; `false` past the end.
    #[must_use]
    pub fn bit(&self, index: usize) -> bool {
        self.0.get(index / 8).is_some_and(|byte| byte & (0x80 >> (index % 8)) != 0)
    }

    /// First eight bytes as a big-endian number, for choices that hash to a range.
    #[must_use]
    pub fn prefix_u64(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

crate::keys::hex_bytes!(Hash, 32);

/// keccak256 of one slice.
#[must_use]
pub fn keccak256(bytes: &[u8]) -> Hash {
    Hash(keccak_asm::Keccak256::digest(bytes).into())
}

/// keccak256 of the concatenation of `parts`, without building it.
#[must_use]
pub fn keccak256_concat(parts: &[&[u8]]) -> Hash {
    let mut hasher = keccak_asm::Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keccak_of_nothing_is_the_known_digest() {
        assert_eq!(
            keccak256(b"").to_string(),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        assert_eq!(keccak256_concat(&[b"ab", b"c"]), keccak256(b"abc"));
    }

    #[test]
    fn bits_count_from_the_most_significant() {
        let mut hash = Hash::ZERO;
        hash.0[0] = 0x80;
        assert!(hash.bit(0) && !hash.bit(1) && !hash.bit(256));
    }
}
