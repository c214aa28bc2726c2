//! Seeded incompressible transactions, made at the speed of copying.
//!
//! payload = `tag 8 ‖ number u64 LE ‖ random`: the tag names the load, the number the transaction, and the random
//! part is cut from a pool at a place that follows from the number, so that any payload can be made again.

use crate::limits::POOL_BYTES;
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rota_types::{Hash, keccak256};

/// Bytes of tag and number.
const HEAD_BYTES: usize = 16;
/// Odd, so that numbers spread over the pool.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Makes payloads and lists.
#[derive(Clone, Debug)]
pub struct Generator {
    pool: Bytes,
    tag: [u8; 8],
    tx_bytes: usize,
}

impl Generator {
    /// From a seed, and a salt that tells two loads of one seed apart.
    #[must_use]
    pub fn new(seed: u64, salt: u64, tx_bytes: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut pool = vec![0u8; POOL_BYTES];
        rng.fill_bytes(&mut pool);
        let named = [seed.to_le_bytes(), salt.to_le_bytes()].concat();
        let tag = keccak256(&named).prefix_u64().to_le_bytes();
        Self { pool: pool.into(), tag, tx_bytes: tx_bytes.max(HEAD_BYTES) }
    }

    /// Encoded bytes of one transaction.
    #[must_use]
    pub const fn encoded_bytes(&self) -> usize {
        rota_types::limits::TX_OVERHEAD_BYTES.saturating_add(self.tx_bytes)
    }

    /// Payload bytes of one transaction.
    #[must_use]
    pub const fn tx_bytes(&self) -> usize {
        self.tx_bytes
    }

    /// Appends the encoding of transaction `number`.
    fn append(&self, out: &mut Vec<u8>, rollup: u64, valid_until: u64, number: u64) {
        let random = self.tx_bytes.saturating_sub(HEAD_BYTES);
        let room = POOL_BYTES.saturating_sub(random).max(1);
        let room = u64::try_from(room).unwrap_or(1);
        let start = number.wrapping_mul(STEP).checked_rem(room).unwrap_or(0);
        let start = usize::try_from(start).unwrap_or(0);
        out.extend_from_slice(&rollup.to_le_bytes());
        out.extend_from_slice(&valid_until.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.tx_bytes).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.tag);
        out.extend_from_slice(&number.to_le_bytes());
        let end = start.saturating_add(random);
        out.extend_from_slice(self.pool.get(start..end).unwrap_or_default());
    }

    /// An encoded list of transactions `first..first + count`.
    #[must_use]
    pub fn list(&self, rollup: u64, valid_until: u64, first: u64, count: u64) -> Bytes {
        let size = usize::try_from(count).unwrap_or(0).saturating_mul(self.encoded_bytes());
        let mut out = Vec::with_capacity(size.saturating_add(4));
        out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        for number in first..first.saturating_add(count) {
            self.append(&mut out, rollup, valid_until, number);
        }
        out.into()
    }

    /// Id of transaction `number`.
    #[must_use]
    pub fn id(&self, rollup: u64, valid_until: u64, number: u64) -> Hash {
        let mut out = Vec::with_capacity(self.encoded_bytes());
        self.append(&mut out, rollup, valid_until, number);
        keccak256(&out)
    }

    /// The number in a payload's hex, if it is of this load.
    #[must_use]
    pub fn number(&self, payload_hex: &str) -> Option<u64> {
        let head = payload_hex.strip_prefix("0x").unwrap_or(payload_hex).get(..2 * HEAD_BYTES)?;
        let mut bytes = [0u8; HEAD_BYTES];
        hex::decode_to_slice(head, &mut bytes).ok()?;
        let (tag, number) = bytes.split_first_chunk::<8>()?;
        let number = u64::from_le_bytes(number.try_into().ok()?);
        (*tag == self.tag).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::TransactionList;

    #[test]
    fn lists_parse_ids_repeat_and_numbers_come_back() {
        let generator = Generator::new(7, 1, 512);
        let list = generator.list(10, 99, 1_000, 50);
        let parsed = TransactionList::parse(list, 1 << 20).unwrap();
        assert_eq!(parsed.len(), 50);
        for (i, view) in parsed.iter().enumerate() {
            let number = 1_000 + u64::try_from(i).unwrap();
            assert_eq!(view.payload().len(), 512);
            assert_eq!(view.id, generator.id(10, 99, number));
            assert_eq!(generator.number(&hex::encode(view.payload())), Some(number));
        }
        let other = Generator::new(7, 2, 512);
        assert_eq!(other.number(&hex::encode(parsed.get(0).unwrap().payload())), None);
    }

    #[test]
    fn payloads_do_not_repeat_each_other() {
        let generator = Generator::new(7, 1, 64);
        let list = TransactionList::parse(generator.list(10, 9, 0, 500), 1 << 20).unwrap();
        let mut bodies: Vec<_> = list.iter().map(|view| view.payload()[16..].to_vec()).collect();
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), 500);
    }
}
