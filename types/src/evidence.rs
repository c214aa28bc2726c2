//! Proofs that a validator signed two things of which it may sign only one.

use crate::ack::Ack;
use crate::batch::SignedBatchHeader;
use crate::error::TypesError;
use crate::keys::ValidatorKey;
use crate::vote::{SignedProposal, SignedVote};
use borsh::{BorshDeserialize, BorshSerialize};

/// An equivocation, self-contained and checkable by anyone.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Evidence {
    /// Two batch headers at one place of a lane; it closes the lane.
    DoubleBatch(Box<(SignedBatchHeader, SignedBatchHeader)>),
    /// Two votes of one kind at one height and round.
    DoubleVote(Box<(SignedVote, SignedVote)>),
    /// Two proposals at one height and round.
    DoubleProposal(Box<(SignedProposal, SignedProposal)>),
    /// Two acknowledgements at one place of a lane.
    DoubleAck(Box<(Ack, Ack)>),
}

impl Evidence {
    /// Who is guilty.
    #[must_use]
    pub const fn culprit(&self) -> ValidatorKey {
        match self {
            Self::DoubleBatch(pair) => pair.0.header.position.lane,
            Self::DoubleVote(pair) => pair.0.vote.validator,
            Self::DoubleProposal(pair) => pair.0.proposal.validator,
            Self::DoubleAck(pair) => pair.0.validator,
        }
    }

    /// Verifies that the pair conflicts and that both were signed by the culprit. The pair is ordered
    /// (first < second by encoding), so that one fault has one encoding.
    ///
    /// # Errors
    /// [`TypesError::Rule`] or [`TypesError::BadSignature`].
    pub fn verify(&self, chain_id: u64) -> Result<(), TypesError> {
        let rule = |rule: &str| TypesError::Rule { rule: rule.into() };
        match self {
            Self::DoubleBatch(pair) => {
                let (a, b) = (&pair.0, &pair.1);
                if a.header.position != b.header.position
                    || a.header.digest(chain_id) >= b.header.digest(chain_id)
                {
                    return Err(rule("the two batch headers do not conflict in order"));
                }
                a.verify(chain_id)?;
                b.verify(chain_id)
            }
            Self::DoubleVote(pair) => {
                let (a, b) = (&pair.0.vote, &pair.1.vote);
                let same = (a.kind, a.height, a.round, a.validator)
                    == (b.kind, b.height, b.round, b.validator);
                if !same || a.value >= b.value {
                    return Err(rule("the two votes do not conflict in order"));
                }
                pair.0.verify(chain_id)?;
                pair.1.verify(chain_id)
            }
            Self::DoubleProposal(pair) => {
                let (a, b) = (&pair.0.proposal, &pair.1.proposal);
                let same = (a.height, a.round, a.validator) == (b.height, b.round, b.validator);
                if !same || (a.value, a.pol_round) >= (b.value, b.pol_round) {
                    return Err(rule("the two proposals do not conflict in order"));
                }
                pair.0.verify(chain_id)?;
                pair.1.verify(chain_id)
            }
            Self::DoubleAck(pair) => {
                let (a, b) = (&pair.0, &pair.1);
                let same = (a.position, a.validator) == (b.position, b.validator);
                if !same || a.header_digest >= b.header_digest {
                    return Err(rule("the two acknowledgements do not conflict in order"));
                }
                a.verify(chain_id)?;
                b.verify(chain_id)
            }
        }
    }
}
