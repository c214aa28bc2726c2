//! Limits of the sequencer: why each number, and what happens at it.

// ---- lanes ----

/// Shortest time between two own batches in milliseconds: a batch costs two syncs and n signatures, so
/// tiny ones are gathered; at it the batch waits.
pub const SEAL_GAP_MS_MIN: u64 = 20;
/// How long a batch that is not full waits in milliseconds while another is in flight.
pub const SEAL_WAIT_MS_MIN: u64 = 100;
/// The same per validator: n lanes of n acknowledgements each stay below 100 certificates a second.
pub const SEAL_WAIT_MS_PER_VALIDATOR: u64 = 10;
/// How long a new certificate waits for the next own batch in milliseconds before it travels alone.
pub const CERTIFICATE_WAIT_MS_MAX: u64 = 20;
/// Shortest time between two verifications of received certificates in milliseconds: only the newest of a
/// lane is verified, so the cost does not grow with the number of batches.
pub const VERIFY_GAP_MS_MIN: u64 = 250;
/// Most bytes of submissions that wait for the own lane: sixteen full batches. Beyond it submissions are
/// refused `Limited`.
pub const SUBMISSION_QUEUE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most submissions that wait for the own lane; each costs a signature when it is receipted.
pub const SUBMISSION_QUEUE_MAX: usize = 16 * 1024;
/// When a refused submitter may come again, in milliseconds: a sixteenth of the queue is gone by then.
pub const SUBMISSION_RETRY_MS: u64 = 250;
/// Batches of one lane held here that cannot be acknowledged yet (their parent is missing, or the lead limit
/// is met): what one author sends ahead within a network delay. Beyond it the newest is dropped, and asked
/// for again by a statement.
pub const UNACKED_BATCHES_MAX: usize = 32;
/// Headers at one place of a lane: the one acknowledged, and another that may be certified.
pub const BRANCHES_MAX: usize = 2;
/// Bytes of batch bodies held in memory: what two full slots of a common network take. Beyond it the oldest are
/// read from the ledger when they are asked for, and those that wait for an acknowledgement are asked for again.
pub const BODIES_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Own batches sent to one validator ahead of its acknowledgement; bounds what a slow one holds of its
/// stream's queue.
pub const WINDOW_BATCHES_MAX: u64 = 64;
/// The same in bytes: sixteen full batches, a second of one lane at the speed that is aimed at.
pub const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How long an acknowledgement may be missing in milliseconds before the batch is sent again.
pub const RESEND_MS_MIN: u64 = 1_000;
/// Longest pause between two sendings of the same batch in milliseconds.
pub const RESEND_MS_MAX: u64 = 8_000;
/// Shortest time between two statements about one lane in milliseconds, each of which may cost its author a
/// window of batches.
pub const STATEMENT_GAP_MS_MIN: u64 = 500;
/// How often a missing header is asked for again, in milliseconds.
pub const ASK_GAP_MS: u64 = 500;
/// Shortest time between two answers to one validator's tips in milliseconds: each may cost a certificate
/// per lane.
pub const SHARE_GAP_MS_MIN: u64 = 100;
/// Most bytes of a lane message: the frame of the stream class it travels on.
pub const LANE_MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Most headers in one message; a signed header takes 188 bytes.
pub const HEADERS_PER_MESSAGE_MAX: usize = 64;
/// Certification times kept for the median that the mempool's ranks wait by.
pub const CERTIFICATION_TIMES_MAX: usize = 32;

const _: () = assert!(LANE_MESSAGE_BYTES_MAX >= 256 + rota_types::limits::VALIDATORS_MAX * 96);
const _: () = assert!(LANE_MESSAGE_BYTES_MAX >= 8 + HEADERS_PER_MESSAGE_MAX * 200);
const _: () = assert!(LANE_MESSAGE_BYTES_MAX >= 8 + rota_types::limits::VALIDATORS_MAX * 80);
const _: () =
    assert!(SUBMISSION_QUEUE_BYTES_MAX >= rota_types::limits::BATCH_BODY_BYTES_MAX as u64);
const _: () = assert!(WINDOW_BYTES_MAX >= rota_types::limits::BATCH_BODY_BYTES_MAX as u64);

// Slots, order, execution.

