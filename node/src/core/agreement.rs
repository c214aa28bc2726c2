//! The core's side of agreement: what the driver asks for and what it is told.

use super::{Core, Effect, FrameClass, Notice, Todo};
use crate::limits::{FETCH_RETRY_MS, PENDING_CHECKS_MAX};
use rota_consensus as consensus;
use rota_consensus::{Driver, MessageClass, NilReason};
use rota_sequencer::lanes as lane;
use rota_sequencer::slot::{Need, Objective, Parent, SlotFault};
use rota_types::{CutEntry, Genesis, Hash, Height, Round, SlotProposal, TimestampMs, ValidatorKey};
use std::sync::Arc;

/// A proposal that waits for certificates or headers.
pub(super) struct Pending {
    proposal: Arc<SlotProposal>,
    proposer: ValidatorKey,
    /// When the missing things were asked for last.
    pub(super) asked: TimestampMs,
    /// How often: decides whom to ask next.
    turns: usize,
}

/// `known_from`: below it our key signed in earlier lives what log and guard need not remember any more.
pub(super) fn driver(genesis: &Genesis, local: ValidatorKey, known_from: Height) -> Driver {
    Driver::new(consensus::Config {
        chain_id: genesis.chain_id,
        timing: genesis.timing(),
        local,
        own_signatures_known_from: known_from,
    })
}

const fn frame_class(class: MessageClass) -> FrameClass {
    match class {
        MessageClass::Votes => FrameClass::Votes,
        MessageClass::Proposals => FrameClass::Proposals,
    }
}

fn reason(fault: &SlotFault) -> NilReason {
    match fault {
        SlotFault::Malformed(_) | SlotFault::WrongHeight => NilReason::Malformed,
        SlotFault::WrongSlot { .. } => NilReason::WrongSlot,
        SlotFault::ParentMismatch { .. } => NilReason::ParentMismatch,
        SlotFault::BadCertificate { .. } | SlotFault::NotAdvancing { .. } => {
            NilReason::BadCertificate
        }
        SlotFault::Omitted { lane, seq } => NilReason::Omitted { lane: *lane, seq: *seq },
        SlotFault::OverLimit { .. } => NilReason::OverLimit,
        SlotFault::BadEvidence { .. } => NilReason::BadEvidence,
    }
}

impl Core {
    /// Tells the driver to work on the height after the newest decided one, with what log and guard remember of it:
    /// a ledger that lost its tail comes to a height that this key voted on before, and must not forget its lock.
    pub(super) fn start_height(&mut self) {
        self.pending.clear();
        let height = self.decided.next();
        let wal = self.wals.remove(&height).unwrap_or_default();
        let marks = self.vote_marks.remove(&height).unwrap_or_default();
        self.wals.retain(|kept, _| *kept > height);
        self.vote_marks.retain(|kept, _| *kept > height);
        let start = consensus::Start {
            height,
            validators: self.validators.clone(),
            parent_slot: self.decided_slot,
            wal,
            marks,
        };
        self.todo.push_back(Todo::Driver(consensus::Event::Start(start)));
    }

    pub(super) fn drive(&mut self, now: TimestampMs, event: consensus::Event) {
        let Some(driver) = self.driver.as_mut() else { return };
        for effect in driver.step(now, event, &mut self.gate) {
            self.on_driver_effect(now, effect);
        }
    }

    fn on_driver_effect(&mut self, now: TimestampMs, effect: consensus::Effect) {
        use consensus::Effect as E;
        match effect {
            E::Wal { height, entry } => self.durable.push(Effect::Wal { height, entry }),
            E::Broadcast { class, bytes } => {
                self.out.push(Effect::Broadcast { class: frame_class(class), bytes });
            }
            E::Send { to, class, bytes } => {
                self.out.push(Effect::Send { to, class: frame_class(class), bytes });
            }
            E::Build { height, round, slot, parent_header } => {
                self.build(now, height, round, slot, parent_header);
            }
            E::Check { id, proposal, proposer } => {
                if self.pending.len() >= PENDING_CHECKS_MAX {
                    self.drop_oldest_pending();
                }
                let asked = TimestampMs(0);
                self.pending.insert(id, Pending { proposal, proposer, asked, turns: 0 });
                self.todo.push_back(Todo::Recheck);
            }
            E::CheckTimely { id, round, proposal } => self.check_timely(now, id, round, &proposal),
            E::Decided { proposal, certificate } => {
                self.on_decided(Arc::unwrap_or_clone(proposal), certificate);
            }
            E::Evidence(evidence) => self.add_evidence(evidence),
            E::Penalise { validator, offence } => {
                self.out.push(Effect::Penalise { validator, offence: offence.to_owned() });
            }
            E::NilPrevote { height, round, reason } => {
                let reason = format!("{reason:?}");
                self.notice(Notice::NilVote { height, round, reason });
            }
            E::Refused { .. } => self.notice(Notice::GuardRefused),
            E::Abstaining { height } => self.notice(Notice::Halted {
                what: format!("the guard remembers votes of height {height} that the log does not: this node does not vote on it"),
            }),
            E::Alarm(alarm) => {
                self.notice(Notice::Alarm { what: format!("SAFETY ALARM: {alarm:?}") });
            }
            E::Fault { reason } => {
                self.notice(Notice::Alarm { what: format!("consensus core: {reason}") });
            }
            E::Fatal(fatal) => self.fatal(fatal.to_string()),
        }
    }

