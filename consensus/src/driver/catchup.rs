//! Decisions that others bring: verified, then taken without the core.

use crate::certificate::commit_votes;
use crate::driver::Driver;
use crate::driver::event::{Effect, SafetyAlarm};
use crate::driver::seat::{Judged, Value};
use crate::error::Fatal;
use crate::limits::DECIDED_ANSWER_MS_MIN;
use crate::signatures::Verdict;
use crate::wire::Message;
use rota_types::{CommitCertificate, Height, SlotProposal, ValidatorKey};

/// A decision that does not verify.
pub(super) struct BadDecision;

impl Driver {
    /// Takes a decision of the current height. One for another height is ignored.
    pub(super) fn synced(
        &mut self,
        certificate: CommitCertificate,
        proposal: SlotProposal,
    ) -> Result<(), BadDecision> {
        let chain_id = self.desk.config.chain_id;
        let Some(seat) = self.seat.as_mut() else { return Ok(()) };
        if seat.height != certificate.height || seat.decided.is_some() || seat.fatal.is_some() {
            return Ok(());
        }
        let set = seat.set.set();
        let keys = || certificate.signatures.iter().map(|(key, _)| key);
        let id = proposal.id(chain_id);
        let shaped = proposal.height == certificate.height
            && id == certificate.value
            && proposal.validate().is_ok()
            && set.check_signers(keys()).is_ok()
            && set.check_quorum(keys()).is_ok();
        if !shaped {
            return Err(BadDecision);
        }
        match seat.signatures.verify_votes(commit_votes(&certificate)) {
            Verdict::Good => {}
            Verdict::Bad => return Err(BadDecision),
            Verdict::Foreign => {
                seat.fatal = Some(Fatal::ForeignSignature {
                    what: "precommit in a commit certificate",
                    height: certificate.height,
                    round: certificate.round,
                });
                return Ok(());
            }
        }
        let value = seat.values.entry(id).or_insert_with(|| Value::new(proposal));
        if let Judged::Invalid(reason) = value.judged {
            if !value.alarmed {
                value.alarmed = true;
                let height = certificate.height;
                let alarm = SafetyAlarm::CommittedInvalid { height, value: id, reason };
                self.desk.push(Effect::Alarm(alarm));
            }
            return Ok(());
        }
        seat.decided = Some(certificate);
        Ok(())
    }

    /// Sends a validator that still works on `height` its decision, not more often than need be.
    pub(super) fn help(&mut self, validator: ValidatorKey, height: Height) {
        let Some((proposal, certificate)) = self.history.get(&height) else { return };
        let now = self.desk.now;
        if self.helped.get(&validator).is_some_and(|last| now < last.plus(DECIDED_ANSWER_MS_MIN)) {
            return;
        }
        let known = self.seat.as_ref().is_some_and(|seat| seat.set.set().contains(&validator));
        if !known {
            return;
        }
        self.helped.insert(validator, now);
        let message = Message::Decided {
            certificate: certificate.clone(),
            proposal: proposal.as_ref().clone(),
        };
        self.send(validator, &message);
    }

    pub(super) fn send(&mut self, to: ValidatorKey, message: &Message) {
        self.desk.push(Effect::Send { to, class: message.class(), bytes: message.to_bytes() });
    }
}
