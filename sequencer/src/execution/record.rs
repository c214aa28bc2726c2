//! What the ledger keeps of a slot: the decision before execution, and its outcome after.

use crate::batch::Batch;
use crate::limits::{DECIDED_RECORD_BYTES_MAX, EXECUTED_RECORD_BYTES_MAX};
use crate::order::{IdPrefix, prefix};
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::codec::{decode, encode};
use rota_types::{
    CommitCertificate, Hash, Height, LanePosition, RefusalCode, SlotHeader, SlotProposal,
    TypesError,
};
use std::sync::Arc;

/// A decided slot with all of its bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedSlot {
    /// What was decided.
    pub proposal: SlotProposal,
    /// That it was decided.
    pub certificate: CommitCertificate,
    /// For each entry of the cut the lane's batches since its decided tip, oldest first.
    pub lanes: Vec<Vec<Arc<Batch>>>,
}

impl DecidedSlot {
    /// Its height.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.proposal.height
    }
}

/// The decision: in the ledger, with the batches it names, before anyone is told `ordered`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DecidedRecord {
    /// What was decided.
    pub proposal: SlotProposal,
    /// That it was decided.
    pub certificate: CommitCertificate,
    /// For each entry of the cut the digests of the lane's batches, oldest first.
    pub lanes: Vec<Vec<Hash>>,
}

impl DecidedRecord {
    /// Record of a decided slot.
    #[must_use]
    pub fn of(decided: &DecidedSlot) -> Self {
        let digests = |run: &Vec<Arc<Batch>>| run.iter().map(|batch| batch.digest()).collect();
        Self {
            proposal: decided.proposal.clone(),
            certificate: decided.certificate.clone(),
            lanes: decided.lanes.iter().map(digests).collect(),
        }
    }

    /// The ledger's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes at most [`DECIDED_RECORD_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`TypesError`] if it is no such record.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TypesError> {
        let record: Self = decode(bytes, DECIDED_RECORD_BYTES_MAX)?;
        if record.lanes.len() != record.proposal.cut.len() {
            return Err(TypesError::Mismatch { what: "lanes of a decided record" });
        }
        Ok(record)
    }

    /// Digests of the batches in the order in which catch-up sends them: lane by lane as in the cut, newest first,
    /// so that each is expected by a digest known before.
    pub fn transfer_order(&self) -> impl Iterator<Item = &Hash> {
        self.lanes.iter().flat_map(|run| run.iter().rev())
    }

    /// The decided slot, with bodies from `batch`; `None` if one is missing.
    pub fn with_batches(
        &self,
        mut batch: impl FnMut(&Hash) -> Option<Arc<Batch>>,
    ) -> Option<DecidedSlot> {
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for run in &self.lanes {
            lanes.push(run.iter().map(&mut batch).collect::<Option<Vec<_>>>()?);
        }
        Some(DecidedSlot {
            proposal: self.proposal.clone(),
            certificate: self.certificate.clone(),
            lanes,
        })
    }
}

/// A batch at its place in a slot.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OrderedBatch {
    /// Digest of its header.
    pub digest: Hash,
    /// Its place in its lane.
    pub position: LanePosition,
    /// Transactions in it.
    pub txs: u32,
}

/// The outcome of a slot. With the batches it answers every question about the slot, and at a restart it fills the
/// replay window without hashing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ExecutedRecord {
    /// The header that is sealed.
    pub header: SlotHeader,
    /// Batches in slot order.
    pub batches: Vec<OrderedBatch>,
    /// Skipped transactions, ascending by slot index, with their codes.
    pub skips: Vec<(u32, RefusalCode)>,
    /// First 16 bytes of every transaction's id, in slot order.
    pub prefixes: Vec<IdPrefix>,
}

impl ExecutedRecord {
    /// The ledger's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes at most [`EXECUTED_RECORD_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`TypesError`] if it is no such record.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TypesError> {
        let record: Self = decode(bytes, EXECUTED_RECORD_BYTES_MAX)?;
        let ascending =
            record.skips.iter().zip(record.skips.iter().skip(1)).all(|(a, b)| a.0 < b.0);
        if !ascending {
            return Err(TypesError::NotAscending { what: "skips of a slot record" });
        }
        Ok(record)
    }

    /// Slot index of a transaction that was ordered here, not skipped.
    #[must_use]
    pub fn index_of(&self, id: &Hash) -> Option<u32> {
        let wanted = prefix(id);
        (0u32..)
            .zip(&self.prefixes)
            .find(|(index, found)| **found == wanted && self.skip_code(*index).is_none())
            .map(|(index, _)| index)
    }

    /// Prefixes of the ids that need no further place: of what was ordered here, or before. What was skipped by any
    /// other code may still be ordered later, by another batch.
    #[must_use]
    pub fn settled(&self) -> Vec<IdPrefix> {
        let mut skips = self.skips.iter().peekable();
        let settled = |(index, prefix): (u32, &IdPrefix)| {
            while skips.next_if(|(skipped, _)| *skipped < index).is_some() {}
            let code = skips.peek().filter(|(skipped, _)| *skipped == index).map(|(_, code)| *code);
            code.is_none_or(|code| code == RefusalCode::Duplicate).then_some(*prefix)
        };
        (0u32..).zip(&self.prefixes).filter_map(settled).collect()
    }

    /// The code with which the transaction at a slot index was skipped, if it was.
    #[must_use]
    pub fn skip_code(&self, index: u32) -> Option<RefusalCode> {
        let at = self.skips.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        self.skips.get(at).map(|(_, code)| *code)
    }

    /// The batch that holds a slot index, and the index in it.
    #[must_use]
    pub fn batch_of(&self, index: u32) -> Option<(&OrderedBatch, u32)> {
        let mut left = index;
        for batch in &self.batches {
            match left.checked_sub(batch.txs) {
                Some(rest) => left = rest,
                None => return Some((batch, left)),
            }
        }
        None
    }
}
