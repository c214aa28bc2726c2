//! Limits of the node: why each number, and what happens at it.

/// Most bytes of one record of a ledger segment: a slot record holds a 16-byte id prefix per transaction,
/// four million of them fit. Above it the append is refused before anything is written.
pub const LEDGER_RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most bytes of one part of a checkpoint: with each group of commits one part is written, so that a large state
/// holds up no vote for long.
pub const CHECKPOINT_PART_BYTES: usize = 8 * 1024 * 1024;
/// Most parts of a checkpoint, above the 4 GiB of the largest; a record that claims more is corrupt.
pub const CHECKPOINT_PARTS_MAX: u32 = 1024;
/// A segment at or above this length is closed and a new one begun: small enough that pruning by whole
/// segments is fine-grained against 50 GB, large enough that 50 GB is under a thousand files.
pub const LEDGER_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Heights whose decided batches stay findable by digest in memory; older ones are reached through their slot.
pub const LEDGER_DIGEST_HEIGHTS: u64 = 256;
/// Most decided batches findable by digest in memory; above it the oldest are forgotten first (about 100 MB).
pub const LEDGER_DECIDED_DIGESTS_MAX: usize = 1 << 19;
/// Most heights a ledger keeps positions for in memory (about 150 MB); at it pruning goes by height,
/// whatever the bytes.
pub const LEDGER_HEIGHTS_MAX: usize = 1 << 21;
/// Most segment files looked at when opening; a folder with more is not one of ours.
pub const LEDGER_SEGMENTS_MAX: usize = 1 << 16;

/// Bytes gathered in memory before a log file is written to, ahead of its next sync.
pub const LOG_BUFFER_BYTES: usize = 256 * 1024;
/// Parts at or above this length are written straight from the caller's memory instead of being copied first.
pub const LOG_DIRECT_BYTES: usize = 16 * 1024;

/// Most bytes of one guard record; the longest mark is 85.
pub const GUARD_RECORD_BYTES_MAX: usize = 512;
/// Guard file length below which it is never rewritten.
pub const GUARD_COMPACT_BYTES: u64 = 8 * 1024 * 1024;
/// The guard file is rewritten when it is this many times longer than after its last rewriting.
pub const GUARD_COMPACT_FACTOR: u64 = 4;
/// Vote marks kept of the newest heights; above it the lowest rounds are closed for ever.
pub const GUARD_VOTES_MAX: usize = 1 << 16;
/// Heights below the newest seal mark whose digest is kept; lower ones are closed for ever.
pub const GUARD_SEAL_HEIGHTS: u64 = 1024;
/// Own batches below the newest whose digest is kept: twice the lead a lane may have.
pub const GUARD_OWN_BATCHES: usize = 4096;
/// Acknowledgements per lane whose digest is kept: twice the lead a lane may have. Lower ones are closed for ever.
pub const GUARD_ACKS_PER_LANE: usize = 4096;
/// Most lanes the guard keeps; far above any validator set, so that sets may change.
pub const GUARD_LANES_MAX: usize = 4096;

/// Most bytes of one WAL entry: a vote, a proposal of 64 KiB or a polka certificate.
pub const WAL_RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes of a height's WAL read back; a height without decision for a day of 5 s rounds stays far below.
pub const WAL_FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Newest heights whose WAL file is kept.
pub const WAL_HEIGHTS_KEPT: u64 = 2;

/// Items waiting for the commit thread; `push` waits at it.
pub const COMMIT_QUEUE_ITEMS_MAX: usize = 16 * 1024;
/// Bytes waiting for the commit thread; `push` waits at it. Part of the 512 MiB of buffers promised.
pub const COMMIT_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes after which one group is synced although more is waiting: bounds the wait of the first in it.
pub const COMMIT_GROUP_BYTES: usize = 8 * 1024 * 1024;
/// Queued bytes from which the commit queue calls itself crowded, so that doors refuse before anyone waits.
pub const COMMIT_CROWDED_BYTES: usize = COMMIT_QUEUE_BYTES_MAX / 2;

/// Memory the index's cache may take.
pub const INDEX_CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Pause between the index's own writes to its files; what is lost with them is read from the ledger again.
pub const INDEX_FLUSH_MS: u64 = 1_000;
/// Entries put into the index as one atomic step at most; a slot with more takes several, its height in the last.
pub const INDEX_STEP_ENTRIES: usize = 64 * 1024;

/// Most names read from one folder.
pub const FOLDER_NAMES_MAX: usize = 1 << 17;
/// Most bytes of a small file read whole: key file, config, peers.
pub const SMALL_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

