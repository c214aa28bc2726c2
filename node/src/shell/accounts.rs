//! A keystore account as doors show it.

use crate::api::AccountView;
use rota_keystore::{KeystoreId, KeystoreState};
use rota_types::{Hash, Height, Slot};

/// The account in `state`, which is that of `height`.
pub(super) fn account_view(state: &KeystoreState, height: Height, id: &Hash) -> AccountView {
    let id = KeystoreId(*id);
    let account = state.account(&id);
    let leaf = account.as_ref().map(rota_keystore::Account::auth_leaf);
    AccountView {
        keystore_id: id.0,
        height,
        exists: leaf.is_some(),
        config_hash: leaf.map_or(Hash::ZERO, |leaf| leaf.config_hash),
        config_seq: leaf.map_or(0, |leaf| leaf.config_seq),
        auth_seq: leaf.map_or(0, |leaf| leaf.auth_seq),
        status: match leaf.map(|leaf| leaf.status) {
            None => "absent",
            Some(rota_keystore::Status::Active) => "active",
            Some(rota_keystore::Status::Frozen) => "frozen",
        }
        .to_owned(),
        frozen_until: leaf.map_or(Slot(0), |leaf| leaf.frozen_until),
        updated_slot: leaf.map_or(Slot(0), |leaf| leaf.updated_slot),
        next_seq: account
            .as_ref()
            .map_or(0, |account| state.next_seq(&id, 0, account.updated_slot)),
        freeze_count: account.as_ref().map_or(0, |account| account.freeze_count),
        config: account.map_or_else(String::new, |account| hex::encode(account.config.to_bytes())),
    }
}
