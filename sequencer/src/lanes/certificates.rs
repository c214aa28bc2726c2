//! Certificates of all lanes: the newest is verified, and the headers under it are held down to the
//! decided tip.

use super::event::{Effect, Offence};
use super::held::Entry;
use super::lane::{MissingHeader, tip_of};
use super::wire::{LaneMessage, TipClaim};
use super::{Lanes, Turn};
use crate::limits::{ASK_GAP_MS, HEADERS_PER_MESSAGE_MAX};
use rota_types::keys::verify_batch;
use rota_types::{BatchCertificate, CutEntry, Hash, LanePosition, SignedBatchHeader, ValidatorKey};

/// Where a verified certificate came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Put together here.
    OwnMaking,
    /// Sent by this validator.
    From(ValidatorKey),
}

/// What stands between a certificate and the decided tip.
enum Walk {
    /// Every header is held: digests and sequence numbers that are new in the chain.
    Complete(Vec<(u64, Hash)>),
    /// This header is not held.
    Missing(Hash),
    /// It does not lead to the decided tip.
    Conflict,
}

impl Lanes {
    pub(crate) fn on_certificate(
        &mut self,
        turn: &mut Turn<'_>,
        from: ValidatorKey,
        certificate: BatchCertificate,
    ) {
        let position = certificate.header().position;
        let key = position.lane;
        let Some(lane) = self.lanes.get_mut(&key).filter(|lane| !lane.closed) else { return };
        let newest = lane.newest_seq();
        if lane.incarnation != position.incarnation || position.seq.0 <= newest {
            return;
        }
        // A newer one from the same sender replaces its older; another's is judged before any are compared, so that a
        // liar's high number neither pushes a good certificate out nor keeps it from being taken in.
        if lane.candidate.as_ref().is_some_and(|(sender, _)| *sender != from) {
            self.verify_candidate(turn, &key);
        }
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        let waiting = lane.candidate.as_ref();
        if position.seq.0 <= lane.newest_seq()
            || waiting.is_some_and(|(_, held)| held.header().position.seq >= position.seq)
        {
            return;
        }
        lane.candidate = Some((from, certificate));
        if lane.wanted.is_some_and(|wanted| wanted <= position.seq.0) {
            lane.wanted = None;
            self.verify_candidate(turn, &key);
        }
        self.advance(turn, &key);
    }

