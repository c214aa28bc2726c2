//! A clock that is ahead or behind by what the dials say.

use super::dials::DialsFile;
use rota_node::shell::{Clock, now};
use rota_types::TimestampMs;
use std::sync::Arc;

/// The system's clock, shifted.
pub(super) struct ShiftedClock {
    dials: Arc<DialsFile>,
}

impl ShiftedClock {
    pub(super) const fn new(dials: Arc<DialsFile>) -> Self {
        Self { dials }
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> TimestampMs {
        TimestampMs(now().0.saturating_add_signed(self.dials.now().clock_offset_ms))
    }
}
