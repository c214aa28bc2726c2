//! Answers that a door puts together from the node's own, and the arguments they are asked by.

use super::error::DoorError;
use super::limits::{PAGE_BYTES_MAX, PAGE_WAIT_MS_MAX, RpcLimits, STATUS_IDS_MAX};
use crate::api::{
    ApiError, Backend, BundleOf, Cursor, Level, OrderedTransaction, Page, SlotView,
    TransactionStatus,
};
use rota_types::{Hash, Height, RollupId, Slot, SlotHeader, ValidatorKey};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An executed header with its seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeaderView {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub header_id: Hash,
    /// Its fields.
    pub header: SlotHeader,
    /// Ordered or sealed.
    pub level: Level,
    /// Hex of the borsh `Seal`, if sealed.
    pub seal: Option<String>,
    /// Validators in the seal.
    pub sealed_by: Vec<ValidatorKey>,
}

/// A page of a rollup's transactions in one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamespaceView {
    /// The height.
    pub height: Height,
    /// Its slot.
    pub slot: Slot,
    /// The rollup.
    pub rollup: RollupId,
    /// Transactions of the rollup in the slot; 0 is absence.
    pub count: u64,
    /// Ordered or sealed.
    pub level: Level,
    /// The page.
    pub transactions: Vec<OrderedTransaction>,
    /// Index of the next page, if there is one.
    pub next_index: Option<u64>,
}

/// What a sender needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsView {
    /// The network.
    pub chain_id: u64,
    /// Hash of its genesis.
    pub genesis: Hash,
    /// Length of a slot.
    pub slot_ms: u64,
    /// Current slot by this node's clock.
    pub slot: Slot,
    /// Highest `valid_until_slot` admitted now.
    pub valid_until_max: Slot,
    /// Most bytes of a transaction, encoded.
    pub tx_bytes_max: u64,
    /// Most bytes of a request body.
    pub body_bytes_max: u64,
    /// Most transactions of a JSON submission.
    pub submit_txs_max: u64,
    /// Most ids of a status request.
    pub status_ids_max: u64,
    /// Most payload bytes of a page of a rollup's transactions.
    pub page_bytes_max: u64,
}

/// A registered rollup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupView {
    /// Its id.
    pub id: RollupId,
    /// Its name.
    pub name: String,
}

/// Which bundle is asked for: exactly one of a transaction, a rollup at a height, an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleArgs {
    /// A transaction.
    #[serde(default)]
    pub id: Option<Hash>,
    /// A height, with `rollup`.
    #[serde(default)]
    pub height: Option<Height>,
    /// A rollup, with `height`.
    #[serde(default)]
    pub rollup: Option<RollupId>,
    /// An account.
    #[serde(default)]
    pub account: Option<Hash>,
}

impl BundleArgs {
    /// The one thing asked for.
    ///
    /// # Errors
    /// `BadRequest` for none or several.
    pub fn of(self) -> Result<BundleOf, DoorError> {
        match (self.id, self.height, self.rollup, self.account) {
            (Some(id), None, None, None) => Ok(BundleOf::Transaction(id)),
            (None, Some(height), Some(rollup), None) => Ok(BundleOf::Namespace(height, rollup)),
            (None, None, None, Some(account)) => Ok(BundleOf::Account(account)),
            _ => Err(DoorError::bad_request("give one of {id}, {height, rollup} and {account}")),
        }
    }
}

/// A height or `latest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeightArg(pub Option<Height>);

impl std::str::FromStr for HeightArg {
    type Err = DoorError;
    fn from_str(text: &str) -> Result<Self, DoorError> {
        if text == "latest" {
            return Ok(Self(None));
        }
        text.parse()
            .map(|height| Self(Some(height)))
            .map_err(|_| DoorError::bad_request("a height is a number or `latest`"))
    }
}

impl<'de> Deserialize<'de> for HeightArg {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(Height),
            Text(String),
            Nothing(()),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(height) => Ok(Self(Some(height))),
            Form::Text(text) => {
                text.parse().map_err(|e: DoorError| serde::de::Error::custom(e.message))
            }
            Form::Nothing(()) => Ok(Self(None)),
        }
    }
}

/// The limits as of now.
pub fn limits<B: Backend>(backend: &B, limits: &RpcLimits) -> LimitsView {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let status = backend.sync_status();
    LimitsView {
        chain_id: status.chain_id,
        genesis: status.genesis,
        slot_ms: status.slot_ms,
        slot: status.slot,
        valid_until_max: backend.valid_until_max(),
        tx_bytes_max: number(rota_types::limits::TX_BYTES_MAX),
        body_bytes_max: number(limits.body_bytes_max),
        submit_txs_max: number(limits.submit_txs_max),
        status_ids_max: number(STATUS_IDS_MAX),
        page_bytes_max: number(PAGE_BYTES_MAX),
    }
}

