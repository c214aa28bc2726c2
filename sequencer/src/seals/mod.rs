//! Seals: every validator signs the header it executed, and more than two thirds make one seal.
//!
//! ```text
//! Executed(header) ── gate.seal ──► Signature to all        Signature from others ── kept, verified in one batch
//!                                                                   │ > 2/3 of weight for our header
//!                                                                   ▼
//!                                      Sealed(seal)       > 1/3 for another header: SafetyAlarm with both headers
//! ```
//!
//! Owns who signed what at which height; the guard behind the gate owns that nobody signs twice. Signatures are
//! verified together when they would suffice, bisected on failure, and repeated until the height is sealed.

mod height;
mod wire;

pub use wire::{FIRST_TAG, LAST_TAG, SealMessage};

use crate::limits::{
    SEAL_AHEAD_MAX, SEAL_KEPT_MAX, SEAL_RESEND_HEIGHTS_MAX, SEAL_RESEND_MS, SEAL_UNSEALED_MAX,
};
use height::HeightSeals;
use rota_types::{
    Gate, Hash, Height, Seal, SealSignature, SealedHeader, SlotHeader, TimestampMs, ValidatorKey,
    ValidatorSet,
};
use std::collections::BTreeMap;

/// An event for the seals.
#[derive(Clone, Debug)]
pub enum Event {
    /// A header executed here; ascending heights. After a restart: every executed height that is not sealed.
    Executed {
        /// The header.
        header: Box<SlotHeader>,
    },
    /// A message of a validator, as it came.
    Message {
        /// Who sent it, as its connection proves.
        from: ValidatorKey,
        /// The message.
        message: SealMessage,
    },
    /// A seal that catch-up brought.
    Known {
        /// Header and seal, not verified.
        sealed: Box<SealedHeader>,
    },
    /// A validator's streams are open.
    Connected {
        /// Which.
        validator: ValidatorKey,
    },
    /// The deadline was reached.
    Tick,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To all validators, class *certificates*.
    Broadcast(SealMessage),
    /// To one validator, class *certificates*.
    Send {
        /// To whom.
        to: ValidatorKey,
        /// The message.
        message: SealMessage,
    },
    /// The height is sealed: level `sealed`.
    Sealed {
        /// The header executed here, with its verified seal.
        sealed: Box<SealedHeader>,
    },
    /// The guard refused to sign: another header was sealed with this key at this height.
    Refused {
        /// The height.
        height: Height,
    },
    /// A peer's fault.
    Penalise {
        /// Whose.
        validator: ValidatorKey,
        /// What it did.
        offence: SealOffence,
    },
    /// More than a third of weight signed another header than the one executed here. Operators compare both.
    SafetyAlarm(Box<SafetyAlarm>),
}

/// What a validator can do wrong here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealOffence {
    /// A signature that does not verify.
    #[error("bad seal signature")]
    BadSignature,
    /// A seal that does not verify.
    #[error("bad seal")]
    BadSeal,
    /// A signature in another's name.
    #[error("a seal signature in another's name")]
    Impersonation,
}

/// Two executions of one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetyAlarm {
    /// The header executed here.
    pub ours: SlotHeader,
    /// Id of the other header.
    pub theirs: Hash,
    /// The other header, if its signers showed it.
    pub header: Option<SlotHeader>,
    /// Who signed it, ascending.
    pub signers: Vec<ValidatorKey>,
}

/// Seals of the newest heights.
#[derive(Clone, Debug)]
pub struct Seals {
    chain_id: u64,
    validators: ValidatorSet,
    executed: Height,
    heights: BTreeMap<Height, HeightSeals>,
    resend_at: Option<TimestampMs>,
}

impl Seals {
    /// Seals of a network whose last height executed *and* sealed is `executed`.
    #[must_use]
    pub const fn new(chain_id: u64, validators: ValidatorSet, executed: Height) -> Self {
        Self { chain_id, validators, executed, heights: BTreeMap::new(), resend_at: None }
    }

    /// The seal of a height, if it is among the newest.
    #[must_use]
    pub fn seal(&self, height: Height) -> Option<&Seal> {
        self.heights.get(&height)?.seal()
    }

    /// Executed heights that are not sealed yet.
    pub fn unsealed(&self) -> impl Iterator<Item = Height> + '_ {
        let open = |(height, seals): (&Height, &HeightSeals)| seals.is_open().then_some(*height);
        self.heights.iter().filter_map(open)
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<TimestampMs> {
        self.resend_at
    }

