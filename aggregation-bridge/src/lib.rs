//! Attach proofs to ordered slots and make other rollups believe them.
//!
//! This version of the protocol attaches no proofs yet: the three roots that the bridge puts into
//! a slot header are [`Roots::NONE`], by rule, until `protocol_version` 2 defines them. What a slot with proofs
//! needs is here: native verifiers of the proof systems in [`verify`], and the pure state machines around them:
//!
//! ```text
//! statement ──► inbox::Inbox::check ──► (proof) ──► ledger::Ledger::accept_transition ──► Inbox::advance
//!                                          │                    │ end_height
//!                                          ▼                    ▼
//!                              verdicts::Verdicts::root   deliveries ──► Inbox::append, global exit root
//! ```
//!
//! # Deviations
//!
//! From AggLayer, whose hash formats [`exits`] are: see [`ledger`].

pub mod error;
pub mod exits;
mod fields;
pub mod inbox;
pub mod ledger;
pub mod limits;
mod poseidon;
pub mod tree;
pub mod verdicts;
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
