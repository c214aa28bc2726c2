//! The data that validators sign and everyone verifies.
//!
//! ```text
//! Transaction ──keccak──► TxId ──ids_root──► BatchHeader.body_digest ──► BatchCertificate (> 2/3 of weight)
//!                                                    │
//!                              SlotProposal.cut ◄────┘      CommitCertificate over SlotProposal::id
//!                                    │ execution
//!                              SlotHeader::id ──► Seal (BLS aggregate, > 2/3) ──► FinalityBundle::verify
//! ```
//!
//! Every encoding is canonical borsh with exactly one accepted form ([`codec`]); every signed
//! object is domain-separated by the one table in [`tags`]. The crate does no I/O, reads no clock
//! and draws no randomness; wallets and bridges use it to verify without trusting anyone.
//!
//! # Deviations
//!
//! - `SlotHeader` is packed big-endian at fixed width, not borsh, because contracts hash it.

pub mod ack;
pub mod batch;
pub mod bls;
pub mod bundle;
pub mod codec;
pub mod commit;
pub mod error;
pub mod evidence;
pub mod genesis;
pub mod hash;
pub mod header;
pub mod ids;
pub mod ids_tree;
pub mod keys;
pub mod limits;
pub mod mark;
pub mod namespace;
pub mod proposal;
pub mod receipt;
pub mod refusal;
pub mod seal;
pub mod smt;
pub mod stand_in;
pub mod status;
pub mod system;
pub mod tags;
pub mod transaction;
pub mod validators;
pub mod vote;

pub use ack::{Ack, BatchCertificate};
pub use batch::{BatchHeader, LanePosition, SignedBatchHeader};
pub use commit::CommitCertificate;
pub use error::TypesError;
pub use genesis::Genesis;
pub use hash::{Hash, keccak256, keccak256_all};
pub use header::SlotHeader;
pub use ids::{Height, Incarnation, RollupId, Round, Seq, Slot, TimestampMs, Weight};
pub use keys::{Ed25519Signer, Signature, Signer, ValidatorKey};
pub use mark::{Gate, Mark, MarkPlace};
pub use proposal::{CutEntry, SlotProposal};
pub use receipt::Receipt;
pub use refusal::{Refusal, RefusalCode};
pub use seal::{Seal, SealSignature, SealedHeader};
pub use status::SignedStatus;
pub use system::{SystemEnvelope, SystemOp};
pub use tags::Tag;
pub use transaction::{Transaction, TransactionList, TxId};
pub use validators::{Validator, ValidatorSet};
pub use vote::{Proposal, Vote, VoteKind};
