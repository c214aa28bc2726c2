//! Lanes: every validator's chain of batches, their acknowledgements and certificates.
//!
//! ```text
//! Submit ─► queue ─► seal ─► Store ─► Batch frame ──► other validators: Store ─► Ack ─┐
//!                      └► Receipt                                                    ▼
//!  LaneView ◄── certified chain ◄── BatchCertificate ◄── more than 2/3 of weight ◄── author
//! ```
//!
//! [`Lanes`] owns the own lane's open batch, the headers and bodies above the executed tips, own
//! acknowledgements, and the certificates. It owns no socket, file or clock, and never judges a transaction:
//! expiry, quota and order are admission's and execution's matter, so that nothing that depends on a clock can
//! stop a lane. Rules: docs/protocol.md, *Lanes and batches*. Limits: [`crate::limits`], *lanes*.
//!
//! | file | does |
//! |---|---|
//! | `author`, `own` | queue, seal, receipts of the own lane |
//! | `ordered` | what leaves the queue because another lane got it ordered |
//! | `peers` | acknowledgements of own batches, certificates made of them, resending |
//! | `acker` | the one acknowledgement per place for other lanes |
//! | `certificates` | newest certificate per lane, the header chain under it |
//! | `tips` | restart, decided and executed heights |
//! | `view` | what slot building and checking read |
//!
//! # Deviations
//!
//! - A certificate travels beside the next batch, not inside its frame: frames stay what the author signed.
//! - At a slot's deadline a voter sends its newest certified places; the proposer asks for what it lacks and
//!   sends back what the voter lacks. One way longer than sending certificates unasked, and n times smaller.
//! - The validator set is the one of genesis; acknowledgements are not asked again from a new one yet.

mod acker;
mod author;
mod certificates;
mod event;
mod held;
mod lane;
mod ordered;
mod own;
mod peers;
mod places;
mod tips;
mod view;
mod wire;

pub use event::{Class, Effect, Event, Halt, LaneTerms, Offence, Origin, Recovered};
pub use wire::{AckStatement, FIRST_TAG, LAST_TAG, LaneMessage, TipClaim};

use held::Held;
use lane::Lane;
use own::Own;
use peers::Peer;
use rota_types::evidence::Evidence;
use rota_types::{
    Gate, Genesis, Hash, SignedBatchHeader, TimestampMs, TxId, TypesError, ValidatorKey,
    ValidatorSet,
};
use std::collections::BTreeMap;

/// What the lanes need to know once.
#[derive(Clone, Debug)]
pub struct LanesConfig {
    /// In every signature.
    pub chain_id: u64,
    /// The own validator key; a node without one only serves what others decide.
    pub me: Option<ValidatorKey>,
    /// Judges certificates.
    pub validators: ValidatorSet,
    /// Most batches a lane may be ahead of its decided tip.
    pub lane_lead_max: u64,
    /// Length of a slot in milliseconds, for retry times.
    pub slot_ms: u64,
    /// Bytes of batch bodies kept in memory ([`crate::limits::BODIES_BYTES_MAX`]).
    pub bodies_bytes_max: u64,
    /// Random bytes drawn by the shell: nobody can grind ids that collide in the look-up of places.
    pub lookup_salt: [u8; 16],
}

impl LanesConfig {
    /// From genesis.
    ///
    /// # Errors
    /// As [`Genesis::validator_set`].
    pub fn new(
        genesis: &Genesis,
        me: Option<ValidatorKey>,
        lookup_salt: [u8; 16],
    ) -> Result<Self, TypesError> {
        let validators = genesis.validator_set()?;
        Ok(Self {
            chain_id: genesis.chain_id,
            me: me.filter(|key| validators.contains(key)),
            validators,
            lane_lead_max: genesis.lane_lead_max,
            slot_ms: genesis.slot_ms,
            bodies_bytes_max: crate::limits::BODIES_BYTES_MAX,
            lookup_salt,
        })
    }
}

