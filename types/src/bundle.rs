//! The finality bundle: one file that a stranger checks offline against a genesis document.
//!
//! `header + seal + validators` say what more than two thirds of weight agreed on; the subject says what
//! that header commits to: a transaction at its place, all of a rollup's transactions in the slot,
//! that there were none, or an account of the keystore rollup or its absence.

use crate::codec::{decode, encode};
use crate::error::TypesError;
use crate::genesis::Genesis;
use crate::hash::{Hash, keccak256, keccak256_concat};
use crate::header::SlotHeader;
use crate::ids::RollupId;
use crate::limits::{BUNDLE_FILE_BYTES_MAX, TX_BYTES_MAX};
use crate::namespace::{NamespaceProof, RangeProof};
use crate::seal::Seal;
use crate::smt::SmtProof;
use crate::transaction::Transaction;
use crate::validators::ValidatorSet;
use borsh::{BorshDeserialize, BorshSerialize};

/// Version of the file.
pub const BUNDLE_VERSION: u16 = 1;
/// Silo of account leaves in the keystore tree: `key = keccak256(silo ‖ keystore id)`.
pub const AUTH_SILO: u8 = 1;

/// What the bundle shows under the sealed header.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Subject {
    /// A transaction at `range.start` of its rollup's namespace.
    Transaction {
        /// The encoded transaction.
        transaction: Vec<u8>,
        /// The namespace's entry.
        namespace: NamespaceProof,
        /// Its place, a range of one.
        range: RangeProof,
    },
    /// All transactions of a rollup in the slot, by id in order; none at all if the entry is absent.
    Namespace {
        /// The entry, or its absence.
        namespace: NamespaceProof,
        /// Every id of the namespace in order; empty for absence.
        ids: Vec<Hash>,
    },
    /// The `AuthLeaf` of a keystore account, or that there is no such account.
    Account {
        /// The account.
        keystore_id: Hash,
        /// `abi.encode`d leaf, or `None` for absence.
        leaf: Option<Vec<u8>>,
        /// Path under `keystore_root`.
        path: SmtProof,
    },
}

/// A self-contained proof.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FinalityBundle {
    /// [`BUNDLE_VERSION`].
    pub version: u16,
    /// Hash of the network's genesis document.
    pub genesis: Hash,
    /// The sealed header.
    pub header: SlotHeader,
    /// The set that sealed it.
    pub validators: ValidatorSet,
    /// More than two thirds of it.
    pub seal: Seal,
    /// What is shown.
    pub subject: Subject,
}

/// What a verified bundle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The transaction was ordered at this index of its rollup's namespace.
    Transaction {
        /// Its id.
        id: Hash,
        /// Its rollup.
        rollup: RollupId,
        /// Index in the namespace of the slot.
        index: u64,
    },
    /// These are all of the rollup's transactions in the slot.
    Namespace {
        /// The rollup.
        rollup: RollupId,
        /// How many there are; 0 for an absence proof.
        count: u64,
    },
    /// The account's leaf, or its absence.
    Account {
        /// The account.
        keystore_id: Hash,
        /// Whether it exists.
        present: bool,
    },
}

/// Which check of a bundle failed, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("check {check} failed: {error}")]
pub struct BundleError {
    /// `checksum`, `decode`, `version`, `genesis`, `header`, `validators`, `seal`, `transaction`, `namespace`, `path` or `account`.
    pub check: &'static str,
    /// What was wrong.
    pub error: TypesError,
}

fn at(check: &'static str) -> impl FnOnce(TypesError) -> BundleError {
    move |error| BundleError { check, error }
}

fn same(check: &'static str, what: &'static str, ok: bool) -> Result<(), BundleError> {
    if ok { Ok(()) } else { Err(BundleError { check, error: TypesError::Mismatch { what } }) }
}

/// Key of an account in the keystore tree.
#[must_use]
pub fn account_key(keystore_id: &Hash) -> Hash {
    keccak256_concat(&[&[AUTH_SILO], &keystore_id.0])
}