    /// Makes room by the proposal of the lowest round: nobody votes on it freshly any more.
    fn drop_oldest_pending(&mut self) {
        let oldest = self.pending.iter().min_by_key(|(_, pending)| pending.proposal.round);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.pending.remove(&id);
        }
    }

    fn build(
        &mut self,
        now: TimestampMs,
        height: Height,
        round: Round,
        slot: rota_types::Slot,
        parent_header: Hash,
    ) {
        let effects = self.lanes.verify_now(now, &mut self.gate);
        self.on_lane_effects(effects);
        let work = self.work();
        let Some(parent) =
            work.parent.filter(|parent| work.height == height && parent.header_id == parent_header)
        else {
            return;
        };
        let proposal = self.desk.build(height, round, slot, parent, &self.lanes, &self.evidence);
        self.todo.push_back(Todo::Driver(consensus::Event::Built { height, round, proposal }));
    }

    fn check_timely(&mut self, now: TimestampMs, id: Hash, round: Round, proposal: &SlotProposal) {
        let parent = Parent { header_id: self.header_id, order: &self.order };
        let verdict =
            self.desk.timely(proposal, now, parent, &self.lanes).map_err(|fault| reason(&fault));
        self.todo.push_back(Todo::Driver(consensus::Event::Timely { id, round, verdict }));
    }

    /// Judges waiting proposals again, and asks for what they lack.
    pub(super) fn recheck(&mut self, now: TimestampMs) {
        let mut settled = Vec::new();
        let mut wants = Vec::new();
        for (id, pending) in &self.pending {
            match self.desk.check(&pending.proposal, &self.work(), &self.lanes) {
                Objective::Valid => settled.push((*id, consensus::Objective::Valid)),
                Objective::Invalid(fault) => {
                    settled.push((*id, consensus::Objective::Invalid(reason(&fault))));
                }
                Objective::Wait(needs) if pending.asked.plus(FETCH_RETRY_MS) <= now => {
                    wants.push((*id, needs));
                }
                Objective::Wait(_) | Objective::ParentUnknown => {}
            }
        }
        for (id, verdict) in settled {
            self.pending.remove(&id);
            self.todo.push_back(Todo::Driver(consensus::Event::Objective { id, verdict }));
        }
        for (id, needs) in wants {
            self.ask_for(now, id, &needs);
        }
    }

    fn ask_for(&mut self, now: TimestampMs, id: Hash, needs: &[Need]) {
        let others: Vec<ValidatorKey> = self.others();
        let Some(pending) = self.pending.get_mut(&id) else { return };
        pending.asked = now;
        let turn = pending.turns;
        pending.turns = turn.saturating_add(1);
        let whom = match turn.checked_sub(1) {
            None => Some(pending.proposer),
            Some(turn) => others.get(turn.checked_rem(others.len()).unwrap_or(0)).copied(),
        };
        let Some(from) = whom.filter(|key| Some(*key) != self.gate.validator()) else { return };
        for need in needs {
            match *need {
                Need::Certificate { position, digest } => {
                    let entry = CutEntry { position, header_digest: digest };
                    self.todo.push_back(Todo::Lanes(lane::Event::Want { entry, from }));
                }
                Need::Header { digest, .. } => {
                    let bytes = lane::LaneMessage::HeaderRequest { digest }.to_bytes().into();
                    let class = FrameClass::Certificates;
                    self.out.push(Effect::Send { to: from, class, bytes });
                }
            }
        }
    }

    /// Validators other than this one.
    pub(super) fn others(&self) -> Vec<ValidatorKey> {
        let me = self.gate.validator();
        let keys = self.validators.as_slice().iter().map(|validator| validator.key);
        keys.filter(|key| Some(*key) != me).collect()
    }

    /// Proposers of the current and the next two rounds, without this node.
    pub(super) fn next_proposers(&self) -> Vec<ValidatorKey> {
        let height = self.decided.next();
        let round = self.driver.as_ref().map_or(Round(0), Driver::round);
        let me = self.gate.validator();
        let mut keys: Vec<_> = (0..3)
            .map(|ahead| self.validators.proposer(height, round.plus(ahead)).key)
            .filter(|key| Some(*key) != me)
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }
}