/// One step's surroundings.
pub(crate) struct Turn<'a> {
    pub(crate) now: TimestampMs,
    pub(crate) gate: &'a mut dyn Gate,
    pub(crate) out: Vec<Effect>,
}

impl Turn<'_> {
    fn send(&mut self, to: ValidatorKey, message: &LaneMessage) {
        let bytes = message.to_bytes().into();
        self.out.push(Effect::Send { to, class: Class::Certificates, bytes });
    }

    fn penalise(&mut self, validator: ValidatorKey, offence: Offence) {
        self.out.push(Effect::Penalise { validator, offence });
    }
}

/// All lanes of the network as this node sees them.
pub struct Lanes {
    config: LanesConfig,
    started: bool,
    lanes: BTreeMap<ValidatorKey, Lane>,
    held: Held,
    own: Option<Own>,
    peers: BTreeMap<ValidatorKey, Peer>,
    verified_at: TimestampMs,
}

impl Lanes {
    /// Lanes that wait for [`Event::Recovered`].
    #[must_use]
    pub fn new(config: LanesConfig) -> Self {
        let others =
            config.validators.as_slice().iter().map(|v| v.key).filter(|k| Some(*k) != config.me);
        Self {
            started: false,
            lanes: BTreeMap::new(),
            held: Held::new(config.bodies_bytes_max),
            own: config.me.map(|me| Own::new(me, config.lookup_salt)),
            peers: others.map(|key| (key, Peer::default())).collect(),
            verified_at: TimestampMs(0),
            config,
        }
    }

    /// Takes one event; the effects are to be carried out in order.
    pub fn step(&mut self, now: TimestampMs, event: Event, gate: &mut dyn Gate) -> Vec<Effect> {
        let mut turn = Turn { now, gate, out: Vec::new() };
        if !self.started && !matches!(event, Event::Recovered(_)) {
            self.before_recovery(&mut turn, &event);
            return turn.out;
        }
        match event {
            Event::Recovered(recovered) => self.on_recovered(&mut turn, *recovered),
            Event::Submit { origin, list } => self.on_submit(&mut turn, origin, list),
            Event::Batch { from, batch } => self.on_batch(&mut turn, from, batch),
            Event::Message { from, message } => self.on_message(&mut turn, from, message),
            Event::Connected { validator } => self.on_connected(&mut turn, validator),
            Event::Disconnected { validator } => {
                if let Some(peer) = self.peers.get_mut(&validator) {
                    peer.disconnect();
                }
            }
            Event::Decided { tips } => self.on_decided(&mut turn, &tips),
            Event::Ordered { prefixes } => self.on_ordered(&mut turn, &prefixes),
            Event::Executed { terms } => self.on_executed(&mut turn, &terms),
            Event::Want { entry, from } => self.want(&mut turn, &entry, from),
            Event::ShareTips { to } => self.share_tips(&mut turn, &to),
            Event::Tick => {}
        }
        self.run_due(&mut turn);
        turn.out
    }

    /// Verifies the newest certificate of every lane now: at a slot's deadline and before proposing.
    pub fn verify_now(&mut self, now: TimestampMs, gate: &mut dyn Gate) -> Vec<Effect> {
        let mut turn = Turn { now, gate, out: Vec::new() };
        self.verify_candidates(&mut turn);
        self.run_due(&mut turn);
        turn.out
    }

