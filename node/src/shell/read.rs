//! Reading calls of the backend: where a transaction is, a slot, a bundle.

use super::backend::Inner;
use crate::api::{ApiError, BatchView, BundleOf, Level, LevelTimes, SlotView, TransactionStatus};
use rota_keystore::KeystoreId;
use rota_sequencer::bundles::Sealed;
use rota_types::bundle::FinalityBundle;
use rota_types::limits::BATCH_BODY_BYTES_MAX;
use rota_types::{
    Hash, Height, LanePosition, Refusal, RollupId, Seal, SealedHeader, SlotHeader, TransactionList,
    TypesError, keccak256,
};

impl Inner {
    /// Where a transaction was ordered: the replay window, then the index.
    fn ordered_place(&self, id: &Hash) -> Result<Option<(Height, u32)>, ApiError> {
        if let Some(place) = self.view.window.place_of(id) {
            // The window may hold ids of a slot whose execution is not over.
            let executed = place.height <= self.view.head().executed;
            return Ok(executed.then_some((place.height, place.index)));
        }
        let (Some(index), Some(prefix)) = (&self.index, id.0.first_chunk::<16>()) else {
            return Ok(None);
        };
        index.transaction(prefix).map_err(|error| ApiError::Unavailable(error.to_string()))
    }

    /// The life of a transaction as known here.
    pub(super) fn transaction(&self, id: &Hash) -> Result<TransactionStatus, ApiError> {
        if let Some((height, index)) = self.ordered_place(id)? {
            let slot = self.parsed(height)?;
            let tx = slot.tx(index).filter(|tx| tx.id == *id).ok_or_else(|| {
                ApiError::NotFound(format!("transaction {id}: another has its prefix"))
            })?;
            return Ok(self.status_of_ordered(height, &slot.record.header.slot, tx));
        }
        let Some((batch, index)) = self.view.find_undecided(id) else {
            return Err(ApiError::NotFound(format!(
                "transaction {id} is not known here: not sent, expired, or older than what is indexed"
            )));
        };
        let stored = self.slots.ledger().batch(&batch.digest).ok().flatten();
        let body = stored.and_then(|s| TransactionList::parse(s.body, BATCH_BODY_BYTES_MAX).ok());
        let view = body.as_ref().and_then(|body| body.get(index));
        let payload = view.as_ref().map(|view| keccak256(view.payload()));
        let rollup = view.as_ref().map(|view| view.rollup);
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        Ok(self.status_in_batch(*id, payload, rollup, &batch.position, index))
    }

    fn status_of_ordered(
        &self,
        height: Height,
        slot: &rota_types::Slot,
        tx: &rota_sequencer::execution::OrderedTx,
    ) -> TransactionStatus {
        TransactionStatus {
            id: tx.id,
            payload_hash: Some(keccak256(&tx.payload())),
            rollup: Some(tx.rollup),
            level: self.level_of(height),
            times: self.view.times(&tx.position, Some(height)),
            lane: Some(tx.position.lane),
            incarnation: Some(tx.position.incarnation),
            seq: Some(tx.position.seq),
            index: Some(tx.batch_index),
            height: Some(height),
            slot: Some(*slot),
            namespace_index: tx.namespace_index,
            skipped: tx.skipped.map(|code| Refusal::new(code).into()),
        }
    }

    /// A transaction whose batch is stored here, decided or not.
    pub(super) fn status_in_batch(
        &self,
        id: Hash,
        payload_hash: Option<Hash>,
        rollup: Option<RollupId>,
        position: &LanePosition,
        index: u32,
    ) -> TransactionStatus {
        let certified = self.view.is_certified(position);
        TransactionStatus {
            id,
            payload_hash,
            rollup,
            level: if certified { Level::Certified } else { Level::Received },
            times: self.view.times(position, None),
            lane: Some(position.lane),
            incarnation: Some(position.incarnation),
            seq: Some(position.seq),
            index: Some(index),
            height: None,
            slot: None,
            namespace_index: None,
            skipped: None,
        }
    }

    /// Statuses of transactions that stand contiguously in a batch decided at `height`.
    pub(super) fn statuses_at(
        &self,
        height: Height,
        position: &LanePosition,
        first_index: u32,
        count: u32,
    ) -> Result<Vec<TransactionStatus>, ApiError> {
        let slot = self.parsed(height)?;
        let range = first_index..first_index.saturating_add(count);
        let here = slot
            .txs
            .iter()
            .filter(|tx| tx.position == *position && range.contains(&tx.batch_index));
        Ok(here.map(|tx| self.status_of_ordered(height, &slot.record.header.slot, tx)).collect())
    }

