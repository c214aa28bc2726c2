//! What a transition's proof states.

use crate::error::ExitError;
use borsh::{BorshDeserialize, BorshSerialize, io};
use rota_types::{Hash, Tag};

/// Version of the layout.
pub const STATEMENT_VERSION: u16 = 1;
/// Bytes of [`TransitionStatement::packed`].
pub const STATEMENT_BYTES: usize = 2 + 4 + 8 + 8 + 4 * 32 + 4 + 32;

/// A stretch of a rollup's inbox, and what became of its state over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransitionStatement {
    /// [`STATEMENT_VERSION`].
    pub version: u16,
    /// Proof rule of the rollup.
    pub rule_id: u32,
    /// Links of the inbox processed before.
    pub pre_cursor: u64,
    /// Links processed after.
    pub post_cursor: u64,
    /// Inbox hash at `pre_cursor`.
    pub pre_inbox: Hash,
    /// Inbox hash at `post_cursor`.
    pub post_inbox: Hash,
    /// State root before.
    pub pre_state: Hash,
    /// State root after.
    pub post_state: Hash,
    /// Exits made over the stretch.
    pub exits_count: u32,
    /// Commitment to them.
    pub exits_hash: Hash,
}

impl TransitionStatement {
    /// Fixed-width layout, big-endian, in field order.
    #[must_use]
    pub fn packed(&self) -> [u8; STATEMENT_BYTES] {
        let mut bytes = [0; STATEMENT_BYTES];
        let parts = [
            &self.version.to_be_bytes()[..],
            &self.rule_id.to_be_bytes(),
            &self.pre_cursor.to_be_bytes(),
            &self.post_cursor.to_be_bytes(),
            &self.pre_inbox.0,
            &self.post_inbox.0,
            &self.pre_state.0,
            &self.post_state.0,
            &self.exits_count.to_be_bytes(),
            &self.exits_hash.0,
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// The statement of exactly these bytes.
    ///
    /// # Errors
    /// [`ExitError::StatementVersion`] for another version.
    pub fn from_packed(bytes: &[u8; STATEMENT_BYTES]) -> Result<Self, ExitError> {
        let mut fields = crate::fields::Fields::of(bytes);
        let version = u16::from_be_bytes(fields.take());
        if version != STATEMENT_VERSION {
            return Err(ExitError::StatementVersion { found: version });
        }
        Ok(Self {
            version,
            rule_id: u32::from_be_bytes(fields.take()),
            pre_cursor: u64::from_be_bytes(fields.take()),
            post_cursor: u64::from_be_bytes(fields.take()),
            pre_inbox: Hash(fields.take()),
            post_inbox: Hash(fields.take()),
            pre_state: Hash(fields.take()),
            post_state: Hash(fields.take()),
            exits_count: u32::from_be_bytes(fields.take()),
            exits_hash: Hash(fields.take()),
        })
    }

    /// keccak256("rota/statement/v1" ‖ chain id u64 big-endian ‖ [`Self::packed`]).
    #[must_use]
    pub fn hash(&self, chain_id: u64) -> Hash {
        Tag::Statement.digest(chain_id, &self.packed())
    }
}

impl BorshSerialize for TransitionStatement {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(&self.packed())
    }
}

impl BorshDeserialize for TransitionStatement {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let mut bytes = [0; STATEMENT_BYTES];
        reader.read_exact(&mut bytes)?;
        Self::from_packed(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
    }
}
