//! What a step costs the thread that takes it, in microseconds.
//!
//! Rounded estimates of one core, for the order in which things happen and not for published figures: an ed25519
//! signature 15 µs, its verification 45 µs, in batches 20 µs; BLS signature 190 µs, verification 900 µs;
//! keccak256 of transactions 1.7 µs a KiB; batch seal and check 60 µs beside their hashing; slot build 40 µs;
//! execution 0.5 µs a transaction. They are constants, so that a seed plays the same everywhere.

use rota_node::core::{FrameClass, Input};
use rota_sequencer::execution::DecidedSlot;

/// Taking any event: queues, look-ups, the parts' own work.
const EVENT_US: u64 = 6;
/// A vote: one verification, its tally.
const VOTE_US: u64 = 55;
/// An acknowledgement or a seal signature: one verification in a batch, its tally.
const CERTIFICATE_US: u64 = 40;
/// Each further KiB of a message: signatures of certificates, verified in batches.
const CERTIFICATE_KIB_US: u64 = 200;
/// A proposal: signature, decoding, the objective checks of its cut.
const PROPOSAL_US: u64 = 120;
/// An own batch: hashing the header, signing, framing; and a receipt.
const SUBMISSION_US: u64 = 45;
/// A batch that was parsed: guard, signature of the acknowledgement.
const BATCH_US: u64 = 45;
/// Parsing a batch: signature of its author.
const PARSE_US: u64 = 50;
/// Executing a slot: trees, header.
const EXECUTE_US: u64 = 400;

fn kib(bytes: usize) -> u64 {
    u64::try_from(bytes / 1024).unwrap_or(u64::MAX)
}

/// One step of the core.
pub(super) fn step_us(input: &Input) -> u64 {
    let own = match input {
        Input::Frame { class: FrameClass::Votes, .. } => VOTE_US,
        Input::Frame { class: FrameClass::Certificates, bytes, .. } => {
            CERTIFICATE_US.saturating_add(kib(bytes.len()).saturating_mul(CERTIFICATE_KIB_US))
        }
        Input::Frame { class: FrameClass::Proposals, bytes, .. } => {
            PROPOSAL_US.saturating_add(kib(bytes.len()).saturating_mul(CERTIFICATE_KIB_US))
        }
        Input::Batch { .. } => BATCH_US,
        Input::Submit { list, .. } => SUBMISSION_US.saturating_add(kib(list.bytes().len())),
        Input::Gossip { bundle, .. } => {
            let bytes = bundle.as_ref().map_or(0, |list| list.bytes().len());
            kib(bytes).saturating_mul(2)
        }
        Input::Executed { .. } => SUBMISSION_US,
        Input::Answer { bytes, .. } => {
            kib(bytes.as_ref().map_or(0, bytes::Bytes::len)).saturating_mul(3)
        }
        Input::Tick
        | Input::Connected { .. }
        | Input::Disconnected { .. }
        | Input::PeerUp { .. }
        | Input::PeerDown { .. }
        | Input::ExecutionFailed { .. } => 0,
    };
    EVENT_US.saturating_add(own)
}

/// Parsing and hashing a batch frame, on its own thread.
pub(super) fn parse_us(bytes: usize) -> u64 {
    PARSE_US.saturating_add(kib(bytes).saturating_mul(2))
}

/// Executing a slot, on its own thread.
pub(super) fn execute_us(decided: &DecidedSlot) -> u64 {
    let batches = decided.lanes.iter().flatten();
    let txs: usize = batches.map(|batch| batch.body().len()).sum();
    EXECUTE_US.saturating_add(u64::try_from(txs).unwrap_or(u64::MAX) / 2)
}
