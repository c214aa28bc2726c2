//! Rota's types as Malachite's core wants them: thin wrappers, nothing is stored twice.

use arc_malachitebft_core_types as mt;
use mt::{NilOrVal, Round as CoreRound, SignedExtension, VoteType};
use rota_types::vote::{SignedProposal, SignedVote};
use rota_types::{
    Hash, Height, Proposal, Round, Signature, ValidatorKey, ValidatorSet, Vote, VoteKind,
};
use std::fmt;
use std::sync::Arc;

/// The core's context: proposer selection and constructors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ctx;

/// A height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CoreHeight(pub(crate) Height);

impl fmt::Display for CoreHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl mt::Height for CoreHeight {
    const ZERO: Self = Self(Height(0));
    const INITIAL: Self = Self(Height(1));
    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.plus(n))
    }
    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.0.checked_sub(n).map(|height| Self(Height(height)))
    }
    fn as_u64(&self) -> u64 {
        self.0.0
    }
}

/// A validator's address: its key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CoreKey(pub(crate) ValidatorKey);

impl fmt::Display for CoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for CoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl mt::Address for CoreKey {}

/// The signing scheme, by name only: signing passes the gate, verifying is `signatures.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scheme;

impl mt::SigningScheme for Scheme {
    type DecodingError = &'static str;
    type Signature = Signature;
    type PublicKey = ValidatorKey;
    type PrivateKey = ();
    fn decode_signature(bytes: &[u8]) -> Result<Signature, &'static str> {
        bytes.try_into().map(Signature).map_err(|_| "a signature has 64 bytes")
    }
    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }
    fn decode_public_key(bytes: &[u8]) -> Result<ValidatorKey, &'static str> {
        bytes.try_into().map(ValidatorKey).map_err(|_| "a key has 32 bytes")
    }
    fn encode_public_key(key: &ValidatorKey) -> Vec<u8> {
        key.0.to_vec()
    }
}

/// A value: the id of a slot proposal; bodies stay outside the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CoreValue(pub(crate) Hash);

impl mt::Value for CoreValue {
    type Id = Hash;
    fn id(&self) -> Hash {
        self.0
    }
}

/// A member of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreValidator {
    address: CoreKey,
    weight: u64,
}

impl mt::Validator<Ctx> for CoreValidator {
    fn address(&self) -> &CoreKey {
        &self.address
    }
    fn public_key(&self) -> &ValidatorKey {
        &self.address.0
    }
    fn voting_power(&self) -> u64 {
        self.weight
    }
}

/// A validator set; cheap to clone, which the core does often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreSet {
    set: Arc<ValidatorSet>,
    members: Arc<[CoreValidator]>,
}

impl CoreSet {
    /// Wraps a set.
    #[must_use]
    pub(crate) fn new(set: ValidatorSet) -> Self {
        let members = set
            .as_slice()
            .iter()
            .map(|v| CoreValidator { address: CoreKey(v.key), weight: v.weight.0 })
            .collect();
        Self { set: Arc::new(set), members }
    }

    /// The set inside.
    #[must_use]
    pub(crate) fn set(&self) -> &ValidatorSet {
        &self.set
    }
}

impl mt::ValidatorSet<Ctx> for CoreSet {
    fn count(&self) -> usize {
        self.members.len()
    }
    fn total_voting_power(&self) -> u64 {
        self.set.total().0
    }
    fn get_by_address(&self, address: &CoreKey) -> Option<&CoreValidator> {
        self.set.index_of(&address.0).and_then(|index| self.members.get(index))
    }
    fn get_by_index(&self, index: usize) -> Option<&CoreValidator> {
        self.members.get(index)
    }
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreVote {
    kind: VoteType,
    height: CoreHeight,
    round: CoreRound,
    value: NilOrVal<Hash>,
    validator: CoreKey,
}

impl CoreVote {
    /// As it is signed.
    #[must_use]
    pub(crate) fn to_vote(&self) -> Vote {
        Vote {
            kind: match self.kind {
                VoteType::Prevote => VoteKind::Prevote,
                VoteType::Precommit => VoteKind::Precommit,
            },
            height: self.height.0,
            round: round_of(self.round),
            value: match self.value {
                NilOrVal::Nil => None,
                NilOrVal::Val(id) => Some(id),
            },
            validator: self.validator.0,
        }
    }
}

impl mt::Vote<Ctx> for CoreVote {
    fn height(&self) -> CoreHeight {
        self.height
    }
    fn round(&self) -> CoreRound {
        self.round
    }
    fn value(&self) -> &NilOrVal<Hash> {
        &self.value
    }
    fn take_value(self) -> NilOrVal<Hash> {
        self.value
    }
    fn vote_type(&self) -> VoteType {
        self.kind
    }
    fn validator_address(&self) -> &CoreKey {
        &self.validator
    }
    // Vote extensions are not used: there is nothing to hold.
    fn extension(&self) -> Option<&SignedExtension<Ctx>> {
        None
    }
    fn take_extension(&mut self) -> Option<SignedExtension<Ctx>> {
        None
    }
    fn extend(self, _: SignedExtension<Ctx>) -> Self {
        self
    }
}

/// A proposal message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreProposal {
    height: CoreHeight,
    round: CoreRound,
    value: CoreValue,
    pol_round: CoreRound,
    validator: CoreKey,
}

