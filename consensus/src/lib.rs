//! Agree on one slot after another.
//!
//! ```text
//!             Start{height, wal, marks} ──► replay ─┐            cut reached, grandparent executed
//!                                                   ▼                          │
//! Message ──► door: turn, signature, body ──► held proposal ──► core ◄── begin ┘
//!                 (messages.rs)                     │          (Malachite, 0.8.2)
//!                                                   ▼             │ effects: hand.rs
//!   Check / CheckTimely ◄── settle.rs: when is a value valid? ────┤   sign ──► Gate
//!   Objective / Timely ───►                                       │   log ───► Wal
//!                                                                 ▼   publish ► Broadcast
//!   Build ◄── build.rs ◄── core wants a value                  Decided{proposal, certificate}
//! ```
//!
//! The crate owns the rounds of one height at a time and nothing else: no clock, socket, file, task or
//! randomness. [`Driver::step`] takes an event and the time and gives effects; the shell carries them
//! out in order. What must be durable comes first in each list: the log's entries, then whatever
//! the gate signed in the step, then what leaves the machine.
//!
//! A validator votes twice for nothing: every signature passes the [`rota_types::Gate`], the log is
//! replayed after a crash, and where the guard remembers a vote that replay does not derive again,
//! the driver keeps from voting at that height.
//!
//! # Deviations from the core's defaults, and from protocol.md's letter
//!
//! - `ProposalAndParts`, with the body beside the signed proposal in one frame: cuts are small, and a
//!   proposal without its body is of no use. `RestreamProposal` is therefore empty: the proposal that
//!   follows it carries the body.
//! - Catch-up does not pass the core: a verified commit certificate and its body decide the height.
//! - A value that more than two thirds precommitted is valid here too, whatever is still being
//!   checked or executed; only an objective Invalid of our own stands against it, with an alarm.
//! - A proposer waits for the next cut at most half a slot, also in rounds whose timeout is longer.
//! - The core's target time, vote extensions, sync inputs, input queue and metrics are not used: they read
//!   the clock, or keep what is bounded here per sender.
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
