//! Limits of the agreement: why each number, and what happens at it.

use rota_types::limits::{
    COMMIT_CERTIFICATE_BYTES_MAX, SLOT_PROPOSAL_BYTES_MAX, VALIDATORS_MAX, VOTE_BYTES_MAX,
};

/// Most bytes of a frame on the votes stream: a vote and its nil reason. A larger frame is refused undecoded.
pub const VOTES_FRAME_BYTES_MAX: usize = 2 * 1024;
/// Most bytes of a frame on the proposals stream: a decided slot (certificate and body) is the largest.
pub const PROPOSALS_FRAME_BYTES_MAX: usize = 128 * 1024;
/// Most bytes of one entry of the write-ahead log: a body is the largest.
pub const WAL_ENTRY_BYTES_MAX: usize = 128 * 1024;
/// Most rounds ahead of ours from which messages are taken; the core has the same bound.
pub const FUTURE_ROUNDS_MAX: u32 = 10;
/// Most distinct proposals kept of one proposer and round: two prove the fault. A third is dropped unless a polka is for it.
pub const PROPOSALS_PER_ROUND_MAX: usize = 2;
/// Bodies of rounds this far back are dropped unless locked, valid or certified; whoever re-proposes one sends it along.
pub const BODY_ROUNDS_KEPT: u32 = 16;
/// Most messages kept of one sender for a round 0 that has not begun; the oldest is dropped.
pub const INBOX_MESSAGES_MAX: usize = 64;
/// Most bytes kept of one sender for a round 0 that has not begun; the oldest is dropped.
pub const INBOX_BYTES_MAX: usize = 256 * 1024;
/// Most senders with waiting messages: this height's set and the next, were they disjoint. Others are dropped.
pub const INBOX_SENDERS_MAX: usize = 2 * VALIDATORS_MAX;
/// Decided heights kept to help a validator that is one or two behind; further back is catch-up's work.
pub const DECIDED_KEPT: usize = 2;
/// Least time between two such helps to one validator, so that its repeats do not multiply.
pub const DECIDED_ANSWER_MS_MIN: u64 = 250;
/// Most proposals sent on request to one validator at one height; it asks others then.
pub const ANSWERS_PER_HEIGHT_MAX: u32 = 64;
/// How long a value that others have prevoted may be under way before its proposal is asked for.
pub const ASK_DELAY_MS: u64 = 50;
/// How long an asked validator may take before the next one is asked.
pub const ASK_RETRY_MS: u64 = 250;
/// Most proposals asked for at once: honest validators have one or two a round.
pub const ASKS_MAX: usize = 16;
/// Most pairs of equivocating messages reported in a height; further proposals of a proved cheat are not even verified.
pub const EVIDENCE_PAIRS_MAX: usize = 64;
/// Verified signatures remembered in a height; past it they are verified again.
pub const VERIFIED_MAX: usize = 16 * 1024;
/// Longest first wait for a proposal.
pub const PROPOSE_TIMEOUT_MS_MAX: u64 = 600;
/// Shortest first wait for a proposal: a wide-area delay and one sync at the proposer.
pub const PROPOSE_TIMEOUT_MS_MIN: u64 = 200;
/// Longest first wait for votes once a quorum has voted for anything.
pub const VOTE_TIMEOUT_MS_MAX: u64 = 400;
/// Shortest first wait for votes: a wide-area round trip and one sync.
pub const VOTE_TIMEOUT_MS_MIN: u64 = 150;
/// What each round adds to its timeouts, so that an unknown network bound is reached.
pub const TIMEOUT_STEP_MS: u64 = 100;
/// Timeouts grow to this or the slot, whichever is more.
pub const TIMEOUT_MS_MAX: u64 = 5_000;
/// Shortest time between two repeats of our votes, proposal and round certificate.
pub const REPUBLISH_MS_MIN: u64 = 500;
/// Longest time between two repeats: what a lost message costs.
pub const REPUBLISH_MS_MAX: u64 = 2_000;
/// Heights whose story is kept for `explain`.
pub const EXPLAIN_HEIGHTS_MAX: usize = 64;
/// Rounds of a height whose story is kept: the first ones, where the cause is.
pub const EXPLAIN_ROUNDS_MAX: usize = 32;
/// Most inputs one step feeds the core by itself; reached only by a bug, the rest waits for the next step.
pub const SETTLE_STEPS_MAX: usize = 4_096;

const _: () = assert!(VOTES_FRAME_BYTES_MAX >= VOTE_BYTES_MAX + 64);
const _: () = assert!(
    PROPOSALS_FRAME_BYTES_MAX
        >= SLOT_PROPOSAL_BYTES_MAX + COMMIT_CERTIFICATE_BYTES_MAX + VOTE_BYTES_MAX
);
// A round certificate: kind, value, key and signature for each validator.
const _: () = assert!(PROPOSALS_FRAME_BYTES_MAX >= 64 + VALIDATORS_MAX * (1 + 33 + 32 + 64));
const _: () = assert!(WAL_ENTRY_BYTES_MAX >= SLOT_PROPOSAL_BYTES_MAX + 64);
const _: () = assert!(INBOX_BYTES_MAX >= PROPOSALS_FRAME_BYTES_MAX);
