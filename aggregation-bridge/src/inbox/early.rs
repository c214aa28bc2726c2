//! Statements that come before what they build on: kept for a while, and few.

use crate::limits::EARLY_STATEMENTS_MAX;
use rota_types::Slot;

/// Early proofs of one rollup, in the order in which they came, each with the last slot in which it may count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlyStatements<T> {
    kept: Vec<(Slot, T)>,
}

impl<T> Default for EarlyStatements<T> {
    fn default() -> Self {
        Self { kept: Vec::new() }
    }
}

impl<T> EarlyStatements<T> {
    /// Keeps a proof until `last`; gives it back if [`EARLY_STATEMENTS_MAX`] are kept already. The oldest is
    /// never pushed out: else whoever sends nine would empty the place of an honest prover.
    ///
    /// # Errors
    /// The proof itself.
    pub fn keep(&mut self, last: Slot, proof: T) -> Result<(), T> {
        if self.kept.len() >= EARLY_STATEMENTS_MAX {
            return Err(proof);
        }
        self.kept.push((last, proof));
        Ok(())
    }

    /// Takes out what cannot count in `slot` any more.
    pub fn expire(&mut self, slot: Slot) -> Vec<T> {
        let (kept, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.kept).into_iter().partition(|(last, _)| *last >= slot);
        self.kept = kept;
        gone.into_iter().map(|(_, proof)| proof).collect()
    }

    /// Takes out the first proof that `fits` says may count now, asked again after every move of the head.
    pub fn take(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let at = self.kept.iter().position(|(_, proof)| fits(proof))?;
        Some(self.kept.remove(at).1)
    }

    /// How many are kept.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ninth_is_given_back_and_the_first_stays() {
        let mut early = EarlyStatements::default();
        assert!((0..8).all(|n| early.keep(Slot(10), n).is_ok()));
        assert_eq!(early.keep(Slot(10), 8), Err(8));
        assert_eq!(early.take(|n| *n == 0), Some(0));
        assert_eq!((early.len(), early.take(|n| *n == 0)), (7, None));
    }

    #[test]
    fn an_expired_one_is_taken_out() {
        let mut early = EarlyStatements::default();
        early.keep(Slot(3), 'a').unwrap();
        early.keep(Slot(4), 'b').unwrap();
        assert_eq!(early.expire(Slot(3)), []);
        assert_eq!(early.expire(Slot(4)), ['a']);
        assert_eq!(early.expire(Slot(5)), ['b']);
        assert!(early.is_empty());
    }
}
