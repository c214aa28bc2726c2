//! Messages between validators: borsh, one accepted form, bounded before decoding.
//!
//! Both streams speak one enum; the stream only sets the limit and keeps votes from waiting behind
//! bodies. Signatures are judged later, by the driver.

use crate::certificate::{PolkaCertificate, RoundCertificate};
use crate::error::FrameError;
use crate::limits::{PROPOSALS_FRAME_BYTES_MAX, VOTES_FRAME_BYTES_MAX};
use crate::reason::NilReason;
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use rota_types::codec::{decode, encode};
use rota_types::vote::{SignedProposal, SignedVote};
use rota_types::{CommitCertificate, Hash, Height, Round, SlotProposal};

/// The stream a frame travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageClass {
    /// Votes, and requests: small and urgent.
    Votes,
    /// Proposals with their bodies, certificates, decided slots.
    Proposals,
}

impl MessageClass {
    /// Most bytes of a frame of this class.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Votes => VOTES_FRAME_BYTES_MAX,
            Self::Proposals => PROPOSALS_FRAME_BYTES_MAX,
        }
    }
}

/// A message between validators.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Message {
    /// A vote, and why it is nil.
    Vote {
        /// The vote.
        vote: SignedVote,
        /// Reason of a nil prevote; unsigned.
        reason: Option<NilReason>,
    },
    /// A proposal, with the body it names when the sender holds it.
    Proposal {
        /// The proposer's message.
        proposal: SignedProposal,
        /// The value.
        body: Option<SlotProposal>,
    },
    /// A quorum of prevotes.
    Polka(PolkaCertificate),
    /// Votes that justify a round.
    Round(RoundCertificate),
    /// Asks for the proposal of this value in this round, with its body.
    GetProposal {
        /// Height of the value.
        height: Height,
        /// Round of the proposal.
        round: Round,
        /// Id of the value.
        value: Hash,
    },
    /// The end of a height, for a validator still working on it.
    Decided {
        /// Proof of the decision.
        certificate: CommitCertificate,
        /// What was decided.
        proposal: SlotProposal,
    },
}

impl Message {
    /// The height it belongs to.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Vote { vote, .. } => vote.vote.height,
            Self::Proposal { proposal, .. } => proposal.proposal.height,
            Self::Polka(certificate) => certificate.height,
            Self::Round(certificate) => certificate.height,
            Self::GetProposal { height, .. } => *height,
            Self::Decided { certificate, .. } => certificate.height,
        }
    }

    /// The stream it is sent on.
    #[must_use]
    pub const fn class(&self) -> MessageClass {
        match self {
            Self::Vote { .. } | Self::GetProposal { .. } => MessageClass::Votes,
            Self::Proposal { .. } | Self::Polka(_) | Self::Round(_) | Self::Decided { .. } => {
                MessageClass::Proposals
            }
        }
    }

    /// The frame.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        encode(self).into()
    }

    /// Decodes a frame and checks what its bytes alone show.
    ///
    /// # Errors
    /// [`FrameError`]: no honest validator sends such a frame.
    pub fn from_bytes(class: MessageClass, bytes: &[u8]) -> Result<Self, FrameError> {
        let message: Self = decode(bytes, class.bytes_max())?;
        match &message {
            Self::Vote { vote, reason } => {
                let nil_prevote =
                    vote.vote.value.is_none() && vote.vote.kind == rota_types::VoteKind::Prevote;
                if reason.is_some() && !nil_prevote {
                    return Err(FrameError::Rule { what: "a reason beside a vote for a value" });
                }
            }
            Self::Polka(certificate) => certificate.validate()?,
            Self::Round(certificate) => certificate.validate()?,
            Self::Proposal { .. } | Self::GetProposal { .. } | Self::Decided { .. } => {}
        }
        Ok(message)
    }
}
