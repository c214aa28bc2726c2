//! What goes into a node's core and what comes out.

use crate::guard::{Floor, GuardRecord};
use bytes::Bytes;
use rota_sequencer::Batch;
use rota_sequencer::execution::{DecidedSlot, ExecutedSlot};
use rota_types::receipt::SignedReceipt;
use rota_types::{
    Hash, Height, LanePosition, Refusal, Round, Seal, Slot, SlotHeader, TransactionList,
    TypesError, ValidatorKey,
};
use std::sync::Arc;

/// Stream class of a frame between validators, as [`rota_p2p::Class`] has it; batches come parsed instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameClass {
    /// Consensus votes.
    Votes,
    /// Acknowledgements, certificates, seals.
    Certificates,
    /// Proposals.
    Proposals,
}

/// A parsed gossip bundle, or what is wrong with its bytes.
pub type Bundle = Result<TransactionList, TypesError>;

/// An event for the core.
#[derive(Debug)]
pub enum Input {
    /// A deadline was reached.
    Tick,
    /// Transactions from a door, to stand in one own batch; answered under the token.
    Submit {
        /// Answered with [`Effect::Receipt`] or [`Effect::Refuse`].
        token: u64,
        /// Parsed and hashed.
        list: TransactionList,
    },
    /// A gossip bundle; answered with [`Effect::GossipVerdict`].
    Gossip {
        /// The verdict's token.
        token: u64,
        /// Who passed it on, as the shell numbers peers.
        peer: u64,
        /// The bundle.
        bundle: Bundle,
    },
    /// A batch whose body and signature were checked on another thread.
    Batch {
        /// Who sent it.
        from: ValidatorKey,
        /// The batch.
        batch: Arc<Batch>,
    },
    /// A frame from a validator's authenticated stream; its content is hostile.
    Frame {
        /// Whose stream.
        from: ValidatorKey,
        /// Which stream.
        class: FrameClass,
        /// The frame.
        bytes: Bytes,
    },
    /// A validator's streams are open.
    Connected {
        /// Which.
        validator: ValidatorKey,
    },
    /// A validator's streams are closed.
    Disconnected {
        /// Which.
        validator: ValidatorKey,
    },
    /// A peer that may be asked is there.
    PeerUp {
        /// Its number.
        peer: u64,
        /// Whether it proved a validator key.
        validator: Option<ValidatorKey>,
    },
    /// It is gone.
    PeerDown {
        /// Its number.
        peer: u64,
    },
    /// Answer to [`Effect::Ask`], or that there was none.
    Answer {
        /// Number of the question.
        question: u64,
        /// The answer's bytes; `None` for a failure or a time-out.
        bytes: Option<Bytes>,
    },
    /// A slot was executed.
    Executed {
        /// The outcome.
        executed: Box<ExecutedSlot>,
        /// The state after it, when a checkpoint is due.
        checkpoint: Option<Bytes>,
    },
    /// Execution refused a decided slot: the node cannot go on.
    ExecutionFailed {
        /// Why.
        reason: String,
    },
}

/// Which question the catch-up asks a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskProtocol {
    /// How far it is.
    Status,
    /// A range of slots, or seals.
    Slots,
    /// Batches by digest.
    Batches,
}

