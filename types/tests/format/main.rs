//! The format as others see it: golden hashes of every encoding, and bundles as files.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests fail loudly")]

mod conformance;
mod samples;
mod vectors;
