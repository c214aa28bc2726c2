//! A backend without a node: every submission becomes one batch of one slot, ordered at once, sealed when told.

use rota_node::api::*;
use rota_types::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Slot of the test clock.
pub(crate) const SLOT: Slot = Slot(1_000);
/// Highest `valid_until_slot` admitted.
pub(crate) const VALID_UNTIL_MAX: Slot = Slot(1_298);
/// The registered rollups.
pub(crate) const ROLLUPS: [u64; 2] = [10, 8_453];

#[derive(Default)]
struct State {
    slots: Vec<Vec<Transaction>>,
    sealed: u64,
    pruned_below: u64,
    full: bool,
}

#[derive(Clone)]
pub(crate) struct Chain {
    state: Arc<Mutex<State>>,
    head: Arc<watch::Sender<Head>>,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self { state: Arc::default(), head: Arc::new(watch::channel(Head::default()).0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn publish(&self) {
        let (decided, sealed) = {
            let state = self.state();
            (Height(state.slots.len() as u64), Height(state.sealed))
        };
        self.head.send_replace(Head { decided, executed: decided, sealed });
    }

    /// Orders a slot of these payloads of rollup 10.
    pub(crate) fn order(&self, payloads: &[&[u8]]) {
        let txs = payloads
            .iter()
            .map(|payload| Transaction {
                rollup: RollupId(10),
                valid_until_slot: VALID_UNTIL_MAX,
                payload: payload.to_vec(),
            })
            .collect();
        self.state().slots.push(txs);
        self.publish();
    }

    pub(crate) fn seal_all(&self) {
        let mut state = self.state();
        state.sealed = state.slots.len() as u64;
        drop(state);
        self.publish();
    }

    pub(crate) fn prune_below(&self, height: u64) {
        self.state().pruned_below = height;
    }

    pub(crate) fn fill(&self) {
        self.state().full = true;
    }

    fn check(&self, height: Height) -> Result<(), ApiError> {
        let state = self.state();
        if height.0 < state.pruned_below {
            return Err(ApiError::Pruned(Height(state.pruned_below)));
        }
        if height.0 == 0 || height.0 > state.slots.len() as u64 {
            return Err(ApiError::NotYet(format!("height {height} is not decided")));
        }
        Ok(())
    }

    fn txs(&self, height: u64) -> Vec<Transaction> {
        let state = self.state();
        let at = usize::try_from(height).unwrap().wrapping_sub(1);
        state.slots.get(at).cloned().unwrap_or_default()
    }

    fn status_at(&self, height: u64, index: usize, tx: &Transaction) -> TransactionStatus {
        let sealed = height <= self.state().sealed;
        TransactionStatus {
            id: tx.id(),
            payload_hash: Some(keccak256(&tx.payload)),
            rollup: Some(tx.rollup),
            level: if sealed { Level::Sealed } else { Level::Ordered },
            times: LevelTimes::default(),
            lane: Some(ValidatorKey([7; 32])),
            incarnation: Some(Incarnation(0)),
            seq: Some(Seq(height)),
            index: Some(u32::try_from(index).unwrap()),
            height: Some(Height(height)),
            slot: Some(Slot(height)),
            namespace_index: Some(index as u64),
            skipped: None,
        }
    }

    fn find(&self, id: Hash) -> Option<TransactionStatus> {
        let count = self.state().slots.len() as u64;
        (1..=count).find_map(|height| {
            let txs = self.txs(height);
            let at = txs.iter().position(|tx| tx.id() == id)?;
            Some(self.status_at(height, at, &txs[at]))
        })
    }
}

fn admit(index: usize, view: &transaction::TxView<'_>) -> Result<(), ApiError> {
    let refused = |refusal| Err(ApiError::Refused { index, refusal });
    if view.valid_until_slot < SLOT {
        let (limit, value) = (SLOT.0, view.valid_until_slot.0);
        return refused(Refusal::at_limit(RefusalCode::Expired, limit, value));
    }
    if view.valid_until_slot > VALID_UNTIL_MAX {
        let (limit, value) = (VALID_UNTIL_MAX.0, view.valid_until_slot.0);
        return refused(Refusal::at_limit(RefusalCode::TooFarAhead, limit, value));
    }
    if !ROLLUPS.contains(&view.rollup.0) && view.rollup != RollupId::KEYSTORE {
        return refused(RefusalCode::UnknownRollup.into());
    }
    Ok(())
}

impl Backend for Chain {
    async fn submit(&self, submission: Submission) -> Result<Submitted, ApiError> {
        if self.state().full {
            return Err(ApiError::Limited { what: "mempool", retry_ms: 1_500 });
        }
        let mut txs = Vec::new();
        for (index, view) in submission.list.iter().enumerate() {
            admit(index, &view)?;
            txs.push(codec::decode::<Transaction>(view.bytes, 1 << 20).unwrap());
        }
        let height = {
            let mut state = self.state();
            state.slots.push(txs.clone());
            state.slots.len() as u64
        };
        self.publish();
        let transactions = if submission.detail {
            txs.iter().enumerate().map(|(i, tx)| self.status_at(height, i, tx)).collect()
        } else {
            Vec::new()
        };
        Ok(Submitted {
            level: submission.wait.min(Level::Ordered),
            receipt: Some("00".into()),
            lane: Some(ValidatorKey([7; 32])),
            seq: Some(Seq(height)),
            first_index: Some(0),
            forecast_slot: SLOT,
            transactions,
        })
    }

    async fn transaction(&self, id: Hash) -> Result<TransactionStatus, ApiError> {
        self.find(id).ok_or_else(|| ApiError::NotFound(format!("transaction {id}")))
    }

    async fn slot(&self, height: Option<Height>) -> Result<SlotView, ApiError> {
        let height = height.unwrap_or(Height(self.state().slots.len() as u64));
        self.check(height)?;
        let mut namespaces = BTreeMap::new();
        for tx in self.txs(height.0) {
            *namespaces.entry(tx.rollup).or_insert(0u64) += 1;
        }
        let header = SlotHeader {
            version: 1,
            protocol_version: 1,
            chain_id: 5,
            height,
            slot: Slot(height.0),
            time: TimestampMs(height.0),
            parent: Hash::ZERO,
            proposal: Hash::ZERO,
            txs_root: Hash::ZERO,
            keystore_root: Hash::ZERO,
            zk_root: Hash::ZERO,
            bridge_root: Hash::ZERO,
            verdicts_root: Hash::ZERO,
            global_exit_root: Hash::ZERO,
            order_root: Hash::ZERO,
            validators: Hash::ZERO,
            next_validators: Hash::ZERO,
            tx_count: namespaces.values().sum(),
            byte_count: 0,
            skipped_count: 0,
        };
        let sealed = height.0 <= self.state().sealed;
        Ok(SlotView {
            height,
            slot: Slot(height.0),
            round: Round(0),
            proposal: Hash::ZERO,
            proposer: ValidatorKey([7; 32]),
            header_id: Some(header.id()),
            header: Some(header),
            level: if sealed { Level::Sealed } else { Level::Ordered },
            seal: sealed.then(|| "00".into()),
            sealed_by: vec![],
            times: LevelTimes::default(),
            batches: vec![],
            namespaces: namespaces.into_iter().collect(),
            skipped: vec![],
        })
    }

    async fn follow(
        &self,
        rollup: RollupId,
        from: Cursor,
        until: Option<Height>,
        bytes_max: usize,
    ) -> Result<Page, ApiError> {
        let head = Height(self.state().slots.len() as u64);
        if from.height <= head {
            self.check(from.height)?;
        }
        let last = until.map_or(head, |until| until.min(head));
        let mut page = Page { rollup, transactions: vec![], next: from, head };
        let mut bytes = 0;
        for height in from.height.0..=last.0 {
            let first = if height == from.height.0 { from.index } else { 0 };
            let own: Vec<_> =
                self.txs(height).into_iter().filter(|tx| tx.rollup == rollup).collect();
            for (index, tx) in own.iter().enumerate().skip(usize::try_from(first).unwrap()) {
                if bytes > 0 && bytes + tx.payload.len() > bytes_max {
                    page.next = Cursor { height: Height(height), index: index as u64 };
                    return Ok(page);
                }
                bytes += tx.payload.len();
                page.transactions.push(OrderedTransaction {
                    height: Height(height),
                    slot: Slot(height),
                    index: index as u64,
                    id: tx.id(),
                    payload: hex::encode(&tx.payload),
                    lane: ValidatorKey([7; 32]),
                    seq: Seq(height),
                });
            }
            page.next = Cursor { height: Height(height + 1), index: 0 };
        }
        Ok(page)
    }

    async fn bundle(&self, of: BundleOf) -> Result<Vec<u8>, ApiError> {
        match of {
            BundleOf::Transaction(id) => {
                let status = self.transaction(id).await?;
                if status.level < Level::Sealed {
                    return Err(ApiError::NotYet("not sealed".into()));
                }
                Ok(id.0.to_vec())
            }
            BundleOf::Namespace(height, rollup) => {
                self.check(height)?;
                Ok(format!("{height} {rollup}").into_bytes())
            }
            BundleOf::Account(id) => Ok(id.0.to_vec()),
        }
    }

    async fn account(&self, id: Hash) -> Result<AccountView, ApiError> {
        Ok(AccountView {
            keystore_id: id,
            height: self.head.borrow().executed,
            exists: false,
            config_hash: Hash::ZERO,
            config_seq: 0,
            auth_seq: 0,
            status: "active".into(),
            frozen_until: Slot(0),
            updated_slot: Slot(0),
            next_seq: 0,
            freeze_count: 0,
            config: String::new(),
        })
    }

    async fn validators(&self) -> Vec<ValidatorView> {
        vec![]
    }

    async fn peers(&self) -> Vec<PeerView> {
        vec![]
    }

    fn sync_status(&self) -> SyncView {
        let head = *self.head.borrow();
        SyncView {
            mode: "validator".into(),
            version: "0".into(),
            chain_id: 5,
            genesis: Hash::ZERO,
            slot_ms: 2_000,
            slot: SLOT,
            decided: head.decided,
            executed: head.executed,
            sealed: head.sealed,
            first_kept: Height(1),
            best_peer: head.decided,
            syncing: false,
            header_id: Hash::ZERO,
            guard_refusals: 0,
            validator: None,
            peer_id: "p".into(),
            listen: vec![],
            peers: 0,
            evidence: vec![],
        }
    }

    fn readiness(&self) -> Readiness {
        let ok = !self.state().full;
        let check = Check { name: "quorum".into(), ok, found: "3 of 4".into() };
        Readiness { ready: ok, checks: vec![check] }
    }

    fn loop_age_ms(&self) -> u64 {
        5
    }

    fn rollups(&self) -> Vec<(RollupId, String)> {
        ROLLUPS.iter().map(|id| (RollupId(*id), format!("r{id}"))).collect()
    }

    fn valid_until_max(&self) -> Slot {
        VALID_UNTIL_MAX
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    fn metrics(&self) -> String {
        "rota_x 1\n".into()
    }
}
