//! Opens a home for running: lock, configuration, genesis, keys. Everything that can be wrong is found here, before
//! any socket is opened.

use super::devnet::refuse_public_keys;
use super::write::read_genesis;
use crate::config::Effective;
use crate::error::OperatorError;
use crate::home::{Home, HomeLock, read_text};
use crate::keys::{NodeKeys, Password, PasswordSource, load_keys};
use crate::limits::SMALL_FILE_BYTES_MAX;
use crate::shell::LostGuard;
use rota_types::Genesis;
use std::path::PathBuf;

/// Configuration keys given as flags, and their text.
pub type Flags = Vec<(String, String)>;

/// A home that this process holds, with all that a node needs of it.
pub struct OpenedHome {
    /// The folder.
    pub home: Home,
    /// Held while this lives.
    pub lock: HomeLock,
    /// Configuration with the source of each value.
    pub config: Effective,
    /// The network.
    pub genesis: Genesis,
    /// Decrypted keys.
    pub keys: NodeKeys,
    /// What decrypted them.
    pub password: Password,
    /// What a validator key without its guard does; it does not sign unless this is changed.
    pub lost_guard: LostGuard,
}

/// The configuration of a home: flags over environment over file over defaults, ports shifted for `instance`.
///
/// # Errors
/// Config, naming the key.
pub fn load_config(home: &Home, flags: Flags, instance: u16) -> Result<Effective, OperatorError> {
    let path = home.config_file();
    let text = if path.exists() { Some(read_text(&path, SMALL_FILE_BYTES_MAX)?) } else { None };
    let file = text.as_deref().map(|text| (path.as_path(), text));
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut config = Effective::load(file, environment, flags)?;
    config.config.shift_ports(instance);
    Ok(config)
}

impl OpenedHome {
    /// Takes the home's lock and reads everything.
    ///
    /// # Errors
    /// Try-again if another process holds it; permission, config, missing-input as each part says.
    pub fn open(
        home: Home,
        flags: Flags,
        instance: u16,
        password: Option<Password>,
    ) -> Result<Self, OperatorError> {
        home.check()?;
        let lock = home.lock()?;
        let config = load_config(&home, flags, instance)?;
        let genesis = read_genesis(&home.genesis_file())?;
        refuse_public_keys(&genesis)?;
        let password = match password {
            Some(password) => password,
            None => {
                let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
                let configured = config.config.key.password_file.as_deref();
                PasswordSource::find(configured, credentials.as_deref())
                    .read("password of the key files")
                    .map_err(|error| error.about("the key files"))?
            }
        };
        let keys = load_keys(&home, &password)?;
        Ok(Self { home, lock, config, genesis, keys, password, lost_guard: LostGuard::DoNotSign })
    }
}
