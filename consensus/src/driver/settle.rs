//! When the core is told that a value is valid. The heart of the driver; rule: protocol.md.
//!
//! ```text
//! objective verdict Invalid ───────────────────────────────► Invalid, for ever
//! objective verdict Valid, and one of                        Valid
//!     built by us · polka known · timely check passed · its fresh round's Propose step is left
//! more than two thirds precommitted it ────────────────────► Valid, whatever we could check
//! else, in the Propose step of its fresh round, proposal here:
//!     early ─► wait · late or timely check failed ─► Invalid, and at once Valid again
//! ```
//!
//! The value of a fresh proposal is withheld until its round's Propose step, so that the first prevote
//! on it can still be nil for a reason of time; the core takes Invalid → Valid and never back, and a
//! Valid after the nil prevote causes no second one. A proof-of-lock round that no polka backs releases
//! nothing: else a value could be passed off as a re-proposal first and skip the timely check later.

use crate::context::{CoreHeight, CoreKey, CoreValue};
use crate::driver::event::{Effect, SafetyAlarm};
use crate::driver::messages::is_committed;
use crate::driver::seat::{DoorState, Judged, Timeliness, Value};
use crate::driver::{Driver, Step};
use crate::limits::{BODY_ROUNDS_KEPT, SETTLE_STEPS_MAX};
use crate::reason::NilReason;
use crate::timing::Window;
use arc_malachitebft_core_consensus::{Input, ProposedValue};
use arc_malachitebft_core_types as mt;
use mt::{Round as CoreRound, Validity, ValueOrigin};
use rota_types::{Gate, Hash, Round, TimestampMs};
use std::sync::Arc;

/// What is to be done about a value.
enum Action {
    /// Ask the objective question.
    Check,
    /// Ask the timely question.
    CheckTimely,
    /// The slot's time is over.
    TooLate,
    /// Tell the core, with the proposal of this round.
    Give { round: u32, validity: Validity, hint: Option<NilReason> },
    /// Tell the operator.
    Alarm(NilReason),
    /// Wait for the slot's window.
    WakeAt(TimestampMs),
}

impl Driver {
    /// Does everything that follows from what is known. Each turn moves a value forward, so it ends.
    pub(super) fn settle(&mut self, gate: &mut dyn Gate) {
        if let Some(seat) = self.seat.as_mut() {
            seat.wake = None;
        }
        self.note_own_nil();
        self.prune();
        for _ in 0..SETTLE_STEPS_MAX {
            let moved = self.settle_values(gate) || self.try_build(gate);
            if !moved {
                break;
            }
            self.note_own_nil();
        }
        self.ask_for_missing();
    }

    /// One pass over the values. `true` if the core was fed.
    fn settle_values(&mut self, gate: &mut dyn Gate) -> bool {
        let Some(seat) = self.seat.as_ref().filter(|_| self.core.is_some()) else { return false };
        if seat.decided.is_some() || seat.fatal.is_some() {
            return false;
        }
        let ids: Vec<Hash> = seat.values.keys().copied().collect();
        let mut fed = false;
        for id in ids {
            let Some(action) = self.next_action(&id) else { continue };
            fed |= self.act(id, action, gate);
        }
        fed
    }

    fn next_action(&self, id: &Hash) -> Option<Action> {
        let (core, seat) = (self.core.as_ref()?, self.seat.as_ref()?);
        let value = seat.values.get(id)?;
        if value.given == Some(true) {
            return None;
        }
        // A value is given only beside a proposal that the core has.
        let round = seat.fed_rounds(id).next()?;
        let give = |validity, hint| Some(Action::Give { round, validity, hint });
        let committed =
            seat.fed_rounds(id).any(|round| is_committed(core, CoreRound::new(round), id));
        match value.judged {
            Judged::Invalid(reason) if committed && !value.alarmed => Some(Action::Alarm(reason)),
            Judged::Invalid(reason) if value.given.is_none() => {
                give(Validity::Invalid, Some(reason))
            }
            Judged::Invalid(_) => None,
            _ if committed => give(Validity::Valid, None),
            Judged::Unasked => self.desk.parent_header(seat.height).map(|_| Action::Check),
            Judged::Asked => None,
            Judged::Valid => {
                let polka = core.driver.polka_certificates().iter().any(|c| c.value_id == *id);
                if value.own || polka || value.timely == Timeliness::Passed {
                    return give(Validity::Valid, None);
                }
                self.next_timely(id, value, round)
            }
        }
    }

    /// An objectively valid value that nobody vouches for yet.
    fn next_timely(&self, id: &Hash, value: &Value, round: u32) -> Option<Action> {
        let (at, step) = self.position();
        let fresh = value.body.round.0;
        if at > fresh || (at == fresh && !matches!(step, Step::Unstarted | Step::Propose)) {
            return Some(Action::Give { round, validity: Validity::Valid, hint: None });
        }
        let seat = self.seat.as_ref()?;
        let here = seat.proposals.get(&(fresh, *id)).is_some_and(|held| {
            held.state == DoorState::Fed && held.signed.proposal.pol_round.is_none()
        });
        if at < fresh || step != Step::Propose || !here {
            return None;
        }
        match value.timely {
            Timeliness::Failed(reason) if value.given.is_none() => {
                Some(Action::Give { round: fresh, validity: Validity::Invalid, hint: Some(reason) })
            }
            Timeliness::Unasked => match self.desk.pace.window(value.body.slot, self.desk.now) {
                Window::Early { until } => Some(Action::WakeAt(until)),
                Window::Late => Some(Action::TooLate),
                Window::Open => Some(Action::CheckTimely),
            },
            Timeliness::Failed(_) | Timeliness::Asked | Timeliness::Passed => None,
        }
    }

