//! Reading a slot from its record and its batches: every transaction at its place, with what became of it.

use super::namespaces::SlotNamespaces;
use super::record::ExecutedRecord;
use crate::batch::Batch;
use crate::order::count;
use bytes::Bytes;
use rota_types::limits::TX_OVERHEAD_BYTES;
use rota_types::namespace::Namespaces;
use rota_types::{LanePosition, RefusalCode, RollupId, Slot, TxId, TypesError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A transaction of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedTx {
    /// Slot index.
    pub index: u32,
    /// Its rollup.
    pub rollup: RollupId,
    /// Last slot in which it may be ordered.
    pub valid_until_slot: Slot,
    /// Index among its rollup's transactions of the slot; `None` if it was skipped.
    pub namespace_index: Option<u64>,
    /// Its id.
    pub id: TxId,
    /// The batch that holds it.
    pub position: LanePosition,
    /// Index in the batch.
    pub batch_index: u32,
    /// Its encoding, a slice of the batch's buffer.
    pub bytes: Bytes,
    /// The code it was skipped with, if it was.
    pub skipped: Option<RefusalCode>,
}

impl OrderedTx {
    /// The payload, a slice of the batch's buffer.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(TX_OVERHEAD_BYTES.min(self.bytes.len())..)
    }
}

/// All transactions of a slot in order, skipped ones among them. `batches` are those of `record.batches`, in that order.
///
/// # Errors
/// [`TypesError::Mismatch`] if the batches are not the record's.
pub fn locate<'a>(
    record: &'a ExecutedRecord,
    batches: &'a [Arc<Batch>],
) -> Result<impl Iterator<Item = OrderedTx> + 'a, TypesError> {
    let same = record.batches.len() == batches.len()
        && record.batches.iter().zip(batches).all(|(ordered, batch)| {
            ordered.digest == batch.digest() && count(batch.body().len()) == u64::from(ordered.txs)
        });
    if !same {
        return Err(TypesError::Mismatch { what: "batches of a slot record" });
    }
    let mut skips = record.skips.iter().copied().peekable();
    let mut counts: BTreeMap<RollupId, u64> = BTreeMap::new();
    let all = batches.iter().flat_map(|batch| {
        (0u32..).zip(batch.body().iter()).map(move |(batch_index, view)| (batch, batch_index, view))
    });
    Ok((0u32..).zip(all).map(move |(index, (batch, batch_index, view))| {
        let skipped = skips.next_if(|(at, _)| *at == index).map(|(_, code)| code);
        let namespace_index = skipped.is_none().then(|| {
            let next = counts.entry(view.rollup).or_insert(0);
            let this = *next;
            *next = this.saturating_add(1);
            this
        });
        OrderedTx {
            index,
            rollup: view.rollup,
            valid_until_slot: view.valid_until_slot,
            namespace_index,
            id: view.id,
            position: batch.position(),
            batch_index,
            bytes: batch.body().bytes().slice_ref(view.bytes),
            skipped,
        }
    }))
}

/// The slot's namespaces, as its execution made them.
///
/// # Errors
/// As [`locate`].
pub fn namespaces_of(
    record: &ExecutedRecord,
    batches: &[Arc<Batch>],
) -> Result<SlotNamespaces, TypesError> {
    let mut namespaces = Namespaces::default();
    for tx in locate(record, batches)?.filter(|tx| tx.skipped.is_none()) {
        namespaces.push(tx.rollup, tx.id, count(tx.bytes.len()));
    }
    Ok(SlotNamespaces::new(namespaces))
}