/// Slots for which a voter keeps its note of certified tips: the current one, and those that a late proposal may name.
pub const DEADLINE_NOTES_MAX: usize = 4;
/// Most bytes of a decided record: proposal, certificate, and a digest for each of 2,048 batches of 128 lanes.
pub const DECIDED_RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most bytes of an executed record: sixteen bytes for each of some 16 million transactions.
pub const EXECUTED_RECORD_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most bytes of a checkpoint: the keystore's accounts at about 1 KiB each; the replay window is not inside.
pub const CHECKPOINT_BYTES_MAX: usize = 4 * 1024 * 1024 * 1024 - 1;
/// How many slots must have moved a lane since a transaction was ordered for its repetition to count as a copy. A lane
/// may be two shares ahead of its decided tip, which three slots take: what an honest author made before it could know
/// of the order is in the first three. So neither a client that posts to four nodes nor an outage, of all or of one
/// validator, punishes an honest lane. In a lane that moves with every slot it means three heights.
pub const COPY_ADVANCES: usize = 3;
/// Copies above a quarter of a lane's bytes in a slot halve its share of the next.
pub const COPY_SHARE_DIVISOR: u64 = 4;
/// Slots without such copies that double the share back.
pub const COPY_SLOTS_CLEAN: u8 = 8;
/// Most halvings: at 2⁻¹⁶ of its share a lane has one batch a slot.
pub const COPY_HALVINGS_MAX: u8 = 16;
/// Signatures of system operations verified in a slot, in equal shares for the authors of batches: about 50 ms. Beyond
/// its share an operation is skipped `SystemBudget`.
pub const SYSTEM_SIGNATURES_PER_SLOT: u64 = 1_024;
/// Least share of an author: one operation that all validators signed.
pub const SYSTEM_SIGNATURES_MIN: u64 = rota_types::limits::VALIDATORS_MAX as u64;

// Seals.

/// Most bytes of a seal message; the largest is a header with the seal of 128 validators.
pub const SEAL_MESSAGE_BYTES_MAX: usize = 1024;
/// How far above the last executed height signatures are kept: others may be a few slots ahead, and whoever is further
/// behind gets the seals by catch-up.
pub const SEAL_AHEAD_MAX: u64 = 16;
/// Sealed heights kept in memory for validators that lack the seal.
pub const SEAL_KEPT_MAX: usize = 64;
/// Executed heights that are not sealed; beyond it the oldest are left to a later seal, which covers them by its
/// header's parents.
pub const SEAL_UNSEALED_MAX: usize = CATCHUP_UNSEALED_MAX;
/// How often own signatures of heights that are not sealed are sent again, in milliseconds.
pub const SEAL_RESEND_MS: u64 = 1_000;
/// How many heights' signatures are sent again at once.
pub const SEAL_RESEND_HEIGHTS_MAX: usize = 8;
/// Headers of others kept per height for a safety alarm.
pub const SEAL_HEADERS_MAX: usize = 4;
/// A seal of all validators, encoded.
const SEAL_BYTES_MAX: usize = 32 + 48 + 4 + rota_types::limits::VALIDATORS_MAX / 8;
const _: () =
    assert!(SEAL_MESSAGE_BYTES_MAX > rota_types::header::HEADER_PACKED_BYTES + SEAL_BYTES_MAX);

// Catch-up.

/// Most bytes of an answer: what the transport allows.
pub const CATCHUP_ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes of a request: a list of digests.
pub const CATCHUP_REQUEST_BYTES_MAX: usize = 2 * 1024;
/// Most digests of a request for batches.
pub const CATCHUP_DIGESTS_MAX: usize = 32;
/// Digests asked for at once: as many full batches as an answer holds.
pub const CATCHUP_DIGESTS_PER_REQUEST: usize = 7;
/// Most slots of an answer; idle slots are small.
pub const CATCHUP_SLOTS_MAX: u64 = 64;
/// Most seals of an answer.
pub const CATCHUP_SEALS_MAX: u16 = 64;
/// Decided slots that may wait for execution; their bodies are in memory.
pub const CATCHUP_AHEAD_SLOTS_MAX: u64 = 2;
/// Executed heights whose seals are asked for; older ones are covered by a later header's parents.
pub const CATCHUP_UNSEALED_MAX: usize = 1024;
/// Peers asked beside the validators; more bring nothing that these do not have.
pub const CATCHUP_PEERS_MAX: usize = 64;
/// How long an answer may take, in milliseconds; then another peer is asked.
pub const CATCHUP_ANSWER_MS_MAX: u64 = 5_000;
/// The same for small answers and for bodies that execution waits for.
pub const CATCHUP_SHORT_ANSWER_MS_MAX: u64 = 2_000;
/// Part of its time after which an answer counts as slow: its peer is asked when no other can be.
pub const CATCHUP_SLOW_DIVISOR: u64 = 4;
/// When something that nobody could be asked for is tried again, in milliseconds.
pub const CATCHUP_RETRY_MS: u64 = 100;
/// How long a peer that failed is passed over, in milliseconds, times its strikes.
pub const CATCHUP_REST_MS: u64 = 500;
/// Longest pause that a peer may ask for, in milliseconds.
pub const CATCHUP_REST_MS_MAX: u64 = 8_000;
/// Most strikes of a peer: it is asked again after 8 seconds at the latest.
pub const CATCHUP_STRIKES_MAX: u32 = 16;
/// Bodies wanted at once; who wants more waits for these. With every event all of them may be looked through.
pub const CATCHUP_BODIES_MAX: usize = 256;
/// Holders remembered per body.
pub const CATCHUP_HOLDERS_MAX: usize = 16;
/// What a peer may be sent per millisecond: 32 MB/s, more than a slot's bytes per slot.
pub const SERVE_BYTES_PER_MS: u64 = 32 * 1024;
/// What a peer may be sent at once.
pub const SERVE_BURST_BYTES: u64 = 64 * 1024 * 1024;
/// Least charge of a request: reading and hashing nothing still costs.
pub const SERVE_REQUEST_COST_BYTES: u64 = 16 * 1024;
/// Peers whose shares are remembered; those with a full share are forgotten first.
pub const SERVE_PEERS_MAX: usize = 1_024;
const _: () = assert!(CATCHUP_REQUEST_BYTES_MAX >= 8 + CATCHUP_DIGESTS_MAX * 32);
const _: () = assert!(CATCHUP_DIGESTS_PER_REQUEST <= CATCHUP_DIGESTS_MAX);
const _: () = assert!(SERVE_BURST_BYTES >= 2 * CATCHUP_ANSWER_BYTES_MAX as u64);

