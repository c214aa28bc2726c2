//! Batches of other lanes: one acknowledgement per (lane, incarnation, seq) for life.
//!
//! A batch is acknowledged when it is well formed by its own bytes, within the lane's lead limit, handed
//! to the ledger, and its parent is the batch acknowledged before it, or certified, or decided. Nothing here
//! looks at a transaction.

use super::event::{Effect, Offence};
use super::held::Entry;
use super::lane::Lane;
use super::own::Kept;
use super::wire::LaneMessage;
use super::{Lanes, Turn};
use crate::batch::Batch;
use crate::limits::UNACKED_BATCHES_MAX;
use rota_types::{Ack, Hash, LanePosition, Mark, MarkPlace, Signature, ValidatorKey};
use std::sync::Arc;

/// What to do with a body that is held and not acknowledged.
enum Judgement {
    /// Acknowledge it.
    Ack,
    /// Its parent is not known to be fine, or the lead limit is met: later.
    Later,
    /// Another batch was acknowledged at its place: never.
    Never,
    /// Its sums do not follow from its parent.
    Bad,
}

impl Lanes {
    pub(crate) fn on_batch(&mut self, turn: &mut Turn<'_>, from: ValidatorKey, batch: Arc<Batch>) {
        let position = batch.position();
        if Some(position.lane) == self.config.me {
            return self.on_own_batch(turn, &batch);
        }
        let Some(lane) = self.lanes.get_mut(&position.lane).filter(|lane| !lane.closed) else {
            return;
        };
        if lane.incarnation != position.incarnation {
            return;
        }
        let digest = batch.digest();
        if let Some(entry) = self.held.get(&digest) {
            if let Some(signature) = entry.ack {
                return self.send_ack(turn, from, &batch, signature);
            }
        } else {
            let decided = lane.decided.position.seq.0;
            let room = self.config.lane_lead_max.saturating_add(lead_slack());
            if position.seq.0 <= decided || position.seq.0 > decided.saturating_add(room) {
                return;
            }
            self.note_conflict(turn, &digest, batch.signed());
            if !self.held.insert(digest, Entry::header_only(batch.signed().clone()), false) {
                return;
            }
        }
        if self.is_rival(&digest, &position) {
            // Its header is evidence enough; a body of every place would fill memory until the place is executed.
            return;
        }
        self.held.attach(&batch);
        let Some(lane) = self.lanes.get_mut(&position.lane) else { return };
        lane.unacked.insert((position.seq.0, digest));
        if lane.chain.get(&position.seq.0) == Some(&digest) {
            self.store(turn, &batch);
        }
        self.advance(turn, &position.lane);
        self.drop_surplus(&position.lane);
    }

    /// Whether another batch was acknowledged at this place, and this one is not known to be certified.
    fn is_rival(&self, digest: &Hash, position: &LanePosition) -> bool {
        let seq = position.seq.0;
        let chain = self.lanes.get(&position.lane).and_then(|lane| lane.chain.get(&seq));
        let mut others = self.held.at(&position.lane, seq).iter().filter(|other| *other != digest);
        let acked = |other| self.held.get(other).is_some_and(|entry| entry.ack.is_some());
        chain != Some(digest) && others.any(acked)
    }

    /// A repeated batch gets the same acknowledgement.
    fn send_ack(&self, turn: &mut Turn<'_>, to: ValidatorKey, batch: &Batch, signature: Signature) {
        let (Some(me), true) = (self.config.me, to == batch.position().lane) else { return };
        let position = batch.position();
        let ack = Ack { position, header_digest: batch.digest(), validator: me, signature };
        turn.send(to, &LaneMessage::Ack(ack));
    }

    /// Acknowledges what can be acknowledged, in order.
    pub(crate) fn advance(&mut self, turn: &mut Turn<'_>, key: &ValidatorKey) {
        if self.config.me == Some(*key) {
            return;
        }
        let Some(lane) = self.lanes.get(key).filter(|lane| !lane.unacked.is_empty()) else {
            return;
        };
        let waiting: Vec<(u64, Hash)> = lane.unacked.iter().copied().collect();
        for (seq, digest) in waiting {
            let mut judgement = self.judge(key, &digest);
            if matches!(judgement, Judgement::Later) && self.candidate_covers(key, seq) {
                // The parent may be behind a certificate that was not verified yet.
                self.verify_candidate(turn, key);
                judgement = self.judge(key, &digest);
            }
            match judgement {
                Judgement::Ack => self.acknowledge(turn, key, seq, &digest),
                Judgement::Later => {}
                Judgement::Never => self.settle(key, seq, &digest),
                Judgement::Bad => {
                    turn.penalise(*key, Offence::BadBatch);
                    self.forget(key, seq, &digest);
                }
            }
        }
        self.note_gap(key);
    }

    fn candidate_covers(&self, key: &ValidatorKey, seq: u64) -> bool {
        self.lanes
            .get(key)
            .and_then(|lane| lane.candidate.as_ref())
            .is_some_and(|(_, held)| held.header().position.seq.0 >= seq.saturating_sub(1))
    }

