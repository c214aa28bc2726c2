//! The deterministic simulator: a second shell around the very values that `node` runs.
//!
//! ```text
//!  heap of events ─► machine: mailboxes ─► Core::step ─► Retention::items ─► Pipeline::commit over SimDisk
//!       ▲                                                                        │ released, in order
//!       └──── net: delay, loss, partitions ◄── roles (Byzantine rewriting) ◄─────┘──► invariants
//! ```
//!
//! One thread, one virtual clock, one seeded generator, ordered maps. Shared with a real node are recovery, core,
//! effects' order, execution, ledger, guard, log, doors and the answers to peers; threads, sockets and the operating
//! system are not. p2p is real sockets only and is tested on them.
//!
//! A seed plays two phases: *safety*, with crashes, partitions, disk faults and up to f Byzantine, every invariant
//! after every event; then *liveness*: faults stop within a quorum, which must order and hold its promises; then all
//! heal and must be equal.

mod cast;
mod clients;
mod clock;
mod command;
mod costs;
mod counts;
mod dice;
mod faults;
mod gossip;
mod heap;
mod invariants;
mod links;
mod machine;
mod net;
mod outward;
mod parsed;
mod plan;
mod regions;
mod roles;
mod run;
#[cfg(test)]
mod scenarios;
mod story;
mod swarm;
mod tags;
mod threads;
mod trace;
mod wallets;
mod world;

pub use command::SimArgs;
pub use counts::Counts;
pub use invariants::Violation;
pub use plan::Byzantine;
pub use roles::Role;
pub use run::{Options, Outcome, run};
pub use swarm::{Broken, Summary, swarm, until_violation};
pub use tags::Signatures;
pub use trace::Lines;
