//! Polka and round certificates: quorums of votes that travel as one message and are verified at once.

use crate::context::{CoreHeight, CoreKey, Ctx};
use crate::error::FrameError;
use arc_malachitebft_core_types as mt;
use borsh::{BorshDeserialize, BorshSerialize};
use mt::{NilOrVal, Round as CoreRound, RoundCertificateType, VoteType};
use rota_types::limits::VALIDATORS_MAX;
use rota_types::vote::SignedVote;
use rota_types::{
    CommitCertificate, Hash, Height, Round, Signature, TypesError, ValidatorKey, ValidatorSet,
    Vote, VoteKind, Weight,
};

/// Prevotes of more than two thirds of weight for one value in one round.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PolkaCertificate {
    /// Height voted on.
    pub height: Height,
    /// Round of the prevotes.
    pub round: Round,
    /// Value they are for.
    pub value: Hash,
    /// Prevote signatures by strictly ascending key.
    pub signatures: Vec<(ValidatorKey, Signature)>,
}

/// What a round certificate justifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum RoundCertificateKind {
    /// Votes of more than a third: enter their round.
    Skip,
    /// Precommits of more than two thirds: enter the round after theirs.
    Precommit,
}

/// One vote of a round certificate.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RoundVote {
    /// Who voted.
    pub validator: ValidatorKey,
    /// Which vote.
    pub kind: VoteKind,
    /// For what.
    pub value: Option<Hash>,
    /// By the voter.
    pub signature: Signature,
}

/// Votes that justify entering a round.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RoundCertificate {
    /// Height voted on.
    pub height: Height,
    /// Round of the votes.
    pub round: Round,
    /// What it justifies.
    pub kind: RoundCertificateKind,
    /// One vote a validator, by strictly ascending key.
    pub votes: Vec<RoundVote>,
}

fn ascending<'a>(keys: impl Iterator<Item = &'a ValidatorKey>) -> Result<(), FrameError> {
    let mut last: Option<&ValidatorKey> = None;
    let mut count = 0usize;
    for key in keys {
        if last.is_some_and(|last| last >= key) {
            return Err(FrameError::Rule { what: "signers of a certificate are not ascending" });
        }
        last = Some(key);
        count = count.saturating_add(1);
    }
    if count == 0 || count > VALIDATORS_MAX {
        return Err(FrameError::Rule { what: "a certificate has 1 to 128 signers" });
    }
    Ok(())
}

/// Quorum and membership of a certificate's signers, before any signature is looked at.
fn check_weight<'a>(
    set: &ValidatorSet,
    signers: impl Iterator<Item = &'a ValidatorKey> + Clone,
    kind: RoundCertificateKind,
) -> Result<(), TypesError> {
    set.check_signers(signers.clone())?;
    match kind {
        RoundCertificateKind::Precommit => set.check_quorum(signers),
        RoundCertificateKind::Skip => {
            let signed = Weight(signers.map(|key| set.weight(key).0).sum());
            if set.is_more_than_third(signed) {
                Ok(())
            } else {
                Err(TypesError::NoQuorum { signed, total: set.total() })
            }
        }
    }
}

impl PolkaCertificate {
    /// What the bytes alone show: order and number of signers.
    ///
    /// # Errors
    /// The rule broken.
    pub fn validate(&self) -> Result<(), FrameError> {
        ascending(self.signatures.iter().map(|(key, _)| key))
    }

    /// Members and weight.
    ///
    /// # Errors
    /// As [`ValidatorSet::check_signers`] and [`ValidatorSet::check_quorum`].
    pub fn check_quorum(&self, set: &ValidatorSet) -> Result<(), TypesError> {
        let keys = self.signatures.iter().map(|(key, _)| key);
        check_weight(set, keys, RoundCertificateKind::Precommit)
    }

    /// The prevotes it is made of.
    pub fn votes(&self) -> impl Iterator<Item = SignedVote> + '_ {
        self.signatures.iter().map(|(validator, signature)| SignedVote {
            vote: Vote {
                kind: VoteKind::Prevote,
                height: self.height,
                round: self.round,
                value: Some(self.value),
                validator: *validator,
            },
            signature: *signature,
        })
    }

    /// For the core.
    #[must_use]
    pub(crate) fn to_core(&self) -> mt::PolkaCertificate<Ctx> {
        mt::PolkaCertificate {
            height: CoreHeight(self.height),
            round: CoreRound::new(self.round.0),
            value_id: self.value,
            polka_signatures: self
                .signatures
                .iter()
                .map(|(key, signature)| mt::PolkaSignature::new(CoreKey(*key), *signature))
                .collect(),
        }
    }

    /// From the core, put in order.
    #[must_use]
    pub(crate) fn from_core(core: &mt::PolkaCertificate<Ctx>) -> Self {
        let mut signatures: Vec<_> =
            core.polka_signatures.iter().map(|s| (s.address.0, s.signature)).collect();
        signatures.sort_unstable_by_key(|(key, _)| *key);
        signatures.dedup_by_key(|(key, _)| *key);
        Self {
            height: core.height.0,
            round: crate::context::round_of(core.round),
            value: core.value_id,
            signatures,
        }
    }
}

