//! A rollup transaction and the list form in which transactions travel and are stored.
//!
//! A list is parsed once: payloads stay slices of the one buffer that came from the stream, and each
//! transaction is hashed once, for its id.

use crate::error::TypesError;
use crate::hash::{Hash, keccak256, keccak256_all};
use crate::ids::{RollupId, Slot};
use crate::limits::{BATCH_TXS_MAX, TX_BYTES_MAX, TX_OVERHEAD_BYTES};
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;

/// keccak256 of a transaction's encoded bytes.
pub type TxId = Hash;

/// A rollup transaction: `rollup u64 LE ‖ valid_until_slot u64 LE ‖ length u32 LE ‖ payload`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// The rollup whose namespace it enters.
    pub rollup: RollupId,
    /// Last slot in which it may be ordered.
    pub valid_until_slot: Slot,
    /// Opaque for all rollups but 0 and 1.
    pub payload: Vec<u8>,
}

impl Transaction {
    /// keccak256 of the encoded bytes.
    #[must_use]
    pub fn id(&self) -> TxId {
        keccak256(&crate::codec::encode(self))
    }
}

/// One transaction inside a [`TransactionList`]: a view, nothing is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxView<'a> {
    /// The rollup.
    pub rollup: RollupId,
    /// Last slot in which it may be ordered.
    pub valid_until_slot: Slot,
    /// keccak256 of `bytes`.
    pub id: TxId,
    /// The whole encoding.
    pub bytes: &'a [u8],
}

impl<'a> TxView<'a> {
    /// The payload part of the encoding.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(TX_OVERHEAD_BYTES..).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    start: u32,
    end: u32,
    rollup: RollupId,
    valid_until_slot: Slot,
    id: TxId,
}

/// A parsed list of transactions: `count u32 LE ‖ transactions`, the form of batch bodies, gossip
/// bundles and raw submissions. Equal to borsh of `Vec<Transaction>`.
#[derive(Clone, PartialEq, Eq)]
pub struct TransactionList {
    bytes: Bytes,
    entries: Vec<Entry>,
}

impl std::fmt::Debug for TransactionList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TransactionList({} txs, {} bytes)", self.entries.len(), self.bytes.len())
    }
}

impl TransactionList {
    /// Parses and hashes at most `bytes_max` bytes. Well-formed means: every length fits, every
    /// transaction is at most [`TX_BYTES_MAX`], nothing is left over, and there is at least one.
    ///
    /// # Errors
    /// A [`TypesError`] for the first rule broken; nothing is allocated by a claimed count alone.
    pub fn parse(bytes: Bytes, bytes_max: usize) -> Result<Self, TypesError> {
        if bytes.len() > bytes_max {
            return Err(TypesError::TooLarge { limit: bytes_max, found: bytes.len() });
        }
        let mut cursor = Cursor { bytes: &bytes, at: 0 };
        let count = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
        if count > BATCH_TXS_MAX {
            return Err(TypesError::TooMany {
                what: "transactions",
                limit: BATCH_TXS_MAX,
                found: count,
            });
        }
        if count == 0 {
            return Err(TypesError::Undecodable { reason: "an empty list".into() });
        }
        let mut entries = Vec::with_capacity(count.min(bytes.len() / TX_OVERHEAD_BYTES));
        for _ in 0..count {
            entries.push(cursor.transaction()?);
        }
        let left = bytes.len().saturating_sub(cursor.at);
        if left != 0 {
            return Err(TypesError::TrailingBytes { count: left });
        }
        let mut list = Self { bytes, entries };
        let encodings: Vec<&[u8]> = list.entries.iter().map(|entry| list.encoding(entry)).collect();
        let ids = keccak256_all(&encodings);
        for (entry, id) in list.entries.iter_mut().zip(ids) {
            entry.id = id;
        }
        Ok(list)
    }

