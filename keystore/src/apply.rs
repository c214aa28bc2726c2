//! The transition: one operation on the state, all of it or nothing.

use crate::account::{Account, AuthLeaf};
use crate::authority::{Demand, authorise};
use crate::check::{Checked, Claim};
use crate::config::{Config, Key, KeystoreId, Role};
use crate::envelope::Envelope;
use crate::error::{ensure, within};
use crate::keys::KeyId;
use crate::limits::SEQ_AHEAD_MAX;
use crate::op::{FreezeAuthority, Op};
use crate::params::Params;
use crate::state::{Counters, KeystoreState};
use rota_types::{Hash, Refusal, RefusalCode, Slot};

/// What an operation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The account was created and nothing else.
    Created,
    /// Another config is in force.
    ConfigSet {
        /// Its hash.
        config_hash: Hash,
    },
    /// The account is frozen.
    Frozen {
        /// First slot in which it is no longer.
        until: Slot,
    },
    /// The freeze ended.
    Unfrozen,
}

/// Result of an operation, for events and indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effects {
    /// The account.
    pub keystore_id: KeystoreId,
    /// Whether the operation created it.
    pub created: bool,
    /// What changed.
    pub change: Change,
    /// The leaf after it.
    pub auth_leaf: AuthLeaf,
}

/// Executes one operation. On a refusal the state is untouched; on this zero-fee network a refused operation
/// does not use up its sequence number.
///
/// # Errors
/// `Expired`, `TooFarAhead`, `UnknownAccount`, `NewAccountsLimit`, the sequence, authority, freeze and emergency codes.
pub fn apply(state: &mut KeystoreState, op: &Checked, slot: Slot) -> Result<Effects, Refusal> {
    let outcome = Outcome::of(state, op.claim(), slot)?;
    if let Some(counters) = outcome.counters {
        state.set_counters(counters);
    }
    state.put(&outcome.account);
    Ok(Effects {
        keystore_id: outcome.account.keystore_id,
        created: outcome.counters.is_some(),
        change: outcome.change,
        auth_leaf: outcome.account.auth_leaf(),
    })
}

/// Whether a pool should keep the operation for `slot` or soon after: what [`apply`] checks if its turn is
/// next, else that its sequence number is at most [`SEQ_AHEAD_MAX`] ahead and one signer belongs to the account.
/// It asks for a claim, so that a pool verifies only signatures that would change something if they are good.
///
/// # Errors
/// As [`apply`], and `SeqTooFar`. All of them depend on clock or state.
pub fn admit(state: &KeystoreState, op: &Claim, slot: Slot) -> Result<(), Refusal> {
    let envelope = op.envelope();
    let next = state.next_seq(&envelope.keystore_id, envelope.lane, slot);
    if envelope.op.kind().is_emergency() || envelope.seq <= next {
        return Outcome::of(state, op, slot).map(|_| ());
    }
    check_window(envelope, slot, state.params())?;
    within(envelope.seq, next.saturating_add(SEQ_AHEAD_MAX), RefusalCode::SeqTooFar)?;
    let account = state.account(&envelope.keystore_id);
    let config = account
        .as_ref()
        .map(|account| &account.config)
        .or_else(|| envelope.init.as_ref().map(|init| &init.config))
        .ok_or_else(|| Refusal::new(RefusalCode::UnknownAccount))?;
    let known = op.key_ids().iter().any(|id| config.key(id).is_some());
    ensure(known, RefusalCode::UnknownKey)
}

/// What an operation would write.
struct Outcome {
    account: Account,
    change: Change,
    /// Set if the account is new.
    counters: Option<Counters>,
}

