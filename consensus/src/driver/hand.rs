//! Answers each effect of the core. Nothing here can fail: a refusal is an answer too.

use crate::certificate::{PolkaCertificate, RoundCertificate, commit_from_core, commit_votes};
use crate::context::{Ctx, round_of, signed_proposal, signed_vote};
use crate::driver::event::Effect;
use crate::driver::seat::{Desk, DoorState, HeldProposal, Seat, TimerKind, Wish};
use crate::error::Fatal;
use crate::evidence;
use crate::limits::EVIDENCE_PAIRS_MAX;
use crate::signatures::{REFUSED, Verdict};
use crate::wal::WalEntry;
use crate::wire::Message;
use arc_malachitebft_core_consensus as cc;
use arc_malachitebft_core_types as mt;
use cc::{ConsensusMsg, LivenessMsg, MisbehaviorEvidence, Resumable as _, SignedConsensusMsg};
use mt::{CertificateError, Timeout, TimeoutKind};
use rota_types::vote::{SignedProposal, SignedVote};
use rota_types::{Gate, Hash, Mark, MarkPlace, Signature, VoteKind};

/// What the handler may touch while the core runs.
pub(crate) struct Hand<'a> {
    pub(crate) desk: &'a mut Desk,
    pub(crate) seat: &'a mut Seat,
    pub(crate) gate: &'a mut dyn Gate,
}

/// A certificate that does not verify; the core only distinguishes good from bad.
const BAD_CERTIFICATE: CertificateError<Ctx> = CertificateError::VerificationError(None);

