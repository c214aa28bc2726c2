//! Frames from other validators: decoded, sorted by height, judged at the door, then given to the core.
//!
//! A signed proposal waits here for its body. A fresh one whose body names another round is dropped
//! here as a message: the core pairs proposals and values by id alone, so a second proposer could
//! otherwise smuggle an old value past its checks, or have it marked invalid.

use crate::context::{Ctx, core_proposal, core_vote, signed_vote};
use crate::driver::Driver;

use crate::driver::hand::Hand;
use crate::driver::seat::{DoorState, HeldProposal, Value};
use crate::error::Fatal;
use crate::limits::{EVIDENCE_PAIRS_MAX, FUTURE_ROUNDS_MAX};
use crate::reason::NilReason;
use crate::signatures::Verdict;
use crate::wire::{Message, MessageClass};
use arc_malachitebft_core_consensus::Input;
use arc_malachitebft_core_types as mt;
use mt::{Round as CoreRound, Threshold, VoteType};
use rota_types::vote::{SignedProposal, SignedVote};
use rota_types::{Gate, Hash, Round, SlotProposal, ValidatorKey, VoteKind};

impl Driver {
    /// A frame from an authenticated validator.
    pub(super) fn message(
        &mut self,
        from: ValidatorKey,
        class: MessageClass,
        bytes: &[u8],
        gate: &mut dyn Gate,
    ) {
        if from == self.desk.config.local {
            return;
        }
        let message = match Message::from_bytes(class, bytes) {
            Ok(message) => message,
            Err(_) => {
                self.desk.penalise(from, "undecodable consensus frame");
                return;
            }
        };
        let height = message.height();
        let Some(seat) = self.seat.as_ref() else {
            self.inbox.push(from, bytes.len(), message);
            return;
        };
        let decided = matches!(message, Message::Decided { .. });
        if height == seat.height && !seat.finished {
            if self.core.is_some() || decided {
                self.deliver(from, message, gate);
            } else {
                self.inbox.push(from, bytes.len(), message);
            }
        } else if height == seat.height.next() {
            self.inbox.push(from, bytes.len(), message);
        } else if height <= seat.height && !decided {
            self.help(from, height);
        }
    }

    /// A message of the current height.
    pub(super) fn deliver(&mut self, from: ValidatorKey, message: Message, gate: &mut dyn Gate) {
        if let Some(seat) = self.seat.as_mut() {
            seat.offence = None;
        }
        match message {
            Message::Vote { vote, reason } => self.on_vote(from, &vote, reason, gate),
            Message::Proposal { proposal, body } => self.on_proposal(from, proposal, body, gate),
            Message::Polka(certificate) => {
                self.run(Input::PolkaCertificate(certificate.to_core()), gate);
            }
            Message::Round(certificate) => {
                self.run(Input::RoundCertificate(certificate.to_core()), gate);
            }
            Message::GetProposal { round, value, .. } => self.answer(from, round, value),
            Message::Decided { certificate, proposal } => {
                if self.synced(certificate, proposal).is_err() {
                    self.desk.penalise(from, "decision that does not verify");
                }
            }
        }
        if let Some(offence) = self.seat.as_mut().and_then(|seat| seat.offence.take()) {
            self.desk.penalise(from, offence);
        }
        self.poll_evidence(gate);
        // Later messages of one batch must meet the values as they stand after this one.
        self.settle(gate);
    }

    fn on_vote(
        &mut self,
        from: ValidatorKey,
        signed: &SignedVote,
        reason: Option<NilReason>,
        gate: &mut dyn Gate,
    ) {
        let Some(seat) = self.seat.as_ref() else { return };
        if !seat.set.set().contains(&signed.vote.validator) {
            self.desk.penalise(from, "vote of no validator of the height");
            return;
        }
        let vote = core_vote(signed);
        self.run(Input::Vote(vote.clone()), gate);
        let nil_prevote = signed.vote.kind == VoteKind::Prevote && signed.vote.value.is_none();
        let kept = self.core.as_ref().is_some_and(|core| core.driver.votes().has_vote(&vote));
        if kept {
            self.count_other_parent(&signed.vote);
        }
        if nil_prevote && kept {
            // Only a voter's own connection may say why it voted.
            let reason = reason.filter(|_| from == signed.vote.validator);
            self.note_nil(signed.vote.round, signed.vote.validator, reason);
        }
    }

    /// Keeps a nil prevote's reason.
    pub(super) fn note_nil(
        &mut self,
        round: Round,
        validator: ValidatorKey,
        reason: Option<NilReason>,
    ) {
        let Some(seat) = self.seat.as_mut() else { return };
        let set = seat.set.set();
        let proposer = set.proposer(seat.height, round).key;
        if let Some(story) = self.desk.explain.round_mut(seat.height, round, proposer) {
            let known = story.nil.entry(validator).or_insert(reason);
            *known = known.or(reason);
        }
    }

