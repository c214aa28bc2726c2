//! Direct streams: one outbound stream per peer and class, its queue bounded in bytes and frames.
//!
//! ```text
//! send ─► queue (class) ─► writer task ─► stream ═══► reader task ─► event queue (class)
//! ```
//!
//! Every arrow waits on its own, so a peer that stops reading fills its own queue and nobody
//! else's, and batches never stand before votes.

mod link;
mod queue;
mod reader;
mod writer;

pub(crate) use self::{link::Link, queue::Budget, reader::Reader};
