//! The inbox of Poseidon kind: one link per entry, so that a small circuit takes as many as it has places.
//!
//! A height's entries come in this order: deliveries, then transactions, then a changed configuration. A
//! transaction of another length than the rollup's is no entry: whoever posts it pays for bytes that no circuit
//! has to look at.

use super::chain::{Inbox, InboxOrigin};
use crate::error::Unfit;
use crate::fields::{CHUNK_BYTES, halves, scalar};
use crate::ledger::{Delivery, exit_scalars};
use crate::poseidon::{Compression, INPUTS_MAX};
use rota_types::Hash;

/// Most chunks of a transaction: what one call of Poseidon takes beside the link before and the kind.
pub const ENTRY_CHUNKS_MAX: usize = INPUTS_MAX - 2;

const TRANSACTION: u8 = 1;
const DELIVERY: u8 = 2;
const CONFIG: u8 = 3;

/// What one height adds to an inbox of Poseidon kind.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a> {
    /// Deliveries in their order.
    pub deliveries: &'a [Delivery],
    /// Payloads of the rollup's transactions in slot order.
    pub transactions: &'a [&'a [u8]],
    /// Chunks of 31 bytes that an entry has, 1 to [`ENTRY_CHUNKS_MAX`]; payloads of other lengths are dropped.
    pub entry_chunks: usize,
    /// Hash of a configuration that changed in this height.
    pub changed_config: Option<Hash>,
}

/// First link of Poseidon kind: Poseidon over both halves of [`InboxOrigin::hash`].
#[must_use]
pub fn poseidon_origin(origin: &InboxOrigin) -> Hash {
    Compression::of(2).hash(&halves(&origin.hash()))
}

impl Entries<'_> {
    /// The link after all entries, and how many there are. With P for Poseidon and H for the link before:
    /// - delivery: P(H, 2, kind u8 ‖ source u32 ‖ place u64, the exit's six scalars);
    /// - transaction: P(H, 1, its chunks);
    /// - configuration: P(H, 3, upper half, lower half of its hash).
    #[must_use]
    pub fn after(&self, before: &Hash) -> (Hash, u64) {
        let (mut at, mut count) = (*before, 0u64);
        if !self.deliveries.is_empty() {
            let mut compression = Compression::of(9);
            for delivery in self.deliveries {
                let mut inputs = vec![at.0, scalar(&[DELIVERY]), scalar(&delivery.head())];
                inputs.extend(exit_scalars(&delivery.exit));
                (at, count) = (compression.hash(&inputs), count.saturating_add(1));
            }
        }
        let chunks = self.entry_chunks.clamp(1, ENTRY_CHUNKS_MAX);
        let bytes = chunks.saturating_mul(CHUNK_BYTES);
        let mut compression = Compression::of(chunks.saturating_add(2));
        for payload in self.transactions.iter().filter(|payload| payload.len() == bytes) {
            let mut inputs = vec![at.0, scalar(&[TRANSACTION])];
            inputs.extend(payload.chunks(CHUNK_BYTES).map(scalar));
            (at, count) = (compression.hash(&inputs), count.saturating_add(1));
        }
        if let Some(config) = &self.changed_config {
            let [upper, lower] = halves(config);
            let inputs = [at.0, scalar(&[CONFIG]), upper, lower];
            (at, count) = (Compression::of(4).hash(&inputs), count.saturating_add(1));
        }
        (at, count)
    }
}

impl Inbox {
    /// An inbox of Poseidon kind of a rollup just registered.
    #[must_use]
    pub fn of_entries(origin: &InboxOrigin, genesis_state_root: Hash) -> Self {
        Self::starting(origin.chain_id, poseidon_origin(origin), genesis_state_root)
    }

    /// Appends a height's entries, as [`Self::append`] does a link; a height without any adds no boundary.
    ///
    /// # Errors
    /// [`Unfit::InboxFull`]; nothing is appended then.
    pub fn append_entries(&mut self, entries: &Entries<'_>) -> Result<u64, Unfit> {
        let (cursor, before) = self.tip();
        match entries.after(&before) {
            (_, 0) => Ok(cursor),
            (hash, count) => self.append_boundary(count, hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exits::{Address, BridgeExit, EMPTY_METADATA_HASH, LeafType, NetworkId, TokenInfo};
    use crate::ledger::DeliveryKind;
    use rota_types::RollupId;
    use ruint::aliases::U256;

    fn delivery(place: u64) -> Delivery {
        let exit = BridgeExit {
            leaf_type: LeafType::Transfer,
            token: TokenInfo { origin_network: NetworkId(3), origin_address: Address([1; 20]) },
            destination_network: NetworkId(4),
            destination_address: Address([2; 20]),
            amount: U256::MAX,
            metadata_hash: EMPTY_METADATA_HASH,
        };
        Delivery { kind: DeliveryKind::Exit, source: NetworkId(3), place, exit }
    }

    fn entries<'a>(
        deliveries: &'a [Delivery],
        transactions: &'a [&'a [u8]],
        changed_config: Option<Hash>,
    ) -> Entries<'a> {
        Entries { deliveries, transactions, entry_chunks: 5, changed_config }
    }

    #[test]
    fn entries_of_another_length_are_dropped() {
        let (good, short, long) = ([7u8; 155], [7u8; 154], [7u8; 156]);
        let mixed: [&[u8]; 4] = [&short, &good, &long, &[]];
        let alone: [&[u8]; 1] = [&good];
        let (hash, count) = entries(&[], &mixed, None).after(&Hash::ZERO);
        assert_eq!(count, 1);
        assert_eq!(entries(&[], &alone, None).after(&Hash::ZERO), (hash, 1));
        assert_eq!(entries(&[], &mixed[2..], None).after(&Hash::ZERO), (Hash::ZERO, 0));
    }

    #[test]
    fn one_link_per_entry_in_order_and_each_can_be_done_alone() {
        let (a, b) = ([1u8; 155], [2u8; 155]);
        let (deliveries, transactions) = ([delivery(0), delivery(1)], [&a[..], &b[..]]);
        let config = Some(Hash([9; 32]));
        let (all, count) = entries(&deliveries, &transactions, config).after(&Hash::ZERO);
        assert_eq!(count, 5);
        let mut at = Hash::ZERO;
        for delivery in &deliveries {
            at = entries(std::slice::from_ref(delivery), &[], None).after(&at).0;
        }
        for transaction in &transactions {
            at = entries(&[], &[transaction], None).after(&at).0;
        }
        assert_eq!(entries(&[], &[], config).after(&at).0, all);
        let swapped = [deliveries[1], deliveries[0]];
        assert_ne!(entries(&swapped, &transactions, config).after(&Hash::ZERO).0, all);
    }

    #[test]
    fn a_height_without_entries_leaves_no_boundary() {
        let origin = InboxOrigin {
            chain_id: 7,
            genesis_hash: Hash([5; 32]),
            rollup: RollupId(10),
            network: NetworkId(3),
            config_hash: Hash([6; 32]),
        };
        let mut inbox = Inbox::of_entries(&origin, Hash([1; 32]));
        assert_eq!(inbox.head().inbox, poseidon_origin(&origin));
        assert_eq!(inbox.append_entries(&entries(&[], &[], None)), Ok(0));
        assert_eq!(inbox.append_entries(&entries(&[delivery(0), delivery(1)], &[], None)), Ok(2));
        assert_eq!(inbox.tip().0, 2);
        let other = InboxOrigin { rollup: RollupId(11), ..origin };
        assert_ne!(poseidon_origin(&other), poseidon_origin(&origin));
    }
}
