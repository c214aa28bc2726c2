//! Arguments that several verbs share.

use crate::client::Client;
use crate::config::Config;
use crate::error::{ExitCode, OperatorError};
use crate::home::Home;
use crate::keys::{Password, PasswordSource};
use crate::provision::open::Flags;
use clap::builder::Str;
use clap::{Arg, ArgMatches, Command};
use std::path::{Path, PathBuf};

/// Which home.
#[derive(Clone, Debug, clap::Args)]
pub struct HomeArgs {
    /// Folder of the node
    #[arg(long, value_name = "DIR", env = "ROTA_HOME", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// Name of the network, for the default home $XDG_DATA_HOME/rota/CHAIN
    #[arg(long, value_name = "CHAIN", default_value = "main")]
    pub chain: String,
}

impl HomeArgs {
    /// The home meant.
    ///
    /// # Errors
    /// Usage, if none can be told.
    pub fn resolve(&self) -> Result<Home, OperatorError> {
        Home::resolve(self.home.as_deref(), |name| std::env::var_os(name), &self.chain)
    }
}

/// Which nodes to ask.
#[derive(Clone, Debug, clap::Args)]
pub struct RpcArgs {
    /// URL of a node's http listener; repeat it, or separate with commas, to have others to turn to
    #[arg(
        long,
        value_name = "URL",
        env = "ROTA_RPC",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8645"
    )]
    pub rpc: Vec<String>,
}

impl RpcArgs {
    /// A client of these nodes.
    ///
    /// # Errors
    /// Unavailable, for URLs that are none.
    pub fn client(&self) -> Result<Client, OperatorError> {
        Ok(Client::new(&self.rpc)?)
    }
}

/// Where the password of key files comes from.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PasswordArgs {
    /// File whose first line is the password of the key files; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// The password: from the file given, else `fallback`, else a systemd credential, else the terminal.
    ///
    /// # Errors
    /// Permission, if there is none.
    pub fn read(&self, what: &str, fallback: Option<&Path>) -> Result<Password, OperatorError> {
        let source = match self.password_file.as_deref() {
            Some(path) if path == Path::new("-") => PasswordSource::Stdin,
            Some(path) => PasswordSource::File(path.to_path_buf()),
            None => {
                let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
                PasswordSource::find(fallback, credentials.as_deref())
            }
        };
        source.read(what).map_err(|error| error.about(what))
    }
}

/// One flag for every key of the configuration: `--section.key VALUE`.
#[derive(Clone, Debug, Default)]
pub struct ConfigFlags {
    /// Keys given and their text.
    pub given: Flags,
}

impl clap::FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for key in Config::KEYS {
            if let Some(text) = matches.get_one::<String>(key) {
                self.given.push(((*key).to_owned(), text.clone()));
            }
        }
        Ok(())
    }
}

impl clap::Args for ConfigFlags {
    fn augment_args(mut command: Command) -> Command {
        for (key, entry) in Config::KEYS.iter().zip(Config::default().entries()) {
            let variable = format!("ROTA_{}", key.replace('.', "_").to_uppercase());
            let doc = entry.doc.split_whitespace().collect::<Vec<_>>().join(" ");
            let default =
                if entry.value.is_empty() { "none".to_owned() } else { entry.value.clone() };
            let help = format!("{doc} [env: {variable}] [default: {default}]");
            command = command.arg(
                Arg::new(Str::from(*key))
                    .long(Str::from(*key))
                    .value_name("VALUE")
                    .help(help)
                    .help_heading("Configuration (also in config.toml)"),
            );
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// Missing-input, permission, I/O, or data-refused if it is longer.
pub fn read_bytes(path: &Path, limit: usize) -> Result<Vec<u8>, OperatorError> {
    use std::io::Read as _;
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(bound).read_to_end(&mut bytes));
    read.map_err(|error| {
        let exit = match error.kind() {
            std::io::ErrorKind::NotFound => ExitCode::MissingInput,
            std::io::ErrorKind::PermissionDenied => ExitCode::Permission,
            _ => ExitCode::Io,
        };
        OperatorError::new(exit, format!("cannot read {}", path.display()))
            .cause(error)
            .hint("check the path")
    })?;
    if bytes.len() > limit {
        let message = format!("{} is longer than {limit} bytes", path.display());
        return Err(OperatorError::new(ExitCode::DataRefused, message));
    }
    Ok(bytes)
}

/// Writes a file of the operator's, replacing what is there.
///
/// # Errors
/// Cannot-create.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), OperatorError> {
    std::fs::write(path, bytes).map_err(|error| {
        OperatorError::new(ExitCode::CannotCreate, format!("cannot write {}", path.display()))
            .cause(error)
            .hint("check the folder and its permissions")
    })
}