    /// Builds a list from encoded transactions, each of which must itself be one transaction.
    ///
    /// # Errors
    /// As [`Self::parse`] of the result.
    pub fn from_encoded<'a>(
        transactions: impl IntoIterator<Item = &'a [u8]>,
        bytes_max: usize,
    ) -> Result<Self, TypesError> {
        let mut bytes = vec![0u8; 4];
        let mut count = 0u32;
        for transaction in transactions {
            bytes.extend_from_slice(transaction);
            count = count.saturating_add(1);
        }
        if let Some(head) = bytes.first_chunk_mut::<4>() {
            *head = count.to_le_bytes();
        }
        Self::parse(bytes.into(), bytes_max)
    }

    /// Joins lists behind `prefix` into one buffer: each byte is copied once and nothing is hashed again.
    /// Gives the whole buffer, `prefix ‖ list`, and the list as a part of it.
    ///
    /// # Errors
    /// [`TypesError::TooLarge`] or [`TypesError::TooMany`] when the joined list breaks a limit of
    /// [`Self::parse`], [`TypesError::Undecodable`] when there is nothing to join.
    pub fn concat(
        prefix: &[u8],
        lists: &[&Self],
        bytes_max: usize,
    ) -> Result<(Bytes, Self), TypesError> {
        let count: usize = lists.iter().map(|list| list.len()).sum();
        let length: usize = lists.iter().map(|list| list.bytes.len().saturating_sub(4)).sum();
        let found = length.saturating_add(4);
        if found > bytes_max {
            return Err(TypesError::TooLarge { limit: bytes_max, found });
        }
        let (limit, what) = (BATCH_TXS_MAX, "transactions");
        let head = u32::try_from(count).ok().filter(|_| count <= limit);
        let head = head.ok_or(TypesError::TooMany { what, limit, found: count })?;
        if count == 0 {
            return Err(TypesError::Undecodable { reason: "an empty list".into() });
        }
        let mut buffer = Vec::with_capacity(prefix.len().saturating_add(found));
        buffer.extend_from_slice(prefix);
        buffer.extend_from_slice(&head.to_le_bytes());
        let mut entries = Vec::with_capacity(count);
        for list in lists {
            let at = buffer.len().saturating_sub(prefix.len());
            // The first transaction of every list stands behind its count of four bytes.
            let shift = u32::try_from(at.saturating_sub(4))
                .map_err(|_| TypesError::TooLarge { limit: bytes_max, found })?;
            entries.extend(list.entries.iter().map(|entry| Entry {
                start: entry.start.saturating_add(shift),
                end: entry.end.saturating_add(shift),
                ..*entry
            }));
            buffer.extend_from_slice(list.bytes.get(4..).unwrap_or_default());
        }
        let buffer = Bytes::from(buffer);
        let bytes = buffer.slice(prefix.len()..);
        Ok((buffer, Self { bytes, entries }))
    }

    /// The transactions at `indices`, in that order, copied into a list of their own without hashing
    /// them again; `None` if there are none or an index is past the end.
    #[must_use]
    pub fn pick(&self, indices: &[usize]) -> Option<Self> {
        let head = u32::try_from(indices.len()).ok().filter(|count| *count > 0)?;
        let mut buffer = head.to_le_bytes().to_vec();
        let mut entries = Vec::with_capacity(indices.len());
        for index in indices {
            let entry = self.entries.get(*index)?;
            let start = u32::try_from(buffer.len()).ok()?;
            buffer.extend_from_slice(self.bytes.get(range(entry))?);
            entries.push(Entry { start, end: u32::try_from(buffer.len()).ok()?, ..*entry });
        }
        Some(Self { bytes: buffer.into(), entries })
    }

    /// Number of transactions, at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never true for a parsed list; here because `len` is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The encoded list.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Bytes of the transactions themselves, without the count.
    #[must_use]
    pub fn tx_bytes(&self) -> u64 {
        u64::try_from(self.bytes.len().saturating_sub(4)).unwrap_or(u64::MAX)
    }

    /// The transaction at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<TxView<'_>> {
        self.entries.get(index).map(|entry| self.view(entry))
    }

    /// The transaction at `index` as a slice that shares this list's buffer.
    #[must_use]
    pub fn slice(&self, index: usize) -> Option<Bytes> {
        let entry = self.entries.get(index)?;
        Some(self.bytes.slice(range(entry)))
    }

    /// All transactions in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = TxView<'_>> {
        self.entries.iter().map(|entry| self.view(entry))
    }

    /// All ids in order.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = TxId> + '_ {
        self.entries.iter().map(|entry| entry.id)
    }

    fn view(&self, entry: &Entry) -> TxView<'_> {
        TxView {
            rollup: entry.rollup,
            valid_until_slot: entry.valid_until_slot,
            id: entry.id,
            bytes: self.encoding(entry),
        }
    }

    fn encoding(&self, entry: &Entry) -> &[u8] {
        self.bytes.get(range(entry)).unwrap_or_default()
    }
}

