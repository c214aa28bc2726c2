//! Limits of a run: why each number, and what happens at it.

use std::time::Duration;

/// Most bytes of a manifest; a longer one is refused.
pub const MANIFEST_BYTES_MAX: u64 = 64 * 1024;
/// Most nodes of a network: more processes than this say nothing about two cores.
pub const NODES_MAX: usize = 100;
/// Most perturbations of a manifest.
pub const PERTURBATIONS_MAX: usize = 1_000;
/// Most transactions on a page asked for is the node's matter; this bounds the bytes we take for one answer.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Submissions in flight at once; above it the generator is late, and the lateness counts as latency.
pub const IN_FLIGHT_MAX: usize = 512;
/// Bytes of one submission by RPC: large enough that its overhead vanishes, half of what a door takes.
pub const SUBMISSION_BYTES_MAX: usize = 240 * 1024;
/// Smallest target of a submission's bytes.
pub const SUBMISSION_BYTES_MIN: usize = 16 * 1024;
/// Time whose transactions go into one submission, if that is between the two bounds above.
pub const SUBMISSION_SPAN: Duration = Duration::from_millis(10);
/// Bytes of one gossip bundle.
pub const BUNDLE_BYTES: usize = 60 * 1024;
/// Bytes per second offered by gossip: a node admits 2 MB/s, and each byte crosses the mesh up to six times.
pub const GOSSIP_BYTES_PER_SECOND_MAX: u64 = 1_000_000;
/// Random bytes that payloads are cut from.
pub const POOL_BYTES: usize = 4 * 1024 * 1024;
/// How long an answer may take before it counts as none.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a question is asked again of a node that is at a limit: containers do not have the exemption of loopback.
pub const LIMITED_RETRIES_MAX: u32 = 150;
/// How long nodes may take to answer their first question.
pub const START_TIMEOUT: Duration = Duration::from_secs(90);
/// How often nodes are asked how far they are.
pub const POLL: Duration = Duration::from_millis(200);
/// Slots that all nodes may take to become equal after heal.
pub const HEAL_SLOTS_MAX: u64 = 60;
/// Least time for the same, for short slots.
pub const HEAL_TIME_MIN: Duration = Duration::from_secs(90);
/// Bytes of log shown of each node when a run fails.
pub const LOG_TAIL_BYTES: u64 = 4 * 1024;
/// Transactions whose exact index is asked for one by one, of all receipted ones.
pub const SAMPLED_PLACES: usize = 200;
/// Most receipts kept by a load: at 240 KiB each this is a terabyte offered.
pub const RECEIPTS_MAX: usize = 4 * 1024 * 1024;
/// How often a hurt node reads its dials: a fraction of the shortest slot.
pub const DIALS_POLL: Duration = Duration::from_millis(50);
/// Bytes that a relay reads at once.
pub const RELAY_CHUNK_BYTES: usize = 32 * 1024;
/// Chunks under way in one direction of a relayed connection: 16 MiB, what a socket buffer and a long line hold
/// together; beyond it the sender is held back.
pub const RELAY_CHUNKS_MAX: usize = 512;
/// Connections through the front of one node; more are closed. Peers, their retries, and the load's.
pub const RELAY_CONNECTIONS_MAX: usize = 256;
/// How long a lost segment holds up what is behind it: the least retransmission time-out of Linux.
pub const RELAY_RETRANSMIT: Duration = Duration::from_millis(200);
/// Bytes of a segment, of which a share is lost.
pub const RELAY_SEGMENT_BYTES: usize = 1_460;
/// Size of the file system that a node has to itself when its disk is to be filled: a ledger segment, an index, and
/// room for what a run orders.
pub const SMALL_DISK_BYTES: u64 = 512 * 1024 * 1024;

/// How often a soak looks.
pub const SOAK_SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// Resident memory may grow by this in a minute: an hour of it is a tenth of what a node may use. The window of
/// ids fills for ten minutes, and the allocator keeps what a burst needed.
pub const SOAK_RSS_BYTES_PER_MINUTE_MAX: f64 = 512.0 * 1024.0;
/// Descriptors, threads and queued events: one in twenty minutes is a leak by morning.
pub const SOAK_COUNT_PER_MINUTE_MAX: f64 = 0.05;
/// The guard's file grows with every mark and is rewritten at 8 MiB; it may not be longer.
pub const SOAK_GUARD_BYTES_MAX: f64 = 8.0 * 1024.0 * 1024.0;
/// Write-ahead log and index: the one keeps two heights, the other a few bytes of each.
pub const SOAK_FILE_BYTES_PER_MINUTE_MAX: f64 = 64.0 * 1024.0;
/// Bytes waiting for the commit thread.
pub const SOAK_QUEUE_BYTES_PER_MINUTE_MAX: f64 = 16.0 * 1024.0;
/// Bytes of ledger for each byte ordered: bodies once, records and frames beside them.
pub const LEDGER_BYTES_PER_BYTE_MAX: f64 = 1.25;

/// Seeds within which a planted bug is to be caught.
pub const PLANTED_SEEDS: u64 = 200;
/// Planted bugs that CI plays in one run: two builds fit its minutes.
pub const PLANTED_TURN: usize = 2;
/// Most planted bugs; more patches are refused.
pub const PATCHES_MAX: usize = 100;
/// Most bytes of a patch; a longer one is refused.
pub const PATCH_BYTES_MAX: u64 = 64 * 1024;
/// Most source files copied: a hundred times the project.
pub const SOURCE_FILES_MAX: usize = 100_000;
/// How long the simulator with a planted bug may play; a bug that makes it spin has not been caught.
pub const PLANTED_RUN_MAX: Duration = Duration::from_secs(900);

const _: () = assert!(SUBMISSION_BYTES_MIN < SUBMISSION_BYTES_MAX);
const _: () = assert!(SUBMISSION_BYTES_MAX <= 512 * 1024);
const _: () = assert!(BUNDLE_BYTES <= 128 * 1024);
