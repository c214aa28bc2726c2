//! The running node as its doors see it: [`Backend`] over view, ledger, index and core.

use super::slots::{ParsedSlot, Slots};
use super::submit::Submitter;
use super::telemetry::as_gauge;
use super::view::View;
use crate::api::{
    AccountView, ApiError, Backend, BundleOf, Check, Cursor, Head, Level, Page, PeerView,
    Readiness, SlotView, Submission, Submitted, SyncView, TransactionStatus, ValidatorView,
};
use crate::core::Input;
use crate::disk::CommitterHandle;
use crate::index::Index;
use crate::limits::LIVE_AGE_MS_MAX;
use metrics_exporter_prometheus::PrometheusHandle;
use rota_p2p::{Identity, NetworkHandle};
use rota_types::{Hash, Height, RollupId, Seq, Slot, ValidatorKey, Weight};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, watch};

/// Clones share one running node.
#[derive(Clone)]
pub struct NodeBackend {
    pub(super) inner: Arc<Inner>,
}

/// What the doors share.
pub(super) struct Inner {
    pub(super) view: Arc<View>,
    pub(super) slots: Slots,
    pub(super) index: Option<Arc<Index>>,
    pub(super) network: NetworkHandle,
    pub(super) submitter: Submitter,
    /// Weak: the core ends when the last sender of frames is gone.
    pub(super) urgent: mpsc::WeakSender<Input>,
    /// Weak for the same reason: its end is the end of the thread that parses batches.
    pub(super) batches: mpsc::WeakSender<Input>,
    pub(super) committer: CommitterHandle<super::release::Outward>,
    pub(super) prometheus: PrometheusHandle,
    /// The key that signs; `None` on a full node, and on a validator whose guard is missing.
    pub(super) me: Option<ValidatorKey>,
    /// The validator key of this home, whether it signs or not.
    pub(super) validator: Option<ValidatorKey>,
    pub(super) listen: Vec<String>,
    pub(super) best_peer: Arc<AtomicU64>,
    pub(super) ticked: Arc<AtomicU64>,
}

impl NodeBackend {
    /// Runs a reading call that touches the disk where it blocks nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || read(&inner))
            .await
            .unwrap_or_else(|error| Err(ApiError::Unavailable(error.to_string())))
    }
}

impl Backend for NodeBackend {
    async fn submit(&self, submission: Submission) -> Result<Submitted, ApiError> {
        self.inner.submitter.submit(&self.inner, submission).await
    }

    async fn transaction(&self, id: Hash) -> Result<TransactionStatus, ApiError> {
        self.blocking(move |inner| inner.transaction(&id)).await
    }

    async fn slot(&self, height: Option<Height>) -> Result<SlotView, ApiError> {
        self.blocking(move |inner| {
            let head = inner.view.head();
            let height = height.unwrap_or(head.executed);
            inner.check_kept(height)?;
            inner.slot_view(height)
        })
        .await
    }

    async fn follow(
        &self,
        rollup: RollupId,
        from: Cursor,
        until: Option<Height>,
        bytes_max: usize,
    ) -> Result<Page, ApiError> {
        self.blocking(move |inner| inner.page(rollup, from, until, bytes_max)).await
    }

    async fn bundle(&self, of: BundleOf) -> Result<Vec<u8>, ApiError> {
        self.blocking(move |inner| inner.bundle(of)).await
    }

    async fn account(&self, id: Hash) -> Result<AccountView, ApiError> {
        Ok(self.inner.account(&id))
    }

    async fn validators(&self) -> Vec<ValidatorView> {
        self.inner.validators()
    }

    async fn peers(&self) -> Vec<PeerView> {
        let peers = self.inner.network.peers();
        let view = |peer: rota_p2p::PeerInfo| PeerView {
            peer: peer.peer.to_string(),
            validator: peer.identity.map(|identity| ValidatorKey(identity.0)),
            address: peer.address.to_string(),
            agent: peer.agent,
        };
        peers.into_iter().map(view).collect()
    }

    fn sync_status(&self) -> SyncView {
        self.inner.sync_status()
    }

    fn readiness(&self) -> Readiness {
        self.inner.readiness()
    }

    fn loop_age_ms(&self) -> u64 {
        self.inner.loop_age_ms()
    }

