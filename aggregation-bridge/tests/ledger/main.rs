//! The ledger against the attacks that its rules answer, and against a plain model.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

mod attacks;
mod caps;
mod claims;
mod model;
mod support;