impl CoreProposal {
    /// As it is signed.
    #[must_use]
    pub(crate) fn to_proposal(&self) -> Proposal {
        Proposal {
            height: self.height.0,
            round: round_of(self.round),
            value: self.value.0,
            pol_round: self.pol_round.as_u32().map(Round),
            validator: self.validator.0,
        }
    }
}

impl mt::Proposal<Ctx> for CoreProposal {
    fn height(&self) -> CoreHeight {
        self.height
    }
    fn round(&self) -> CoreRound {
        self.round
    }
    fn value(&self) -> &CoreValue {
        &self.value
    }
    fn take_value(self) -> CoreValue {
        self.value
    }
    fn pol_round(&self) -> CoreRound {
        self.pol_round
    }
    fn validator_address(&self) -> &CoreKey {
        &self.validator
    }
}

/// The core's parts of a proposal; ours travel whole, so there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoPart;

impl mt::ProposalPart<Ctx> for NoPart {
    fn is_first(&self) -> bool {
        true
    }
    fn is_last(&self) -> bool {
        true
    }
}

impl mt::Context for Ctx {
    type Address = CoreKey;
    type Height = CoreHeight;
    type ProposalPart = NoPart;
    type Proposal = CoreProposal;
    type Validator = CoreValidator;
    type ValidatorSet = CoreSet;
    type Timeouts = mt::LinearTimeouts;
    type Value = CoreValue;
    type Vote = CoreVote;
    type Extension = ();
    type SigningScheme = Scheme;

    fn select_proposer<'a>(
        &self,
        set: &'a CoreSet,
        height: CoreHeight,
        round: CoreRound,
    ) -> &'a CoreValidator {
        let key = set.set.proposer(height.0, round_of(round)).key;
        set.set
            .index_of(&key)
            .and_then(|index| set.members.get(index))
            .expect("the proposer is taken from this very set")
    }
    fn new_proposal(
        &self,
        height: CoreHeight,
        round: CoreRound,
        value: CoreValue,
        pol_round: CoreRound,
        validator: CoreKey,
    ) -> CoreProposal {
        CoreProposal { height, round, value, pol_round, validator }
    }
    fn new_prevote(
        &self,
        height: CoreHeight,
        round: CoreRound,
        value: NilOrVal<Hash>,
        validator: CoreKey,
    ) -> CoreVote {
        CoreVote { kind: VoteType::Prevote, height, round, value, validator }
    }
    fn new_precommit(
        &self,
        height: CoreHeight,
        round: CoreRound,
        value: NilOrVal<Hash>,
        validator: CoreKey,
    ) -> CoreVote {
        CoreVote { kind: VoteType::Precommit, height, round, value, validator }
    }
}

/// A core round as ours; the core's "no round" exists only before a height begins and never in a message.
#[must_use]
pub(crate) fn round_of(round: CoreRound) -> Round {
    Round(round.as_u32().unwrap_or(0))
}

/// A vote for the core.
#[must_use]
pub(crate) fn core_vote(signed: &SignedVote) -> mt::SignedVote<Ctx> {
    let vote = &signed.vote;
    mt::SignedMessage::new(
        CoreVote {
            kind: match vote.kind {
                VoteKind::Prevote => VoteType::Prevote,
                VoteKind::Precommit => VoteType::Precommit,
            },
            height: CoreHeight(vote.height),
            round: CoreRound::new(vote.round.0),
            value: vote.value.map_or(NilOrVal::Nil, NilOrVal::Val),
            validator: CoreKey(vote.validator),
        },
        signed.signature,
    )
}

/// A vote from the core.
#[must_use]
pub(crate) fn signed_vote(signed: &mt::SignedVote<Ctx>) -> SignedVote {
    SignedVote { vote: signed.message.to_vote(), signature: signed.signature }
}

/// A proposal for the core.
#[must_use]
pub(crate) fn core_proposal(signed: &SignedProposal) -> mt::SignedProposal<Ctx> {
    let proposal = &signed.proposal;
    mt::SignedMessage::new(
        CoreProposal {
            height: CoreHeight(proposal.height),
            round: CoreRound::new(proposal.round.0),
            value: CoreValue(proposal.value),
            pol_round: proposal.pol_round.map_or(CoreRound::Nil, |round| CoreRound::new(round.0)),
            validator: CoreKey(proposal.validator),
        },
        signed.signature,
    )
}

/// A proposal from the core.
#[must_use]
pub(crate) fn signed_proposal(signed: &mt::SignedProposal<Ctx>) -> SignedProposal {
    SignedProposal { proposal: signed.message.to_proposal(), signature: signed.signature }
}
