//! `rota status`, `rota show`, `rota version`: what a node and its home say about themselves.

use super::args::{HomeArgs, PasswordArgs, RpcArgs};
use super::output::{self, Form};
use crate::error::{ExitCode, OperatorError};
use crate::keys::{KeyError, KeyRole, load_keys, read_key_file};
use crate::provision::open::load_config;
use crate::provision::read_genesis;
use serde_json::json;
use zeroize::Zeroizing;

/// Arguments of `rota status`.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// Exit 0 if every readiness check holds, 75 if not
    #[arg(long)]
    pub ready: bool,
    /// Which nodes to ask.
    #[command(flatten)]
    pub rpc: RpcArgs,
    /// How to answer.
    #[command(flatten)]
    pub form: Form,
}

/// Verbs of `rota show`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ShowCommand {
    /// The libp2p id and addresses of the home's node key
    PeerId {
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArgs,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
    /// The home's validator, as a genesis document names it
    Validator {
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// The home's genesis document
    Genesis {
        /// Which home.
        #[command(flatten)]
        home: HomeArgs,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
    /// Limits of the protocol and of a node
    Limits {
        /// Which nodes to ask.
        #[command(flatten)]
        rpc: RpcArgs,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
}

/// `rota status`.
///
/// # Errors
/// Unavailable without a node; try-again if a check fails.
pub async fn status(args: StatusArgs) -> Result<(), OperatorError> {
    let client = args.rpc.client()?;
    if args.ready {
        let readiness = client.readiness().await?;
        if args.form.json {
            output::json(&readiness)?;
        } else {
            for check in &readiness.checks {
                let mark = if check.ok { "ok" } else { "no" };
                output::line(format!("{mark}  {:<10} {}", check.name, check.found))?;
            }
        }
        if readiness.ready {
            return Ok(());
        }
        let failing: Vec<&str> = readiness
            .checks
            .iter()
            .filter(|check| !check.ok)
            .map(|check| check.name.as_str())
            .collect();
        return Err(OperatorError::new(ExitCode::TryAgain, "the node is not ready")
            .cause(failing.join(", ")));
    }
    let status = client.status().await?;
    if args.form.json {
        return output::json(&status);
    }
    let sync = if status.syncing { "catching up" } else { "in step" };
    output::lines([
        format!("node       rota {} ({}), {sync}", status.version, status.mode),
        format!("network    chain id {}, slots of {} ms", status.chain_id, status.slot_ms),
        format!("genesis    {}", status.genesis),
        format!("slot       {}", status.slot),
        format!(
            "height     decided {} executed {} sealed {} (peers {})",
            status.decided, status.executed, status.sealed, status.best_peer
        ),
        format!("header     {}", status.header_id),
        format!("peers      {}", status.peers),
        format!("peer id    {}", status.peer_id),
        format!("listen     {}", status.listen.join(" ")),
        format!(
            "validator  {}",
            status.validator.map_or_else(|| "none: a full node".into(), |key| key.to_string())
        ),
        format!("guard      {} refused", status.guard_refusals),
    ])?;
    output::lines(status.evidence.iter().map(|fault| format!("evidence   {fault}")))
}

/// `rota show`.
///
/// # Errors
/// As the home's files, or the node.
pub async fn show(command: ShowCommand) -> Result<(), OperatorError> {
    match command {
        ShowCommand::PeerId { home, password, form } => peer_id(&home, &password, form),
        ShowCommand::Validator { home, password } => validator(&home, &password),
        ShowCommand::Genesis { home, form } => {
            let genesis = read_genesis(&home.resolve()?.genesis_file())?;
            if form.json {
                return output::json(&genesis);
            }
            output::lines([
                format!("name        {}", genesis.name),
                format!("chain id    {}", genesis.chain_id),
                format!("hash        {}", genesis.hash()),
                format!("start       {} (Unix ms)", genesis.genesis_time),
                format!("slot        {} ms", genesis.slot_ms),
                format!("validity    {} slots", genesis.validity_slots_max),
            ])?;
            output::lines(genesis.validators.iter().map(|validator| {
                format!(
                    "validator   {} {} weight {}",
                    validator.name, validator.key, validator.weight
                )
            }))?;
            output::lines(
                genesis
                    .rollups
                    .iter()
                    .map(|rollup| format!("rollup      {} {}", rollup.id, rollup.name)),
            )
        }
        ShowCommand::Limits { rpc, form } => limits(&rpc, form).await,
    }
}

fn peer_id(args: &HomeArgs, password: &PasswordArgs, form: Form) -> Result<(), OperatorError> {
    let home = args.resolve()?;
    let config = load_config(&home, Vec::new(), 1)?.config;
    let password =
        password.read("password of the key files", config.key.password_file.as_deref())?;
    let path = home.key_file(KeyRole::Node);
    let about = |error: KeyError| error.about(&path.display().to_string());
    let secret = read_key_file(&path)?.decrypt(&password).map_err(about)?;
    let seed = <[u8; 32]>::try_from(secret.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| about(KeyError::BadSecret { what: "ed25519 seed of 32 bytes" }))?;
    let peer_id = rota_p2p::peer_id_of_seed(&seed)
        .map_err(|error| OperatorError::new(ExitCode::Config, "the node key").cause(error))?;
    let reachable =
        if config.p2p.external.is_empty() { &config.p2p.listen } else { &config.p2p.external };
    let addresses: Vec<String> =
        reachable.iter().map(|address| format!("{address}/p2p/{peer_id}")).collect();
    if form.json {
        return output::json(&json!({ "peer_id": peer_id.to_string(), "addresses": addresses }));
    }
    output::line(peer_id)?;
    output::lines(addresses)
}

fn validator(args: &HomeArgs, password: &PasswordArgs) -> Result<(), OperatorError> {
    let home = args.resolve()?;
    let genesis = read_genesis(&home.genesis_file())?;
    let file = read_key_file(&home.key_file(KeyRole::Validator))?;
    let config = load_config(&home, Vec::new(), 1)?.config;
    let password =
        password.read("password of the key files", config.key.password_file.as_deref())?;
    let keys = load_keys(&home, &password)?;
    let (Some(key), Some(seal)) = (keys.validator_key(), &keys.seal) else {
        return Err(OperatorError::new(ExitCode::MissingInput, "this home has no validator key"));
    };
    let known = genesis.validators.iter().find(|validator| validator.key == key);
    output::json(&json!({
        "name": known.map_or(file.meta().description, |validator| validator.name.clone()),
        "key": key,
        "seal_key": seal.public_key(),
        "seal_possession": seal.prove_possession(genesis.chain_id),
        "weight": known.map_or(1, |validator| validator.weight.0),
    }))
}

async fn limits(rpc: &RpcArgs, form: Form) -> Result<(), OperatorError> {
    let limits = rpc.client()?.limits().await?;
    if form.json {
        return output::json(&limits);
    }
    output::lines([
        format!("slot               {} of {} ms", limits.slot, limits.slot_ms),
        format!("valid_until_slot   at most {}", limits.valid_until_max),
        format!("transaction        {} bytes", limits.tx_bytes_max),
        format!("request body       {} bytes", limits.body_bytes_max),
        format!("JSON submission    {} transactions", limits.submit_txs_max),
        format!("status request     {} ids", limits.status_ids_max),
        format!("page               {} bytes of payload", limits.page_bytes_max),
    ])
}

/// `rota version`.
///
/// # Errors
/// As standard output.
pub fn version(form: Form) -> Result<(), OperatorError> {
    let version = env!("CARGO_PKG_VERSION");
    if form.json {
        return output::json(&json!({ "name": "rota", "version": version }));
    }
    output::line(format!("rota {version}"))
}
