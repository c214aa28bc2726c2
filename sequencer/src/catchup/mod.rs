//! Catch-up: a node that is behind asks for decided slots by range, verifies each piece, and only then stores it.
//!
//! ```text
//! peers ──Status──► who has more ──SlotsRequest──► pieces ──verify by the set we know──► Apply(DecidedSlot)
//!                                └─SealsRequest──► seals of heights executed here ─────► ApplySeal
//! Want(digest) ──BatchesRequest──► Body(batch)
//! ```
//!
//! Owns which peer is asked for what, deadlines and retries. A peer that lies is banned; one that is slow or busy is
//! rotated. It stores nothing: the shell writes what [`Effect::Apply`] gives to the ledger, executes it, and reports
//! [`Event::Executed`]. Peers are numbers that the shell gives them. Serving others is [`answer`], charged by [`Budgets`].

mod bodies;
mod client;
mod intake;
mod peers;
mod serve;
mod wire;

pub use intake::IntakeFault;
pub use serve::{Budgets, SlotSource, answer};
pub use wire::{
    BatchesAnswer, BatchesRequest, Frame, Protocol, Request, STATUS_QUESTION, SlotHead, SlotPart,
    SlotsAnswer, SlotsRequest, Status, attest_question,
};

use crate::batch::Batch;
use crate::execution::{DecidedSlot, DecidedTips};
use crate::limits::{
    CATCHUP_ANSWER_MS_MAX, CATCHUP_SHORT_ANSWER_MS_MAX, CATCHUP_SLOW_DIVISOR, CATCHUP_UNSEALED_MAX,
};
use bodies::Bodies;
use bytes::Bytes;
use intake::Intake;
use peers::Peers;
use rota_types::{Hash, Height, SealedHeader, Slot, SlotProposal, TimestampMs, ValidatorSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a node's catch-up needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network.
    pub chain_id: u64,
    /// The set that decides and seals.
    pub validators: ValidatorSet,
    /// How often peers are asked for their status, in milliseconds.
    pub poll_ms: u64,
    /// How long one height behind is left to consensus, in milliseconds; two and more are asked for at once.
    pub grace_ms: u64,
}

impl Config {
    /// A full node: it learns every slot this way, so it asks often and waits for nothing.
    #[must_use]
    pub fn full_node(chain_id: u64, validators: ValidatorSet, slot_ms: u64) -> Self {
        Self { chain_id, validators, poll_ms: (slot_ms / 10).max(200), grace_ms: 0 }
    }

    /// A validator: consensus brings it the slots; it asks when it fell behind.
    #[must_use]
    pub fn validator(chain_id: u64, validators: ValidatorSet, slot_ms: u64) -> Self {
        Self { chain_id, validators, poll_ms: slot_ms.max(500), grace_ms: (slot_ms / 8).max(250) }
    }
}

/// Where the node stands when it starts.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Highest decided height in the ledger.
    pub decided: Height,
    /// Its slot.
    pub slot: Slot,
    /// Tips after it.
    pub tips: DecidedTips,
    /// Highest executed height.
    pub executed: Height,
    /// Executed heights without a seal, with their header ids; only the newest are remembered.
    pub unsealed: Vec<(Height, Hash)>,
}

/// An event for catch-up.
#[derive(Clone, Debug)]
pub enum Event {
    /// A peer is here.
    Connected {
        /// Which.
        peer: u64,
        /// Whether it proved to be a validator: it always has a place. The shell names one peer for each.
        validator: bool,
    },
    /// A peer is gone.
    Disconnected {
        /// Which.
        peer: u64,
    },
    /// The answer to a request.
    Answer {
        /// The request.
        id: u64,
        /// The bytes, not looked at.
        bytes: Bytes,
    },
    /// A request failed: refused, timed out, connection lost.
    Failed {
        /// The request.
        id: u64,
    },
    /// Consensus decided a height here. Heights that came by [`Effect::Apply`] may be reported too.
    Decided {
        /// The proposal.
        proposal: Arc<SlotProposal>,
    },
    /// A height was executed here.
    Executed {
        /// The height.
        height: Height,
        /// Id of its header.
        header_id: Hash,
    },
    /// A height is sealed here.
    Sealed {
        /// The height.
        height: Height,
    },
    /// A body that is needed ([`crate::execution::Missing`]).
    Want {
        /// Digest of its header.
        digest: Hash,
        /// Peers that are said to hold it; empty: any.
        holders: Vec<u64>,
    },
    /// A body that is no longer needed.
    Have {
        /// Digest of its header.
        digest: Hash,
    },
    /// The deadline was reached.
    Tick,
}

/// What is to be done, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask a peer; report [`Event::Answer`] or [`Event::Failed`] with this id.
    Request {
        /// Whom.
        peer: u64,
        /// Number of the request.
        id: u64,
        /// By which protocol.
        protocol: Protocol,
        /// The request.
        bytes: Bytes,
    },
    /// A verified slot, the next after the last decided: store it, then execute it.
    Apply(Box<DecidedSlot>),
    /// A verified seal of a height executed here, for [`crate::seals::Event::Known`].
    ApplySeal {
        /// The seal with the header it is over, which may be another than ours.
        sealed: Box<SealedHeader>,
    },
    /// A body that was wanted, hashed and checked.
    Body(Arc<Batch>),
    /// The peer lied.
    Ban {
        /// Which.
        peer: u64,
        /// How.
        fault: IntakeFault,
    },
    /// A quorum decided what does not follow this node's slots.
    SafetyAlarm(IntakeFault),
}

