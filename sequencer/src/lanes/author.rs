//! The own lane: submissions wait, are sealed into batches, and get receipts.

use super::event::{Effect, Halt, Origin};
use super::held::Entry;
use super::lane::tip_of;
use super::own::{Kept, OpenBatch, Submission, Waiter};
use super::places::{Known, Where};
use super::{Lanes, Turn};
use crate::batch::Batch;
use crate::lane_view::LaneTip;
use crate::limits::{
    SEAL_GAP_MS_MIN, SEAL_WAIT_MS_MIN, SEAL_WAIT_MS_PER_VALIDATOR, SUBMISSION_QUEUE_MAX,
    SUBMISSION_RETRY_MS,
};
use rota_types::limits::{BATCH_BODY_BYTES_MAX, BATCH_TXS_MAX};
use rota_types::receipt::SignedReceipt;
use rota_types::{
    BatchHeader, Hash, Incarnation, LanePosition, Mark, MarkPlace, Receipt, Refusal, RefusalCode,
    Seq, SignedBatchHeader, TimestampMs, TransactionList, ids_tree,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Answers a client that this node takes no transactions.
pub(crate) fn refuse_not_sequencing(turn: &mut Turn<'_>, token: u64) {
    let refusal = Refusal::new(RefusalCode::NotSequencing);
    turn.out.push(Effect::Refuse { token, refusal, retry_ms: None });
}

impl Lanes {
    /// Whether the own lane exists, is open and may be signed for.
    pub(crate) fn own_is_open(&self) -> bool {
        self.own.as_ref().is_some_and(|own| {
            own.halt.is_none() && self.lanes.get(&own.me).is_some_and(|lane| !lane.closed)
        })
    }

    /// Whether the own lane may take another batch with what waits first, within its lead limits.
    pub(crate) fn own_lead_left(&self) -> bool {
        let Some(own) = &self.own else { return false };
        let Some(lane) = self.lanes.get(&own.me) else { return false };
        let (bytes, txs) = own.queue.front().map_or((1, 1), |front| {
            (front.list.tx_bytes(), u64::try_from(front.list.len()).unwrap_or(u64::MAX))
        });
        let tip = own.tip.unwrap_or(lane.decided);
        let header = next_header(&tip, lane.incarnation, bytes, txs);
        lane.own_within_lead(self.config.lane_lead_max, &header)
    }

    pub(crate) fn on_submit(&mut self, turn: &mut Turn<'_>, origin: Origin, list: TransactionList) {
        let open = self.own_is_open();
        let chain_id = self.config.chain_id;
        if let Err(refusal) = check_size(&list) {
            if let Origin::Client(token) = origin {
                turn.out.push(Effect::Refuse { token, refusal, retry_ms: None });
            }
            return;
        }
        let retry_ms = if self.own_lead_left() { SUBMISSION_RETRY_MS } else { self.config.slot_ms };
        let (Some(own), true) = (self.own.as_mut(), open) else {
            if let Origin::Client(token) = origin {
                refuse_not_sequencing(turn, token);
            }
            return;
        };
        let list = match (own.places.find(&list), origin) {
            (Known::No, _) => list,
            (Known::Same { serial, first }, Origin::Client(token)) => {
                let root = ids_tree::root(chain_id, list.ids());
                let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
                let waiter = Waiter { token, first, count, root };
                return self.answer_again(turn, serial, waiter);
            }
            (Known::Partly(index), Origin::Client(token)) => {
                return refuse_duplicate(turn, token, index);
            }
            (_, Origin::Pool) => {
                let fresh = list.iter().enumerate().filter(|(_, tx)| !own.places.holds(&tx.id));
                let fresh: Vec<usize> = fresh.map(|(index, _)| index).collect();
                let Some(list) = list.pick(&fresh) else { return };
                list
            }
        };
        own.enqueue(turn, chain_id, origin, list, retry_ms);
    }

    /// A submission that is held already gets the place it has.
    fn answer_again(&mut self, turn: &mut Turn<'_>, serial: u64, waiter: Waiter) {
        let Some(own) = self.own.as_mut() else { return };
        match own.places.place(serial) {
            Some(Where::Sealed { seq, first_index }) => {
                let Some(lane) = self.lanes.get(&own.me) else { return };
                let position =
                    LanePosition { lane: own.me, incarnation: lane.incarnation, seq: Seq(seq) };
                give_receipt(turn, self.config.chain_id, position, first_index, &waiter);
            }
            Some(Where::Queued) if own.waiters < SUBMISSION_QUEUE_MAX => {
                let at = own.queue.binary_search_by_key(&serial, |waiting| waiting.serial).ok();
                if let Some(submission) = at.and_then(|at| own.queue.get_mut(at)) {
                    submission.waiters.push(waiter);
                    own.waiters = own.waiters.saturating_add(1);
                }
            }
            _ => refuse_limited(turn, waiter.token, own.waiters, SUBMISSION_RETRY_MS),
        }
    }

    /// When the next own batch is to be sealed, if there is something to seal and room for it.
    pub(crate) fn seal_due(&self) -> Option<TimestampMs> {
        let own = self.own.as_ref().filter(|_| self.own_is_open())?;
        let front = own.queue.front()?;
        if !self.own_lead_left() {
            return None;
        }
        if own.nothing_in_flight() {
            return Some(own.sealed_at.plus(SEAL_GAP_MS_MIN));
        }
        let body = u64::try_from(BATCH_BODY_BYTES_MAX).unwrap_or(u64::MAX);
        if own.queue_bytes.saturating_add(4) >= body || own.queue_txs >= BATCH_TXS_MAX {
            return Some(own.sealed_at);
        }
        let n = u64::try_from(self.config.validators.len()).unwrap_or(u64::MAX);
        let wait = SEAL_WAIT_MS_MIN.max(n.saturating_mul(SEAL_WAIT_MS_PER_VALIDATOR));
        Some(front.since.plus(wait))
    }

    pub(crate) fn seal_while_due(&mut self, turn: &mut Turn<'_>) {
        while self.seal_due().is_some_and(|due| due <= turn.now) {
            if !self.seal(turn) {
                break;
            }
        }
    }

    /// Submissions from the front that fit one body and the lead limits; one at least.
    fn pack(&self, tip: &LaneTip) -> Option<(usize, u64, u64)> {
        let own = self.own.as_ref()?;
        let lane = self.lanes.get(&own.me)?;
        let (mut taken, mut bytes, mut txs) = (0usize, 0u64, 0u64);
        let body = u64::try_from(BATCH_BODY_BYTES_MAX.saturating_sub(4)).unwrap_or(u64::MAX);
        let most = u64::try_from(BATCH_TXS_MAX).unwrap_or(u64::MAX);
        for submission in &own.queue {
            let more = bytes.saturating_add(submission.list.tx_bytes());
            let count =
                txs.saturating_add(u64::try_from(submission.list.len()).unwrap_or(u64::MAX));
            let header = next_header(tip, lane.incarnation, more, count);
            let fits = lane.own_within_lead(self.config.lane_lead_max, &header);
            if taken > 0 && (more > body || count > most || !fits) {
                break;
            }
            (taken, bytes, txs) = (taken.saturating_add(1), more, count);
        }
        (taken > 0).then_some((taken, bytes, txs))
    }

    /// Seals one batch: to the ledger first, then mark and signature, then out, then receipts.
    fn seal(&mut self, turn: &mut Turn<'_>) -> bool {
        let chain_id = self.config.chain_id;
        let Some(tip) = self.own.as_ref().and_then(|own| own.tip) else { return false };
        let Some((taken, bytes, txs)) = self.pack(&tip) else { return false };
        let Some(own) = self.own.as_mut() else { return false };
        let Some(lane) = self.lanes.get(&own.me) else { return false };
        let mut header = next_header(&tip, lane.incarnation, bytes, txs);
        let ids: Vec<Hash> = own.queue.iter().take(taken).flat_map(|s| s.list.ids()).collect();
        header.body_digest = ids_tree::root(chain_id, ids.into_iter());
        let digest = header.digest(chain_id);
        let (incarnation, seq) = (lane.incarnation, header.position.seq);
        let mark = Mark { place: MarkPlace::OwnBatch { incarnation, seq }, digest };
        let Some(signature) = turn.gate.sign(mark) else {
            turn.out.push(Effect::SignRefused { mark });
            self.halt_own(turn, Halt::GuardRefused(seq));
            return false;
        };
        let submissions: Vec<Submission> = own.queue.drain(..taken).collect();
        let lists: Vec<&TransactionList> = submissions.iter().map(|s| &s.list).collect();
        let signed = SignedBatchHeader { header, signature };
        let batch = Batch::from_lists(chain_id, signed, &lists);
        let batch = Arc::new(batch.expect("the packed lists keep the limits of a body"));
        own.queue_bytes = own.queue_bytes.saturating_sub(bytes);
        own.queue_txs = own.queue_txs.saturating_sub(batch.body().len());
        own.sealed_at = turn.now;
        self.push_own(turn, &batch, Kept::InMemory);
        self.flush_certificate(turn);
        self.pump_all(turn);
        self.give_receipts(turn, batch.position(), &submissions);
        self.try_certify(turn, seq.0);
        true
    }

    /// Makes a signed own batch the tip of the own lane and hands it to the ledger.
    pub(crate) fn push_own(&mut self, turn: &mut Turn<'_>, batch: &Arc<Batch>, kept: Kept) {
        let Some(own) = self.own.as_mut() else { return };
        let header = batch.header();
        own.tip = Some(tip_of(header, batch.digest()));
        let open = OpenBatch {
            digest: batch.digest(),
            cumulative_bytes: header.cumulative_bytes,
            sealed_at: turn.now,
            acks: BTreeMap::new(),
        };
        own.open.insert(header.position.seq.0, open);
        let mut entry = Entry::header_only(batch.signed().clone());
        entry.batch = Some(Arc::clone(batch));
        entry.ack = Some(batch.signed().signature);
        self.held.insert(batch.digest(), entry, true);
        match kept {
            Kept::InMemory => self.store(turn, batch),
            Kept::InLedger => self.held.mark_stored(&batch.digest()),
        }
    }

    /// Hands a body to the ledger, once.
    pub(crate) fn store(&mut self, turn: &mut Turn<'_>, batch: &Arc<Batch>) {
        if self.held.get(&batch.digest()).is_some_and(|entry| !entry.stored) {
            turn.out.push(Effect::Store(Arc::clone(batch)));
            self.held.mark_stored(&batch.digest());
        }
    }

    fn give_receipts(
        &mut self,
        turn: &mut Turn<'_>,
        position: LanePosition,
        submissions: &[Submission],
    ) {
        let Some(own) = self.own.as_mut() else { return };
        let mut first_index = 0u32;
        for submission in submissions {
            own.places.seal(submission.serial, position.seq.0, first_index);
            own.waiters = own.waiters.saturating_sub(submission.waiters.len());
            for waiter in &submission.waiters {
                give_receipt(turn, self.config.chain_id, position, first_index, waiter);
            }
            let count = u32::try_from(submission.list.len()).unwrap_or(u32::MAX);
            first_index = first_index.saturating_add(count);
        }
    }

    /// Stops the own lane; whoever waits is told.
    pub(crate) fn halt_own(&mut self, turn: &mut Turn<'_>, halt: Halt) {
        if let Some(own) = self.own.as_mut() {
            own.halt = Some(halt);
            turn.out.push(Effect::Halted(halt));
            own.refuse_queue(turn);
        }
    }

    /// Sends the waiting certificate, when due.
    pub(crate) fn run_own(&mut self, turn: &mut Turn<'_>) {
        let due = self.own.as_ref().and_then(|own| own.certificate.as_ref());
        if due.is_some_and(|(_, due)| *due <= turn.now) {
            self.flush_certificate(turn);
        }
    }
}

/// Header of the batch after `tip`, still without its body's digest.
fn next_header(tip: &LaneTip, incarnation: Incarnation, bytes: u64, txs: u64) -> BatchHeader {
    BatchHeader {
        position: LanePosition {
            lane: tip.position.lane,
            incarnation,
            seq: tip.position.seq.next(),
        },
        parent: tip.digest,
        body_digest: Hash::ZERO,
        cumulative_bytes: tip.cumulative_bytes.saturating_add(bytes),
        cumulative_txs: tip.cumulative_txs.saturating_add(txs),
    }
}

fn give_receipt(
    turn: &mut Turn<'_>,
    chain_id: u64,
    position: LanePosition,
    first_index: u32,
    waiter: &Waiter,
) {
    let receipt = Receipt {
        submission_root: waiter.root,
        count: waiter.count,
        position,
        first_index: first_index.saturating_add(waiter.first),
        validator: position.lane,
    };
    match turn.gate.sign_unmarked(&receipt.signing_digest(chain_id)) {
        Some(signature) => {
            let receipt = Box::new(SignedReceipt { receipt, signature });
            turn.out.push(Effect::Receipt { token: waiter.token, receipt });
        }
        None => refuse_not_sequencing(turn, waiter.token),
    }
}

/// Answers that the transaction at `index` is held already, elsewhere.
pub(crate) fn refuse_duplicate(turn: &mut Turn<'_>, token: u64, index: usize) {
    let value = u64::try_from(index).unwrap_or(u64::MAX);
    let refusal = Refusal { code: RefusalCode::Duplicate, limit: None, value: Some(value) };
    turn.out.push(Effect::Refuse { token, refusal, retry_ms: None });
}

fn refuse_limited(turn: &mut Turn<'_>, token: u64, value: usize, retry_ms: u64) {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let refusal =
        Refusal::at_limit(RefusalCode::Limited, number(SUBMISSION_QUEUE_MAX), number(value));
    turn.out.push(Effect::Refuse { token, refusal, retry_ms: Some(retry_ms) });
}

/// A submission stands in one batch.
fn check_size(list: &TransactionList) -> Result<(), Refusal> {
    let limit = u64::try_from(BATCH_BODY_BYTES_MAX.saturating_sub(4)).unwrap_or(u64::MAX);
    let value = list.tx_bytes();
    if value > limit {
        return Err(Refusal::at_limit(RefusalCode::Oversize, limit, value));
    }
    Ok(())
}
