//! The receipt of a submission: a signed promise of a place.

use crate::batch::LanePosition;
use crate::codec::encode;
use crate::error::TypesError;
use crate::hash::Hash;
use crate::ids_tree::IdsPath;
use crate::keys::{Signature, Signer, ValidatorKey};
use crate::tags::Tag;
use crate::transaction::TxId;
use borsh::{BorshDeserialize, BorshSerialize};

/// Promise that a submission stands at `first_index..first_index + count` of the author's batch at
/// `position`. Broken iff the decided body's leaf at one of these indices differs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// [`crate::ids_tree::root`] over the submission's transaction ids.
    pub submission_root: Hash,
    /// Transactions in the submission.
    pub count: u32,
    /// The author's batch.
    pub position: LanePosition,
    /// Index of the first transaction in the batch.
    pub first_index: u32,
    /// Who promises: the lane's key.
    pub validator: ValidatorKey,
}

impl Receipt {
    /// What the author signs.
    #[must_use]
    pub fn signing_digest(&self, chain_id: u64) -> Hash {
        Tag::Receipt.digest(chain_id, &encode(self))
    }

    /// Signs the receipt.
    #[must_use]
    pub fn sign(self, chain_id: u64, signer: &dyn Signer) -> SignedReceipt {
        let signature = signer.sign(&self.signing_digest(chain_id));
        SignedReceipt { receipt: self, signature }
    }
}

/// A receipt with its author's signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedReceipt {
    /// The promise.
    pub receipt: Receipt,
    /// By `receipt.validator`.
    pub signature: Signature,
}

impl SignedReceipt {
    /// Verifies the signature and that the author promises a place of its own lane.
    ///
    /// # Errors
    /// [`TypesError::Mismatch`] or [`TypesError::BadSignature`].
    pub fn verify(&self, chain_id: u64) -> Result<(), TypesError> {
        if self.receipt.validator != self.receipt.position.lane {
            return Err(TypesError::Mismatch { what: "receipt validator and lane" });
        }
        let digest = self.receipt.signing_digest(chain_id);
        self.receipt.validator.verify(&digest, &self.signature, "receipt")
    }

    /// Verifies that transaction `id` is in the receipted submission.
    ///
    /// # Errors
    /// [`TypesError::Mismatch`] or a bad path.
    pub fn verify_member(&self, chain_id: u64, id: TxId, path: &IdsPath) -> Result<(), TypesError> {
        self.verify(chain_id)?;
        if path.count != self.receipt.count
            || path.root_of(chain_id, id)? != self.receipt.submission_root
        {
            return Err(TypesError::Mismatch { what: "submission root" });
        }
        Ok(())
    }
}
