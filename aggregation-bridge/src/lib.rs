//! Attach proofs to ordered slots and make other rollups believe them.
//!
//! This version of the protocol attaches no proofs yet: the three roots that the bridge puts into
//! a slot header are [`Roots::NONE`], by rule, until `protocol_version` 2 defines them.

pub mod limits;
pub mod verify;

use rota_types::Hash;

/// What the bridge commits to in a slot header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots {
    /// Registry, inboxes and queues.
    pub bridge_root: Hash,
    /// Verdicts on the slot's proofs.
    pub verdicts_root: Hash,
    /// Exits of all rollups.
    pub global_exit_root: Hash,
}

impl Roots {
    /// Zero roots: what protocol version 1 puts into every header.
    pub const NONE: Self =
        Self { bridge_root: Hash::ZERO, verdicts_root: Hash::ZERO, global_exit_root: Hash::ZERO };
}