impl Outcome {
    fn of(state: &KeystoreState, op: &Claim, slot: Slot) -> Result<Self, Refusal> {
        let (envelope, params) = (op.envelope(), state.params());
        check_window(envelope, slot, params)?;
        let (mut account, counters) = match state.account(&envelope.keystore_id) {
            // An init on a present leaf is ignored: two first operations may race.
            Some(account) => (account, None),
            None => {
                let (account, counters) = create(state, envelope, slot)?;
                (account, Some(counters))
            }
        };
        account.settle(slot, params);
        if envelope.op.kind().is_emergency() {
            ensure(!account.executed.contains_key(op.digest()), RefusalCode::EmergencyReplay)?;
        } else {
            account.lanes.take(envelope.lane, envelope.seq, slot, params.validity_slots)?;
        }
        let change = execute(&mut account, op, slot, params)?;
        account.updated_slot = slot;
        if counters.is_some() || matches!(change, Change::ConfigSet { .. }) {
            let bytes = state.bytes_with(&account);
            if bytes > state.bytes() {
                within(bytes, params.state_bytes_max, RefusalCode::NewAccountsLimit)?;
            }
        }
        Ok(Self { account, change, counters })
    }
}

fn check_window(envelope: &Envelope, slot: Slot, params: &Params) -> Result<(), Refusal> {
    let valid_until = envelope.valid_until_slot.0;
    if valid_until < slot.0 {
        return Err(Refusal::at_limit(RefusalCode::Expired, valid_until, slot.0));
    }
    within(valid_until, slot.plus(params.validity_slots).0, RefusalCode::TooFarAhead)
}

/// A new account from the envelope's init, whose hash [`crate::check_bytes`] compared with the id.
fn create(
    state: &KeystoreState,
    envelope: &Envelope,
    slot: Slot,
) -> Result<(Account, Counters), Refusal> {
    let init = envelope.init.as_ref().ok_or_else(|| Refusal::new(RefusalCode::UnknownAccount))?;
    let params = state.params();
    let before = state.counters();
    let created = match before.created {
        (last, count) if last == slot => count,
        _ => 0,
    };
    let limit = u64::from(params.new_accounts_max);
    let in_slot = created.saturating_add(1);
    within(u64::from(in_slot), limit, RefusalCode::NewAccountsLimit)?;
    let accounts = before.accounts.saturating_add(1);
    within(accounts, params.accounts_max, RefusalCode::NewAccountsLimit)?;
    let account = Account::created(envelope.keystore_id, init.config.clone(), slot);
    Ok((account, Counters { accounts, created: (slot, in_slot) }))
}

fn execute(
    account: &mut Account,
    op: &Claim,
    slot: Slot,
    params: &Params,
) -> Result<Change, Refusal> {
    let signers = op.key_ids();
    match &op.envelope().op {
        Op::Init => {
            authorise_config(account, signers, slot)?;
            Ok(Change::Created)
        }
        Op::Unfreeze => unfreeze(account, signers, slot),
        Op::Freeze { until, config_seq, freeze_count, authority } => {
            let current = (account.config_seq, account.freeze_count);
            ensure(current == (*config_seq, *freeze_count), RefusalCode::EmergencyStale)?;
            freeze(account, signers, *until, *authority, slot, params)?;
            account.remember(*op.digest(), op.envelope().valid_until_slot)?;
            Ok(Change::Frozen { until: account.frozen_until })
        }
        Op::SetConfig { previous_config_hash, new } => {
            set_config(account, signers, previous_config_hash, new.clone(), slot)
        }
        Op::RotateKey { previous_config_hash, old_key, new_key } => {
            let new = changed(&account.config, Some(old_key), Some(new_key))?;
            set_config(account, signers, previous_config_hash, new, slot)
        }
        Op::AddKey { previous_config_hash, new_key } => {
            let new = changed(&account.config, None, Some(new_key))?;
            set_config(account, signers, previous_config_hash, new, slot)
        }
        Op::RemoveKey { previous_config_hash, old_key } => {
            let new = changed(&account.config, Some(old_key), None)?;
            set_config(account, signers, previous_config_hash, new, slot)
        }
    }
}

fn authorise_config(account: &Account, signers: &[KeyId], slot: Slot) -> Result<(), Refusal> {
    authorise(signers, &[Demand { config: &account.config, role: Role::Config, slot }])
}

