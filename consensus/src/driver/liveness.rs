//! What keeps validators together: repeats, what a reconnected one missed, requests for what we missed.

use crate::certificate::{PolkaCertificate, RoundCertificate};
use crate::context::signed_vote;
use crate::driver::Driver;
use crate::driver::event::Effect;
use crate::driver::seat::{Ask, DoorState};
use crate::limits::{ANSWERS_PER_HEIGHT_MAX, ASK_DELAY_MS, ASK_RETRY_MS, ASKS_MAX};
use crate::signatures::REFUSED;
use crate::wire::Message;
use arc_malachitebft_core_types as mt;
use mt::{NilOrVal, Vote as _, VoteType};
use rota_types::{Hash, Round, ValidatorKey};

impl Driver {
    /// Beside the core's own repeats: our proposal of this round with its body and polka.
    pub(super) fn republish(&mut self) {
        let (round, _) = self.position();
        let local = self.desk.config.local;
        for message in self.round_messages(round, Some(local)) {
            let (class, bytes) = (message.class(), message.to_bytes());
            self.desk.push(Effect::Broadcast { class, bytes });
        }
    }

    /// Proposals of a round that the core has, each after the polka it rests on.
    fn round_messages(&self, round: u32, by: Option<ValidatorKey>) -> Vec<Message> {
        let (Some(core), Some(seat)) = (self.core.as_ref(), self.seat.as_ref()) else {
            return Vec::new();
        };
        let mut messages = Vec::new();
        for held in seat.of_round(round).filter(|held| held.state == DoorState::Fed) {
            let proposal = &held.signed.proposal;
            if by.is_some_and(|by| by != proposal.validator) {
                continue;
            }
            let pol = proposal.pol_round.map(|pol| mt::Round::new(pol.0));
            if let Some(polka) = pol.and_then(|pol| core.polka_certificate(pol, &proposal.value)) {
                messages.push(Message::Polka(PolkaCertificate::from_core(polka)));
            }
            messages.push(seat.proposal_message(held.signed.clone()));
        }
        messages
    }

    /// A connection is up: everything of the current round that its validator may lack.
    pub(super) fn connected(&mut self, validator: ValidatorKey) {
        if validator == self.desk.config.local {
            return;
        }
        let (round, _) = self.position();
        let mut messages = self.round_messages(round, None);
        let (Some(core), Some(seat)) = (self.core.as_ref(), self.seat.as_ref()) else { return };
        let entered = core.round_certificate().filter(|c| c.enter_round == core.round());
        if let Some(entered) = entered {
            messages.push(Message::Round(RoundCertificate::from_core(&entered.certificate)));
        }
        let valid = core.driver.valid_value();
        if let Some(polka) = valid.and_then(|v| core.polka_certificate(v.round, &v.value.0)) {
            messages.push(Message::Polka(PolkaCertificate::from_core(polka)));
        }
        for vote in [&core.last_signed_prevote, &core.last_signed_precommit].into_iter().flatten() {
            if vote.signature != REFUSED {
                messages.push(seat.vote_message(&signed_vote(vote)));
            }
        }
        for message in messages {
            self.send(validator, &message);
        }
    }

    /// Answers a request for a proposal we hold.
    pub(super) fn answer(&mut self, to: ValidatorKey, round: Round, value: Hash) {
        let Some(seat) = self.seat.as_mut() else { return };
        let known = seat.set.set().contains(&to);
        let held = seat.proposals.get(&(round.0, value));
        let Some(signed) = held.filter(|held| held.state == DoorState::Fed).map(|h| &h.signed)
        else {
            return;
        };
        let answered = seat.answers.get(&to).copied().unwrap_or(0);
        if !known || answered >= ANSWERS_PER_HEIGHT_MAX {
            return;
        }
        let message = seat.proposal_message(signed.clone());
        seat.answers.insert(to, answered.saturating_add(1));
        self.send(to, &message);
    }

    /// Asks for proposals that a quorum voted for and that are not here.
    pub(super) fn ask_for_missing(&mut self) {
        let wanted = self.missing();
        let now = self.desk.now;
        let Some(seat) = self.seat.as_mut() else { return };
        seat.asks.retain(|key, _| wanted.contains(key));
        let mut due = Vec::new();
        for key in wanted.into_iter().take(ASKS_MAX) {
            let ask =
                seat.asks.entry(key).or_insert(Ask { next_at: now.plus(ASK_DELAY_MS), tries: 0 });
            if ask.next_at <= now {
                due.push((key, ask.tries));
                ask.tries = ask.tries.saturating_add(1);
                ask.next_at = now.plus(ASK_RETRY_MS);
            }
            let next_at = ask.next_at;
            seat.wake_at(next_at);
        }
        let height = seat.height;
        for ((round, value), tries) in due {
            let targets = self.holders(round, &value);
            let index = tries.checked_rem(targets.len()).unwrap_or(0);
            if let Some(to) = targets.get(index) {
                let request = Message::GetProposal { height, round: Round(round), value };
                self.send(*to, &request);
            }
        }
    }

    /// Values with a polka, or a proposal without a body.
    fn missing(&self) -> Vec<(u32, Hash)> {
        let (Some(core), Some(seat)) = (self.core.as_ref(), self.seat.as_ref()) else {
            return Vec::new();
        };
        if seat.decided.is_some() {
            return Vec::new();
        }
        let waiting = seat
            .proposals
            .iter()
            .filter(|((_, id), held)| {
                held.state == DoorState::Waiting && !seat.values.contains_key(id)
            })
            .map(|(key, _)| *key);
        let polkas = core
            .driver
            .polka_certificates()
            .iter()
            .map(|c| (c.round.as_u32().unwrap_or(0), c.value_id))
            .filter(|key| !seat.proposals.contains_key(key));
        let mut missing: Vec<_> = waiting.chain(polkas).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Who should have a proposal: its proposer, then whoever prevoted it.
    fn holders(&self, round: u32, value: &Hash) -> Vec<ValidatorKey> {
        let (Some(core), Some(seat)) = (self.core.as_ref(), self.seat.as_ref()) else {
            return Vec::new();
        };
        let local = self.desk.config.local;
        let mut holders = vec![seat.set.set().proposer(seat.height, Round(round)).key];
        if let Some(votes) = core.driver.votes().per_round(mt::Round::new(round)) {
            holders.extend(
                votes
                    .received_votes()
                    .iter()
                    .filter(|vote| {
                        vote.vote_type() == VoteType::Prevote
                            && vote.value() == &NilOrVal::Val(*value)
                    })
                    .map(|vote| vote.validator_address().0),
            );
        }
        holders.retain(|key| *key != local);
        let mut seen = std::collections::BTreeSet::new();
        holders.retain(|key| seen.insert(*key));
        holders
    }
}
