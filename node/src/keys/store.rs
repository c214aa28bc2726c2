//! The three key files of a home, written once and read at start.

use super::error::KeyError;
use super::file::{Cost, KEY_FILE_BYTES_MAX, KeyFile, KeyMeta};
use super::password::Password;
use crate::error::{ExitCode, OperatorError};
use crate::home::{Home, read_text, write_new_secret};
use rota_types::bls::SealSecret;
use rota_types::{Ed25519Signer, Signer as _, ValidatorKey};
use std::path::Path;
use zeroize::Zeroizing;

/// What a key of the home is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyRole {
    /// libp2p identity.
    Node,
    /// Batches, acknowledgements, votes, receipts.
    Validator,
    /// Seals.
    Seal,
}

impl KeyRole {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Node, Self::Validator, Self::Seal];

    /// Name of its file.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Node => "node.json",
            Self::Validator => "validator.json",
            Self::Seal => "seal.json",
        }
    }

    /// Name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Validator => "validator",
            Self::Seal => "seal",
        }
    }

    /// Public key of a secret, hex.
    ///
    /// # Errors
    /// [`KeyError::BadSecret`].
    pub fn public_hex(self, secret: &[u8]) -> Result<String, KeyError> {
        match self {
            Self::Node | Self::Validator => {
                let seed = seed_of(secret)?;
                Ok(Ed25519Signer::from_seed(&seed).public_key().to_string())
            }
            Self::Seal => SealSecret::from_bytes(secret)
                .map(|secret| secret.public_key().to_string())
                .map_err(|_| KeyError::BadSecret { what: "BLS12-381 scalar" }),
        }
    }
}

impl std::str::FromStr for KeyRole {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("{text:?} is none of node, validator, seal"))
    }
}

fn seed_of(secret: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    <[u8; 32]>::try_from(secret)
        .map(Zeroizing::new)
        .map_err(|_| KeyError::BadSecret { what: "ed25519 seed of 32 bytes" })
}

/// The keys of a home, decrypted.
pub struct NodeKeys {
    /// Seed of the libp2p identity.
    pub node_seed: Zeroizing<[u8; 32]>,
    /// Seed of the validator key; none on a full node.
    pub validator_seed: Option<Zeroizing<[u8; 32]>>,
    /// The seal key; there exactly if the validator key is.
    pub seal: Option<SealSecret>,
}

impl NodeKeys {
    /// Fresh keys from the system's randomness.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn generate(validator: bool) -> Result<Self, KeyError> {
        let seed = || -> Result<Zeroizing<[u8; 32]>, KeyError> {
            let mut bytes = Zeroizing::new([0; 32]);
            getrandom::fill(bytes.as_mut())
                .map_err(|error| KeyError::NoRandomness { reason: error.to_string() })?;
            Ok(bytes)
        };
        let node_seed = seed()?;
        if !validator {
            return Ok(Self { node_seed, validator_seed: None, seal: None });
        }
        let seal = SealSecret::derive(seed()?.as_ref())
            .map_err(|_| KeyError::BadSecret { what: "BLS12-381 scalar" })?;
        Ok(Self { node_seed, validator_seed: Some(seed()?), seal: Some(seal) })
    }

    /// Public key of the validator, if this is one.
    #[must_use]
    pub fn validator_key(&self) -> Option<ValidatorKey> {
        self.validator_signer().map(|signer| signer.public_key())
    }

    /// Signer of the validator key, if this is one.
    #[must_use]
    pub fn validator_signer(&self) -> Option<Ed25519Signer> {
        self.validator_seed.as_ref().map(|seed| Ed25519Signer::from_seed(seed))
    }
}

/// Writes an encrypted key to a new file; nothing is overwritten.
///
/// # Errors
/// Cannot-create if it exists, or I/O.
pub fn write_key_file(path: &Path, file: &KeyFile) -> Result<(), OperatorError> {
    let mut text = file.to_json();
    text.push('\n');
    write_new_secret(path, text.as_bytes())
}

