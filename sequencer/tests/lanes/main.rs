//! Lanes among validators in virtual time: certificates, crashes, limits, faults.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

mod bounds;
mod crash;
mod faults;
mod gossip;
mod happy;
mod model;
mod net;
mod ordered;
mod view;
