//! What can go wrong with the guard.

use crate::disk::{DiskError, LogError};
use rota_types::ValidatorKey;
use std::path::PathBuf;

/// A guard that cannot be used. Without one the validator key signs nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// There is a key but no guard file.
    #[error("{} does not exist: this key does not sign without its guard", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A guard file is there where a new one was to be made.
    #[error("{} exists already", path.display())]
    Exists {
        /// Where it is.
        path: PathBuf,
    },
    /// The file guards another key.
    #[error("{} guards {found}, not {wanted}", path.display())]
    WrongKey {
        /// The file.
        path: PathBuf,
        /// Its key.
        found: ValidatorKey,
        /// The key in use.
        wanted: ValidatorKey,
    },
    /// The file is damaged. A safety stop: what was signed is not known any more.
    #[error("the guard cannot be read: {0}")]
    Unreadable(LogError),
    /// An export that is not one.
    #[error("not a guard export: {reason}")]
    BadExport {
        /// What is wrong.
        reason: String,
    },
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl GuardError {
    /// Damage is a safety stop; everything else of a log is the disk's fault.
    #[must_use]
    pub fn from_log(error: LogError) -> Self {
        match error {
            LogError::Disk(error) => Self::Disk(error),
            error => Self::Unreadable(error),
        }
    }

    /// Whether the process must stop signing for good and exit 86.
    #[must_use]
    pub const fn is_safety_stop(&self) -> bool {
        matches!(self, Self::Unreadable(_))
    }

    /// Whether room on the disk is all that is missing.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_full())
    }

    /// What an operator does about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } => {
                "rota key guard import FILE restores an export made later than anything this key signed; rota start \
                 --rejoin asks the other validators and signs again above all that this key can have signed; a key \
                 that never signed gets a guard by rota key import validator FILE --new"
            }
            Self::Exists { .. } => {
                "a guard is never replaced: rota key guard import raises its marks"
            }
            Self::WrongKey { .. } => {
                "put keys/validator.json and state/guard.log of the same validator together"
            }
            Self::Unreadable(_) => {
                "do not restart and do not delete it; set state/guard.log aside and import an export made later \
                 than anything this key signed, with rota key guard import"
            }
            Self::BadExport { .. } => "give the file written by rota key guard export",
            Self::Disk(_) => "check the disk and the permissions of the home folder",
        }
    }
}
