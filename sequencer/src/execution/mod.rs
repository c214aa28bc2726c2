//! From a decided cut to a sealed-to-be header: gather bodies, order, execute, record.
//!
//! ```text
//! SlotProposal + CommitCertificate ─Assembly─► DecidedSlot ─Executor::execute─► ExecutedSlot { header, record, … }
//!                                                  │ DecidedRecord: before execution      │ ExecutedRecord: after it
//!                                                  └──────────────── ledger ──────────────┘
//! ```
//!
//! Two records a slot, because nobody is told `ordered` before the decision is in the ledger, and execution runs after.

mod assembly;
mod checkpoint;
mod executor;
mod locate;
mod namespaces;
mod record;
mod run;
mod state;
mod system;

pub use assembly::{Assembly, DecidedTips, Missing, Progress};
pub use executor::{ExecutedSlot, Executor};
pub use locate::{OrderedTx, locate, namespaces_of};
pub use namespaces::SlotNamespaces;
pub use record::{DecidedRecord, DecidedSlot, ExecutedRecord, OrderedBatch};
pub use state::{LaneState, Offence, OrderState, Share};
pub use system::SystemView;
