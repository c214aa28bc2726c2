//! Answers what peers ask for: status, decided slots, seals, batches; charged before any work.

use super::slots::Slots;
use super::view::View;
use crate::ledger::{LedgerReader, Location};
use crate::limits::SERVE_MAX;
use bytes::Bytes;
use rota_p2p::RequestProtocol;
use rota_sequencer::catchup::{Budgets, Protocol, Request, SlotSource, Status, answer};
use rota_sequencer::execution::DecidedRecord;
use rota_types::status::StatusNonce;
use rota_types::{Ed25519Signer, Hash, Height, SealedHeader, SignedStatus, TimestampMs};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Signs this validator's status for one that lost its guard.
pub(super) struct Attester {
    pub(super) chain_id: u64,
    pub(super) signer: Ed25519Signer,
    /// Highest height that this key voted on before this start.
    pub(super) voted: Height,
}

/// The serving side of this node.
pub struct Server {
    attester: Option<Attester>,
    slots: Slots,
    view: Arc<View>,
    budgets: Mutex<Budgets>,
    /// Where the batches of the heights served last are: the ledger finds old ones by place only.
    places: Mutex<VecDeque<BTreeMap<Hash, Location>>>,
}

/// Heights whose batches are found by digest while they are served.
const SERVED_HEIGHTS: usize = 2 * SERVE_MAX;

impl Server {
    /// Serves what the ledger holds and the view knows as durable.
    #[must_use]
    pub fn new(ledger: LedgerReader, view: Arc<View>) -> Self {
        let slots = Slots::new(view.genesis.chain_id, ledger);
        let budgets = Mutex::new(Budgets::new());
        Self { attester: None, slots, view, budgets, places: Mutex::default() }
    }

    /// Signs statuses too, if there is who signs them.
    pub(super) fn attesting(self, attester: Option<Attester>) -> Self {
        Self { attester, ..self }
    }

    fn note_places(&self, height: Height, record: &DecidedRecord) {
        let Ok(Some(stored)) = self.slots.ledger().slot(height) else { return };
        let digests = record.lanes.iter().flatten().copied();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.push_back(digests.zip(stored.batches).collect());
        while places.len() > SERVED_HEIGHTS {
            places.pop_front();
        }
    }

    fn place(&self, digest: &Hash) -> Option<Location> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter().find_map(|height| height.get(digest)).copied()
    }

    /// The node's time.
    pub(super) fn now(&self) -> TimestampMs {
        self.view.clock.now()
    }

    /// The answer to a question, or `None` for one that is not well formed.
    pub fn answer(
        &self,
        now: TimestampMs,
        peer: u64,
        protocol: RequestProtocol,
        question: &Bytes,
    ) -> Option<Bytes> {
        let protocol = match protocol {
            RequestProtocol::Status => Protocol::Status,
            RequestProtocol::Slots => Protocol::Slots,
            RequestProtocol::Batches => Protocol::Batches,
        };
        let request = Request::from_bytes(protocol, question).ok()?;
        let budgets = || self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(busy) = budgets().charge(now, peer, &request) {
            return Some(busy);
        }
        let answer = answer(&request, self);
        budgets().refund(peer, &request, answer.len());
        Some(answer)
    }
}

impl SlotSource for Server {
    fn status(&self) -> Status {
        let head = self.view.head();
        Status {
            decided: head.decided,
            sealed: head.sealed,
            first_kept: self.slots.ledger().first().unwrap_or(Height(1)),
        }
    }

    fn decided(&self, height: Height) -> Option<DecidedRecord> {
        let record = self.slots.decided(height).ok()?;
        self.note_places(height, &record);
        Some(record)
    }

    fn sealed(&self, height: Height) -> Option<SealedHeader> {
        self.slots.sealed(height).ok().flatten()
    }

    fn frame(&self, digest: &Hash) -> Option<Bytes> {
        let ledger = self.slots.ledger();
        let stored = match ledger.batch(digest) {
            Ok(None) => self.place(digest).map(|place| ledger.batch_at(place)).transpose(),
            found => found,
        };
        match stored {
            Ok(stored) => stored.map(|stored| stored.frame),
            Err(error) => {
                tracing::warn!(%digest, %error, "a batch cannot be read");
                None
            }
        }
    }

    /// The view's head is told of a decision after it is durable, and before any vote above it leaves.
    fn attest(&self, nonce: &StatusNonce) -> Option<SignedStatus> {
        let attester = self.attester.as_ref()?;
        let decided = self.view.head().decided;
        if decided.next() < attester.voted {
            return None;
        }
        let certificate = match decided {
            Height::GENESIS => None,
            height => Some(self.slots.decided(height).ok()?.certificate),
        };
        let Attester { chain_id, signer, .. } = attester;
        Some(SignedStatus::sign(*chain_id, nonce, decided, certificate, signer))
    }
}
