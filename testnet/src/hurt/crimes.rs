//! Byzantine roles, named for the crime: an honest core whose effects are rewritten on their way out.
//!
//! The node's guard never sees the second signature: a criminal holds its key and asks nobody. What it does to its own
//! files stays honest, so that a run can still read them.

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rota_consensus::{Message, MessageClass};
use rota_node::core::{Effect, FrameClass};
use rota_node::shell::Road;
use rota_sequencer::Batch;
use rota_types::{Ed25519Signer, Genesis, Hash, Signer as _, TimestampMs, ValidatorKey, ids_tree};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Bytes of a frame of garbage: below every class's limit.
const GARBAGE_BYTES: usize = 512;
/// How often a frame is repeated by a flood.
const FLOOD_COPIES: usize = 20;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    /// Votes for something else, to half of the validators.
    EquivocateVotes,
    /// Another batch at the same place, to half of the validators.
    EquivocateBatches,
    /// Proposes a cut that leaves every other lane out.
    Omit,
    /// Sends nothing to validators.
    Silent,
    /// Acknowledges batches, and gives none of those that others ask for.
    Withhold,
    /// Frames of random bytes beside its own.
    Garbage,
    /// Every frame many times.
    Flood,
}

/// Deeds by name.
const DEEDS: [(&str, Deed); 7] = [
    ("equivocate_votes", Deed::EquivocateVotes),
    ("equivocate_batches", Deed::EquivocateBatches),
    ("omit", Deed::Omit),
    ("silent", Deed::Silent),
    ("withhold", Deed::Withhold),
    ("garbage", Deed::Garbage),
    ("flood", Deed::Flood),
];

fn name_of(deed: Deed) -> &'static str {
    DEEDS.iter().find(|(_, known)| *known == deed).map_or("", |(name, _)| name)
}

/// What a criminal writes into its log at the first occasion of a crime: a run that never sees it tested nothing.
#[must_use]
pub fn confession(role: &str) -> String {
    format!("this node commits {role}")
}

/// A crime and the share of occasions on which it is committed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crime {
    deed: Deed,
    share: f64,
}

impl Crime {
    /// Whether processes can play this role; the others of the list are the simulator's.
    #[must_use]
    pub fn is_known(name: &str) -> bool {
        DEEDS.iter().any(|(known, _)| *known == name)
    }

    /// Names of all roles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        DEEDS.iter().map(|(name, _)| *name)
    }
}

impl FromStr for Crime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, share) = text.split_once('=').unwrap_or((text, "1"));
        let deed = DEEDS.iter().find(|(known, _)| *known == name).map(|(_, deed)| *deed);
        let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        match (deed, share) {
            (Some(deed), Some(share)) => Ok(Self { deed, share }),
            _ => Err(format!("no crime with a share of 0 to 1: {text:?}")),
        }
    }
}

/// All crimes of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roles(Vec<Crime>);

impl Roles {
    /// From the command line.
    #[must_use]
    pub const fn new(crimes: Vec<Crime>) -> Self {
        Self(crimes)
    }

    fn share(&self, deed: Deed) -> f64 {
        self.0.iter().filter(|crime| crime.deed == deed).map(|crime| crime.share).sum()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for crime in &self.0 {
            write!(f, "{}={} ", name_of(crime.deed), crime.share)?;
        }
        Ok(())
    }
}

/// The road of a node that breaks the protocol.
pub(super) struct Criminal {
    chain_id: u64,
    signer: Ed25519Signer,
    /// The others, by key: every second one of them is lied to.
    others: Vec<ValidatorKey>,
    roles: Roles,
    rng: ChaCha20Rng,
    committed: BTreeSet<Deed>,
}

impl Criminal {
    pub(super) fn new(genesis: &Genesis, signer: Ed25519Signer, roles: Roles, seed: u64) -> Self {
        let me = signer.public_key();
        let mut others: Vec<ValidatorKey> = genesis.validators.iter().map(|v| v.key).collect();
        others.retain(|key| *key != me);
        others.sort();
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Self { chain_id: genesis.chain_id, signer, others, roles, rng, committed: BTreeSet::new() }
    }

