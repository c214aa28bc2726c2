//! The home folder of a node: where everything is, who may read it, and who holds it.
//!
//! ```text
//! config.toml genesis.json peers.json
//! keys/{node.json,validator.json,seal.json}    0600 in a 0700 folder
//! state/{guard.log,wal/}   ledger/   index/   run/{lock,admin.sock}
//! ```
//!
//! Which home: `--home`, else `$ROTA_HOME`, else `$XDG_DATA_HOME/rota/<chain>` (`~/.local/share` if unset).

use crate::error::{ExitCode, OperatorError};
use crate::keys::KeyRole;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A home folder. Nothing is touched before [`Home::create`] or [`Home::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// Holds the home: a second process on it is refused while this lives.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

impl Home {
    /// The home at this path.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The home by precedence; `variable` reads the environment.
    ///
    /// # Errors
    /// Usage, if neither a flag nor any of the variables gives one.
    pub fn resolve(
        flag: Option<&Path>,
        variable: impl Fn(&str) -> Option<OsString>,
        chain: &str,
    ) -> Result<Self, OperatorError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(path) = flag {
            return Ok(Self::at(path));
        }
        if let Some(path) = set("ROTA_HOME") {
            return Ok(Self::at(path));
        }
        let data =
            set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
        data.map(|data| Self::at(data.join("rota").join(chain))).ok_or_else(|| {
            OperatorError::new(ExitCode::Usage, "no home folder")
                .cause("neither --home, $ROTA_HOME, $XDG_DATA_HOME nor $HOME is set")
                .hint("give --home DIR")
        })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `config.toml`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// `genesis.json`.
    #[must_use]
    pub fn genesis_file(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// `peers.json`.
    #[must_use]
    pub fn peers_file(&self) -> PathBuf {
        self.root.join("peers.json")
    }

    /// `keys/`.
    #[must_use]
    pub fn keys_folder(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// A key file.
    #[must_use]
    pub fn key_file(&self, role: KeyRole) -> PathBuf {
        self.keys_folder().join(role.file_name())
    }

    /// `state/`.
    #[must_use]
    pub fn state_folder(&self) -> PathBuf {
        self.root.join("state")
    }

    /// `state/guard.log`.
    #[must_use]
    pub fn guard_file(&self) -> PathBuf {
        self.state_folder().join("guard.log")
    }

    /// `state/wal/`.
    #[must_use]
    pub fn wal_folder(&self) -> PathBuf {
        self.state_folder().join("wal")
    }

    /// `ledger/`.
    #[must_use]
    pub fn ledger_folder(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// `index/`: may be deleted while the node is stopped; nothing is lost.
    #[must_use]
    pub fn index_folder(&self) -> PathBuf {
        self.root.join("index")
    }

    /// `run/`.
    #[must_use]
    pub fn run_folder(&self) -> PathBuf {
        self.root.join("run")
    }

    /// `run/lock`.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.run_folder().join("lock")
    }

    /// `run/admin.sock`.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.run_folder().join("admin.sock")
    }

    /// Makes the folders of a new home. Never overwrites: a home that holds a genesis, a configuration or keys is
    /// refused.
    ///
    /// # Errors
    /// Cannot-create, or I/O.
    pub fn create(&self) -> Result<(), OperatorError> {
        for taken in [self.genesis_file(), self.config_file(), self.guard_file()] {
            if taken.exists() {
                let message = format!("{} is a home already", self.root.display());
                return Err(OperatorError::new(ExitCode::CannotCreate, message)
                    .cause(format!("{} exists", taken.display()))
                    .hint("nothing is overwritten: give another --home, or rota start to run this one"));
            }
        }
        for folder in self.folders() {
            make_folder(&folder)?;
        }
        Ok(())
    }

    fn folders(&self) -> [PathBuf; 6] {
        [
            self.root.clone(),
            self.keys_folder(),
            self.state_folder(),
            self.ledger_folder(),
            self.index_folder(),
            self.run_folder(),
        ]
    }

    /// Checks at start that the home is there and that no other user reads its secrets; makes folders that may be
    /// missing (`state`, `ledger`, `index`, `run`).
    ///
    /// # Errors
    /// Missing-input or permission, with the `chmod` that mends it.
    pub fn check(&self) -> Result<(), OperatorError> {
        if !self.genesis_file().is_file() {
            let message = format!("{} is no home of a node", self.root.display());
            return Err(OperatorError::new(ExitCode::MissingInput, message)
                .cause("there is no genesis.json in it")
                .hint("rota init --home DIR --genesis FILE makes one; rota devnet needs none"));
        }
        for folder in
            [self.state_folder(), self.ledger_folder(), self.index_folder(), self.run_folder()]
        {
            make_folder(&folder)?;
        }
        for folder in [self.root.clone(), self.keys_folder(), self.state_folder()] {
            if folder.exists() {
                require_mode(&folder, 0o700)?;
            }
        }
        for role in KeyRole::ALL {
            let file = self.key_file(role);
            if file.exists() {
                require_mode(&file, 0o600)?;
            }
        }
        Ok(())
    }

    /// Takes the home for this process.
    ///
    /// # Errors
    /// Try-again, naming the process that holds it, or I/O.
    pub fn lock(&self) -> Result<HomeLock, OperatorError> {
        make_folder(&self.run_folder())?;
        let path = self.lock_file();
        let fail = |error: std::io::Error| io_error("lock", &path, &error);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let read = (&file).take(32).read_to_string(&mut holder);
                let holder = read.ok().map_or("?", |_| holder.trim());
                let message = format!("the home {} is in use", self.root.display());
                return Err(OperatorError::new(ExitCode::TryAgain, message)
                    .cause(format!("process {holder} holds {}", path.display()))
                    .hint("stop it first: two processes on one home could sign two ways"));
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(fail)?;
        writeln!(file, "{}", std::process::id()).map_err(fail)?;
        Ok(HomeLock { _file: file })
    }
}

fn io_error(action: &str, path: &Path, error: &std::io::Error) -> OperatorError {
    use std::io::ErrorKind;
    let exit = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ExitCode::Permission,
        ErrorKind::NotFound => ExitCode::MissingInput,
        ErrorKind::AlreadyExists => ExitCode::CannotCreate,
        _ => ExitCode::Io,
    };
    let hint = match exit {
        ExitCode::Permission => "run as the user that owns this folder, or chown it",
        ExitCode::MissingInput => "check the path",
        ExitCode::CannotCreate => "nothing is overwritten: choose another name or move it away",
        _ => "check the disk and its free space",
    };
    OperatorError::new(exit, format!("cannot {action} {}", path.display())).cause(error).hint(hint)
}

fn make_folder(path: &Path) -> Result<(), OperatorError> {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| io_error("create", path, &error))
}

fn require_mode(path: &Path, mode: u32) -> Result<(), OperatorError> {
    let metadata = std::fs::metadata(path).map_err(|error| io_error("look at", path, &error))?;
    let found = metadata.permissions().mode() & 0o777;
    if found & !mode == 0 {
        return Ok(());
    }
    let message = format!("others may use {}", path.display());
    Err(OperatorError::new(ExitCode::Permission, message)
        .cause(format!("its mode is {found:03o}, at most {mode:03o} is safe"))
        .hint(format!("chmod {mode:03o} {}", path.display())))
}

/// Writes a file that must not exist, readable by its owner only, durably.
///
/// # Errors
/// Cannot-create if it exists, or I/O.
pub fn write_new_secret(path: &Path, bytes: &[u8]) -> Result<(), OperatorError> {
    let fail = |error: std::io::Error| io_error("write", path, &error);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)?;
    let folder = path.parent().unwrap_or(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

/// Reads a small text file of the operator.
///
/// # Errors
/// Missing-input, permission, I/O, or data-refused if it is longer than `limit` bytes or not UTF-8.
pub fn read_text(path: &Path, limit: usize) -> Result<String, OperatorError> {
    let fail = |error: std::io::Error| io_error("read", path, &error);
    let file = File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes).map_err(fail)?;
    let refuse = |cause: String| {
        OperatorError::new(ExitCode::DataRefused, format!("cannot read {}", path.display()))
            .cause(cause)
    };
    if bytes.len() > limit {
        return Err(refuse(format!("it is longer than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| refuse("it is not text".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_variables(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn the_flag_wins_over_variables_and_they_over_defaults() {
        let variables = |name: &str| match name {
            "ROTA_HOME" => Some(OsString::from("/env")),
            "HOME" => Some(OsString::from("/root")),
            _ => None,
        };
        let resolve = |flag, v: &dyn Fn(&str) -> Option<OsString>| Home::resolve(flag, v, "main");
        assert_eq!(
            resolve(Some(Path::new("/flag")), &variables).unwrap().root(),
            Path::new("/flag")
        );
        assert_eq!(resolve(None, &variables).unwrap().root(), Path::new("/env"));
        let xdg = |name: &str| (name == "XDG_DATA_HOME").then(|| OsString::from("/data"));
        assert_eq!(resolve(None, &xdg).unwrap().root(), Path::new("/data/rota/main"));
        let home = |name: &str| (name == "HOME").then(|| OsString::from("/u"));
        assert_eq!(resolve(None, &home).unwrap().root(), Path::new("/u/.local/share/rota/main"));
        assert_eq!(resolve(None, &no_variables).unwrap_err().exit, ExitCode::Usage);
    }

    #[test]
    fn a_second_open_of_the_same_home_is_refused_and_names_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("h"));
        let held = home.lock().unwrap();
        let error = home.lock().unwrap_err();
        assert_eq!(error.exit.number(), 75);
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(held);
        home.lock().unwrap();
    }

    #[test]
    fn create_never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("h"));
        home.create().unwrap();
        write_new_secret(&home.genesis_file(), b"{}").unwrap();
        let error = home.create().unwrap_err();
        assert_eq!(error.exit.number(), 73);
        assert_eq!(write_new_secret(&home.genesis_file(), b"x").unwrap_err().exit.number(), 73);
        assert_eq!(std::fs::read(home.genesis_file()).unwrap(), b"{}");
    }

    #[test]
    fn a_home_others_can_read_is_refused_with_the_chmod_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("h"));
        assert_eq!(home.check().unwrap_err().exit.number(), 66);
        home.create().unwrap();
        write_new_secret(&home.genesis_file(), b"{}").unwrap();
        write_new_secret(&home.key_file(KeyRole::Validator), b"{}").unwrap();
        home.check().unwrap();
        let file = home.key_file(KeyRole::Validator);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = home.check().unwrap_err();
        assert_eq!(error.exit.number(), 77);
        assert_eq!(error.hint.unwrap(), format!("chmod 600 {}", file.display()));
    }
}
