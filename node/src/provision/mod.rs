//! Makes networks: genesis, keys, homes and configuration of every node, and a compose file for containers.
//!
//! ```text
//! NetworkPlan ── make_network ──► Network { genesis, nodes } ── write ──► DIR/genesis.json, DIR/v0 … (homes)
//! ```
//!
//! Only writes; starts nothing. Nothing is ever overwritten.

mod compose;
mod config_text;
pub mod devnet;
mod network;
pub mod open;
mod write;

pub use compose::{ComposePlan, compose_file};
pub use network::{
    KeySource, Network, NetworkPlan, NodePlan, PlannedNode, loopback_nodes, make_network,
    random_chain_id,
};
pub use open::OpenedHome;
pub use write::{PASSWORD_FILE, read_genesis, write_genesis};

/// Port of p2p on the first instance.
pub const P2P_PORT: u16 = 7645;
/// Port of JSON-RPC and REST on the first instance.
pub const HTTP_PORT: u16 = 8645;
/// Port of metrics on the first instance.
pub const METRICS_PORT: u16 = 9645;
