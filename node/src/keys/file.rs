//! One key file: scrypt over the password, AES-128-CTR over the secret, SHA-256 as checksum (EIP-2335, version 4).
//!
//! Costs read from a file are bounded before any memory is taken.

use super::error::KeyError;
use super::password::Password;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

type Aes128Ctr = ctr::Ctr128BE<aes::Aes128>;

/// Bytes of the derived key: 16 encrypt, 16 are hashed into the checksum.
const DERIVED_BYTES: usize = 32;
/// Most bytes of a secret in a file.
const SECRET_BYTES_MAX: usize = 1024;
/// Most memory scrypt may take for a file, 1 GiB: n = 2^20 at r = 8.
const SCRYPT_MEMORY_MAX: u64 = 1 << 30;
/// Most parallel lanes; each repeats the whole work.
const SCRYPT_P_MAX: u32 = 16;
/// Most bytes of a key file.
pub(super) const KEY_FILE_BYTES_MAX: usize = 64 * 1024;

/// How much work a guess at the password costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// n = 2^18, r = 8, p = 1, as the EIP's example: 256 MiB and about a second.
    Standard,
    /// n = 2^12: for tests and networks whose keys are public anyway.
    Light,
}

impl Cost {
    const fn n(self) -> u64 {
        match self {
            Self::Standard => 1 << 18,
            Self::Light => 1 << 12,
        }
    }
}

/// What a file says in the clear about its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyMeta {
    /// Public key, hex without prefix.
    pub pubkey: String,
    /// Derivation path, or empty.
    pub path: String,
    /// For people.
    pub description: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Module<P> {
    function: String,
    params: P,
    message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ScryptParams {
    dklen: u32,
    n: u64,
    p: u32,
    r: u32,
    salt: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct NoParams {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Crypto {
    kdf: Module<ScryptParams>,
    checksum: Module<NoParams>,
    cipher: Module<CipherParams>,
}

/// An encrypted key, as it is in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
    crypto: Crypto,
    #[serde(default)]
    description: String,
    pubkey: String,
    path: String,
    uuid: String,
    version: u32,
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| KeyError::NoRandomness { reason: error.to_string() })?;
    Ok(bytes)
}

/// A random UUID (RFC 9562, version 4).
fn uuid() -> Result<String, KeyError> {
    let number = u128::from_be_bytes(random()?);
    let number = (number & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{number:032x}");
    let mut parts = Vec::new();
    let mut rest = digits.as_str();
    for length in [8, 4, 4, 4] {
        let (part, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        parts.push(part);
        rest = tail;
    }
    parts.push(rest);
    Ok(parts.join("-"))
}

fn hex_bytes(text: &str, what: &str) -> Result<Vec<u8>, KeyError> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text))
        .map_err(|_| KeyError::NotAKeyFile { reason: format!("{what} is not hex") })
}

fn derive(
    password: &Password,
    params: &ScryptParams,
) -> Result<Zeroizing<[u8; DERIVED_BYTES]>, KeyError> {
    let unsupported = |what: &str| KeyError::Unsupported { what: format!("scrypt with {what}") };
    if params.dklen != 32 {
        return Err(unsupported(&format!("dklen {}", params.dklen)));
    }
    let memory = params.n.checked_mul(u64::from(params.r)).and_then(|words| words.checked_mul(128));
    if !params.n.is_power_of_two()
        || params.n < 2
        || params.r == 0
        || params.p == 0
        || params.p > SCRYPT_P_MAX
        || memory.is_none_or(|memory| memory > SCRYPT_MEMORY_MAX)
    {
        return Err(unsupported(&format!("n {}, r {}, p {}", params.n, params.r, params.p)));
    }
    let log_n = u8::try_from(params.n.trailing_zeros()).unwrap_or(u8::MAX);
    let cost = scrypt::Params::new(log_n, params.r, params.p)
        .map_err(|_| unsupported("these parameters"))?;
    let salt = hex_bytes(&params.salt, "the salt")?;
    let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
    scrypt::scrypt(&password.normalised(), &salt, &cost, derived.as_mut())
        .map_err(|_| unsupported("this output length"))?;
    Ok(derived)
}

/// SHA-256 of the derived key's second half and the ciphertext.
fn checksum(derived: &[u8; DERIVED_BYTES], ciphertext: &[u8]) -> [u8; 32] {
    let (_, second) = derived.split_at(16);
    Sha256::new().chain_update(second).chain_update(ciphertext).finalize().into()
}