impl FinalityBundle {
    /// The file's bytes: the encoding, then keccak256 of it.
    ///
    /// The checksum proves nothing against a liar; it makes a damaged file a refused one. Without it one
    /// flipped bit turns a true absence of one rollup or account into a true absence of another.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = encode(self);
        let checksum = keccak256(&bytes);
        bytes.extend_from_slice(&checksum.0);
        bytes
    }

    /// Decodes a file of at most [`BUNDLE_FILE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`BundleError`] with check `checksum` or `decode`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        let (body, checksum) = bytes.split_last_chunk::<32>().ok_or(BundleError {
            check: "decode",
            error: TypesError::Undecodable { reason: "a file that ends early".into() },
        })?;
        if bytes.len() > BUNDLE_FILE_BYTES_MAX {
            let error = TypesError::TooLarge { limit: BUNDLE_FILE_BYTES_MAX, found: bytes.len() };
            return Err(BundleError { check: "decode", error });
        }
        same("checksum", "the file's checksum", keccak256(body).0 == *checksum)?;
        decode(body, BUNDLE_FILE_BYTES_MAX).map_err(at("decode"))
    }

    /// Verifies everything against a trusted genesis document. No network, no clock.
    ///
    /// # Errors
    /// [`BundleError`] naming the check that failed.
    pub fn verify(&self, genesis: &Genesis) -> Result<Verified, BundleError> {
        same("version", "bundle version", self.version == BUNDLE_VERSION)?;
        same("genesis", "genesis hash", self.genesis == genesis.hash())?;
        let chain_id = genesis.chain_id;
        self.header.check_chain(chain_id).map_err(at("header"))?;
        self.validators.validate().map_err(at("validators"))?;
        let commitment = self.validators.commitment(chain_id);
        same("validators", "header's validators", commitment == self.header.validators)?;
        let trusted = genesis.validator_set().map_err(at("genesis"))?;
        same("validators", "genesis validators", trusted == self.validators)?;
        same("seal", "sealed header id", self.seal.header_id == self.header.id())?;
        self.seal.verify(chain_id, &self.validators).map_err(at("seal"))?;
        self.verify_subject()
    }

    fn verify_subject(&self) -> Result<Verified, BundleError> {
        match &self.subject {
            Subject::Transaction { transaction, namespace, range } => {
                let decoded: Transaction =
                    decode(transaction, TX_BYTES_MAX).map_err(at("transaction"))?;
                same("transaction", "rollup", decoded.rollup == namespace.rollup)?;
                namespace.verify(&self.header.txs_root).map_err(at("namespace"))?;
                let id = keccak256(transaction);
                let entry = namespace.entry.as_ref().ok_or(BundleError {
                    check: "namespace",
                    error: TypesError::BadProof { reason: "absent namespace of a transaction" },
                })?;
                range.verify(entry, &[id]).map_err(at("path"))?;
                Ok(Verified::Transaction { id, rollup: decoded.rollup, index: range.start })
            }
            Subject::Namespace { namespace, ids } => {
                namespace.verify(&self.header.txs_root).map_err(at("namespace"))?;
                let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
                let claimed = namespace.entry.as_ref().map_or(0, |entry| entry.count);
                same("namespace", "number of ids", count == claimed)?;
                if let Some(entry) = &namespace.entry {
                    let root = crate::namespace::list_root(ids);
                    same("path", "namespace root", root == entry.root)?;
                }
                Ok(Verified::Namespace { rollup: namespace.rollup, count })
            }
            Subject::Account { keystore_id, leaf, path } => {
                let key = account_key(keystore_id);
                let root = &self.header.keystore_root;
                match leaf {
                    Some(leaf) => path.verify_present(root, &key, leaf),
                    None => path.verify_absent(root, &key),
                }
                .map_err(at("account"))?;
                Ok(Verified::Account { keystore_id: *keystore_id, present: leaf.is_some() })
            }
        }
    }
}