impl Hand<'_> {
    /// One effect, one answer.
    pub(crate) fn handle(&mut self, effect: cc::Effect<Ctx>) -> cc::Resume<Ctx> {
        use cc::Effect as E;
        match effect {
            E::SignVote(vote, r) => {
                let signature = self.sign_vote(&vote.to_vote());
                r.resume_with(mt::SignedMessage::new(vote, signature))
            }
            E::SignProposal(proposal, r) => {
                let signature = self.sign_proposal(&proposal.to_proposal());
                r.resume_with(mt::SignedMessage::new(proposal, signature))
            }
            E::VerifySignature(message, _, r) => r.resume_with(self.verify(&message)),
            E::VerifyCommitCertificate(certificate, _, _, r) => {
                self.verify_commit(&certificate);
                r.resume_with(Ok(()))
            }
            E::VerifyPolkaCertificate(certificate, _, _, r) => {
                let good = self.verify_polka(&PolkaCertificate::from_core(&certificate));
                r.resume_with(if good { Ok(()) } else { Err(BAD_CERTIFICATE) })
            }
            E::VerifyRoundCertificate(certificate, _, _, r) => {
                let good = self.verify_round(&RoundCertificate::from_core(&certificate));
                r.resume_with(if good { Ok(()) } else { Err(BAD_CERTIFICATE) })
            }
            E::WalAppend(_, input, r) => {
                self.log(&input);
                r.resume_with(())
            }
            E::Decide(certificate, _, r) => {
                self.seat.decided = Some(commit_from_core(&certificate));
                r.resume_with(())
            }
            E::Finalize(_, _, evidence, r) => {
                self.take_evidence(&evidence);
                r.resume_with(())
            }
            E::GetValue(_, round, _, r) => {
                self.seat.wish = Some(Wish::Wanted { round: round_of(round).0 });
                r.resume_with(())
            }
            E::ExtendVote(_, _, _, _, r) => r.resume_with(None),
            E::VerifyVoteExtension(_, _, _, _, _, _, r) => r.resume_with(Ok(())),
            // Catch-up decides outside the core, so that these never come.
            E::VerifyExtendedCommitCertificate(_, _, _, _, r) => {
                r.resume_with(Err(BAD_CERTIFICATE))
            }
            E::CertVerifiedSyncValue(_, _, r) | E::CertRejectedSyncValue(_, _, _, r) => {
                r.resume_with(())
            }
            other => self.handle_flow(other),
        }
    }

    /// Effects of timing and publishing.
    fn handle_flow(&mut self, effect: cc::Effect<Ctx>) -> cc::Resume<Ctx> {
        use cc::Effect as E;
        match effect {
            E::CancelAllTimeouts(r) => {
                self.seat.timers.clear();
                r.resume_with(())
            }
            E::CancelTimeout(timeout, r) => {
                if let Some(kind) = timer_kind(timeout) {
                    self.seat.timers.remove(&(kind, round_of(timeout.round).0));
                }
                r.resume_with(())
            }
            E::ScheduleTimeout(timeout, r) => {
                self.schedule(timeout);
                r.resume_with(())
            }
            E::StartRound(_, round, proposer, _, r) => {
                self.seat.wish = None;
                let (height, now) = (self.seat.height, self.desk.now);
                let story = self.desk.explain.round_mut(height, round_of(round), proposer.0);
                if let Some(story) = story {
                    story.entered = Some(now);
                }
                r.resume_with(())
            }
            E::PublishConsensusMsg(message, r) => {
                match message {
                    SignedConsensusMsg::Vote(vote) => self.publish_vote(&signed_vote(&vote)),
                    SignedConsensusMsg::Proposal(proposal) => {
                        self.publish_proposal(signed_proposal(&proposal));
                    }
                }
                r.resume_with(())
            }
            E::PublishLivenessMsg(message, r) => {
                match message {
                    LivenessMsg::Vote(vote) => self.publish_vote(&signed_vote(&vote)),
                    LivenessMsg::PolkaCertificate(certificate) => {
                        let certificate = PolkaCertificate::from_core(&certificate);
                        self.broadcast(&Message::Polka(certificate));
                    }
                    LivenessMsg::SkipRoundCertificate(certificate) => {
                        let certificate = RoundCertificate::from_core(&certificate);
                        self.broadcast(&Message::Round(certificate));
                    }
                }
                r.resume_with(())
            }
            E::RepublishVote(vote, r) => {
                self.publish_vote(&signed_vote(&vote));
                r.resume_with(())
            }
            E::RepublishRoundCertificate(certificate, r) => {
                let certificate = RoundCertificate::from_core(&certificate);
                self.broadcast(&Message::Round(certificate));
                r.resume_with(())
            }
            // The proposal that follows carries the body.
            E::RestreamProposal(_, _, _, _, _, r) => r.resume_with(()),
            // Everything else is answered by `handle`.
            _ => cc::Resume::Continue,
        }
    }

    fn schedule(&mut self, timeout: Timeout) {
        let Some(kind) = timer_kind(timeout) else { return };
        let round = round_of(timeout.round).0;
        let wait = match kind {
            TimerKind::Propose => self.desk.pace.propose_ms(round),
            TimerKind::Prevote | TimerKind::Precommit => self.desk.pace.vote_ms(round),
            TimerKind::Republish => self.desk.pace.republish_ms(),
        };
        self.seat.timers.insert((kind, round), self.desk.now.plus(wait));
    }

    fn log(&mut self, input: &cc::Input<Ctx>) {
        if self.seat.replaying {
            return;
        }
        if let Some(entry) = WalEntry::from_input(input) {
            let height = self.seat.height;
            self.desk.push(Effect::Wal { height, entry: entry.to_bytes() });
        }
    }

    fn sign(&mut self, mark: Mark) -> Signature {
        match self.gate.sign(mark) {
            Some(signature) => {
                self.seat.signatures.signed(mark.digest, signature);
                self.seat.derived.insert(mark.digest);
                signature
            }
            None => {
                self.desk.push(Effect::Refused { place: mark.place });
                REFUSED
            }
        }
    }

    fn sign_vote(&mut self, vote: &rota_types::Vote) -> Signature {
        let (height, round, kind) = (vote.height, vote.round, vote.kind);
        let signature = self.sign(Mark {
            place: MarkPlace::Vote { height, round, kind },
            digest: vote.signing_digest(self.desk.config.chain_id),
        });
        if kind == VoteKind::Prevote && vote.value.is_none() && signature != REFUSED {
            let reason = self.seat.nil_reason(round.0);
            self.seat.own_reason = Some((round.0, reason));
            self.desk.push(Effect::NilPrevote { height, round, reason });
        }
        signature
    }

    fn sign_proposal(&mut self, proposal: &rota_types::Proposal) -> Signature {
        let (height, round) = (proposal.height, proposal.round);
        let signature = self.sign(Mark {
            place: MarkPlace::Proposal { height, round },
            digest: proposal.signing_digest(self.desk.config.chain_id),
        });
        if signature != REFUSED {
            let signed = SignedProposal { proposal: proposal.clone(), signature };
            let held = HeldProposal { signed, state: DoorState::Fed };
            self.seat.proposals.insert((round.0, proposal.value), held);
            let story = self.desk.explain.round_mut(height, round, proposal.validator);
            if let Some(story) = story {
                story.proposed.get_or_insert(proposal.value);
            }
        }
        signature
    }

    fn verify(&mut self, message: &mt::SignedMessage<Ctx, ConsensusMsg<Ctx>>) -> bool {
        let (verdict, what, height, round) = match &message.message {
            ConsensusMsg::Vote(vote) => {
                let vote = SignedVote { vote: vote.to_vote(), signature: message.signature };
                let verdict = self.seat.signatures.verify_vote(&vote);
                (verdict, "vote", vote.vote.height, vote.vote.round)
            }
            ConsensusMsg::Proposal(proposal) => {
                let proposal = proposal.to_proposal();
                let signed = SignedProposal { proposal, signature: message.signature };
                let verdict = self.seat.signatures.verify_proposal(&signed);
                (verdict, "proposal", signed.proposal.height, signed.proposal.round)
            }
        };
        match verdict {
            Verdict::Good => true,
            Verdict::Bad => {
                // Our own refused signature is nobody's crime.
                if message.signature != REFUSED {
                    self.seat.offence = Some("bad signature");
                }
                false
            }
            Verdict::Foreign => {
                self.seat.fatal = Some(Fatal::ForeignSignature { what, height, round });
                false
            }
        }
    }

    /// Its precommits were verified one by one when they came, so this costs look-ups only.
    fn verify_commit(&mut self, certificate: &mt::CommitCertificate<Ctx>) {
        let certificate = commit_from_core(certificate);
        let height = certificate.height;
        let keys = certificate.signatures.iter().map(|(key, _)| key);
        let weight = self.seat.set.set().check_quorum(keys);
        let verdict = self.seat.signatures.verify_votes(commit_votes(&certificate));
        let error = match (weight, verdict) {
            (Err(error), _) => error,
            (Ok(()), Verdict::Good) => return,
            (Ok(()), _) => rota_types::TypesError::BadSignature { what: "commit certificate" },
        };
        self.seat.fatal = Some(Fatal::BadCertificate { height, error });
    }

    fn verify_polka(&mut self, certificate: &PolkaCertificate) -> bool {
        let weight = certificate.check_quorum(self.seat.set.set());
        let (height, round) = (certificate.height, certificate.round);
        self.verify_certificate(weight.is_ok(), certificate.votes(), height, round)
    }

    fn verify_round(&mut self, certificate: &RoundCertificate) -> bool {
        let weight = certificate.check_quorum(self.seat.set.set());
        let (height, round) = (certificate.height, certificate.round);
        self.verify_certificate(weight.is_ok(), certificate.signed_votes(), height, round)
    }

    fn verify_certificate(
        &mut self,
        weighty: bool,
        votes: impl Iterator<Item = SignedVote>,
        height: rota_types::Height,
        round: rota_types::Round,
    ) -> bool {
        if !weighty {
            self.seat.offence = Some("certificate without a quorum");
            return false;
        }
        match self.seat.signatures.verify_votes(votes) {
            Verdict::Good => true,
            Verdict::Bad => {
                self.seat.offence = Some("certificate with a bad signature");
                false
            }
            Verdict::Foreign => {
                let what = "vote in a certificate";
                self.seat.fatal = Some(Fatal::ForeignSignature { what, height, round });
                false
            }
        }
    }

    fn broadcast(&mut self, message: &Message) {
        self.desk.push(Effect::Broadcast { class: message.class(), bytes: message.to_bytes() });
    }

    fn publish_vote(&mut self, vote: &SignedVote) {
        if vote.signature == REFUSED {
            return;
        }
        let message = self.seat.vote_message(vote);
        self.broadcast(&message);
    }

    fn publish_proposal(&mut self, proposal: SignedProposal) {
        if proposal.signature == REFUSED {
            return;
        }
        let message = self.seat.proposal_message(proposal);
        self.broadcast(&message);
    }

    fn take_evidence(&mut self, evidence: &MisbehaviorEvidence<Ctx>) {
        for (_, pairs) in evidence.votes.iter() {
            for (first, second) in pairs {
                self.report_votes(signed_vote(first), signed_vote(second));
            }
        }
        for (_, pairs) in evidence.proposals.iter() {
            for (first, second) in pairs {
                self.report_proposals(signed_proposal(first), signed_proposal(second));
            }
        }
    }

    /// Reports a pair of votes once.
    pub(crate) fn report_votes(&mut self, first: SignedVote, second: SignedVote) {
        let chain_id = self.desk.config.chain_id;
        let (a, b) = (first.vote.signing_digest(chain_id), second.vote.signing_digest(chain_id));
        if !self.seat.is_news(a, b) {
            return;
        }
        if let Ok(evidence) = evidence::double_vote(chain_id, first, second) {
            self.desk.push(Effect::Evidence(evidence));
        }
    }

    /// Reports a pair of proposals once.
    pub(crate) fn report_proposals(&mut self, first: SignedProposal, second: SignedProposal) {
        let chain_id = self.desk.config.chain_id;
        let a = first.proposal.signing_digest(chain_id);
        let b = second.proposal.signing_digest(chain_id);
        if !self.seat.is_news(a, b) {
            return;
        }
        if let Ok(evidence) = evidence::double_proposal(chain_id, first, second) {
            self.desk.push(Effect::Evidence(evidence));
        }
    }
}

