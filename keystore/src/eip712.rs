//! EIP-712 digests: what wallets show in words, and what every key kind signs.
//!
//! Domain: name `Rota Keystore`, version `1`, salt = chain id as 32 big-endian bytes. The salt and not
//! `chainId`, because wallets refuse to sign for a `chainId` they are not connected to.

use rota_types::hash::keccak256_concat;
use rota_types::{Hash, keccak256};

const DOMAIN_TYPE: &[u8] = b"EIP712Domain(string name,string version,bytes32 salt)";

/// Name of the signing domain.
pub const DOMAIN_NAME: &str = "Rota Keystore";
/// Version of the signing domain.
pub const DOMAIN_VERSION: &str = "1";

/// `keccak256(0x19 ‖ 0x01 ‖ domain separator ‖ struct hash)`.
#[must_use]
pub fn digest(domain_separator: &Hash, struct_hash: &Hash) -> Hash {
    keccak256_concat(&[&[0x19, 0x01], &domain_separator.0, &struct_hash.0])
}

/// The separator of the keystore's domain on one chain.
#[must_use]
pub fn domain_separator(chain_id: u64) -> Hash {
    Words::of_type(DOMAIN_TYPE)
        .bytes(DOMAIN_NAME.as_bytes())
        .bytes(DOMAIN_VERSION.as_bytes())
        .number(chain_id)
        .hash()
}

/// Encodes the members of one struct, each as a 32-byte word, behind the type's hash.
pub struct Words {
    encoded: Vec<u8>,
}

impl Words {
    /// Starts a struct of this type string.
    #[must_use]
    pub fn of_type(type_string: &[u8]) -> Self {
        Self { encoded: keccak256(type_string).0.to_vec() }
    }

    /// A `bytes32`, or the hash of a nested struct.
    #[must_use]
    pub fn word(mut self, word: &Hash) -> Self {
        self.encoded.extend_from_slice(&word.0);
        self
    }

    /// An unsigned number of up to 128 bits.
    #[must_use]
    pub fn number(mut self, number: impl Into<u128>) -> Self {
        self.encoded.extend_from_slice(&[0; 16]);
        self.encoded.extend_from_slice(&number.into().to_be_bytes());
        self
    }

    /// A `bytes` or `string`: its keccak256.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.word(&keccak256(bytes))
    }

    /// An `address`.
    #[must_use]
    pub fn address(mut self, address: &[u8; 20]) -> Self {
        self.encoded.extend_from_slice(&[0; 12]);
        self.encoded.extend_from_slice(address);
        self
    }

    /// `hashStruct` of EIP-712.
    #[must_use]
    pub fn hash(self) -> Hash {
        keccak256(&self.encoded)
    }
}
