//! The seal: more than two thirds of weight signed one executed header.

use crate::bls::{BlsSignature, aggregate, verify_aggregate};
use crate::error::TypesError;
use crate::hash::Hash;
use crate::header::SlotHeader;
use crate::ids::Height;
use crate::keys::ValidatorKey;
use crate::validators::ValidatorSet;
use borsh::{BorshDeserialize, BorshSerialize};

/// One validator's signature over a header id.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealSignature {
    /// Height of the header.
    pub height: Height,
    /// Id of the header.
    pub header_id: Hash,
    /// Who sealed.
    pub validator: ValidatorKey,
    /// By the validator's seal key.
    pub signature: BlsSignature,
}

/// One aggregate signature and who is in it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Seal {
    /// Id of the sealed header.
    pub header_id: Hash,
    /// Sum of the signatures.
    pub signature: BlsSignature,
    /// Bit i (least significant first) for the set's i-th validator; `⌈n/8⌉` bytes, spare bits zero.
    pub bitmap: Vec<u8>,
}

impl Seal {
    /// Aggregates verified signatures of one header. `signatures` may come in any order, each signer once.
    ///
    /// # Errors
    /// An unknown or repeated signer, too little weight, or a bad point.
    pub fn aggregate(
        header_id: Hash,
        set: &ValidatorSet,
        signatures: &[(ValidatorKey, BlsSignature)],
    ) -> Result<Self, TypesError> {
        let mut bitmap = vec![0u8; set.len().div_ceil(8)];
        for (key, _) in signatures {
            let index = set
                .index_of(key)
                .ok_or_else(|| TypesError::UnknownSigner { key: key.to_string() })?;
            let bit = 1u8 << (index % 8);
            match bitmap.get_mut(index / 8) {
                Some(byte) if *byte & bit == 0 => *byte |= bit,
                _ => return Err(TypesError::NotAscending { what: "seal signers" }),
            }
        }
        set.check_quorum(signatures.iter().map(|(key, _)| key))?;
        let points: Vec<_> = signatures.iter().map(|(_, signature)| *signature).collect();
        Ok(Self { header_id, signature: aggregate(&points)?, bitmap })
    }

    /// Keys of the signers, ascending.
    ///
    /// # Errors
    /// A bitmap of the wrong length or with spare bits set.
    pub fn signers(&self, set: &ValidatorSet) -> Result<Vec<ValidatorKey>, TypesError> {
        if self.bitmap.len() != set.len().div_ceil(8) {
            return Err(TypesError::Mismatch { what: "seal bitmap length" });
        }
        let mut signers = Vec::new();
        for (byte_index, byte) in self.bitmap.iter().enumerate() {
            for bit in 0..8usize {
                if byte & (1u8 << bit) == 0 {
                    continue;
                }
                let index = byte_index.saturating_mul(8).saturating_add(bit);
                let validator = set
                    .as_slice()
                    .get(index)
                    .ok_or(TypesError::Mismatch { what: "seal bitmap spare bits" })?;
                signers.push(validator.key);
            }
        }
        Ok(signers)
    }

    /// Verifies weight and signature against the height's set.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn verify(&self, chain_id: u64, set: &ValidatorSet) -> Result<(), TypesError> {
        let signers = self.signers(set)?;
        set.check_quorum(signers.iter())?;
        let keys: Vec<_> =
            signers.iter().filter_map(|key| set.get(key)).map(|v| v.seal_key).collect();
        verify_aggregate(chain_id, &self.header_id, &keys, &self.signature)
    }
}

/// A header beside its seal. A seal names its header by id alone; with the header it says which height it is of, so that
/// nobody shows the seal of one height as that of another.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedHeader {
    /// The header.
    pub header: SlotHeader,
    /// Its seal.
    pub seal: Seal,
}

impl SealedHeader {
    /// Verifies that the header is of this chain, that the seal is over it, and the seal itself.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn verify(&self, chain_id: u64, set: &ValidatorSet) -> Result<(), TypesError> {
        self.header.check_chain(chain_id)?;
        if self.header.id() != self.seal.header_id {
            return Err(TypesError::Mismatch { what: "header of the seal" });
        }
        self.seal.verify(chain_id, set)
    }
}
