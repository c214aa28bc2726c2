//! arkworks' canonical encoding of Groth16: compressed or not, counts of eight bytes, little-endian.

use super::{FileError, ProofFile};
use crate::limits::FIELD_INPUTS_MAX;
use crate::verify::System;
use crate::verify::bytes::Reader;
use crate::verify::curve::{Curve, SCALAR_BYTES};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize, Compress, Validate};

/// Reads a key, a proof and inputs.
pub(super) fn read<E: Curve>(
    system: System,
    proof: &[u8],
    key: &[u8],
    inputs: Option<&[u8]>,
) -> Result<ProofFile, FileError> {
    let mut inputs = inputs.ok_or(FileError::NoInputs)?.to_vec();
    if !inputs.len().is_multiple_of(SCALAR_BYTES)
        || inputs.len() > (FIELD_INPUTS_MAX + 1) * SCALAR_BYTES
    {
        return Err(FileError::Length("inputs"));
    }
    inputs.chunks_exact_mut(SCALAR_BYTES).for_each(<[u8]>::reverse);
    Ok(ProofFile {
        system,
        release: 0,
        key: encode_key::<E>(key)?,
        inputs,
        proof: encode_proof::<E>(proof)?,
    })
}

fn encode_proof<E: Curve>(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let mut points = Points { reader: Reader(bytes), compress: Compress::Yes, part: "proof" };
    if bytes.len() == 8 * E::FIELD_BYTES {
        points.compress = Compress::No;
    } else if bytes.len() != 4 * E::FIELD_BYTES {
        return Err(FileError::Length("proof"));
    }
    Ok([points.first::<E>()?, points.second::<E>()?, points.first::<E>()?].concat())
}

fn encode_key<E: Curve>(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let fixed = |width: usize| 7 * width * E::FIELD_BYTES;
    let announced = |width: usize| {
        let count = bytes.get(fixed(width)..)?.first_chunk::<8>()?;
        let count = usize::try_from(u64::from_le_bytes(*count)).ok()?;
        let fits = count <= FIELD_INPUTS_MAX + 2
            && bytes.len() == fixed(width) + 8 + count * width * E::FIELD_BYTES;
        fits.then_some(count)
    };
    let (compress, count) = match (announced(1), announced(2)) {
        (Some(count), _) => (Compress::Yes, count),
        (None, Some(count)) => (Compress::No, count),
        (None, None) => return Err(FileError::Length("key")),
    };
    let mut points = Points { reader: Reader(bytes), compress, part: "key" };
    let mut key = points.first::<E>()?;
    for _ in 0..3 {
        key.extend(points.second::<E>()?);
    }
    points.take(8)?;
    for _ in 0..count {
        key.extend(points.first::<E>()?);
    }
    Ok(key)
}

struct Points<'a> {
    reader: Reader<'a>,
    compress: Compress,
    part: &'static str,
}

impl<'a> Points<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], FileError> {
        self.reader.take(count).ok_or(FileError::Length(self.part))
    }

    /// A point in its one encoding: arkworks itself takes infinity with any coordinates.
    fn point<T: CanonicalDeserialize + CanonicalSerialize>(
        &mut self,
        bytes: usize,
    ) -> Result<T, FileError> {
        let width = if self.compress == Compress::Yes { bytes } else { 2 * bytes };
        let (compress, error) = (self.compress, FileError::Point(self.part));
        let bytes = self.take(width)?;
        let point =
            T::deserialize_with_mode(bytes, compress, Validate::No).map_err(|_| error.clone())?;
        let mut again = Vec::with_capacity(width);
        point.serialize_with_mode(&mut again, compress).map_err(|_| error.clone())?;
        if again == bytes { Ok(point) } else { Err(error) }
    }

    fn first<E: Curve>(&mut self) -> Result<Vec<u8>, FileError> {
        self.point(E::FIELD_BYTES).map(|point| E::g1_bytes(&point))
    }

    fn second<E: Curve>(&mut self) -> Result<Vec<u8>, FileError> {
        self.point(2 * E::FIELD_BYTES).map(|point| E::g2_bytes(&point))
    }
}
