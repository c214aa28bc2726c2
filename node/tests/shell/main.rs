//! A running node on a ground of the test's: disks that fail at a chosen write.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod full_disk;
mod ground;
