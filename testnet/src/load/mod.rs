//! Open-loop load: transactions are due at fixed times whatever the network does, and latency counts from then.
//!
//! ```text
//! Plan ──► engine::run ── Generator ──► Client::submit (rpc) │ Gossip::publish ──► Offered { sent … }
//!                                                                                     │
//!          Trace ◄── collect::Collector (slots, streams, sampled places) ◄── receipts ┘
//!            └──► invariants::receipts, summary::Summary (SUMMARY block and JSON)
//! ```

pub mod collect;
pub mod engine;
pub mod generator;
pub mod gossip;
pub mod latency;
pub mod saturation;
pub mod summary;

pub use engine::{Door, Offered, Plan, Sent, start};
pub use generator::Generator;
pub use summary::{Setting, Summary};
