//! Entries of the write-ahead log: what the core was fed, and the bodies its values stand for.
//!
//! A body's entry comes before the first entry that names it, so that a replay never knows a value
//! whose body is lost. Only what guards our votes is logged; round certificates dissolve into votes.

use crate::certificate::PolkaCertificate;
use crate::context::{
    CoreHeight, CoreKey, CoreValue, Ctx, core_proposal, core_vote, round_of, signed_proposal,
    signed_vote,
};
use crate::error::FrameError;
use crate::limits::WAL_ENTRY_BYTES_MAX;
use arc_malachitebft_core_consensus::{Input, ProposedValue};
use arc_malachitebft_core_types as mt;
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use mt::{Round as CoreRound, Timeout, TimeoutKind, Validity, ValueOrigin};
use rota_types::codec::{decode, encode};
use rota_types::vote::{SignedProposal, SignedVote};
use rota_types::{Hash, Height, Round, SlotProposal, ValidatorKey};

/// A step's timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum StepTimeout {
    /// No proposal in time.
    Propose,
    /// No quorum of prevotes for one thing in time.
    Prevote,
    /// No quorum of precommits for one thing in time.
    Precommit,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum WalEntry {
    /// A body that later entries name by its id.
    Body(SlotProposal),
    /// A vote, ours or another's.
    Vote(SignedVote),
    /// A proposal, ours or another's.
    Proposal(SignedProposal),
    /// A value with the validity the core was given.
    Value {
        /// Its height.
        height: Height,
        /// Round of the proposal it was given with.
        round: Round,
        /// Round of that proposal's polka.
        valid_round: Option<Round>,
        /// Proposer of that round.
        proposer: ValidatorKey,
        /// The value's id.
        value: Hash,
        /// Valid or not.
        valid: bool,
    },
    /// A timeout of a step.
    Timeout {
        /// Which.
        step: StepTimeout,
        /// In which round.
        round: Round,
    },
    /// A quorum of prevotes that came as one message.
    Polka(PolkaCertificate),
}

impl WalEntry {
    /// The entry's bytes; framing and checksums are the log's.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        encode(self).into()
    }

    /// Decodes an entry.
    ///
    /// # Errors
    /// [`FrameError`]: this program did not write it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrameError> {
        Ok(decode(bytes, WAL_ENTRY_BYTES_MAX)?)
    }

    /// The entry of a core input, `None` for what is not logged.
    #[must_use]
    pub(crate) fn from_input(input: &Input<Ctx>) -> Option<Self> {
        match input {
            Input::Vote(vote) => Some(Self::Vote(signed_vote(vote))),
            Input::Proposal(proposal) => Some(Self::Proposal(signed_proposal(proposal))),
            Input::ProposedValue(value, _) => Some(Self::Value {
                height: value.height.0,
                round: round_of(value.round),
                valid_round: value.valid_round.as_u32().map(Round),
                proposer: value.proposer.0,
                value: value.value.0,
                valid: value.validity.is_valid(),
            }),
            Input::TimeoutElapsed(timeout) => {
                let step = match timeout.kind {
                    TimeoutKind::Propose => StepTimeout::Propose,
                    TimeoutKind::Prevote => StepTimeout::Prevote,
                    TimeoutKind::Precommit => StepTimeout::Precommit,
                    TimeoutKind::Rebroadcast | TimeoutKind::FinalizeHeight(_) => return None,
                };
                Some(Self::Timeout { step, round: round_of(timeout.round) })
            }
            Input::PolkaCertificate(certificate) => {
                Some(Self::Polka(PolkaCertificate::from_core(certificate)))
            }
            Input::StartHeight(..)
            | Input::RoundCertificate(_)
            | Input::Propose(_)
            | Input::SyncValueResponse(_) => None,
        }
    }

    /// The core input of an entry; a body is none.
    #[must_use]
    pub(crate) fn to_input(&self) -> Option<Input<Ctx>> {
        match self {
            Self::Body(_) => None,
            Self::Vote(vote) => Some(Input::Vote(core_vote(vote))),
            Self::Proposal(proposal) => Some(Input::Proposal(core_proposal(proposal))),
            Self::Value { height, round, valid_round, proposer, value, valid } => {
                Some(Input::ProposedValue(
                    ProposedValue {
                        height: CoreHeight(*height),
                        round: CoreRound::new(round.0),
                        valid_round: valid_round
                            .map_or(CoreRound::Nil, |round| CoreRound::new(round.0)),
                        proposer: CoreKey(*proposer),
                        value: CoreValue(*value),
                        validity: Validity::from_bool(*valid),
                    },
                    ValueOrigin::Consensus,
                ))
            }
            Self::Timeout { step, round } => {
                let kind = match step {
                    StepTimeout::Propose => TimeoutKind::Propose,
                    StepTimeout::Prevote => TimeoutKind::Prevote,
                    StepTimeout::Precommit => TimeoutKind::Precommit,
                };
                Some(Input::TimeoutElapsed(Timeout::new(CoreRound::new(round.0), kind)))
            }
            Self::Polka(certificate) => Some(Input::PolkaCertificate(certificate.to_core())),
        }
    }
}
