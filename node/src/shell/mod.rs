//! The shell around the core: threads, sockets, disk and clock of one running node.
//!
//! ```text
//!  rota-p2p events ─► network::Inbound ─► core mailbox ─► core loop (own thread) ─► Item queue ─► commit thread
//!  doors ─► submit ─────────────────────►      ▲                                                 │ one sync a group
//!                                              └── execution thread ◄── release::Releaser ◄──────┘
//! ```
//!
//! The core decides, the commit thread makes durable and lets go, in that order; nothing leaves the machine by
//! another road. Doors read from `view` and the ledger, never from the core.
//!
//! The simulator in `testnet` is a second shell. What decides anything is shared with it: [`open`] reads what a
//! restart gives back, [`Parts`] puts a node together, [`Retention::items`] says what is durable before what,
//! [`Execution`] executes, [`Server`] answers, [`admit_list`] keeps the door.

mod accounts;
mod admission;
mod backend;
mod core_loop;
mod executor;
mod ground;
mod network;
mod panics;
mod parts;
mod policy;
mod read;
mod recover;
mod release;
mod run;
mod serve;
mod slots;
mod submit;
mod telemetry;
mod threads;
mod view;

pub use admission::admit_list;
pub use backend::NodeBackend;
pub use core_loop::Retention;
pub use executor::Execution;
pub use ground::{Clock, Ground, Road, Straight, SystemClock, now};
pub use parts::Parts;
pub use recover::{LostGuard, Opened, Salts, open};
pub use release::{Outward, items, load_batch};
pub use run::{RunningNode, check, check_addresses, run_node, run_node_on};
pub use serve::Server;
pub use telemetry::prometheus;
pub use view::View;
