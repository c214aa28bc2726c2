//! Answers, and what is asked next.

use super::intake::{Base, Intake, IntakeFault};
use super::wire::{
    BatchesAnswer, BatchesRequest, STATUS_QUESTION, SlotPart, SlotsAnswer, SlotsRequest, Status,
    answer_of,
};
use super::{CatchUp, Effect, InFlight, Purpose};
use crate::batch::Batch;
use crate::limits::{
    CATCHUP_AHEAD_SLOTS_MAX, CATCHUP_ANSWER_BYTES_MAX, CATCHUP_RETRY_MS, CATCHUP_SEALS_MAX,
    CATCHUP_SLOTS_MAX,
};
use crate::order::count;
use rota_types::{Height, SealedHeader, TimestampMs};
use std::collections::BTreeSet;
use std::sync::Arc;

impl CatchUp {
    pub(super) fn answered(
        &mut self,
        now: TimestampMs,
        id: u64,
        bytes: &[u8],
        effects: &mut Vec<Effect>,
    ) {
        let Some(request) = self.in_flight.remove(&id) else { return };
        let InFlight { peer, purpose, slow_after, .. } = request;
        let outcome = match purpose {
            Purpose::Status => self.status(now, peer, bytes),
            Purpose::Slots => self.slots_or_seals(now, peer, bytes, effects),
            Purpose::Seals(end) => {
                let outcome = self.slots_or_seals(now, peer, bytes, effects);
                self.seal_cursor = end;
                outcome
            }
            Purpose::Bodies(digests) => {
                let outcome = self.bodies(now, peer, bytes, effects);
                self.bodies.ended(peer, &digests);
                outcome
            }
        };
        match outcome {
            Ok(()) if now > slow_after => self.peers.demote(peer),
            Ok(()) => {}
            Err(fault @ IntakeFault::Diverged { .. }) => {
                self.halted = true;
                self.intake = None;
                effects.push(Effect::SafetyAlarm(fault));
            }
            Err(fault) => {
                self.lose(peer);
                effects.push(Effect::Ban { peer, fault });
            }
        }
    }

    /// A request without an answer: others are asked.
    pub(super) fn failed(&mut self, now: TimestampMs, id: u64) {
        let Some(InFlight { peer, purpose, .. }) = self.in_flight.remove(&id) else { return };
        match purpose {
            Purpose::Status => self.peers.polled(peer, None, now.plus(self.config.poll_ms)),
            Purpose::Slots | Purpose::Seals(_) => {}
            Purpose::Bodies(digests) => self.bodies.ended(peer, &digests),
        }
        self.peers.strike(peer, now);
    }

    fn status(&mut self, now: TimestampMs, peer: u64, bytes: &[u8]) -> Result<(), IntakeFault> {
        let next = now.plus(self.config.poll_ms);
        // An empty answer is a peer at its limit.
        let status = if bytes.is_empty() { None } else { Some(answer_of::<Status>(bytes)?) };
        self.peers.polled(peer, status, next);
        Ok(())
    }

    fn slots_or_seals(
        &mut self,
        now: TimestampMs,
        peer: u64,
        bytes: &[u8],
        effects: &mut Vec<Effect>,
    ) -> Result<(), IntakeFault> {
        match answer_of::<SlotsAnswer>(bytes)? {
            SlotsAnswer::Busy { retry_ms } => {
                self.peers.rest(peer, now, retry_ms.into());
                Ok(())
            }
            SlotsAnswer::Slots { status, parts } => {
                self.peers.refresh(peer, status);
                self.slots(now, peer, parts, effects)
            }
            SlotsAnswer::Seals { status, seals } => {
                self.peers.refresh(peer, status);
                self.seals(seals, effects)
            }
        }
    }