fn range(entry: &Entry) -> std::ops::Range<usize> {
    let at = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    at(entry.start)..at(entry.end)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], TypesError> {
        let end = self.at.saturating_add(N);
        let slice = self.bytes.get(self.at..end).and_then(|s| s.try_into().ok());
        self.at = end;
        slice.ok_or_else(|| TypesError::Undecodable { reason: "a list that ends early".into() })
    }

    fn u32(&mut self) -> Result<u32, TypesError> {
        self.take().map(u32::from_le_bytes)
    }

    /// Where the next transaction stands; its id is for the caller, who hashes all of them together.
    fn transaction(&mut self) -> Result<Entry, TypesError> {
        let start = self.at;
        let rollup = RollupId(u64::from_le_bytes(self.take()?));
        let valid_until_slot = Slot(u64::from_le_bytes(self.take()?));
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        let found = length.saturating_add(TX_OVERHEAD_BYTES);
        if found > TX_BYTES_MAX {
            return Err(TypesError::TooLarge { limit: TX_BYTES_MAX, found });
        }
        let end = start.saturating_add(found);
        if end > self.bytes.len() {
            return Err(TypesError::Undecodable { reason: "a payload that ends early".into() });
        }
        self.at = end;
        let at = |n: usize| {
            u32::try_from(n)
                .map_err(|_| TypesError::TooLarge { limit: u32::MAX as usize, found: n })
        };
        Ok(Entry { start: at(start)?, end: at(end)?, rollup, valid_until_slot, id: Hash::ZERO })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;

    fn tx(rollup: u64, payload: &[u8]) -> Transaction {
        Transaction {
            rollup: RollupId(rollup),
            valid_until_slot: Slot(9),
            payload: payload.to_vec(),
        }
    }

    #[test]
    fn a_list_is_the_borsh_of_a_vec_and_views_agree() {
        let all = vec![tx(10, b"hello"), tx(11, b""), tx(12, &[7; 300])];
        let list = TransactionList::parse(encode(&all).into(), 4096).unwrap();
        assert_eq!(list.len(), 3);
        for (view, tx) in list.iter().zip(&all) {
            assert_eq!(view.id, tx.id());
            assert_eq!(view.payload(), &tx.payload[..]);
            assert_eq!(view.rollup, tx.rollup);
        }
        let again = TransactionList::from_encoded(list.iter().map(|v| v.bytes), 4096).unwrap();
        assert_eq!(again, list);
    }

    #[test]
    fn joined_and_picked_lists_equal_parsed_ones() {
        let (a, b) = (vec![tx(10, b"hello"), tx(11, b"")], vec![tx(12, &[7; 300])]);
        let parse = |txs: &Vec<Transaction>| TransactionList::parse(encode(txs).into(), 4096);
        let (one, two) = (parse(&a).unwrap(), parse(&b).unwrap());
        let whole = parse(&[a, b].concat()).unwrap();
        let (buffer, joined) = TransactionList::concat(b"head", &[&one, &two], 4096).unwrap();
        assert_eq!(joined, whole);
        assert_eq!(buffer, [b"head".to_vec(), whole.bytes().to_vec()].concat());
        assert_eq!(whole.pick(&[0, 1]).unwrap(), one);
        assert_eq!(whole.pick(&[2]).unwrap(), two);
        assert!(whole.pick(&[]).is_none() && whole.pick(&[3]).is_none());
        assert!(TransactionList::concat(b"", &[], 4096).is_err());
        let limit = whole.bytes().len();
        assert!(TransactionList::concat(b"", &[&one, &two], limit).is_ok());
        assert!(TransactionList::concat(b"", &[&one, &two], limit - 1).is_err());
    }

    #[test]
    fn every_cut_and_every_surplus_byte_is_refused() {
        let bytes = encode(&vec![tx(10, b"hello"), tx(11, b"x")]);
        for cut in 0..bytes.len() {
            assert!(TransactionList::parse(bytes[..cut].to_vec().into(), 4096).is_err(), "{cut}");
        }
        let mut more = bytes.clone();
        more.push(0);
        assert_eq!(
            TransactionList::parse(more.into(), 4096),
            Err(TypesError::TrailingBytes { count: 1 })
        );
        assert!(TransactionList::parse(bytes.into(), 8).is_err());
    }

    #[test]
    fn a_claimed_count_allocates_nothing() {
        let bytes = u32::MAX.to_le_bytes().to_vec();
        assert!(matches!(
            TransactionList::parse(bytes.into(), 4096),
            Err(TypesError::TooMany { .. })
        ));
    }

    #[test]
    fn oversize_is_refused_by_its_length_field() {
        let list = encode(&vec![tx(10, &vec![0; TX_BYTES_MAX])]);
        assert!(matches!(
            TransactionList::parse(list.into(), 1 << 20),
            Err(TypesError::TooLarge { limit: TX_BYTES_MAX, .. })
        ));
    }
}