    pub(crate) fn verify_candidates(&mut self, turn: &mut Turn<'_>) {
        let keys: Vec<ValidatorKey> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.candidate.is_some())
            .map(|(key, _)| *key)
            .collect();
        if !keys.is_empty() {
            self.verified_at = turn.now;
        }
        for key in keys {
            self.verify_candidate(turn, &key);
        }
    }

    /// Verifies the waiting certificate of a lane; the sender answers for it.
    pub(crate) fn verify_candidate(&mut self, turn: &mut Turn<'_>, key: &ValidatorKey) {
        let candidate = self.lanes.get_mut(key).and_then(|lane| lane.candidate.take());
        let Some((from, certificate)) = candidate else { return };
        match certificate.verify(self.config.chain_id, &self.config.validators) {
            Ok(()) => self.accept(turn, certificate, Source::From(from)),
            Err(_) => turn.penalise(from, Offence::BadCertificate),
        }
    }

    /// Takes a verified certificate as the newest of its lane.
    pub(crate) fn accept(
        &mut self,
        turn: &mut Turn<'_>,
        certificate: BatchCertificate,
        source: Source,
    ) {
        let position = certificate.header().position;
        let Some(lane) = self.lanes.get_mut(&position.lane) else { return };
        if lane.incarnation != position.incarnation || position.seq.0 <= lane.newest_seq() {
            return;
        }
        let digest = certificate.header().digest(self.config.chain_id);
        let signed = certificate.batch.clone();
        lane.newest = Some(certificate);
        lane.missing = None;
        self.note_conflict(turn, &digest, &signed);
        self.held.insert(digest, Entry::header_only(signed), true);
        if let Some(own) = self.own.as_mut().filter(|own| own.me == position.lane) {
            own.certified = own.certified.max(position.seq.0);
            for (_, open) in own.open.range_mut(..=position.seq.0) {
                open.acks.clear();
            }
        }
        self.extend_chain(turn, &position.lane, source);
        self.advance(turn, &position.lane);
    }

    /// Joins the newest certificate to the decided tip, or asks for the first header that is missing.
    pub(crate) fn extend_chain(&mut self, turn: &mut Turn<'_>, key: &ValidatorKey, source: Source) {
        let walk = self.walk(key);
        let Some(lane) = self.lanes.get_mut(key) else { return };
        match walk {
            None => {}
            Some(Walk::Complete(links)) => {
                lane.missing = None;
                let Some((seq, digest)) = links.first().copied() else { return };
                lane.chain.extend(links.iter().copied());
                let Some(header) = self.held.get(&digest).map(|entry| &entry.signed.header) else {
                    return;
                };
                debug_assert_eq!(header.position.seq.0, seq);
                lane.certified = Some(tip_of(header, digest));
                turn.out.push(Effect::Certified { position: header.position, digest });
                self.store_certified(turn, &links);
            }
            Some(Walk::Missing(digest)) => {
                let known = lane.missing.is_some_and(|missing| missing.digest == digest);
                if !known {
                    let ask_at = turn.now.plus(ASK_GAP_MS);
                    lane.missing = Some(MissingHeader { digest, ask_at, attempt: 0 });
                    if let Source::From(from) = source {
                        turn.send(from, &LaneMessage::HeaderRequest { digest });
                    }
                }
            }
            Some(Walk::Conflict) => {
                lane.newest = None;
                lane.missing = None;
            }
        }
    }

    /// Hands bodies that are certified and were never acknowledged here to the ledger: they may be decided.
    fn store_certified(&mut self, turn: &mut Turn<'_>, links: &[(u64, Hash)]) {
        for (_, digest) in links.iter().rev() {
            if let Some(batch) = self.held.get(digest).and_then(|entry| entry.batch.clone()) {
                self.store(turn, &batch);
            }
        }
    }

    fn walk(&self, key: &ValidatorKey) -> Option<Walk> {
        let lane = self.lanes.get(key)?;
        let newest = lane.newest.as_ref()?;
        let mut seq = newest.header().position.seq.0;
        let far = lane.decided.position.seq.0.saturating_add(self.config.lane_lead_max);
        if seq > far {
            // Nobody acknowledges so far ahead: it is this node's tip that is behind, and catch-up moves it.
            return None;
        }
        let mut digest = newest.header().digest(self.config.chain_id);
        let tip = &lane.decided;
        let mut links = Vec::new();
        while seq > tip.position.seq.0 {
            match lane.chain.get(&seq) {
                Some(known) if *known == digest => return Some(Walk::Complete(links)),
                Some(_) => return Some(Walk::Conflict),
                None => {}
            }
            let Some(entry) = self.held.get(&digest) else { return Some(Walk::Missing(digest)) };
            let header = &entry.signed.header;
            if header.position.seq.0 != seq || header.position.lane != *key {
                return Some(Walk::Conflict);
            }
            links.push((seq, digest));
            digest = header.parent;
            seq = seq.saturating_sub(1);
        }
        let joins = seq == tip.position.seq.0 && digest == tip.digest;
        Some(if joins { Walk::Complete(links) } else { Walk::Conflict })
    }

    /// Takes headers that were asked for: the first is the missing one, each next the parent of the last.
    pub(crate) fn on_headers(
        &mut self,
        turn: &mut Turn<'_>,
        from: ValidatorKey,
        headers: Vec<SignedBatchHeader>,
    ) {
        let chain_id = self.config.chain_id;
        let Some(key) = headers.first().map(|signed| signed.header.position.lane) else { return };
        let Some(lane) = self.lanes.get(&key) else { return };
        let Some(mut expected) = lane.missing.map(|missing| missing.digest) else { return };
        let floor = lane.decided.position.seq;
        let mut linked = Vec::new();
        let mut items = Vec::new();
        for signed in headers {
            let digest = signed.header.digest(chain_id);
            if digest != expected || signed.header.position.lane != key {
                break;
            }
            expected = signed.header.parent;
            if signed.header.position.seq <= floor {
                break;
            }
            items.push((key, digest, signed.signature));
            linked.push((digest, signed));
        }
        if linked.is_empty() {
            return;
        }
        if verify_batch(&items, "batch header").is_err() {
            return turn.penalise(from, Offence::BadHeader);
        }
        for (digest, signed) in linked {
            self.note_conflict(turn, &digest, &signed);
            self.held.insert(digest, Entry::header_only(signed), true);
        }
        self.extend_chain(turn, &key, Source::From(from));
        self.advance(turn, &key);
    }

    /// Asks for a certificate that a proposal relies on, unless one that waits here covers it.
    pub(crate) fn want(&mut self, turn: &mut Turn<'_>, entry: &CutEntry, from: ValidatorKey) {
        let position = entry.position;
        self.verify_candidate(turn, &position.lane);
        let Some(lane) = self.lanes.get_mut(&position.lane).filter(|lane| !lane.closed) else {
            return;
        };
        if lane.newest_seq() >= position.seq.0 {
            return;
        }
        lane.wanted = Some(position.seq.0);
        if Some(from) != self.config.me {
            turn.send(from, &LaneMessage::CertificateRequest { position });
        }
    }

    pub(crate) fn serve_certificate(
        &self,
        turn: &mut Turn<'_>,
        to: ValidatorKey,
        position: &LanePosition,
    ) {
        let newest = self.lanes.get(&position.lane).and_then(|lane| lane.newest.as_ref());
        let covers = newest.filter(|certificate| {
            let held = certificate.header().position;
            held.incarnation == position.incarnation && held.seq >= position.seq
        });
        if let Some(certificate) = covers {
            turn.send(to, &LaneMessage::Certificate(Box::new(certificate.clone())));
        }
    }

    pub(crate) fn serve_headers(&self, turn: &mut Turn<'_>, to: ValidatorKey, digest: Hash) {
        let mut headers = Vec::new();
        let mut next = digest;
        while let Some(entry) = self.held.get(&next) {
            headers.push(entry.signed.clone());
            next = entry.signed.header.parent;
            if headers.len() >= HEADERS_PER_MESSAGE_MAX {
                break;
            }
        }
        if !headers.is_empty() {
            turn.send(to, &LaneMessage::Headers(headers));
        }
    }

    /// Tells validators the newest certified places; they answer with what this node lacks.
    pub(crate) fn share_tips(&mut self, turn: &mut Turn<'_>, to: &[ValidatorKey]) {
        self.verify_candidates(turn);
        let claim = |certificate: &BatchCertificate| TipClaim {
            position: certificate.header().position,
            digest: certificate.header().digest(self.config.chain_id),
        };
        let tips: Vec<TipClaim> =
            self.lanes.values().filter_map(|lane| lane.newest.as_ref().map(claim)).collect();
        for validator in to.iter().filter(|key| Some(**key) != self.config.me) {
            turn.send(*validator, &LaneMessage::Tips(tips.clone()));
        }
    }

    /// Sends the certificates that the sender lacks, and asks for those that are newer there.
    pub(crate) fn on_tips(&mut self, turn: &mut Turn<'_>, from: ValidatorKey, tips: &[TipClaim]) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if !peer.may_share(turn.now) {
            return;
        }
        for (key, lane) in &self.lanes {
            let claim = tips.iter().find(|claim| claim.position.lane == *key);
            let theirs = claim.map_or(0, |claim| claim.position.seq.0);
            let waiting = lane.candidate.as_ref().map_or(0, |(_, c)| c.header().position.seq.0);
            let ours = lane.newest_seq().max(waiting);
            match (claim, &lane.newest) {
                (Some(claim), _) if theirs > ours => {
                    let position = claim.position;
                    turn.send(from, &LaneMessage::CertificateRequest { position });
                }
                (_, Some(newest)) if lane.newest_seq() > theirs => {
                    turn.send(from, &LaneMessage::Certificate(Box::new(newest.clone())));
                }
                _ => {}
            }
        }
    }

    /// Repeats what is due of every lane: a header that did not come, a statement held back.
    pub(crate) fn run_lanes(&mut self, turn: &mut Turn<'_>) {
        let due: Vec<ValidatorKey> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.deadline().is_some_and(|at| at <= turn.now))
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            if lane.statement_due().is_some_and(|at| at <= turn.now) {
                self.state(turn, key, true);
            }
            self.ask_header(turn, &key);
        }
    }

    /// Asks the author and the signers in turn for a missing header.
    fn ask_header(&mut self, turn: &mut Turn<'_>, key: &ValidatorKey) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let Some(missing) = lane.missing.as_mut().filter(|m| m.ask_at <= turn.now) else { return };
        let signers = lane.newest.iter().flat_map(|c| c.acks.iter().map(|(key, _)| *key));
        let holders: Vec<ValidatorKey> = std::iter::once(*key)
            .chain(signers)
            .filter(|holder| Some(*holder) != self.config.me)
            .collect();
        let at = missing.attempt.checked_rem(holders.len()).unwrap_or(0);
        missing.attempt = missing.attempt.saturating_add(1);
        missing.ask_at = turn.now.plus(ASK_GAP_MS);
        let digest = missing.digest;
        if let Some(holder) = holders.get(at) {
            turn.send(*holder, &LaneMessage::HeaderRequest { digest });
        }
    }
}
