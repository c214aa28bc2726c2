//! Votes on their way: what the driver may have without seeing a quorum that the specification's validator does not.

use crate::trace::Vote;

/// Of four validators of weight 1.
const QUORUM: usize = 3;

/// Votes of one kind in one round that the trace handed to a validator.
#[derive(Default)]
pub(crate) struct Inbox {
    /// Of others; whether the driver has it.
    pub(crate) votes: Vec<(Vote, bool)>,
    /// The trace handed the validator its own.
    pub(crate) own: bool,
}

impl Inbox {
    fn count(&self, has: impl Fn(&Vote, bool) -> bool) -> usize {
        self.votes.iter().filter(|(vote, given)| has(vote, *given)).count()
    }

    /// The next vote that may be handed over. The driver counts its own vote at once, the specification's validator
    /// when the trace says so: until then a vote waits that would make a quorum only together with it.
    pub(crate) fn next(&mut self, said: Option<&Option<String>>) -> Option<Vote> {
        let (all, given) = (self.votes.len(), self.count(|_, given| given));
        let makes_none = |vote: &Vote| {
            let Some(own) = said.filter(|_| !self.own) else { return true };
            let alike = |other: &Vote| other.value_id == vote.value_id;
            let like_own = usize::from(own.as_deref() == vote.value_id.name());
            let any = given + 2 < QUORUM || all >= QUORUM;
            let same = self.count(|other, given| given && alike(other)) + 1 + like_own < QUORUM
                || self.count(|other, _| alike(other)) >= QUORUM;
            any && same
        };
        let at = self.votes.iter().position(|(vote, given)| !given && makes_none(vote))?;
        self.votes[at].1 = true;
        Some(self.votes[at].0.clone())
    }
}
