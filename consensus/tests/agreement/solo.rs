//! One driver, the other validators played by the test.

use crate::gate::MemoryGate;
use crate::net::CHAIN;
use rota_consensus::{Config, Driver, Effect, Event, Message, MessageClass, NilReason, Start};
use rota_types::bls::SealKey;
use rota_types::genesis::Timing;
use rota_types::vote::SignedProposal;
use rota_types::{
    Ed25519Signer, Hash, Height, Proposal, Round, Signer as _, Slot, SlotProposal, TimestampMs,
    Validator, ValidatorSet, Vote, VoteKind, Weight,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) struct Solo {
    pub(crate) now: u64,
    pub(crate) driver: Driver,
    pub(crate) gate: MemoryGate,
    pub(crate) signers: Vec<Arc<Ed25519Signer>>,
    pub(crate) set: ValidatorSet,
    pub(crate) timing: Timing,
    pub(crate) local: usize,
    pub(crate) height: Height,
    pub(crate) effects: Vec<Effect>,
}

impl Solo {
    /// A driver at `height`, its parent in slot `height − 1`, about to begin at the cut. It is the
    /// proposer of round 3 only.
    pub(crate) fn new(height: u64, slot_ms: u64) -> Self {
        let mut signers: Vec<_> =
            (0..4).map(|i| Arc::new(Ed25519Signer::from_seed(&[i + 1; 32]))).collect();
        signers.sort_by_key(|signer| signer.public_key());
        let validators = signers.iter().map(|signer| Validator {
            key: signer.public_key(),
            seal_key: SealKey([0; 96]),
            weight: Weight(1),
        });
        let set = ValidatorSet::new(validators.collect()).unwrap();
        let last = set.proposer(Height(height), Round(3)).key;
        let local = set.index_of(&last).unwrap();
        let timing = Timing { genesis_time: TimestampMs(1_000_000), slot_ms };
        let config = Config {
            chain_id: CHAIN,
            timing,
            local: signers[local].public_key(),
            own_signatures_known_from: Height(0),
        };
        let gate = MemoryGate {
            signer: Arc::clone(&signers[local]),
            vote_from: Height(0),
            durable: BTreeMap::new(),
            pending: Vec::new(),
        };
        let mut solo = Self {
            now: timing.cut(Slot(height)).0 - 100,
            driver: Driver::new(config),
            gate,
            signers,
            set,
            timing,
            local,
            height: Height(height),
            effects: Vec::new(),
        };
        let validators = solo.set.clone();
        if height == 2 {
            // The grandparent is executed, the parent is not.
            solo.step(Event::Executed { height: Height(0), header_id: Hash::ZERO });
        }
        let start = Start {
            height: Height(height),
            validators,
            parent_slot: Slot(height - 1),
            wal: Vec::new(),
            marks: Vec::new(),
        };
        solo.step(Event::Start(start));
        solo
    }

    pub(crate) fn step(&mut self, event: Event) -> Vec<Effect> {
        let effects = self.driver.step(TimestampMs(self.now), event, &mut self.gate);
        self.effects.extend(effects.clone());
        effects
    }

    /// Lets time pass, ticking at every deadline on the way.
    pub(crate) fn pass(&mut self, ms: u64) -> Vec<Effect> {
        let end = self.now + ms;
        let mut effects = Vec::new();
        while let Some(at) = self.driver.deadline().filter(|at| at.0 <= end) {
            assert!(at.0 >= self.now || effects.len() < 1_000, "a deadline that never passes");
            self.now = self.now.max(at.0);
            effects.extend(self.step(Event::Tick));
        }
        self.now = end;
        effects
    }

    pub(crate) fn proposer(&self, round: u32) -> usize {
        self.set.index_of(&self.set.proposer(self.height, Round(round)).key).unwrap()
    }

    pub(crate) fn body(&self, round: u32, slot: u64) -> SlotProposal {
        SlotProposal {
            height: self.height,
            round: Round(round),
            slot: Slot(slot),
            parent_header: Hash::ZERO,
            cut: Vec::new(),
            evidence: Vec::new(),
        }
    }

    pub(crate) fn sign_proposal(
        &self,
        round: u32,
        value: Hash,
        pol: Option<u32>,
    ) -> SignedProposal {
        let signer = &self.signers[self.proposer(round)];
        Proposal {
            height: self.height,
            round: Round(round),
            value,
            pol_round: pol.map(Round),
            validator: signer.public_key(),
        }
        .sign(CHAIN, signer.as_ref())
    }

    pub(crate) fn hand(&mut self, from: usize, message: &Message) -> Vec<Effect> {
        let from = self.signers[from].public_key();
        let (class, bytes) = (message.class(), message.to_bytes());
        self.step(Event::Message { from, class, bytes })
    }

    /// The round's proposer proposes `body`.
    pub(crate) fn propose(
        &mut self,
        round: u32,
        body: &SlotProposal,
        pol: Option<u32>,
    ) -> Vec<Effect> {
        let proposal = self.sign_proposal(round, body.id(CHAIN), pol);
        let from = self.proposer(round);
        self.hand(from, &Message::Proposal { proposal, body: Some(body.clone()) })
    }

    /// Everybody else votes.
    pub(crate) fn others_vote(
        &mut self,
        kind: VoteKind,
        round: u32,
        value: Option<Hash>,
        reason: Option<NilReason>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for i in (0..4).filter(|i| *i != self.local).collect::<Vec<_>>() {
            let vote = Vote {
                kind,
                height: self.height,
                round: Round(round),
                value,
                validator: self.signers[i].public_key(),
            };
            let vote = vote.sign(CHAIN, self.signers[i].as_ref());
            effects.extend(self.hand(i, &Message::Vote { vote, reason }));
        }
        effects
    }

    /// The others precommit nil, and the wait for more passes: the next round.
    pub(crate) fn fail_round(&mut self, round: u32) {
        self.others_vote(VoteKind::Prevote, round, None, None);
        self.others_vote(VoteKind::Precommit, round, None, None);
        while self.driver.round() == Round(round) {
            self.pass(10);
        }
    }

    /// Our votes of a kind and round among everything sent so far.
    pub(crate) fn voted(&self, kind: VoteKind, round: u32) -> Option<Option<Hash>> {
        let local = self.signers[self.local].public_key();
        let mut votes: Vec<_> = self
            .sent()
            .filter_map(|message| match message {
                Message::Vote { vote, .. } => Some(vote.vote),
                _ => None,
            })
            .filter(|v| v.validator == local && v.kind == kind && v.round == Round(round))
            .map(|v| v.value)
            .collect();
        votes.dedup();
        assert!(votes.len() <= 1, "voted twice in round {round}: {votes:?}");
        votes.first().copied()
    }

    pub(crate) fn sent(&self) -> impl Iterator<Item = Message> + '_ {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Broadcast { class, bytes } | Effect::Send { class, bytes, .. } => {
                Some(Message::from_bytes(*class, bytes).unwrap())
            }
            _ => None,
        })
    }

    pub(crate) fn reasons(&self) -> Vec<NilReason> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::NilPrevote { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn penalised(&self) -> Vec<(usize, &'static str)> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Penalise { validator, offence } => {
                    Some((self.set.index_of(validator).unwrap(), *offence))
                }
                _ => None,
            })
            .collect()
    }

    pub(crate) fn raw(&mut self, from: usize, class: MessageClass, bytes: Vec<u8>) -> Vec<Effect> {
        let from = self.signers[from].public_key();
        self.step(Event::Message { from, class, bytes: bytes.into() })
    }
}