    /// When [`Event::Tick`] is due, if nothing else happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<TimestampMs> {
        if !self.started {
            return None;
        }
        let verify = self
            .lanes
            .values()
            .any(|lane| lane.candidate.is_some())
            .then(|| self.verified_at.plus(crate::limits::VERIFY_GAP_MS_MIN));
        let lanes = self.lanes.values().filter_map(Lane::deadline);
        let peers = self.peers.values().filter_map(Peer::deadline);
        let own = [self.seal_due(), self.own.as_ref().and_then(Own::deadline), verify];
        lanes.chain(peers).chain(own.into_iter().flatten()).min()
    }

    /// Bytes of submissions that the own lane would take now; 0 at its limits.
    #[must_use]
    pub fn room(&self) -> u64 {
        match &self.own {
            Some(own) if self.started && self.own_is_open() && self.own_lead_left() => own.room(),
            _ => 0,
        }
    }

    /// Whether an undecided or waiting own batch holds this transaction.
    #[must_use]
    pub fn holds(&self, id: &TxId) -> bool {
        self.own.as_ref().is_some_and(|own| own.places.holds(id))
    }

    /// Median time from seal to certificate of the newest own batches in milliseconds.
    #[must_use]
    pub fn certification_median_ms(&self) -> Option<u64> {
        self.own.as_ref().and_then(Own::certification_median_ms)
    }

    /// Why the own lane takes nothing, if so.
    #[must_use]
    pub fn halt(&self) -> Option<Halt> {
        self.own.as_ref().and_then(|own| own.halt)
    }

    /// Bytes of batch bodies in memory, and number of headers: for gauges and tests of the bounds.
    #[must_use]
    pub fn usage(&self) -> (u64, usize) {
        (self.held.bodies_bytes(), self.held.len())
    }

    /// Nothing is taken before recovery but the knowledge of who is connected.
    fn before_recovery(&mut self, turn: &mut Turn<'_>, event: &Event) {
        match event {
            Event::Submit { origin: Origin::Client(token), .. } => {
                author::refuse_not_sequencing(turn, *token);
            }
            Event::Connected { validator } => {
                if let Some(peer) = self.peers.get_mut(validator) {
                    peer.connected = true;
                }
            }
            Event::Disconnected { validator } => {
                if let Some(peer) = self.peers.get_mut(validator) {
                    peer.disconnect();
                }
            }
            _ => {}
        }
    }

    fn on_message(&mut self, turn: &mut Turn<'_>, from: ValidatorKey, message: LaneMessage) {
        if !self.config.validators.contains(&from) {
            return;
        }
        match message {
            LaneMessage::Ack(ack) => self.on_ack(turn, from, &ack),
            LaneMessage::Statement(statement) => self.on_statement(turn, from, &statement),
            LaneMessage::Certificate(certificate) => {
                self.on_certificate(turn, from, *certificate);
            }
            LaneMessage::Headers(headers) => self.on_headers(turn, from, headers),
            LaneMessage::CertificateRequest { position } => {
                self.serve_certificate(turn, from, &position);
            }
            LaneMessage::HeaderRequest { digest } => self.serve_headers(turn, from, digest),
            LaneMessage::Tips(tips) => self.on_tips(turn, from, &tips),
        }
    }

    fn run_due(&mut self, turn: &mut Turn<'_>) {
        if turn.now >= self.verified_at.plus(crate::limits::VERIFY_GAP_MS_MIN) {
            self.verify_candidates(turn);
        }
        self.run_lanes(turn);
        self.seal_while_due(turn);
        self.run_own(turn);
        self.run_peers(turn);
    }

    /// Evidence if another header than `digest` is held at the place of `signed`; once per lane.
    fn note_conflict(&mut self, turn: &mut Turn<'_>, digest: &Hash, signed: &SignedBatchHeader) {
        let position = signed.header.position;
        let Some(lane) = self.lanes.get_mut(&position.lane).filter(|l| !l.evidence_sent) else {
            return;
        };
        let other = self
            .held
            .at(&position.lane, position.seq.0)
            .iter()
            .filter(|other| *other != digest)
            .filter_map(|other| Some((*other, self.held.get(other)?.signed.clone())))
            .find(|(_, other)| other.header.position == position);
        let Some((other_digest, other)) = other else { return };
        lane.evidence_sent = true;
        let pair =
            if other_digest < *digest { (other, signed.clone()) } else { (signed.clone(), other) };
        let evidence = Box::new(Evidence::DoubleBatch(Box::new(pair)));
        turn.out.push(if self.config.me == Some(position.lane) {
            Effect::KeyUsedElsewhere(evidence)
        } else {
            Effect::Evidence(evidence)
        });
    }
}
