//! A wallet folder: one keystore account and its encrypted keys, oldest first.
//!
//! ```text
//! account.json   keystore_id, salt, kind, names of the key files; the last is the one in force
//! key-0.json …   ERC-2335 layout; a rotated-out key stays, so that it can be shown to be refused
//! password       if the wallet was made for a demo
//! ```

use super::args::PasswordArgs;
use crate::disk::{RealDisk, write_atomic};
use crate::error::{ExitCode, OperatorError};
use crate::home::{read_text, write_new_secret};
use crate::keys::{Cost, KeyError, KeyFile, KeyMeta, Password, read_key_file, write_key_file};
use crate::limits::SMALL_FILE_BYTES_MAX;
use rota_keystore::config::KeystoreId;
use rota_keystore::envelope::Init;
use rota_keystore::keys::KeyKind;
use rota_keystore::wallet::{WalletKey, single_key_config};
use rota_types::Hash;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// `account.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFile {
    /// The account.
    pub keystore_id: Hash,
    /// Salt of its id.
    pub salt: Hash,
    /// Key files, oldest first.
    pub keys: Vec<String>,
}

/// A wallet folder.
pub struct Wallet {
    folder: PathBuf,
    /// Its account.
    pub account: AccountFile,
}

fn refusal(refusal: rota_types::Refusal) -> OperatorError {
    OperatorError::new(ExitCode::DataRefused, "the keystore refuses this").cause(refusal)
}

/// The kind of a name.
///
/// # Errors
/// A sentence for people.
pub fn parse_kind(text: &str) -> Result<KeyKind, String> {
    KeyKind::ALL
        .into_iter()
        .find(|kind| kind.name() == text && kind.is_executed())
        .ok_or_else(|| format!("{text:?} is none of ed25519, secp256k1, eoa, p256"))
}

fn describe(kind: KeyKind) -> String {
    format!("rota keystore key {kind}")
}

/// Decrypts a key file of a wallet.
///
/// # Errors
/// Permission for a wrong password, config for a file that is none.
pub fn open_key(path: &Path, password: &Password) -> Result<WalletKey, OperatorError> {
    let name = path.display().to_string();
    let file = read_key_file(path)?;
    let meta = file.meta();
    let kind = meta
        .description
        .rsplit(' ')
        .next()
        .and_then(|name| parse_kind(name).ok())
        .ok_or_else(|| KeyError::BadSecret { what: "key of the keystore" }.about(&name))?;
    let secret = file.decrypt(password).map_err(|error| error.about(&name))?;
    let secret = <[u8; 32]>::try_from(secret.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| KeyError::BadSecret { what: "secret of 32 bytes" }.about(&name))?;
    WalletKey::from_secret(kind, &secret).map_err(refusal)
}

/// A fresh secret of a kind; scalars out of range are as good as never drawn, and drawn again.
///
/// # Errors
/// I/O without randomness.
pub fn fresh_secret(kind: KeyKind) -> Result<Zeroizing<[u8; 32]>, OperatorError> {
    for _ in 0..16 {
        let mut secret = Zeroizing::new([0u8; 32]);
        getrandom::fill(secret.as_mut()).map_err(|error| {
            OperatorError::new(ExitCode::Io, "the system gave no randomness").cause(error)
        })?;
        if WalletKey::from_secret(kind, &secret).is_ok() {
            return Ok(secret);
        }
    }
    Err(OperatorError::new(ExitCode::Bug, "sixteen scalars out of range"))
}

impl Wallet {
    /// The wallet in `folder`.
    ///
    /// # Errors
    /// Missing-input.
    pub fn open(folder: &Path) -> Result<Self, OperatorError> {
        let path = folder.join("account.json");
        let text = read_text(&path, SMALL_FILE_BYTES_MAX).map_err(|error| {
            error.hint("rota keystore new makes a wallet; --wallet DIR names another")
        })?;
        let account = serde_json::from_str(&text).map_err(|error| {
            OperatorError::new(ExitCode::Config, format!("{} is no account", path.display()))
                .cause(error)
        })?;
        Ok(Self { folder: folder.to_path_buf(), account })
    }

