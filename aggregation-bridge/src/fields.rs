//! Fixed-width fields of packed layouts, and bytes as scalars of a circuit.

use rota_types::Hash;

/// Bytes that fit a scalar of BN254 and BLS12-381 whatever they are.
pub(crate) const CHUNK_BYTES: usize = 31;

/// The bytes not read yet. The widths that a layout's reader takes add up to the array it was made from.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) const fn of<const N: usize>(bytes: &'a [u8; N]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) =
            self.0.split_first_chunk::<N>().expect("the widths of a layout add up to its length");
        self.0 = rest;
        *field
    }
}

/// At most [`CHUNK_BYTES`] bytes as a scalar: zeros in front.
pub(crate) fn scalar(bytes: &[u8]) -> [u8; 32] {
    debug_assert!(bytes.len() <= CHUNK_BYTES, "more may exceed the modulus");
    let mut scalar = [0; 32];
    for (to, from) in scalar.iter_mut().rev().zip(bytes.iter().rev()) {
        *to = *from;
    }
    scalar
}

/// Both halves of a hash as scalars, the upper one first.
pub(crate) fn halves(hash: &Hash) -> [[u8; 32]; 2] {
    let (upper, lower) = hash.0.split_at(16);
    [scalar(upper), scalar(lower)]
}
