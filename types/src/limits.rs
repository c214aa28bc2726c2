//! Limits of protocol objects: why each number, and what happens at it.

/// Most bytes of one transaction, encoded. Above it the transaction is refused `Oversize` at every door.
pub const TX_BYTES_MAX: usize = 120 * 1024;
/// Fixed bytes before a transaction's payload: rollup, valid_until_slot, payload length.
pub const TX_OVERHEAD_BYTES: usize = 8 + 8 + 4;
/// Most bytes of a batch body; bounds what one lost frame costs and fits the batch stream's frame.
pub const BATCH_BODY_BYTES_MAX: usize = 512 * 1024;
/// Most transactions of a batch: what fits with empty payloads, so that a count is checked before allocating.
pub const BATCH_TXS_MAX: usize = BATCH_BODY_BYTES_MAX / TX_OVERHEAD_BYTES;
/// Most bytes of a gossip bundle.
pub const BUNDLE_BYTES_MAX: usize = 128 * 1024;
/// Most transactions of one submission; a receipt names one contiguous range of one batch.
pub const SUBMISSION_TXS_MAX: usize = BATCH_TXS_MAX;
/// Most validators of a set; certificates of > 2/3 of them stay below their frame limit.
pub const VALIDATORS_MAX: usize = 128;
/// Most bytes of an encoded batch header with its signature.
pub const BATCH_HEADER_BYTES_MAX: usize = 512;
/// Most bytes of a batch certificate: header and one acknowledgement per validator.
pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of a slot proposal: one cut entry per lane and the evidence.
pub const SLOT_PROPOSAL_BYTES_MAX: usize = 64 * 1024;
/// Most evidence items in a proposal.
pub const EVIDENCE_ITEMS_MAX: usize = 16;
/// Most bytes of all evidence in a proposal.
pub const EVIDENCE_BYTES_MAX: usize = 32 * 1024;
/// Most bytes of a vote or a signed proposal message.
pub const VOTE_BYTES_MAX: usize = 512;
/// Most bytes of a commit certificate.
pub const COMMIT_CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of a finality bundle: a transaction, its paths, a validator set and a seal; or a whole page of ids.
pub const BUNDLE_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most registered rollups in a genesis document.
pub const GENESIS_ROLLUPS_MAX: usize = 4096;
/// Most bytes of a genesis document.
pub const GENESIS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes of an operation of the system rollup: one signature for each validator.
pub const SYSTEM_OP_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of a signed status: its commit certificate and a signature.
pub const STATUS_BYTES_MAX: usize = COMMIT_CERTIFICATE_BYTES_MAX + 256;

/// Least lead of a cut before its slot's end: three message delays and an fsync still fit it.
pub const CUT_LEAD_MS_MIN: u64 = 200;
/// Least lead of the deadline of certificates before the cut: one message delay.
pub const KNOWN_LEAD_MS_MIN: u64 = 125;
/// Least tolerated difference of clocks.
pub const TOLERANCE_MS_MIN: u64 = 50;

const _: () = assert!(BATCH_BODY_BYTES_MAX >= BUNDLE_BYTES_MAX);
const _: () = assert!(BUNDLE_BYTES_MAX >= TX_BYTES_MAX + 4);
const _: () = assert!(CERTIFICATE_BYTES_MAX >= BATCH_HEADER_BYTES_MAX + VALIDATORS_MAX * 96);
const _: () = assert!(COMMIT_CERTIFICATE_BYTES_MAX >= 64 + VALIDATORS_MAX * 96);
const _: () = assert!(SYSTEM_OP_BYTES_MAX >= 64 + VALIDATORS_MAX * 96);
const _: () = assert!(SLOT_PROPOSAL_BYTES_MAX >= 256 + VALIDATORS_MAX * 80 + EVIDENCE_BYTES_MAX);
