//! `rota proof`: fetches finality bundles, and verifies them with no network.

use super::args::{RpcArgs, read_bytes, write_bytes};
use super::output::{self, Form};
use crate::client::Client;
use crate::error::{ExitCode, OperatorError};
use crate::provision::read_genesis;
use rota_keystore::account::AuthLeaf;
use rota_types::bundle::{BundleError, FinalityBundle, Subject, Verified};
use rota_types::limits::BUNDLE_FILE_BYTES_MAX;
use rota_types::{Hash, Height, RollupId};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Verbs of `rota proof`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ProofCommand {
    /// Fetch a proof: of a transaction, of all of a rollup in a slot (or that there is none), of an account
    Get(GetArgs),
    /// Verify a proof against a genesis document, with no network; names the check that failed
    Verify {
        /// The proof
        file: PathBuf,
        /// Genesis document of the network: the only thing trusted
        #[arg(long, value_name = "FILE")]
        genesis: PathBuf,
        /// How to answer.
        #[command(flatten)]
        form: Form,
    },
}

/// Arguments of `rota proof get`.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("of").required(true).args(["transaction", "slot", "account"]))]
pub struct GetArgs {
    /// Id of a transaction
    pub transaction: Option<Hash>,
    /// Height of a slot, with --rollup
    #[arg(long, value_name = "HEIGHT", requires = "rollup")]
    pub slot: Option<Height>,
    /// A rollup, with --slot
    #[arg(long, value_name = "ID", requires = "slot")]
    pub rollup: Option<RollupId>,
    /// Id of a keystore account
    #[arg(long, value_name = "ID")]
    pub account: Option<Hash>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How long to wait for the seal, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
    /// Which nodes to ask.
    #[command(flatten)]
    pub rpc: RpcArgs,
    /// How to answer.
    #[command(flatten)]
    pub form: Form,
}

/// Runs a verb.
///
/// # Errors
/// As the node answers; data-refused for a proof that does not verify.
pub async fn run(command: ProofCommand) -> Result<(), OperatorError> {
    match command {
        ProofCommand::Get(args) => get(args).await,
        ProofCommand::Verify { file, genesis, form } => verify(&file, &genesis, form),
    }
}

/// Fetches a bundle by its path under `/v1/bundles/`, waiting for its seal.
///
/// # Errors
/// As the node answers.
pub(super) async fn fetch(
    client: &Client,
    path: &str,
    timeout: Duration,
) -> Result<Vec<u8>, OperatorError> {
    let started = tokio::time::Instant::now();
    loop {
        match client.bundle(path).await {
            Ok(bytes) => return Ok(bytes.to_vec()),
            Err(error) => match error.retry_ms() {
                Some(_) if started.elapsed() < timeout => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                _ => return Err(error.into()),
            },
        }
    }
}

async fn get(args: GetArgs) -> Result<(), OperatorError> {
    let path = match (args.transaction, args.slot, args.rollup, args.account) {
        (Some(id), ..) => format!("transactions/{id}"),
        (None, Some(height), Some(rollup), _) => format!("slots/{height}/namespaces/{rollup}"),
        (None, _, _, Some(account)) => format!("accounts/{account}"),
        _ => {
            return Err(OperatorError::new(ExitCode::Usage, "nothing to prove")
                .hint("give a transaction id, --slot and --rollup, or --account"));
        }
    };
    let bytes = fetch(&args.rpc.client()?, &path, Duration::from_secs(args.timeout)).await?;
    write_bytes(&args.out, &bytes)?;
    let bundle = FinalityBundle::from_bytes(&bytes).map_err(refused)?;
    if args.form.json {
        return output::json(&describe(&bundle));
    }
    output::note(format!("wrote {} ({} bytes)", args.out.display(), bytes.len()));
    Ok(())
}

fn refused(error: BundleError) -> OperatorError {
    OperatorError::new(
        ExitCode::DataRefused,
        format!("the proof is refused: check `{}` failed", error.check),
    )
    .cause(error.error)
    .hint(match error.check {
        "genesis" => {
            "it is of another network, or --genesis is: give the one of this proof's network"
        }
        _ => "fetch it again; if it fails again, do not believe it",
    })
}

/// What a bundle is about, unverified.
pub(super) fn describe(bundle: &FinalityBundle) -> Value {
    let mut map = Map::new();
    map.insert("height".into(), json!(bundle.header.height));
    map.insert("slot".into(), json!(bundle.header.slot));
    map.insert("header_id".into(), json!(bundle.header.id()));
    match &bundle.subject {
        Subject::Transaction { transaction, namespace, range } => {
            map.insert("kind".into(), json!("transaction"));
            map.insert("id".into(), json!(rota_types::keccak256(transaction)));
            map.insert("rollup".into(), json!(namespace.rollup));
            map.insert("index".into(), json!(range.start));
        }
        Subject::Namespace { namespace, ids } => {
            let kind = if namespace.entry.is_some() { "completeness" } else { "absence" };
            map.insert("kind".into(), json!(kind));
            map.insert("rollup".into(), json!(namespace.rollup));
            map.insert("count".into(), json!(ids.len()));
            map.insert("ids".into(), json!(ids));
        }
        Subject::Account { keystore_id, leaf, .. } => {
            map.insert("kind".into(), json!("account"));
            map.insert("keystore_id".into(), json!(keystore_id));
            map.insert("present".into(), json!(leaf.is_some()));
            if let Some(leaf) = leaf.as_deref().and_then(AuthLeaf::from_bytes) {
                map.insert("leaf".into(), json!(leaf));
            }
        }
    }
    Value::Object(map)
}

fn verify(file: &Path, genesis: &Path, form: Form) -> Result<(), OperatorError> {
    let genesis = read_genesis(genesis)?;
    let bytes = read_bytes(file, BUNDLE_FILE_BYTES_MAX)?;
    let checked = FinalityBundle::from_bytes(&bytes)
        .and_then(|bundle| bundle.verify(&genesis).map(|verified| (bundle, verified)));
    match checked {
        Err(error) => {
            if form.json {
                let reason = error.error.to_string();
                output::json(&json!({ "ok": false, "check": error.check, "reason": reason }))?;
            }
            Err(refused(error))
        }
        Ok((bundle, verified)) => {
            if form.json {
                let mut answer = describe(&bundle);
                if let Some(map) = answer.as_object_mut() {
                    map.insert("ok".into(), json!(true));
                }
                return output::json(&answer);
            }
            output::line(sentence(&bundle, &verified))
        }
    }
}

fn sentence(bundle: &FinalityBundle, verified: &Verified) -> String {
    let place = format!("height {}, slot {}", bundle.header.height, bundle.header.slot);
    match verified {
        Verified::Transaction { id, rollup, index } => {
            format!("accepted: transaction {id} is number {index} of rollup {rollup} at {place}")
        }
        Verified::Namespace { rollup, count: 0 } => {
            format!("accepted: rollup {rollup} has no transaction at {place}")
        }
        Verified::Namespace { rollup, count } => {
            format!("accepted: these are all {count} transactions of rollup {rollup} at {place}")
        }
        Verified::Account { keystore_id, present: true } => {
            format!("accepted: account {keystore_id} is as the proof says at {place}")
        }
        Verified::Account { keystore_id, present: false } => {
            format!("accepted: there is no account {keystore_id} at {place}")
        }
    }
}
