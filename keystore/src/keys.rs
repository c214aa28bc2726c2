//! Key kinds, public keys and the one verification rule of each, frozen in consensus.
//!
//! | kind | public key | signature | rule |
//! |---|---|---|---|
//! | ed25519 | 32 bytes | 64 bytes | ZIP-215 (cofactored), ed25519-zebra; small order and non-canonical keys refused |
//! | secp256k1 | 33 bytes SEC1, tag 2 or 3 | r ‖ s | ECDSA, low-s |
//! | eoa | 20 byte address | r ‖ s ‖ v | recover, v 27 or 28, low-s; the zero address is refused |
//! | p256 | 33 bytes SEC1, tag 2 or 3 | r ‖ s | EIP-7951, low-s |
//!
//! The signed message is the 32-byte EIP-712 digest for all of them, taken as it is.

use crate::error::ensure;
use crate::limits::{PUBLIC_KEY_BYTES_MAX, SIGNATURE_UNITS_MAX};
use k256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rota_types::hash::keccak256_concat;
use rota_types::{Hash, Refusal, RefusalCode, keccak256};
use serde::{Deserialize, Serialize};
use std::fmt;

/// keccak256 of `"rota/key-id/v1" ‖ kind ‖ public key`; orders the keys of a config and of `auths`.
pub type KeyId = Hash;

/// Kind of a key. The number is part of the key id and of every encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum KeyKind {
    /// Ed25519, ZIP-215.
    Ed25519 = 1,
    /// ECDSA on secp256k1.
    Secp256k1 = 2,
    /// An Ethereum address; its signature is recovered.
    Eoa = 3,
    /// ECDSA on secp256r1.
    P256 = 4,
    /// A passkey: a P-256 key with its rpIdHash and flags. Known, not executed by this version.
    Webauthn = 5,
    /// Schnorr on BabyJubJub. Known, not executed by this version.
    SchnorrBjj = 6,
    /// Another keystore account. Known, not executed by this version.
    Nested = 7,
}

impl KeyKind {
    /// Every known kind.
    pub const ALL: [Self; 7] = [
        Self::Ed25519,
        Self::Secp256k1,
        Self::Eoa,
        Self::P256,
        Self::Webauthn,
        Self::SchnorrBjj,
        Self::Nested,
    ];

