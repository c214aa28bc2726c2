//! Keyed hashes in the place of signatures, on threads that ask for them.
//!
//! A tag is keccak256 of public key and digest. Anybody could make one, so a forger is only what a Byzantine role
//! is written to be: it signs with its own keys. One seed in a hundred runs with real signatures instead.

use rota_types::bls::{BlsSignature, SealKey};
use rota_types::hash::keccak256_concat;
use rota_types::stand_in::{StandIn, install};
use rota_types::{Hash, Signature, ValidatorKey};
use std::cell::Cell;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
}

struct Tags;

/// What a run signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// Keyed hashes.
    Tags,
    /// Ed25519 and BLS12-381, as in a real node.
    Real,
}

/// Chooses what this thread signs with from now on.
pub(super) fn choose(signatures: Signatures) {
    // A second installation finds the first one, which is the same.
    install(&Tags);
    ON.set(signatures == Signatures::Tags);
}

impl StandIn for Tags {
    fn is_on(&self) -> bool {
        ON.get()
    }

    fn signature(&self, key: &ValidatorKey, digest: &Hash) -> Signature {
        let tag = keccak256_concat(&[&key.0, &digest.0]);
        let mut bytes = [0; 64];
        for (byte, tag) in bytes.iter_mut().zip(tag.0.iter().cycle()) {
            *byte = *tag;
        }
        Signature(bytes)
    }

    fn seal(&self, key: &SealKey, digest: &Hash) -> BlsSignature {
        let tag = keccak256_concat(&[&key.0, &digest.0]);
        let mut bytes = [0; 48];
        for (byte, tag) in bytes.iter_mut().zip(&tag.0) {
            *byte = *tag;
        }
        BlsSignature(bytes)
    }

    fn sum(&self, seals: &[BlsSignature]) -> BlsSignature {
        let mut sum = [0u8; 48];
        for seal in seals {
            for (byte, part) in sum.iter_mut().zip(&seal.0) {
                *byte = byte.wrapping_add(*part);
            }
        }
        BlsSignature(sum)
    }
}
