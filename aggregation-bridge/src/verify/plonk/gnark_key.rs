//! A verifying key of gnark's Plonk.

use super::{Domain, Points};
use crate::limits::{FIELD_INPUTS_MAX, KEY_BYTES_MAX, PLONK_COMMITMENTS_MAX};
use crate::verify::bytes::Reader;
use crate::verify::curve::Curve;
use crate::verify::verdict::{Part, Reason};
use ark_ff::Zero;

/// One key, checked and prepared.
///
/// Bytes: domain bits u8 ‖ inputs u16 ‖ commitments u8 ‖ generator ‖ coset shift ‖ G₁ ‖ G₂ ‖ τG₂ ‖ S1 S2 S3 ‖ Ql Qr Qm
/// Qo Qk ‖ for each commitment Qcp and its row u32.
#[derive(Clone, Debug)]
pub(crate) struct Key<E: Curve> {
    pub(super) domain: Domain<E::ScalarField>,
    pub(super) inputs: usize,
    pub(super) shift: E::ScalarField,
    pub(super) generator: E::G1Affine,
    pub(super) lines: [E::G2Prepared; 2],
    pub(super) permutation: [E::G1Affine; 3],
    /// Ql, Qr, Qm, Qo, Qk.
    pub(super) selectors: [E::G1Affine; 5],
    /// Of each commitment its selector and the row that its hash stands in, after the inputs.
    pub(super) commitments: Vec<(E::G1Affine, u64)>,
}

impl<E: Curve> Key<E> {
    /// Reads a key.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Reason> {
        if bytes.len() > KEY_BYTES_MAX {
            return Err(Reason::KeyLength);
        }
        let mut reader = Reader(bytes);
        let [bits, high, low, commitments] = reader.array().ok_or(Reason::KeyLength)?;
        let inputs = usize::from(u16::from_be_bytes([high, low]));
        let commitments = usize::from(commitments);
        if inputs > FIELD_INPUTS_MAX || commitments > PLONK_COMMITMENTS_MAX {
            return Err(Reason::KeyLength);
        }
        let mut points = Points { reader, part: Part::Key };
        let domain = Domain::new(u32::from(bits), points.scalar()?)?;
        let shift: E::ScalarField = points.scalar()?;
        if shift.is_zero() {
            return Err(Reason::KeyParameters);
        }
        let generator = points.g1::<E>()?;
        let lines = [points.g2::<E>()?.into(), points.g2::<E>()?.into()];
        let permutation = [points.g1::<E>()?, points.g1::<E>()?, points.g1::<E>()?];
        let mut selector = || points.commitment::<E>();
        let selectors = [selector()?, selector()?, selector()?, selector()?, selector()?];
        let rows = 1_u64.checked_shl(u32::from(bits)).unwrap_or(0);
        let commitments = (0..commitments)
            .map(|_| {
                let point = points.commitment::<E>()?;
                let row = points.reader.u32().ok_or(Reason::KeyLength)?;
                Ok((point, u64::from(row)))
            })
            .collect::<Result<Vec<_>, Reason>>()?;
        points.end()?;
        let taken = u64::try_from(inputs).unwrap_or(u64::MAX);
        let fits = |row: u64| row.checked_add(taken).is_some_and(|row| row < rows);
        if taken > rows || commitments.iter().any(|(_, row)| !fits(*row)) {
            return Err(Reason::KeyParameters);
        }
        Ok(Self { domain, inputs, shift, generator, lines, permutation, selectors, commitments })
    }
}