/// Reads an encrypted key.
///
/// # Errors
/// Missing-input, permission, or config if it is none.
pub fn read_key_file(path: &Path) -> Result<KeyFile, OperatorError> {
    let text = read_text(path, KEY_FILE_BYTES_MAX)?;
    KeyFile::from_json(&text).map_err(|error| error.about(&path.display().to_string()))
}

fn save(
    home: &Home,
    role: KeyRole,
    secret: &[u8],
    password: &Password,
    cost: Cost,
) -> Result<(), OperatorError> {
    let path = home.key_file(role);
    let name = path.display().to_string();
    let meta = || -> Result<KeyMeta, KeyError> {
        let description = format!("rota {} key", role.name());
        // A path is required by the layout; keys that were not derived have none.
        Ok(KeyMeta { pubkey: role.public_hex(secret)?, path: String::new(), description })
    };
    let file = meta().and_then(|meta| KeyFile::encrypt(secret, password, meta, cost));
    write_key_file(&path, &file.map_err(|error| error.about(&name))?)
}

/// Writes the key files of a new home, all under one password.
///
/// # Errors
/// Cannot-create if one exists, or I/O.
pub fn create_keys(
    home: &Home,
    keys: &NodeKeys,
    password: &Password,
    cost: Cost,
) -> Result<(), OperatorError> {
    save(home, KeyRole::Node, keys.node_seed.as_ref(), password, cost)?;
    if let Some(seed) = &keys.validator_seed {
        save(home, KeyRole::Validator, seed.as_ref(), password, cost)?;
    }
    if let Some(seal) = &keys.seal {
        save(home, KeyRole::Seal, seal.to_bytes().as_ref(), password, cost)?;
    }
    Ok(())
}

fn open(
    home: &Home,
    role: KeyRole,
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, OperatorError> {
    let path = home.key_file(role);
    let file = read_key_file(&path)?;
    let decrypted = file.decrypt(password).and_then(|secret| {
        let public = role.public_hex(&secret)?;
        let stated = file.meta().pubkey;
        if stated.strip_prefix("0x").unwrap_or(&stated).eq_ignore_ascii_case(&public) {
            Ok(secret)
        } else {
            Err(KeyError::PublicKeyMismatch)
        }
    });
    decrypted.map_err(|error| error.about(&path.display().to_string()))
}

/// Reads and decrypts the keys of a home. A home without `validator.json` is a full node's.
///
/// # Errors
/// Missing-input without `node.json` or with only one of `validator.json` and `seal.json`; permission for a wrong
/// password; config for a file that is none.
pub fn load_keys(home: &Home, password: &Password) -> Result<NodeKeys, OperatorError> {
    let there = |role| home.key_file(role).exists();
    if there(KeyRole::Validator) != there(KeyRole::Seal) {
        return Err(OperatorError::new(
            ExitCode::MissingInput,
            "one key of the validator is missing",
        )
        .cause("keys/validator.json and keys/seal.json belong together")
        .hint("restore the missing file from its backup; remove both to run a full node"));
    }
    let seed = |role: KeyRole| -> Result<Zeroizing<[u8; 32]>, OperatorError> {
        seed_of(&open(home, role, password)?).map_err(|error| error.about(role.file_name()))
    };
    let node_seed = seed(KeyRole::Node)?;
    if !there(KeyRole::Validator) {
        return Ok(NodeKeys { node_seed, validator_seed: None, seal: None });
    }
    let validator_seed = Some(seed(KeyRole::Validator)?);
    let seal = SealSecret::from_bytes(&open(home, KeyRole::Seal, password)?)
        .map_err(|_| KeyError::BadSecret { what: "BLS12-381 scalar" }.about("seal.json"))?;
    Ok(NodeKeys { node_seed, validator_seed, seal: Some(seal) })
}
