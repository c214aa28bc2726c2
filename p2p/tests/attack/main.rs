//! One hostile peer against real nodes: a test for each crime, with the line it must hold.
//!
//! `cargo test -p rota-p2p --test attack -- --nocapture | grep ATTACK` prints the figures of the
//! table in docs/testing.md.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "tests fail loudly and print their figures; one future for each"
)]

#[path = "../common/mod.rs"]
mod common;

mod attacker;
mod connections;
mod frames;
mod gossip_control;
mod gossip_messages;
mod greeting;
mod protobuf;
mod requests;
mod scene;
mod strangers;
mod wire;