    /// Takes one event. `gate` is `None` on a full node.
    pub fn step(
        &mut self,
        now: TimestampMs,
        event: Event,
        gate: Option<&mut dyn Gate>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Executed { header } => self.executed(*header, gate, &mut effects),
            Event::Message { from, message } => self.message(from, message, &mut effects),
            Event::Known { sealed } => self.known(*sealed, None, &mut effects),
            Event::Connected { validator } => {
                // What was under way to it is lost.
                self.heights.values_mut().for_each(|seals| seals.forget_told(&validator));
                self.resend(|message| Effect::Send { to: validator, message }, &mut effects);
            }
            Event::Tick => {
                if self.resend_at.is_some_and(|at| at <= now) {
                    self.resend_at = None;
                    self.resend(Effect::Broadcast, &mut effects);
                    self.heights.values_mut().for_each(HeightSeals::forget_all_told);
                }
            }
        }
        self.prune();
        if self.unsealed().next().is_some() {
            self.resend_at = self.resend_at.or(Some(now.plus(SEAL_RESEND_MS)));
        } else {
            self.resend_at = None;
        }
        effects
    }

    fn executed(
        &mut self,
        header: SlotHeader,
        gate: Option<&mut dyn Gate>,
        effects: &mut Vec<Effect>,
    ) {
        let height = header.height;
        self.executed = self.executed.max(height);
        let header_id = header.id();
        let own = gate.and_then(|gate| {
            let validator = gate.public_key();
            if !self.validators.contains(&validator) {
                return None;
            }
            let signature = gate.seal(height, self.chain_id, &header_id);
            if signature.is_none() {
                effects.push(Effect::Refused { height });
            }
            Some(SealSignature { height, header_id, validator, signature: signature? })
        });
        let seals = self.heights.entry(height).or_default();
        seals.execute(header);
        if let Some(own) = own {
            seals.sign(own.clone());
            effects.push(Effect::Broadcast(SealMessage::Signature(own)));
        }
        seals.settle(self.chain_id, &self.validators, effects);
    }

    /// Whether anything about this height is still of use.
    fn takes(&self, height: Height) -> bool {
        let ahead = height > self.executed && height <= self.executed.plus(SEAL_AHEAD_MAX);
        ahead || self.heights.contains_key(&height)
    }

    fn message(&mut self, from: ValidatorKey, message: SealMessage, effects: &mut Vec<Effect>) {
        match message {
            SealMessage::Signature(signature) => {
                if signature.validator != from || !self.validators.contains(&from) {
                    let offence = SealOffence::Impersonation;
                    effects.push(Effect::Penalise { validator: from, offence });
                } else if self.takes(signature.height) {
                    let seals = self.heights.entry(signature.height).or_default();
                    seals.receive(signature, effects);
                    seals.settle(self.chain_id, &self.validators, effects);
                }
            }
            SealMessage::Seal(sealed) => self.known(*sealed, Some(from), effects),
            SealMessage::Header(header) => {
                if let Some(seals) = self.heights.get_mut(&header.height) {
                    seals.shown(*header, effects);
                }
            }
        }
    }

    fn known(
        &mut self,
        sealed: SealedHeader,
        from: Option<ValidatorKey>,
        effects: &mut Vec<Effect>,
    ) {
        let height = sealed.header.height;
        if self.takes(height) {
            let seals = self.heights.entry(height).or_default();
            seals.receive_seal(sealed, from);
            seals.settle(self.chain_id, &self.validators, effects);
        }
    }

    /// Own signatures of the oldest heights that are not sealed.
    fn resend(&self, to: impl Fn(SealMessage) -> Effect, effects: &mut Vec<Effect>) {
        let open = self.heights.values().filter(|seals| seals.is_open());
        let own = open.filter_map(HeightSeals::own).take(SEAL_RESEND_HEIGHTS_MAX);
        effects.extend(own.map(|signature| to(SealMessage::Signature(signature.clone()))));
    }

    /// Keeps the newest sealed heights for those who ask, and not more open ones than can matter: a seal of a later
    /// height covers them by its header's parents.
    fn prune(&mut self) {
        let sealed = self.heights.values().filter(|seals| seals.seal().is_some()).count();
        let mut surplus = sealed.saturating_sub(SEAL_KEPT_MAX);
        let open = self.heights.values().filter(|seals| seals.is_open()).count();
        let mut open_surplus = open.saturating_sub(SEAL_UNSEALED_MAX);
        self.heights.retain(|_, seals| {
            let counter = match (seals.seal().is_some(), seals.is_open()) {
                (true, _) => &mut surplus,
                (_, true) => &mut open_surplus,
                _ => return true,
            };
            let drop = *counter > 0;
            *counter = counter.saturating_sub(1);
            !drop
        });
    }
}
