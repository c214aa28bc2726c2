//! Decided slots read back from the ledger: records, batches, every transaction at its place.

use crate::api::ApiError;
use crate::ledger::{LedgerError, LedgerReader};
use crate::limits::PARSED_SLOTS_MAX;
use rota_sequencer::Batch;
use rota_sequencer::execution::{
    DecidedRecord, DecidedSlot, ExecutedRecord, OrderedTx, SlotNamespaces, locate, namespaces_of,
};
use rota_types::codec::decode;
use rota_types::{Hash, Height, RollupId, SealedHeader, TypesError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a slot cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SlotError {
    /// The ledger's fault.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A record that is not what it should be.
    #[error("height {height}: {error}")]
    Record { height: Height, error: TypesError },
    /// Not kept, or not decided yet.
    #[error("height {0} is not in the ledger")]
    Absent(Height),
}

impl From<SlotError> for ApiError {
    fn from(error: SlotError) -> Self {
        match error {
            SlotError::Absent(height) => Self::NotFound(format!("height {height}")),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// An executed slot with its transactions; payloads are slices of the batches.
pub(super) struct ParsedSlot {
    pub(super) record: ExecutedRecord,
    pub(super) namespaces: SlotNamespaces,
    pub(super) txs: Vec<OrderedTx>,
    /// Indices into `txs` of each rollup's transactions, in namespace order.
    by_rollup: BTreeMap<RollupId, Vec<u32>>,
}

impl ParsedSlot {
    fn of(record: ExecutedRecord, batches: &[Arc<Batch>]) -> Result<Self, TypesError> {
        let txs: Vec<OrderedTx> = locate(&record, batches)?.collect();
        let namespaces = namespaces_of(&record, batches)?;
        let mut by_rollup: BTreeMap<RollupId, Vec<u32>> = BTreeMap::new();
        for tx in txs.iter().filter(|tx| tx.skipped.is_none()) {
            by_rollup.entry(tx.rollup).or_default().push(tx.index);
        }
        Ok(Self { record, namespaces, txs, by_rollup })
    }

    /// The transaction at a slot index.
    pub(super) fn tx(&self, index: u32) -> Option<&OrderedTx> {
        self.txs.get(usize::try_from(index).ok()?)
    }

    /// The rollup's transactions from a namespace index on.
    pub(super) fn rollup_from(
        &self,
        rollup: RollupId,
        from: u64,
    ) -> impl Iterator<Item = &OrderedTx> {
        let all = self.by_rollup.get(&rollup).map_or(&[][..], Vec::as_slice);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        all.get(from..).unwrap_or_default().iter().filter_map(|index| self.tx(*index))
    }

    /// Number of the rollup's transactions.
    pub(super) fn count(&self, rollup: RollupId) -> u64 {
        let count = self.by_rollup.get(&rollup).map_or(0, Vec::len);
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

/// Reads slots; keeps the newest few that were asked for.
pub(super) struct Slots {
    chain_id: u64,
    ledger: LedgerReader,
    parsed: Mutex<VecDeque<(Height, Arc<ParsedSlot>)>>,
    parsing: Mutex<()>,
}

impl Slots {
    pub(super) const fn new(chain_id: u64, ledger: LedgerReader) -> Self {
        Self { chain_id, ledger, parsed: Mutex::new(VecDeque::new()), parsing: Mutex::new(()) }
    }

    pub(super) const fn ledger(&self) -> &LedgerReader {
        &self.ledger
    }

    /// The decision of a height.
    pub(super) fn decided(&self, height: Height) -> Result<DecidedRecord, SlotError> {
        let stored = self.ledger.slot(height)?.ok_or(SlotError::Absent(height))?;
        DecidedRecord::from_bytes(&stored.bytes)
            .map_err(|error| SlotError::Record { height, error })
    }

    /// The outcome of a height.
    pub(super) fn executed(&self, height: Height) -> Result<ExecutedRecord, SlotError> {
        let bytes = self.ledger.header(height)?.ok_or(SlotError::Absent(height))?;
        ExecutedRecord::from_bytes(&bytes).map_err(|error| SlotError::Record { height, error })
    }

    /// Header and seal of a height, if it is sealed here.
    pub(super) fn sealed(&self, height: Height) -> Result<Option<SealedHeader>, SlotError> {
        let Some(bytes) = self.ledger.seal(height)? else { return Ok(None) };
        decode(&bytes, bytes.len()).map(Some).map_err(|error| SlotError::Record { height, error })
    }

    /// All batches of a height by digest.
    fn batches(&self, height: Height) -> Result<BTreeMap<Hash, Arc<Batch>>, SlotError> {
        let stored = self.ledger.slot(height)?.ok_or(SlotError::Absent(height))?;
        let mut batches = BTreeMap::new();
        for location in stored.batches {
            let frame = self.ledger.batch_at(location)?.frame;
            let batch = Batch::from_stored(self.chain_id, frame)
                .map_err(|error| SlotError::Record { height, error })?;
            batches.insert(batch.digest(), Arc::new(batch));
        }
        Ok(batches)
    }

    /// A decided slot with its bodies, for execution.
    pub(super) fn decided_slot(&self, height: Height) -> Result<DecidedSlot, SlotError> {
        let record = self.decided(height)?;
        let batches = self.batches(height)?;
        record.with_batches(|digest| batches.get(digest).cloned()).ok_or(SlotError::Absent(height))
    }

    /// An executed slot with every transaction at its place.
    pub(super) fn parsed(&self, height: Height) -> Result<Arc<ParsedSlot>, SlotError> {
        let lock = || self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = lock().iter().find(|(kept, _)| *kept == height) {
            return Ok(Arc::clone(slot));
        }
        // One slot is parsed at a time: a burst of strangers' questions must not hold many slots in memory.
        let _one = self.parsing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = lock().iter().find(|(kept, _)| *kept == height) {
            return Ok(Arc::clone(slot));
        }
        let record = self.executed(height)?;
        let by_digest = self.batches(height)?;
        let batches: Vec<Arc<Batch>> = record
            .batches
            .iter()
            .filter_map(|ordered| by_digest.get(&ordered.digest).cloned())
            .collect();
        let parsed = ParsedSlot::of(record, &batches)
            .map_err(|error| SlotError::Record { height, error })?;
        let parsed = Arc::new(parsed);
        let mut kept = lock();
        kept.push_back((height, Arc::clone(&parsed)));
        while kept.len() > PARSED_SLOTS_MAX {
            kept.pop_front();
        }
        Ok(parsed)
    }
}
