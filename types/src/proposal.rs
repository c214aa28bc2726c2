//! The value consensus decides: a small cut through the lanes.

use crate::batch::LanePosition;
use crate::codec::encode;
use crate::error::TypesError;
use crate::evidence::Evidence;
use crate::hash::Hash;
use crate::ids::{Height, Round, Slot};
use crate::limits::{EVIDENCE_BYTES_MAX, EVIDENCE_ITEMS_MAX, VALIDATORS_MAX};
use crate::tags::Tag;
use borsh::{BorshDeserialize, BorshSerialize};

/// A lane's tip in the cut: everything of the lane after its decided tip, up to here, is ordered.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CutEntry {
    /// The certified batch.
    pub position: LanePosition,
    /// Digest of its header.
    pub header_digest: Hash,
}

/// What a proposer proposes for a height. Certificates are not inside.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SlotProposal {
    /// Height it is for; a value commits to its height.
    pub height: Height,
    /// Round in which it was first proposed.
    pub round: Round,
    /// Slot it fills, above the parent's.
    pub slot: Slot,
    /// Id of the executed header at `height − 1`; zero at height 1.
    pub parent_header: Hash,
    /// Advancing lanes only, by strictly ascending lane key.
    pub cut: Vec<CutEntry>,
    /// Equivocations to be accepted by this slot.
    pub evidence: Vec<Evidence>,
}

impl SlotProposal {
    /// `Tag::SlotProposal` digest of the encoding: the value's id.
    #[must_use]
    pub fn id(&self, chain_id: u64) -> Hash {
        Tag::SlotProposal.digest(chain_id, &encode(self))
    }

    /// What can be wrong by the bytes alone: too many entries, lanes out of order, too much evidence.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate(&self) -> Result<(), TypesError> {
        if self.cut.len() > VALIDATORS_MAX {
            return Err(TypesError::TooMany {
                what: "cut entries",
                limit: VALIDATORS_MAX,
                found: self.cut.len(),
            });
        }
        let ascending = self
            .cut
            .iter()
            .zip(self.cut.iter().skip(1))
            .all(|(a, b)| a.position.lane < b.position.lane);
        if !ascending {
            return Err(TypesError::NotAscending { what: "lanes of the cut" });
        }
        if self.evidence.len() > EVIDENCE_ITEMS_MAX {
            return Err(TypesError::TooMany {
                what: "evidence items",
                limit: EVIDENCE_ITEMS_MAX,
                found: self.evidence.len(),
            });
        }
        let bytes = encode(&self.evidence).len();
        if bytes > EVIDENCE_BYTES_MAX {
            return Err(TypesError::TooLarge { limit: EVIDENCE_BYTES_MAX, found: bytes });
        }
        Ok(())
    }
}
