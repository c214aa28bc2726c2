//! Drivers in the places of a trace's correct validators.

use crate::gate::MemoryGate;
use crate::inbox::Inbox;
use crate::trace::{Input, Output, Proposal, Step, Timeout, Vote, VoteType};
use rota_consensus::certificate::PolkaCertificate;
use rota_consensus::{
    Config, Driver, Effect, Event, Message, NilReason, Objective, Start, Step as OurStep,
};
use rota_types::bls::SealKey;
use rota_types::genesis::Timing;
use rota_types::{
    CommitCertificate, Ed25519Signer, Hash, Height, Round, Signature, Signer as _, Slot,
    SlotProposal, TimestampMs, Validator, ValidatorKey, ValidatorSet, VoteKind, Weight,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const CHAIN: u64 = 77;
const HEIGHT: Height = Height(1);
/// Long enough that every round of a trace is in one slot's window.
const SLOT_MS: u64 = 60_000;
/// The value of the traces that no correct validator takes.
const INVALID: &str = "invalid";

/// Something said: in it values go by their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Proposal { round: u32, value: String, pol: Option<u32> },
    Vote { kind: VoteKind, round: u32, value: Option<String> },
    Decided { round: u32, value: String },
}

struct Node {
    now: u64,
    driver: Driver,
    gate: MemoryGate,
    wanted: Option<(Round, Slot, Hash)>,
    said: BTreeSet<Said>,
    boxes: BTreeMap<(VoteKind, u32), Inbox>,
}

/// A trace being played.
pub(crate) struct Play {
    set: ValidatorSet,
    timing: Timing,
    /// Signers by the names of the trace.
    signers: BTreeMap<String, Arc<Ed25519Signer>>,
    bodies: BTreeMap<String, SlotProposal>,
    nodes: BTreeMap<String, Node>,
    /// What the specification's validators said so far, and in the whole trace.
    so_far: BTreeMap<String, BTreeSet<Said>>,
    in_all: BTreeMap<String, BTreeSet<Said>>,
}

fn round(round: i64) -> u32 {
    u32::try_from(round).unwrap()
}

fn said(output: &Output) -> Option<Said> {
    match output {
        Output::ProposalOutput(p) => Some(Said::Proposal {
            round: round(p.round),
            value: p.proposal.clone(),
            pol: u32::try_from(p.valid_round).ok(),
        }),
        Output::VoteOutput(v) => Some(Said::Vote {
            kind: kind(v.vote_type),
            round: round(v.round),
            value: v.value_id.name().map(ToOwned::to_owned),
        }),
        Output::DecidedOutput((at, value)) => {
            Some(Said::Decided { round: round(*at), value: value.clone() })
        }
        Output::NoConsensusOutput
        | Output::ErrorOutput(_)
        | Output::TimeoutOutput(_)
        | Output::GetValueAndScheduleTimeoutOutput(_) => None,
    }
}