    fn judge(&self, key: &ValidatorKey, digest: &Hash) -> Judgement {
        let Some(lane) = self.lanes.get(key) else { return Judgement::Later };
        let Some(batch) = self.held.get(digest).and_then(|entry| entry.batch.as_ref()) else {
            return Judgement::Never;
        };
        let header = batch.header();
        let seq = header.position.seq.0;
        if seq <= lane.decided.position.seq.0 {
            return Judgement::Never;
        }
        let Some((bytes, txs)) = self.sums_before(lane, seq, &header.parent) else {
            return Judgement::Later;
        };
        let count = u64::try_from(batch.body().len()).unwrap_or(u64::MAX);
        if bytes.checked_add(batch.body().tx_bytes()) != Some(header.cumulative_bytes)
            || txs.checked_add(count) != Some(header.cumulative_txs)
        {
            return Judgement::Bad;
        }
        let others = self.held.at(key, seq).iter().filter_map(|other| self.held.get(other));
        if others.filter(|other| other.ack.is_some()).count() > 0 || self.config.me.is_none() {
            return Judgement::Never;
        }
        if lane.within_lead(self.config.lane_lead_max, header) {
            Judgement::Ack
        } else {
            Judgement::Later
        }
    }

    /// Sums of the parent, if it is decided, certified, or acknowledged here.
    fn sums_before(&self, lane: &Lane, seq: u64, parent: &Hash) -> Option<(u64, u64)> {
        let tip = &lane.decided;
        let before = seq.saturating_sub(1);
        if before == tip.position.seq.0 {
            return (*parent == tip.digest).then_some((tip.cumulative_bytes, tip.cumulative_txs));
        }
        let entry = self.held.get(parent).filter(|e| e.signed.header.position.seq.0 == before)?;
        let certified = lane.chain.get(&before) == Some(parent)
            || lane
                .newest
                .as_ref()
                .is_some_and(|c| c.header().digest(self.config.chain_id) == *parent);
        (certified || entry.ack.is_some()).then(|| entry.sums())
    }

    pub(crate) fn acknowledge(
        &mut self,
        turn: &mut Turn<'_>,
        key: &ValidatorKey,
        seq: u64,
        digest: &Hash,
    ) {
        let Some(batch) = self.held.get(digest).and_then(|entry| entry.batch.clone()) else {
            return;
        };
        let position = batch.position();
        let signed = Ack::signing_digest(self.config.chain_id, &position, digest);
        let mark = Mark { place: MarkPlace::Ack { position }, digest: signed };
        let Some(signature) = turn.gate.sign(mark) else {
            turn.out.push(Effect::SignRefused { mark });
            return self.settle(key, seq, digest);
        };
        self.store(turn, &batch);
        if let Some(entry) = self.held.get_mut(digest) {
            entry.ack = Some(signature);
        }
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.unacked.remove(&(seq, *digest));
            if lane.acked.is_none_or(|(last, ..)| last < seq) {
                lane.acked = Some((seq, *digest, signature));
            }
        }
        self.send_ack(turn, *key, &batch, signature);
    }

    /// A body that never gets an acknowledgement here; if it is certified it was stored already, and else it goes: if
    /// it is decided all the same it is asked for.
    fn settle(&mut self, key: &ValidatorKey, seq: u64, digest: &Hash) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.unacked.remove(&(seq, *digest));
        }
        self.held.drop_unstored(digest);
    }

    fn forget(&mut self, key: &ValidatorKey, seq: u64, digest: &Hash) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.unacked.remove(&(seq, *digest));
        }
        self.held.remove(digest);
    }

    /// Asks the author to send again when a parent is missing.
    fn note_gap(&mut self, key: &ValidatorKey) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let Some((first, _)) = lane.unacked.first() else { return };
        let next = lane.after().0.saturating_add(1);
        if *first > next {
            lane.wants_resend = true;
        }
    }

    /// Keeps the batches that wait within their limit and that of memory; the newest go, and are asked for again.
    fn drop_surplus(&mut self, key: &ValidatorKey) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        while lane.unacked.len() > UNACKED_BATCHES_MAX || self.held.is_over() {
            let Some((seq, digest)) = lane.unacked.pop_last() else { return };
            lane.dropped = true;
            if lane.chain.get(&seq) != Some(&digest) {
                self.held.remove(&digest);
            }
        }
    }

    /// An own batch from outside: one that the guard marked and the ledger lost, or somebody else's work.
    fn on_own_batch(&mut self, turn: &mut Turn<'_>, batch: &Arc<Batch>) {
        let (digest, seq) = (batch.digest(), batch.position().seq.0);
        let Some(own) = self.own.as_mut() else { return };
        if own.missing.get(&seq) == Some(&digest) {
            own.missing.remove(&seq);
            own.spare.insert(seq, (Arc::clone(batch), Kept::InMemory));
            self.adopt_spare(turn);
            return self.resume_if_complete();
        }
        if self.held.get(&digest).is_none() {
            self.note_conflict(turn, &digest, batch.signed());
        }
    }
}

fn lead_slack() -> u64 {
    u64::try_from(UNACKED_BATCHES_MAX).unwrap_or(u64::MAX)
}
