//! What an operator is told when something does not work: what, why, and the flag or command that mends it.
//!
//! ```text
//! error: cannot listen on 127.0.0.1:8645
//! cause: address already in use
//! hint:  rota start --instance 2 shifts every port, or set --http.listen
//! ```

use crate::disk::{CommitError, DiskError, LogError};
use crate::guard::GuardError;
use crate::ledger::LedgerError;
use crate::wal::WalError;
use std::fmt;

/// Exit codes (sysexits, and one of our own). A service manager must not restart [`ExitCode::SafetyStop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitCode {
    /// Done.
    Ok,
    /// Wrong arguments.
    Usage,
    /// The data given was looked at and refused: a proof that does not verify, a transaction refused.
    DataRefused,
    /// A file that must be given is not there.
    MissingInput,
    /// A service or peer cannot be reached.
    Unavailable,
    /// A bug of ours.
    Bug,
    /// Something cannot be created, mostly because it exists.
    CannotCreate,
    /// The disk or network failed.
    Io,
    /// Try again later: another process holds the lock.
    TryAgain,
    /// Permissions, also wrong passwords.
    Permission,
    /// Wrong configuration, genesis or network.
    Config,
    /// Signing could not be kept safe. Never restart by itself.
    SafetyStop,
}

impl ExitCode {
    /// The number the process ends with.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Usage => 64,
            Self::DataRefused => 65,
            Self::MissingInput => 66,
            Self::Unavailable => 69,
            Self::Bug => 70,
            Self::CannotCreate => 73,
            Self::Io => 74,
            Self::TryAgain => 75,
            Self::Permission => 77,
            Self::Config => 78,
            Self::SafetyStop => 86,
        }
    }
}

/// An error for the operator. `Display` renders the lines `error:`, `cause:` and `hint:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorError {
    /// What did not work.
    pub message: String,
    /// Why, if the message does not say it.
    pub cause: Option<String>,
    /// The flag, command or deed that mends it.
    pub hint: Option<String>,
    /// How the process ends.
    pub exit: ExitCode,
}

impl OperatorError {
    /// With nothing but a message.
    #[must_use]
    pub fn new(exit: ExitCode, message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None, hint: None, exit }
    }

    /// With the reason.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// With what mends it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A safety stop: what could no longer be held.
    #[must_use]
    pub fn safety(message: impl Into<String>) -> Self {
        Self::new(ExitCode::SafetyStop, message)
            .hint("do not restart before reading the log; docs/operators.md, \"Safety stop\"")
    }

    fn of_disk(message: &str, error: &DiskError) -> Self {
        let (exit, hint) = match error {
            DiskError::Full { .. } => (
                ExitCode::Io,
                "free space on this disk and start again; nothing acknowledged is lost",
            ),
            DiskError::NotFound { .. } => {
                (ExitCode::MissingInput, "check --home; rota init makes a home")
            }
            DiskError::Exists { .. } => (
                ExitCode::CannotCreate,
                "nothing is overwritten: choose another name or move it away",
            ),
            DiskError::Denied { .. } => {
                (ExitCode::Permission, "run as the user that owns the home folder, or chown it")
            }
            _ => (ExitCode::Io, "check the disk (dmesg, smartctl)"),
        };
        Self::new(exit, message).cause(error).hint(hint)
    }

    fn of_log(message: &str, error: &LogError, hint: &str) -> Self {
        match error {
            LogError::Disk(error) => Self::of_disk(message, error),
            error => Self::new(ExitCode::Io, message).cause(error).hint(hint),
        }
    }
}

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(cause) = &self.cause {
            write!(f, "\ncause: {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint:  {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for OperatorError {}

impl From<DiskError> for OperatorError {
    fn from(error: DiskError) -> Self {
        Self::of_disk("a file of the home folder cannot be used", &error)
    }
}

impl From<LedgerError> for OperatorError {
    fn from(error: LedgerError) -> Self {
        let message = "the ledger cannot be used";
        match &error {
            LedgerError::Log(inner) => Self::of_log(message, inner, error.hint()),
            LedgerError::Disk(inner) => Self::of_disk(message, inner),
            LedgerError::WrongNetwork { .. } => {
                Self::new(ExitCode::Config, message).cause(&error).hint(error.hint())
            }
            _ => Self::new(ExitCode::Io, message).cause(&error).hint(error.hint()),
        }
    }
}

impl From<WalError> for OperatorError {
    fn from(error: WalError) -> Self {
        let message = "the consensus WAL cannot be used";
        match &error {
            WalError::Log(inner) => Self::of_log(message, inner, error.hint()),
            WalError::Disk(inner) => Self::of_disk(message, inner),
            _ => Self::new(ExitCode::Io, message).cause(&error).hint(error.hint()),
        }
    }
}

impl From<GuardError> for OperatorError {
    fn from(error: GuardError) -> Self {
        let message = "the guard of the validator key cannot be used";
        let exit = match &error {
            GuardError::Disk(inner) => return Self::of_disk(message, inner),
            GuardError::Unreadable(_) => ExitCode::SafetyStop,
            GuardError::Missing { .. } => ExitCode::MissingInput,
            GuardError::Exists { .. } => ExitCode::CannotCreate,
            GuardError::WrongKey { .. } => ExitCode::Config,
            GuardError::BadExport { .. } => ExitCode::DataRefused,
        };
        Self::new(exit, message).cause(&error).hint(error.hint())
    }
}

impl From<CommitError> for OperatorError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Ledger(error) => error.into(),
            CommitError::Wal(error) => error.into(),
            CommitError::Guard(error) => error.into(),
            error @ (CommitError::NoGuard | CommitError::Ended) => {
                Self::new(ExitCode::Bug, "nothing can be made durable any more")
                    .cause(&error)
                    .hint(error.hint())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_three_lines() {
        let error = OperatorError::new(ExitCode::Unavailable, "cannot listen on 127.0.0.1:8645")
            .cause("address already in use")
            .hint("rota start --instance 2 shifts every port, or set --http.listen");
        assert_eq!(
            error.to_string(),
            "error: cannot listen on 127.0.0.1:8645\ncause: address already in use\n\
             hint:  rota start --instance 2 shifts every port, or set --http.listen"
        );
    }

    #[test]
    fn a_damaged_guard_exits_86_and_a_full_disk_74() {
        let path = std::path::PathBuf::from("/h/state/guard.log");
        let damage = LogError::Corrupt { path: path.clone(), offset: 9, reason: "x" };
        let error = OperatorError::from(GuardError::Unreadable(damage.clone()));
        assert_eq!(error.exit.number(), 86);
        let full = OperatorError::from(CommitError::from(DiskError::Full { path }));
        assert_eq!(full.exit.number(), 74);
        assert!(full.to_string().contains("free space"));
        let corrupt = OperatorError::from(LedgerError::Log(damage));
        assert!(corrupt.to_string().contains("rota db verify --repair"));
    }
}
