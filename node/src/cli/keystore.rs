//! `rota keystore`: an account whose keys change. Signs with local encrypted key files, for demonstration.

use super::args::{PasswordArgs, RpcArgs, write_bytes};
use super::output::{self, Form};
use super::wallet::{Wallet, fresh_secret, open_key, parse_kind};
use crate::api::{AccountView, Level, Submitted, TransactionStatus};
use crate::client::{Client, level_name};
use crate::error::{ExitCode, OperatorError};
use crate::keys::Cost;
use rota_keystore::config::{Config, Key};
use rota_keystore::keys::KeyKind;
use rota_keystore::op::{FreezeAuthority, Op};
use rota_keystore::wallet::{Request, WalletKey, freeze, rotate};
use rota_types::bundle::FinalityBundle;
use rota_types::{Hash, Refusal, Slot};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Days of the longest freeze.
const FREEZE_DAYS_MAX: u64 = 7;

/// Arguments of every verb.
#[derive(Clone, Debug, clap::Args)]
pub struct WalletArgs {
    /// Folder of the account and its keys
    #[arg(
        long,
        value_name = "DIR",
        env = "ROTA_WALLET",
        hide_env_values = true,
        default_value = "rota-wallet"
    )]
    pub wallet: PathBuf,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: PasswordArgs,
    /// Longest wait for the seal, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub timeout: u64,
    /// Which nodes to ask.
    #[command(flatten)]
    pub rpc: RpcArgs,
    /// How to answer.
    #[command(flatten)]
    pub form: Form,
}

/// Verbs of `rota keystore`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum KeystoreCommand {
    /// Make a key and create an account that it controls
    New {
        /// ed25519, secp256k1, eoa or p256
        #[arg(long, value_name = "KIND", default_value = "ed25519", value_parser = parse_kind)]
        kind: KeyKind,
        /// Makes ids of equal configs differ
        #[arg(long, value_name = "HASH", default_value_t = Hash::ZERO)]
        salt: Hash,
        /// Only make the wallet; the account's first operation creates it
        #[arg(long)]
        offline: bool,
        /// Wallet and node.
        #[command(flatten)]
        args: WalletArgs,
    },
    /// Show an account
    Show {
        /// Id of the account; the wallet's own if left out
        id: Option<Hash>,
        /// Wallet and node.
        #[command(flatten)]
        args: WalletArgs,
    },
    /// Replace the account's key by a fresh one
    Rotate {
        /// Kind of the fresh key
        #[arg(long, value_name = "KIND", default_value = "ed25519", value_parser = parse_kind)]
        kind: KeyKind,
        /// Sign with this key file instead of the one in force
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Wallet and node.
        #[command(flatten)]
        args: WalletArgs,
    },
    /// Freeze the account: until then it signs nothing but changes of its keys
    Freeze {
        /// How many slots; 7 days at most
        #[arg(long, value_name = "SLOTS", default_value_t = 100)]
        slots: u64,
        /// Sign with this key file instead of the one in force
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Wallet and node.
        #[command(flatten)]
        args: WalletArgs,
    },
    /// End a freeze
    Unfreeze {
        /// Sign with this key file instead of the one in force
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Wallet and node.
        #[command(flatten)]
        args: WalletArgs,
    },
    /// Fetch the proof of the account's state, or that there is no such account
    Prove {
        /// Id of the account; the wallet's own if left out
        id: Option<Hash>,
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Wallet and node.
        #[command(flatten)]
        args: WalletArgs,
    },
}

fn refusal(refusal: Refusal) -> OperatorError {
    OperatorError::new(ExitCode::DataRefused, "the keystore refuses this").cause(refusal)
}

