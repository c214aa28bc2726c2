//! Requests and answers of catch-up: status, slots, seals, batches by digest.
//!
//! A large slot is split over several answers: its batches travel in [`crate::execution::DecidedRecord::transfer_order`],
//! and a request says how many of them it has. Each batch is expected by a digest known before, so any peer can go on
//! where another stopped.

use crate::limits::{CATCHUP_ANSWER_BYTES_MAX, CATCHUP_DIGESTS_MAX, CATCHUP_REQUEST_BYTES_MAX};
use borsh::{BorshDeserialize, BorshSerialize, io};
use bytes::Bytes;
use rota_types::codec::{decode, encode};
use rota_types::status::StatusNonce;
use rota_types::{CommitCertificate, Hash, Height, SealedHeader, SlotProposal, TypesError};

/// Which request protocol a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// [`STATUS_QUESTION`], answered by [`Status`]; or [`attest_question`], answered by a signed status or by nothing.
    Status,
    /// [`SlotsRequest`], answered by [`SlotsAnswer`].
    Slots,
    /// [`BatchesRequest`], answered by [`BatchesAnswer`].
    Batches,
}

/// The status question: one byte, for a transport carries no empty request.
pub const STATUS_QUESTION: [u8; 1] = [1];

/// First byte of [`attest_question`].
const ATTEST: u8 = 2;

/// The question for a status signed over this nonce.
#[must_use]
pub fn attest_question(nonce: &StatusNonce) -> Bytes {
    [&[ATTEST], &nonce[..]].concat().into()
}

/// What a peer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Status {
    /// Highest decided height in its ledger.
    pub decided: Height,
    /// Highest sealed height in its ledger.
    pub sealed: Height,
    /// Lowest height of which it keeps slot and batches.
    pub first_kept: Height,
}

/// A request for decided slots or their seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SlotsRequest {
    /// Slots from a height on.
    Slots {
        /// The first height.
        from: Height,
        /// Batches of that height which are here already, in transfer order.
        skip: u32,
        /// Most bytes of the answer; charged before work.
        bytes_max: u32,
    },
    /// Seals of `count` heights.
    Seals {
        /// The first height.
        from: Height,
        /// How many heights.
        count: u16,
    },
}

/// A buffer that is encoded as a byte vector and stays a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(pub Bytes);

impl BorshSerialize for Frame {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.0.as_ref().serialize(writer)
    }
}

impl BorshDeserialize for Frame {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        Vec::<u8>::deserialize_reader(reader).map(|bytes| Self(bytes.into()))
    }
}

/// The decision of a slot.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SlotHead {
    /// What was decided.
    pub proposal: SlotProposal,
    /// That it was decided.
    pub certificate: CommitCertificate,
}

/// A slot, or a piece of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SlotPart {
    /// The height.
    pub height: Height,
    /// The decision, in the first piece.
    pub head: Option<Box<SlotHead>>,
    /// Batches before this piece, in transfer order.
    pub skip: u32,
    /// Batches of this piece, in transfer order.
    pub frames: Vec<Frame>,
}

/// Answer to a [`SlotsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SlotsAnswer {
    /// The asker has used up its share: come again.
    Busy {
        /// After this many milliseconds.
        retry_ms: u32,
    },
    /// Slots in order of height; possibly none.
    Slots {
        /// What the peer has now.
        status: Status,
        /// The pieces.
        parts: Vec<SlotPart>,
    },
    /// Seals with their headers in order of height; heights without one are left out.
    Seals {
        /// What the peer has now.
        status: Status,
        /// The seals.
        seals: Vec<SealedHeader>,
    },
}

/// A request for batches by header digest.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BatchesRequest {
    /// The digests wanted.
    pub digests: Vec<Hash>,
}

/// Answer to a [`BatchesRequest`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum BatchesAnswer {
    /// The asker has used up its share: come again.
    Busy {
        /// After this many milliseconds.
        retry_ms: u32,
    },
    /// The frames that are here and fit, in any order.
    Batches(Vec<Frame>),
}

/// A decoded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Of [`Protocol::Status`].
    Status,
    /// Of [`Protocol::Status`]: signed over this nonce.
    Attest(StatusNonce),
    /// Of [`Protocol::Slots`].
    Slots(SlotsRequest),
    /// Of [`Protocol::Batches`].
    Batches(BatchesRequest),
}

impl Request {
    /// Decodes a request.
    ///
    /// # Errors
    /// [`TypesError`]: all of them are the asker's fault.
    pub fn from_bytes(protocol: Protocol, bytes: &[u8]) -> Result<Self, TypesError> {
        match protocol {
            Protocol::Status => match bytes.split_first() {
                Some((first, [])) if [*first] == STATUS_QUESTION => Ok(Self::Status),
                Some((&ATTEST, nonce)) => nonce
                    .try_into()
                    .map(Self::Attest)
                    .map_err(|_| TypesError::Mismatch { what: "nonce of a status question" }),
                _ => Err(TypesError::Mismatch { what: "status question" }),
            },
            Protocol::Slots => decode(bytes, CATCHUP_REQUEST_BYTES_MAX).map(Self::Slots),
            Protocol::Batches => {
                let request: BatchesRequest = decode(bytes, CATCHUP_REQUEST_BYTES_MAX)?;
                let found = request.digests.len();
                if found > CATCHUP_DIGESTS_MAX {
                    let limit = CATCHUP_DIGESTS_MAX;
                    return Err(TypesError::TooMany { what: "digests", limit, found });
                }
                Ok(Self::Batches(request))
            }
        }
    }
}

/// Encodes a request or an answer.
pub(super) fn bytes_of<T: BorshSerialize>(message: &T) -> Bytes {
    encode(message).into()
}

/// Decodes an answer of at most [`CATCHUP_ANSWER_BYTES_MAX`] bytes.
pub(super) fn answer_of<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, TypesError> {
    decode(bytes, CATCHUP_ANSWER_BYTES_MAX)
}