    /// A decided slot.
    pub(super) fn slot_view(&self, height: Height) -> Result<SlotView, ApiError> {
        let decided = self.slots.decided(height)?;
        let executed = self.slots.executed(height).ok();
        let seal = self.slots.sealed(height)?.map(|sealed| sealed.seal);
        let level = if seal.is_some() { Level::Sealed } else { Level::Ordered };
        let (batches, namespaces, skipped) = match self.slots.parsed(height) {
            Ok(slot) => (
                batch_views(&slot),
                slot.namespaces.rollups().map(|id| (id, slot.count(id))).collect(),
                slot.record
                    .skips
                    .iter()
                    .map(|(index, code)| (u64::from(*index), Refusal::new(*code).into()))
                    .collect(),
            ),
            Err(_) => (Vec::new(), Vec::new(), Vec::new()),
        };
        let round = decided.certificate.round;
        let set = &self.view.validators;
        let times: LevelTimes = {
            let state = self.view.read();
            state.heights.get(&height).map(|info| info.times).unwrap_or_default()
        };
        Ok(SlotView {
            height,
            slot: decided.proposal.slot,
            round,
            proposal: decided.certificate.value,
            proposer: set.proposer(height, round).key,
            header_id: executed.as_ref().map(|record| record.header.id()),
            header: executed.map(|record| record.header),
            level,
            sealed_by: seal.as_ref().and_then(|seal| seal.signers(set).ok()).unwrap_or_default(),
            seal: seal.map(|seal| hex::encode(rota_types::codec::encode(&seal))),
            times,
            batches,
            namespaces,
            skipped,
        })
    }

    /// Makes a bundle about a sealed height.
    fn about(
        &self,
        height: Height,
        make: impl FnOnce(Sealed<'_>) -> Result<FinalityBundle, TypesError>,
    ) -> Result<FinalityBundle, ApiError> {
        let SealedHeader { header, seal } = self
            .slots
            .sealed(height)?
            .ok_or_else(|| ApiError::NotYet(format!("height {height} is not sealed yet")))?;
        self.about_header(&header, &seal, make)
    }

    fn about_header(
        &self,
        header: &SlotHeader,
        seal: &Seal,
        make: impl FnOnce(Sealed<'_>) -> Result<FinalityBundle, TypesError>,
    ) -> Result<FinalityBundle, ApiError> {
        let validators = &self.view.validators;
        let sealed = Sealed { genesis: self.view.genesis_hash, header, validators, seal };
        make(sealed).map_err(|error| ApiError::Unavailable(error.to_string()))
    }

    /// A finality bundle.
    pub(super) fn bundle(&self, of: BundleOf) -> Result<Vec<u8>, ApiError> {
        let bundle =
            match of {
                BundleOf::Transaction(id) => self.transaction_bundle(&id)?,
                BundleOf::Namespace(height, rollup) => {
                    let slot = self.parsed(height)?;
                    self.about(height, |sealed| sealed.namespace(&slot.namespaces, rollup))?
                }
                BundleOf::Account(id) => {
                    let state =
                        self.view.read().sealed_state.clone().ok_or_else(|| {
                            ApiError::NotYet("no height is sealed yet".to_owned())
                        })?;
                    self.about_header(&state.header, &state.seal, |sealed| {
                        sealed.account(&state.keystore, &KeystoreId(id))
                    })?
                }
            };
        Ok(bundle.to_bytes())
    }

    fn transaction_bundle(&self, id: &Hash) -> Result<FinalityBundle, ApiError> {
        let Some((height, index)) = self.ordered_place(id)? else {
            return Err(match self.view.find_undecided(id) {
                Some(_) => ApiError::NotYet(format!("transaction {id} is not ordered yet")),
                None => ApiError::NotFound(format!("transaction {id}")),
            });
        };
        let slot = self.parsed(height)?;
        let tx = slot
            .tx(index)
            .filter(|tx| tx.id == *id)
            .ok_or_else(|| ApiError::NotFound(format!("transaction {id}")))?;
        let place = tx.namespace_index.ok_or_else(|| {
            ApiError::NotFound(format!("transaction {id} was skipped at its place"))
        })?;
        self.about(height, |sealed| sealed.transaction(&slot.namespaces, &tx.bytes, place))
    }
}

fn batch_views(slot: &super::slots::ParsedSlot) -> Vec<BatchView> {
    let mut views: Vec<BatchView> = Vec::new();
    let mut txs = slot.txs.iter().peekable();
    for ordered in &slot.record.batches {
        let mut bytes = 0u64;
        while let Some(tx) = txs.next_if(|tx| tx.position == ordered.position) {
            bytes = bytes.saturating_add(u64::try_from(tx.bytes.len()).unwrap_or(0));
        }
        views.push(BatchView {
            lane: ordered.position.lane,
            incarnation: ordered.position.incarnation,
            seq: ordered.position.seq,
            digest: ordered.digest,
            txs: u64::from(ordered.txs),
            bytes,
        });
    }
    views
}
