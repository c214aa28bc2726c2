//! The serving side: what is asked is charged in bytes before any work is done.

use super::wire::{
    BatchesAnswer, BatchesRequest, Frame, Request, SlotHead, SlotPart, SlotsAnswer, SlotsRequest,
    Status, bytes_of,
};
use crate::execution::DecidedRecord;
use crate::limits::{
    CATCHUP_ANSWER_BYTES_MAX, CATCHUP_SEALS_MAX, CATCHUP_SLOTS_MAX, DECIDED_RECORD_BYTES_MAX,
    SEAL_MESSAGE_BYTES_MAX, SERVE_BURST_BYTES, SERVE_BYTES_PER_MS, SERVE_PEERS_MAX,
    SERVE_REQUEST_COST_BYTES,
};
use crate::order::count;
use bytes::Bytes;
use rota_types::limits::{
    BATCH_BODY_BYTES_MAX, BATCH_HEADER_BYTES_MAX, COMMIT_CERTIFICATE_BYTES_MAX,
    SLOT_PROPOSAL_BYTES_MAX,
};
use rota_types::status::StatusNonce;
use rota_types::{Hash, Height, SealedHeader, SignedStatus, TimestampMs};
use std::collections::BTreeMap;

/// Read access to the ledger.
pub trait SlotSource {
    /// What is here.
    fn status(&self) -> Status;
    /// The decision at a height.
    fn decided(&self, height: Height) -> Option<DecidedRecord>;
    /// The seal of a height, with the header executed here.
    fn sealed(&self, height: Height) -> Option<SealedHeader>;
    /// A stored batch ([`crate::Batch::frame`]) by its header's digest.
    fn frame(&self, digest: &Hash) -> Option<Bytes>;
    /// The newest decided height, signed over a nonce, with its certificate. `None` from whoever does not sign, and from
    /// whoever signed above that height: a ledger that lost its end must not say less than it knew.
    fn attest(&self, nonce: &StatusNonce) -> Option<SignedStatus>;
}

#[derive(Clone, Copy, Debug)]
struct Budget {
    bytes: u64,
    at: TimestampMs,
}

/// Shares of the peers that ask.
#[derive(Clone, Debug, Default)]
pub struct Budgets {
    peers: BTreeMap<u64, Budget>,
}

impl Budgets {
    /// No peer has asked yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { peers: BTreeMap::new() }
    }

    /// Charges a peer for what it asks, before it is answered. Refused: the answer to send instead.
    ///
    /// # Errors
    /// The encoded `Busy` answer, with the time after which the share suffices.
    pub fn charge(&mut self, now: TimestampMs, peer: u64, request: &Request) -> Result<(), Bytes> {
        let cost = cost(request);
        if self.peers.len() >= SERVE_PEERS_MAX && !self.peers.contains_key(&peer) {
            self.peers.retain(|_, budget| refilled(budget, now) < SERVE_BURST_BYTES);
        }
        let full = self.peers.len() >= SERVE_PEERS_MAX && !self.peers.contains_key(&peer);
        let fresh = Budget { bytes: SERVE_BURST_BYTES, at: now };
        let budget = self.peers.get(&peer).copied().unwrap_or(fresh);
        let held = if full { 0 } else { refilled(&budget, now) };
        if let Some(bytes) = held.checked_sub(cost) {
            self.peers.insert(peer, Budget { bytes, at: now });
            return Ok(());
        }
        let lacking = cost.saturating_sub(held);
        let retry_ms = lacking.checked_div(SERVE_BYTES_PER_MS).unwrap_or(0).saturating_add(1);
        let retry_ms = u32::try_from(retry_ms).unwrap_or(u32::MAX);
        Err(match request {
            Request::Status | Request::Attest(_) => Bytes::new(),
            Request::Slots(_) => bytes_of(&SlotsAnswer::Busy { retry_ms }),
            Request::Batches(_) => bytes_of(&BatchesAnswer::Busy { retry_ms }),
        })
    }

    /// Gives back what was charged and not sent.
    pub fn refund(&mut self, peer: u64, request: &Request, sent: usize) {
        let unused = cost(request).saturating_sub(count(sent).max(SERVE_REQUEST_COST_BYTES));
        if let Some(budget) = self.peers.get_mut(&peer) {
            budget.bytes = budget.bytes.saturating_add(unused).min(SERVE_BURST_BYTES);
        }
    }

    /// Forgets a peer that is gone for good; one that comes back soon keeps its debts.
    pub fn forget(&mut self, peer: u64) {
        self.peers.remove(&peer);
    }
}

