//! The one entry: an event in, effects out.

use crate::context::Ctx;
use crate::driver::Driver;
use crate::driver::event::{Effect, Event, Objective};
use crate::driver::hand::Hand;
use crate::driver::seat::{Judged, Timeliness, TimerKind};
use crate::error::Fatal;
use crate::limits::{DECIDED_KEPT, SETTLE_STEPS_MAX};
use crate::reason::NilReason;
use arc_malachitebft_core_consensus as cc;
use arc_malachitebft_core_types as mt;
use cc::Input;
use mt::{Round as CoreRound, Timeout, TimeoutKind};
use rota_types::{Gate, Hash, Height, Round, TimestampMs};
use std::sync::Arc;

impl Driver {
    /// Takes one event and gives what is to be done, in order.
    ///
    /// The list begins with the entries for the log. What the gate signed in this step belongs right
    /// after them: log, guard, and only then anything that leaves the machine.
    pub fn step(&mut self, now: TimestampMs, event: Event, gate: &mut dyn Gate) -> Vec<Effect> {
        if self.dead {
            return Vec::new();
        }
        self.desk.now = now;
        match event {
            Event::Start(start) => self.start(start, gate),
            Event::Executed { height, header_id } => self.executed(height, header_id),
            Event::Message { from, class, bytes } => self.message(from, class, &bytes, gate),
            Event::Connected { validator } => self.connected(validator),
            Event::Built { height, round, proposal } => self.built(height, round, proposal, gate),
            Event::Objective { id, verdict } => self.objective(id, verdict),
            Event::Timely { id, round, verdict } => self.timely(id, round, verdict),
            Event::Synced { certificate, proposal } => {
                if self.synced(certificate, proposal).is_err() {
                    let reason = "catch-up handed over a decision that does not verify".into();
                    self.desk.push(Effect::Fault { reason });
                }
            }
            Event::Tick => {}
        }
        self.begin_if_due(gate);
        self.fire_timers(gate);
        self.settle(gate);
        self.close();
        let mut out = std::mem::take(&mut self.desk.out);
        out.sort_by_key(|effect| !effect.is_wal());
        out
    }

    /// Feeds the core one input.
    pub(super) fn run(&mut self, input: Input<Ctx>, gate: &mut dyn Gate) {
        let (Some(core), Some(seat)) = (self.core.as_mut(), self.seat.as_mut()) else { return };
        if seat.fatal.is_some() || seat.decided.is_some() {
            return;
        }
        let mut hand = Hand { desk: &mut self.desk, seat, gate };
        let result: Result<(), cc::Error<Ctx>> = cc::process!(
            input: input,
            state: core,
            metrics: &(),
            with: effect => Ok::<_, cc::Error<Ctx>>(hand.handle(effect))
        );
        match result {
            Ok(()) => {}
            Err(cc::Error::ReplayDivergence(kind, height, round)) => {
                seat.fatal = Some(Fatal::ReplayDivergence {
                    what: kind.to_string(),
                    height: height.0,
                    round: crate::context::round_of(round),
                });
            }
            Err(error) => self.desk.push(Effect::Fault { reason: error.to_string() }),
        }
    }

    /// Hands out a decision or a fatal error once it stands.
    fn close(&mut self) {
        let Some(seat) = self.seat.as_mut() else { return };
        if let Some(fatal) = seat.fatal.take() {
            self.dead = true;
            self.core = None;
            // What this step signed or published rests on a state that cannot be trusted.
            self.desk.out.clear();
            self.desk.push(Effect::Fatal(fatal));
            return;
        }
        if seat.finished {
            return;
        }
        let Some(certificate) = seat.decided.clone() else { return };
        let Some(body) = seat.values.get(&certificate.value).map(|v| Arc::clone(&v.body)) else {
            let reason = "decided a value whose body is not here".into();
            self.desk.push(Effect::Fault { reason });
            return;
        };
        seat.finished = true;
        seat.timers.clear();
        let story = self.desk.explain.height_mut(seat.height);
        story.decided = Some((certificate.round, body.slot, self.desk.now));
        self.history.insert(seat.height, (Arc::clone(&body), certificate.clone()));
        while self.history.len() > DECIDED_KEPT {
            self.history.pop_first();
        }
        self.core = None;
        self.desk.push(Effect::Decided { proposal: body, certificate });
    }

    fn executed(&mut self, height: Height, header_id: Hash) {
        self.desk.executed.insert(height, header_id);
        // The parent and the grandparent are all that is ever asked for.
        while self.desk.executed.len() > 3 {
            self.desk.executed.pop_first();
        }
    }

    fn objective(&mut self, id: Hash, verdict: Objective) {
        let Some(value) = self.seat.as_mut().and_then(|seat| seat.values.get_mut(&id)) else {
            return;
        };
        if value.judged == Judged::Asked {
            value.judged = match verdict {
                Objective::Valid => Judged::Valid,
                Objective::Invalid(reason) => Judged::Invalid(reason),
            };
        }
    }

    fn timely(&mut self, id: Hash, round: Round, verdict: Result<(), NilReason>) {
        let Some(value) = self.seat.as_mut().and_then(|seat| seat.values.get_mut(&id)) else {
            return;
        };
        if value.timely == Timeliness::Asked && value.body.round == round {
            value.timely = match verdict {
                Ok(()) => Timeliness::Passed,
                Err(reason) => Timeliness::Failed(reason),
            };
        }
    }

    /// Fires what is due, earliest first. A timer that fires may cancel or set others.
    fn fire_timers(&mut self, gate: &mut dyn Gate) {
        for _ in 0..SETTLE_STEPS_MAX {
            let now = self.desk.now;
            let Some(seat) = self.seat.as_mut().filter(|_| self.core.is_some()) else { return };
            let due = seat.timers.iter().filter(|(_, at)| **at <= now).min_by_key(|(_, at)| **at);
            let Some(key) = due.map(|(key, _)| *key) else { return };
            seat.timers.remove(&key);
            self.fire(key.0, key.1, gate);
        }
    }

    fn fire(&mut self, kind: TimerKind, round: u32, gate: &mut dyn Gate) {
        let core_kind = match kind {
            TimerKind::Propose => TimeoutKind::Propose,
            TimerKind::Prevote => TimeoutKind::Prevote,
            TimerKind::Precommit => TimeoutKind::Precommit,
            TimerKind::Republish => TimeoutKind::Rebroadcast,
        };
        if kind == TimerKind::Propose {
            let reason = self.timeout_reason(round);
            if let Some(seat) = self.seat.as_mut() {
                seat.nil_hint = Some(reason);
            }
        }
        let timeout = Timeout::new(CoreRound::new(round), core_kind);
        self.run(Input::TimeoutElapsed(timeout), gate);
        if let Some(seat) = self.seat.as_mut() {
            seat.nil_hint = None;
        }
        if kind == TimerKind::Republish {
            self.republish();
        }
    }
}
