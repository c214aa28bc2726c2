//! Accounts of the keystore rollup that their owners create and rotate, one operation after another.

use super::cast::CHAIN_ID;
use super::dice::Dice;
use rota_keystore::config::KeystoreId;
use rota_keystore::envelope::Init;
use rota_keystore::keys::KeyKind;
use rota_keystore::wallet::{Request, WalletKey, rotate, single_key_config};
use rota_types::{Hash, RollupId, Slot, Transaction};

struct Account {
    id: KeystoreId,
    init: Init,
    key: WalletKey,
    /// Transaction of the newest operation, with the key in force once it is ordered.
    pending: Option<(Hash, Option<WalletKey>)>,
    created: bool,
    seq: u64,
}

/// The owners.
pub(super) struct Wallets {
    accounts: Vec<Account>,
}

fn new_key(dice: &mut Dice) -> WalletKey {
    WalletKey::from_secret(KeyKind::Ed25519, &dice.bytes()).expect("ed25519 takes any seed")
}

impl Wallets {
    pub(super) fn new(count: usize, dice: &mut Dice) -> Self {
        let account = |dice: &mut Dice| {
            let key = new_key(dice);
            let config = single_key_config(key.public_key().clone());
            let init = Init { salt: Hash(dice.bytes()), config };
            let id = init.keystore_id();
            Account { id, init, key, pending: None, created: false, seq: 0 }
        };
        Self { accounts: (0..count).map(|_| account(dice)).collect() }
    }

    /// The next operation of some account whose last one is ordered; its payload.
    pub(super) fn next(
        &mut self,
        until: Slot,
        ordered: &dyn Fn(&Hash) -> bool,
        dice: &mut Dice,
    ) -> Option<Vec<u8>> {
        let at = dice.index(self.accounts.len());
        let account = self.accounts.get_mut(at)?;
        if let Some((id, _)) = &account.pending {
            if !ordered(id) {
                return None;
            }
            account.settle();
        }
        let (request, fresh) = if account.created {
            let fresh = new_key(dice);
            let config = single_key_config(account.key.public_key().clone());
            let op = rotate(&config, &account.key.key_id(), fresh.public_key().clone()).ok()?;
            let request = Request {
                chain_id: CHAIN_ID,
                keystore_id: account.id,
                seq: account.seq,
                valid_until_slot: until,
                init: None,
                op,
            };
            (request, Some(fresh))
        } else {
            (Request::init(CHAIN_ID, account.init.clone(), until), None)
        };
        let mut keys = vec![&account.key];
        keys.extend(&fresh);
        let payload = request.sign(&keys).ok()?;
        let transaction = Transaction {
            rollup: RollupId::KEYSTORE,
            valid_until_slot: until,
            payload: payload.clone(),
        };
        account.pending = Some((transaction.id(), fresh));
        Some(payload)
    }
}

impl Account {
    fn settle(&mut self) {
        self.created = true;
        self.seq = self.seq.saturating_add(1);
        if let Some((_, Some(key))) = self.pending.take() {
            self.key = key;
        }
    }
}
