//! Batches: the links of a validator's lane.

use crate::codec::encode;
use crate::error::TypesError;
use crate::hash::Hash;
use crate::ids::{Incarnation, Seq};
use crate::keys::{Signature, Signer, ValidatorKey};
use crate::tags::Tag;
use crate::transaction::TransactionList;
use borsh::{BorshDeserialize, BorshSerialize};

/// A place in a lane.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct LanePosition {
    /// The validator whose lane it is.
    pub lane: ValidatorKey,
    /// Generation of the lane.
    pub incarnation: Incarnation,
    /// Number in the lane, from 1.
    pub seq: Seq,
}

/// Header of a batch. Its digest is signed by the lane's key, and acknowledged by the others.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BatchHeader {
    /// The place this batch takes.
    pub position: LanePosition,
    /// Digest of the header at `seq − 1`; zero for the first batch of a lane.
    pub parent: Hash,
    /// [`crate::ids_tree::root`] of the body's transaction ids.
    pub body_digest: Hash,
    /// Bytes of all transactions of the lane up to and with this batch.
    pub cumulative_bytes: u64,
    /// Number of all transactions of the lane up to and with this batch.
    pub cumulative_txs: u64,
}

impl BatchHeader {
    /// `Tag::Batch` digest of the borsh encoding.
    #[must_use]
    pub fn digest(&self, chain_id: u64) -> Hash {
        Tag::Batch.digest(chain_id, &encode(self))
    }

    /// Signs the header with the lane's key.
    #[must_use]
    pub fn sign(self, chain_id: u64, signer: &dyn Signer) -> SignedBatchHeader {
        let signature = signer.sign(&self.digest(chain_id));
        SignedBatchHeader { header: self, signature }
    }

    /// Checks that `body` is this header's body: digest, and the two sums against the parent's.
    ///
    /// # Errors
    /// [`TypesError::Mismatch`] naming the field.
    pub fn check_body(
        &self,
        chain_id: u64,
        body: &TransactionList,
        parent_bytes: u64,
        parent_txs: u64,
    ) -> Result<(), TypesError> {
        let txs = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if crate::ids_tree::root(chain_id, body.ids()) != self.body_digest {
            return Err(TypesError::Mismatch { what: "body_digest" });
        }
        if parent_bytes.checked_add(body.tx_bytes()) != Some(self.cumulative_bytes) {
            return Err(TypesError::Mismatch { what: "cumulative_bytes" });
        }
        if parent_txs.checked_add(txs) != Some(self.cumulative_txs) {
            return Err(TypesError::Mismatch { what: "cumulative_txs" });
        }
        Ok(())
    }
}

/// A batch header with its author's signature, which is also the author's acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedBatchHeader {
    /// The header.
    pub header: BatchHeader,
    /// By the lane's key over [`BatchHeader::digest`].
    pub signature: Signature,
}

impl SignedBatchHeader {
    /// Verifies the author's signature.
    ///
    /// # Errors
    /// [`TypesError::BadSignature`].
    pub fn verify(&self, chain_id: u64) -> Result<(), TypesError> {
        self.header.position.lane.verify(
            &self.header.digest(chain_id),
            &self.signature,
            "batch header",
        )
    }
}