/// What the shell does for the core. Durable ones come first in a step's list; nothing after them leaves the machine
/// before they are synced.
#[derive(Debug)]
pub enum Effect {
    /// Ledger: a batch.
    StoreBatch(Arc<Batch>),
    /// Ledger: a decided slot, after its batches.
    StoreDecided {
        /// Height.
        height: Height,
        /// Digests of its batches, lane by lane.
        batches: Vec<Hash>,
        /// Encoded record.
        record: Bytes,
    },
    /// Ledger: the outcome of a slot.
    StoreExecuted {
        /// Height.
        height: Height,
        /// Encoded record.
        record: Bytes,
    },
    /// Ledger: the seal of a height.
    StoreSeal {
        /// Height.
        height: Height,
        /// Encoded header and seal.
        seal: Bytes,
    },
    /// Ledger: the state after a height.
    StoreCheckpoint {
        /// Height.
        height: Height,
        /// Encoded state.
        state: Bytes,
    },
    /// Write-ahead log of a height.
    Wal {
        /// Height.
        height: Height,
        /// Encoded entry.
        entry: Bytes,
    },
    /// Guard: a mark or a floor.
    Guard(GuardRecord),
    /// Send a frame to one validator.
    Send {
        /// To whom.
        to: ValidatorKey,
        /// Which stream.
        class: FrameClass,
        /// The frame.
        bytes: Bytes,
    },
    /// Send a frame to all connected validators.
    Broadcast {
        /// Which stream.
        class: FrameClass,
        /// The frame.
        bytes: Bytes,
    },
    /// Send a batch to all connected validators, or to one.
    SendBatch {
        /// To whom; `None` for all.
        to: Option<ValidatorKey>,
        /// The frame.
        frame: Bytes,
    },
    /// Send a batch that only the ledger holds.
    SendStored {
        /// To whom.
        to: ValidatorKey,
        /// Its header's digest.
        digest: Hash,
    },
    /// Give a batch back as [`Input::Batch`], if the own ledger holds it.
    LoadBatch {
        /// Its header's digest.
        digest: Hash,
    },
    /// Answer a submission.
    Receipt {
        /// Its token.
        token: u64,
        /// The receipt.
        receipt: Box<SignedReceipt>,
    },
    /// Refuse a submission.
    Refuse {
        /// Its token.
        token: u64,
        /// Why.
        refusal: Refusal,
        /// When to try again, where that helps.
        retry_ms: Option<u64>,
    },
    /// Tell gossip what to do with a bundle.
    GossipVerdict {
        /// Its token.
        token: u64,
        /// What to do.
        verdict: rota_p2p::Verdict,
    },
    /// Execute a decided slot, in order.
    Execute(Box<DecidedSlot>),
    /// Ask a peer; answered with [`Input::Answer`].
    Ask {
        /// Whom.
        peer: u64,
        /// Number of the question.
        question: u64,
        /// Which protocol.
        protocol: AskProtocol,
        /// The question.
        bytes: Bytes,
    },
    /// A peer lied: cut it off.
    BanPeer {
        /// Whom.
        peer: u64,
        /// What it did.
        reason: String,
    },
    /// A validator sent what no honest one sends.
    Penalise {
        /// Whom.
        validator: ValidatorKey,
        /// What it did.
        offence: String,
    },
    /// Give a bundle to gossip.
    Publish {
        /// A list of transactions.
        bundle: Bytes,
    },
    /// The lines of a rejoin are known: make the guard of the key with these floors, and start again with it.
    Rejoined {
        /// All of them, to be durable at once.
        floors: Vec<Floor>,
    },
    /// Something people and clients wait for.
    Notice(Notice),
    /// The node can no longer be safe: stop signing, flush, exit 86.
    Fatal {
        /// What could no longer be held.
        reason: String,
    },
}

impl Effect {
    /// Whether it goes out on a stream between validators.
    #[must_use]
    pub const fn is_direct(&self) -> bool {
        matches!(
            self,
            Self::Send { .. }
                | Self::Broadcast { .. }
                | Self::SendBatch { .. }
                | Self::SendStored { .. }
        )
    }
}

/// Progress, for streams, waiters, metrics and the log.
#[derive(Debug)]
pub enum Notice {
    /// A batch of this node is durable and sent.
    Authored {
        /// Its place.
        position: LanePosition,
        /// Its header's digest.
        digest: Hash,
        /// Its transactions.
        txs: u64,
    },
    /// A lane is certified up to here.
    Certified {
        /// The place.
        position: LanePosition,
    },
    /// A slot is decided and durable.
    Ordered {
        /// Its height.
        height: Height,
        /// Its slot.
        slot: Slot,
        /// Round of the decision.
        round: Round,
        /// Places of the cut.
        tips: Vec<LanePosition>,
    },
    /// A slot is executed.
    Executed(Box<ExecutedSlot>),
    /// A slot is sealed and the seal durable.
    Sealed {
        /// Its height.
        height: Height,
        /// The header.
        header: Box<SlotHeader>,
        /// The seal.
        seal: Box<Seal>,
    },
    /// This node prevoted nil.
    NilVote {
        /// Height.
        height: Height,
        /// Round.
        round: Round,
        /// Why.
        reason: String,
    },
    /// The guard refused a signature.
    GuardRefused,
    /// A validator was caught signing two things.
    Evidence {
        /// Who.
        culprit: ValidatorKey,
        /// The evidence, for people.
        what: String,
    },
    /// Enough validators said how far they are: this node may sign once this height is executed here.
    RejoinTarget {
        /// The height.
        height: Height,
    },
    /// The node leaves part of its work undone, for a reason that it knows and that ends.
    Halted {
        /// What, and why.
        what: String,
    },
    /// Tell the operator; the node goes on.
    Alarm {
        /// What happened.
        what: String,
    },
}
