//! The doors and the pool: every bad input has its own code, and the pool keeps its shares.
#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests fail loudly")]

mod doors;
mod pool;
mod work;
