//! A validator whose guard is lost finds the lines above which it may sign again.
//!
//! ```text
//! Connected ─► Ask(nonce) ─► SignedStatus of > 2/3 of weight ─► W = highest decided + 1 ─ executed ≥ W ─► Lines
//! ```
//!
//! It voted at a height only after the height below was decided, so more than 2/3 precommitted that one. Whoever
//! answers now, more than 2/3 too, has an honest validator in common with them, which works on that height or a later
//! one. So nothing that this key signed as vote or proposal is above W + 1, and nothing that it sealed, acknowledged or
//! batched rests on a state newer than W. A claim is believed with the commit certificate of its decided height, so
//! nobody sends this validator into a far future; the nonce keeps old claims out. Own weight counts for nothing here.
//!
//! It owns no key and no guard: [`Lines`] become floors of a new guard, and until then nothing is signed.

use crate::lanes::LaneTerms;
use crate::limits::{CATCHUP_PEERS_MAX, REJOIN_ASK_MS, REJOIN_REST_MS};
use bytes::Bytes;
use rota_types::codec::decode;
use rota_types::limits::STATUS_BYTES_MAX;
use rota_types::status::StatusNonce;
use rota_types::{
    Height, Incarnation, LanePosition, Seq, SignedStatus, TimestampMs, TypesError, ValidatorKey,
    ValidatorSet, Weight,
};
use std::collections::BTreeMap;

/// What a rejoin needs to know.
#[derive(Clone, Debug)]
pub struct RejoinConfig {
    /// In every signature.
    pub chain_id: u64,
    /// The key that lost its guard.
    pub me: ValidatorKey,
    /// The set that answers.
    pub validators: ValidatorSet,
    /// Most batches that any lane was ever acknowledged ahead of its decided tip.
    pub lane_lead_max: u64,
    /// Drawn by the shell for this collection.
    pub nonce: StatusNonce,
}

/// An event for the rejoin.
#[derive(Clone, Debug)]
pub enum Event {
    /// A validator may be asked.
    Connected {
        /// Number of its peer.
        peer: u64,
        /// Its proven key.
        validator: ValidatorKey,
    },
    /// A peer is gone.
    Disconnected {
        /// Which.
        peer: u64,
    },
    /// Answer to a question, or that there was none.
    Answer {
        /// Number of the question.
        question: u64,
        /// The bytes, not looked at.
        bytes: Option<Bytes>,
    },
    /// A height was executed here.
    Executed {
        /// The height.
        height: Height,
        /// Terms of all lanes after it.
        terms: Vec<LaneTerms>,
    },
    /// A deadline was reached.
    Tick,
}

/// What the shell does for the rejoin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask a peer on the status protocol; answered with [`Event::Answer`].
    Ask {
        /// Whom.
        peer: u64,
        /// Number of the question.
        question: u64,
        /// The question.
        bytes: Bytes,
    },
    /// A validator answered what does not verify.
    Liar {
        /// Which peer.
        peer: u64,
        /// What does not hold.
        fault: TypesError,
    },
    /// Enough answered: signing is possible once this height is executed here.
    Target {
        /// The highest height that is worked on.
        height: Height,
    },
    /// The lines are known.
    Lines(Lines),
}

/// Nothing that the key signed before the loss is above these lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// First height of a proposal or vote.
    pub vote_from: Height,
    /// First height of a seal.
    pub seal_from: Height,
    /// The own lane is closed up to and with this incarnation.
    pub own_closed: Incarnation,
    /// Last places without an acknowledgement, one for each other lane.
    pub acks: Vec<LanePosition>,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    validator: ValidatorKey,
    ask_at: TimestampMs,
    question: Option<u64>,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Rejoin {
    config: RejoinConfig,
    peers: BTreeMap<u64, Peer>,
    /// Questions asked so far: the number of the newest.
    asked: u64,
    decided: BTreeMap<ValidatorKey, Height>,
    target: Option<Height>,
    executed: Option<(Height, Vec<LaneTerms>)>,
    finished: bool,
}

impl Rejoin {
    /// A rejoin that has asked nobody yet.
    #[must_use]
    pub const fn new(config: RejoinConfig) -> Self {
        Self {
            config,
            peers: BTreeMap::new(),
            asked: 0,
            decided: BTreeMap::new(),
            target: None,
            executed: None,
            finished: false,
        }
    }