    fn on_proposal(
        &mut self,
        from: ValidatorKey,
        signed: SignedProposal,
        body: Option<SlotProposal>,
        gate: &mut dyn Gate,
    ) {
        let key = (signed.proposal.round.0, signed.proposal.value);
        if !self.admit_proposal(from, &signed, gate) {
            return;
        }
        let chain_id = self.desk.config.chain_id;
        let Some(seat) = self.seat.as_mut() else { return };
        if let Some(body) = body.filter(|_| !seat.values.contains_key(&key.1)) {
            if body.id(chain_id) != key.1 || body.height != seat.height {
                self.desk.penalise(from, "body that is not the signed value");
                return;
            }
            seat.values.insert(key.1, Value::new(body));
        }
        self.feed_proposals(key.1, gate);
    }

    /// Judges the message itself. `true` if it is held now.
    fn admit_proposal(
        &mut self,
        from: ValidatorKey,
        signed: &SignedProposal,
        gate: &mut dyn Gate,
    ) -> bool {
        let proposal = &signed.proposal;
        let round = proposal.round.0;
        let current = self.position().0;
        let Some(seat) = self.seat.as_ref() else { return false };
        if round > current.saturating_add(FUTURE_ROUNDS_MAX) {
            return false;
        }
        let proposer = seat.set.set().proposer(seat.height, proposal.round).key;
        if proposal.validator != proposer {
            self.desk.penalise(from, "proposal out of turn");
            return false;
        }
        if proposal.pol_round.is_some_and(|pol| pol >= proposal.round) {
            self.desk.penalise(from, "proof-of-lock round not below the proposal's");
            return false;
        }
        let known = seat.proposals.get(&(round, proposal.value));
        if known.is_some_and(|held| held.signed.proposal == *proposal) {
            return true;
        }
        let certified = self.is_certified(round, &proposal.value);
        let Some(seat) = self.seat.as_mut() else { return false };
        let same = seat.proposals.get(&(round, proposal.value));
        let rival = same.or_else(|| seat.of_round(round).next()).map(|held| held.signed.clone());
        // One message per round and value; more values than two only if a quorum wants one.
        let surplus = same.is_some() || (seat.round_is_full(round) && !certified);
        if surplus && seat.reported.len() >= EVIDENCE_PAIRS_MAX {
            return false;
        }
        match seat.signatures.verify_proposal(signed) {
            Verdict::Good => {}
            Verdict::Bad => {
                self.desk.penalise(from, "bad signature");
                return false;
            }
            Verdict::Foreign => {
                let (height, round) = (proposal.height, proposal.round);
                seat.fatal = Some(Fatal::ForeignSignature { what: "proposal", height, round });
                return false;
            }
        }
        if let Some(rival) = rival {
            let mut hand = Hand { desk: &mut self.desk, seat, gate };
            hand.report_proposals(rival, signed.clone());
        }
        if surplus {
            return false;
        }
        let held = HeldProposal { signed: signed.clone(), state: DoorState::Waiting };
        seat.proposals.insert((round, proposal.value), held);
        let height = seat.height;
        if let Some(story) = self.desk.explain.round_mut(height, proposal.round, proposer) {
            story.proposed.get_or_insert(proposal.value);
        }
        true
    }

    /// Gives the core every held proposal of a value whose body is here.
    fn feed_proposals(&mut self, id: Hash, gate: &mut dyn Gate) {
        let Some(seat) = self.seat.as_mut() else { return };
        let Some(body_round) = seat.values.get(&id).map(|value| value.body.round) else { return };
        let mut ready = Vec::new();
        for ((_, value), held) in &mut seat.proposals {
            if *value != id || held.state != DoorState::Waiting {
                continue;
            }
            let proposal = &held.signed.proposal;
            if proposal.pol_round.is_none() && proposal.round != body_round {
                held.state = DoorState::Dropped;
                self.desk.penalise(proposal.validator, "value of another round proposed as fresh");
            } else {
                held.state = DoorState::Fed;
                ready.push(core_proposal(&held.signed));
            }
        }
        if !ready.is_empty() {
            self.log_body(&id);
        }
        for proposal in ready {
            self.run(Input::Proposal(proposal), gate);
        }
    }

    /// Whether more than two thirds voted for a value in a round.
    pub(super) fn is_certified(&self, round: u32, id: &Hash) -> bool {
        let Some(core) = self.core.as_ref() else { return false };
        let round = CoreRound::new(round);
        core.polka_certificate(round, id).is_some() || is_committed(core, round, id)
    }

    fn poll_evidence(&mut self, gate: &mut dyn Gate) {
        let (Some(core), Some(seat)) = (self.core.as_ref(), self.seat.as_mut()) else { return };
        let found = core.driver.votes().evidence();
        if found.is_empty() {
            return;
        }
        let pairs: Vec<_> = found
            .iter()
            .flat_map(|(_, pairs)| pairs.iter().map(|(a, b)| (signed_vote(a), signed_vote(b))))
            .collect();
        let mut hand = Hand { desk: &mut self.desk, seat, gate };
        for (first, second) in pairs {
            hand.report_votes(first, second);
        }
    }
}

/// Whether more than two thirds precommitted a value in a round.
pub(super) fn is_committed(
    core: &arc_malachitebft_core_consensus::State<Ctx>,
    round: CoreRound,
    id: &Hash,
) -> bool {
    core.driver.votes().is_threshold_met(&round, VoteType::Precommit, Threshold::Value(*id))
}
