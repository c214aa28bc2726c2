//! State of one lane: tips, certified chain, own acknowledgements.

use super::event::LaneTerms;
use crate::lane_view::LaneTip;
use crate::limits::STATEMENT_GAP_MS_MIN;
use rota_types::{
    BatchCertificate, BatchHeader, Hash, Incarnation, Seq, Signature, TimestampMs, ValidatorKey,
};
use std::collections::{BTreeMap, BTreeSet};

/// A header that stands between a certificate and the decided tip and is not held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MissingHeader {
    pub(crate) digest: Hash,
    pub(crate) ask_at: TimestampMs,
    pub(crate) attempt: usize,
}

/// One lane.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) incarnation: Incarnation,
    pub(crate) closed: bool,
    pub(crate) slot_bytes_max: u64,
    pub(crate) slot_txs_max: u64,
    pub(crate) decided: LaneTip,
    pub(crate) executed: LaneTip,
    /// Certified digests above the decided tip, without gaps up to `certified`.
    pub(crate) chain: BTreeMap<u64, Hash>,
    pub(crate) certified: Option<LaneTip>,
    /// Newest verified certificate above the decided tip.
    pub(crate) newest: Option<BatchCertificate>,
    pub(crate) missing: Option<MissingHeader>,
    /// Who signed the newest certificate that is decided by now, and its place: they hold the bodies.
    pub(crate) decided_signers: (u64, Vec<ValidatorKey>),
    /// Newest certificate not verified yet, and who sent it.
    pub(crate) candidate: Option<(ValidatorKey, BatchCertificate)>,
    /// Bodies held that are not acknowledged yet.
    pub(crate) unacked: BTreeSet<(u64, Hash)>,
    /// Own newest acknowledgement.
    pub(crate) acked: Option<(u64, Hash, Signature)>,
    /// A parent is missing: the author is to send again.
    pub(crate) wants_resend: bool,
    /// Bodies were dropped that waited for the decided tip: the author is to send again when it moved.
    pub(crate) dropped: bool,
    /// A proposal needs this place certified: the next certificate that covers it is verified at once.
    pub(crate) wanted: Option<u64>,
    pub(crate) stated_at: TimestampMs,
    pub(crate) evidence_sent: bool,
}

impl Lane {
    pub(crate) const fn new(terms: &LaneTerms) -> Self {
        Self {
            incarnation: terms.incarnation,
            closed: terms.closed,
            slot_bytes_max: terms.slot_bytes_max,
            slot_txs_max: terms.slot_txs_max,
            decided: terms.tip,
            executed: terms.tip,
            chain: BTreeMap::new(),
            certified: None,
            newest: None,
            missing: None,
            decided_signers: (0, Vec::new()),
            candidate: None,
            unacked: BTreeSet::new(),
            acked: None,
            wants_resend: false,
            dropped: false,
            wanted: None,
            stated_at: TimestampMs(0),
            evidence_sent: false,
        }
    }

    /// Whether a batch with this header may be acknowledged so far ahead of the decided tip.
    pub(crate) fn within_lead(&self, lane_lead_max: u64, header: &BatchHeader) -> bool {
        self.within_lead_of(&self.decided, lane_lead_max, header)
    }

    /// Whether its author may seal such a batch: a decided slot makes room when it is executed here, for only then is
    /// it known what of the queue it ordered.
    pub(crate) fn own_within_lead(&self, lane_lead_max: u64, header: &BatchHeader) -> bool {
        self.within_lead_of(&self.executed, lane_lead_max, header)
    }

    /// The first one after the tip always may.
    fn within_lead_of(&self, tip: &LaneTip, lane_lead_max: u64, header: &BatchHeader) -> bool {
        let ahead = header.position.seq.0.saturating_sub(tip.position.seq.0);
        let bytes = header.cumulative_bytes.saturating_sub(tip.cumulative_bytes);
        let txs = header.cumulative_txs.saturating_sub(tip.cumulative_txs);
        ahead <= 1
            || (ahead <= lane_lead_max
                && bytes <= self.slot_bytes_max.saturating_mul(2)
                && txs <= self.slot_txs_max.saturating_mul(2))
    }

    /// Last place that needs no sending to this node again.
    pub(crate) fn after(&self) -> Seq {
        let decided = self.decided.position.seq;
        self.acked.map_or(decided, |(seq, ..)| Seq(seq).max(decided))
    }

    /// Sequence number up to which the lane is known to be certified.
    pub(crate) fn newest_seq(&self) -> u64 {
        self.newest.as_ref().map_or(self.decided.position.seq.0, |c| c.header().position.seq.0)
    }

    pub(crate) fn statement_due(&self) -> Option<TimestampMs> {
        self.wants_resend.then(|| self.stated_at.plus(STATEMENT_GAP_MS_MIN))
    }

    pub(crate) fn deadline(&self) -> Option<TimestampMs> {
        let header = self.missing.map(|missing| missing.ask_at);
        self.statement_due().into_iter().chain(header).min()
    }

    /// Forgets what belongs to an older incarnation or a closed lane.
    pub(crate) fn clear(&mut self) {
        self.chain.clear();
        self.certified = None;
        self.newest = None;
        self.missing = None;
        self.candidate = None;
        self.unacked.clear();
        self.acked = None;
        self.wants_resend = false;
        self.dropped = false;
        self.wanted = None;
    }
}

/// Place, digest and sums of a header as a tip.
pub(crate) const fn tip_of(header: &BatchHeader, digest: Hash) -> LaneTip {
    LaneTip {
        position: header.position,
        digest,
        cumulative_bytes: header.cumulative_bytes,
        cumulative_txs: header.cumulative_txs,
    }
}