    /// The number in encodings.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The name in documents and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Secp256k1 => "secp256k1",
            Self::Eoa => "eoa",
            Self::P256 => "p256",
            Self::Webauthn => "webauthn",
            Self::SchnorrBjj => "schnorr-bjj",
            Self::Nested => "nested",
        }
    }

    /// Bytes of a public key of this kind.
    #[must_use]
    pub const fn public_key_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::SchnorrBjj | Self::Nested => 32,
            Self::Secp256k1 | Self::P256 => 33,
            Self::Eoa => 20,
            Self::Webauthn => 66,
        }
    }

    /// Bytes of a signature of this kind, for the kinds executed now.
    #[must_use]
    pub const fn signature_bytes(self) -> Option<usize> {
        match self {
            Self::Ed25519 | Self::Secp256k1 | Self::P256 => Some(64),
            Self::Eoa => Some(65),
            Self::Webauthn | Self::SchnorrBjj | Self::Nested => None,
        }
    }

    /// Work of verifying one signature, in units: P-256 in plain Rust costs four Ed25519 signatures.
    #[must_use]
    pub const fn units(self) -> u64 {
        match self {
            Self::Ed25519 => 1,
            Self::Secp256k1 | Self::Eoa => 2,
            _ => SIGNATURE_UNITS_MAX,
        }
    }

    /// Whether this protocol version verifies the kind.
    #[must_use]
    pub const fn is_executed(self) -> bool {
        self.signature_bytes().is_some()
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A public key with its kind. The length fits the kind; whether it is a good point, [`Self::check`] says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PublicKey {
    kind: KeyKind,
    #[serde(rename = "public_key", serialize_with = "as_hex")]
    bytes: Vec<u8>,
}

impl PublicKey {
    /// A key of `kind`.
    ///
    /// # Errors
    /// `BadConfig` if the length is not the kind's.
    pub fn new(kind: KeyKind, bytes: &[u8]) -> Result<Self, Refusal> {
        ensure(bytes.len() == kind.public_key_bytes(), RefusalCode::BadConfig)?;
        Ok(Self { kind, bytes: bytes.to_vec() })
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        keccak256_concat(&[b"rota/key-id/v1", &[self.kind.number()], &self.bytes])
    }

    /// Checks that an honest party could have made the key, and that this version verifies its kind.
    ///
    /// # Errors
    /// `UnknownKind` with the kind's number as value, or `BadConfig`.
    pub fn check(&self) -> Result<(), Refusal> {
        let ok = match self.kind {
            KeyKind::Ed25519 => self.is_good_ed25519(),
            KeyKind::Secp256k1 => self.secp256k1_point().is_some(),
            KeyKind::Eoa => self.bytes.iter().any(|byte| *byte != 0),
            KeyKind::P256 => self.p256_point().is_some(),
            KeyKind::Webauthn | KeyKind::SchnorrBjj | KeyKind::Nested => {
                return Err(unknown_kind(self.kind.number()));
            }
        };
        ensure(ok, RefusalCode::BadConfig)
    }

    /// Verifies `signature` over `digest` by the kind's rule.
    ///
    /// # Errors
    /// `UnknownKind` with the kind's number as value, or `BadSignature`.
    pub fn verify(&self, digest: &Hash, signature: &[u8]) -> Result<(), Refusal> {
        let ok = match self.kind {
            KeyKind::Ed25519 => self.verify_ed25519(digest, signature),
            KeyKind::Secp256k1 => self.verify_secp256k1(digest, signature),
            KeyKind::Eoa => decompress(|| recover_address(digest, signature))
                .is_some_and(|address| address.as_slice() == self.bytes && address != [0; 20]),
            KeyKind::P256 => self.verify_p256(digest, signature),
            KeyKind::Webauthn | KeyKind::SchnorrBjj | KeyKind::Nested => {
                return Err(unknown_kind(self.kind.number()));
            }
        };
        ensure(ok, RefusalCode::BadSignature)
    }

    /// The Ethereum address that the same secret controls, of a secp256k1 or eoa key: one signature would
    /// count for both, so a config has only one of them.
    #[must_use]
    pub fn address(&self) -> Option<[u8; 20]> {
        match self.kind {
            KeyKind::Eoa => self.bytes.as_slice().try_into().ok(),
            KeyKind::Secp256k1 => self.secp256k1_point().map(|key| address(&key)),
            _ => None,
        }
    }

    /// [`Self::check`] and [`Self::address`] for one decompression.
    pub(crate) fn checked_address(&self) -> Result<Option<[u8; 20]>, Refusal> {
        if self.kind != KeyKind::Secp256k1 {
            return self.check().map(|()| self.address());
        }
        let address = self.address();
        ensure(address.is_some(), RefusalCode::BadConfig)?;
        Ok(address)
    }

    fn secp256k1_point(&self) -> Option<k256::ecdsa::VerifyingKey> {
        let bytes = self.compressed()?;
        decompress(|| k256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).ok())
    }

    fn p256_point(&self) -> Option<p256::ecdsa::VerifyingKey> {
        let bytes = self.compressed()?;
        decompress(|| p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).ok())
    }

    /// The bytes, if they are the one form of a SEC1 point that is taken: the crates also read the compact form
    /// (tag 5), a second id of the same secret, whose one signature would count twice.
    fn compressed(&self) -> Option<&[u8]> {
        matches!(self.bytes.first(), Some(2 | 3)).then_some(self.bytes.as_slice())
    }

    fn is_good_ed25519(&self) -> bool {
        let Ok(bytes) = <[u8; 32]>::try_from(self.bytes.as_slice()) else {
            return false;
        };
        decompress(|| ed25519_dalek::VerifyingKey::from_bytes(&bytes))
            .is_ok_and(|key| !key.is_weak() && is_canonical_y(&bytes))
    }

    fn verify_ed25519(&self, digest: &Hash, signature: &[u8]) -> bool {
        <[u8; 32]>::try_from(self.bytes.as_slice())
            .is_ok_and(|key| decompress(|| ed25519_verify(&key, &digest.0, signature)))
    }

    fn verify_secp256k1(&self, digest: &Hash, signature: &[u8]) -> bool {
        let (Some(key), Some(signature)) = (self.secp256k1_point(), low_s_k256(signature)) else {
            return false;
        };
        key.verify_prehash(&digest.0, &signature).is_ok()
    }

    fn verify_p256(&self, digest: &Hash, signature: &[u8]) -> bool {
        let (Some(key), Ok(signature)) =
            (self.p256_point(), p256::ecdsa::Signature::from_slice(signature))
        else {
            return false;
        };
        signature.normalize_s() == signature && key.verify_prehash(&digest.0, &signature).is_ok()
    }
}

