//! gnark's binary files: compressed points, counts of four bytes, big-endian.
//!
//! Source: `marshal.go` of gnark's backends and gnark-crypto's encodings of points.

use super::{FileError, ProofFile, gnark_json};
use crate::limits::{COMMITTED_INPUTS_MAX, FIELD_INPUTS_MAX, PLONK_COMMITMENTS_MAX};
use crate::verify::System;
use crate::verify::bytes::Reader;
use crate::verify::curve::{Curve, SCALAR_BYTES};
use ark_bn254::Bn254;

/// How commitments are hashed, as a key of [`System::Groth16Bn254Committed`] says it.
pub(super) const SHA256: u8 = 1;
/// As above.
pub(super) const KECCAK256: u8 = 2;

/// A key and a proof in the form of [`System::Groth16Bn254`], and what a commitment adds.
pub(super) struct Groth16Parts {
    pub(super) key: Vec<u8>,
    pub(super) proof: Vec<u8>,
    pub(super) pedersen: Pedersen,
}

/// What a commitment adds.
pub(super) struct Pedersen {
    /// The points paired with the commitment and with the proof of knowledge.
    pub(super) pair: Vec<u8>,
    /// Of each commitment the public inputs it covers, counted from 1.
    pub(super) covered: Vec<Vec<u16>>,
    pub(super) commitments: Vec<Vec<u8>>,
    pub(super) knowledge: Vec<u8>,
}

/// Reads Groth16 on BN254, binary or JSON.
pub(super) fn groth16(
    proof: &[u8],
    key: &[u8],
    inputs: Option<&[u8]>,
    hash: u8,
) -> Result<ProofFile, FileError> {
    let text = |bytes: &[u8]| bytes.iter().find(|byte| !byte.is_ascii_whitespace()).copied();
    let inputs = inputs.ok_or(FileError::NoInputs)?;
    let inputs = match text(inputs) {
        Some(b'[') => gnark_json::inputs(inputs)?,
        _ => witness(inputs)?,
    };
    let parts = match (text(proof), text(key)) {
        (Some(b'{'), Some(b'{')) => gnark_json::parts(proof, key)?,
        _ => binary(proof, key)?,
    };
    let pedersen = parts.pedersen;
    match (pedersen.covered.as_slice(), pedersen.commitments.as_slice()) {
        ([], []) => Ok(ProofFile {
            system: System::Groth16Bn254,
            release: 0,
            key: parts.key,
            inputs,
            proof: parts.proof,
        }),
        ([covered], [commitment]) => {
            let mut key = vec![hash];
            key.extend(pedersen.pair);
            let count = u16::try_from(covered.len()).map_err(|_| FileError::Length("key"))?;
            key.extend(count.to_be_bytes());
            for index in covered {
                let index = index.checked_sub(1).ok_or(FileError::Length("key"))?;
                key.extend(index.to_be_bytes());
            }
            key.extend(parts.key);
            Ok(ProofFile {
                system: System::Groth16Bn254Committed,
                release: 0,
                key,
                inputs,
                proof: [parts.proof, commitment.clone(), pedersen.knowledge].concat(),
            })
        }
        ([_], _) | (_, [_]) => Err(FileError::Length("proof")),
        _ => Err(FileError::Unsupported("gnark Groth16 with several commitments")),
    }
}

/// Reads points and counts of one file.
struct Pieces<'a> {
    reader: Reader<'a>,
    part: &'static str,
}

impl<'a> Pieces<'a> {
    const fn new(part: &'static str, bytes: &'a [u8]) -> Self {
        Self { reader: Reader(bytes), part }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], FileError> {
        self.reader.take(count).ok_or(FileError::Length(self.part))
    }

    /// A count of at most `most`.
    fn count(&mut self, most: usize) -> Result<usize, FileError> {
        let count = self.reader.u32().ok_or(FileError::Length(self.part))?;
        let count = usize::try_from(count).ok().filter(|count| *count <= most);
        count.ok_or(FileError::Length(self.part))
    }