    fn rollups(&self) -> Vec<(RollupId, String)> {
        let listed = self.inner.view.genesis.rollups.iter();
        listed.map(|rollup| (rollup.id, rollup.name.clone())).collect()
    }

    fn valid_until_max(&self) -> Slot {
        let genesis = &self.inner.view.genesis;
        let now = genesis.timing().slot_at(self.inner.view.clock.now());
        now.plus(genesis.validity_slots_max).minus(2)
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.inner.view.subscribe_head()
    }

    fn metrics(&self) -> String {
        let stats = self.inner.committer.stats();
        metrics::gauge!("rota_disk_commit_queue_bytes")
            .set(as_gauge(u64::try_from(stats.queued_bytes).unwrap_or(u64::MAX)));
        self.inner.waiting_events();
        metrics::counter!("rota_disk_commit_groups_total").absolute(stats.groups);
        metrics::counter!("rota_disk_committed_bytes_total").absolute(stats.bytes);
        let mut page = self.inner.prometheus.render();
        page.push_str(&self.inner.network.metrics_text());
        page
    }
}

impl Inner {
    /// How many events wait in the core's mailboxes.
    fn waiting_events(&self) {
        let waiting = |mailbox: &'static str, sender: &mpsc::Sender<Input>| {
            let count = sender.max_capacity().saturating_sub(sender.capacity());
            metrics::gauge!("rota_node_core_waiting_events", "mailbox" => mailbox)
                .set(as_gauge(u64::try_from(count).unwrap_or(u64::MAX)));
        };
        waiting("bulk", &self.submitter.bulk);
        for (name, mailbox) in [("urgent", &self.urgent), ("batches", &self.batches)] {
            if let Some(mailbox) = mailbox.upgrade() {
                waiting(name, &mailbox);
            }
        }
    }

    pub(super) fn check_kept(&self, height: Height) -> Result<(), ApiError> {
        match self.slots.ledger().first() {
            Some(first) if height < first && height > Height::GENESIS => {
                Err(ApiError::Pruned(first))
            }
            _ => Ok(()),
        }
    }

    /// An executed slot, with the error that fits where it is not there.
    pub(super) fn parsed(&self, height: Height) -> Result<Arc<ParsedSlot>, ApiError> {
        self.check_kept(height)?;
        if height > self.view.head().executed {
            return Err(ApiError::NotYet(format!("height {height} is not executed yet")));
        }
        Ok(self.slots.parsed(height)?)
    }

    fn page(
        &self,
        rollup: RollupId,
        from: Cursor,
        until: Option<Height>,
        bytes_max: usize,
    ) -> Result<Page, ApiError> {
        let head = self.view.head().executed;
        let last = until.map_or(head, |until| until.min(head));
        let from = Cursor { height: from.height.max(Height(1)), index: from.index };
        let mut page = Page { rollup, transactions: Vec::new(), next: from, head };
        let mut bytes = 0usize;
        let mut looked = 0u64;
        while page.next.height <= last && looked < crate::limits::PAGE_SLOTS_MAX {
            looked = looked.saturating_add(1);
            let full = self.fill(&mut page, &mut bytes, bytes_max)?;
            if full {
                return Ok(page);
            }
            page.next = Cursor { height: page.next.height.next(), index: 0 };
        }
        Ok(page)
    }

    /// Adds the rollup's transactions of `page.next.height`; true when the page is full before its end.
    fn fill(&self, page: &mut Page, bytes: &mut usize, bytes_max: usize) -> Result<bool, ApiError> {
        let slot = self.parsed(page.next.height)?;
        let header = &slot.record.header;
        for tx in slot.rollup_from(page.rollup, page.next.index) {
            let payload = tx.payload();
            let sum = bytes.saturating_add(payload.len());
            if sum > bytes_max && !page.transactions.is_empty() {
                return Ok(true);
            }
            *bytes = sum;
            page.transactions.push(crate::api::OrderedTransaction {
                height: header.height,
                slot: header.slot,
                index: page.next.index,
                id: tx.id,
                payload: hex::encode(&payload),
                lane: tx.position.lane,
                seq: tx.position.seq,
            });
            page.next.index = page.next.index.saturating_add(1);
        }
        Ok(false)
    }

    fn account(&self, id: &Hash) -> AccountView {
        let state = self.view.read();
        super::accounts::account_view(&state.keystore, self.view.head().executed, id)
    }

    fn validators(&self) -> Vec<ValidatorView> {
        let state = self.view.read();
        let listed = self.view.genesis.validators.iter();
        let view = |validator: &rota_types::genesis::GenesisValidator| ValidatorView {
            name: validator.name.clone(),
            key: validator.key,
            weight: validator.weight,
            connected: Some(validator.key) == self.me
                || self.network.is_connected(&Identity(validator.key.0)),
            lane_seq: state.order.lane(&validator.key).map_or(Seq(0), |lane| lane.tip.position.seq),
        };
        listed.map(view).collect()
    }

    fn sync_status(&self) -> SyncView {
        let head = self.view.head();
        let state = self.view.read();
        let best_peer = Height(self.best_peer.load(Ordering::Relaxed));
        SyncView {
            mode: if self.validator.is_some() { "validator" } else { "full" }.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            chain_id: self.view.genesis.chain_id,
            genesis: self.view.genesis_hash,
            slot_ms: self.view.genesis.slot_ms,
            slot: self.view.genesis.timing().slot_at(self.view.clock.now()),
            decided: head.decided,
            executed: head.executed,
            sealed: head.sealed,
            first_kept: self.slots.ledger().first().unwrap_or(Height(1)),
            best_peer,
            syncing: best_peer > head.decided.plus(2),
            header_id: state.header_id,
            guard_refusals: state.guard_refusals,
            validator: self.validator,
            peer_id: self.network.local_peer_id().to_string(),
            listen: self.listen.clone(),
            peers: self.network.peers().len(),
            evidence: state.evidence.clone(),
        }
    }

    fn loop_age_ms(&self) -> u64 {
        self.view.clock.now().0.saturating_sub(self.ticked.load(Ordering::Relaxed))
    }

    fn connected_weight(&self) -> Weight {
        let set = &self.view.validators;
        let here = |key: &ValidatorKey| {
            Some(*key) == self.me || self.network.is_connected(&Identity(key.0))
        };
        let keys = set.as_slice().iter().filter(|validator| here(&validator.key));
        Weight(keys.map(|validator| validator.weight.0).sum())
    }

    fn readiness(&self) -> Readiness {
        let status = self.sync_status();
        let age = self.loop_age_ms();
        let slots_behind = status.slot.0.saturating_sub(self.newest_slot().0);
        let check = |name: &str, ok: bool, found: String| Check { name: name.into(), ok, found };
        let weight = self.connected_weight();
        let disk = self.committer.failed();
        let checks = vec![
            check(
                "synced",
                !status.syncing,
                format!("height {}, peers at {}", status.decided, status.best_peer),
            ),
            check(
                "quorum",
                self.view.validators.is_quorum(weight),
                format!("weight {weight} of {} reachable", self.view.validators.total()),
            ),
            check(
                "slot_age",
                slots_behind <= 4,
                format!("newest decided slot is {slots_behind} behind the clock"),
            ),
            check(
                "disk",
                disk.is_none(),
                disk.map_or_else(|| "committing".to_owned(), |error| error.to_string()),
            ),
            check(
                "guard",
                self.validator == self.me,
                match (self.validator, self.me) {
                    (None, _) => "no validator key",
                    (Some(_), Some(_)) => "guard open",
                    (Some(_), None) => "no guard: this validator signs nothing",
                }
                .to_owned(),
            ),
            check("loop", age <= LIVE_AGE_MS_MAX, format!("ticked {age} ms ago")),
        ];
        Readiness { ready: checks.iter().all(|check| check.ok), checks }
    }

    fn newest_slot(&self) -> Slot {
        let height = self.view.head().executed;
        let state = self.view.read();
        state.heights.get(&height).map(|info| info.slot).unwrap_or_else(|| {
            self.slots.executed(height).map_or(Slot(0), |record| record.header.slot)
        })
    }

    /// The level that a height has reached here.
    pub(super) fn level_of(&self, height: Height) -> Level {
        let sealed =
            height <= self.view.head().sealed || self.view.read().sealed_above.contains(&height);
        if sealed { Level::Sealed } else { Level::Ordered }
    }
}