const fn kind(vote_type: VoteType) -> VoteKind {
    match vote_type {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

/// The round of each value's first proposal: its fresh one, else the one it is proposed again from.
fn first_rounds(steps: &[Step]) -> BTreeMap<String, u32> {
    let mut fresh = BTreeMap::new();
    let mut again = BTreeMap::new();
    for step in steps {
        match &step.history.input {
            Input::ProposalDInput(p) if p.valid_round < 0 => {
                let known = fresh.insert(p.proposal.clone(), round(p.round));
                assert!(known.is_none_or(|known| known == round(p.round)), "fresh in two rounds");
            }
            Input::ProposalDInput(p) => {
                again.insert(p.proposal.clone(), round(p.valid_round));
            }
            _ => {}
        }
    }
    again.extend(fresh);
    again
}

/// A body for every value of the trace.
fn bodies(steps: &[Step]) -> BTreeMap<String, SlotProposal> {
    first_rounds(steps)
        .into_iter()
        .zip(1u8..)
        .map(|((name, first), salt)| {
            // Values differ by their cut; what is in it is the checks' matter, and they are the test's.
            let position = rota_types::LanePosition {
                lane: ValidatorKey([salt; 32]),
                incarnation: rota_types::Incarnation(0),
                seq: rota_types::Seq(1),
            };
            let entry = rota_types::CutEntry { position, header_digest: Hash([salt; 32]) };
            let body = SlotProposal {
                height: HEIGHT,
                round: Round(first),
                slot: Slot(1),
                parent_header: Hash::ZERO,
                cut: vec![entry],
                evidence: Vec::new(),
            };
            (name, body)
        })
        .collect()
}

impl Play {
    /// Drivers for the correct validators. The specification's proposer of round r is v(r + 2 mod 4), so our keys are
    /// handed out in the order in which our rotation takes them.
    pub(crate) fn new(steps: &[Step]) -> Self {
        let all: Vec<_> =
            (0..4u8).map(|i| Arc::new(Ed25519Signer::from_seed(&[i + 1; 32]))).collect();
        let mut validators: Vec<_> = all
            .iter()
            .map(|signer| Validator {
                key: signer.public_key(),
                seal_key: SealKey([0; 96]),
                weight: Weight(1),
            })
            .collect();
        validators.sort_by_key(|validator| validator.key);
        let set = ValidatorSet::new(validators).unwrap();
        let signer_of = |key: ValidatorKey| {
            Arc::clone(all.iter().find(|signer| signer.public_key() == key).unwrap())
        };
        let signers: BTreeMap<String, _> = (0..4u32)
            .map(|r| {
                (format!("v{}", (r + 1) % 4 + 1), signer_of(set.proposer(HEIGHT, Round(r)).key))
            })
            .collect();
        let timing = Timing { genesis_time: TimestampMs(1_000_000), slot_ms: SLOT_MS };
        let nodes = steps[0].system.keys().map(|name| {
            let signer = Arc::clone(&signers[name]);
            let config = Config {
                chain_id: CHAIN,
                timing,
                local: signer.public_key(),
                own_signatures_known_from: Height(0),
            };
            let gate = MemoryGate {
                signer,
                vote_from: Height(0),
                durable: BTreeMap::new(),
                pending: Vec::new(),
            };
            let driver = Driver::new(config);
            let now = timing.cut(Slot(1)).0;
            (
                name.clone(),
                Node {
                    now,
                    driver,
                    gate,
                    wanted: None,
                    said: BTreeSet::new(),
                    boxes: BTreeMap::new(),
                },
            )
        });
        let mut in_all: BTreeMap<String, BTreeSet<Said>> = BTreeMap::new();
        for step in steps {
            let all = in_all.entry(step.history.validator.clone()).or_default();
            all.extend(said(&step.history.output));
        }
        let (bodies, nodes) = (bodies(steps), nodes.collect());
        Self { set, timing, signers, bodies, nodes, so_far: BTreeMap::new(), in_all }
    }

    fn id(&self, name: &str) -> Hash {
        self.bodies[name].id(CHAIN)
    }

    fn name(&self, id: &Hash) -> String {
        let found = self.bodies.iter().find(|(_, body)| body.id(CHAIN) == *id);
        found.map_or_else(|| format!("unknown {id}"), |(name, _)| name.clone())
    }

    /// Plays one step and compares.
    pub(crate) fn step(&mut self, index: usize, step: &Step) {
        let name = step.history.validator.clone();
        if !self.nodes.contains_key(&name) {
            return;
        }
        match &step.history.input {
            // What follows from the state alone, the driver has done already.
            Input::NoDInput | Input::StepChangeDInput | Input::PendingDInput(_) => {}
            Input::StartDInput => self.start(&name),
            Input::ProposeValueDInput(value) => self.build(&name, value),
            Input::ProposalDInput(proposal) => self.propose(&name, proposal),
            Input::VoteDInput(vote) => self.vote(&name, vote),
            Input::CertificateDInput(votes) => self.certify(&name, votes),
            Input::TimeoutDInput(timeout) => self.time_out(&name, *timeout),
        }
        let so_far = self.so_far.entry(name.clone()).or_default();
        so_far.extend(said(&step.history.output));
        let (ours, all) = (&self.nodes[&name].said, &self.in_all[&name]);
        let late: Vec<_> = so_far.difference(ours).collect();
        let extra: Vec<_> = ours.difference(all).collect();
        assert!(
            late.is_empty() && extra.is_empty(),
            "step {index}, {name}, {:?}: not said {late:?}, said besides {extra:?}",
            step.history.input
        );
    }

    /// Compares where everybody stands.
    pub(crate) fn end(&self, last: &Step) {
        for (name, node) in &self.nodes {
            let theirs = &last.system[name].es.cs;
            let status = node.driver.status();
            if self
                .in_all
                .get(name)
                .is_some_and(|all| all.iter().any(|said| matches!(said, Said::Decided { .. })))
            {
                assert_eq!(status.phase, rota_consensus::Phase::Decided, "{name}");
                continue;
            }
            assert_eq!(status.round, Round(round(theirs.round)), "{name}");
            let locked = status.locked.map(|id| self.name(&id));
            assert_eq!(locked.as_deref(), theirs.locked_value.name(), "{name}");
        }
    }

    fn start(&mut self, name: &str) {
        let start = Start {
            height: HEIGHT,
            validators: self.set.clone(),
            parent_slot: Slot(0),
            wal: Vec::new(),
            marks: Vec::new(),
        };
        self.feed(name, Event::Start(start));
    }

    fn build(&mut self, name: &str, value: &str) {
        let wanted = self.nodes.get_mut(name).unwrap().wanted.take();
        let (round, slot, parent_header) = wanted.expect("the driver asked for a value");
        let proposal = SlotProposal { round, slot, parent_header, ..self.bodies[value].clone() };
        assert_eq!(proposal, self.bodies[value], "the value names its round, slot and parent");
        self.feed(name, Event::Built { height: HEIGHT, round, proposal });
    }

    fn propose(&mut self, name: &str, input: &Proposal) {
        if input.src_address == name {
            return;
        }
        let signer = Arc::clone(&self.signers[&input.src_address]);
        let proposal = rota_types::Proposal {
            height: HEIGHT,
            round: Round(round(input.round)),
            value: self.id(&input.proposal),
            pol_round: u32::try_from(input.valid_round).ok().map(Round),
            validator: signer.public_key(),
        };
        let proposal = proposal.sign(CHAIN, signer.as_ref());
        let body = Some(self.bodies[&input.proposal].clone());
        self.hand(name, &input.src_address, &Message::Proposal { proposal, body });
    }

    fn signed(&self, vote: &Vote) -> rota_types::vote::SignedVote {
        let signer = &self.signers[&vote.src_address];
        rota_types::Vote {
            kind: kind(vote.vote_type),
            height: HEIGHT,
            round: Round(round(vote.round)),
            value: vote.value_id.name().map(|name| self.id(name)),
            validator: signer.public_key(),
        }
        .sign(CHAIN, signer.as_ref())
    }

    fn vote(&mut self, name: &str, input: &Vote) {
        let place = (kind(input.vote_type), round(input.round));
        let inbox = self.nodes.get_mut(name).unwrap().boxes.entry(place).or_default();
        let known = inbox.votes.iter().any(|(vote, _)| vote == input);
        match input.src_address == name {
            true => inbox.own = true,
            false if !known => inbox.votes.push((input.clone(), false)),
            false => {}
        }
        loop {
            let node = self.nodes.get_mut(name).unwrap();
            let own = node.said.iter().find_map(|said| match said {
                Said::Vote { kind, round, value } if (*kind, *round) == place => Some(value),
                _ => None,
            });
            let Some(next) = node.boxes.get_mut(&place).unwrap().next(own) else { return };
            let vote = self.signed(&next);
            self.hand(name, &next.src_address, &Message::Vote { vote, reason: None });
        }
    }

    fn certify(&mut self, name: &str, votes: &[Vote]) {
        let first = &votes[0];
        let value = first.value_id.name().unwrap();
        let mut signatures: Vec<(ValidatorKey, Signature)> = votes
            .iter()
            .map(|vote| self.signed(vote))
            .map(|v| (v.vote.validator, v.signature))
            .collect();
        signatures.sort_unstable();
        let (at, id) = (Round(round(first.round)), self.id(value));
        let message = match first.vote_type {
            VoteType::Prevote => Message::Polka(PolkaCertificate {
                height: HEIGHT,
                round: at,
                value: id,
                signatures,
            }),
            VoteType::Precommit => Message::Decided {
                certificate: CommitCertificate { height: HEIGHT, round: at, value: id, signatures },
                proposal: self.bodies[value].clone(),
            },
        };
        let from = votes.iter().map(|vote| &vote.src_address).find(|from| *from != name).unwrap();
        self.hand(name, from, &message);
    }

    /// Lets time pass until the timer of this step fired, unless the step is over here.
    fn time_out(&mut self, name: &str, timeout: Timeout) {
        let place = |node: &Node| {
            let status = node.driver.status();
            (status.round, status.step)
        };
        let before = place(&self.nodes[name]);
        let waits = match timeout {
            Timeout::ProposeTimeout => before.1 == OurStep::Propose,
            Timeout::PrevoteTimeout => before.1 == OurStep::Prevote,
            Timeout::PrecommitTimeout => true,
        };
        while waits && place(&self.nodes[name]) == before {
            let node = self.nodes.get_mut(name).unwrap();
            let at = node.driver.deadline().expect("a timer runs");
            node.now = node.now.max(at.0);
            assert!(node.now < self.timing.cut(Slot(2)).0, "{name}: {timeout:?} never fired");
            self.feed(name, Event::Tick);
        }
    }

    fn hand(&mut self, to: &str, from: &str, message: &Message) {
        let from = self.signers[from].public_key();
        let (class, bytes) = (message.class(), message.to_bytes());
        self.feed(to, Event::Message { from, class, bytes });
    }

    /// Feeds an event and answers what the driver asks.
    fn feed(&mut self, name: &str, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let node = self.nodes.get_mut(name).unwrap();
            let effects = node.driver.step(TimestampMs(node.now), event, &mut node.gate);
            for effect in effects {
                if let Some(answer) = self.answer(name, effect) {
                    events.push(answer);
                }
            }
        }
    }

    fn answer(&mut self, name: &str, effect: Effect) -> Option<Event> {
        let mut heard = None;
        let answer = match effect {
            Effect::Broadcast { class, bytes } => {
                heard = self.heard(name, &Message::from_bytes(class, &bytes).unwrap());
                None
            }
            Effect::Build { round, slot, parent_header, .. } => {
                self.nodes.get_mut(name).unwrap().wanted = Some((round, slot, parent_header));
                None
            }
            Effect::Check { id, .. } => {
                let verdict = match self.name(&id).as_str() {
                    INVALID => Objective::Invalid(NilReason::Malformed),
                    _ => Objective::Valid,
                };
                Some(Event::Objective { id, verdict })
            }
            Effect::CheckTimely { id, round, .. } => {
                Some(Event::Timely { id, round, verdict: Ok(()) })
            }
            Effect::Decided { proposal, certificate } => {
                let value = self.name(&proposal.id(CHAIN));
                heard = Some(Said::Decided { round: certificate.round.0, value });
                None
            }
            Effect::Fatal(fatal) => panic!("{name}: {fatal}"),
            _ => None,
        };
        self.nodes.get_mut(name).unwrap().said.extend(heard);
        answer
    }

    /// What a validator says in its own name.
    fn heard(&self, name: &str, message: &Message) -> Option<Said> {
        let own = self.signers[name].public_key();
        match message {
            Message::Vote { vote, .. } if vote.vote.validator == own => {
                let vote = &vote.vote;
                let value = vote.value.map(|id| self.name(&id));
                Some(Said::Vote { kind: vote.kind, round: vote.round.0, value })
            }
            Message::Proposal { proposal, .. } if proposal.proposal.validator == own => {
                let proposal = &proposal.proposal;
                let (value, pol) = (self.name(&proposal.value), proposal.pol_round);
                Some(Said::Proposal { round: proposal.round.0, value, pol: pol.map(|r| r.0) })
            }
            _ => None,
        }
    }
}
