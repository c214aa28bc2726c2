//! The keystore rollup: who controls an account, on every chain.
//!
//! ```text
//! payload ──read──► Claim ──admit(state, slot)──► Claim ──verify──► Checked ──► pool … ordered slot
//!    wrong for ever     wrong here and now           wrong for ever                       │
//!                                                    execute_slot / apply_slot ──apply──► KeystoreState
//!                                                                                            │
//!              AccountProof::verify(keystore_root of a sealed header) ◄── AccountProof::of ──┘
//! ```
//!
//! No VM: a closed set of operations ([`Op`]) and one pure function, [`apply()`]. The crate does no I/O, reads no
//! clock, draws no randomness and iterates ordered maps only, so the same code runs in a node, a wallet and a
//! proof. [`wallet`] is the signing side.
//!
//! # What holds
//!
//! - An operation is all or nothing; a refused one leaves no trace on this zero-fee network.
//! - `auth_seq` grows with every change of authority and never falls.
//! - No signature counts twice, none can be left out, none is good for another account, lane, network or place.
//!
//! # Deviations
//!
//! - An auth carries its public key and not the key's id, so that gossip judges signatures by bytes alone.
//! - Freeze signs whose threshold it meets (FREEZE or CONFIG), else stripping a signature would turn a freeze
//!   without a cooldown into one with it.
//! - Sponsors and fees are in the format and refused until there are fees; so are `zk_key` and `ext`.

#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::iter_over_hash_type)]

pub mod account;
pub mod apply;
mod authority;
pub mod check;
pub mod config;
pub mod eip712;
pub mod envelope;
pub mod error;
pub mod keys;
pub mod limits;
pub mod op;
pub mod order;
pub mod params;
pub mod proof;
mod rlp;
pub mod state;
pub mod wallet;

pub use account::{Account, AuthLeaf, Status};
pub use apply::{Change, Effects, admit, apply, authorises};
pub use check::{Checked, Claim, check_bytes};
pub use config::{Config, Key, KeystoreId, Recovery, Role};
pub use envelope::{Auth, Envelope, Init};
pub use keys::{KeyId, KeyKind, PublicKey};
pub use op::{FreezeAuthority, Op, OpKind};
pub use order::{SlotOp, SlotPayload, apply_slot, execute_slot};
pub use params::Params;
pub use proof::{AccountProof, Shown, auth_key, verify_auth};
pub use state::KeystoreState;