/// Registered rollups.
pub fn rollups<B: Backend>(backend: &B) -> Vec<RollupView> {
    backend.rollups().into_iter().map(|(id, name)| RollupView { id, name }).collect()
}

/// A decided slot; one that is not decided yet is said to be so, not to be unknown.
///
/// # Errors
/// As the node's.
pub async fn slot<B: Backend>(backend: &B, height: HeightArg) -> Result<SlotView, DoorError> {
    match backend.slot(height.0).await {
        Err(ApiError::NotFound(what)) => {
            let decided = backend.head().borrow().decided;
            match height.0 {
                Some(height) if height > decided => Err(ApiError::NotYet(format!(
                    "height {height} is not decided; the newest is {decided}"
                ))
                .into()),
                _ => Err(ApiError::NotFound(what).into()),
            }
        }
        other => Ok(other?),
    }
}

/// The header of a slot.
///
/// # Errors
/// `NotYet` if the slot is not executed here.
pub fn header(slot: SlotView) -> Result<HeaderView, DoorError> {
    match (slot.header_id, slot.header) {
        (Some(header_id), Some(header)) => Ok(HeaderView {
            height: slot.height,
            header_id,
            header,
            level: slot.level,
            seal: slot.seal,
            sealed_by: slot.sealed_by,
        }),
        _ => Err(ApiError::NotYet(format!("height {} is not executed here", slot.height)).into()),
    }
}

/// A page of a rollup's transactions in one slot.
///
/// # Errors
/// As the node's.
pub async fn namespace<B: Backend>(
    backend: &B,
    height: Height,
    rollup: RollupId,
    index: u64,
) -> Result<NamespaceView, DoorError> {
    let slot = slot(backend, HeightArg(Some(height))).await?;
    if slot.header.is_none() {
        return Err(ApiError::NotYet(format!("height {height} is not executed here")).into());
    }
    let count = slot.namespaces.iter().find(|(id, _)| *id == rollup).map_or(0, |(_, n)| *n);
    let page = if index < count {
        let from = Cursor { height, index };
        Some(backend.follow(rollup, from, Some(height), PAGE_BYTES_MAX).await?)
    } else {
        None
    };
    let transactions = page.map(|page| page.transactions).unwrap_or_default();
    let next = transactions.last().map_or(count, |last| last.index.saturating_add(1));
    Ok(NamespaceView {
        height,
        slot: slot.slot,
        rollup,
        count,
        level: slot.level,
        transactions,
        next_index: (next < count).then_some(next),
    })
}

/// Where each of some transactions is, in the order asked; `None` for one that is not known here.
///
/// # Errors
/// `BadRequest` for too many, else the node's.
pub async fn transactions<B: Backend>(
    backend: &B,
    ids: &[Hash],
) -> Result<Vec<Option<TransactionStatus>>, DoorError> {
    if ids.len() > STATUS_IDS_MAX {
        return Err(DoorError::bad_request(format!(
            "{} ids; at most {STATUS_IDS_MAX} in one request",
            ids.len()
        )));
    }
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        match backend.transaction(*id).await {
            Ok(status) => all.push(Some(status)),
            Err(ApiError::NotFound(_)) => all.push(None),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(all)
}

/// A page of a rollup's transactions out of at most `range` slots, waiting at most `wait_ms` for the first one.
///
/// # Errors
/// As the node's.
pub async fn page<B: Backend>(
    backend: &B,
    rollup: RollupId,
    from: Cursor,
    until: Option<Height>,
    wait_ms: u64,
    range: u64,
) -> Result<Page, DoorError> {
    let last = from.height.plus(range.saturating_sub(1));
    let until = Some(until.map_or(last, |until| until.min(last)));
    let wait = tokio::time::sleep(Duration::from_millis(wait_ms.min(PAGE_WAIT_MS_MAX)));
    tokio::pin!(wait);
    let mut head = backend.head();
    loop {
        head.borrow_and_update();
        let page = backend.follow(rollup, from, until, PAGE_BYTES_MAX).await?;
        if wait_ms == 0 || page.next != from {
            return Ok(page);
        }
        tokio::select! {
            () = &mut wait => return Ok(page),
            changed = head.changed() => if changed.is_err() { return Ok(page) },
        }
    }
}