    fn first<E: Curve>(&mut self) -> Result<Vec<u8>, FileError> {
        E::g1_of_gnark(self.take(E::FIELD_BYTES)?).ok_or(FileError::Point(self.part))
    }

    fn second<E: Curve>(&mut self) -> Result<Vec<u8>, FileError> {
        E::g2_of_gnark(self.take(2 * E::FIELD_BYTES)?).ok_or(FileError::Point(self.part))
    }

    fn firsts<E: Curve>(&mut self, count: usize) -> Result<Vec<u8>, FileError> {
        Ok((0..count).map(|_| self.first::<E>()).collect::<Result<Vec<_>, _>>()?.concat())
    }

    fn end(&self) -> Result<(), FileError> {
        if self.reader.is_empty() { Ok(()) } else { Err(FileError::Length(self.part)) }
    }
}

fn binary(proof: &[u8], key: &[u8]) -> Result<Groth16Parts, FileError> {
    let mut pieces = Pieces::new("key", key);
    let alpha = pieces.first::<Bn254>()?;
    pieces.first::<Bn254>()?;
    let (beta, gamma) = (pieces.second::<Bn254>()?, pieces.second::<Bn254>()?);
    pieces.first::<Bn254>()?;
    let delta = pieces.second::<Bn254>()?;
    let points = pieces.count(FIELD_INPUTS_MAX + 2)?;
    let points = pieces.firsts::<Bn254>(points)?;
    let covered = covered(&mut pieces)?;
    let pair = pair(&mut pieces, covered.len())?;
    pieces.end()?;
    let key = [alpha, beta, gamma, delta, points].concat();
    let mut pieces = Pieces::new("proof", proof);
    let proof =
        [pieces.first::<Bn254>()?, pieces.second::<Bn254>()?, pieces.first::<Bn254>()?].concat();
    let count = pieces.count(PLONK_COMMITMENTS_MAX)?;
    let commitments = (0..count).map(|_| pieces.first::<Bn254>()).collect::<Result<_, _>>()?;
    let knowledge = pieces.first::<Bn254>()?;
    pieces.end()?;
    Ok(Groth16Parts { key, proof, pedersen: Pedersen { pair, covered, commitments, knowledge } })
}

fn covered(pieces: &mut Pieces<'_>) -> Result<Vec<Vec<u16>>, FileError> {
    let lists = pieces.count(PLONK_COMMITMENTS_MAX)?;
    let mut all = Vec::with_capacity(lists);
    for _ in 0..lists {
        let count = pieces.count(COMMITTED_INPUTS_MAX)?;
        let indices = (0..count).map(|_| {
            let index = pieces.reader.u64().ok_or(FileError::Length("key"))?;
            u16::try_from(index).map_err(|_| FileError::Length("key"))
        });
        all.push(indices.collect::<Result<_, _>>()?);
    }
    Ok(all)
}

/// The points of the commitment's key. Versions before 0.10 always write one pair, later ones count them; the
/// length tells which.
fn pair(pieces: &mut Pieces<'_>, commitments: usize) -> Result<Vec<u8>, FileError> {
    let pair = 4 * Bn254::FIELD_BYTES;
    if pieces.reader.0.len() == pair {
        let points = [pieces.second::<Bn254>()?, pieces.second::<Bn254>()?].concat();
        return Ok(if commitments == 0 { Vec::new() } else { points });
    }
    match pieces.count(PLONK_COMMITMENTS_MAX)? {
        0 => Ok(Vec::new()),
        1 => {
            let (generator, sigma) = (pieces.second::<Bn254>()?, pieces.second::<Bn254>()?);
            Ok([sigma, generator].concat())
        }
        _ => Err(FileError::Unsupported("gnark Groth16 with several commitments")),
    }
}

/// A public witness: count of public and of secret values, length, values.
fn witness(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let mut pieces = Pieces::new("inputs", bytes);
    let public = pieces.count(FIELD_INPUTS_MAX + 1)?;
    let secret = pieces.count(0)?;
    if pieces.count(FIELD_INPUTS_MAX + 1)? != public + secret {
        return Err(FileError::Length("inputs"));
    }
    let values = pieces.take(public * SCALAR_BYTES)?.to_vec();
    pieces.end()?;
    Ok(values)
}

