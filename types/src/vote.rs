//! Consensus messages that validators sign: proposals, prevotes, precommits.

use crate::codec::encode;
use crate::error::TypesError;
use crate::hash::Hash;
use crate::ids::{Height, Round};
use crate::keys::{Signature, Signer, ValidatorKey};
use crate::tags::Tag;
use borsh::{BorshDeserialize, BorshSerialize};

/// Which of the two votes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum VoteKind {
    /// First vote of a round.
    Prevote,
    /// Second vote of a round; more than two thirds for one value decide it.
    Precommit,
}

/// A vote. What is signed: the kind's tag over everything but the signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Vote {
    /// Prevote or precommit.
    pub kind: VoteKind,
    /// Height voted on.
    pub height: Height,
    /// Round voted in.
    pub round: Round,
    /// Id of the slot proposal, or `None` for nil.
    pub value: Option<Hash>,
    /// Who votes.
    pub validator: ValidatorKey,
}

impl Vote {
    /// What the voter signs.
    #[must_use]
    pub fn signing_digest(&self, chain_id: u64) -> Hash {
        let tag = match self.kind {
            VoteKind::Prevote => Tag::Prevote,
            VoteKind::Precommit => Tag::Precommit,
        };
        tag.digest(chain_id, &encode(self))
    }

    /// Signs the vote.
    #[must_use]
    pub fn sign(self, chain_id: u64, signer: &dyn Signer) -> SignedVote {
        let signature = signer.sign(&self.signing_digest(chain_id));
        SignedVote { vote: self, signature }
    }
}

/// A vote with its signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedVote {
    /// The vote.
    pub vote: Vote,
    /// By `vote.validator`.
    pub signature: Signature,
}

impl SignedVote {
    /// Verifies the signature.
    ///
    /// # Errors
    /// [`TypesError::BadSignature`].
    pub fn verify(&self, chain_id: u64) -> Result<(), TypesError> {
        self.vote.validator.verify(&self.vote.signing_digest(chain_id), &self.signature, "vote")
    }
}

/// The proposer's message of a round: names the value by id; its body is a [`crate::SlotProposal`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// Height proposed for.
    pub height: Height,
    /// Round proposed in.
    pub round: Round,
    /// Id of the slot proposal.
    pub value: Hash,
    /// Round of the polka a re-proposal carries, `None` for a fresh proposal.
    pub pol_round: Option<Round>,
    /// Who proposes.
    pub validator: ValidatorKey,
}

impl Proposal {
    /// What the proposer signs.
    #[must_use]
    pub fn signing_digest(&self, chain_id: u64) -> Hash {
        Tag::Proposal.digest(chain_id, &encode(self))
    }

    /// Signs the proposal.
    #[must_use]
    pub fn sign(self, chain_id: u64, signer: &dyn Signer) -> SignedProposal {
        let signature = signer.sign(&self.signing_digest(chain_id));
        SignedProposal { proposal: self, signature }
    }
}

/// A proposal message with its signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedProposal {
    /// The proposal.
    pub proposal: Proposal,
    /// By `proposal.validator`.
    pub signature: Signature,
}

impl SignedProposal {
    /// Verifies the signature.
    ///
    /// # Errors
    /// [`TypesError::BadSignature`].
    pub fn verify(&self, chain_id: u64) -> Result<(), TypesError> {
        self.proposal.validator.verify(
            &self.proposal.signing_digest(chain_id),
            &self.signature,
            "proposal",
        )
    }
}
