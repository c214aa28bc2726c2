//! How refusals are made: every outcome of this crate is a [`Refusal`] with a code of the one list in `types`.

use rota_types::{Refusal, RefusalCode};

/// Bytes that are no canonical RLP of the expected shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the one canonical encoding")]
pub struct Malformed;

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Self::new(RefusalCode::BadEnvelope)
    }
}

/// `Ok` if `ok`, else a refusal without numbers.
pub(crate) fn ensure(ok: bool, code: RefusalCode) -> Result<(), Refusal> {
    if ok { Ok(()) } else { Err(Refusal::new(code)) }
}

/// `Ok` if `value ≤ limit`, else a refusal that carries both.
pub(crate) fn within(value: u64, limit: u64, code: RefusalCode) -> Result<(), Refusal> {
    if value <= limit { Ok(()) } else { Err(Refusal::at_limit(code, limit, value)) }
}

/// A length as the number of a refusal.
pub(crate) fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
