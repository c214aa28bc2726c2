//! Marks of everything this validator key signed, so that it never signs two ways.
//!
//! ```text
//! core: Guard::mark(m) ─New──► Item::Guard(m) ─► GuardLog::append … sync ─► Release(sign, send)
//!                      ─Same─► Release(sign again: the same signature)      (behind it in the same queue)
//!                      ─Conflict─► no signature, counted, the node goes on
//! ```
//!
//! [`Guard`] decides in memory and at once; [`GuardLog`] is the file, written by the commit thread. Both hold the
//! same [`Marks`], so the file can be rewritten without asking the core. What was dropped to stay bounded is closed
//! by a floor: below it nothing new is signed, ever. A crash loses only marks whose signature never left.
//! A file that cannot be read whole is a safety stop (exit 86); a key without its file does not sign.

mod error;
mod export;
mod guard_log;
mod mark;
mod marks;
#[cfg(test)]
mod tests;

pub use error::GuardError;
pub use export::GuardExport;
pub use guard_log::{Create, GuardLog, read_records};
pub use mark::{Floor, GuardRecord, Mark, Step};
pub use marks::{Decision, Marks};

use crate::disk::{Disk, Torn};
use rota_types::ValidatorKey;
use std::path::Path;
use std::sync::Arc;

/// The deciding half of the guard. One per process and key; the home lock keeps a second process away.
#[derive(Clone, Debug)]
pub struct Guard {
    key: ValidatorKey,
    marks: Marks,
}

impl Guard {
    /// Opens the guard file of `key` and returns both halves and a tail that was cut, if any.
    ///
    /// # Errors
    /// [`GuardError::Missing`] if there is none and `create` forbids making one, [`GuardError::Exists`] the other
    /// way round, [`GuardError::WrongKey`], [`GuardError::Unreadable`], or the disk's.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        key: ValidatorKey,
        create: Create,
    ) -> Result<(Self, GuardLog, Option<Torn>), GuardError> {
        let (log, torn) = GuardLog::open(disk, path, key, create)?;
        let guard = Self { key, marks: log.marks().clone() };
        Ok((guard, log, torn))
    }

    /// The key whose signatures it guards.
    #[must_use]
    pub const fn key(&self) -> ValidatorKey {
        self.key
    }

    /// Whether `mark` may be signed, without recording anything.
    #[must_use]
    pub fn check(&self, mark: &Mark) -> Decision {
        self.marks.check(mark)
    }

    /// Decides and, if the mark is new, records it: the caller then queues [`GuardRecord::Mark`] before the
    /// signature's release.
    pub fn mark(&mut self, mark: &Mark) -> Decision {
        let decision = self.marks.check(mark);
        if decision == Decision::New {
            self.marks.record(&GuardRecord::Mark(*mark));
        }
        decision
    }

    /// Raises a floor: nothing below it is signed from now on. The caller queues [`GuardRecord::Floor`].
    pub fn raise(&mut self, floor: &Floor) {
        self.marks.record(&GuardRecord::Floor(*floor));
    }

    /// Everything marked, for start-up checks (own batches missing from the ledger, last acks to state).
    #[must_use]
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// For `rota key guard export`.
    #[must_use]
    pub fn export(&self) -> GuardExport {
        GuardExport::of(self.key, &self.marks)
    }
}
