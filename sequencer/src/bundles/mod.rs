//! Finality bundles: what a stranger needs to check a slot's content offline.
//!
//! Built from what the ledger keeps: header, seal and [`SlotNamespaces`] of the slot, or a keystore snapshot. Every
//! bundle is small enough for its limit when it leaves; what does not belong to the header is refused here and not
//! only by its verifier.

use crate::execution::SlotNamespaces;
use rota_keystore::{KeystoreId, KeystoreState};
use rota_types::bundle::{BUNDLE_VERSION, FinalityBundle, Subject};
use rota_types::codec::decode;
use rota_types::limits::{BUNDLE_FILE_BYTES_MAX, TX_BYTES_MAX};
use rota_types::namespace::RangeProof;
use rota_types::{
    Hash, RollupId, Seal, SlotHeader, Transaction, TypesError, ValidatorSet, keccak256,
};

/// The sealed header that bundles are about.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// Hash of the genesis document.
    pub genesis: Hash,
    /// The header.
    pub header: &'a SlotHeader,
    /// The set that sealed it.
    pub validators: &'a ValidatorSet,
    /// Its seal.
    pub seal: &'a Seal,
}

impl Sealed<'_> {
    /// That a transaction stands at `index` of its rollup's namespace.
    ///
    /// # Errors
    /// [`TypesError::Mismatch`] if it does not, or the namespaces are another slot's.
    pub fn transaction(
        &self,
        namespaces: &SlotNamespaces,
        transaction: &[u8],
        index: u64,
    ) -> Result<FinalityBundle, TypesError> {
        self.check_namespaces(namespaces)?;
        let decoded: Transaction = decode(transaction, TX_BYTES_MAX)?;
        let ids = namespaces.ids(decoded.rollup);
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        if ids.get(at) != Some(&keccak256(transaction)) {
            return Err(TypesError::Mismatch { what: "place of the transaction" });
        }
        let range = RangeProof::of(ids, at, 1)
            .ok_or(TypesError::Mismatch { what: "place of the transaction" })?;
        self.bundle(Subject::Transaction {
            transaction: transaction.to_vec(),
            namespace: namespaces.proof(decoded.rollup),
            range,
        })
    }

    /// All of a rollup's transactions in the slot by id, or that there were none.
    ///
    /// # Errors
    /// [`TypesError::Mismatch`] for another slot's namespaces; [`TypesError::TooLarge`] when the ids do not fit a file:
    /// then the namespace is read by pages of [`RangeProof`]s.
    pub fn namespace(
        &self,
        namespaces: &SlotNamespaces,
        rollup: RollupId,
    ) -> Result<FinalityBundle, TypesError> {
        self.check_namespaces(namespaces)?;
        let ids = namespaces.ids(rollup);
        let found = ids.len().saturating_mul(32);
        if found > BUNDLE_FILE_BYTES_MAX {
            return Err(TypesError::TooLarge { limit: BUNDLE_FILE_BYTES_MAX, found });
        }
        self.bundle(Subject::Namespace { namespace: namespaces.proof(rollup), ids: ids.to_vec() })
    }

    /// The `AuthLeaf` of a keystore account after the slot, or that there is none. `keystore` is the state after it.
    ///
    /// # Errors
    /// [`TypesError::Mismatch`] for another slot's state.
    pub fn account(
        &self,
        keystore: &KeystoreState,
        id: &KeystoreId,
    ) -> Result<FinalityBundle, TypesError> {
        if keystore.root() != self.header.keystore_root {
            return Err(TypesError::Mismatch { what: "keystore state and header" });
        }
        let (leaf, path) = keystore.prove_auth(id);
        let leaf = leaf.map(|leaf| leaf.to_bytes());
        self.bundle(Subject::Account { keystore_id: id.0, leaf, path })
    }

    fn check_namespaces(&self, namespaces: &SlotNamespaces) -> Result<(), TypesError> {
        if namespaces.root() == self.header.txs_root {
            Ok(())
        } else {
            Err(TypesError::Mismatch { what: "namespaces and header" })
        }
    }

    fn bundle(&self, subject: Subject) -> Result<FinalityBundle, TypesError> {
        let bundle = FinalityBundle {
            version: BUNDLE_VERSION,
            genesis: self.genesis,
            header: self.header.clone(),
            validators: self.validators.clone(),
            seal: self.seal.clone(),
            subject,
        };
        let found = bundle.to_bytes().len();
        if found > BUNDLE_FILE_BYTES_MAX {
            return Err(TypesError::TooLarge { limit: BUNDLE_FILE_BYTES_MAX, found });
        }
        Ok(bundle)
    }
}
