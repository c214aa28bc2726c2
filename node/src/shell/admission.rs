//! Admission of submissions: which ids are known is looked up first, and nothing is held while signatures are verified.
//!
//! A list without keystore operations costs microseconds and is judged where it is. One with them may cost half a second
//! of signatures, so it waits for one of a few threads, and beyond a limit it is refused with a time.

use super::view::View;
use crate::api::ApiError;
use crate::limits::{ADMISSIONS_AT_ONCE_MAX, ADMISSIONS_WAITING_MAX};
use rota_keystore::KeystoreState;
use rota_sequencer::admission::{self, AdmissionContext, Rollups};
use rota_sequencer::execution::{OrderState, SystemView};
use rota_types::{
    Genesis, Refusal, RollupId, Slot, TimestampMs, TransactionList, TxId, ValidatorSet,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Semaphore;

const BUSY: ApiError = ApiError::Limited { what: "signatures being verified", retry_ms: 500 };

/// What a submission is judged by: all of it owned, so that judging waits for nobody and nobody for it.
pub(super) struct Moment {
    /// Slot of the node's clock.
    slot: Slot,
    /// Ids of the list that were ordered within the validity window.
    known: BTreeSet<TxId>,
    /// State after the newest executed slot; `None` for a list without keystore operations.
    keystore: Option<KeystoreState>,
    /// Order and validators after that slot, for a list with system operations.
    system: Option<(Arc<OrderState>, ValidatorSet)>,
}

impl Moment {
    /// Looks up what `list` needs; the window's guard is gone when this returns.
    pub(super) fn of(view: &View, now: TimestampMs, list: &TransactionList) -> Self {
        let executed = list.iter().any(|tx| tx.rollup.is_executed());
        let system = list.iter().any(|tx| tx.rollup == RollupId::SYSTEM);
        Self {
            slot: view.genesis.timing().slot_at(now),
            known: view
                .window
                .read(|window| list.ids().filter(|id| window.place_of(id).is_some()).collect()),
            keystore: executed.then(|| view.read().keystore.clone()),
            system: system.then(|| (Arc::clone(&view.read().order), view.validators.clone())),
        }
    }
}

fn judge(
    genesis: &Genesis,
    rollups: &Rollups,
    list: &TransactionList,
    moment: &Moment,
) -> Result<(), (usize, Refusal)> {
    let context = AdmissionContext {
        chain_id: genesis.chain_id,
        slot: moment.slot,
        validity_slots_max: genesis.validity_slots_max,
        rollups,
        known: &|id| moment.known.contains(id),
        keystore: moment.keystore.as_ref(),
        system: moment.system.as_ref().map(|(order, validators)| SystemView { order, validators }),
    };
    admission::admit_list(list, &context)
}

/// The door's checks where they are, one function for all doors.
///
/// # Errors
/// A refusal, and the index of its transaction.
pub fn admit_list(
    view: &View,
    rollups: &Rollups,
    now: TimestampMs,
    list: &TransactionList,
) -> Result<(), (usize, Refusal)> {
    judge(&view.genesis, rollups, list, &Moment::of(view, now, list))
}

struct Rules {
    genesis: Arc<Genesis>,
    rollups: Rollups,
}

impl Rules {
    fn judge(&self, list: &TransactionList, moment: &Moment) -> Result<(), ApiError> {
        judge(&self.genesis, &self.rollups, list, moment)
            .map_err(|(index, refusal)| ApiError::Refused { index, refusal })
    }
}

/// See the module's documentation.
pub(super) struct Admission {
    rules: Arc<Rules>,
    waiting: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
}

impl Admission {
    pub(super) fn new(genesis: Arc<Genesis>) -> Self {
        let rollups = Rollups::from_genesis(&genesis);
        Self {
            rules: Arc::new(Rules { genesis, rollups }),
            waiting: Arc::new(Semaphore::new(ADMISSIONS_WAITING_MAX)),
            at_once: Arc::new(Semaphore::new(ADMISSIONS_AT_ONCE_MAX)),
        }
    }

    /// Judges a whole submission.
    ///
    /// # Errors
    /// `Refused` with the index of the transaction that may not enter; `Limited` when too many wait for their
    /// signatures to be verified.
    pub(super) async fn admit(
        &self,
        list: &TransactionList,
        moment: Moment,
    ) -> Result<(), ApiError> {
        if !list.iter().any(|view| view.rollup.is_executed()) {
            return self.rules.judge(list, &moment);
        }
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| BUSY)?;
        let turn = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| BUSY)?;
        let (rules, list) = (Arc::clone(&self.rules), list.clone());
        tokio::task::spawn_blocking(move || {
            // Both places are given back when the work ends, whether its client still waits or not.
            let _places = (waiting, turn);
            rules.judge(&list, &moment)
        })
        .await
        .unwrap_or_else(|error| Err(ApiError::Unavailable(error.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_keystore::keys::KeyKind;
    use rota_keystore::wallet::{Request, WalletKey, single_key_config};
    use rota_keystore::{Init, Params};
    use rota_types::genesis::GenesisRollup;
    use rota_types::{Hash, RefusalCode, Transaction};

    fn genesis() -> Arc<Genesis> {
        let rollup = GenesisRollup { id: RollupId(10), name: "ten".into(), slot_bytes_max: 0 };
        Arc::new(Genesis {
            chain_id: 7,
            name: "doors".into(),
            genesis_time: TimestampMs(0),
            slot_ms: 1_000,
            protocol_version: 1,
            validity_slots_max: 64,
            slot_bytes_max: 1 << 20,
            slot_txs_max: 1_000,
            lane_lead_max: 16,
            new_accounts_max: 8,
            emergency_bytes_max: 1 << 16,
            validators: Vec::new(),
            rollups: vec![rollup],
        })
    }

    fn list(txs: &[Transaction]) -> TransactionList {
        let bytes = rota_types::codec::encode(&txs.to_vec());
        TransactionList::parse(bytes.into(), 1 << 20).unwrap()
    }

    fn plain() -> Transaction {
        Transaction { rollup: RollupId(10), valid_until_slot: Slot(12), payload: vec![7] }
    }

    fn creation(genesis: &Genesis) -> Transaction {
        let key = WalletKey::from_secret(KeyKind::P256, &[5; 32]).unwrap();
        let config = single_key_config(key.public_key().clone());
        let init = Init { salt: Hash([1; 32]), config };
        let request = Request::init(genesis.chain_id, init, Slot(12));
        let payload = request.sign(&[&key]).unwrap();
        Transaction { rollup: RollupId::KEYSTORE, valid_until_slot: Slot(12), payload }
    }

    fn moment(genesis: &Genesis, known: &[TxId]) -> Moment {
        Moment {
            slot: Slot(10),
            known: known.iter().copied().collect(),
            keystore: Some(KeystoreState::new(Params::from_genesis(genesis))),
            system: None,
        }
    }

    #[tokio::test]
    async fn a_submission_is_judged_by_what_it_is_given_and_holds_nothing() {
        let genesis = genesis();
        let admission = Admission::new(Arc::clone(&genesis));
        let created = creation(&genesis);
        let both = list(&[plain(), created]);
        assert!(admission.admit(&both, moment(&genesis, &[])).await.is_ok());
        let second = both.get(1).unwrap().id;
        let refused = admission.admit(&both, moment(&genesis, &[second])).await.unwrap_err();
        let ApiError::Refused { index, refusal } = refused else { panic!("{refused}") };
        assert_eq!((index, refusal.code), (1, RefusalCode::Duplicate));
        assert_eq!(admission.waiting.available_permits(), ADMISSIONS_WAITING_MAX);
        assert_eq!(admission.at_once.available_permits(), ADMISSIONS_AT_ONCE_MAX);
    }

    #[tokio::test]
    async fn too_many_that_need_signatures_are_told_when_to_come_again_and_others_pass() {
        let genesis = genesis();
        let admission = Admission::new(Arc::clone(&genesis));
        let heavy = list(&[creation(&genesis)]);
        let places = u32::try_from(ADMISSIONS_WAITING_MAX).unwrap();
        let taken = admission.waiting.try_acquire_many(places).unwrap();
        let refused = admission.admit(&heavy, moment(&genesis, &[])).await.unwrap_err();
        assert!(matches!(refused, ApiError::Limited { retry_ms: 500, .. }), "{refused}");
        let light = list(&[plain()]);
        assert!(admission.admit(&light, moment(&genesis, &[])).await.is_ok());
        drop(taken);
        assert!(admission.admit(&heavy, moment(&genesis, &[])).await.is_ok());
    }
}