impl RoundCertificate {
    /// What the bytes alone show: order and number of signers, kinds of votes.
    ///
    /// # Errors
    /// The rule broken.
    pub fn validate(&self) -> Result<(), FrameError> {
        ascending(self.votes.iter().map(|vote| &vote.validator))?;
        let precommits = self.votes.iter().all(|vote| vote.kind == VoteKind::Precommit);
        if self.kind == RoundCertificateKind::Precommit && !precommits {
            return Err(FrameError::Rule { what: "a prevote in a certificate of precommits" });
        }
        Ok(())
    }

    /// Members and weight.
    ///
    /// # Errors
    /// As [`ValidatorSet::check_signers`] and [`ValidatorSet::check_quorum`].
    pub fn check_quorum(&self, set: &ValidatorSet) -> Result<(), TypesError> {
        check_weight(set, self.votes.iter().map(|vote| &vote.validator), self.kind)
    }

    /// The votes it is made of.
    pub fn signed_votes(&self) -> impl Iterator<Item = SignedVote> + '_ {
        self.votes.iter().map(|vote| SignedVote {
            vote: Vote {
                kind: vote.kind,
                height: self.height,
                round: self.round,
                value: vote.value,
                validator: vote.validator,
            },
            signature: vote.signature,
        })
    }

    /// For the core.
    #[must_use]
    pub(crate) fn to_core(&self) -> mt::RoundCertificate<Ctx> {
        mt::RoundCertificate {
            height: CoreHeight(self.height),
            round: CoreRound::new(self.round.0),
            cert_type: match self.kind {
                RoundCertificateKind::Skip => RoundCertificateType::Skip,
                RoundCertificateKind::Precommit => RoundCertificateType::Precommit,
            },
            round_signatures: self
                .votes
                .iter()
                .map(|vote| {
                    mt::RoundSignature::new(
                        match vote.kind {
                            VoteKind::Prevote => VoteType::Prevote,
                            VoteKind::Precommit => VoteType::Precommit,
                        },
                        vote.value.map_or(NilOrVal::Nil, NilOrVal::Val),
                        CoreKey(vote.validator),
                        vote.signature,
                    )
                })
                .collect(),
        }
    }

    /// From the core, put in order.
    #[must_use]
    pub(crate) fn from_core(core: &mt::RoundCertificate<Ctx>) -> Self {
        let mut votes: Vec<_> = core
            .round_signatures
            .iter()
            .map(|s| RoundVote {
                validator: s.address.0,
                kind: match s.vote_type {
                    VoteType::Prevote => VoteKind::Prevote,
                    VoteType::Precommit => VoteKind::Precommit,
                },
                value: match s.value_id {
                    NilOrVal::Nil => None,
                    NilOrVal::Val(id) => Some(id),
                },
                signature: s.signature,
            })
            .collect();
        votes.sort_unstable_by_key(|vote| vote.validator);
        votes.dedup_by_key(|vote| vote.validator);
        Self {
            height: core.height.0,
            round: crate::context::round_of(core.round),
            kind: match core.cert_type {
                RoundCertificateType::Skip => RoundCertificateKind::Skip,
                RoundCertificateType::Precommit => RoundCertificateKind::Precommit,
            },
            votes,
        }
    }
}

/// A commit certificate from the core, put in order.
#[must_use]
pub(crate) fn commit_from_core(core: &mt::CommitCertificate<Ctx>) -> CommitCertificate {
    let mut signatures: Vec<_> =
        core.commit_signatures.iter().map(|s| (s.address.0, s.signature)).collect();
    signatures.sort_unstable_by_key(|(key, _)| *key);
    signatures.dedup_by_key(|(key, _)| *key);
    CommitCertificate {
        height: core.height.0,
        round: crate::context::round_of(core.round),
        value: core.value_id,
        signatures,
    }
}

/// The precommits a commit certificate is made of.
pub(crate) fn commit_votes(
    certificate: &CommitCertificate,
) -> impl Iterator<Item = SignedVote> + '_ {
    certificate.signatures.iter().map(|(validator, signature)| SignedVote {
        vote: Vote {
            kind: VoteKind::Precommit,
            height: certificate.height,
            round: certificate.round,
            value: Some(certificate.value),
            validator: *validator,
        },
        signature: *signature,
    })
}
