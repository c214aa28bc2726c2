//! Entering a height, and beginning its round 0 when the clock and the execution allow.

use crate::context::{CoreHeight, CoreKey, CoreSet, Ctx};
use crate::driver::Driver;
use crate::driver::event::{Effect, Start};
use crate::driver::seat::Seat;
use crate::error::Fatal;
use crate::signatures::Signatures;
use arc_malachitebft_core_consensus as cc;
use arc_malachitebft_core_types as mt;
use cc::{Input, Params, State};
use mt::{ThresholdParams, ValuePayload, VoteExtensionPolicy};
use rota_types::{Gate, MarkPlace};
use std::collections::{BTreeMap, BTreeSet};

impl Driver {
    pub(super) fn start(&mut self, start: Start, gate: &mut dyn Gate) {
        let Start { height, validators, parent_slot, wal, marks } = start;
        if self.seat.as_ref().is_some_and(|seat| seat.height >= height) {
            return;
        }
        if validators.total().0 > u64::MAX / 3 {
            // The core multiplies weights by three in 64 bits.
            self.dead = true;
            self.desk.push(Effect::Fatal(Fatal::TooHeavy { height }));
            return;
        }
        let config = &self.desk.config;
        let own_known = height >= config.own_signatures_known_from;
        let digests = marks.iter().map(|mark| mark.digest);
        let signatures = Signatures::new(config.chain_id, config.local, own_known, digests);
        let votes_marked = marks
            .iter()
            .any(|mark| matches!(mark.place, MarkPlace::Vote { height: at, .. } if at == height));
        // Nothing is left of what led to votes that were cast: a lock may be among it.
        let abstaining = wal.is_empty() && votes_marked;
        self.core = None;
        self.helped.clear();
        self.seat = Some(Seat {
            height,
            set: CoreSet::new(validators),
            parent_slot,
            start_at: self.desk.pace.start_at(parent_slot).max(self.desk.now),
            marks,
            replaying: false,
            abstaining,
            signatures,
            timers: BTreeMap::new(),
            values: BTreeMap::new(),
            proposals: BTreeMap::new(),
            wish: None,
            asks: BTreeMap::new(),
            answers: BTreeMap::new(),
            derived: BTreeSet::new(),
            nil_hint: None,
            own_reason: None,
            offence: None,
            mismatched: BTreeSet::new(),
            mismatch_alarmed: false,
            reported: BTreeSet::new(),
            fatal: None,
            decided: None,
            finished: false,
            wake: None,
            pruned_below: 0,
        });
        if abstaining {
            self.desk.push(Effect::Abstaining { height });
        }
        if !wal.is_empty() {
            self.replay(&wal, gate);
            self.drain_inbox(gate);
        }
    }

    /// Begins round 0 at the later of the cut and the parent's decision, with the grandparent executed.
    pub(super) fn begin_if_due(&mut self, gate: &mut dyn Gate) {
        let Some(seat) = self.seat.as_ref() else { return };
        let waiting = self.core.is_none() && !seat.finished && seat.fatal.is_none();
        let due = seat.start_at <= self.desk.now && self.desk.grandparent_executed(seat.height);
        if waiting && seat.decided.is_none() && due {
            self.begin(gate);
            self.drain_inbox(gate);
        }
    }

    /// Makes the core and starts its height.
    pub(super) fn begin(&mut self, gate: &mut dyn Gate) {
        let Some(seat) = self.seat.as_ref() else { return };
        let (height, set) = (CoreHeight(seat.height), seat.set.clone());
        let params = Params::<Ctx> {
            address: CoreKey(self.desk.config.local),
            threshold_params: ThresholdParams::default(),
            value_payload: ValuePayload::ProposalAndParts,
            enabled: !seat.abstaining,
        };
        // The core's own queue for later heights stays empty: the inbox is ours, and bounded per sender.
        self.core = Some(State::new(Ctx, height, set.clone(), params, 1, 1));
        self.desk.explain.height_mut(height.0).began = Some(self.desk.now);
        // No target time: the core would read the clock; heights begin by ours.
        let policy = VoteExtensionPolicy::Disabled;
        self.run(Input::StartHeight(height, set, false, None, policy), gate);
    }

    fn drain_inbox(&mut self, gate: &mut dyn Gate) {
        let Some(height) = self.seat.as_ref().map(|seat| seat.height) else { return };
        for (from, message) in self.inbox.take(height) {
            self.deliver(from, message, gate);
        }
    }
}
