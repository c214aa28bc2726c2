//! Acknowledgements of own batches, the certificates made of them, and resending.
//!
//! Each validator has a window of own batches sent ahead of its acknowledgement. It states where it
//! stands on every connection and when its decided tip moves; from there is sent again what it asks for.

use super::certificates::Source;
use super::event::{Class, Effect, Offence};
use super::wire::{AckStatement, LaneMessage};
use super::{Lanes, Turn};
use crate::limits::{
    CERTIFICATE_WAIT_MS_MAX, RESEND_MS_MAX, RESEND_MS_MIN, SHARE_GAP_MS_MIN, WINDOW_BATCHES_MAX,
    WINDOW_BYTES_MAX,
};
use rota_types::{Ack, BatchCertificate, Seq, TimestampMs, ValidatorKey, Weight};

/// How far another validator is in the own lane.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) connected: bool,
    acked: u64,
    sent: u64,
    resend_at: Option<TimestampMs>,
    backoff_ms: u64,
    /// Nothing came back for a while: one batch at a time.
    probing: bool,
    /// When its last tips were answered.
    shared_at: TimestampMs,
}

impl Peer {
    pub(crate) fn deadline(&self) -> Option<TimestampMs> {
        self.resend_at.filter(|_| self.connected)
    }

    pub(crate) const fn disconnect(&mut self) {
        self.connected = false;
        self.resend_at = None;
    }

    /// Whether its tips may be answered now; notes it if so.
    pub(crate) fn may_share(&mut self, now: TimestampMs) -> bool {
        let may = self.shared_at == TimestampMs(0) || now >= self.shared_at.plus(SHARE_GAP_MS_MIN);
        if may {
            self.shared_at = now;
        }
        may
    }

    /// The own lane starts anew behind `seq`.
    pub(crate) const fn restart(&mut self, seq: u64) {
        self.acked = seq;
        self.sent = seq;
        self.resend_at = None;
    }

    const fn progress(&mut self, acked: u64) {
        if acked > self.acked {
            self.acked = acked;
        }
        if self.sent < self.acked {
            self.sent = self.acked;
        }
        self.probing = false;
        self.backoff_ms = RESEND_MS_MIN;
        self.resend_at = None;
    }
}

impl Lanes {
    /// Opens the window of a validator and tells it where this node stands in its lane.
    pub(crate) fn on_connected(&mut self, turn: &mut Turn<'_>, validator: ValidatorKey) {
        let last = self.own.as_ref().map_or(0, super::own::Own::last_seq);
        let Some(peer) = self.peers.get_mut(&validator) else { return };
        peer.connected = true;
        // What it lacks it states itself; until then only what is new is sent.
        peer.sent = last;
        peer.probing = false;
        peer.backoff_ms = RESEND_MS_MIN;
        peer.resend_at = (peer.sent > peer.acked).then(|| turn.now.plus(RESEND_MS_MIN));
        self.state(turn, validator, true);
        let own = self.own.as_ref().and_then(|own| self.lanes.get(&own.me));
        if let Some(certificate) = own.and_then(|lane| lane.newest.clone()) {
            turn.send(validator, &LaneMessage::Certificate(Box::new(certificate)));
        }
    }

    /// Tells an author the own last acknowledgement in its lane.
    pub(crate) fn state(&mut self, turn: &mut Turn<'_>, author: ValidatorKey, resend: bool) {
        if self.config.me.is_none_or(|me| me == author) {
            return;
        }
        let Some(lane) = self.lanes.get_mut(&author).filter(|lane| !lane.closed) else { return };
        lane.stated_at = turn.now;
        lane.wants_resend = false;
        let resend = std::mem::take(&mut lane.dropped) || resend;
        let after = lane.after();
        let last = lane.acked.filter(|(seq, ..)| Seq(*seq) == after);
        let statement = AckStatement {
            incarnation: lane.incarnation,
            after,
            last: last.map(|(_, digest, signature)| (digest, signature)),
            resend,
        };
        turn.send(author, &LaneMessage::Statement(statement));
    }

    pub(crate) fn on_statement(
        &mut self,
        turn: &mut Turn<'_>,
        from: ValidatorKey,
        statement: &AckStatement,
    ) {
        let own_lane = self.config.me.and_then(|me| self.lanes.get(&me));
        if own_lane.is_none_or(|lane| lane.incarnation != statement.incarnation) {
            return;
        }
        if let Some((digest, signature)) = statement.last {
            self.take_ack(turn, from, statement.after, digest, signature);
        }
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if statement.resend {
            (peer.acked, peer.sent) = (statement.after.0, statement.after.0);
        }
        peer.progress(statement.after.0);
        self.pump(turn, from);
    }

