//! Carries out what leaves the core, on the commit thread, once everything before it is durable.

use super::network::Peers;
use super::panics::PanicWatch;
use super::view::View;
use crate::core::{AskProtocol, Effect, FrameClass, Input, Notice};
use crate::disk::Item;
use crate::guard::Floor;
use crate::ledger::{BatchKey, LedgerReader};
use bytes::Bytes;
use rota_p2p::{Class, GossipId, Identity, NetworkHandle, Offence, RequestProtocol, SendOutcome};
use rota_sequencer::Batch;
use rota_sequencer::execution::{DecidedSlot, ExecutedRecord};
use rota_types::codec::encode;
use rota_types::receipt::SignedReceipt;
use rota_types::{Hash, Refusal, ValidatorKey};
use std::collections::HashMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Makes a guard with these floors.
pub(super) type MakeGuard = Box<dyn Fn(&[Floor]) + Send>;

/// Answer to a submission.
pub(super) type Answer = Result<SignedReceipt, (Refusal, Option<u64>)>;

/// Submissions that wait for their receipt, by token; bounded by the door.
pub(super) type Waiting = Mutex<HashMap<u64, oneshot::Sender<Answer>>>;

/// Gossip bundles that wait for their verdict, by token; bounded by the core's mailbox.
pub(super) type Verdicts = Mutex<HashMap<u64, GossipId>>;

/// Executed slots waiting for the index; above it the index stays behind until the next start.
pub(super) const INDEX_QUEUE_MAX: usize = 64;

/// What a release carries.
#[derive(Debug)]
pub enum Outward {
    /// An effect that leaves the machine.
    Effect(Effect),
    /// A batch that is durable now, for the view.
    Stored(Arc<Batch>),
}

/// Turns an effect into items for the commit queue: durable ones as writes, the rest as releases.
#[must_use]
pub fn items(effect: Effect) -> Vec<Item<Outward>> {
    match effect {
        Effect::StoreBatch(batch) => vec![
            Item::Batch {
                key: key_of(&batch),
                header: encode(batch.signed()).into(),
                body: batch.body().bytes().clone(),
            },
            Item::Release(Outward::Stored(batch)),
        ],
        Effect::StoreDecided { height, batches, record } => {
            vec![Item::Slot { height, batches, bytes: record }]
        }
        Effect::StoreExecuted { height, record } => vec![Item::Header { height, bytes: record }],
        Effect::StoreSeal { height, seal } => vec![Item::Seal { height, bytes: seal }],
        Effect::StoreCheckpoint { height, state } => {
            vec![Item::Checkpoint { height, bytes: state }]
        }
        Effect::Wal { height, entry } => vec![Item::Wal { height, entry }],
        Effect::Guard(record) => vec![Item::Guard(record)],
        other => vec![Item::Release(Outward::Effect(other))],
    }
}

fn key_of(batch: &Batch) -> BatchKey {
    let position = batch.position();
    BatchKey {
        lane: position.lane,
        incarnation: position.incarnation,
        seq: position.seq,
        digest: batch.digest(),
    }
}

/// A batch of the ledger as the core takes it; `None` if it is not there or cannot be read.
#[must_use]
pub fn load_batch(ledger: &LedgerReader, chain_id: u64, digest: &Hash) -> Option<Input> {
    let stored = ledger.batch(digest).ok().flatten()?;
    let batch = Batch::from_stored(chain_id, stored.frame).ok()?;
    Some(Input::Batch { from: batch.position().lane, batch: Arc::new(batch) })
}

/// Everything a release may need.
pub(super) struct Releaser {
    pub(super) network: NetworkHandle,
    pub(super) peers: Arc<Peers>,
    pub(super) view: Arc<View>,
    pub(super) waiting: Arc<Waiting>,
    pub(super) verdicts: Arc<Verdicts>,
    pub(super) execute: SyncSender<Box<DecidedSlot>>,
    pub(super) ledger: LedgerReader,
    pub(super) core: mpsc::Sender<Input>,
    pub(super) index: SyncSender<ExecutedRecord>,
    pub(super) fatal: Box<dyn Fn(String) + Send>,
    /// Makes the guard of a key that lost its own, and has the node started again.
    pub(super) rejoined: MakeGuard,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) chain_id: u64,
    pub(super) _watch: PanicWatch,
}

const fn class_of(class: FrameClass) -> Class {
    match class {
        FrameClass::Votes => Class::Votes,
        FrameClass::Certificates => Class::Certificates,
        FrameClass::Proposals => Class::Proposals,
    }
}