fn apply_cipher(
    derived: &[u8; DERIVED_BYTES],
    iv: &[u8],
    bytes: &mut [u8],
) -> Result<(), KeyError> {
    let (key, _) = derived.split_at(16);
    let mut cipher = Aes128Ctr::new_from_slices(key, iv)
        .map_err(|_| KeyError::NotAKeyFile { reason: "the iv has not 16 bytes".to_owned() })?;
    cipher.apply_keystream(bytes);
    Ok(())
}

/// Compares without stopping at the first difference.
fn equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0u8, |sum, (a, b)| sum | (a ^ b)) == 0
}

impl KeyFile {
    /// Encrypts `secret` under `password`.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`], or [`KeyError::BadSecret`] if it is empty or longer than 1 KiB.
    pub fn encrypt(
        secret: &[u8],
        password: &Password,
        meta: KeyMeta,
        cost: Cost,
    ) -> Result<Self, KeyError> {
        if secret.is_empty() || secret.len() > SECRET_BYTES_MAX {
            return Err(KeyError::BadSecret { what: "secret of 1 to 1024 bytes" });
        }
        let params =
            ScryptParams { dklen: 32, n: cost.n(), p: 1, r: 8, salt: hex::encode(random::<32>()?) };
        let derived = derive(password, &params)?;
        let iv = random::<16>()?;
        let mut bytes = secret.to_vec();
        apply_cipher(&derived, &iv, &mut bytes)?;
        let sum = checksum(&derived, &bytes);
        let module_name = str::to_owned;
        Ok(Self {
            crypto: Crypto {
                kdf: Module { function: module_name("scrypt"), params, message: String::new() },
                checksum: Module {
                    function: module_name("sha256"),
                    params: NoParams {},
                    message: hex::encode(sum),
                },
                cipher: Module {
                    function: module_name("aes-128-ctr"),
                    params: CipherParams { iv: hex::encode(iv) },
                    message: hex::encode(bytes),
                },
            },
            description: meta.description,
            pubkey: meta.pubkey,
            path: meta.path,
            uuid: uuid()?,
            version: 4,
        })
    }

    /// Decrypts the secret.
    ///
    /// # Errors
    /// [`KeyError::WrongPassword`], or what is wrong with the file.
    pub fn decrypt(&self, password: &Password) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let Crypto { kdf, checksum: sum, cipher } = &self.crypto;
        for (found, wanted) in [
            (&kdf.function, "scrypt"),
            (&sum.function, "sha256"),
            (&cipher.function, "aes-128-ctr"),
        ] {
            if found != wanted {
                return Err(KeyError::Unsupported { what: format!("the function {found:?}") });
            }
        }
        let mut bytes = Zeroizing::new(hex_bytes(&cipher.message, "the ciphertext")?);
        if bytes.is_empty() || bytes.len() > SECRET_BYTES_MAX {
            return Err(KeyError::NotAKeyFile { reason: "a ciphertext of no key".to_owned() });
        }
        let derived = derive(password, &kdf.params)?;
        let stated = hex_bytes(&sum.message, "the checksum")?;
        if !equal(&checksum(&derived, &bytes), &stated) {
            return Err(KeyError::WrongPassword);
        }
        apply_cipher(&derived, &hex_bytes(&cipher.params.iv, "the iv")?, &mut bytes)?;
        Ok(bytes)
    }

    /// What it says in the clear.
    #[must_use]
    pub fn meta(&self) -> KeyMeta {
        KeyMeta {
            pubkey: self.pubkey.clone(),
            path: self.path.clone(),
            description: self.description.clone(),
        }
    }

    /// As JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers always serialise")
    }

    /// From JSON text of at most 64 KiB.
    ///
    /// # Errors
    /// [`KeyError::NotAKeyFile`] or [`KeyError::Unsupported`].
    pub fn from_json(text: &str) -> Result<Self, KeyError> {
        let bad = |reason: String| KeyError::NotAKeyFile { reason };
        if text.len() > KEY_FILE_BYTES_MAX {
            return Err(bad(format!("longer than {KEY_FILE_BYTES_MAX} bytes")));
        }
        let file: Self = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        if file.version != 4 {
            return Err(KeyError::Unsupported { what: format!("version {}", file.version) });
        }
        Ok(file)
    }
}
