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
