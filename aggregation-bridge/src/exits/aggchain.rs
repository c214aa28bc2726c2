//! AggLayer's hash of what authorises a network's transitions: a key and its parameters, and signers.

use super::leaf::Address;
use rota_types::Hash;
use rota_types::hash::{keccak256, keccak256_concat};

/// keccak256(threshold u256 big-endian ‖ the signers' addresses, each with twelve zero bytes before it).
#[must_use]
pub fn multisig_hash(threshold: u32, signers: &[Address]) -> Hash {
    let mut bytes = vec![0; 28];
    bytes.extend(threshold.to_be_bytes());
    for signer in signers {
        bytes.extend([0; 12]);
        bytes.extend(signer.0);
    }
    keccak256(&bytes)
}

/// keccak256(1 as u32 big-endian ‖ verification key ‖ parameters ‖ multisig hash): consensus type 1.
#[must_use]
pub fn aggchain_hash(vkey: &Hash, params: &Hash, multisig: &Hash) -> Hash {
    keccak256_concat(&[&1u32.to_be_bytes(), &vkey.0, &params.0, &multisig.0])
}