impl Releaser {
    pub(super) fn release(&self, outward: Outward) {
        match outward {
            Outward::Stored(batch) => self.view.on_batch(batch),
            Outward::Effect(effect) => self.carry_out(effect),
        }
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Send { to, class, bytes } => self.send(&to, class_of(class), bytes),
            Effect::Broadcast { class, bytes } => {
                self.network.broadcast(class_of(class), &bytes);
            }
            Effect::SendBatch { to: Some(to), frame } => self.send(&to, Class::Batches, frame),
            Effect::SendBatch { to: None, frame } => {
                self.network.broadcast(Class::Batches, &frame);
            }
            Effect::SendStored { to, digest } => self.send_stored(&to, &digest),
            Effect::LoadBatch { digest } => self.load(digest),
            Effect::Receipt { token, receipt } => self.answer(token, Ok(*receipt)),
            Effect::Refuse { token, refusal, retry_ms } => {
                self.answer(token, Err((refusal, retry_ms)));
            }
            Effect::GossipVerdict { token, verdict } => self.report(token, verdict),
            Effect::Execute(decided) => {
                if self.execute.send(decided).is_err() {
                    (self.fatal)("the execution thread ended".to_owned());
                }
            }
            Effect::Ask { peer, question, protocol, bytes } => {
                self.ask(peer, question, protocol, bytes);
            }
            Effect::BanPeer { peer, reason } => {
                tracing::warn!(peer, reason, "a peer lied: banned");
                if let Some(id) = self.peers.peer(peer) {
                    self.network.penalise(&id, Offence::LyingAnswer);
                }
            }
            Effect::Penalise { validator, offence } => self.penalise(&validator, &offence),
            Effect::Publish { bundle } => self.publish(bundle),
            Effect::Rejoined { floors } => (self.rejoined)(&floors),
            Effect::Notice(notice) => self.notice(notice),
            Effect::Fatal { reason } => (self.fatal)(reason),
            Effect::StoreBatch(_)
            | Effect::StoreDecided { .. }
            | Effect::StoreExecuted { .. }
            | Effect::StoreSeal { .. }
            | Effect::StoreCheckpoint { .. }
            | Effect::Wal { .. }
            | Effect::Guard(_) => unreachable!("durable effects become writes in `items`"),
        }
    }

    fn send(&self, to: &ValidatorKey, class: Class, bytes: Bytes) {
        match self.network.send(&Identity(to.0), class, bytes) {
            SendOutcome::Queued => {}
            outcome => {
                metrics::counter!("rota_p2p_unsent_frames_total", "class" => class.name())
                    .increment(1);
                tracing::debug!(%to, class = class.name(), ?outcome, "frame not sent");
            }
        }
    }

    fn send_stored(&self, to: &ValidatorKey, digest: &Hash) {
        match self.ledger.batch(digest) {
            Ok(Some(stored)) => self.send(to, Class::Batches, stored.frame),
            Ok(None) => tracing::debug!(%digest, "a batch asked for is not in the ledger"),
            Err(error) => tracing::warn!(%digest, %error, "a batch cannot be read"),
        }
    }

    /// Reads a batch that the core no longer holds in memory, off this thread.
    fn load(&self, digest: Hash) {
        if !self.ledger.has_batch(&digest) {
            return;
        }
        let (ledger, core, chain_id) = (self.ledger.clone(), self.core.clone(), self.chain_id);
        self.runtime.spawn_blocking(move || {
            if let Some(input) = load_batch(&ledger, chain_id, &digest) {
                // A closed mailbox means that the node is going down.
                core.blocking_send(input).ok();
            }
        });
    }

    fn answer(&self, token: u64, answer: Answer) {
        let waiter = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
        if waiter.is_some_and(|waiter| waiter.send(answer).is_err()) {
            tracing::debug!(token, "the client went away before its receipt");
        }
    }

    fn report(&self, token: u64, verdict: rota_p2p::Verdict) {
        let message = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
        if let Some(message) = message {
            self.network.report(message, verdict);
        }
    }

    fn ask(&self, peer: u64, question: u64, protocol: AskProtocol, bytes: Bytes) {
        let (network, core) = (self.network.clone(), self.core.clone());
        let id = self.peers.peer(peer);
        let protocol = match protocol {
            AskProtocol::Status => RequestProtocol::Status,
            AskProtocol::Slots => RequestProtocol::Slots,
            AskProtocol::Batches => RequestProtocol::Batches,
        };
        self.runtime.spawn(async move {
            let bytes = match id {
                Some(id) => network.request(&id, protocol, bytes).await.ok(),
                None => None,
            };
            // A closed mailbox means that the node is going down.
            core.send(Input::Answer { question, bytes }).await.ok();
        });
    }

    fn publish(&self, bundle: Bytes) {
        if let Err(error) = self.network.publish(bundle) {
            tracing::debug!(%error, "not published; it goes out again");
        }
    }

    fn penalise(&self, validator: &ValidatorKey, offence: &str) {
        tracing::warn!(%validator, offence, "a validator misbehaves");
        metrics::counter!("rota_validator_offences_total").increment(1);
        if let Some(peer) = self.network.peer_of(&Identity(validator.0)) {
            self.network.penalise(&peer, Offence::Malformed);
        }
    }

    fn notice(&self, notice: Notice) {
        if let Notice::Executed(executed) = &notice
            && self.index.try_send(executed.record.clone()).is_err()
        {
            tracing::debug!("the index is behind");
        }
        super::telemetry::on_notice(&notice, &self.view);
        self.view.on_notice(notice);
    }
}