/// What a request in flight is for.
#[derive(Clone, Debug)]
enum Purpose {
    Status,
    Slots,
    /// Seals of the heights below this one.
    Seals(Height),
    Bodies(Vec<Hash>),
}

#[derive(Clone, Debug)]
struct InFlight {
    peer: u64,
    purpose: Purpose,
    /// An answer after this is slow.
    slow_after: TimestampMs,
    deadline: TimestampMs,
}

/// The asking side.
#[derive(Clone, Debug)]
pub struct CatchUp {
    config: Config,
    decided: Height,
    slot: Slot,
    tips: DecidedTips,
    executed: Height,
    /// The newest executed heights without a seal.
    unsealed: BTreeMap<Height, Hash>,
    /// Since when a peer is known to be ahead.
    behind_since: Option<TimestampMs>,
    /// Seals are asked for from here on, then again from the lowest.
    seal_cursor: Height,
    seals_rest_until: TimestampMs,
    /// When to try again what could not be asked.
    retry_at: Option<TimestampMs>,
    intake: Option<Intake>,
    /// Set by a divergence: nothing more is asked for.
    halted: bool,
    bodies: Bodies,
    peers: Peers,
    in_flight: BTreeMap<u64, InFlight>,
    next_id: u64,
}

impl CatchUp {
    /// A node that stands at `start`.
    #[must_use]
    pub fn new(config: Config, start: Start) -> Self {
        let Start { decided, slot, tips, executed, unsealed } = start;
        let mut catch_up = Self {
            config,
            decided,
            slot,
            tips,
            executed,
            unsealed: unsealed.into_iter().collect(),
            behind_since: None,
            seal_cursor: Height::GENESIS,
            seals_rest_until: TimestampMs(0),
            retry_at: None,
            intake: None,
            halted: false,
            bodies: Bodies::default(),
            peers: Peers::default(),
            in_flight: BTreeMap::new(),
            next_id: 0,
        };
        catch_up.forget_old_unsealed();
        catch_up
    }

    /// Highest decided height, by consensus or by catch-up.
    #[must_use]
    pub const fn decided(&self) -> Height {
        self.decided
    }

    /// Highest decided height that a peer claims; for `syncStatus`.
    #[must_use]
    pub fn highest(&self) -> Height {
        self.peers.highest_decided().max(self.decided)
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<TimestampMs> {
        let requests = self.in_flight.values().map(|request| request.deadline).min();
        [requests, self.peers.next_poll(), self.retry_at].into_iter().flatten().min()
    }

    /// Takes one event.
    pub fn step(&mut self, now: TimestampMs, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Connected { peer, validator } => self.peers.connect(peer, validator, now),
            Event::Disconnected { peer } => self.lose(peer),
            Event::Answer { id, bytes } => self.answered(now, id, &bytes, &mut effects),
            Event::Failed { id } => self.failed(now, id),
            Event::Decided { proposal } => self.decide(&proposal),
            Event::Executed { height, header_id } => {
                self.executed = self.executed.max(height);
                self.unsealed.insert(height, header_id);
                self.forget_old_unsealed();
            }
            Event::Sealed { height } => {
                self.unsealed.remove(&height);
            }
            Event::Want { digest, holders } => {
                // One that is not here cannot be asked, so it must not keep others from being asked.
                let here = holders.into_iter().filter(|holder| self.peers.contains(*holder));
                self.bodies.want(digest, here);
            }
            Event::Have { digest } => {
                self.bodies.have(&digest);
            }
            Event::Tick => {}
        }
        let late: Vec<u64> = self
            .in_flight
            .iter()
            .filter(|(_, request)| request.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.failed(now, id);
        }
        self.plan(now, &mut effects);
        effects
    }

    /// Moves the end of what is decided here.
    fn decide(&mut self, proposal: &SlotProposal) {
        if proposal.height != self.decided.next() {
            return;
        }
        self.decided = proposal.height;
        self.slot = proposal.slot;
        self.tips.advance(proposal);
        self.behind_since = None;
        if self.intake.as_ref().is_some_and(|intake| intake.height() <= self.decided) {
            self.intake = None;
        }
    }

    fn forget_old_unsealed(&mut self) {
        while self.unsealed.len() > CATCHUP_UNSEALED_MAX {
            self.unsealed.pop_first();
        }
    }

    fn lose(&mut self, peer: u64) {
        self.peers.disconnect(peer);
        for request in self.in_flight.values().filter(|request| request.peer == peer) {
            if let Purpose::Bodies(digests) = &request.purpose {
                self.bodies.ended(peer, digests);
            }
        }
        self.in_flight.retain(|_, request| request.peer != peer);
        self.bodies.lose(peer);
    }

    fn ask<T: borsh::BorshSerialize>(
        &mut self,
        now: TimestampMs,
        peer: u64,
        purpose: Purpose,
        request: &T,
        effects: &mut Vec<Effect>,
    ) {
        let protocol = match purpose {
            Purpose::Status => Protocol::Status,
            Purpose::Slots | Purpose::Seals(_) => Protocol::Slots,
            Purpose::Bodies(_) => Protocol::Batches,
        };
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let patience = match purpose {
            Purpose::Slots => CATCHUP_ANSWER_MS_MAX,
            Purpose::Status | Purpose::Seals(_) | Purpose::Bodies(_) => CATCHUP_SHORT_ANSWER_MS_MAX,
        };
        let deadline = now.plus(patience);
        let slow_after = now.plus(patience / CATCHUP_SLOW_DIVISOR);
        self.in_flight.insert(id, InFlight { peer, purpose, slow_after, deadline });
        let bytes = wire::bytes_of(request);
        effects.push(Effect::Request { peer, id, protocol, bytes });
    }
}
