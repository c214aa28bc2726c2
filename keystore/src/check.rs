//! Everything that is wrong with a payload for ever, by its bytes alone.

use crate::envelope::{Auth, Envelope};
use crate::error::ensure;
use crate::keys::KeyId;
use rota_types::{Hash, Refusal, RefusalCode, Slot};

/// An envelope that is canonical and for this chain, whose signatures nobody has verified yet: enough to ask the
/// state whether they are worth the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    envelope: Envelope,
    digest: Hash,
    key_ids: Vec<KeyId>,
    bytes: u64,
}

impl Claim {
    /// Reads a payload.
    ///
    /// # Errors
    /// As [`Envelope::from_bytes`], but for the points of keys that it brings; `WrongChain`, `ValidUntilMismatch`.
    pub fn read(payload: &[u8], outer_valid_until: Slot, chain_id: u64) -> Result<Self, Refusal> {
        let envelope = Envelope::parse(payload)?;
        Self::of(envelope, payload.len(), outer_valid_until, chain_id)
    }

    /// [`Self::read`] of an envelope that was decoded from a payload of `bytes` bytes.
    pub(crate) fn of(
        envelope: Envelope,
        bytes: usize,
        outer_valid_until: Slot,
        chain_id: u64,
    ) -> Result<Self, Refusal> {
        if envelope.chain_id != chain_id {
            return Err(Refusal::at_limit(RefusalCode::WrongChain, chain_id, envelope.chain_id));
        }
        ensure(envelope.valid_until_slot == outer_valid_until, RefusalCode::ValidUntilMismatch)?;
        let digest = envelope.digest();
        let key_ids = envelope.auths.iter().map(Auth::key_id).collect();
        Ok(Self { envelope, digest, key_ids, bytes: crate::error::number(bytes) })
    }

    /// Checks the points of the keys it brings and verifies every signature: [`Envelope::units`] of work.
    ///
    /// # Errors
    /// `BadConfig`, `BadSignature`, or `UnknownKind` with the kind's number as value.
    pub fn verify(self) -> Result<Checked, Refusal> {
        self.envelope.check_points()?;
        for auth in &self.envelope.auths {
            auth.public_key.verify(&self.digest, &auth.signature)?;
        }
        Ok(Checked(self))
    }

    /// The envelope.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What its keys are to have signed.
    #[must_use]
    pub const fn digest(&self) -> &Hash {
        &self.digest
    }

    /// Ids of the keys that it names as signers, strictly ascending.
    #[must_use]
    pub fn key_ids(&self) -> &[KeyId] {
        &self.key_ids
    }
}

/// An envelope whose bytes are right: canonical, for this chain, every signature good for its own key.
/// Only [`Claim::verify`] makes one, so that nothing unverified reaches the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked(Claim);

impl Checked {
    /// What was verified.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.0
    }

    /// The envelope.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// What was signed.
    #[must_use]
    pub const fn digest(&self) -> &Hash {
        &self.0.digest
    }

    /// Ids of the keys that signed, strictly ascending.
    #[must_use]
    pub fn key_ids(&self) -> &[KeyId] {
        &self.0.key_ids
    }

    /// Bytes of the payload.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.0.bytes
    }
}

/// Checks a payload by its bytes alone; what fails here is wrong for ever and for everyone.
///
/// # Errors
/// As [`Claim::read`] and [`Claim::verify`].
pub fn check_bytes(
    payload: &[u8],
    outer_valid_until: Slot,
    chain_id: u64,
) -> Result<Checked, Refusal> {
    Claim::read(payload, outer_valid_until, chain_id)?.verify()
}
