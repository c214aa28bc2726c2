//! A keystore envelope as the transaction that carries it.

use super::error::DoorError;
use super::limits::BODY_BYTES_MAX;
use super::submit::hex_bytes;
use rota_keystore::envelope::Envelope;
use rota_types::{Refusal, RollupId, Transaction, TransactionList};

/// Wraps the hex of an envelope in a transaction of rollup 0 whose expiry is the envelope's own.
///
/// # Errors
/// `BadRequest` for text that is not hex, else the refusal of the envelope.
pub(crate) fn list(text: &str) -> Result<TransactionList, DoorError> {
    let payload = hex_bytes("envelope", text)?;
    let envelope =
        Envelope::from_bytes(&payload).map_err(|refusal| DoorError::refused(Some(0), refusal))?;
    let transaction = Transaction {
        rollup: RollupId::KEYSTORE,
        valid_until_slot: envelope.valid_until_slot,
        payload,
    };
    let bytes = rota_types::codec::encode(&transaction);
    TransactionList::from_encoded([bytes.as_slice()], BODY_BYTES_MAX)
        .map_err(|error| DoorError::refused(Some(0), Refusal::from(&error)))
}
