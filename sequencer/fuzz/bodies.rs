//! What the fuzzer does with bytes for this crate: frames, questions and answers of other nodes.

use borsh::{BorshDeserialize, BorshSerialize};
use rota_sequencer::Batch;
use rota_sequencer::catchup::{BatchesAnswer, Protocol, Request, SlotsAnswer, Status};
use rota_sequencer::execution::{DecidedRecord, ExecutedRecord};
use rota_sequencer::lanes::LaneMessage;
use rota_sequencer::seals::SealMessage;
use rota_types::codec::{decode, encode};

/// The chain of the committed inputs.
const CHAIN_ID: u64 = 7;
/// As long as an answer may be.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A batch as its author sends it: signed header, then body.
pub(crate) fn batch(data: &[u8]) {
    let frame = bytes::Bytes::copy_from_slice(data);
    let stored = Batch::from_stored(CHAIN_ID, frame.clone());
    let checked = Batch::from_frame(CHAIN_ID, frame);
    assert!(stored.is_ok() || checked.is_err(), "the stricter door lets in less");
}

/// Frames between validators about lanes and seals.
pub(crate) fn messages(data: &[u8]) {
    if let Ok(message) = LaneMessage::from_bytes(data) {
        assert!(message.to_bytes() == data, "two encodings of one lane message");
    }
    if let Ok(message) = SealMessage::from_bytes(data) {
        assert!(message.to_bytes() == data, "two encodings of one seal message");
    }
}

fn canonical<T: BorshSerialize + BorshDeserialize>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes, ANSWER_BYTES_MAX) {
        assert!(encode(&value) == bytes, "two encodings of one answer");
    }
}

/// Questions and answers of catch-up, and the records that slots are kept in; the first byte
/// chooses.
pub(crate) fn catch_up(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 8 {
        0 => drop(Request::from_bytes(Protocol::Status, bytes)),
        1 => drop(Request::from_bytes(Protocol::Slots, bytes)),
        2 => drop(Request::from_bytes(Protocol::Batches, bytes)),
        3 => canonical::<SlotsAnswer>(bytes),
        4 => canonical::<BatchesAnswer>(bytes),
        5 => canonical::<Status>(bytes),
        6 => {
            if let Ok(record) = DecidedRecord::from_bytes(bytes) {
                assert!(record.to_bytes() == bytes, "two encodings of one record");
            }
        }
        _ => {
            if let Ok(record) = ExecutedRecord::from_bytes(bytes) {
                assert!(record.to_bytes() == bytes, "two encodings of one record");
            }
        }
    }
}
