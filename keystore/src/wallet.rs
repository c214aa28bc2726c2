//! The signing side, pure: keys, configs and signed envelopes for wallets, the command line and tests.
//!
//! Secrets are held by the signature crates' own key types, which erase them when dropped.

use crate::config::{Config, Key, KeystoreId, Role};
use crate::envelope::{Auth, Envelope, Init};
use crate::keys::{KeyId, KeyKind, PublicKey, address, unknown_kind};
use crate::op::{FreezeAuthority, Op};
use ed25519_dalek::Signer as _;
use k256::ecdsa::signature::hazmat::PrehashSigner as _;
use rota_types::{Hash, Refusal, RefusalCode, Slot};

/// A secret key of a kind that this version executes.
pub struct WalletKey {
    secret: Secret,
    public_key: PublicKey,
}

enum Secret {
    Ed25519(ed25519_dalek::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
    Eoa(k256::ecdsa::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl WalletKey {
    /// From 32 secret bytes: the seed of RFC 8032, or a scalar.
    ///
    /// # Errors
    /// `UnknownKind` for a kind that this version does not execute, `BadConfig` for a scalar out of range.
    pub fn from_secret(kind: KeyKind, secret: &[u8; 32]) -> Result<Self, Refusal> {
        let out_of_range = || Refusal::new(RefusalCode::BadConfig);
        let secp256k1 = || k256::ecdsa::SigningKey::from_slice(secret).map_err(|_| out_of_range());
        let (secret, public_key) = match kind {
            KeyKind::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(secret);
                let public = key.verifying_key().to_bytes().to_vec();
                (Secret::Ed25519(key), public)
            }
            KeyKind::Secp256k1 => {
                let key = secp256k1()?;
                let public = key.verifying_key().to_sec1_point(true).as_bytes().to_vec();
                (Secret::Secp256k1(key), public)
            }
            KeyKind::Eoa => {
                let key = secp256k1()?;
                let public = address(key.verifying_key()).to_vec();
                (Secret::Eoa(key), public)
            }
            KeyKind::P256 => {
                let key =
                    p256::ecdsa::SigningKey::from_slice(secret).map_err(|_| out_of_range())?;
                let public = key.verifying_key().to_sec1_point(true).as_bytes().to_vec();
                (Secret::P256(key), public)
            }
            KeyKind::Webauthn | KeyKind::SchnorrBjj | KeyKind::Nested => {
                return Err(unknown_kind(kind.number()));
            }
        };
        Ok(Self { secret, public_key: PublicKey::new(kind, &public_key)? })
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The key's id.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.public_key.id()
    }

    /// Signs a digest by the kind's rule; deterministic, low-s.
    ///
    /// # Errors
    /// `BadSignature` if the signature crate gives none, which happens with negligible probability.
    pub fn sign(&self, digest: &Hash) -> Result<Vec<u8>, Refusal> {
        let none = |_| Refusal::new(RefusalCode::BadSignature);
        match &self.secret {
            Secret::Ed25519(key) => Ok(key.sign(&digest.0).to_bytes().to_vec()),
            Secret::Secp256k1(key) => {
                let signature: k256::ecdsa::Signature =
                    key.sign_prehash(&digest.0).map_err(none)?;
                Ok(signature.normalize_s().to_vec())
            }
            Secret::Eoa(key) => {
                let (signature, recovery): (k256::ecdsa::Signature, k256::ecdsa::RecoveryId) =
                    key.sign_prehash(&digest.0).map_err(none)?;
                let mut bytes = signature.to_vec();
                bytes.push(if recovery.is_y_odd() { 28 } else { 27 });
                Ok(bytes)
            }
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.sign_prehash(&digest.0).map_err(none)?;
                Ok(signature.normalize_s().to_vec())
            }
        }
    }
}

/// The config of a single key that may do everything.
#[must_use]
pub fn single_key_config(public_key: PublicKey) -> Config {
    Config::of_keys(vec![Key::all_roles(public_key)], [1; Role::ALL.len()])
}

/// Everything of an envelope but the signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The network.
    pub chain_id: u64,
    /// The account.
    pub keystore_id: KeystoreId,
    /// Next sequence number of lane 0; 0 for a freeze.
    pub seq: u64,
    /// Last slot in which it may run.
    pub valid_until_slot: Slot,
    /// Creates the account if it has no leaf yet. Never with a freeze.
    pub init: Option<Init>,
    /// What is done.
    pub op: Op,
}

impl Request {
    /// Creates the account and does nothing else.
    #[must_use]
    pub fn init(chain_id: u64, init: Init, valid_until_slot: Slot) -> Self {
        let keystore_id = init.keystore_id();
        Self { chain_id, keystore_id, seq: 0, valid_until_slot, init: Some(init), op: Op::Init }
    }

    /// The unsigned envelope.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        Envelope {
            chain_id: self.chain_id,
            keystore_id: self.keystore_id,
            lane: 0,
            seq: self.seq,
            valid_until_slot: self.valid_until_slot,
            max_fee: 0,
            sponsor: None,
            init: self.init.clone(),
            op: self.op.clone(),
            auths: vec![],
        }
    }

    /// Signs with every key given and encodes: the payload of a transaction of rollup 0. A key change needs
    /// the keys that meet the CONFIG threshold of the old and of the new config, and no more.
    ///
    /// # Errors
    /// As [`WalletKey::sign`].
    pub fn sign(&self, keys: &[&WalletKey]) -> Result<Vec<u8>, Refusal> {
        let mut envelope = self.envelope();
        let digest = envelope.digest();
        for key in keys {
            let signature = key.sign(&digest)?;
            envelope.auths.push(Auth { public_key: key.public_key.clone(), signature });
        }
        envelope.auths.sort_by_cached_key(Auth::key_id);
        Ok(envelope.to_bytes())
    }
}

/// The operation that replaces `old_key` by `new_key` with the same weight, roles, end and policy.
///
/// # Errors
/// `UnknownKey` if the config has no such key.
pub fn rotate(config: &Config, old_key: &KeyId, new_key: PublicKey) -> Result<Op, Refusal> {
    let old = config.key(old_key).ok_or_else(|| Refusal::new(RefusalCode::UnknownKey))?;
    Ok(Op::RotateKey {
        previous_config_hash: config.hash(),
        old_key: *old_key,
        new_key: Key { public_key: new_key, ..old.clone() },
    })
}

/// The operation that freezes until `until` (exclusive), for an account seen with these counters.
#[must_use]
pub const fn freeze(
    until: Slot,
    config_seq: u64,
    freeze_count: u64,
    authority: FreezeAuthority,
) -> Op {
    Op::Freeze { until, config_seq, freeze_count, authority }
}