const _: () = assert!(LEDGER_SEGMENT_BYTES + (LEDGER_RECORD_BYTES_MAX as u64) < u32::MAX as u64);
const _: () = assert!(LEDGER_RECORD_BYTES_MAX > rota_types::limits::BATCH_BODY_BYTES_MAX + 4096);
const _: () = assert!(CHECKPOINT_PART_BYTES + 4096 < LEDGER_RECORD_BYTES_MAX);
const _: () = assert!(
    CHECKPOINT_PART_BYTES * CHECKPOINT_PARTS_MAX as usize
        > rota_sequencer::limits::CHECKPOINT_BYTES_MAX
);
const _: () = assert!(COMMIT_QUEUE_BYTES_MAX >= LEDGER_RECORD_BYTES_MAX);
const _: () = assert!(COMMIT_CROWDED_BYTES > COMMIT_GROUP_BYTES);
const _: () = assert!(LOG_BUFFER_BYTES > LOG_DIRECT_BYTES);

/// Proposals that may wait for certificates or headers at once: one per round, and few rounds are open.
pub const PENDING_CHECKS_MAX: usize = 64;
/// After how long a missing body, certificate or header is asked for again, elsewhere.
pub const FETCH_RETRY_MS: u64 = 250;
/// Bodies asked for at once for the decided slot, and as many for the own lane: up to 32 MiB on their way, and more wait
/// for their turn.
pub const WANTS_IN_FLIGHT_MAX: usize = 64;
/// Evidence kept for the next own proposal; one per culprit and kind, and more come again.
pub const EVIDENCE_KEPT_MAX: usize = 256;
/// Heights between checkpoints of the state: bounds what a start executes again.
pub const CHECKPOINT_HEIGHTS: u64 = 64;
/// Urgent events waiting for the core (frames, executed slots); senders wait at it.
pub const CORE_URGENT_MAX: usize = 4096;
/// Parsed batches waiting for the core; the thread that parses them waits at it.
pub const CORE_BATCHES_MAX: usize = 64;
/// Events from anyone waiting for the core (submissions, bundles); doors refuse at it.
pub const CORE_BULK_MAX: usize = 256;
/// Events the core takes before their effects go to the commit thread together.
pub const CORE_STEPS_PER_GROUP: usize = 64;
/// Longest sleep of the core loop: `/livez` looks at it.
pub const CORE_IDLE_MS_MAX: u64 = 500;
/// Slots waiting for execution; agreement stays at most two heights ahead of it.
pub const EXECUTE_QUEUE_MAX: usize = 8;
/// Batches waiting to be parsed and hashed; above it they are dropped and sent again by their author.
pub const VERIFY_QUEUE_MAX: usize = 64;
/// Peers that are gone and whose numbers are remembered: one that comes back finds its budgets as it left them. Beyond
/// it the one gone longest is forgotten.
pub const GONE_PEERS_MAX: usize = rota_sequencer::limits::SERVE_PEERS_MAX;
/// Requests of peers answered at once; above it they are declined.
pub const SERVE_MAX: usize = 8;
/// Submissions with keystore operations that are verified or wait for it; above it they are refused with a time.
pub const ADMISSIONS_WAITING_MAX: usize = 32;
/// Such submissions verified at once, each on a thread of its own: the core and the runtime keep theirs.
pub const ADMISSIONS_AT_ONCE_MAX: usize = 2;
/// Submissions waiting for their receipt; above it doors refuse.
pub const SUBMISSIONS_WAITING_MAX: usize = 4096;
/// Heights whose times are kept for look-ups.
pub const HEIGHTS_KEPT_MAX: usize = 4096;
/// Own batches whose times are kept, per lane.
pub const LANE_TIMES_MAX: usize = 8192;
/// Slots whose parsed transactions are kept for pages and proofs.
pub const PARSED_SLOTS_MAX: usize = 4;
/// How old the core's last tick may be before `/livez` fails.
pub const LIVE_AGE_MS_MAX: u64 = 10_000;
/// Slots looked through for one page of a rollup's transactions.
pub const PAGE_SLOTS_MAX: u64 = 100;
/// Sealed heights above one without a seal here, before that one counts as covered by them.
pub const SEALED_ABOVE_MAX: usize = 1024;
/// Newest heights that pruning never touches.
pub const KEPT_HEIGHTS_MIN: u64 = 128;
/// Batches remembered as stored and undecided; above it they are forgotten and the ledger finds what it holds.
pub const STORED_DIGESTS_MAX: usize = 1 << 16;
/// Verified slots of catch-up that wait for their turn: more than one answer holds.
pub const APPLIED_SLOTS_MAX: usize = 512;
/// Decided slots that may wait for execution while catching up; below the queue's limit, so that nobody blocks.
pub const APPLY_AHEAD_SLOTS_MAX: u64 = 2;
/// Heights below the newest that are looked through for missing seals at start.
pub const UNSEALED_LOOK_BACK: u64 = 1024;
/// Undecided batches whose ids are kept for look-ups: what all lanes may be ahead on a small network.
pub const UNDECIDED_KEPT_MAX: usize = 1 << 14;

const _: () = assert!(APPLY_AHEAD_SLOTS_MAX < EXECUTE_QUEUE_MAX as u64);
const _: () = assert!(rota_sequencer::limits::CATCHUP_BODIES_MAX >= 2 * WANTS_IN_FLIGHT_MAX);
