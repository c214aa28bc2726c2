//! Limits of the keystore rollup: why each number, and what happens at it.

/// Most bytes of an envelope: two whole configs and [`AUTHS_MAX`] signatures of the kinds executed now.
/// A longer payload is refused `BadEnvelope` before it is read.
pub const ENVELOPE_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of an encoded config; it travels in `init`, in `SetConfig` and in proofs.
pub const CONFIG_BYTES_MAX: usize = 6 * 1024;
/// Most keys of a config; more belong into a nested account.
pub const KEYS_MAX: usize = 32;
/// Most authorisations of an operation: every key of a config once.
pub const AUTHS_MAX: usize = KEYS_MAX;
/// Most implementations of a config: one per chain reference.
pub const IMPLEMENTATIONS_MAX: usize = 16;
/// Most bytes of a chain reference (ERC-7930: type and reference).
pub const CHAIN_REF_BYTES_MAX: usize = 40;
/// Most bytes of a public key of any known kind: a WebAuthn key with its rpIdHash and flags.
pub const PUBLIC_KEY_BYTES_MAX: usize = 66;
/// Most bytes of a signature of the kinds executed now (an EOA's r ‖ s ‖ v).
pub const SIGNATURE_BYTES_MAX: usize = 65;
/// Most guardians of a recovery rule.
pub const GUARDIANS_MAX: u16 = 128;
/// Shortest recovery delay: an owner must have half a day to see and cancel it.
pub const RECOVERY_DELAY_HOURS_MIN: u32 = 12;
/// Longest recovery delay: a year; beyond it a rule is a typing error.
pub const RECOVERY_DELAY_HOURS_MAX: u32 = 366 * 24;
/// Most live lanes of an account besides lane 0; another one is refused `LaneLimit`.
pub const LANES_MAX: usize = 16;
/// How far above the next sequence number admission accepts; beyond it `SeqTooFar`.
pub const SEQ_AHEAD_MAX: u64 = 16;
/// Longest freeze: long enough to gather the other keys, short enough that a thief's freeze is no ransom.
pub const FREEZE_MS_MAX: u64 = 7 * 24 * 3_600_000;
/// Rest of a key after its freeze ended, so that one stolen FREEZE key cannot freeze for ever.
pub const COOLDOWN_MS: u64 = FREEZE_MS_MAX;
/// Most emergency digests remembered per account; another emergency operation is refused `KeystoreBudget`
/// until the oldest expires. Above what an owner with every key needs within one validity window.
pub const EMERGENCY_DIGESTS_MAX: usize = 16;
/// Most accounts of the state. [`STATE_BYTES_MAX`] comes first: half a million accounts of one key.
pub const ACCOUNTS_MAX: u64 = 1 << 22;
/// Most bytes of the state, counted as [`ACCOUNT_BYTES`] and [`CONFIG_BYTES_FACTOR`] say, so that the tree takes at
/// most 1 GiB of memory and a checkpoint at most as much of a disk. Above it no account is created and no config
/// grows: `NewAccountsLimit`, with both figures.
pub const STATE_BYTES_MAX: u64 = 1 << 30;
/// Counted bytes of an account besides its config, whatever it holds now, so that no freeze is ever refused for
/// room: two leaves with the nodes above them (about 800), keys, AuthLeaf, fields and lane 0 (about 400), and
/// [`EMERGENCY_DIGESTS_MAX`] digests (640).
pub const ACCOUNT_BYTES: u64 = 2048;
/// Counted bytes for each byte of a config: itself, and the end of a freeze (40 bytes) for a key (60 and more).
pub const CONFIG_BYTES_FACTOR: u64 = 2;
/// Work units a slot affords per millisecond of its length. A unit is about 50 µs of one core (one Ed25519
/// signature, or the writes of one operation): execution takes about one fifth of a slot at most.
pub const UNITS_PER_SLOT_MS: u64 = 4;
/// Most units of one signature, that of the dearest kind.
pub const SIGNATURE_UNITS_MAX: u64 = 4;
/// Units of an eoa key that joins others: it is compared with the address of every secp256k1 key of the config.
pub const EOA_DELTA_UNITS: u64 = KEYS_MAX as u64;
/// Least units of one author's share: one operation of the largest kind always fits.
pub const UNITS_SHARE_MIN: u64 = 256;
/// Least emergency bytes of one author's share: one operation of the largest kind always fits.
pub const EMERGENCY_SHARE_BYTES_MIN: u64 = 16 * 1024;

const _: () = assert!(ENVELOPE_BYTES_MAX >= 2 * CONFIG_BYTES_MAX + AUTHS_MAX * 112);
const _: () = assert!(
    CONFIG_BYTES_MAX >= KEYS_MAX * (PUBLIC_KEY_BYTES_MAX + 60) + IMPLEMENTATIONS_MAX * 80 + 256
);
const _: () =
    assert!(UNITS_SHARE_MIN > AUTHS_MAX as u64 * SIGNATURE_UNITS_MAX + 2 * KEYS_MAX as u64);
const _: () = assert!(EMERGENCY_SHARE_BYTES_MIN >= ENVELOPE_BYTES_MAX as u64);
