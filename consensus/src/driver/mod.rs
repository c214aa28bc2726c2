//! The driver: one height after another, as a value with one entry.
//!
//! `Driver::step` takes an event and the time and gives effects. It owns no clock, socket, file or
//! task, and draws no randomness: the same events give the same effects.

mod build;
mod catchup;
mod event;
mod hand;
mod liveness;
mod messages;
mod parents;
mod replay;
mod seat;
mod settle;
mod start;
mod step;

pub use event::{Effect, Event, Objective, SafetyAlarm, Start};

use crate::config::Config;
use crate::context::Ctx;
use crate::explain::{Explain, HeightStory};
use crate::inbox::Inbox;
use crate::timing::Pace;
use arc_malachitebft_core_consensus::State;
use rota_types::{CommitCertificate, Hash, Height, Round, SlotProposal, TimestampMs, ValidatorKey};
use seat::{Desk, Seat};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a driver stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No height was started.
    Idle,
    /// The height's round 0 has not begun: its cut is ahead, or the grandparent is not executed.
    Waiting,
    /// Rounds are running.
    Running,
    /// The height is decided; the next `Start` is awaited.
    Decided,
    /// A fatal error was reported.
    Dead,
}

/// A step of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Between rounds.
    Unstarted,
    /// Waiting for a proposal.
    Propose,
    /// Prevoted.
    Prevote,
    /// Precommitted.
    Precommit,
    /// Decided.
    Commit,
}

/// What `status` and metrics show of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub phase: Phase,
    /// Height being worked on, 0 before the first.
    pub height: Height,
    /// Round of it.
    pub round: Round,
    /// Step of that round.
    pub step: Step,
    /// Proposer of that round.
    pub proposer: Option<ValidatorKey>,
    /// Value we are locked on.
    pub locked: Option<Hash>,
    /// Whether we keep from voting at this height.
    pub abstaining: bool,
}

/// Agrees on one slot after another.
pub struct Driver {
    desk: Desk,
    core: Option<State<Ctx>>,
    seat: Option<Seat>,
    inbox: Inbox,
    history: BTreeMap<Height, (Arc<SlotProposal>, CommitCertificate)>,
    helped: BTreeMap<ValidatorKey, TimestampMs>,
    dead: bool,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Driver {
    /// A driver that waits for its first `Start`.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let pace = Pace::new(config.timing);
        Self {
            desk: Desk {
                config,
                pace,
                now: TimestampMs(0),
                out: Vec::new(),
                explain: Explain::default(),
                executed: BTreeMap::from([(Height::GENESIS, Hash::ZERO)]),
            },
            core: None,
            seat: None,
            inbox: Inbox::default(),
            history: BTreeMap::new(),
            helped: BTreeMap::new(),
            dead: false,
        }
    }

    /// Height being worked on, 0 before the first.
    #[must_use]
    pub fn height(&self) -> Height {
        self.seat.as_ref().map_or(Height::GENESIS, |seat| seat.height)
    }

    /// Round being worked on.
    #[must_use]
    pub fn round(&self) -> Round {
        Round(self.position().0)
    }

    /// When `Event::Tick` is due, if anything waits for time.
    #[must_use]
    pub fn deadline(&self) -> Option<TimestampMs> {
        let seat = self.seat.as_ref().filter(|seat| !self.dead && !seat.finished)?;
        if self.core.is_none() {
            let ready = self.desk.grandparent_executed(seat.height);
            return ready.then_some(seat.start_at);
        }
        let timer = seat.timers.values().min().copied();
        match (timer, seat.wake) {
            (Some(timer), Some(wake)) => Some(timer.min(wake)),
            (timer, wake) => timer.or(wake),
        }
    }

    /// For status and metrics.
    #[must_use]
    pub fn status(&self) -> Status {
        let phase = match (&self.seat, &self.core) {
            _ if self.dead => Phase::Dead,
            (None, _) => Phase::Idle,
            (Some(seat), _) if seat.finished => Phase::Decided,
            (Some(_), None) => Phase::Waiting,
            (Some(_), Some(_)) => Phase::Running,
        };
        let (round, step) = self.position();
        let proposer = self.seat.as_ref().map(|s| s.set.set().proposer(s.height, Round(round)).key);
        let locked = self.core.as_ref().and_then(|core| {
            core.driver.round_state().locked.as_ref().map(|locked| locked.value.0)
        });
        Status {
            phase,
            height: self.height(),
            round: Round(round),
            step,
            proposer,
            locked,
            abstaining: self.seat.as_ref().is_some_and(|seat| seat.abstaining),
        }
    }

    /// The story of a recent height.
    #[must_use]
    pub fn explain(&self, height: Height) -> Option<&HeightStory> {
        self.desk.explain.height(height)
    }

    /// Round and step of the core.
    fn position(&self) -> (u32, Step) {
        let Some(core) = &self.core else { return (0, Step::Unstarted) };
        let driver = &core.driver;
        let step = if driver.step_is_propose() {
            Step::Propose
        } else if driver.step_is_prevote() {
            Step::Prevote
        } else if driver.step_is_precommit() {
            Step::Precommit
        } else if driver.step_is_commit() {
            Step::Commit
        } else {
            Step::Unstarted
        };
        (core.round().as_u32().unwrap_or(0), step)
    }
}