    fn slots(
        &mut self,
        now: TimestampMs,
        peer: u64,
        parts: Vec<SlotPart>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IntakeFault> {
        if count(parts.len()) > CATCHUP_SLOTS_MAX {
            return Err(IntakeFault::Lie("more slots than an answer may have"));
        }
        let mut progress = false;
        for part in parts {
            // Consensus may have decided the height meanwhile.
            if part.height <= self.decided {
                continue;
            }
            let mut intake = match self.intake.take() {
                Some(intake) if intake.height() == self.decided.next() => intake,
                _ => Intake::new(self.decided.next()),
            };
            let before = intake.taken();
            let base = Base {
                chain_id: self.config.chain_id,
                validators: &self.config.validators,
                slot: self.slot,
                tips: &self.tips,
            };
            // A piece of a slot whose first pieces were dropped here meanwhile is nobody's fault.
            if part.height == intake.height() && part.skip != before {
                self.intake = Some(intake);
                break;
            }
            let complete = intake.take(part, &base)?;
            progress |= complete || intake.taken() > before;
            if !complete {
                self.intake = Some(intake);
            } else if let Some(slot) = intake.finish() {
                self.decide(&slot.proposal);
                effects.push(Effect::Apply(Box::new(slot)));
            }
        }
        if progress {
            self.peers.praise(peer);
        } else {
            self.peers.strike(peer, now);
        }
        Ok(())
    }

    fn seals(
        &mut self,
        seals: Vec<SealedHeader>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), IntakeFault> {
        if seals.len() > usize::from(CATCHUP_SEALS_MAX) {
            return Err(IntakeFault::Lie("more seals than an answer may have"));
        }
        for sealed in seals {
            let height = sealed.header.height;
            if !self.unsealed.contains_key(&height) {
                continue;
            }
            sealed.verify(self.config.chain_id, &self.config.validators)?;
            // One over another header than ours is a matter for the alarm of `Seals`.
            self.unsealed.remove(&height);
            effects.push(Effect::ApplySeal { sealed: Box::new(sealed) });
        }
        Ok(())
    }

    fn bodies(
        &mut self,
        now: TimestampMs,
        peer: u64,
        bytes: &[u8],
        effects: &mut Vec<Effect>,
    ) -> Result<(), IntakeFault> {
        let frames = match answer_of::<BatchesAnswer>(bytes)? {
            BatchesAnswer::Busy { retry_ms } => {
                self.peers.rest(peer, now, retry_ms.into());
                return Ok(());
            }
            BatchesAnswer::Batches(frames) => frames,
        };
        if frames.is_empty() {
            // It may have pruned them; it goes to the end of the line.
            self.peers.strike(peer, now);
        }
        for frame in frames {
            let batch = Batch::from_frame(self.config.chain_id, frame.0)?;
            if self.bodies.have(&batch.digest()) {
                self.peers.praise(peer);
                effects.push(Effect::Body(Arc::new(batch)));
            }
        }
        Ok(())
    }

    /// Asks for all that can be asked now: one request for slots, one for seals, one for bodies a peer.
    pub(super) fn plan(&mut self, now: TimestampMs, effects: &mut Vec<Effect>) {
        for peer in self.peers.due(now) {
            self.ask(now, peer, Purpose::Status, &STATUS_QUESTION, effects);
        }
        self.retry_at = None;
        if self.halted {
            return;
        }
        if self.peers.highest_decided() > self.decided {
            self.behind_since = self.behind_since.or(Some(now));
            self.plan_slots(now, effects);
        } else {
            self.behind_since = None;
        }
        self.plan_seals(now, effects);
        self.plan_bodies(now, effects);
    }

    fn retry(&mut self, at: TimestampMs) {
        self.retry_at = Some(self.retry_at.map_or(at, |earlier| earlier.min(at)));
    }

    fn asking(&self, what: impl Fn(&Purpose) -> bool) -> bool {
        self.in_flight.values().any(|request| what(&request.purpose))
    }

    /// Whether execution keeps up with what was decided: bodies of decided slots wait in memory.
    fn has_room(&self) -> bool {
        self.decided < self.executed.plus(CATCHUP_AHEAD_SLOTS_MAX)
    }

    fn plan_slots(&mut self, now: TimestampMs, effects: &mut Vec<Effect>) {
        if self.asking(|purpose| matches!(purpose, Purpose::Slots)) || !self.has_room() {
            return;
        }
        let from = self.decided.next();
        let patient_until = self.behind_since.unwrap_or(now).plus(self.config.grace_ms);
        if self.peers.highest_decided() <= from && patient_until > now {
            self.retry(patient_until);
            return;
        }
        let has = |_, status: &Status| status.decided >= from && status.first_kept <= from;
        let Some(peer) = self.peers.choose(now, has) else {
            self.retry(now.plus(CATCHUP_RETRY_MS));
            return;
        };
        let here = self.intake.as_ref().filter(|intake| intake.height() == from);
        let skip = here.map_or(0, Intake::taken);
        let bytes_max = u32::try_from(CATCHUP_ANSWER_BYTES_MAX).unwrap_or(u32::MAX);
        let request = SlotsRequest::Slots { from, skip, bytes_max };
        self.ask(now, peer, Purpose::Slots, &request, effects);
    }

    fn plan_seals(&mut self, now: TimestampMs, effects: &mut Vec<Effect>) {
        let asking = self.asking(|purpose| matches!(purpose, Purpose::Seals(_)));
        if asking || self.unsealed.is_empty() || now < self.seals_rest_until {
            return;
        }
        let Some((from, _)) = self.unsealed.range(self.seal_cursor..).next() else {
            // The next round begins with a pause: who claims the seals may not have each of them.
            self.seal_cursor = Height::GENESIS;
            self.seals_rest_until = now.plus(self.config.poll_ms);
            return;
        };
        let from = *from;
        // A validator's newest heights are sealed by its own exchange.
        let ripe = if self.config.grace_ms == 0 { from } else { from.plus(2) };
        // A peer answers two questions at once, and seals come after slots and bodies.
        let in_flight = &self.in_flight;
        let asked = |peer| in_flight.values().filter(|other| other.peer == peer).count();
        let has = |peer, status: &Status| {
            asked(peer) < 2 && status.sealed >= ripe && status.first_kept <= from
        };
        let Some(peer) = self.peers.choose(now, has) else { return };
        let request = SlotsRequest::Seals { from, count: CATCHUP_SEALS_MAX };
        let end = from.plus(u64::from(CATCHUP_SEALS_MAX));
        self.ask(now, peer, Purpose::Seals(end), &request, effects);
    }

    fn plan_bodies(&mut self, now: TimestampMs, effects: &mut Vec<Effect>) {
        while self.bodies.is_open() {
            let busy: BTreeSet<u64> = self
                .in_flight
                .values()
                .filter(|request| matches!(request.purpose, Purpose::Bodies(_)))
                .map(|request| request.peer)
                .collect();
            let bodies = &self.bodies;
            let useful =
                |peer, _: &Status| !busy.contains(&peer) && !bodies.for_peer(peer).is_empty();
            let Some(peer) = self.peers.choose(now, useful) else {
                if busy.is_empty() {
                    self.bodies.try_all_again();
                }
                self.retry(now.plus(CATCHUP_RETRY_MS));
                break;
            };
            let digests = self.bodies.for_peer(peer);
            self.bodies.asked(&digests);
            let request = BatchesRequest { digests: digests.clone() };
            self.ask(now, peer, Purpose::Bodies(digests), &request, effects);
        }
    }
}
