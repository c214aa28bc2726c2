//! One Merkle proof against a sealed root: which config is in force, or that the account has no leaf.

use crate::account::{AuthLeaf, Silo};
use crate::config::{Config, KeystoreId};
use crate::envelope::Init;
use crate::limits::CONFIG_BYTES_MAX;
use crate::state::KeystoreState;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::codec::decode;
use rota_types::smt::SmtProof;
use rota_types::{Hash, TypesError};

/// Most bytes of an encoded [`AccountProof`]: a config, a leaf and 256 siblings.
pub const ACCOUNT_PROOF_BYTES_MAX: usize = CONFIG_BYTES_MAX + 256 * 32 + 512;

/// The key of an account's leaf: `keccak256(0x01 ‖ keystore id)`.
#[must_use]
pub fn auth_key(id: &KeystoreId) -> Hash {
    Silo::Auth.key(&id.0)
}

/// Verifies that `leaf` is the account's under `root`, or, for `None`, that it has none.
///
/// # Errors
/// [`TypesError::BadProof`] with the rule that fails.
pub fn verify_auth(
    root: &Hash,
    id: &KeystoreId,
    leaf: Option<&AuthLeaf>,
    proof: &SmtProof,
) -> Result<(), TypesError> {
    match leaf {
        Some(leaf) => proof.verify_present(root, &auth_key(id), &leaf.to_bytes()),
        None => proof.verify_absent(root, &auth_key(id)),
    }
}

/// What an account's proof shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The leaf, and the config whose hash is in it.
    Present {
        /// The leaf.
        leaf: AuthLeaf,
        /// The config in force.
        config: Box<Config>,
    },
    /// No leaf: whoever shows an [`Init`] that hashes to the id shows the config in force.
    Absent,
}

/// A proof with the preimage of the config, to be checked offline against `keystore_root` of a sealed header.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AccountProof {
    /// The account.
    pub keystore_id: KeystoreId,
    /// Encoded leaf; empty for absence.
    pub leaf: Vec<u8>,
    /// RLP of the config; empty for absence.
    pub config: Vec<u8>,
    /// The path.
    pub proof: SmtProof,
}

impl AccountProof {
    /// The proof for an account in this state.
    #[must_use]
    pub fn of(state: &KeystoreState, id: &KeystoreId) -> Self {
        let (leaf, proof) = state.prove_auth(id);
        let config = state.account(id).map(|account| account.config.to_bytes());
        Self {
            keystore_id: *id,
            leaf: leaf.map(|leaf| leaf.to_bytes()).unwrap_or_default(),
            config: config.unwrap_or_default(),
            proof,
        }
    }

    /// Decodes a proof of at most [`ACCOUNT_PROOF_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// As [`rota_types::codec::decode`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TypesError> {
        decode(bytes, ACCOUNT_PROOF_BYTES_MAX)
    }

    /// Verifies the path, and that the config is the one whose hash the leaf holds.
    ///
    /// # Errors
    /// [`TypesError::BadProof`] or [`TypesError::Mismatch`] with what failed.
    pub fn verify(&self, root: &Hash) -> Result<Shown, TypesError> {
        if self.leaf.is_empty() {
            if !self.config.is_empty() {
                return Err(TypesError::Mismatch { what: "a config beside a proof of absence" });
            }
            verify_auth(root, &self.keystore_id, None, &self.proof)?;
            return Ok(Shown::Absent);
        }
        let leaf = AuthLeaf::from_bytes(&self.leaf)
            .ok_or(TypesError::Mismatch { what: "the leaf's encoding" })?;
        verify_auth(root, &self.keystore_id, Some(&leaf), &self.proof)?;
        let config = Config::from_bytes(&self.config)
            .map_err(|error| TypesError::Undecodable { reason: error.to_string() })?;
        if config.hash() != leaf.config_hash {
            return Err(TypesError::Mismatch { what: "the config's hash" });
        }
        Ok(Shown::Present { leaf, config: Box::new(config) })
    }
}

impl Shown {
    /// The config in force: the proven one, or for absence the initial one, if `init` hashes to `id`.
    #[must_use]
    pub fn config_in_force<'a>(
        &'a self,
        id: &KeystoreId,
        init: Option<&'a Init>,
    ) -> Option<&'a Config> {
        match self {
            Self::Present { config, .. } => Some(config),
            Self::Absent => init.filter(|init| init.keystore_id() == *id).map(|init| &init.config),
        }
    }
}
