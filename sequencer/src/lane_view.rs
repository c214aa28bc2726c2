//! What slot building and checking read from the lanes.

use crate::batch::Batch;
use rota_types::{CutEntry, Hash, LanePosition, SignedBatchHeader, ValidatorKey};
use std::sync::Arc;

/// The end of what is decided of a lane; `position.seq` 0 and a zero digest before its first batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, borsh::BorshSerialize, borsh::BorshDeserialize)]
pub struct LaneTip {
    /// Last decided place.
    pub position: LanePosition,
    /// Digest of the header there.
    pub digest: Hash,
    /// Sum of transaction bytes of the lane up to here.
    pub cumulative_bytes: u64,
    /// Sum of transactions of the lane up to here.
    pub cumulative_txs: u64,
}

/// How a cut entry stands to what this node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Certified here or further up its chain; digests from the decided tip (exclusive) to the entry (inclusive), in order.
    Certified(Vec<Hash>),
    /// Not behind a certificate held here: ask for one.
    NeedCertificate,
    /// Certified, but a header between it and the decided tip is missing: this digest first.
    NeedHeader(Hash),
    /// Does not extend the decided tip, or another branch is certified: never acceptable.
    Conflicts,
}

/// Read access to the lanes of the height being worked on.
pub trait LaneView {
    /// Decided tip of a lane, `None` for a lane that does not exist or is closed.
    fn decided_tip(&self, lane: &ValidatorKey) -> Option<LaneTip>;
    /// Highest certified batch whose headers are all held down to the decided tip; the decided tip itself
    /// where nothing above it is certified.
    fn certified_tip(&self, lane: &ValidatorKey) -> Option<LaneTip>;
    /// Highest batch of the certified chain within the lane's share of a slot (`bytes_max`, `txs_max`)
    /// counted from the decided tip; the first undecided batch always fits. The decided tip itself where
    /// nothing above it is certified.
    fn furthest_within(&self, lane: &ValidatorKey, bytes_max: u64, txs_max: u64)
    -> Option<LaneTip>;
    /// Judges a cut entry.
    fn coverage(&self, entry: &CutEntry) -> Coverage;
    /// A header held, by digest.
    fn header(&self, digest: &Hash) -> Option<&SignedBatchHeader>;
    /// A batch whose body is held in memory, by header digest. One dropped for memory is in the ledger.
    fn batch(&self, digest: &Hash) -> Option<Arc<Batch>>;
    /// Validators that acknowledged this batch or a later one of its chain, as far as known: whom to ask for its body.
    fn holders(&self, digest: &Hash) -> Vec<ValidatorKey>;
}