impl Seat {
    /// Whether this pair is to be reported; remembers it.
    fn is_news(&mut self, a: Hash, b: Hash) -> bool {
        self.reported.len() < EVIDENCE_PAIRS_MAX && self.reported.insert((a.min(b), a.max(b)))
    }

    /// Our vote as it is sent: with its reason when it is our newest nil prevote.
    pub(crate) fn vote_message(&self, vote: &SignedVote) -> Message {
        let nil_prevote = vote.vote.kind == VoteKind::Prevote && vote.vote.value.is_none();
        let reason = self
            .own_reason
            .filter(|(round, _)| nil_prevote && *round == vote.vote.round.0)
            .map(|(_, reason)| reason);
        Message::Vote { vote: vote.clone(), reason }
    }

    /// A proposal with its body, if it is here.
    pub(crate) fn proposal_message(&self, proposal: SignedProposal) -> Message {
        let body = self.values.get(&proposal.proposal.value).map(|v| v.body.as_ref().clone());
        Message::Proposal { proposal, body }
    }
}

/// The timers that we run; the core's finalization period is not used.
fn timer_kind(timeout: Timeout) -> Option<TimerKind> {
    match timeout.kind {
        TimeoutKind::Propose => Some(TimerKind::Propose),
        TimeoutKind::Prevote => Some(TimerKind::Prevote),
        TimeoutKind::Precommit => Some(TimerKind::Precommit),
        TimeoutKind::Rebroadcast => Some(TimerKind::Republish),
        TimeoutKind::FinalizeHeight(_) => None,
    }
}
