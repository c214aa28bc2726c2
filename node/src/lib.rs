//! One validator or full node: disk, clock, network, RPC, CLI, web page.

pub mod disk;
pub mod guard;
pub mod ledger;
pub mod limits;
pub mod wal;