/// The config after a readable delta. The bytes of the delta are right; that the result breaks a rule depends
/// on the config in force.
fn changed(config: &Config, gone: Option<&KeyId>, come: Option<&Key>) -> Result<Config, Refusal> {
    let refused = || Refusal::new(RefusalCode::DeltaRefused);
    let mut new = config.clone();
    if let Some(gone) = gone {
        let at = new.keys.iter().position(|key| key.id() == *gone).ok_or_else(refused)?;
        new.keys.remove(at);
    }
    new.keys.extend(come.cloned());
    new.keys.sort_by_cached_key(Key::id);
    new.check_rules().map_err(|_| refused())?;
    // The other keys were checked when they came, this one with the envelope.
    let sole = come.is_none_or(|come| new.is_only_key_of_its_secret(&come.public_key));
    ensure(sole, RefusalCode::DeltaRefused)?;
    Ok(new)
}

/// Replaces the config: by the CONFIG threshold of the old *and* of the new, so that nobody, by mistake or by
/// theft, leaves an account with keys that nobody holds.
fn set_config(
    account: &mut Account,
    signers: &[KeyId],
    previous_config_hash: &Hash,
    new: Config,
    slot: Slot,
) -> Result<Change, Refusal> {
    ensure(*previous_config_hash == account.config.hash(), RefusalCode::ConfigHashMismatch)?;
    let demand = |config| Demand { config, role: Role::Config, slot };
    authorise(signers, &[demand(&account.config), demand(&new)])?;
    account.config = new;
    account.config_seq = account.config_seq.saturating_add(1);
    account.auth_seq = account.auth_seq.saturating_add(1);
    let config = &account.config;
    account.freeze_ends.retain(|id, _| config.key(id).is_some());
    Ok(Change::ConfigSet { config_hash: account.config.hash() })
}

fn freeze(
    account: &mut Account,
    signers: &[KeyId],
    until: Slot,
    authority: FreezeAuthority,
    slot: Slot,
    params: &Params,
) -> Result<(), Refusal> {
    ensure(until > slot, RefusalCode::EmergencyStale)?;
    within(until.0, slot.plus(params.freeze_slots_max()).0, RefusalCode::FreezeTooLong)?;
    match authority {
        FreezeAuthority::Config => authorise_config(account, signers, slot)?,
        FreezeAuthority::Freeze => {
            authorise(signers, &[Demand { config: &account.config, role: Role::Freeze, slot }])?;
            // `settle` dropped every key whose rest is over.
            for id in signers {
                if let Some(end) = account.freeze_ends.get(id) {
                    let rested = end.plus(params.cooldown_slots()).0;
                    return Err(Refusal::at_limit(RefusalCode::Cooldown, rested, slot.0));
                }
            }
            account.freeze_ends.extend(signers.iter().map(|id| (*id, until)));
        }
    }
    account.frozen_until = account.frozen_until.max(until);
    account.freeze_count = account.freeze_count.saturating_add(1);
    account.auth_seq = account.auth_seq.saturating_add(1);
    Ok(())
}

fn unfreeze(account: &mut Account, signers: &[KeyId], slot: Slot) -> Result<Change, Refusal> {
    ensure(account.is_frozen(slot), RefusalCode::NotFrozen)?;
    authorise_config(account, signers, slot)?;
    account.frozen_until = Slot(0);
    account.auth_seq = account.auth_seq.saturating_add(1);
    for end in account.freeze_ends.values_mut() {
        *end = slot.min(*end);
    }
    Ok(Change::Unfrozen)
}

/// Whether `signers`, whose signatures the caller verified, may act for the account in `role` now: what
/// other parts of the network and wallets ask. A frozen account acts in no role but CONFIG and FREEZE.
///
/// # Errors
/// `UnknownAccount`, `Frozen`, `UnknownKey`, `ThresholdNotMet`, `NotMinimal`.
pub fn authorises(
    state: &KeystoreState,
    id: &KeystoreId,
    role: Role,
    signers: &[KeyId],
    slot: Slot,
) -> Result<(), Refusal> {
    let account = state.account(id).ok_or_else(|| Refusal::new(RefusalCode::UnknownAccount))?;
    let stopped = account.is_frozen(slot) && !matches!(role, Role::Config | Role::Freeze);
    ensure(!stopped, RefusalCode::Frozen)?;
    authorise(signers, &[Demand { config: &account.config, role, slot }])
}
