//! The one place that reads the clock.

use rota_types::TimestampMs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch; zero before it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the shell's clock: cores get time as an argument")]
pub fn now() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
