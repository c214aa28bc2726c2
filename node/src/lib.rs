//! One validator or full node: disk, clock, network, RPC, CLI.

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod core;
pub mod disk;
pub mod error;
pub mod guard;
pub mod home;
pub mod index;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod provision;
pub mod rpc;
pub mod shell;
pub mod wal;