/// Runs a verb.
///
/// # Errors
/// As the wallet's files and the node.
pub async fn run(command: KeystoreCommand) -> Result<(), OperatorError> {
    match command {
        KeystoreCommand::New { kind, salt, offline, args } => new(kind, salt, offline, &args).await,
        KeystoreCommand::Show { id, args } => {
            let account = args.rpc.client()?.account(account_id(id, &args.wallet)?).await?;
            show(&account, args.form)
        }
        KeystoreCommand::Rotate { kind, key, args } => change(kind, key.as_deref(), &args).await,
        KeystoreCommand::Freeze { slots, key, args } => {
            let make = |session: &Session| {
                let until = session.slot.plus(slots);
                let account = &session.account;
                let (seq, count) = (account.config_seq, account.freeze_count);
                Request {
                    seq: 0,
                    op: freeze(until, seq, count, FreezeAuthority::Freeze),
                    ..session.request()
                }
            };
            let day_slots = |slot_ms: u64| 86_400_000u64.checked_div(slot_ms).unwrap_or(0);
            let session = Session::open(&args, key.as_deref()).await?;
            let max = day_slots(session.slot_ms).saturating_mul(FREEZE_DAYS_MAX);
            if slots == 0 || slots > max {
                return Err(OperatorError::new(ExitCode::Usage, format!("--slots {slots}"))
                    .cause(format!("a freeze lasts 1 to {max} slots, 7 days")));
            }
            session.send(&make(&session), &[&session.key], &args).await
        }
        KeystoreCommand::Unfreeze { key, args } => {
            let session = Session::open(&args, key.as_deref()).await?;
            let request = Request { op: Op::Unfreeze, ..session.request() };
            session.send(&request, &[&session.key], &args).await
        }
        KeystoreCommand::Prove { id, out, args } => prove(id, &out, &args).await,
    }
}

fn account_id(id: Option<Hash>, wallet: &Path) -> Result<Hash, OperatorError> {
    match id {
        Some(id) => Ok(id),
        None => Ok(Wallet::open(wallet)?.account.keystore_id),
    }
}

/// An account at hand: wallet, key, and what the node says of it.
struct Session {
    client: Client,
    wallet: Wallet,
    key: WalletKey,
    account: AccountView,
    chain_id: u64,
    slot: Slot,
    slot_ms: u64,
    valid_until_slot: Slot,
}

impl Session {
    async fn open(args: &WalletArgs, key: Option<&Path>) -> Result<Self, OperatorError> {
        let wallet = Wallet::open(&args.wallet)?;
        let password = Wallet::password(&args.wallet, &args.password)?;
        let path = key.map_or_else(|| wallet.key_path(), Path::to_path_buf);
        let key = open_key(&path, &password)?;
        let client = args.rpc.client()?;
        let limits = client.limits().await?;
        let account = client.account(wallet.account.keystore_id).await?;
        Ok(Self {
            client,
            wallet,
            key,
            account,
            chain_id: limits.chain_id,
            slot: limits.slot,
            slot_ms: limits.slot_ms,
            valid_until_slot: limits.valid_until_max.prev(),
        })
    }

    /// Next in lane 0; the caller gives the operation.
    fn request(&self) -> Request {
        Request {
            chain_id: self.chain_id,
            keystore_id: self.wallet.keystore_id(),
            seq: self.account.next_seq,
            valid_until_slot: self.valid_until_slot,
            init: None,
            op: Op::Unfreeze,
        }
    }

    async fn send(
        &self,
        request: &Request,
        keys: &[&WalletKey],
        args: &WalletArgs,
    ) -> Result<(), OperatorError> {
        let envelope = request.sign(keys).map_err(refusal)?;
        let status = send(&self.client, &envelope, args.timeout).await?;
        report(&status, self.wallet.account.keystore_id, args.form)
    }
}

/// Sends an envelope and waits for its seal.
async fn send(
    client: &Client,
    envelope: &[u8],
    timeout_s: u64,
) -> Result<TransactionStatus, OperatorError> {
    let params = json!({
        "envelope": hex::encode(envelope),
        "wait": Level::Sealed,
        "timeout_ms": timeout_s.saturating_mul(1_000),
    });
    let submitted: Submitted = client.call("keystore_sendTransaction", &params).await?;
    submitted
        .transactions
        .into_iter()
        .next()
        .ok_or_else(|| OperatorError::new(ExitCode::Unavailable, "the node said nothing of it"))
}

fn report(status: &TransactionStatus, id: Hash, form: Form) -> Result<(), OperatorError> {
    if form.json {
        output::json(&json!({ "keystore_id": id, "transaction": status }))?;
    } else {
        output::line(format!("account      {id}"))?;
        output::line(format!("transaction  {} {}", status.id, level_name(status.level)))?;
    }
    if let Some(skipped) = &status.skipped {
        return Err(OperatorError::new(
            ExitCode::DataRefused,
            format!("the operation was refused: {}", skipped.name),
        )
        .cause(&skipped.message));
    }
    if status.level < Level::Sealed {
        return Err(OperatorError::new(ExitCode::TryAgain, "the operation is not sealed yet")
            .hint(format!("rota tx follow {}", status.id)));
    }
    Ok(())
}

