//! What a driver is told, and what it asks for.

use crate::error::Fatal;
use crate::reason::NilReason;
use crate::wire::MessageClass;
use bytes::Bytes;
use rota_types::evidence::Evidence;
use rota_types::{
    CommitCertificate, Hash, Height, Mark, MarkPlace, Round, Slot, SlotProposal, ValidatorKey,
    ValidatorSet, Weight,
};
use std::sync::Arc;

/// Enters a height.
#[derive(Clone, Debug)]
pub struct Start {
    /// The height to decide: one above the newest decided one.
    pub height: Height,
    /// Its validators.
    pub validators: ValidatorSet,
    /// Slot of the decided parent; 0 for height 1, so that the first slot is 1.
    pub parent_slot: Slot,
    /// Entries of this height's write-ahead log in order: after a restart, else empty.
    pub wal: Vec<Bytes>,
    /// What the guard holds of this height: after a restart, else empty. Others may be among them.
    pub marks: Vec<Mark>,
}

/// Final verdict of the objective checks on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Good for ever.
    Valid,
    /// Bad for ever: it must follow from the value and agreed state alone, never from something missing.
    Invalid(NilReason),
}

/// What a driver is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// Enter a height. A height that is not above the current one is ignored.
    Start(Start),
    /// A decided height is executed. Until this came for the parent nothing is built or judged.
    Executed {
        /// The executed height; genesis (0, zero hash) is known from the start.
        height: Height,
        /// Id of its header.
        header_id: Hash,
    },
    /// A frame from the authenticated connection of a validator; its content is hostile.
    Message {
        /// Whose connection.
        from: ValidatorKey,
        /// Which stream.
        class: MessageClass,
        /// The frame.
        bytes: Bytes,
    },
    /// A validator's connection is up: it is sent what it may have missed.
    Connected {
        /// Who.
        validator: ValidatorKey,
    },
    /// Answer to [`Effect::Build`]; one that came too late is ignored.
    Built {
        /// As asked.
        height: Height,
        /// As asked.
        round: Round,
        /// Names that height, round, slot and parent header.
        proposal: SlotProposal,
    },
    /// Answer to [`Effect::Check`], whenever it is known.
    Objective {
        /// The value.
        id: Hash,
        /// Final.
        verdict: Objective,
    },
    /// Answer to [`Effect::CheckTimely`]; one that came after the step is ignored.
    Timely {
        /// The value.
        id: Hash,
        /// As asked.
        round: Round,
        /// What, if anything, the proposer left out.
        verdict: Result<(), NilReason>,
    },
    /// A decided slot from catch-up, for the current height; it is verified here as well.
    Synced {
        /// Proof of the decision.
        certificate: CommitCertificate,
        /// What was decided.
        proposal: SlotProposal,
    },
    /// The deadline passed.
    Tick,
}

/// An alarm for the operator; the driver goes on by the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SafetyAlarm {
    /// Weight above one third executed another parent than we did: it votes for values on another.
    ParentMismatch {
        /// Height of the proposal.
        height: Height,
        /// Parent header we executed, if we did.
        executed: Option<Hash>,
        /// Parent header that the proposal in question names.
        proposed: Option<Hash>,
        /// Who says so.
        validators: Vec<ValidatorKey>,
        /// Their weight.
        weight: Weight,
    },
    /// A quorum committed a value that our objective checks call invalid. It is not decided here.
    CommittedInvalid {
        /// Its height.
        height: Height,
        /// The value.
        value: Hash,
        /// What we hold against it.
        reason: NilReason,
    },
}

/// What a driver asks for. Each step's list begins with its log entries; see [`crate::Driver::step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append to the log of this height, which begins with its first entry; older logs may go once their decision is
    /// in the ledger.
    Wal {
        /// The height.
        height: Height,
        /// What to append.
        entry: Bytes,
    },
    /// Send to every other validator of this height.
    Broadcast {
        /// On which stream.
        class: MessageClass,
        /// The frame.
        bytes: Bytes,
    },
    /// Send to one validator.
    Send {
        /// To whom.
        to: ValidatorKey,
        /// On which stream.
        class: MessageClass,
        /// The frame.
        bytes: Bytes,
    },
    /// Build a proposal that names exactly this.
    Build {
        /// Height to build for.
        height: Height,
        /// Round to build for.
        round: Round,
        /// Slot to fill.
        slot: Slot,
        /// Executed parent.
        parent_header: Hash,
    },
    /// Judge a value objectively; asked once per value (again after a restart). Parent, height and slot
    /// order are already checked.
    Check {
        /// Its id.
        id: Hash,
        /// The value.
        proposal: Arc<SlotProposal>,
        /// Proposer of the round it came in: asked first for what is missing.
        proposer: ValidatorKey,
    },
    /// Judge whether the proposer left something out; asked once, before the first prevote on a fresh proposal.
    /// The slot's window is already checked.
    CheckTimely {
        /// Its id.
        id: Hash,
        /// Round of the prevote.
        round: Round,
        /// The value.
        proposal: Arc<SlotProposal>,
    },
    /// The height is decided. The next input of use is `Start` of the next height.
    Decided {
        /// The value.
        proposal: Arc<SlotProposal>,
        /// Its certificate, verified.
        certificate: CommitCertificate,
    },
    /// Somebody signed two things; verified.
    Evidence(Evidence),
    /// A validator sent what no honest one sends.
    Penalise {
        /// Whose connection it came from.
        validator: ValidatorKey,
        /// The crime.
        offence: &'static str,
    },
    /// We prevote nil; for explain and metrics.
    NilPrevote {
        /// Height of the vote.
        height: Height,
        /// Round of the vote.
        round: Round,
        /// Why.
        reason: NilReason,
    },
    /// The gate refused a signature; nothing was published. Counted.
    Refused {
        /// Where.
        place: MarkPlace,
    },
    /// Replay did not derive a vote that the guard remembers: we do not vote at this height.
    Abstaining {
        /// The height.
        height: Height,
    },
    /// Tell the operator.
    Alarm(SafetyAlarm),
    /// The core refused an input for a reason that is no safety matter: a bug to be logged.
    Fault {
        /// What it said.
        reason: String,
    },
    /// Stop for good: exit 86. The driver answers nothing any more.
    Fatal(Fatal),
}

impl Effect {
    /// Whether it is an entry for the log.
    #[must_use]
    pub const fn is_wal(&self) -> bool {
        matches!(self, Self::Wal { .. })
    }
}
