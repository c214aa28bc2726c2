//! Prepared keys: what verifying many proofs of one key shares, kept within a limit.

use super::curve::Curve;
use super::groth16::{Key, committed::CommittedKey};
use super::plonk::{GnarkKey, SnarkjsKey};
use super::verdict::Reason;
use crate::limits::PREPARED_KEYS_MAX;
use ark_bls12_381::Bls12_381;
use ark_bn254::Bn254;
use rota_types::{Hash, keccak256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Values by the hash of their bytes, at most [`PREPARED_KEYS_MAX`]; the one least lately used makes room.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    uses: u64,
    values: BTreeMap<Hash, (u64, Arc<T>)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { uses: 0, values: BTreeMap::new() }
    }
}

impl<T> Recent<T> {
    /// The value of these bytes, read once. What cannot be read is not remembered.
    pub(crate) fn of(
        &mut self,
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, Reason>,
    ) -> Result<Arc<T>, Reason> {
        self.uses += 1;
        let id = keccak256(bytes);
        if let Some((used, value)) = self.values.get_mut(&id) {
            *used = self.uses;
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(read(bytes)?);
        if self.values.len() >= PREPARED_KEYS_MAX {
            let oldest = self.values.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.values.remove(&oldest);
            }
        }
        self.values.insert(id, (self.uses, Arc::clone(&value)));
        Ok(value)
    }
}

/// Keys of every system, checked and prepared. One verdict never depends on what is kept here: it
/// only saves work.
#[derive(Debug, Default)]
pub struct PreparedKeys {
    pub(crate) bn254: Recent<Key<Bn254>>,
    pub(crate) bls12_381: Recent<Key<Bls12_381>>,
    pub(crate) committed: Recent<CommittedKey>,
    pub(crate) gnark_bn254: Recent<GnarkKey<Bn254>>,
    pub(crate) gnark_bls12_381: Recent<GnarkKey<Bls12_381>>,
    pub(crate) snarkjs: Recent<SnarkjsKey>,
}

impl PreparedKeys {
    /// Nothing kept yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// A curve whose keys are kept.
pub(crate) trait Kept: Curve {
    /// Where its Plonk keys are.
    fn kept_plonk(keys: &mut PreparedKeys) -> &mut Recent<GnarkKey<Self>>;
    /// Where its Groth16 keys are.
    fn kept(keys: &mut PreparedKeys) -> &mut Recent<Key<Self>>;
}

impl Kept for Bn254 {
    fn kept(keys: &mut PreparedKeys) -> &mut Recent<Key<Self>> {
        &mut keys.bn254
    }

    fn kept_plonk(keys: &mut PreparedKeys) -> &mut Recent<GnarkKey<Self>> {
        &mut keys.gnark_bn254
    }
}

impl Kept for Bls12_381 {
    fn kept(keys: &mut PreparedKeys) -> &mut Recent<Key<Self>> {
        &mut keys.bls12_381
    }

    fn kept_plonk(keys: &mut PreparedKeys) -> &mut Recent<GnarkKey<Self>> {
        &mut keys.gnark_bls12_381
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_lately_used_makes_room() {
        let mut recent = Recent::default();
        let get = |recent: &mut Recent<Vec<u8>>, number: usize| {
            let mut reads = 0;
            let bytes = number.to_be_bytes();
            recent
                .of(&bytes, |bytes| {
                    Ok({
                        reads += 1;
                        bytes.to_vec()
                    })
                })
                .unwrap();
            reads
        };
        for number in 0..PREPARED_KEYS_MAX {
            assert_eq!(get(&mut recent, number), 1);
        }
        assert_eq!(get(&mut recent, 0), 0);
        assert_eq!(get(&mut recent, PREPARED_KEYS_MAX), 1);
        assert_eq!(recent.values.len(), PREPARED_KEYS_MAX);
        assert_eq!(get(&mut recent, 0), 0, "used lately");
        assert_eq!(get(&mut recent, 1), 1, "made room");
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        let mut recent: Recent<()> = Recent::default();
        assert_eq!(recent.of(b"x", |_| Err(Reason::KeyLength)), Err(Reason::KeyLength));
        assert!(recent.values.is_empty());
    }
}
