//! `rota key`: the encrypted key files of a home, and the guard of its validator key.

use super::args::{HomeArgs, PasswordArgs, read_bytes};
use super::output::{self, Form};
use super::raise::RaiseArgs;
use crate::disk::RealDisk;
use crate::error::{ExitCode, OperatorError};
use crate::guard::{Create, Guard, GuardExport, GuardLog};
use crate::home::Home;
use crate::keys::{
    Cost, KeyFile, KeyMeta, KeyRole, NodeKeys, Password, read_key_file, write_key_file,
};
use crate::limits::SMALL_FILE_BYTES_MAX;
use crate::provision::open::load_config;
use rota_types::ValidatorKey;
use serde_json::json;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Verbs of `rota key`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum KeyCommand {
    /// Make a fresh key in the home: node, validator or seal
    New {
        /// node, validator or seal
        role: KeyRole,
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Take over an encrypted key file
    Import {
        /// node, validator or seal
        role: KeyRole,
        /// Key file of the ERC-2335 layout
        file: PathBuf,
        /// The key has never signed anything: make an empty guard for it. Never say this of a key that was in use
        #[arg(long)]
        new: bool,
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Print an encrypted key file of the home
    Export {
        /// node, validator or seal
        role: KeyRole,
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
    },
    /// List the keys of the home
    List {
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
    /// Show what a key file says in the clear
    Inspect {
        /// A key file
        file: PathBuf,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
    /// Encrypt all keys of the home under another password
    ChangePassword {
        /// File whose first line is the new password
        #[arg(long, value_name = "FILE")]
        new_password_file: PathBuf,
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Move the guard's marks to another machine
    #[command(subcommand)]
    Guard(GuardCommand),
    /// Sign the operation that puts a lane under a new incarnation
    RaiseIncarnation(RaiseArgs),
}

/// Verbs of `rota key guard`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum GuardCommand {
    /// Print the marks of everything the validator key signed
    Export {
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
    },
    /// Raise the marks to what an export says; never lowers one
    Import {
        /// The export
        file: PathBuf,
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
    },
}

/// Runs a verb.
///
/// # Errors
/// As the files.
pub fn run(command: KeyCommand) -> Result<(), OperatorError> {
    match command {
        KeyCommand::New { role, home, password } => new(role, &home.resolve()?, &password),
        KeyCommand::Import { role, file, new, home, password } => {
            import(role, &file, new, &home.resolve()?, &password)
        }
        KeyCommand::Export { role, home } => {
            let file = read_key_file(&home.resolve()?.key_file(role))?;
            output::line(file.to_json())
        }
        KeyCommand::List { home, form } => list(&home.resolve()?, form),
        KeyCommand::Inspect { file, form } => inspect(&read_key_file(&file)?, form),
        KeyCommand::ChangePassword { new_password_file, home, password } => {
            change_password(&home.resolve()?, &password, &new_password_file)
        }
        KeyCommand::RaiseIncarnation(args) => super::raise::run(&args),
        KeyCommand::Guard(GuardCommand::Export { home }) => {
            let home = home.resolve()?;
            let _lock = home.lock()?;
            let (guard, _) = open_guard(&home)?;
            output::line(guard.export().to_json())
        }
        KeyCommand::Guard(GuardCommand::Import { file, home }) => {
            let home = home.resolve()?;
            let _lock = home.lock()?;
            let text =
                String::from_utf8_lossy(&read_bytes(&file, SMALL_FILE_BYTES_MAX)?).into_owned();
            import_guard(&home, &text)
        }
    }
}

fn fallback(home: &Home) -> Result<Option<PathBuf>, OperatorError> {
    Ok(load_config(home, Vec::new(), 1)?.config.key.password_file)
}

fn password_of(home: &Home, args: &PasswordArgs) -> Result<Password, OperatorError> {
    args.read("password of the key files", fallback(home)?.as_deref())
}

fn secret_of(role: KeyRole) -> Result<Zeroizing<Vec<u8>>, OperatorError> {
    let keys = NodeKeys::generate(true).map_err(|error| error.about("a fresh key"))?;
    let secret = match role {
        KeyRole::Node => Some(keys.node_seed.to_vec()),
        KeyRole::Validator => keys.validator_seed.as_ref().map(|seed| seed.to_vec()),
        KeyRole::Seal => keys.seal.as_ref().map(|seal| seal.to_bytes().to_vec()),
    };
    secret
        .map(Zeroizing::new)
        .ok_or_else(|| OperatorError::new(ExitCode::Bug, "no key of this kind was made"))
}

fn new(role: KeyRole, home: &Home, password: &PasswordArgs) -> Result<(), OperatorError> {
    let _lock = home.lock()?;
    let secret = secret_of(role)?;
    let about = |error: crate::keys::KeyError| error.about(role.name());
    let meta = KeyMeta {
        pubkey: role.public_hex(&secret).map_err(about)?,
        path: String::new(),
        description: format!("rota {} key", role.name()),
    };
    let password = password_of(home, password)?;
    let file = KeyFile::encrypt(&secret, &password, meta, Cost::Standard).map_err(about)?;
    write_key_file(&home.key_file(role), &file)?;
    if role == KeyRole::Validator {
        make_guard(home, &file)?;
    }
    output::line(file.meta().pubkey)
}

fn validator_key(file: &KeyFile) -> Result<ValidatorKey, OperatorError> {
    file.meta().pubkey.parse().map_err(|error| {
        OperatorError::new(ExitCode::Config, "the validator key file names no public key")
            .cause(error)
    })
}

fn make_guard(home: &Home, file: &KeyFile) -> Result<(), OperatorError> {
    Guard::open(RealDisk::shared(), &home.guard_file(), validator_key(file)?, Create::New)?;
    Ok(())
}

fn open_guard(home: &Home) -> Result<(Guard, GuardLog), OperatorError> {
    let file = read_key_file(&home.key_file(KeyRole::Validator))?;
    let (guard, log, torn) = Guard::open(
        RealDisk::shared(),
        &home.guard_file(),
        validator_key(&file)?,
        Create::Forbidden,
    )?;
    if torn.is_some() {
        output::note("a tail of the guard that was never synced was cut");
    }
    Ok((guard, log))
}

fn import_guard(home: &Home, text: &str) -> Result<(), OperatorError> {
    let file = read_key_file(&home.key_file(KeyRole::Validator))?;
    let export = GuardExport::from_json(text, validator_key(&file)?)?;
    if home.guard_file().exists() {
        open_guard(home)?.1.import(&export)?;
    } else {
        // Never an empty guard on the way: cut short there, it would allow what the export forbids.
        let (disk, key) = (RealDisk::shared(), validator_key(&file)?);
        GuardLog::create(disk.as_ref(), &home.guard_file(), key, &export.floors())?;
    }
    output::note(format!("the guard signs votes from height {} on", export.vote_from));
    Ok(())
}

fn import(
    role: KeyRole,
    path: &Path,
    new: bool,
    home: &Home,
    password: &PasswordArgs,
) -> Result<(), OperatorError> {
    let _lock = home.lock()?;
    let file = read_key_file(path)?;
    let name = path.display().to_string();
    let secret = file.decrypt(&password_of(home, password)?).map_err(|error| error.about(&name))?;
    let public = role.public_hex(&secret).map_err(|error| error.about(&name))?;
    if !file.meta().pubkey.trim_start_matches("0x").eq_ignore_ascii_case(&public) {
        return Err(crate::keys::KeyError::PublicKeyMismatch.about(&name));
    }
    write_key_file(&home.key_file(role), &file)?;
    if role == KeyRole::Validator {
        if new {
            make_guard(home, &file)?;
        } else if !home.guard_file().exists() {
            output::note(
                "this key has no guard here and will not sign: rota key guard import FILE brings its marks",
            );
        }
    }
    output::line(public)
}

fn list(home: &Home, form: Form) -> Result<(), OperatorError> {
    for role in KeyRole::ALL {
        let path = home.key_file(role);
        if !path.exists() {
            continue;
        }
        let meta = read_key_file(&path)?.meta();
        if form.json {
            output::json(&json!({ "role": role.name(), "pubkey": meta.pubkey, "file": path }))?;
        } else {
            output::line(format!("{:<10} {}  {}", role.name(), meta.pubkey, path.display()))?;
        }
    }
    Ok(())
}

fn inspect(file: &KeyFile, form: Form) -> Result<(), OperatorError> {
    let meta = file.meta();
    if form.json {
        return output::json(&json!({
            "pubkey": meta.pubkey,
            "path": meta.path,
            "description": meta.description,
        }));
    }
    output::lines([
        format!("public key   {}", meta.pubkey),
        format!("path         {}", meta.path),
        format!("description  {}", meta.description),
    ])
}

fn change_password(
    home: &Home,
    old: &PasswordArgs,
    new_password_file: &Path,
) -> Result<(), OperatorError> {
    let _lock = home.lock()?;
    let old = password_of(home, old)?;
    let fresh = PasswordArgs { password_file: Some(new_password_file.to_path_buf()) }
        .read("new password", None)?;
    let mut changed = Vec::new();
    // All are decrypted before any is written: a wrong password changes nothing.
    for role in KeyRole::ALL {
        let path = home.key_file(role);
        if !path.exists() {
            continue;
        }
        let about = |error: crate::keys::KeyError| error.about(&path.display().to_string());
        let file = read_key_file(&path)?;
        let secret = file.decrypt(&old).map_err(about)?;
        changed.push((
            path.clone(),
            KeyFile::encrypt(&secret, &fresh, file.meta(), Cost::Standard).map_err(about)?,
        ));
    }
    for (path, file) in changed {
        let disk = RealDisk::shared();
        crate::disk::write_atomic(
            disk.as_ref(),
            &path,
            format!("{}\n", file.to_json()).as_bytes(),
        )?;
        set_owner_only(&path)?;
        output::note(format!("{} has the new password", path.display()));
    }
    if let Some(configured) = fallback(home)? {
        output::note(format!(
            "key.password_file still names {}: write the new one there",
            configured.display()
        ));
    }
    Ok(())
}

fn set_owner_only(path: &Path) -> Result<(), OperatorError> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(|error| {
        OperatorError::new(ExitCode::Permission, format!("cannot protect {}", path.display()))
            .cause(error)
    })
}
