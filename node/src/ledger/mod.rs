//! Batches and decided slots on disk: append-only segments, each batch written once, slots pointing at them.
//!
//! ```text
//! append_batch ┐                              ┌─ LedgerReader::batch(digest), slot(height), header, seal
//! append_slot  ├─► Log (newest segment) ─sync─►│  sees only what is durable; pread beside the writer
//! append_seal  ┘        │ 64 MiB               └─ undecided(): what a restarted lane manager begins with
//!                       ▼
//!             ledger/00000001.seg …             prune(): copies undecided batches forward, unlinks whole segments
//! ```
//!
//! [`Ledger`] is the one writer; [`LedgerReader`] is its cloneable reading side. Contents are opaque here: what a
//! slot or a batch means is the sequencer's business. A torn tail is cut when opening, with a line in
//! [`RecoveryReport`]; a corrupt middle is refused by name, and [`repair`] is what mends it.

mod error;
mod prune;
mod reader;
mod record;
mod recovery;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

pub use error::LedgerError;
pub use prune::{PruneReport, PruneRequest};
pub use reader::{LedgerReader, LedgerStats, StoredBatch, StoredSlot};
pub use record::{BatchKey, Location};
pub use recovery::{RecoveryReport, RepairReport, VerifyReport, repair, verify};
pub use writer::Ledger;
