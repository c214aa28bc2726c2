//! Crimes that need a node above the network: validators that lie, and strangers at the doors.
//!
//! `cargo test -p rota-node --test attack -- --nocapture | grep ATTACK` prints the figures of the
//! table in docs/testing.md.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail loudly"
)]

mod doors;
mod scene;
mod validator;
