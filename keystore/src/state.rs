//! The state: one sparse Merkle tree, every leaf of it committed by `keystore_root`.
//!
//! Account records, parameters and counters are leaves too, so a restored checkpoint is checked by one
//! comparison of the root with a sealed header.

use crate::account::{AUTH_LEAF_BYTES, Account, AuthLeaf, Silo};
use crate::config::KeystoreId;
use crate::params::Params;
use borsh::{BorshDeserialize, BorshSerialize, io};
use rota_types::codec::encode;
use rota_types::smt::{SmtProof, SparseTree};
use rota_types::{Hash, Slot};

/// Id of the parameters in their silo.
const PARAMS_ID: Hash = Hash([0; 32]);
/// Id of the counters in the same silo.
const COUNTERS_ID: Hash = Hash([1; 32]);

/// What is counted over all accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Counters {
    /// Accounts that exist; they are never deleted.
    pub(crate) accounts: u64,
    /// The last slot in which accounts were created, and how many.
    pub(crate) created: (Slot, u32),
}

/// The keystore rollup's state. Cloning is O(1) and gives a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeystoreState {
    params: Params,
    counters: Counters,
    /// Sum over the accounts; a function of the leaves.
    bytes: u64,
    tree: SparseTree,
}

impl KeystoreState {
    /// The state at genesis: no account.
    #[must_use]
    pub fn new(params: Params) -> Self {
        let mut tree = SparseTree::new();
        let counters = Counters::default();
        tree.insert(Silo::Params.key(&PARAMS_ID), encode(&params));
        tree.insert(Silo::Params.key(&COUNTERS_ID), encode(&counters));
        Self { params, counters, bytes: 0, tree }
    }

    /// The parameters fixed by genesis.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// `keystore_root`.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Number of accounts.
    #[must_use]
    pub const fn accounts(&self) -> u64 {
        self.counters.accounts
    }

    /// Counted bytes of all accounts, an upper bound of what they take in memory and in a checkpoint.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// [`Self::bytes`] once `account` is written.
    pub(crate) fn bytes_with(&self, account: &Account) -> u64 {
        let record = self.tree.get(&Silo::Account.key(&account.keystore_id.0));
        let others = self.bytes.saturating_sub(record.map_or(0, Account::bytes_of));
        others.saturating_add(account.bytes())
    }

    /// The record of an account.
    #[must_use]
    pub fn account(&self, id: &KeystoreId) -> Option<Account> {
        let bytes = self.tree.get(&Silo::Account.key(&id.0))?;
        Some(
            borsh::from_slice(bytes)
                .expect("`put` writes these leaves, and `restored` checks them"),
        )
    }

    /// What other chains read of an account; `None` while its initial config is in force without a leaf.
    #[must_use]
    pub fn auth_leaf(&self, id: &KeystoreId) -> Option<AuthLeaf> {
        self.tree.get(&Silo::Auth.key(&id.0)).and_then(AuthLeaf::from_bytes)
    }

    /// The leaf with its proof, or the proof that there is none.
    #[must_use]
    pub fn prove_auth(&self, id: &KeystoreId) -> (Option<AuthLeaf>, SmtProof) {
        (self.auth_leaf(id), self.tree.prove(&Silo::Auth.key(&id.0)))
    }

    /// The next sequence number of a lane in `slot`; 0 for an account that does not exist yet.
    #[must_use]
    pub fn next_seq(&self, id: &KeystoreId, lane: u64, slot: Slot) -> u64 {
        let record = self.tree.get(&Silo::Account.key(&id.0));
        record
            .and_then(Account::lanes_of)
            .map_or(0, |lanes| lanes.next_seq(lane, slot, self.params.validity_slots))
    }

    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Writes an account's record and leaf.
    pub(crate) fn put(&mut self, account: &Account) {
        let id = &account.keystore_id.0;
        self.bytes = self.bytes_with(account);
        self.tree.insert(Silo::Auth.key(id), account.auth_leaf().to_bytes());
        self.tree.insert(Silo::Account.key(id), encode(account));
    }

    pub(crate) fn set_counters(&mut self, counters: Counters) {
        self.counters = counters;
        self.tree.insert(Silo::Params.key(&COUNTERS_ID), encode(&counters));
    }

    /// A state of these leaves, each of them one that this version writes.
    fn restored(tree: SparseTree) -> Option<Self> {
        let counters_key = Silo::Params.key(&COUNTERS_ID);
        let params_key = Silo::Params.key(&PARAMS_ID);
        let params = borsh::from_slice(tree.get(&params_key)?).ok()?;
        let counters: Counters = borsh::from_slice(tree.get(&counters_key)?).ok()?;
        let (mut accounts, mut bytes) = (0u64, 0u64);
        for (key, value) in &tree {
            if *key == counters_key || *key == params_key || value.len() == AUTH_LEAF_BYTES {
                continue;
            }
            let account: Account = borsh::from_slice(value).ok()?;
            // The points of its keys are those of a sealed root, which the caller compares.
            account.config.check_rules().ok()?;
            let id = &account.keystore_id.0;
            let leaf = tree.get(&Silo::Auth.key(id))?;
            if *key != Silo::Account.key(id) || leaf != account.auth_leaf().to_bytes() {
                return None;
            }
            accounts = accounts.saturating_add(1);
            bytes = bytes.saturating_add(account.bytes());
        }
        let leaves = u64::try_from(tree.len()).ok()?;
        let complete = leaves == accounts.checked_mul(2)?.checked_add(2)?;
        let held = complete && accounts == counters.accounts;
        held.then_some(Self { params, counters, bytes, tree })
    }
}

/// A checkpoint: the number of leaves, then keys and values in ascending order of keys. Whoever restores one
/// compares [`KeystoreState::root`] with a sealed header.
impl BorshSerialize for KeystoreState {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        let count = u64::try_from(self.tree.len()).map_err(io::Error::other)?;
        count.serialize(writer)?;
        for (key, value) in &self.tree {
            key.serialize(writer)?;
            value.serialize(writer)?;
        }
        Ok(())
    }
}

impl BorshDeserialize for KeystoreState {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let bad = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
        let count = u64::deserialize_reader(reader)?;
        let mut tree = SparseTree::new();
        let mut last = None;
        for _ in 0..count {
            let key = Hash::deserialize_reader(reader)?;
            if last.is_some_and(|last| last >= key) {
                return Err(bad("leaves are not strictly ascending"));
            }
            last = Some(key);
            tree.insert(key, Vec::<u8>::deserialize_reader(reader)?);
        }
        Self::restored(tree).ok_or_else(|| bad("leaves that no keystore state has"))
    }
}