fn refilled(budget: &Budget, now: TimestampMs) -> u64 {
    let gained = now.0.saturating_sub(budget.at.0).saturating_mul(SERVE_BYTES_PER_MS);
    budget.bytes.saturating_add(gained).min(SERVE_BURST_BYTES)
}

/// What a request may cost, in bytes.
fn cost(request: &Request) -> u64 {
    let asked = match request {
        Request::Status => 0,
        Request::Attest(_) => count(DECIDED_RECORD_BYTES_MAX / 64),
        Request::Slots(SlotsRequest::Slots { bytes_max, .. }) => {
            u64::from(*bytes_max).min(count(CATCHUP_ANSWER_BYTES_MAX))
        }
        Request::Slots(SlotsRequest::Seals { count: heights, .. }) => {
            u64::from(*heights).saturating_mul(count(SEAL_MESSAGE_BYTES_MAX))
        }
        Request::Batches(request) => {
            count(request.digests.len()).saturating_mul(count(BATCH_BODY_BYTES_MAX))
        }
    };
    asked.saturating_add(SERVE_REQUEST_COST_BYTES)
}

/// Answers a request that was charged. Pure but for reading the source: any thread may run it.
#[must_use]
pub fn answer(request: &Request, source: &dyn SlotSource) -> Bytes {
    match request {
        Request::Status => bytes_of(&source.status()),
        Request::Attest(nonce) => source.attest(nonce).map_or_else(Bytes::new, |s| bytes_of(&s)),
        Request::Slots(SlotsRequest::Slots { from, skip, bytes_max }) => {
            let asked = usize::try_from(*bytes_max).unwrap_or(usize::MAX);
            let parts = slots(*from, *skip, asked.min(CATCHUP_ANSWER_BYTES_MAX), source);
            bytes_of(&SlotsAnswer::Slots { status: source.status(), parts })
        }
        Request::Slots(SlotsRequest::Seals { from, count }) => {
            let heights = (0..u64::from((*count).min(CATCHUP_SEALS_MAX))).map(|i| from.plus(i));
            let seals = heights.filter_map(|height| source.sealed(height));
            bytes_of(&SlotsAnswer::Seals { seals: seals.collect(), status: source.status() })
        }
        Request::Batches(BatchesRequest { digests }) => {
            let mut room = CATCHUP_ANSWER_BYTES_MAX.saturating_sub(64);
            let mut frames = Vec::new();
            for frame in digests.iter().filter_map(|digest| source.frame(digest)) {
                let Some(left) = room.checked_sub(frame.len().saturating_add(4)) else { break };
                room = left;
                frames.push(Frame(frame));
            }
            bytes_of(&BatchesAnswer::Batches(frames))
        }
    }
}

/// Bytes of a piece without its frames.
const PART_BYTES_MAX: usize = SLOT_PROPOSAL_BYTES_MAX + COMMIT_CERTIFICATE_BYTES_MAX + 64;
/// Bytes that an answer of slots must have room for, so that every answer makes progress.
const ANSWER_BYTES_MIN: usize =
    2 * PART_BYTES_MAX + BATCH_BODY_BYTES_MAX + BATCH_HEADER_BYTES_MAX + 64;
const _: () = assert!(CATCHUP_ANSWER_BYTES_MAX >= ANSWER_BYTES_MIN);

fn slots(from: Height, skip: u32, bytes_max: usize, source: &dyn SlotSource) -> Vec<SlotPart> {
    let mut room = bytes_max.max(ANSWER_BYTES_MIN).saturating_sub(64);
    let mut parts = Vec::new();
    let mut skip = skip;
    for ahead in 0..CATCHUP_SLOTS_MAX {
        let height = from.plus(ahead);
        let Some(left) = room.checked_sub(PART_BYTES_MAX) else { break };
        let Some(record) = source.decided(height) else { break };
        room = left;
        let head = (skip == 0).then(|| {
            let (proposal, certificate) = (record.proposal.clone(), record.certificate.clone());
            Box::new(SlotHead { proposal, certificate })
        });
        let mut part = SlotPart { height, head, skip, frames: Vec::new() };
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut whole = true;
        for digest in record.transfer_order().skip(skipped) {
            let fitting = source.frame(digest).and_then(|frame| {
                let left = room.checked_sub(frame.len().saturating_add(4))?;
                Some((frame, left))
            });
            let Some((frame, left)) = fitting else {
                whole = false;
                break;
            };
            room = left;
            part.frames.push(Frame(frame));
        }
        parts.push(part);
        if !whole {
            break;
        }
        skip = 0;
    }
    parts
}