/// Reads Plonk: proof, key and public witness.
pub(super) fn plonk<E: Curve>(
    system: System,
    proof: &[u8],
    key: &[u8],
    inputs: Option<&[u8]>,
) -> Result<ProofFile, FileError> {
    Ok(ProofFile {
        system,
        release: 0,
        key: plonk_key::<E>(key)?,
        inputs: witness(inputs.ok_or(FileError::NoInputs)?)?,
        proof: plonk_proof::<E>(proof)?,
    })
}

fn plonk_proof<E: Curve>(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let mut pieces = Pieces::new("proof", bytes);
    let wires = pieces.firsts::<E>(3)?;
    let product = pieces.first::<E>()?;
    let quotient = pieces.firsts::<E>(3)?;
    let opening = pieces.first::<E>()?;
    let values = pieces.count(6 + PLONK_COMMITMENTS_MAX)?;
    let count = values.checked_sub(6).ok_or(FileError::Length("proof"))?;
    let linearised = pieces.take(SCALAR_BYTES)?.to_vec();
    let values = pieces.take(5 * SCALAR_BYTES)?.to_vec();
    let selectors = pieces.take(count * SCALAR_BYTES)?.to_vec();
    let opening_shifted = pieces.first::<E>()?;
    let shifted = pieces.take(SCALAR_BYTES)?.to_vec();
    if pieces.count(PLONK_COMMITMENTS_MAX)? != count {
        return Err(FileError::Length("proof"));
    }
    let commitments = pieces.firsts::<E>(count)?;
    pieces.end()?;
    let openings = [opening, opening_shifted].concat();
    let tail = [openings, selectors, commitments].concat();
    Ok([linearised, wires, quotient, values, product, shifted, tail].concat())
}

/// gnark's key: the lines that it precomputed for its own pairing are passed over.
fn plonk_key<E: Curve>(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    /// Loop counts of the two Miller loops, and the numbers of a line: two points, two of each.
    const LINES_OF_BN254: usize = 66;
    const LINES_OF_BLS12_381: usize = 63;
    let mut pieces = Pieces::new("key", bytes);
    let length = || FileError::Length("key");
    let size = pieces.reader.u64().ok_or_else(length)?;
    let bits = u8::try_from(size.checked_ilog2().unwrap_or(0)).map_err(|_| length())?;
    pieces.take(SCALAR_BYTES)?;
    let generator = pieces.take(SCALAR_BYTES)?.to_vec();
    let inputs = pieces.reader.u64().and_then(|count| u16::try_from(count).ok());
    let inputs = inputs.ok_or_else(length)?;
    let shift = pieces.take(SCALAR_BYTES)?.to_vec();
    let permutation = pieces.firsts::<E>(3)?;
    let selectors = pieces.firsts::<E>(5)?;
    let count = pieces.count(PLONK_COMMITMENTS_MAX)?;
    let commitments = (0..count).map(|_| pieces.first::<E>()).collect::<Result<Vec<_>, _>>()?;
    let setup = [pieces.first::<E>()?, pieces.second::<E>()?, pieces.second::<E>()?].concat();
    let lines = if E::FIELD_BYTES == 32 { LINES_OF_BN254 } else { LINES_OF_BLS12_381 };
    pieces.take(lines * 2 * 2 * 2 * 2 * E::FIELD_BYTES)?;
    if pieces.count(PLONK_COMMITMENTS_MAX)? != count {
        return Err(length());
    }
    let count = u8::try_from(count).map_err(|_| length())?;
    let [high, low] = inputs.to_be_bytes();
    let mut key = vec![bits, high, low, count];
    for part in [generator, shift, setup, permutation, selectors] {
        key.extend(part);
    }
    for commitment in commitments {
        let row = pieces.reader.u64().and_then(|row| u32::try_from(row).ok());
        key.extend(commitment);
        key.extend(row.ok_or_else(length)?.to_be_bytes());
    }
    pieces.end()?;
    Ok(key)
}
