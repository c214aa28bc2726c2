//! The exit leaf: a transfer of tokens or a message that leaves one network for another.

use crate::error::ExitError;
use crate::fields::Fields;
use borsh::{BorshDeserialize, BorshSerialize, io};
use rota_types::Hash;
use rota_types::hash::{keccak256, keccak256_concat};
use ruint::aliases::U256;
use std::fmt;

/// Number of a network in the ledger and its trees: dense, given at registration, never reused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize,
)]
pub struct NetworkId(pub u32);

impl NetworkId {
    /// Ethereum, where no exit of ours comes from yet.
    pub const L1: Self = Self(0);
    /// The keystore rollup; no exit leads to it.
    pub const KEYSTORE: Self = Self(1);
    /// The system rollup; no exit leads to it.
    pub const SYSTEM: Self = Self(2);
    /// The first id that a registration can be given.
    pub const FIRST_ROLLUP: Self = Self(3);

    /// Place of its local exit root under the rollup exit root; `None` for L1, which has none.
    #[must_use]
    pub const fn rollup_index(self) -> Option<u32> {
        self.0.checked_sub(1)
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A twenty-byte address, of a token contract or of a receiver.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize,
)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// The native coin of L1, and of nothing else.
    pub const ZERO: Self = Self([0; 20]);
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

/// A token, named by where it was issued.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize,
)]
pub struct TokenInfo {
    /// Network that issues it without limit. For a message: its sender's network.
    pub origin_network: NetworkId,
    /// Its contract there. For a message: the sender.
    pub origin_address: Address,
}

impl TokenInfo {
    /// The native coin of L1, in which a message's amount counts.
    pub const L1_COIN: Self = Self { origin_network: NetworkId::L1, origin_address: Address::ZERO };
}

/// What an exit carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LeafType {
    /// Tokens.
    Transfer = 0,
    /// A call with data.
    Message = 1,
}

/// Bytes of [`BridgeExit::packed`].
pub const EXIT_PACKED_BYTES: usize = 1 + 4 + 20 + 4 + 20 + 32 + 32;

/// keccak256 of no bytes: the metadata hash of an exit without metadata.
pub const EMPTY_METADATA_HASH: Hash = Hash([
    0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0,
    0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70,
]);

/// Hash of an exit's metadata; whoever carries the metadata itself is checked against it.
#[must_use]
pub fn metadata_hash(metadata: &[u8]) -> Hash {
    keccak256(metadata)
}

/// One exit. Its metadata is known by hash only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BridgeExit {
    /// Tokens or a message.
    pub leaf_type: LeafType,
    /// The token; of a message, its sender.
    pub token: TokenInfo,
    /// Where it goes.
    pub destination_network: NetworkId,
    /// Who receives it there.
    pub destination_address: Address,
    /// In the token's smallest unit; of a message in the coin of L1.
    pub amount: U256,
    /// keccak256 of the metadata.
    pub metadata_hash: Hash,
}

impl BridgeExit {
    /// Fixed-width layout, big-endian: type u8, origin network u32, origin address, destination network u32,
    /// destination address, amount u256, metadata hash.
    #[must_use]
    pub fn packed(&self) -> [u8; EXIT_PACKED_BYTES] {
        let mut bytes = [0; EXIT_PACKED_BYTES];
        let parts = [
            &[self.leaf_type as u8][..],
            &self.token.origin_network.0.to_be_bytes(),
            &self.token.origin_address.0,
            &self.destination_network.0.to_be_bytes(),
            &self.destination_address.0,
            &self.amount.to_be_bytes::<32>(),
            &self.metadata_hash.0,
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// The exit of exactly these bytes.
    ///
    /// # Errors
    /// [`ExitError::LeafType`] for a type that does not exist.
    pub fn from_packed(bytes: &[u8; EXIT_PACKED_BYTES]) -> Result<Self, ExitError> {
        let mut reader = Fields::of(bytes);
        let leaf_type = match reader.take::<1>() {
            [0] => LeafType::Transfer,
            [1] => LeafType::Message,
            [found] => return Err(ExitError::LeafType { found }),
        };
        Ok(Self {
            leaf_type,
            token: TokenInfo {
                origin_network: NetworkId(u32::from_be_bytes(reader.take())),
                origin_address: Address(reader.take()),
            },
            destination_network: NetworkId(u32::from_be_bytes(reader.take())),
            destination_address: Address(reader.take()),
            amount: U256::from_be_bytes::<32>(reader.take()),
            metadata_hash: Hash(reader.take()),
        })
    }

    /// The leaf of the local exit tree: keccak256 of [`Self::packed`].
    #[must_use]
    pub fn hash(&self) -> Hash {
        keccak256(&self.packed())
    }

    /// In which token [`Self::amount`] counts.
    #[must_use]
    pub const fn amount_token(&self) -> TokenInfo {
        match self.leaf_type {
            LeafType::Transfer => self.token,
            LeafType::Message => TokenInfo::L1_COIN,
        }
    }
}

impl BorshSerialize for BridgeExit {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(&self.packed())
    }
}

impl BorshDeserialize for BridgeExit {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let mut bytes = [0; EXIT_PACKED_BYTES];
        reader.read_exact(&mut bytes)?;
        Self::from_packed(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
    }
}

/// AggLayer's hash of a list: keccak256 of the concatenation of the items' hashes.
pub(super) fn list_hash(hashes: &[Hash]) -> Hash {
    let parts: Vec<&[u8]> = hashes.iter().map(|hash| &hash.0[..]).collect();
    keccak256_concat(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit() -> BridgeExit {
        BridgeExit {
            leaf_type: LeafType::Message,
            token: TokenInfo { origin_network: NetworkId(7), origin_address: Address([1; 20]) },
            destination_network: NetworkId(9),
            destination_address: Address([2; 20]),
            amount: U256::from(0x0102_0304u64),
            metadata_hash: EMPTY_METADATA_HASH,
        }
    }

    #[test]
    fn packing_is_the_written_layout_and_comes_back() {
        let packed = exit().packed();
        assert_eq!(packed[..5], [1, 0, 0, 0, 7]);
        assert_eq!(packed[25..29], [0, 0, 0, 9]);
        assert_eq!(packed[77..81], [1, 2, 3, 4]);
        assert_eq!(BridgeExit::from_packed(&packed).unwrap(), exit());
        assert_eq!(metadata_hash(b""), EMPTY_METADATA_HASH);
    }

    #[test]
    fn a_leaf_type_that_does_not_exist_is_refused() {
        let mut packed = exit().packed();
        packed[0] = 2;
        assert_eq!(BridgeExit::from_packed(&packed), Err(ExitError::LeafType { found: 2 }));
        assert!(borsh::from_slice::<BridgeExit>(&packed).is_err());
    }

    #[test]
    fn a_message_counts_in_the_coin_of_l1() {
        assert_eq!(exit().amount_token(), TokenInfo::L1_COIN);
        let transfer = BridgeExit { leaf_type: LeafType::Transfer, ..exit() };
        assert_eq!(transfer.amount_token(), transfer.token);
    }
}
