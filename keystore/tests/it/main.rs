//! The keystore against its attacks, its order rule, its encodings and the vectors of others.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

mod attacks;
mod common;
mod encoding;
mod formats;
mod order;
mod signatures;
mod walk;
