//! Acknowledgements and the certificate that more than two thirds of weight hold a batch.

use crate::batch::{BatchHeader, LanePosition, SignedBatchHeader};
use crate::codec::encode;
use crate::error::TypesError;
use crate::hash::Hash;
use crate::keys::{Signature, Signer, ValidatorKey, verify_batch};
use crate::tags::Tag;
use crate::validators::ValidatorSet;
use borsh::{BorshDeserialize, BorshSerialize};

/// "I hold this batch durably, and will acknowledge no other at its place, for life."
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ack {
    /// The place.
    pub position: LanePosition,
    /// Digest of the batch header held there.
    pub header_digest: Hash,
    /// Who acknowledges.
    pub validator: ValidatorKey,
    /// By `validator` over [`Ack::signing_digest`].
    pub signature: Signature,
}

impl Ack {
    /// What an acknowledger signs: `Tag::Ack` over position and header digest.
    #[must_use]
    pub fn signing_digest(chain_id: u64, position: &LanePosition, header_digest: &Hash) -> Hash {
        Tag::Ack.digest_parts(chain_id, &[&encode(position), &header_digest.0])
    }

    /// Signs an acknowledgement.
    #[must_use]
    pub fn sign(
        chain_id: u64,
        position: LanePosition,
        header_digest: Hash,
        signer: &dyn Signer,
    ) -> Self {
        let digest = Self::signing_digest(chain_id, &position, &header_digest);
        Self {
            position,
            header_digest,
            validator: signer.public_key(),
            signature: signer.sign(&digest),
        }
    }

    /// Verifies the signature.
    ///
    /// # Errors
    /// [`TypesError::BadSignature`].
    pub fn verify(&self, chain_id: u64) -> Result<(), TypesError> {
        let digest = Self::signing_digest(chain_id, &self.position, &self.header_digest);
        self.validator.verify(&digest, &self.signature, "acknowledgement")
    }
}

/// A batch header with acknowledgements of more than two thirds of weight. Certifies its lane up to here.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BatchCertificate {
    /// Header and the author's signature, which counts with the author's weight.
    pub batch: SignedBatchHeader,
    /// Acknowledgements of others, by strictly ascending key, the author not among them.
    pub acks: Vec<(ValidatorKey, Signature)>,
}

impl BatchCertificate {
    /// The certified header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.batch.header
    }

    /// Verifies quorum and every signature against the set of the height that judges it.
    ///
    /// # Errors
    /// The first rule broken: order, membership, weight, signatures.
    pub fn verify(&self, chain_id: u64, set: &ValidatorSet) -> Result<(), TypesError> {
        let position = &self.batch.header.position;
        let digest = self.batch.header.digest(chain_id);
        let ack_digest = Ack::signing_digest(chain_id, position, &digest);
        let mut items = vec![(position.lane, digest, self.batch.signature)];
        set.check_signers(self.acks.iter().map(|(key, _)| key))?;
        if self.acks.iter().any(|(key, _)| *key == position.lane) {
            return Err(TypesError::Mismatch { what: "acknowledgement by the author" });
        }
        items.extend(self.acks.iter().map(|(key, sig)| (*key, ack_digest, *sig)));
        set.check_quorum(items.iter().map(|(key, ..)| key))?;
        verify_batch(&items, "batch certificate")
    }
}
