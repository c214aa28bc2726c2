//! Restart, decided heights, executed heights: what moves the lower end of every lane.

use super::certificates::Source;
use super::event::{Effect, Halt, LaneTerms, Recovered};
use super::held::Entry;
use super::lane::Lane;
use super::own::Kept;
use super::{Lanes, Turn};
use crate::batch::Batch;
use crate::lane_view::LaneTip;
use rota_types::{Ack, Hash, Mark, MarkPlace, Seq, ValidatorKey};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Lanes {
    /// Takes up the work of an earlier run: acknowledged bodies are acknowledged alike, own batches stay
    /// what they were, and a marked own batch that is missing stops the own lane until it is found.
    pub(crate) fn on_recovered(&mut self, turn: &mut Turn<'_>, recovered: Recovered) {
        if self.started {
            return;
        }
        self.started = true;
        for terms in &recovered.terms {
            self.lanes.insert(terms.tip.position.lane, Lane::new(terms));
        }
        for tip in &recovered.decided {
            if let Some(lane) = self.lanes.get_mut(&tip.position.lane) {
                lane.decided = *tip;
            }
        }
        let me = self.config.me;
        let mut batches = recovered.batches;
        batches.sort_by_key(|batch| (batch.position(), batch.digest()));
        let (own, foreign): (Vec<_>, Vec<_>) =
            batches.into_iter().partition(|batch| Some(batch.position().lane) == me);
        let acked = recovered.marks.iter();
        let acked = acked.filter(|mark| matches!(mark.place, MarkPlace::Ack { .. }));
        let acked: BTreeSet<Hash> = acked.map(|mark| mark.digest).collect();
        // One at a time: a body may leave memory once it is judged.
        for batch in foreign {
            let (position, digest) = (batch.position(), batch.digest());
            self.take_stored(batch);
            // An acknowledgement holds for life, also where the certificate that it stood on is forgotten.
            if acked.contains(&Ack::signing_digest(self.config.chain_id, &position, &digest)) {
                self.acknowledge(turn, &position.lane, position.seq.0, &digest);
            }
            self.advance(turn, &position.lane);
        }
        if let Some(own) = self.own.as_mut() {
            own.closed_through = recovered.own_closed;
        }
        self.recover_own(turn, own, &recovered.marks);
        let connected: Vec<ValidatorKey> =
            self.peers.iter().filter(|(_, peer)| peer.connected).map(|(key, _)| *key).collect();
        for key in connected {
            self.on_connected(turn, key);
        }
    }

    fn take_stored(&mut self, batch: Arc<Batch>) {
        let (position, digest) = (batch.position(), batch.digest());
        let Some(lane) = self.lanes.get_mut(&position.lane) else { return };
        if lane.incarnation != position.incarnation || position.seq <= lane.executed.position.seq {
            return;
        }
        let entry = Entry::header_only(batch.signed().clone());
        if self.held.insert(digest, entry, false) {
            lane.unacked.insert((position.seq.0, digest));
            self.held.attach(&batch);
            self.held.mark_stored(&digest);
        }
    }

    fn recover_own(&mut self, turn: &mut Turn<'_>, stored: Vec<Arc<Batch>>, marks: &[Mark]) {
        let Some(me) = self.config.me else { return };
        let (Some(own), Some(lane)) = (self.own.as_mut(), self.lanes.get(&me)) else { return };
        own.tip = Some(lane.executed);
        own.certified = lane.decided.position.seq.0;
        if let Some(halt) = own.closure(lane.incarnation) {
            return self.halt_own(turn, halt);
        }
        for mark in marks {
            if let MarkPlace::OwnBatch { incarnation, seq } = mark.place
                && incarnation == lane.incarnation
                && seq > lane.executed.position.seq
            {
                own.missing.insert(seq.0, mark.digest);
            }
        }
        for batch in stored {
            let seq = batch.position().seq.0;
            let current = batch.position().incarnation == lane.incarnation;
            let marked = own.missing.get(&seq);
            let wanted = marked.is_none_or(|digest| *digest == batch.digest());
            if current && wanted && seq > lane.executed.position.seq.0 {
                own.missing.remove(&seq);
                own.spare.insert(seq, (batch, Kept::InLedger));
            }
        }
        self.adopt_spare(turn);
        self.check_own_tip(turn);
        let first = self.own.as_ref().and_then(|own| own.missing.keys().next().copied());
        if let (Some(seq), None) = (first, self.halt()) {
            self.halt_own(turn, Halt::MissingOwnBatch(Seq(seq)));
        }
        for digest in self.own.iter().flat_map(|own| own.missing.values()) {
            turn.out.push(Effect::Fetch { digest: *digest });
        }
    }

    /// Joins own stored batches to the own lane, in order. Each passes the guard again, which knows it.
    pub(crate) fn adopt_spare(&mut self, turn: &mut Turn<'_>) {
        loop {
            let Some(own) = self.own.as_mut() else { return };
            let Some(tip) = own.tip else { return };
            let next = own.spare.remove(&tip.position.seq.next().0);
            let Some((batch, kept)) = next else { return };
            if batch.header().parent != tip.digest {
                continue;
            }
            let (incarnation, seq) = (batch.position().incarnation, batch.position().seq);
            let place = MarkPlace::OwnBatch { incarnation, seq };
            let mark = Mark { place, digest: batch.digest() };
            if turn.gate.sign(mark).is_none() {
                turn.out.push(Effect::SignRefused { mark });
                return self.halt_own(turn, Halt::GuardRefused(seq));
            }
            let place = super::places::Where::Sealed { seq: seq.0, first_index: 0 };
            // A list with a repeated id keeps no look-up; its receipts stand all the same.
            let known = own.places.add(batch.body(), place).is_ok();
            debug_assert!(known || batch.body().len() > 1);
            self.push_own(turn, &batch, kept);
        }
    }

    /// Lets the own lane go on after its missing batches came.
    pub(crate) fn resume_if_complete(&mut self) {
        if let Some(own) = self.own.as_mut()
            && own.missing.is_empty()
            && own.spare.keys().all(|seq| own.tip.is_some_and(|tip| *seq <= tip.position.seq.0))
            && matches!(own.halt, Some(Halt::MissingOwnBatch(_)))
        {
            own.halt = None;
        }
    }

    pub(crate) fn on_decided(&mut self, turn: &mut Turn<'_>, tips: &[LaneTip]) {
        for tip in tips {
            let key = tip.position.lane;
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            if tip.position.seq <= lane.decided.position.seq {
                continue;
            }
            lane.decided = *tip;
            let seq = tip.position.seq.0;
            if lane.chain.get(&seq).is_some_and(|digest| *digest != tip.digest) {
                // More than a third of weight lied: what was certified here is not what was decided.
                lane.chain.clear();
                lane.newest = None;
                lane.certified = None;
            }
            lane.chain = lane.chain.split_off(&seq.saturating_add(1));
            lane.wanted = lane.wanted.filter(|wanted| *wanted > seq);
            lane.certified = lane.certified.filter(|held| held.position.seq.0 > seq);
            let passed = |seq_held: u64| seq_held <= seq;
            if let Some(newest) = &lane.newest
                && passed(newest.header().position.seq.0)
            {
                let signers = newest.acks.iter().map(|(key, _)| *key).collect();
                lane.decided_signers = (newest.header().position.seq.0, signers);
                lane.newest = None;
                lane.missing = None;
            }
            if lane.candidate.as_ref().is_some_and(|(_, c)| passed(c.header().position.seq.0)) {
                lane.candidate = None;
            }
            self.extend_chain(turn, &key, Source::From(key));
            self.advance(turn, &key);
            self.state(turn, key, false);
        }
        self.check_own_tip(turn);
    }

    /// Compares the decided own tip with what this node made.
    fn check_own_tip(&mut self, turn: &mut Turn<'_>) {
        let Some(me) = self.config.me else { return };
        let (Some(own), Some(lane)) = (self.own.as_mut(), self.lanes.get(&me)) else { return };
        let decided = lane.decided;
        let seq = decided.position.seq.0;
        own.certified = own.certified.max(seq);
        own.no_longer_missing(turn, seq);
        own.spare = own.spare.split_off(&own.last_seq().max(seq).saturating_add(1));
        let known = own.open.get(&seq).map(|open| open.digest);
        if seq > own.last_seq() {
            // Batches of an earlier run that this node lost were decided: go on behind them.
            own.tip = Some(decided);
            own.open.clear();
            self.adopt_spare(turn);
        } else if known.is_some_and(|digest| digest != decided.digest) && own.halt.is_none() {
            return self.halt_own(turn, Halt::ForeignTip(decided.position.seq));
        }
        self.resume_if_complete();
    }

    pub(crate) fn on_executed(&mut self, turn: &mut Turn<'_>, terms: &[LaneTerms]) {
        let tips: Vec<LaneTip> = terms.iter().map(|terms| terms.tip).collect();
        self.on_decided(turn, &tips);
        for terms in terms {
            self.apply_terms(turn, terms);
        }
    }

    fn apply_terms(&mut self, turn: &mut Turn<'_>, terms: &LaneTerms) {
        let key = terms.tip.position.lane;
        let lane = self.lanes.entry(key).or_insert_with(|| Lane::new(terms));
        let ended = lane.incarnation != terms.incarnation || (terms.closed && !lane.closed);
        lane.executed = terms.tip;
        if lane.decided.digest == terms.tip.digest {
            lane.decided = terms.tip;
        }
        lane.slot_bytes_max = terms.slot_bytes_max;
        lane.slot_txs_max = terms.slot_txs_max;
        lane.closed = terms.closed;
        lane.evidence_sent &= lane.incarnation == terms.incarnation;
        lane.incarnation = terms.incarnation;
        let (seq, decided) = (terms.tip.position.seq.0, lane.decided);
        if ended {
            lane.clear();
        }
        lane.acked = lane.acked.filter(|(acked, ..)| *acked > seq);
        self.held.remove_upto(&key, if ended { u64::MAX } else { seq });
        if let Some(own) = self.own.as_mut().filter(|own| own.me == key) {
            own.places.forget_upto(if ended { u64::MAX } else { seq });
            own.open = own.open.split_off(&seq.saturating_add(1));
            if ended {
                own.open.clear();
                own.no_longer_missing(turn, u64::MAX);
                own.spare.clear();
                own.certificate = None;
                own.halt = own.closure(terms.incarnation);
                own.tip = Some(decided);
                own.certified = decided.position.seq.0;
                for peer in self.peers.values_mut() {
                    peer.restart(decided.position.seq.0);
                }
            }
            if terms.closed {
                own.refuse_queue(turn);
            }
        }
        // A larger share lets more be acknowledged.
        self.advance(turn, &key);
    }
}