async fn new(
    kind: KeyKind,
    salt: Hash,
    offline: bool,
    args: &WalletArgs,
) -> Result<(), OperatorError> {
    let password = Wallet::password(&args.wallet, &args.password)?;
    let secret = fresh_secret(kind)?;
    let wallet = Wallet::create(&args.wallet, kind, &secret, salt, &password, Cost::Standard)?;
    let id = wallet.account.keystore_id;
    if offline {
        return output::line(id);
    }
    let client = args.rpc.client()?;
    let limits = client.limits().await?;
    let (init, key) = wallet.init(&password)?;
    let request = Request::init(limits.chain_id, init, limits.valid_until_max.prev());
    let envelope = request.sign(&[&key]).map_err(refusal)?;
    report(&send(&client, &envelope, args.timeout).await?, id, args.form)
}

async fn change(kind: KeyKind, key: Option<&Path>, args: &WalletArgs) -> Result<(), OperatorError> {
    let mut session = Session::open(args, key).await?;
    let config =
        hex::decode(&session.account.config).ok().and_then(|bytes| Config::from_bytes(&bytes).ok());
    let password = Wallet::password(&args.wallet, &args.password)?;
    let init = if session.account.exists { None } else { Some(session.wallet.init(&password)?.0) };
    let config =
        config.or_else(|| init.as_ref().map(|init| init.config.clone())).ok_or_else(|| {
            OperatorError::new(ExitCode::Unavailable, "the node shows no config of the account")
        })?;
    let secret = fresh_secret(kind)?;
    let name = session.wallet.write_key(kind, &secret, &password, Cost::Standard)?;
    let fresh = WalletKey::from_secret(kind, &secret).map_err(refusal)?;
    // A key that is not in the config any more is for the network to refuse, not for us.
    let op =
        rotate(&config, &session.key.key_id(), fresh.public_key().clone()).unwrap_or_else(|_| {
            Op::RotateKey {
                previous_config_hash: config.hash(),
                old_key: session.key.key_id(),
                new_key: Key::all_roles(fresh.public_key().clone()),
            }
        });
    let request = Request { init, op, ..session.request() };
    let envelope = request.sign(&[&session.key, &fresh]).map_err(refusal)?;
    let status = match send(&session.client, &envelope, args.timeout).await {
        Ok(status) => status,
        Err(error) => {
            if error.exit == ExitCode::DataRefused {
                session.wallet.discard(&name);
            }
            return Err(error);
        }
    };
    if status.skipped.is_none() && status.level >= Level::Ordered {
        session.wallet.adopt(name)?;
    } else {
        output::note(format!("the fresh key stays in {name}; the old one is in force"));
    }
    report(&status, session.wallet.account.keystore_id, args.form)
}

fn show(account: &AccountView, form: Form) -> Result<(), OperatorError> {
    if form.json {
        return output::json(account);
    }
    output::line(format!("account       {}", account.keystore_id))?;
    output::line(format!("height        {}", account.height))?;
    if !account.exists {
        return output::line("there is no such account");
    }
    output::lines([
        format!("status        {}", account.status),
        format!("frozen until  {}", account.frozen_until),
        format!("config        {} (number {})", account.config_hash, account.config_seq),
        format!("auth_seq      {}", account.auth_seq),
        format!("next seq      {}", account.next_seq),
        format!("updated       slot {}", account.updated_slot),
    ])?;
    let config = hex::decode(&account.config).ok().and_then(|b| Config::from_bytes(&b).ok());
    output::lines(config.iter().flat_map(|config| &config.keys).map(|key| {
        let bytes = hex::encode(key.public_key.bytes());
        format!("key           {} {bytes} weight {}", key.public_key.kind(), key.weight)
    }))
}

async fn prove(id: Option<Hash>, out: &Path, args: &WalletArgs) -> Result<(), OperatorError> {
    let id = account_id(id, &args.wallet)?;
    let timeout = Duration::from_secs(args.timeout);
    let bytes =
        super::proof::fetch(&args.rpc.client()?, &format!("accounts/{id}"), timeout).await?;
    write_bytes(out, &bytes)?;
    let bundle = FinalityBundle::from_bytes(&bytes).map_err(|error| {
        OperatorError::new(ExitCode::DataRefused, "the node gave no proof").cause(error)
    })?;
    if args.form.json {
        return output::json(&super::proof::describe(&bundle));
    }
    output::note(format!("wrote {} ({} bytes)", out.display(), bytes.len()));
    Ok(())
}
