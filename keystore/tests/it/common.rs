//! A small world for the tests: one state, one clock, keys from small numbers.

use rota_keystore::wallet::{Request, WalletKey, single_key_config};
use rota_keystore::{
    Checked, Config, Effects, Init, Key, KeyKind, KeystoreId, KeystoreState, Op, Params, Role,
    apply, check_bytes,
};
use rota_types::{Hash, Refusal, RefusalCode, Slot};

/// The test network.
pub(crate) const CHAIN: u64 = 4242;
/// Twelve-second slots, so 50,400 of them in 7 days.
pub(crate) const WEEK: u64 = 50_400;

pub(crate) fn params() -> Params {
    Params {
        chain_id: CHAIN,
        slot_ms: 12_000,
        validity_slots: 64,
        new_accounts_max: 8,
        accounts_max: 64,
        emergency_bytes_max: 64 * 1024,
        units_max: 48_000,
        state_bytes_max: 1 << 20,
    }
}

pub(crate) fn key(kind: KeyKind, number: u8) -> WalletKey {
    WalletKey::from_secret(kind, &[number; 32]).unwrap()
}

pub(crate) fn ed(number: u8) -> WalletKey {
    key(KeyKind::Ed25519, number)
}

/// A config of keys with these roles and weight 1; thresholds 1 but for CONFIG.
pub(crate) fn config_of(keys: &[(&WalletKey, u16)], config_threshold: u32) -> Config {
    let keys: Vec<Key> = keys
        .iter()
        .map(|(key, roles)| Key { roles: *roles, ..Key::all_roles(key.public_key().clone()) })
        .collect();
    let has = |role: Role| u32::from(keys.iter().any(|key| key.has(role)));
    let mut thresholds = Role::ALL.map(has);
    thresholds[0] = config_threshold;
    Config::of_keys(keys, thresholds)
}

pub(crate) fn check(payload: &[u8], valid_until: Slot) -> Result<Checked, Refusal> {
    check_bytes(payload, valid_until, CHAIN)
}

pub(crate) struct World {
    pub(crate) state: KeystoreState,
    pub(crate) slot: Slot,
}

/// An account as its wallet sees it.
#[derive(Clone)]
pub(crate) struct Wallet {
    pub(crate) id: KeystoreId,
    pub(crate) init: Init,
}

impl Wallet {
    pub(crate) fn new(salt: u8, config: Config) -> Self {
        let init = Init { salt: Hash([salt; 32]), config };
        Self { id: init.keystore_id(), init }
    }

    pub(crate) fn single(salt: u8, key: &WalletKey) -> Self {
        Self::new(salt, single_key_config(key.public_key().clone()))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self { state: KeystoreState::new(params()), slot: Slot(100) }
    }

    /// With one account of `config`, created by `keys`.
    pub(crate) fn with(wallet: &Wallet, keys: &[&WalletKey]) -> Self {
        let mut world = Self::new();
        let request = Request::init(CHAIN, wallet.init.clone(), world.valid_until());
        world.submit(&request, keys).unwrap();
        world
    }

    pub(crate) fn valid_until(&self) -> Slot {
        self.slot.plus(10)
    }

    /// A request at the account's next sequence number, without init.
    pub(crate) fn request(&self, wallet: &Wallet, op: Op) -> Request {
        let emergency = op.kind().is_emergency();
        let seq = if emergency { 0 } else { self.state.next_seq(&wallet.id, 0, self.slot) };
        Request {
            chain_id: CHAIN,
            keystore_id: wallet.id,
            seq,
            valid_until_slot: self.valid_until(),
            init: None,
            op,
        }
    }

    pub(crate) fn submit(
        &mut self,
        request: &Request,
        keys: &[&WalletKey],
    ) -> Result<Effects, Refusal> {
        let payload = request.sign(keys)?;
        self.submit_bytes(&payload, request.valid_until_slot)
    }

    pub(crate) fn submit_bytes(
        &mut self,
        payload: &[u8],
        valid_until: Slot,
    ) -> Result<Effects, Refusal> {
        apply(&mut self.state, &check(payload, valid_until)?, self.slot)
    }

    pub(crate) fn run(
        &mut self,
        wallet: &Wallet,
        op: Op,
        keys: &[&WalletKey],
    ) -> Result<Effects, Refusal> {
        let request = self.request(wallet, op);
        self.submit(&request, keys)
    }

    pub(crate) fn config(&self, wallet: &Wallet) -> Config {
        self.state.account(&wallet.id).unwrap().config
    }

    pub(crate) fn set_config(&self, wallet: &Wallet, new: Config) -> Op {
        Op::SetConfig { previous_config_hash: self.config(wallet).hash(), new }
    }

    pub(crate) fn freeze(&self, wallet: &Wallet, slots: u64) -> Op {
        let account = self.state.account(&wallet.id).unwrap();
        Op::Freeze {
            until: self.slot.plus(slots),
            config_seq: account.config_seq,
            freeze_count: account.freeze_count,
            authority: rota_keystore::FreezeAuthority::Freeze,
        }
    }
}

/// The code of a refusal.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> RefusalCode {
    result.unwrap_err().code
}
