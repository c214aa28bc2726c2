//! A batch as it travels and is stored: signed header and body in one buffer, parsed and hashed once.

use bytes::Bytes;
use rota_types::codec::encode;
use rota_types::limits::{BATCH_BODY_BYTES_MAX, BATCH_HEADER_BYTES_MAX};
use rota_types::{
    BatchHeader, Hash, LanePosition, SignedBatchHeader, TransactionList, TypesError, ids_tree,
};

/// A batch whose body belongs to its signed header. Making one is the expensive part of receiving a
/// batch (one keccak per transaction, one signature) and needs no state: shells do it on any thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    signed: SignedBatchHeader,
    digest: Hash,
    body: TransactionList,
    frame: Bytes,
}

/// Most bytes of a frame: header and body.
pub const FRAME_BYTES_MAX: usize = BATCH_HEADER_BYTES_MAX + BATCH_BODY_BYTES_MAX;

impl Batch {
    /// Parses `SignedBatchHeader ‖ body`, checks the body against `body_digest` and the author's signature.
    /// Parent, sums and limits are the lane's to judge.
    ///
    /// # Errors
    /// [`TypesError`]: all of them are the sender's fault.
    pub fn from_frame(chain_id: u64, frame: Bytes) -> Result<Self, TypesError> {
        let batch = Self::from_stored(chain_id, frame)?;
        if ids_tree::root(chain_id, batch.body.ids()) != batch.signed.header.body_digest {
            return Err(TypesError::Mismatch { what: "body_digest" });
        }
        batch.signed.verify(chain_id)?;
        Ok(batch)
    }

    /// Parses a frame that this node verified before it stored it.
    ///
    /// # Errors
    /// [`TypesError`] if it does not parse.
    pub fn from_stored(chain_id: u64, frame: Bytes) -> Result<Self, TypesError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(TypesError::TooLarge { limit: FRAME_BYTES_MAX, found: frame.len() });
        }
        let mut rest: &[u8] = &frame;
        let signed = <SignedBatchHeader as borsh::BorshDeserialize>::deserialize(&mut rest)
            .map_err(|error| TypesError::Undecodable { reason: error.to_string() })?;
        let body = frame.slice(frame.len().saturating_sub(rest.len())..);
        let body = TransactionList::parse(body, BATCH_BODY_BYTES_MAX)?;
        let digest = signed.header.digest(chain_id);
        Ok(Self { signed, digest, body, frame })
    }

    /// Joins a header that this node signs with its body.
    #[must_use]
    pub fn assemble(chain_id: u64, signed: SignedBatchHeader, body: TransactionList) -> Self {
        let mut frame = encode(&signed);
        frame.extend_from_slice(body.bytes());
        let digest = signed.header.digest(chain_id);
        Self { signed, digest, body, frame: frame.into() }
    }

    /// Joins a header that this node signed with the lists that make up its body, in order: each
    /// transaction is copied once, into the frame.
    ///
    /// # Errors
    /// [`TypesError`] when the lists together break a limit of a body.
    pub fn from_lists(
        chain_id: u64,
        signed: SignedBatchHeader,
        lists: &[&TransactionList],
    ) -> Result<Self, TypesError> {
        let (frame, body) = TransactionList::concat(&encode(&signed), lists, BATCH_BODY_BYTES_MAX)?;
        let digest = signed.header.digest(chain_id);
        Ok(Self { signed, digest, body, frame })
    }

    /// The signed header.
    #[must_use]
    pub const fn signed(&self) -> &SignedBatchHeader {
        &self.signed
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.signed.header
    }

    /// Place in its lane.
    #[must_use]
    pub const fn position(&self) -> LanePosition {
        self.signed.header.position
    }

    /// Digest of the header: what is acknowledged, certified and cut.
    #[must_use]
    pub const fn digest(&self) -> Hash {
        self.digest
    }

    /// The transactions.
    #[must_use]
    pub const fn body(&self) -> &TransactionList {
        &self.body
    }

    /// The whole buffer, as sent and stored.
    #[must_use]
    pub const fn frame(&self) -> &Bytes {
        &self.frame
    }
}