    /// Takes one event; the effects are to be carried out in order.
    pub fn step(&mut self, now: TimestampMs, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Connected { peer, validator } => self.connected(now, peer, validator),
            Event::Disconnected { peer } => {
                self.peers.remove(&peer);
            }
            Event::Answer { question, bytes } => self.answered(now, question, bytes, &mut effects),
            Event::Executed { height, terms } => self.executed = Some((height, terms)),
            Event::Tick => {}
        }
        self.ask(now, &mut effects);
        self.draw(&mut effects);
        effects
    }

    /// When [`Event::Tick`] is due, if anything waits for time.
    #[must_use]
    pub fn deadline(&self) -> Option<TimestampMs> {
        let waiting = self.peers.values().filter(|peer| self.is_wanted(peer));
        waiting.map(|peer| peer.ask_at).min()
    }

    /// Weight that answered, and all weight.
    #[must_use]
    pub fn progress(&self) -> (Weight, Weight) {
        let weight = self.decided.keys().map(|key| self.config.validators.weight(key).0).sum();
        (Weight(weight), self.config.validators.total())
    }

    fn connected(&mut self, now: TimestampMs, peer: u64, validator: ValidatorKey) {
        let other = validator != self.config.me && self.config.validators.contains(&validator);
        if other && self.peers.len() < CATCHUP_PEERS_MAX {
            self.peers.insert(peer, Peer { validator, ask_at: now, question: None });
        }
    }

    fn is_wanted(&self, peer: &Peer) -> bool {
        self.target.is_none()
            && peer.question.is_none()
            && !self.decided.contains_key(&peer.validator)
    }

    fn ask(&mut self, now: TimestampMs, effects: &mut Vec<Effect>) {
        let due: Vec<u64> = self
            .peers
            .iter()
            .filter(|(_, peer)| self.is_wanted(peer) && peer.ask_at <= now)
            .map(|(number, _)| *number)
            .collect();
        for number in due {
            let Some(peer) = self.peers.get_mut(&number) else { continue };
            self.asked = self.asked.saturating_add(1);
            peer.question = Some(self.asked);
            let bytes = crate::catchup::attest_question(&self.config.nonce);
            effects.push(Effect::Ask { peer: number, question: self.asked, bytes });
        }
    }

    fn answered(
        &mut self,
        now: TimestampMs,
        question: u64,
        bytes: Option<Bytes>,
        effects: &mut Vec<Effect>,
    ) {
        let found = self.peers.iter_mut().find(|(_, peer)| peer.question == Some(question));
        let Some((number, peer)) = found else { return };
        let (number, validator) = (*number, peer.validator);
        peer.question = None;
        peer.ask_at = now.plus(REJOIN_ASK_MS);
        // A validator that is behind what it signed itself, or has no guard either, answers nothing.
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return };
        match self.verified(&bytes, &validator) {
            Ok(decided) => {
                self.decided.insert(validator, decided);
                self.aim(effects);
            }
            Err(fault) => {
                if let Some(peer) = self.peers.get_mut(&number) {
                    peer.ask_at = now.plus(REJOIN_REST_MS);
                }
                effects.push(Effect::Liar { peer: number, fault });
            }
        }
    }

    fn verified(&self, bytes: &[u8], validator: &ValidatorKey) -> Result<Height, TypesError> {
        let status: SignedStatus = decode(bytes, STATUS_BYTES_MAX)?;
        if status.validator != *validator {
            return Err(TypesError::Mismatch { what: "validator of a status" });
        }
        let RejoinConfig { chain_id, nonce, validators, .. } = &self.config;
        status.verify(*chain_id, nonce, validators)?;
        Ok(status.decided)
    }

    /// The highest height that is worked on, once enough have said theirs.
    fn aim(&mut self, effects: &mut Vec<Effect>) {
        if self.target.is_some() || !self.config.validators.is_quorum(self.progress().0) {
            return;
        }
        let height = self.decided.values().max().copied().unwrap_or_default().next();
        self.target = Some(height);
        effects.push(Effect::Target { height });
    }

    /// Draws the lines from the state of the target or a newer one.
    fn draw(&mut self, effects: &mut Vec<Effect>) {
        let (Some(target), Some((height, terms))) = (self.target, &self.executed) else { return };
        if self.finished || *height < target {
            return;
        }
        let lead = self.config.lane_lead_max.max(1);
        let me = self.config.me;
        let own = terms.iter().find(|terms| terms.tip.position.lane == me);
        let others = terms.iter().filter(|terms| terms.tip.position.lane != me);
        let acks = others.map(|terms| LanePosition {
            lane: terms.tip.position.lane,
            incarnation: terms.incarnation,
            seq: Seq(terms.tip.position.seq.0.saturating_add(lead)),
        });
        effects.push(Effect::Lines(Lines {
            vote_from: target.plus(2),
            seal_from: target.next(),
            own_closed: own.map_or(Incarnation(0), |terms| terms.incarnation),
            acks: acks.collect(),
        }));
        self.finished = true;
    }
}
