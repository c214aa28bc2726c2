//! The one place of this crate that reads the clock; every rule takes the time as an argument.

use tokio::time::Instant;

/// Now, on the monotonic clock of the runtime.
pub(crate) fn now() -> Instant {
    Instant::now()
}
