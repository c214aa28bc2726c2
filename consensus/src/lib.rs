//! Agree on one slot after another.
#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::iter_over_hash_type)]

pub mod certificate;
mod config;
mod context;
mod driver;
mod error;
mod evidence;
mod explain;
mod inbox;
pub mod limits;
mod reason;
mod signatures;
pub mod timing;
pub mod wal;
pub mod wire;

pub use config::Config;
pub use driver::{Driver, Effect, Event, Objective, Phase, SafetyAlarm, Start, Status, Step};
pub use error::{Fatal, FrameError};
pub use explain::{HeightStory, RoundStory};
pub use reason::NilReason;
pub use wire::{Message, MessageClass};
