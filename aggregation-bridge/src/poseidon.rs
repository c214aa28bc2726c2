//! Poseidon over the scalars of BN254, with circomlib's parameters: the hash of inboxes and exits that a
//! hand-written circuit follows.

use ark_bn254::Fr;
use light_poseidon::{Poseidon, PoseidonBytesHasher};
use rota_types::Hash;

/// Most inputs of one call: the widest of circomlib's parameters that the library has.
pub(crate) const INPUTS_MAX: usize = 12;

/// The hash for a fixed number of inputs; making one costs as much as a few calls, so lists share it.
pub(crate) struct Compression(Poseidon<Fr>);

impl Compression {
    /// For `inputs` scalars, 1 to [`INPUTS_MAX`].
    pub(crate) fn of(inputs: usize) -> Self {
        Self(Poseidon::<Fr>::new_circom(inputs).expect("callers hash 1 to 12 scalars"))
    }

    /// Hash of scalars, each 32 bytes big-endian and below the modulus: chunks, and results of this function.
    pub(crate) fn hash(&mut self, inputs: &[[u8; 32]]) -> Hash {
        let inputs: Vec<&[u8]> = inputs.iter().map(|input| &input[..]).collect();
        Hash(
            self.0
                .hash_bytes_be(&inputs)
                .expect("callers pass that many scalars below the modulus"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::scalar;

    /// circomlibjs, test/poseidon.js: poseidon([1, 2]) and poseidon([1, 2, 3, 4]).
    #[test]
    fn results_are_those_of_circomlib() {
        let hash = |inputs: &[u8]| {
            let scalars: Vec<_> = inputs.iter().map(|n| scalar(&[*n])).collect();
            Compression::of(inputs.len()).hash(&scalars).to_string()
        };
        let two = "115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a";
        let four = "299c867db6c1fdd79dcefa40e4510b9837e60ebb1ce0663dbaa525df65250465";
        assert_eq!(hash(&[1, 2]), two);
        assert_eq!(hash(&[1, 2, 3, 4]), four);
    }
}