/// The consensus rule for Ed25519: ZIP-215, cofactored, over any message. The batch verifier of the same crate
/// gives the same answers; no other crate may judge.
#[must_use]
pub fn ed25519_verify(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    <[u8; 64]>::try_from(signature).is_ok_and(|signature| {
        ed25519_zebra::VerificationKey::try_from(*key)
            .and_then(|key| key.verify(&ed25519_zebra::Signature::from_bytes(&signature), message))
            .is_ok()
    })
}

/// Where every decompression of a key passes, the dear step of judging it; a test build counts them.
fn decompress<T>(step: impl FnOnce() -> T) -> T {
    #[cfg(test)]
    DECOMPRESSED.with(|count| count.set(count.get().saturating_add(1)));
    step()
}

#[cfg(test)]
thread_local! {
    /// Decompressions of this thread.
    pub(crate) static DECOMPRESSED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The refusal that names a kind by its number.
pub(crate) const fn unknown_kind(number: u8) -> Refusal {
    Refusal { code: RefusalCode::UnknownKind, limit: None, value: Some(number as u64) }
}

/// keccak256 of the uncompressed point, last 20 bytes.
pub(crate) fn address(key: &k256::ecdsa::VerifyingKey) -> [u8; 20] {
    let point = key.to_sec1_point(false);
    let coordinates = point.as_bytes().get(1..).unwrap_or_default();
    let Hash([_, _, _, _, _, _, _, _, _, _, _, _, address @ ..]) = keccak256(coordinates);
    address
}

/// The address that signed `digest` with `r ‖ s ‖ v`, v 27 or 28, low-s.
fn recover_address(digest: &Hash, signature: &[u8]) -> Option<[u8; 20]> {
    let (rs, v) = signature.split_at_checked(64)?;
    let odd = match v {
        [27] => false,
        [28] => true,
        _ => return None,
    };
    let signature = low_s_k256(rs)?;
    let recovery = k256::ecdsa::RecoveryId::new(odd, false);
    k256::ecdsa::VerifyingKey::recover_from_prehash(&digest.0, &signature, recovery)
        .ok()
        .map(|key| address(&key))
}

fn low_s_k256(signature: &[u8]) -> Option<k256::ecdsa::Signature> {
    let signature = k256::ecdsa::Signature::from_slice(signature).ok()?;
    (signature.normalize_s() == signature).then_some(signature)
}

/// Whether the y coordinate (little-endian, sign bit aside) is below 2²⁵⁵ − 19: one key has one id.
fn is_canonical_y(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *low < 0xed || middle.iter().any(|byte| *byte != 0xff) || high & 0x7f != 0x7f
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

const _: () = assert!(PUBLIC_KEY_BYTES_MAX == KeyKind::Webauthn.public_key_bytes());
