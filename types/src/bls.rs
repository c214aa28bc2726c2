//! BLS12-381 seal keys: signatures in G1 (48 bytes), public keys in G2 (96 bytes), proof of possession.
//!
//! Scheme: IETF BLS signatures with proof of possession (draft-irtf-cfrg-bls-signature), minimal-signature-size,
//! hash to G1 by `XMD:SHA-256_SSWU_RO`. Many seals of one header add up to one signature.

use crate::error::TypesError;
use crate::hash::Hash;
use crate::keys::hex_bytes;
use crate::stand_in;
use crate::tags::Tag;
use blst::min_sig;
use borsh::{BorshDeserialize, BorshSerialize};

/// Domain of seals.
pub const SEAL_DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
/// Domain of proofs of possession.
pub const POSSESSION_DST: &[u8] = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

/// Compressed public key in G2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct SealKey(pub [u8; 96]);
hex_bytes!(SealKey, 96);

/// Compressed signature in G1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct BlsSignature(pub [u8; 48]);
hex_bytes!(BlsSignature, 48);

const BAD: TypesError = TypesError::BadSignature { what: "seal" };

/// The message of a seal over `header_id`.
#[must_use]
pub fn seal_digest(chain_id: u64, header_id: &Hash) -> Hash {
    Tag::Seal.digest(chain_id, &header_id.0)
}

/// A seal secret key; zeroised when dropped by the library.
pub struct SealSecret {
    secret: min_sig::SecretKey,
    public: SealKey,
}

impl SealSecret {
    fn new(secret: min_sig::SecretKey) -> Self {
        let public = SealKey(secret.sk_to_pk().to_bytes());
        Self { secret, public }
    }

    /// Derives a key from at least 32 bytes of secret material (EIP-2333 `hkdf_mod_r`).
    ///
    /// # Errors
    /// [`TypesError::BadKey`] for shorter material.
    pub fn derive(material: &[u8]) -> Result<Self, TypesError> {
        min_sig::SecretKey::key_gen(material, &[])
            .map(Self::new)
            .map_err(|_| TypesError::BadKey { what: "seal key material" })
    }

    /// From the 32-byte big-endian scalar.
    ///
    /// # Errors
    /// [`TypesError::BadKey`] for zero or a value not below the group order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TypesError> {
        min_sig::SecretKey::from_bytes(bytes)
            .map(Self::new)
            .map_err(|_| TypesError::BadKey { what: "seal secret" })
    }

    /// The 32-byte scalar, for an encrypted key file.
    #[must_use]
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.secret.to_bytes())
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> SealKey {
        self.public
    }

    /// Signs a header id.
    #[must_use]
    pub fn seal(&self, chain_id: u64, header_id: &Hash) -> BlsSignature {
        let digest = seal_digest(chain_id, header_id);
        if let Some(stand_in) = stand_in::current() {
            return stand_in.seal(&self.public, &digest);
        }
        BlsSignature(self.secret.sign(&digest.0, SEAL_DST, &[]).to_bytes())
    }

    /// Proof of possession: a signature of the own public key under its own domain.
    #[must_use]
    pub fn prove_possession(&self, chain_id: u64) -> BlsSignature {
        let message = Tag::SealPossession.digest(chain_id, &self.public_key().0);
        BlsSignature(self.secret.sign(&message.0, POSSESSION_DST, &[]).to_bytes())
    }
}

impl SealKey {
    fn parsed(&self) -> Result<min_sig::PublicKey, TypesError> {
        min_sig::PublicKey::key_validate(&self.0)
            .map_err(|_| TypesError::BadKey { what: "seal key" })
    }

    /// Verifies a proof of possession, and that the key is a valid group member.
    ///
    /// # Errors
    /// [`TypesError::BadKey`] or [`TypesError::BadSignature`].
    pub fn verify_possession(&self, chain_id: u64, proof: &BlsSignature) -> Result<(), TypesError> {
        let key = self.parsed()?;
        let message = Tag::SealPossession.digest(chain_id, &self.0);
        verify_one(&key, &message, proof, POSSESSION_DST)
    }

    /// Verifies one validator's seal.
    ///
    /// # Errors
    /// [`TypesError::BadKey`] or [`TypesError::BadSignature`].
    pub fn verify_seal(
        &self,
        chain_id: u64,
        header_id: &Hash,
        signature: &BlsSignature,
    ) -> Result<(), TypesError> {
        let digest = seal_digest(chain_id, header_id);
        if let Some(stand_in) = stand_in::current() {
            let good = stand_in.seal(self, &digest) == *signature;
            return if good { Ok(()) } else { Err(BAD) };
        }
        verify_one(&self.parsed()?, &digest, signature, SEAL_DST)
    }
}

fn verify_one(
    key: &min_sig::PublicKey,
    message: &Hash,
    signature: &BlsSignature,
    dst: &[u8],
) -> Result<(), TypesError> {
    let signature = min_sig::Signature::sig_validate(&signature.0, true).map_err(|_| BAD)?;
    match signature.verify(true, &message.0, dst, &[], key, false) {
        blst::BLST_ERROR::BLST_SUCCESS => Ok(()),
        _ => Err(BAD),
    }
}

/// Adds up signatures of one message. Each is checked for group membership, not against a key.
///
/// # Errors
/// [`TypesError::BadSignature`] for none at all, or one that is not a point of the group.
pub fn aggregate(signatures: &[BlsSignature]) -> Result<BlsSignature, TypesError> {
    if let Some(stand_in) = stand_in::current() {
        return if signatures.is_empty() { Err(BAD) } else { Ok(stand_in.sum(signatures)) };
    }
    let bytes: Vec<&[u8]> = signatures.iter().map(|s| &s.0[..]).collect();
    min_sig::AggregateSignature::aggregate_serialized(&bytes, true)
        .map(|sum| BlsSignature(sum.to_signature().to_bytes()))
        .map_err(|_| BAD)
}

/// Verifies an aggregate of seals of `header_id` by exactly `keys`, whose possession was proved before.
///
/// # Errors
/// [`TypesError::BadKey`] or [`TypesError::BadSignature`].
pub fn verify_aggregate(
    chain_id: u64,
    header_id: &Hash,
    keys: &[SealKey],
    signature: &BlsSignature,
) -> Result<(), TypesError> {
    if let Some(stand_in) = stand_in::current() {
        let digest = seal_digest(chain_id, header_id);
        let parts: Vec<_> = keys.iter().map(|key| stand_in.seal(key, &digest)).collect();
        let good = !keys.is_empty() && stand_in.sum(&parts) == *signature;
        return if good { Ok(()) } else { Err(BAD) };
    }
    let parsed = keys.iter().map(SealKey::parsed).collect::<Result<Vec<_>, _>>()?;
    let refs: Vec<&min_sig::PublicKey> = parsed.iter().collect();
    let signature = min_sig::Signature::sig_validate(&signature.0, true).map_err(|_| BAD)?;
    let message = seal_digest(chain_id, header_id);
    match signature.fast_aggregate_verify(true, &message.0, SEAL_DST, &refs) {
        blst::BLST_ERROR::BLST_SUCCESS => Ok(()),
        _ => Err(BAD),
    }
}
