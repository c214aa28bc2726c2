//! What a node stands on: its disk, its clock, and the road on which its core's effects leave.
//!
//! `rota` stands on [`Ground::default`]. Whoever hurts nodes runs this same shell over a disk, a clock and a road of
//! its own; nothing in a node's configuration leads there.

use crate::core::Effect;
use crate::disk::{Disk, RealDisk};
use rota_types::TimestampMs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> TimestampMs;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> TimestampMs {
        now()
    }
}

/// The system's time, in milliseconds since the Unix epoch; zero before it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the shell's clock: cores get time as an argument")]
pub fn now() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Between the core and everything that carries its effects out.
pub trait Road: Send {
    /// What becomes of one step's effects; durable ones must stay in front.
    fn pass(&mut self, now: TimestampMs, effects: Vec<Effect>) -> Vec<Effect>;
}

/// Every effect as the core gave it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Straight;

impl Road for Straight {
    fn pass(&mut self, _: TimestampMs, effects: Vec<Effect>) -> Vec<Effect> {
        effects
    }
}

/// Disk, clock and road of one node.
pub struct Ground {
    /// Under ledger, WAL and guard.
    pub disk: Arc<dyn Disk>,
    /// What slots are counted by.
    pub clock: Arc<dyn Clock>,
    /// What effects pass.
    pub road: Box<dyn Road>,
}

impl Default for Ground {
    fn default() -> Self {
        Self { disk: RealDisk::shared(), clock: Arc::new(SystemClock), road: Box::new(Straight) }
    }
}