// Rejoin.

/// When a validator that gave no status is asked again, in milliseconds: it may be catching up itself.
pub const REJOIN_ASK_MS: u64 = 1_000;
/// The same for one whose answer does not verify.
pub const REJOIN_REST_MS: u64 = 60_000;

// ---- admission and mempool ----

/// Slots that doors keep between a transaction's furthest `valid_until_slot` and what ordering allows: a late
/// proposal may still name an earlier slot.
pub const VALIDITY_RESERVE_SLOTS: u64 = 2;
/// Keystore and system transactions judged in one gossip bundle; each may cost a signature for each of its keys.
/// The rest is not taken: it comes alone, or by RPC.
pub const EXECUTED_TXS_PER_BUNDLE_MAX: usize = 32;
/// Units of work (the keystore's: some 50 µs of a core) that gossip may ask of the core's thread in a second, for
/// envelopes and their signatures: a tenth of it. Beyond it they are ignored unverified until the next second.
pub const GOSSIP_UNITS_MAX: u64 = 2_048;
/// The same for one peer, so that one alone leaves most of it to others; three of the largest operations fit.
pub const GOSSIP_PEER_UNITS_MAX: u64 = GOSSIP_UNITS_MAX / 4;
/// Bytes of an envelope whose decoding is a unit of work: the keys of a config are checked as points of their curve.
pub const DECODED_BYTES_PER_UNIT: u64 = 512;
/// Most bytes that wait in the pool, entries' own cost included. Beyond it rollups above their share make way,
/// and without one the newcomer is refused `Limited`.
pub const MEMPOOL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Most transactions that wait in the pool.
pub const MEMPOOL_TXS_MAX: u64 = 512 * 1024;
/// What an entry costs beside its bytes: its places in the pool's five maps.
pub const MEMPOOL_ENTRY_BYTES: u64 = 384;
/// A rollup holds at most this part of the pool while others wait, and a source this part of the rollup's.
pub const MEMPOOL_SHARE_DIVISOR: u64 = 8;
/// Most bytes given to the own lane in one list: four of them fill a batch.
pub const MEMPOOL_TAKE_BYTES_MAX: u64 = 128 * 1024;
/// Bytes a node takes from gossip per millisecond: each crosses a mesh up to six times, so heavy senders
/// use RPC.
pub const GOSSIP_BYTES_PER_MS_MAX: u64 = 2_000;
/// Bytes it may take at once after a quiet second.
pub const GOSSIP_BURST_BYTES_MAX: u64 = 2_000_000;
/// Bytes that a gossiped transaction counts for at least: its places in the pool cost more than its bytes.
pub const GOSSIP_TX_BYTES_MIN: u64 = 256;
/// Bytes that each validator adds to that least count, because a transaction's rank is drawn with a hash for each:
/// 125,000 hashes a second, about a twentieth of the core's thread, however many validators there are.
pub const GOSSIP_SCORE_BYTES: u64 = 16;

const _: () = assert!(
    GOSSIP_PEER_UNITS_MAX
        >= 3 * (1
            + rota_keystore::limits::AUTHS_MAX as u64 * rota_keystore::limits::SIGNATURE_UNITS_MAX
            + rota_keystore::limits::ENVELOPE_BYTES_MAX as u64 / DECODED_BYTES_PER_UNIT)
);
const _: () = assert!(GOSSIP_BURST_BYTES_MAX >= rota_types::limits::BUNDLE_BYTES_MAX as u64);
const _: () = assert!(MEMPOOL_TAKE_BYTES_MAX >= rota_types::limits::TX_BYTES_MAX as u64);
const _: () = assert!(
    SUBMISSION_QUEUE_BYTES_MAX >= MEMPOOL_TAKE_BYTES_MAX
        && MEMPOOL_TAKE_BYTES_MAX + 4 <= rota_types::limits::BATCH_BODY_BYTES_MAX as u64
);

/// Slots that a transaction in a stored batch of another lane is given to be ordered, before the ranks go on. A
/// certified batch is in the slot after next at the latest; an author that withholds only delays by this much.
pub const STORED_PATIENCE_SLOTS: u64 = 2;
