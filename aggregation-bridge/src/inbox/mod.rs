//! A rollup's inbox, and the statement that a proof makes about a stretch of it.
//!
//! ```text
//! InboxOrigin::hash ──► H0 ──Link──► H1 ──Link──► H2 ──Link──► H3      one link per height with something in it
//!                             ▲ proven head        ▲ boundary    ▲ tip
//! TransitionStatement { pre_* = head, post_* = a boundary } ── Inbox::check ──► Fits | Stale | Early | Wrong
//!        └── statement_hash ──► public inputs, computed here and never read from a submission
//! ```
//!
//! The chain holds everything that the rollup must process, in order: its transactions and the deliveries made
//! to it. A statement begins at the proven head and ends at a boundary, so there is no gap, no overlap, no empty
//! range; `H0` names network, rollup and configuration, so no statement holds anywhere else.

mod binding;
mod chain;
mod early;
mod entries;
mod statement;

pub use binding::{Binding, PublicInputs, ScalarField};
pub use chain::{Inbox, InboxOrigin, Link, ProvenHead};
pub use early::EarlyStatements;
pub use entries::{ENTRY_CHUNKS_MAX, Entries, poseidon_origin};
pub use statement::{STATEMENT_BYTES, STATEMENT_VERSION, TransitionStatement};
