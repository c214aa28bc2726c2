//! What makes a devnet lively: demo transactions through every node, and a demo account of the keystore.

use super::network::Devnet;
use crate::api::{Backend, Level, Submission};
use crate::cli::wallet::Wallet;
use crate::error::{ExitCode, OperatorError};
use crate::home::write_new_secret;
use crate::keys::{Cost, Password};
use crate::provision::devnet;
use rota_keystore::keys::KeyKind;
use rota_keystore::wallet::Request;
use rota_types::limits::BATCH_BODY_BYTES_MAX;
use rota_types::{Hash, RollupId, Transaction, TransactionList, keccak256};
use std::time::Duration;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// Pause between two submissions.
const PAUSE: Duration = Duration::from_millis(250);
/// Transactions of a submission.
const TXS: u64 = 8;

fn list(transactions: Vec<Transaction>) -> Option<TransactionList> {
    let bytes = rota_types::codec::encode(&transactions);
    TransactionList::parse(bytes.into(), BATCH_BODY_BYTES_MAX).ok()
}

fn submission(list: TransactionList, wait: Level) -> Submission {
    Submission { list, source: None, wait, deadline: Duration::from_secs(60), detail: false }
}

/// A few transactions a second, to one node after another.
pub(super) fn start(devnet: &Devnet) -> JoinHandle<()> {
    let nodes: Vec<_> = devnet.nodes.iter().map(|node| node.api.clone()).collect();
    tokio::spawn(async move {
        for (round, api) in (0u64..).zip(nodes.iter().cycle()) {
            let valid_until_slot = api.valid_until_max();
            let transactions = (0..TXS)
                .map(|n| {
                    let seed = keccak256(&[round.to_be_bytes(), n.to_be_bytes()].concat());
                    let words = usize::from(seed.0[0] % 16).saturating_add(1);
                    Transaction {
                        rollup: demo_rollup(round),
                        valid_until_slot,
                        payload: seed.0.repeat(words),
                    }
                })
                .collect();
            if let Some(list) = list(transactions)
                && let Err(error) = api.submit(submission(list, Level::Received)).await
            {
                tracing::debug!(%error, "demo traffic");
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// Mostly the demo rollup: the others are left to whoever tries them out.
const fn demo_rollup(_round: u64) -> RollupId {
    devnet::DEMO_ROLLUP
}

/// The demo account's wallet, made at the first run.
fn wallet(devnet: &Devnet) -> Result<(Wallet, Password), OperatorError> {
    let folder = devnet.root.join("wallet");
    let password = Password::new(Zeroizing::new(devnet::PASSWORD.to_owned()))
        .map_err(|error| error.about("the devnet's wallet"))?;
    if folder.join("account.json").exists() {
        return Ok((Wallet::open(&folder)?, password));
    }
    let secret = devnet::demo_account_secret(0);
    let wallet =
        Wallet::create(&folder, KeyKind::Ed25519, &secret, Hash::ZERO, &password, Cost::Light)?;
    write_new_secret(&folder.join("password"), format!("{}\n", password.text()).as_bytes())?;
    Ok((wallet, password))
}

/// What the banner says of the account.
pub(super) fn account_lines(devnet: &Devnet) -> Result<Vec<String>, OperatorError> {
    let (wallet, _) = wallet(devnet)?;
    let folder = devnet.root.join("wallet");
    let rpc = devnet.nodes.first().map(|node| node.http);
    let rpc = rpc.map_or_else(String::new, |http| format!(" --rpc http://{http}"));
    Ok(vec![
        "\nkeystore account".to_owned(),
        format!("  id      {}", wallet.account.keystore_id),
        format!("  secret  {} (ed25519)", hex::encode(devnet::demo_account_secret(0))),
        format!("  try     rota keystore rotate --wallet {}{rpc}", folder.display()),
    ])
}

/// Registers the demo account in the background, if it is not there.
pub(super) fn register_account(devnet: &Devnet) -> JoinHandle<()> {
    let made = wallet(devnet).and_then(|(wallet, password)| wallet.init(&password));
    let api = devnet.nodes.first().map(|node| node.api.clone());
    let chain_id = devnet.genesis.chain_id;
    tokio::spawn(async move {
        let (Some(api), Ok((init, key))) = (api, made) else { return };
        let known = api.account(init.keystore_id().0).await;
        if known.is_ok_and(|account| account.exists) {
            return;
        }
        let valid_until_slot = api.valid_until_max();
        let request = Request::init(chain_id, init, valid_until_slot);
        let registered = match request
            .sign(&[&key])
            .map_err(|refusal| OperatorError::new(ExitCode::Bug, "the demo account").cause(refusal))
        {
            Ok(payload) => {
                let rollup = RollupId::KEYSTORE;
                list(vec![Transaction { rollup, valid_until_slot, payload }])
            }
            Err(error) => {
                tracing::warn!(%error, "demo account");
                None
            }
        };
        if let Some(list) = registered
            && let Err(error) = api.submit(submission(list, Level::Sealed)).await
        {
            tracing::warn!(%error, "demo account");
        }
    })
}
