//! Writes a network's files: genesis, and a home for every node.

use super::config_text;
use super::network::Network;
use crate::disk::RealDisk;
use crate::error::{ExitCode, OperatorError};
use crate::guard::{Create, Guard};
use crate::home::{Home, read_text, write_new_secret};
use crate::keys::{Cost, Password, create_keys};
use rota_types::Genesis;
use rota_types::limits::GENESIS_BYTES_MAX;
use std::io::Write as _;
use std::path::Path;

/// Name of the password file in `keys/`, for nodes that start unattended.
pub const PASSWORD_FILE: &str = "password";

/// Reads and checks a genesis document.
///
/// # Errors
/// Missing-input, or config naming the rule that is broken.
pub fn read_genesis(path: &Path) -> Result<Genesis, OperatorError> {
    let text = read_text(path, GENESIS_BYTES_MAX)?;
    let refused = |cause: String| {
        OperatorError::new(ExitCode::Config, format!("{} is no genesis", path.display()))
            .cause(cause)
            .hint("take the file that the network's other nodes use")
    };
    let genesis: Genesis =
        serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    genesis.validate().map_err(|error| refused(error.to_string()))?;
    Ok(genesis)
}

/// Writes a genesis document to a new file.
///
/// # Errors
/// Cannot-create if it exists, or I/O.
pub fn write_genesis(path: &Path, genesis: &Genesis) -> Result<(), OperatorError> {
    let mut text = serde_json::to_string_pretty(genesis)
        .map_err(|error| OperatorError::new(ExitCode::Bug, "genesis as JSON").cause(error))?;
    text.push('\n');
    // Public: whoever verifies a proof needs it.
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| {
        let exit = match error.kind() {
            std::io::ErrorKind::AlreadyExists => ExitCode::CannotCreate,
            std::io::ErrorKind::PermissionDenied => ExitCode::Permission,
            _ => ExitCode::Io,
        };
        OperatorError::new(exit, format!("cannot write {}", path.display()))
            .cause(error)
            .hint("nothing is overwritten: choose another place or move it away")
    })
}

impl Network {
    /// Writes `out/genesis.json` and a home for every node; `password` opens all of one home's keys and is
    /// kept in `keys/password`. `home_root` is where the home will be when the node runs, if not where it is written.
    ///
    /// # Errors
    /// Cannot-create if anything is there already, or I/O.
    pub fn write(
        &self,
        out: &Path,
        password: &Password,
        cost: Cost,
        home_root: impl Fn(&Home) -> std::path::PathBuf,
    ) -> Result<Vec<Home>, OperatorError> {
        std::fs::create_dir_all(out).map_err(|error| {
            OperatorError::new(ExitCode::CannotCreate, format!("cannot make {}", out.display()))
                .cause(error)
        })?;
        write_genesis(&out.join("genesis.json"), &self.genesis)?;
        let mut homes = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let home = Home::at(out.join(&node.plan.name));
            home.create()?;
            write_genesis(&home.genesis_file(), &self.genesis)?;
            create_keys(&home, &node.keys, password, cost)?;
            let password_file = home.keys_folder().join(PASSWORD_FILE);
            write_new_secret(&password_file, format!("{}\n", password.text()).as_bytes())?;
            if let Some(key) = node.keys.validator_key() {
                Guard::open(RealDisk::shared(), &home.guard_file(), key, Create::New)?;
            }
            let text = config_text::of_node(self, node, &home_root(&home));
            write_new_secret(&home.config_file(), text.as_bytes())?;
            homes.push(home);
        }
        Ok(homes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::load_keys;
    use crate::provision::{NetworkPlan, make_network};
    use rota_types::TimestampMs;

    #[test]
    fn homes_open_with_their_password_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let plan = NetworkPlan::loopback(77, 4, 2_000, TimestampMs(5)).unwrap();
        let network = make_network(&plan).unwrap();
        let password = Password::random().unwrap();
        let at = |home: &Home| home.root().to_path_buf();
        let homes = network.write(folder.path(), &password, Cost::Light, at).unwrap();
        assert_eq!(homes.len(), 4);
        let genesis = read_genesis(&folder.path().join("genesis.json")).unwrap();
        for (home, validator) in homes.iter().zip(&genesis.validators) {
            home.check().unwrap();
            let keys = load_keys(home, &password).unwrap();
            assert_eq!(keys.validator_key(), Some(validator.key));
            assert!(home.guard_file().is_file());
        }
        let again = network.write(folder.path(), &password, Cost::Light, at).err().unwrap();
        assert_eq!(again.exit, ExitCode::CannotCreate);
    }
}
