//! What slot building and checking read.

use super::Lanes;
use super::lane::{Lane, tip_of};
use crate::batch::Batch;
use crate::lane_view::{Coverage, LaneTip, LaneView};
use rota_types::{CutEntry, Hash, SignedBatchHeader, ValidatorKey};
use std::sync::Arc;

impl Lanes {
    fn open_lane(&self, key: &ValidatorKey) -> Option<&Lane> {
        self.lanes.get(key).filter(|lane| !lane.closed)
    }
}

impl LaneView for Lanes {
    fn decided_tip(&self, lane: &ValidatorKey) -> Option<LaneTip> {
        self.open_lane(lane).map(|lane| lane.decided)
    }

    fn certified_tip(&self, lane: &ValidatorKey) -> Option<LaneTip> {
        self.open_lane(lane).map(|lane| lane.certified.unwrap_or(lane.decided))
    }

    fn furthest_within(
        &self,
        lane: &ValidatorKey,
        bytes_max: u64,
        txs_max: u64,
    ) -> Option<LaneTip> {
        let lane = self.open_lane(lane)?;
        let tip = &lane.decided;
        let mut furthest = *tip;
        for digest in lane.chain.values() {
            let header = &self.held.get(digest)?.signed.header;
            let bytes = header.cumulative_bytes.saturating_sub(tip.cumulative_bytes);
            let txs = header.cumulative_txs.saturating_sub(tip.cumulative_txs);
            let first = furthest.position.seq == tip.position.seq;
            if !first && (bytes > bytes_max || txs > txs_max) {
                break;
            }
            furthest = tip_of(header, *digest);
        }
        Some(furthest)
    }

    fn coverage(&self, entry: &CutEntry) -> Coverage {
        let position = entry.position;
        let Some(lane) = self.open_lane(&position.lane) else { return Coverage::Conflicts };
        let seq = position.seq.0;
        if position.incarnation != lane.incarnation || seq <= lane.decided.position.seq.0 {
            return Coverage::Conflicts;
        }
        if let Some(digest) = lane.chain.get(&seq) {
            if *digest != entry.header_digest {
                return Coverage::Conflicts;
            }
            return Coverage::Certified(lane.chain.range(..=seq).map(|(_, d)| *d).collect());
        }
        match lane.missing {
            Some(missing) if lane.newest_seq() >= seq => Coverage::NeedHeader(missing.digest),
            _ => Coverage::NeedCertificate,
        }
    }

    fn header(&self, digest: &Hash) -> Option<&SignedBatchHeader> {
        self.held.get(digest).map(|entry| &entry.signed)
    }

    fn batch(&self, digest: &Hash) -> Option<Arc<Batch>> {
        self.held.get(digest).and_then(|entry| entry.batch.clone())
    }

    fn holders(&self, digest: &Hash) -> Vec<ValidatorKey> {
        let position = self.header(digest).map(|signed| signed.header.position);
        let known = position.and_then(|position| {
            let lane = self.lanes.get(&position.lane)?;
            let newest = lane.newest.as_ref().filter(|c| c.header().position.seq >= position.seq);
            let signers: Vec<ValidatorKey> = match newest {
                Some(newest) => newest.acks.iter().map(|(key, _)| *key).collect(),
                None if lane.decided_signers.0 >= position.seq.0 => lane.decided_signers.1.clone(),
                None => return None,
            };
            Some(std::iter::once(position.lane).chain(signers).collect())
        });
        // Of what is certified elsewhere only, anyone may be a holder.
        let all = || self.peers.keys().copied().collect();
        let mut holders: Vec<ValidatorKey> = known.unwrap_or_else(all);
        holders.retain(|key| Some(*key) != self.config.me);
        holders
    }
}
