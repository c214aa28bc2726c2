//! What the fuzzer does with bytes for this crate: frames of other validators, entries of the WAL.

use rota_consensus::wal::WalEntry;
use rota_consensus::{Message, MessageClass};

/// A frame on either stream of agreement.
pub(crate) fn frames(data: &[u8]) {
    for class in [MessageClass::Votes, MessageClass::Proposals] {
        if let Ok(message) = Message::from_bytes(class, data) {
            assert!(message.to_bytes() == data, "two encodings of one message");
        }
    }
}

/// An entry of the WAL.
pub(crate) fn wal_entry(data: &[u8]) {
    if let Ok(entry) = WalEntry::from_bytes(data) {
        assert!(entry.to_bytes() == data, "two encodings of one entry");
    }
}
