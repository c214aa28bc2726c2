//! How far a validator is, signed for one asker: what a validator that lost its guard asks of the others.

use crate::commit::CommitCertificate;
use crate::error::TypesError;
use crate::hash::Hash;
use crate::ids::Height;
use crate::keys::{Signature, Signer, ValidatorKey};
use crate::tags::Tag;
use crate::validators::ValidatorSet;
use borsh::{BorshDeserialize, BorshSerialize};

/// Drawn by the asker for one collection, so that no statement of an earlier day is taken for one of today.
pub type StatusNonce = [u8; 32];

/// "I work on the height after `decided`, and never voted above it."
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedStatus {
    /// Who says so.
    pub validator: ValidatorKey,
    /// Highest decided height in its ledger.
    pub decided: Height,
    /// Shows that it was decided; none at height 0.
    pub certificate: Option<CommitCertificate>,
    /// By `validator` over [`SignedStatus::signing_digest`].
    pub signature: Signature,
}

impl SignedStatus {
    /// What is signed: `Tag::Status` over nonce and decided height, big-endian. The certificate speaks for itself.
    #[must_use]
    pub fn signing_digest(chain_id: u64, nonce: &StatusNonce, decided: Height) -> Hash {
        Tag::Status.digest_parts(chain_id, &[nonce, &decided.0.to_be_bytes()])
    }

    /// Signs a status.
    #[must_use]
    pub fn sign(
        chain_id: u64,
        nonce: &StatusNonce,
        decided: Height,
        certificate: Option<CommitCertificate>,
        signer: &dyn Signer,
    ) -> Self {
        let signature = signer.sign(&Self::signing_digest(chain_id, nonce, decided));
        Self { validator: signer.public_key(), decided, certificate, signature }
    }

    /// Verifies membership, signature, and the certificate of the decided height.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn verify(
        &self,
        chain_id: u64,
        nonce: &StatusNonce,
        set: &ValidatorSet,
    ) -> Result<(), TypesError> {
        if !set.contains(&self.validator) {
            return Err(TypesError::UnknownSigner { key: self.validator.to_string() });
        }
        let shown = match &self.certificate {
            None => Height::GENESIS,
            Some(certificate) => certificate.height,
        };
        if shown != self.decided || (self.certificate.is_some() && shown == Height::GENESIS) {
            return Err(TypesError::Mismatch { what: "certificate of a status" });
        }
        let digest = Self::signing_digest(chain_id, nonce, self.decided);
        self.validator.verify(&digest, &self.signature, "status")?;
        self.certificate.as_ref().map_or(Ok(()), |shown| shown.verify(chain_id, set))
    }
}