    fn draws(&mut self, deed: Deed) -> bool {
        let share = self.roles.share(deed);
        // 53 bits fit a float exactly.
        let drawn = (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let done = share > 0.0 && drawn < share;
        if done && self.committed.insert(deed) {
            tracing::warn!("{}", confession(name_of(deed)));
        }
        done
    }

    fn is_lied_to(&self, key: &ValidatorKey) -> bool {
        self.others.iter().step_by(2).any(|other| other == key)
    }

    /// One effect, rewritten.
    fn rewrite(&mut self, effect: Effect, out: &mut Vec<Effect>) {
        if effect.is_direct() && self.draws(Deed::Silent) {
            return;
        }
        match effect {
            Effect::Broadcast { class: FrameClass::Votes, bytes } => self.votes(bytes, out),
            Effect::Broadcast { class: FrameClass::Proposals, bytes } => {
                let bytes = self.proposal(bytes);
                self.send(FrameClass::Proposals, bytes, out);
            }
            Effect::Broadcast { class, bytes } => self.send(class, bytes, out),
            Effect::SendStored { .. } | Effect::SendBatch { .. } if self.draws(Deed::Withhold) => {}
            Effect::SendBatch { to: Some(to), frame } => self.batch(to, frame, out),
            other => out.push(other),
        }
    }

    fn send(&mut self, class: FrameClass, bytes: Bytes, out: &mut Vec<Effect>) {
        let copies = if self.draws(Deed::Flood) { FLOOD_COPIES } else { 1 };
        for _ in 0..copies {
            out.push(Effect::Broadcast { class, bytes: bytes.clone() });
        }
        if self.draws(Deed::Garbage) {
            let mut junk = vec![0u8; GARBAGE_BYTES];
            self.rng.fill_bytes(&mut junk);
            out.push(Effect::Broadcast { class, bytes: junk.into() });
        }
    }

    /// The honest vote to everybody, and another one at the same place to every second validator.
    fn votes(&mut self, bytes: Bytes, out: &mut Vec<Effect>) {
        let other = match Message::from_bytes(MessageClass::Votes, &bytes) {
            Ok(Message::Vote { vote, .. }) if self.draws(Deed::EquivocateVotes) => {
                let mut vote = vote.vote;
                vote.value = match vote.value {
                    Some(_) => None,
                    None => Some(Hash([0x5a; 32])),
                };
                let vote = vote.sign(self.chain_id, &self.signer);
                Some(Message::Vote { vote, reason: None }.to_bytes())
            }
            _ => None,
        };
        self.send(FrameClass::Votes, bytes, out);
        if let Some(bytes) = other {
            for to in self.others.iter().step_by(2) {
                let (to, bytes) = (*to, bytes.clone());
                out.push(Effect::Send { to, class: FrameClass::Votes, bytes });
            }
        }
    }

    /// A fresh proposal of this node without the lanes of others.
    fn proposal(&mut self, bytes: Bytes) -> Bytes {
        let Ok(Message::Proposal { proposal, body: Some(mut body) }) =
            Message::from_bytes(MessageClass::Proposals, &bytes)
        else {
            return bytes;
        };
        let fresh = proposal.proposal.pol_round.is_none();
        if !fresh || !self.draws(Deed::Omit) {
            return bytes;
        }
        let me = self.signer.public_key();
        body.cut.retain(|entry| entry.position.lane == me);
        let mut proposal = proposal.proposal;
        proposal.value = body.id(self.chain_id);
        let proposal = proposal.sign(self.chain_id, &self.signer);
        Message::Proposal { proposal, body: Some(body) }.to_bytes()
    }

    /// The honest batch, and to every second validator another of the same place in front of it.
    fn batch(&mut self, to: ValidatorKey, frame: Bytes, out: &mut Vec<Effect>) {
        let own = Batch::from_stored(self.chain_id, frame.clone()).ok();
        let own = own.filter(|batch| batch.position().lane == self.signer.public_key());
        let other = own.and_then(|batch| self.without_the_last(&batch));
        if let Some(other) = other
            && self.is_lied_to(&to)
            && self.draws(Deed::EquivocateBatches)
        {
            out.push(Effect::SendBatch { to: Some(to), frame: other.frame().clone() });
        }
        out.push(Effect::SendBatch { to: Some(to), frame });
    }

    /// The same batch with its last transaction missing; a batch of one has no such twin.
    fn without_the_last(&self, batch: &Batch) -> Option<Batch> {
        let body = batch.body();
        let kept = body.len().checked_sub(1).filter(|kept| *kept > 0)?;
        let shorter = body.pick(&(0..kept).collect::<Vec<_>>())?;
        let mut header = batch.header().clone();
        let removed = body.tx_bytes().checked_sub(shorter.tx_bytes())?;
        header.cumulative_bytes = header.cumulative_bytes.checked_sub(removed)?;
        header.cumulative_txs = header.cumulative_txs.checked_sub(1)?;
        header.body_digest = ids_tree::root(self.chain_id, shorter.ids());
        let signed = header.sign(self.chain_id, &self.signer);
        Some(Batch::assemble(self.chain_id, signed, shorter))
    }
}

impl Road for Criminal {
    fn pass(&mut self, _: TimestampMs, effects: Vec<Effect>) -> Vec<Effect> {
        let mut out = Vec::with_capacity(effects.len());
        for effect in effects {
            self.rewrite(effect, &mut out);
        }
        out
    }
}