    /// Makes a wallet of one key.
    ///
    /// # Errors
    /// Cannot-create if there is one.
    pub fn create(
        folder: &Path,
        kind: KeyKind,
        secret: &[u8; 32],
        salt: Hash,
        password: &Password,
        cost: Cost,
    ) -> Result<Self, OperatorError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| {
            OperatorError::new(ExitCode::CannotCreate, format!("cannot make {}", folder.display()))
                .cause(error)
        })?;
        let key = WalletKey::from_secret(kind, secret).map_err(refusal)?;
        let init = Init { salt, config: single_key_config(key.public_key().clone()) };
        let account = AccountFile { keystore_id: init.keystore_id().0, salt, keys: Vec::new() };
        let mut wallet = Self { folder: folder.to_path_buf(), account };
        let path = folder.join("account.json");
        if path.exists() {
            return Err(OperatorError::new(
                ExitCode::CannotCreate,
                format!("{} holds an account already", folder.display()),
            )
            .hint("give another --wallet DIR"));
        }
        let name = wallet.write_key(kind, secret, password, cost)?;
        wallet.account.keys.push(name);
        write_new_secret(&path, wallet.account_text()?.as_bytes())?;
        Ok(wallet)
    }

    fn account_text(&self) -> Result<String, OperatorError> {
        serde_json::to_string_pretty(&self.account)
            .map(|text| format!("{text}\n"))
            .map_err(|error| OperatorError::new(ExitCode::Bug, "account as JSON").cause(error))
    }

    /// Writes the next key file and gives its name; the account does not use it before [`Self::adopt`].
    ///
    /// # Errors
    /// Cannot-create.
    pub fn write_key(
        &self,
        kind: KeyKind,
        secret: &[u8; 32],
        password: &Password,
        cost: Cost,
    ) -> Result<String, OperatorError> {
        let key = WalletKey::from_secret(kind, secret).map_err(refusal)?;
        let mut number = self.account.keys.len();
        while self.path(&format!("key-{number}.json")).exists() {
            number = number.saturating_add(1);
        }
        let name = format!("key-{number}.json");
        let meta = KeyMeta {
            pubkey: hex::encode(key.public_key().bytes()),
            path: String::new(),
            description: describe(kind),
        };
        let file =
            KeyFile::encrypt(secret, password, meta, cost).map_err(|error| error.about(&name))?;
        write_key_file(&self.path(&name), &file)?;
        Ok(name)
    }

    /// Removes a key file that was written and refused by the network.
    pub fn discard(&self, name: &str) {
        if let Err(error) = std::fs::remove_file(self.path(name)) {
            super::output::note(format!("cannot remove {name}: {error}"));
        }
    }

    /// Makes `name` the key in force.
    ///
    /// # Errors
    /// I/O.
    pub fn adopt(&mut self, name: String) -> Result<(), OperatorError> {
        self.account.keys.push(name);
        let text = self.account_text()?;
        write_atomic(RealDisk::shared().as_ref(), &self.path("account.json"), text.as_bytes())?;
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// File of the key in force.
    #[must_use]
    pub fn key_path(&self) -> PathBuf {
        self.path(self.account.keys.last().map_or("key-0.json", String::as_str))
    }

    /// The account's id.
    #[must_use]
    pub const fn keystore_id(&self) -> KeystoreId {
        KeystoreId(self.account.keystore_id)
    }

    /// What creates the account: its first key, alone.
    ///
    /// # Errors
    /// As the key file.
    pub fn init(&self, password: &Password) -> Result<(Init, WalletKey), OperatorError> {
        let first = self.account.keys.first().map_or("key-0.json", String::as_str);
        let key = open_key(&self.path(first), password)?;
        let config = single_key_config(key.public_key().clone());
        Ok((Init { salt: self.account.salt, config }, key))
    }

    /// The wallet's password: as given, else its own file, else as [`PasswordArgs::read`].
    ///
    /// # Errors
    /// Permission.
    pub fn password(folder: &Path, args: &PasswordArgs) -> Result<Password, OperatorError> {
        let own = folder.join("password");
        args.read("password of the wallet", own.is_file().then_some(own.as_path()))
    }
}
