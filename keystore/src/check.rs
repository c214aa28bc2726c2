//! Everything that is wrong with a payload for ever, by its bytes alone.

use crate::envelope::{Auth, Envelope};
use crate::error::ensure;
use crate::keys::KeyId;
use rota_types::{Hash, Refusal, RefusalCode, Slot};

/// An envelope whose bytes are right: canonical, for this chain, every signature good for its own key.
/// Only [`check_bytes`] makes one, so that nothing unverified reaches the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    envelope: Envelope,
    digest: Hash,
    key_ids: Vec<KeyId>,
    bytes: u64,
}

impl Checked {
    /// The envelope.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What was signed.
    #[must_use]
    pub const fn digest(&self) -> &Hash {
        &self.digest
    }

    /// Ids of the keys that signed, strictly ascending.
    #[must_use]
    pub fn key_ids(&self) -> &[KeyId] {
        &self.key_ids
    }

    /// Bytes of the payload.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Checks a payload by its bytes alone; what fails here is wrong for ever and for everyone.
///
/// # Errors
/// `BadEnvelope`, `UnknownKind`, `UnknownOp`, `BadConfig`, `BadInit`, `BadAuths` as [`Envelope::from_bytes`];
/// `WrongChain`, `ValidUntilMismatch`, `BadSignature`.
pub fn check_bytes(
    payload: &[u8],
    outer_valid_until: Slot,
    chain_id: u64,
) -> Result<Checked, Refusal> {
    let envelope = Envelope::from_bytes(payload)?;
    check_envelope(envelope, payload.len(), outer_valid_until, chain_id)
}

/// [`check_bytes`] of an envelope that was decoded from a payload of `bytes` bytes.
pub(crate) fn check_envelope(
    envelope: Envelope,
    bytes: usize,
    outer_valid_until: Slot,
    chain_id: u64,
) -> Result<Checked, Refusal> {
    if envelope.chain_id != chain_id {
        return Err(Refusal::at_limit(RefusalCode::WrongChain, chain_id, envelope.chain_id));
    }
    ensure(envelope.valid_until_slot == outer_valid_until, RefusalCode::ValidUntilMismatch)?;
    let digest = envelope.digest();
    for auth in &envelope.auths {
        auth.public_key.verify(&digest, &auth.signature)?;
    }
    let key_ids = envelope.auths.iter().map(Auth::key_id).collect();
    Ok(Checked { envelope, digest, key_ids, bytes: crate::error::number(bytes) })
}