    pub(crate) fn on_ack(&mut self, turn: &mut Turn<'_>, from: ValidatorKey, ack: &Ack) {
        let position = ack.position;
        if ack.validator != from || Some(position.lane) != self.config.me {
            return turn.penalise(from, Offence::NotTheirs);
        }
        let current = self.lanes.get(&position.lane).map(|lane| lane.incarnation);
        if current != Some(position.incarnation) {
            return;
        }
        self.take_ack(turn, from, position.seq, ack.header_digest, ack.signature);
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.progress(position.seq.0);
            self.pump(turn, from);
        }
    }

    /// Counts a signature; it is verified with the others when they may be enough.
    fn take_ack(
        &mut self,
        turn: &mut Turn<'_>,
        from: ValidatorKey,
        seq: Seq,
        digest: rota_types::Hash,
        signature: rota_types::Signature,
    ) {
        let Some(own) = self.own.as_mut().filter(|own| own.me != from) else { return };
        let certified = own.certified;
        let Some(open) = own.open.get_mut(&seq.0) else { return };
        if open.digest != digest {
            return turn.penalise(from, Offence::BadAck);
        }
        if seq.0 > certified {
            open.acks.insert(from, signature);
            self.try_certify(turn, seq.0);
        }
    }

    /// Makes a certificate of batch `seq` if more than two thirds of weight signed it.
    pub(crate) fn try_certify(&mut self, turn: &mut Turn<'_>, seq: u64) {
        let set = &self.config.validators;
        let Some(own) = self.own.as_mut().filter(|own| own.certified < seq) else { return };
        let Some(open) = own.open.get_mut(&seq) else { return };
        let signers = open.acks.keys().chain(Some(&own.me));
        let weight = signers.map(|key| set.weight(key).0).sum();
        let Some(entry) = self.held.get(&open.digest) else { return };
        if !set.is_quorum(Weight(weight)) {
            return;
        }
        let acks = open.acks.iter().map(|(key, signature)| (*key, *signature)).collect();
        let certificate = BatchCertificate { batch: entry.signed.clone(), acks };
        if certificate.verify(self.config.chain_id, set).is_err() {
            let digest = Ack::signing_digest(
                self.config.chain_id,
                &entry.signed.header.position,
                &open.digest,
            );
            let before = open.acks.len();
            open.acks.retain(|key, signature| {
                let good = key.verify(&digest, signature, "acknowledgement").is_ok();
                if !good {
                    turn.penalise(*key, Offence::BadAck);
                }
                good
            });
            // Those left are good, and may be enough: nobody may send another for a long time.
            if open.acks.len() < before {
                self.try_certify(turn, seq);
            }
            return;
        }
        let took = turn.now.0.saturating_sub(open.sealed_at.0);
        own.note_certification_ms(took);
        let message = LaneMessage::Certificate(Box::new(certificate.clone())).to_bytes();
        own.certificate = Some((message.into(), turn.now.plus(CERTIFICATE_WAIT_MS_MAX)));
        self.accept(turn, certificate, Source::OwnMaking);
    }

    /// Sends the newest own certificate to all, if it was not sent yet.
    pub(crate) fn flush_certificate(&mut self, turn: &mut Turn<'_>) {
        if let Some((bytes, _)) = self.own.as_mut().and_then(|own| own.certificate.take()) {
            turn.out.push(Effect::Broadcast { class: Class::Certificates, bytes });
        }
    }

    pub(crate) fn pump_all(&mut self, turn: &mut Turn<'_>) {
        let keys: Vec<ValidatorKey> = self.peers.keys().copied().collect();
        for key in keys {
            self.pump(turn, key);
        }
    }

    /// Sends own batches to one validator as far as its window allows.
    fn pump(&mut self, turn: &mut Turn<'_>, to: ValidatorKey) {
        let Some(own) = &self.own else { return };
        let Some(lane) = self.lanes.get(&own.me) else { return };
        let Some(peer) = self.peers.get_mut(&to).filter(|peer| peer.connected) else { return };
        let executed = &lane.executed;
        let floor = peer.acked.max(executed.position.seq.0);
        let sums = |seq: u64| {
            own.open.get(&seq).map_or(executed.cumulative_bytes, |open| open.cumulative_bytes)
        };
        let floor_bytes = sums(floor);
        peer.sent = peer.sent.max(floor);
        while let Some(open) = own.open.get(&peer.sent.saturating_add(1)) {
            let ahead = peer.sent.saturating_sub(floor);
            let bytes = open.cumulative_bytes.saturating_sub(floor_bytes);
            if ahead > 0 && (peer.probing || bytes > WINDOW_BYTES_MAX)
                || ahead >= WINDOW_BATCHES_MAX
            {
                break;
            }
            let digest = open.digest;
            let body = self.held.get(&digest).and_then(|entry| entry.batch.as_ref());
            turn.out.push(body.map_or(Effect::SendStored { to, digest }, |batch| {
                let bytes = batch.frame().clone();
                Effect::Send { to, class: Class::Batches, bytes }
            }));
            peer.sent = peer.sent.saturating_add(1);
        }
        if peer.sent > floor && peer.resend_at.is_none() {
            peer.resend_at = Some(turn.now.plus(peer.backoff_ms.max(RESEND_MS_MIN)));
        }
    }

    /// Sends again what was not acknowledged in time.
    pub(crate) fn run_peers(&mut self, turn: &mut Turn<'_>) {
        let due = |peer: &Peer| peer.deadline().is_some_and(|at| at <= turn.now);
        let late: Vec<ValidatorKey> =
            self.peers.iter().filter(|(_, peer)| due(peer)).map(|(key, _)| *key).collect();
        for key in late {
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.sent = peer.acked;
                peer.probing = true;
                peer.backoff_ms =
                    peer.backoff_ms.saturating_mul(2).clamp(RESEND_MS_MIN, RESEND_MS_MAX);
                peer.resend_at = None;
            }
            self.pump(turn, key);
        }
    }
}
