//! Layout of ledger records: a fixed or counted head, then the bytes as they were given.
//!
//! ```text
//! batch  = lane 32 ‖ incarnation u32 ‖ seq u64 ‖ digest 32 ‖ header length u32 ‖ signed header ‖ body
//! slot   = height u64 ‖ count u32 ‖ (segment u32 ‖ offset u32 ‖ length u32)* ‖ bytes
//! part of a checkpoint = height u64 ‖ index u32 ‖ count u32 ‖ digest 32 ‖ bytes
//! others = height u64 ‖ bytes
//! context of a segment = number u32 ‖ genesis hash 32
//! ```
//! Numbers are little-endian (borsh). A part's digest is over the one before it and its own bytes, so that the last
//! speaks for all.

use crate::limits::CHECKPOINT_PARTS_MAX;
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use rota_types::hash::keccak256_concat;
use rota_types::{Hash, Height, Incarnation, Seq, ValidatorKey};

/// What a ledger record is. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    /// Signed header and body of a batch.
    Batch = 2,
    /// A decided slot.
    Slot = 3,
    /// The header execution made of a slot.
    Header = 4,
    /// The aggregate seal of a header.
    Seal = 5,
    /// A part of the state after a height, to restart from.
    Checkpoint = 6,
}

impl Kind {
    pub(super) const fn from_u8(number: u8) -> Option<Self> {
        match number {
            2 => Some(Self::Batch),
            3 => Some(Self::Slot),
            4 => Some(Self::Header),
            5 => Some(Self::Seal),
            6 => Some(Self::Checkpoint),
            _ => None,
        }
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Batch => 2,
            Self::Slot => 3,
            Self::Header => 4,
            Self::Seal => 5,
            Self::Checkpoint => 6,
        }
    }
}

/// Place of a record: segment, frame offset, payload length. Stays valid until the segment is pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Location {
    /// Number of the segment.
    pub segment: u32,
    /// Offset of the record's frame in it, bytes.
    pub offset: u32,
    /// Length of the record, bytes.
    pub length: u32,
}

/// Names one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct BatchKey {
    /// Author.
    pub lane: ValidatorKey,
    /// Generation of the lane.
    pub incarnation: Incarnation,
    /// Number in the lane.
    pub seq: Seq,
    /// Digest of the header.
    pub digest: Hash,
}

/// Bytes of an encoded [`BatchKey`] with the header length behind it.
const BATCH_HEAD_BYTES: usize = 32 + 4 + 8 + 32 + 4;

fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing numbers and hashes to a Vec cannot fail")
}

pub(super) fn batch_head(key: &BatchKey, header_bytes: usize) -> Vec<u8> {
    let mut head = encode(key);
    head.extend_from_slice(&u32::try_from(header_bytes).unwrap_or(u32::MAX).to_le_bytes());
    head
}

/// Splits a batch record into its name, the signed header's length, and header and body in one slice.
pub(super) fn split_batch(payload: &Bytes) -> Option<(BatchKey, usize, Bytes)> {
    let (head, rest) = payload.split_at_checked(BATCH_HEAD_BYTES)?;
    let (key, header_bytes) = head.split_last_chunk::<4>()?;
    let key = BatchKey::try_from_slice(key).ok()?;
    let header_bytes = usize::try_from(u32::from_le_bytes(*header_bytes)).ok()?;
    if header_bytes > rest.len() {
        return None;
    }
    Some((key, header_bytes, payload.slice(BATCH_HEAD_BYTES..)))
}

pub(super) fn slot_head(height: Height, batches: &[Location]) -> Vec<u8> {
    let mut head = encode(&height);
    head.extend_from_slice(&u32::try_from(batches.len()).unwrap_or(u32::MAX).to_le_bytes());
    for location in batches {
        head.extend_from_slice(&encode(location));
    }
    head
}

/// Splits a slot record into height, places of its batches and bytes.
pub(super) fn split_slot(payload: &Bytes) -> Option<(Height, Vec<Location>, Bytes)> {
    let mut rest: &[u8] = payload;
    let height = Height::deserialize(&mut rest).ok()?;
    let count = usize::try_from(u32::deserialize(&mut rest).ok()?).ok()?;
    if count.checked_mul(12)? > rest.len() {
        return None;
    }
    let mut batches = Vec::with_capacity(count);
    for _ in 0..count {
        batches.push(Location::deserialize(&mut rest).ok()?);
    }
    let start = payload.len().checked_sub(rest.len())?;
    Some((height, batches, payload.slice(start..)))
}

/// Head of one part of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct PartHead {
    pub(super) height: Height,
    /// Which part, from 0.
    pub(super) index: u32,
    /// Of how many, at most [`CHECKPOINT_PARTS_MAX`].
    pub(super) count: u32,
    /// See [`part_digest`].
    pub(super) digest: Hash,
}

/// Bytes of an encoded [`PartHead`].
const PART_HEAD_BYTES: usize = 8 + 4 + 4 + 32;

/// Digest of a part: over that of the one before it (zero for the first) and its bytes.
pub(super) fn part_digest(before: &Hash, bytes: &[u8]) -> Hash {
    keccak256_concat(&[&before.0, bytes])
}

pub(super) fn part_head(head: &PartHead) -> Vec<u8> {
    encode(head)
}

/// Splits a part of a checkpoint into its head and bytes.
pub(super) fn split_part(payload: &Bytes) -> Option<(PartHead, Bytes)> {
    let (head, _) = payload.split_at_checked(PART_HEAD_BYTES)?;
    let head = PartHead::try_from_slice(head).ok()?;
    let fits = head.index < head.count && head.count <= CHECKPOINT_PARTS_MAX;
    fits.then(|| (head, payload.slice(PART_HEAD_BYTES..)))
}

/// Splits any other record into height and bytes.
pub(super) fn split_height(payload: &Bytes) -> Option<(Height, Bytes)> {
    let (height, _) = payload.split_first_chunk::<8>()?;
    Some((Height(u64::from_le_bytes(*height)), payload.slice(8..)))
}

pub(super) fn segment_context(number: u32, genesis: &Hash) -> Vec<u8> {
    encode(&(number, *genesis))
}

pub(super) fn split_context(context: &[u8]) -> Option<(u32, Hash)> {
    <(u32, Hash)>::try_from_slice(context).ok()
}

pub(super) fn segment_name(number: u32) -> String {
    format!("{number:08}.seg")
}

pub(super) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 8).then(|| digits.parse().ok()).flatten()
}
