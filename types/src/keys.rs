//! Ed25519 keys of validators: ed25519-dalek signs, ed25519-zebra verifies by ZIP-215.
//!
//! One verification rule, single and batch alike, for every signature that consensus judges:
//! dalek's `verify` and `verify_batch` differ on edge cases and would split honest nodes.

use crate::error::TypesError;
use crate::hash::{Hash, keccak256_concat};
use crate::stand_in;
use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_dalek::Signer as _;
use rand_core::SeedableRng as _;

/// Implements hex text forms (`Display`, `Debug`, `FromStr`, serde as a string) for a byte newtype.
macro_rules! hex_bytes {
    ($name:ident, $len:expr) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::error::TypesError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0u8; $len];
                let digits = text.strip_prefix("0x").unwrap_or(text);
                hex::decode_to_slice(digits, &mut bytes).map_err(|_| {
                    $crate::error::TypesError::BadHex {
                        expected: $len,
                        found: text.chars().take(80).collect(),
                    }
                })?;
                Ok(Self(bytes))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&hex::encode(self.0))
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use hex_bytes;

/// A validator's Ed25519 public key; it names the validator and its lane everywhere.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct ValidatorKey(pub [u8; 32]);
hex_bytes!(ValidatorKey, 32);

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 64]);
hex_bytes!(Signature, 64);

impl ValidatorKey {
    /// Verifies `signature` over `digest` by ZIP-215.
    ///
    /// # Errors
    /// [`TypesError::BadSignature`] naming `what`.
    pub fn verify(
        &self,
        digest: &Hash,
        signature: &Signature,
        what: &'static str,
    ) -> Result<(), TypesError> {
        if let Some(stand_in) = stand_in::current() {
            let good = stand_in.signature(self, digest) == *signature;
            return if good { Ok(()) } else { Err(TypesError::BadSignature { what }) };
        }
        ed25519_zebra::VerificationKey::try_from(self.0)
            .and_then(|key| {
                key.verify(&ed25519_zebra::Signature::from_bytes(&signature.0), &digest.0)
            })
            .map_err(|_| TypesError::BadSignature { what })
    }
}

/// Verifies many signatures at once, by the same rule as [`ValidatorKey::verify`].
///
/// The combination's coefficients come from the items themselves, so that the call is deterministic.
///
/// # Errors
/// [`TypesError::BadSignature`] if any of them is wrong.
pub fn verify_batch(
    items: &[(ValidatorKey, Hash, Signature)],
    what: &'static str,
) -> Result<(), TypesError> {
    if let [(key, digest, signature)] = items {
        return key.verify(digest, signature, what);
    }
    if stand_in::current().is_some() {
        return items.iter().try_for_each(|(key, digest, sig)| key.verify(digest, sig, what));
    }
    let mut transcript: Vec<&[u8]> = Vec::with_capacity(items.len().saturating_mul(3));
    let mut verifier = ed25519_zebra::batch::Verifier::new();
    for (key, digest, signature) in items {
        transcript.extend([&key.0[..], &digest.0[..], &signature.0[..]]);
        verifier.queue((
            ed25519_zebra::VerificationKeyBytes::from(key.0),
            ed25519_zebra::Signature::from_bytes(&signature.0),
            &digest.0,
        ));
    }
    let seed = keccak256_concat(&transcript);
    let rng = rand_chacha::ChaCha20Rng::from_seed(seed.0);
    verifier.verify(rng).map_err(|_| TypesError::BadSignature { what })
}

/// Holds a validator key and signs digests that the guard allowed.
pub trait Signer: Send + Sync {
    /// The public key of this signer.
    fn public_key(&self) -> ValidatorKey;
    /// Signs a domain-separated digest.
    fn sign(&self, digest: &Hash) -> Signature;
}

/// A signer whose key is in this process.
pub struct Ed25519Signer(ed25519_dalek::SigningKey);

impl Ed25519Signer {
    /// From the 32-byte seed of RFC 8032.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }
}

impl Signer for Ed25519Signer {
    fn public_key(&self) -> ValidatorKey {
        ValidatorKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, digest: &Hash) -> Signature {
        if let Some(stand_in) = stand_in::current() {
            return stand_in.signature(&self.public_key(), digest);
        }
        Signature(self.0.sign(&digest.0).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::keccak256;

    #[test]
    fn batch_agrees_with_single_on_good_and_bad() {
        let mut items = Vec::new();
        for i in 0..5u8 {
            let signer = Ed25519Signer::from_seed(&[i; 32]);
            let digest = keccak256(&[i]);
            items.push((signer.public_key(), digest, signer.sign(&digest)));
        }
        verify_batch(&items, "test").unwrap();
        items[3].1 = keccak256(b"other");
        assert!(verify_batch(&items, "test").is_err());
        assert!(items[3].0.verify(&items[3].1, &items[3].2, "test").is_err());
        verify_batch(&[], "none").unwrap();
    }

    #[test]
    fn hex_text_round_trips_and_refuses_other_lengths() {
        let key = ValidatorKey([0xab; 32]);
        assert_eq!(key.to_string().parse::<ValidatorKey>().unwrap(), key);
        assert!("abcd".parse::<ValidatorKey>().is_err());
    }
}
