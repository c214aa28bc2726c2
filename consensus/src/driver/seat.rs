//! Everything of one height that is not inside the core: bodies and verdicts, proposals at the door,
//! timers, signatures.

use crate::config::Config;
use crate::context::CoreSet;
use crate::driver::event::Effect;
use crate::error::Fatal;
use crate::explain::Explain;
use crate::limits::PROPOSALS_PER_ROUND_MAX;
use crate::reason::NilReason;
use crate::signatures::Signatures;
use crate::timing::Pace;
use rota_types::vote::SignedProposal;
use rota_types::{
    CommitCertificate, Hash, Height, Mark, Slot, SlotProposal, TimestampMs, ValidatorKey,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a signed proposal stands at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DoorState {
    /// Its body is not here yet.
    Waiting,
    /// The core has it.
    Fed,
    /// A fresh proposal whose body names another round: dropped as a message, remembered so that it is
    /// judged once.
    Dropped,
}

/// A verified proposal message.
#[derive(Clone, Debug)]
pub(crate) struct HeldProposal {
    pub(crate) signed: SignedProposal,
    pub(crate) state: DoorState,
}

/// The objective verdict on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Unasked,
    Asked,
    Valid,
    Invalid(NilReason),
}

/// The timely verdict on a fresh proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeliness {
    Unasked,
    Asked,
    Passed,
    Failed(NilReason),
}

/// A value whose body is here.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) body: Arc<SlotProposal>,
    /// Its body is in the log.
    pub(crate) logged: bool,
    pub(crate) judged: Judged,
    pub(crate) timely: Timeliness,
    /// The validity the core was last given.
    pub(crate) given: Option<bool>,
    /// We built it.
    pub(crate) own: bool,
    /// The operator was told that it is committed though invalid.
    pub(crate) alarmed: bool,
}

impl Value {
    pub(crate) fn new(body: SlotProposal) -> Self {
        // A body that breaks a rule of its own bytes does so for everyone.
        let judged = match body.validate() {
            Ok(()) => Judged::Unasked,
            Err(_) => Judged::Invalid(NilReason::Malformed),
        };
        Self {
            body: Arc::new(body),
            logged: false,
            judged,
            timely: Timeliness::Unasked,
            given: None,
            own: false,
            alarmed: false,
        }
    }
}

/// A running timeout of the core, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKind {
    Propose,
    Prevote,
    Precommit,
    Republish,
}

/// Where the round's proposer stands with building.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The core wants a value for this round.
    Wanted { round: u32 },
    /// It was asked for with this slot.
    Asked { round: u32, slot: Slot },
}

/// A proposal others have and we lack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) next_at: TimestampMs,
    pub(crate) tries: usize,
}

/// What lives longer than a height.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) config: Config,
    pub(crate) pace: Pace,
    pub(crate) now: TimestampMs,
    pub(crate) out: Vec<Effect>,
    pub(crate) explain: Explain,
    /// Header ids of the newest executed heights.
    pub(crate) executed: BTreeMap<Height, Hash>,
}

impl Desk {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.out.push(effect);
    }

    pub(crate) fn penalise(&mut self, validator: ValidatorKey, offence: &'static str) {
        self.push(Effect::Penalise { validator, offence });
    }

    /// Header of the executed parent of `height`.
    pub(crate) fn parent_header(&self, height: Height) -> Option<Hash> {
        self.executed.get(&height.prev()).copied()
    }

    /// Whether the parent of the parent of `height` is executed, or anything newer.
    pub(crate) fn grandparent_executed(&self, height: Height) -> bool {
        self.executed.last_key_value().is_some_and(|(newest, _)| *newest >= height.minus(2))
    }
}

/// One height.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) height: Height,
    pub(crate) set: CoreSet,
    pub(crate) parent_slot: Slot,
    /// When round 0 may begin.
    pub(crate) start_at: TimestampMs,
    /// What the guard remembered at the start.
    pub(crate) marks: Vec<Mark>,
    pub(crate) replaying: bool,
    pub(crate) abstaining: bool,
    pub(crate) signatures: Signatures,
    pub(crate) timers: BTreeMap<(TimerKind, u32), TimestampMs>,
    pub(crate) values: BTreeMap<Hash, Value>,
    pub(crate) proposals: BTreeMap<(u32, Hash), HeldProposal>,
    pub(crate) wish: Option<Wish>,
    pub(crate) asks: BTreeMap<(u32, Hash), Ask>,
    pub(crate) answers: BTreeMap<ValidatorKey, u32>,
    /// Digests of votes that we cast, or derived again from the log.
    pub(crate) derived: BTreeSet<Hash>,
    /// Why the nil prevote that the current input causes is nil.
    pub(crate) nil_hint: Option<NilReason>,
    /// Reason of our newest nil prevote, with its round.
    pub(crate) own_reason: Option<(u32, NilReason)>,
    /// Crime found by the effect handler in the current input.
    pub(crate) offence: Option<&'static str>,
    pub(crate) mismatched: BTreeSet<ValidatorKey>,
    pub(crate) mismatch_alarmed: bool,
    pub(crate) reported: BTreeSet<(Hash, Hash)>,
    pub(crate) fatal: Option<Fatal>,
    pub(crate) decided: Option<CommitCertificate>,
    /// The decision was handed out.
    pub(crate) finished: bool,
    /// Time at which something waits that is neither a timer nor the start.
    pub(crate) wake: Option<TimestampMs>,
    pub(crate) pruned_below: u32,
}

impl Seat {
    pub(crate) fn wake_at(&mut self, at: TimestampMs) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Keys of the proposals for a value that the core has, by round.
    pub(crate) fn fed_rounds<'a>(&'a self, id: &'a Hash) -> impl Iterator<Item = u32> + 'a {
        self.proposals
            .iter()
            .filter(move |((_, value), held)| value == id && held.state == DoorState::Fed)
            .map(|((round, _), _)| *round)
    }

    /// Proposals held of a round.
    pub(crate) fn of_round(&self, round: u32) -> impl Iterator<Item = &HeldProposal> {
        self.proposals.range((round, Hash::ZERO)..=(round, Hash([0xff; 32]))).map(|(_, held)| held)
    }

    pub(crate) fn round_is_full(&self, round: u32) -> bool {
        self.of_round(round).count() >= PROPOSALS_PER_ROUND_MAX
    }

    /// Why we prevote nil in `round` when the input itself did not say.
    pub(crate) fn nil_reason(&self, round: u32) -> NilReason {
        if let Some(reason) = self.nil_hint {
            return reason;
        }
        self.of_round(round)
            .filter_map(|held| self.values.get(&held.signed.proposal.value))
            .find_map(|value| match (value.judged, value.timely) {
                (Judged::Invalid(reason), _) | (_, Timeliness::Failed(reason)) => Some(reason),
                _ => None,
            })
            .unwrap_or(NilReason::Locked)
    }
}
