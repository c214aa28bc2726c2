//! Limits of the bridge: why each number, and what happens at it.

/// Most bytes of a verifying key: gnark's Plonk keys with their precomputed lines take 48 KiB. A longer key is
/// refused [`KeyLength`](crate::verify::Reason::KeyLength) before a byte of it is read.
pub const KEY_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a proof of any system that is verified today; the largest is a Plonk proof of about 1.3 KiB.
/// A longer one is refused [`ProofLength`](crate::verify::Reason::ProofLength).
pub const PROOF_BYTES_MAX: usize = 8 * 1024;
/// Most bytes of what a proof is about: field elements, public values of SP1, a journal of RISC Zero. More are
/// refused [`SurplusInputs`](crate::verify::Reason::SurplusInputs).
pub const INPUTS_BYTES_MAX: usize = 64 * 1024;
/// Most field elements that a key may ask for: each costs one scalar multiplication. A key that asks for more is
/// refused [`KeyLength`](crate::verify::Reason::KeyLength).
pub const FIELD_INPUTS_MAX: usize = 128;
/// Most public inputs that a commitment of a gnark key may cover.
pub const COMMITTED_INPUTS_MAX: usize = FIELD_INPUTS_MAX;
/// Most commitments of a gnark Plonk proof; SP1's circuit has one.
pub const PLONK_COMMITMENTS_MAX: usize = 4;
/// Most bits of a Plonk domain: the two-adicity of BN254's scalar field, the smaller of both curves.
pub const PLONK_DOMAIN_BITS_MAX: u32 = 28;
/// Most prepared keys kept of each kind, about 64 KiB each; the one least lately used makes room.
pub const PREPARED_KEYS_MAX: usize = 128;
/// Most proofs of one linear combination: 17 KiB of prepared lines each. A longer list is taken in pieces.
pub const BATCH_PROOFS_MAX: usize = 1_024;
/// Most bytes of a proof or key file in a text form; decoded it is far smaller.
pub const FILE_BYTES_MAX: usize = 512 * 1024;
/// Most proofs in one file.
pub const FILE_PROOFS_MAX: usize = 256;
/// Most decimal or hexadecimal digits of a number in a text form: 2¹²⁸⁰ is past every field.
pub const NUMBER_DIGITS_MAX: usize = 384;

// ---- ledger, inbox, verdicts ----

/// Most networks of a ledger: the number of rollups that a genesis document can register. At it a registration
/// is refused.
pub const NETWORKS_MAX: usize = 4096;
/// Most exits of one transition: what a validator hashes and appends in a few milliseconds. Above it the
/// transition is refused.
pub const EXITS_MAX: usize = 1024;
/// Most bits of an amount or a balance: no sum of all networks' balances wraps 256 bits.
pub const AMOUNT_BITS_MAX: u32 = 128;
/// Most capped tokens of one network.
pub const CAPS_MAX: usize = 16;
/// Longest window of a cap in slots: half a day of 12 s slots; one sum is kept for each of them.
pub const CAP_WINDOW_SLOTS_MAX: u64 = 3600;
/// Most exits held by one cap. A transition that would hold more is refused: its source waits.
pub const HELD_EXITS_MAX: usize = 4096;
/// Most held exits that one queue releases in one height; the others follow in the next.
pub const RELEASES_MAX: usize = 256;
/// Most deliveries into one inbox in one height. A transition that would exceed it is refused, and may come
/// again in the next.
pub const DELIVERIES_MAX: usize = 65_536;
/// Global exit roots that a claim may name: half a day of 12 s slots. An older path is made anew.
pub const EXIT_ROOTS_KEPT: usize = 3600;
/// Outcomes of exits that are remembered for questions; older ones are in the index.
pub const OUTCOMES_MAX: usize = 65_536;
/// Executed heights of an inbox that no proof has passed yet: nine days of 12 s slots. At it the inbox is full:
/// its rollup is paused until a proof moves the head.
pub const INBOX_BOUNDARIES_MAX: usize = 65_536;
/// Statements of one rollup that are kept because they come early.
pub const EARLY_STATEMENTS_MAX: usize = 8;
/// Most verdicts of one height: far above what a slot's budget of cost units buys.
pub const VERDICTS_MAX: usize = 1 << 20;

const _: () = assert!(HELD_EXITS_MAX >= EXITS_MAX);
const _: () = assert!(DELIVERIES_MAX >= EXITS_MAX);
const _: () = assert!(NETWORKS_MAX >= rota_types::limits::GENESIS_ROLLUPS_MAX);
