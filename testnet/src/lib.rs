//! Run many nodes and hurt them: docker-compose, processes, simulator, load.
//!
//! ```text
//! manifest::Manifest ──► run::run ── setup start load perturb heal wait check report down ──► run::Report
//!                          │            │            │                    │
//!                   world::World ◄──────┘      run::perturb         invariants::check_all
//!                 processes │ compose        (kill, pause, wipe…)         ▲
//!                          ▼                                              │ Trace: slots, receipts, guards
//!                     real `rota` nodes ◄── load::Load (rpc, gossip) ─────┘
//! ```
//!
//! Nothing imports this crate. It never changes a node's files but as a manifest says, listens on loopback only,
//! and starts nothing it does not end, unless asked to keep it.
//!
//! [`sim`] runs the same cores without processes, in virtual time; [`planted`] asks whether it catches bugs.
//!
//! # Deviations
//!
//! - `--world` takes `process` and `compose`: the simulator is a command of its own, with seeds in the place of manifests.

pub mod bench;
pub mod cli;
pub mod client;
pub mod clock;
pub mod error;
pub mod hurt;
pub mod invariants;
pub mod limits;
pub mod load;
pub mod machine;
pub mod manifest;
pub mod planted;
pub mod run;
pub mod sim;
pub mod soak;
pub mod world;

pub use error::TestnetError;