    /// `true` if the core was fed or a verdict was reached.
    fn act(&mut self, id: Hash, action: Action, gate: &mut dyn Gate) -> bool {
        let Some(seat) = self.seat.as_mut() else { return false };
        let height = seat.height;
        let parent_slot = seat.parent_slot;
        let Some(value) = seat.values.get_mut(&id) else { return false };
        match action {
            Action::Check => {
                // Parent and slot order need nothing but the value and our own parent.
                let header = self.desk.parent_header(height);
                if value.body.slot <= parent_slot {
                    value.judged = Judged::Invalid(NilReason::Malformed);
                    return true;
                }
                if Some(value.body.parent_header) != header {
                    value.judged = Judged::Invalid(NilReason::ParentMismatch);
                    return true;
                }
                value.judged = Judged::Asked;
                let proposal = Arc::clone(&value.body);
                let proposer = seat.set.set().proposer(height, proposal.round).key;
                self.desk.push(Effect::Check { id, proposal, proposer });
                false
            }
            Action::CheckTimely => {
                value.timely = Timeliness::Asked;
                let (round, proposal) = (value.body.round, Arc::clone(&value.body));
                self.desk.push(Effect::CheckTimely { id, round, proposal });
                false
            }
            Action::TooLate => {
                value.timely = Timeliness::Failed(NilReason::WrongSlot);
                true
            }
            Action::Alarm(reason) => {
                value.alarmed = true;
                let alarm = SafetyAlarm::CommittedInvalid { height, value: id, reason };
                self.desk.push(Effect::Alarm(alarm));
                true
            }
            Action::WakeAt(at) => {
                seat.wake_at(at);
                false
            }
            Action::Give { round, validity, hint } => {
                value.given = Some(validity.is_valid());
                seat.nil_hint = hint;
                self.give(id, round, validity, gate);
                if let Some(seat) = self.seat.as_mut() {
                    seat.nil_hint = None;
                }
                true
            }
        }
    }

    fn give(&mut self, id: Hash, round: u32, validity: Validity, gate: &mut dyn Gate) {
        let Some(seat) = self.seat.as_ref() else { return };
        let Some(held) = seat.proposals.get(&(round, id)) else { return };
        let proposal = &held.signed.proposal;
        let value = ProposedValue {
            height: CoreHeight(seat.height),
            round: CoreRound::new(round),
            valid_round: proposal.pol_round.map_or(CoreRound::Nil, |pol| CoreRound::new(pol.0)),
            proposer: CoreKey(proposal.validator),
            value: CoreValue(id),
            validity,
        };
        self.run(Input::ProposedValue(value, ValueOrigin::Consensus), gate);
    }

    /// Why the propose timeout found us without a value to prevote.
    pub(super) fn timeout_reason(&self, round: u32) -> NilReason {
        let Some(seat) = self.seat.as_ref() else { return NilReason::NoProposal };
        if self.desk.parent_header(seat.height).is_none() {
            return NilReason::NotReady;
        }
        let Some(held) = seat.of_round(round).find(|held| held.state != DoorState::Dropped) else {
            return NilReason::NoProposal;
        };
        let Some(value) = seat.values.get(&held.signed.proposal.value) else {
            return NilReason::NoBody;
        };
        let early =
            matches!(self.desk.pace.window(value.body.slot, self.desk.now), Window::Early { .. });
        match (value.judged, value.timely) {
            (Judged::Invalid(reason), _) | (_, Timeliness::Failed(reason)) => reason,
            _ if early => NilReason::WrongSlot,
            _ => NilReason::Unavailable,
        }
    }

    /// Keeps the reason of our own nil prevote beside those of the others.
    fn note_own_nil(&mut self) {
        let local = self.desk.config.local;
        let newest = self.seat.as_ref().and_then(|seat| seat.own_reason);
        if let Some((round, reason)) = newest {
            self.note_nil(Round(round), local, Some(reason));
        }
    }

    /// Drops bodies of rounds long past that nobody can decide without sending them again.
    fn prune(&mut self) {
        let round = self.position().0;
        let (Some(core), Some(seat)) = (self.core.as_ref(), self.seat.as_mut()) else { return };
        let floor = round.saturating_sub(BODY_ROUNDS_KEPT);
        if floor <= seat.pruned_below {
            return;
        }
        seat.pruned_below = floor;
        let state = core.driver.round_state();
        let held = [state.locked.as_ref(), state.valid.as_ref()];
        let keep = |id: &Hash, newest: Option<u32>| {
            newest.is_some_and(|newest| newest >= floor)
                || held.iter().flatten().any(|held| held.value.0 == *id)
                || core.driver.polka_certificates().iter().any(|c| c.value_id == *id)
        };
        let newest_of = |seat: &crate::driver::seat::Seat, id: &Hash| {
            seat.proposals.keys().filter(|(_, value)| value == id).map(|(round, _)| *round).max()
        };
        let gone: Vec<Hash> =
            seat.values.keys().filter(|id| !keep(id, newest_of(seat, id))).copied().collect();
        for id in gone {
            seat.values.remove(&id);
            seat.proposals.retain(|(_, value), _| *value != id);
        }
        seat.proposals.retain(|(round, id), _| *round >= floor || seat.values.contains_key(id));
    }
}
