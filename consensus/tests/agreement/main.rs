//! Drivers against each other in virtual time: what must hold, trace by trace and over random seeds.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

mod carry;
mod crash;
mod disk;
mod gate;
mod happy;
mod locks;
mod look;
mod net;
mod seeds;
mod solo;
mod together;
mod traces;
