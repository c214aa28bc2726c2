//! From a submission's JSON to the list that a node takes; every byte counted before it is copied.

use super::error::DoorError;
use super::limits::{BODY_BYTES_MAX, RpcLimits, SIGNATURE_WORK_PER_UNIT, WAIT_MS_DEFAULT};
use crate::api::Level;
use rota_keystore::Envelope;
use rota_types::limits::{TX_BYTES_MAX, TX_OVERHEAD_BYTES};
use rota_types::{Refusal, RefusalCode, RollupId, Slot, Transaction, TransactionList};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A transaction of a JSON submission.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TransactionArg {
    /// Hex of an encoded transaction.
    Encoded(String),
    /// Its fields.
    Fields(TransactionFields),
}

/// Fields of a transaction of a JSON submission.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionFields {
    /// Its rollup.
    pub rollup: RollupId,
    /// Last slot in which it may be ordered; the newest admitted if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until_slot: Option<Slot>,
    /// Hex.
    pub payload: String,
}

/// Parameters of `rota_submit` and body of `POST /v1/transactions`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitArgs {
    /// One to 256 transactions.
    pub transactions: Vec<TransactionArg>,
    /// Level to wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Level>,
    /// Longest wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// The wait asked for, within its bounds.
#[must_use]
pub fn deadline(limits: &RpcLimits, timeout_ms: Option<u64>) -> Duration {
    Duration::from_millis(timeout_ms.unwrap_or(WAIT_MS_DEFAULT)).min(limits.wait_max)
}

/// Bytes of hex text with or without `0x`.
///
/// # Errors
/// `BadRequest` naming `what`.
pub fn hex_bytes(what: &str, text: &str) -> Result<Vec<u8>, DoorError> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text))
        .map_err(|error| DoorError::bad_request(format!("{what} is not hex: {error}")))
}

/// Builds the list of a JSON submission.
///
/// # Errors
/// `BadRequest`, or the refusal of the first transaction that is not one, with its index.
pub fn list(
    args: &SubmitArgs,
    valid_until_max: Slot,
    limits: &RpcLimits,
) -> Result<TransactionList, DoorError> {
    let max = limits.submit_txs_max;
    let count = args.transactions.len();
    if count == 0 || count > max {
        return Err(DoorError::bad_request(format!(
            "{count} transactions; a JSON submission has 1 to {max}: send more as application/octet-stream"
        )));
    }
    let mut encoded = Vec::with_capacity(count);
    for (index, transaction) in args.transactions.iter().enumerate() {
        encoded.push(encode_one(index, transaction, valid_until_max)?);
    }
    TransactionList::from_encoded(encoded.iter().map(Vec::as_slice), BODY_BYTES_MAX)
        .map_err(|error| DoorError::refused(None, Refusal::from(&error)))
}

/// Units that the signatures of a list's keystore operations cost a caller, on top of its bytes.
#[must_use]
pub fn signature_cost(list: &TransactionList) -> u32 {
    let executed = list.iter().filter(|view| view.rollup == RollupId::KEYSTORE);
    let work = executed
        .fold(0u64, |work, view| work.saturating_add(Envelope::signature_units(view.payload())));
    u32::try_from(work.div_ceil(SIGNATURE_WORK_PER_UNIT)).unwrap_or(u32::MAX)
}

fn encode_one(
    index: usize,
    transaction: &TransactionArg,
    valid_until_max: Slot,
) -> Result<Vec<u8>, DoorError> {
    let refused = |refusal| DoorError::refused(Some(index), refusal);
    match transaction {
        TransactionArg::Encoded(text) => {
            let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text))
                .map_err(|_| refused(RefusalCode::Undecodable.into()))?;
            check_one(&bytes).map_err(refused)?;
            Ok(bytes)
        }
        TransactionArg::Fields(fields) => {
            let payload = hex_bytes(&format!("transactions[{index}].payload"), &fields.payload)?;
            let found = payload.len().saturating_add(TX_OVERHEAD_BYTES);
            if found > TX_BYTES_MAX {
                return Err(refused(oversize(found)));
            }
            let valid_until_slot = fields.valid_until_slot.unwrap_or(valid_until_max);
            let transaction = Transaction { rollup: fields.rollup, valid_until_slot, payload };
            Ok(rota_types::codec::encode(&transaction))
        }
    }
}

fn oversize(found: usize) -> Refusal {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    Refusal::at_limit(RefusalCode::Oversize, number(TX_BYTES_MAX), number(found))
}

/// Whether `bytes` are exactly one transaction, so that encodings can be put behind one another.
fn check_one(bytes: &[u8]) -> Result<(), Refusal> {
    let undecodable = Refusal::new(RefusalCode::Undecodable);
    let head = bytes.first_chunk::<TX_OVERHEAD_BYTES>().ok_or(undecodable)?;
    let length = head.last_chunk::<4>().map(|b| u32::from_le_bytes(*b)).ok_or(undecodable)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let whole = length.saturating_add(TX_OVERHEAD_BYTES);
    if whole > TX_BYTES_MAX {
        return Err(oversize(whole));
    }
    match bytes.len().checked_sub(whole) {
        None => Err(undecodable),
        Some(0) => Ok(()),
        Some(left) => {
            let left = u64::try_from(left).unwrap_or(u64::MAX);
            Err(Refusal::at_limit(RefusalCode::TrailingBytes, 0, left))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(json: &str) -> SubmitArgs {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn fields_and_encodings_give_the_same_transaction() {
        let tx =
            Transaction { rollup: RollupId(10), valid_until_slot: Slot(7), payload: vec![1, 2] };
        let encoded = hex::encode(rota_types::codec::encode(&tx));
        let both = args(&format!(
            r#"{{"transactions":["0x{encoded}",{{"rollup":10,"payload":"0x0102"}},{{"rollup":10,"valid_until_slot":7,"payload":"0102"}}]}}"#
        ));
        let list = list(&both, Slot(7), &RpcLimits::default()).unwrap();
        assert!(list.ids().all(|id| id == tx.id()));
    }

    #[test]
    fn wrong_bytes_have_their_code_limit_and_index() {
        let code = |text: String| {
            let args = SubmitArgs {
                transactions: vec![
                    TransactionArg::Fields(TransactionFields {
                        rollup: RollupId(10),
                        valid_until_slot: None,
                        payload: String::new(),
                    }),
                    TransactionArg::Encoded(text),
                ],
                wait: None,
                timeout_ms: None,
            };
            let error = list(&args, Slot(7), &RpcLimits::default()).unwrap_err();
            assert_eq!(error.data.as_ref().unwrap()["index"], 1);
            (error.name.clone(), error.data.unwrap()["value"].clone())
        };
        let good = hex::encode(rota_types::codec::encode(&Transaction {
            rollup: RollupId(10),
            valid_until_slot: Slot(7),
            payload: vec![9; 40],
        }));
        assert_eq!(code("zz".into()).0, "Undecodable");
        assert_eq!(code(good[..good.len() - 2].into()).0, "Undecodable");
        assert_eq!(code(format!("{good}00")), ("TrailingBytes".into(), 1.into()));
        let huge = format!("{}{}", "00".repeat(16), hex::encode(0x0010_0000u32.to_le_bytes()));
        assert_eq!(code(huge), ("Oversize".into(), (0x0010_0000 + 20).into()));
    }
}
