//! What goes into the lanes and what comes out.

use super::wire::LaneMessage;
use crate::batch::Batch;
use crate::lane_view::LaneTip;
use rota_types::evidence::Evidence;
use rota_types::receipt::SignedReceipt;
use rota_types::{
    CutEntry, Genesis, Hash, Incarnation, LanePosition, Mark, Refusal, Seq, TransactionList,
    ValidatorKey,
};
use std::sync::Arc;

/// State of one lane that the executed parent fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneTerms {
    /// Incarnation in force; the tip's own may be older.
    pub incarnation: Incarnation,
    /// Whether the lane takes no batches.
    pub closed: bool,
    /// The lane's share of a slot in bytes.
    pub slot_bytes_max: u64,
    /// The lane's share of a slot in transactions.
    pub slot_txs_max: u64,
    /// End of what is executed of the lane.
    pub tip: LaneTip,
}

impl LaneTerms {
    /// Terms of all lanes before the first height.
    #[must_use]
    pub fn at_genesis(genesis: &Genesis) -> Vec<Self> {
        let terms = |lane| Self {
            incarnation: Incarnation(0),
            closed: false,
            slot_bytes_max: genesis.lane_slot_bytes_max(),
            slot_txs_max: genesis.lane_slot_txs_max(),
            tip: LaneTip {
                position: LanePosition { lane, incarnation: Incarnation(0), seq: Seq(0) },
                digest: Hash::ZERO,
                cumulative_bytes: 0,
                cumulative_txs: 0,
            },
        };
        genesis.validators.iter().map(|validator| terms(validator.key)).collect()
    }
}

/// What a restart gives back, from ledger and guard.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Terms by the last executed height.
    pub terms: Vec<LaneTerms>,
    /// Tips decided but not executed yet, if any.
    pub decided: Vec<LaneTip>,
    /// Stored batches above the tips, own and others', in any order.
    pub batches: Vec<Arc<Batch>>,
    /// Marks that the guard still keeps: of own batches, and of acknowledgements of stored ones.
    pub marks: Vec<Mark>,
    /// The own lane is closed up to and with this incarnation: what was signed in it is lost with an older guard.
    pub own_closed: Option<Incarnation>,
}

/// Who gave a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client that waits for a receipt under this token.
    Client(u64),
    /// The mempool; nobody waits, and what the lane holds already is left out.
    Pool,
}

/// An event for the lanes.
#[derive(Clone, Debug)]
pub enum Event {
    /// First event of a run; before it nothing is taken.
    Recovered(Box<Recovered>),
    /// Admitted transactions that must stand contiguously in one own batch.
    Submit {
        /// Who gave them.
        origin: Origin,
        /// The transactions, at most one batch body.
        list: TransactionList,
    },
    /// A batch whose body and author's signature were checked ([`Batch::from_frame`]).
    Batch {
        /// Who sent it.
        from: ValidatorKey,
        /// The batch.
        batch: Arc<Batch>,
    },
    /// A message of class *certificates*.
    Message {
        /// Who sent it.
        from: ValidatorKey,
        /// The message.
        message: LaneMessage,
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
    /// A height was decided: tips of the lanes that it moves.
    Decided {
        /// New tips.
        tips: Vec<LaneTip>,
    },
    /// Transactions that a slot ordered. To be told before the slot's [`Event::Executed`], which may seal what waits.
    Ordered {
        /// The first 16 bytes of their ids.
        prefixes: Vec<[u8; 16]>,
    },
    /// A height was executed: terms of all lanes after it.
    Executed {
        /// Terms.
        terms: Vec<LaneTerms>,
    },
    /// A cut entry that no certificate held here covers: ask for one.
    Want {
        /// The entry.
        entry: CutEntry,
        /// Whom to ask: the proposer, or a validator that prevoted it.
        from: ValidatorKey,
    },
    /// The deadline of a slot: tell these proposers the newest certified places.
    ShareTips {
        /// Proposers of the current and the next rounds.
        to: Vec<ValidatorKey>,
    },
    /// A deadline was reached.
    Tick,
}

/// Stream class of an outgoing message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// [`LaneMessage`]s.
    Certificates,
    /// [`Batch`] frames.
    Batches,
}

/// What a validator did wrong, provable by what it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Offence {
    /// An acknowledgement that does not verify or is for another batch.
    #[error("bad acknowledgement")]
    BadAck,
    /// A certificate that does not verify.
    #[error("bad certificate")]
    BadCertificate,
    /// A header that does not verify.
    #[error("bad batch header")]
    BadHeader,
    /// A batch whose sums do not follow from its parent.
    #[error("bad batch")]
    BadBatch,
    /// A message that only another validator may send.
    #[error("a message in another's name")]
    NotTheirs,
}

/// Why the own lane takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// A marked own batch is neither in the ledger nor came from a peer yet.
    #[error("own batch {0} was signed but is not in the ledger: it is asked for")]
    MissingOwnBatch(Seq),
    /// What was signed in the incarnation in force is not known any more.
    #[error("the own lane waits for incarnation {0}, ordered by a system operation")]
    AwaitsIncarnation(Incarnation),
    /// The guard refused to sign a batch.
    #[error("the guard refused own batch {0}")]
    GuardRefused(Seq),
    /// The decided tip of the own lane is not the batch that this node made.
    #[error("own batch {0} was decided with another content")]
    ForeignTip(Seq),
}

/// What the shell does for the lanes, in order: a [`Effect::Store`] is durable before any later effect
/// leaves the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append to the ledger. Also says which transactions are in a stored batch.
    Store(Arc<Batch>),
    /// Send to one validator.
    Send {
        /// To whom.
        to: ValidatorKey,
        /// Stream class.
        class: Class,
        /// Frame.
        bytes: bytes::Bytes,
    },
    /// Send a stored batch that is no longer in memory to one validator: read it from the ledger.
    SendStored {
        /// To whom.
        to: ValidatorKey,
        /// Digest of its header.
        digest: Hash,
    },
    /// Send to all connected validators.
    Broadcast {
        /// Stream class.
        class: Class,
        /// Frame.
        bytes: bytes::Bytes,
    },
    /// Answer a client.
    Receipt {
        /// Its token.
        token: u64,
        /// The receipt.
        receipt: Box<SignedReceipt>,
    },
    /// Refuse a client's submission.
    Refuse {
        /// Its token.
        token: u64,
        /// Why.
        refusal: Refusal,
        /// When to try again, where that helps.
        retry_ms: Option<u64>,
    },
    /// A lane is certified up to here.
    Certified {
        /// The place.
        position: LanePosition,
        /// Digest of the header there.
        digest: Hash,
    },
    /// Get a batch of the own lane by its digest from any validator and give it back as [`Event::Batch`]. Said once:
    /// whoever gets it goes on trying.
    Fetch {
        /// Digest of its header.
        digest: Hash,
    },
    /// What [`Effect::Fetch`] asked for is no longer needed.
    Unneeded {
        /// Digest of its header.
        digest: Hash,
    },
    /// Proof of a fault, for the next proposal.
    Evidence(Box<Evidence>),
    /// A validator sent something wrong.
    Penalise {
        /// Who.
        validator: ValidatorKey,
        /// What.
        offence: Offence,
    },
    /// The guard gave no signature; counted, the node goes on.
    SignRefused {
        /// The place asked for.
        mark: Mark,
    },
    /// The own lane takes nothing from now on, and why.
    Halted(Halt),
    /// The own key signed a batch that this node did not make: stop signing, exit 86.
    KeyUsedElsewhere(Box<Evidence>),
}
