//! What can go wrong with key files and passwords.

use crate::error::{ExitCode, OperatorError};

/// A key file or password that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a key file of the ERC-2335 layout.
    #[error("not a key file: {reason}")]
    NotAKeyFile {
        /// What is wrong.
        reason: String,
    },
    /// A function or parameter this program does not take.
    #[error("{what} is not supported")]
    Unsupported {
        /// Which.
        what: String,
    },
    /// The checksum does not match: nothing was decrypted.
    #[error("wrong password")]
    WrongPassword,
    /// The file's public key is not the one of its secret.
    #[error("the public key in the file does not belong to its secret")]
    PublicKeyMismatch,
    /// The secret is not one of this kind of key.
    #[error("the secret is no {what}")]
    BadSecret {
        /// The kind.
        what: &'static str,
    },
    /// The system gave no randomness.
    #[error("no randomness: {reason}")]
    NoRandomness {
        /// The system's words.
        reason: String,
    },
    /// No password could be had.
    #[error("no password: {reason}")]
    NoPassword {
        /// Why.
        reason: String,
    },
}

impl KeyError {
    /// For the operator, about the file or key named `what`.
    #[must_use]
    pub fn about(&self, what: &str) -> OperatorError {
        let (exit, hint) = match self {
            Self::WrongPassword => (
                ExitCode::Permission,
                "give the right one by --password-file, or rota key change-password",
            ),
            Self::NoPassword { .. } => (
                ExitCode::Permission,
                "set key.password_file (--password-file), or run it on a terminal to be asked",
            ),
            Self::NoRandomness { .. } => (ExitCode::Io, "the system's random source failed"),
            Self::NotAKeyFile { .. }
            | Self::Unsupported { .. }
            | Self::PublicKeyMismatch
            | Self::BadSecret { .. } => {
                (ExitCode::Config, "restore the file from its backup; rota key inspect shows it")
            }
        };
        OperatorError::new(exit, format!("cannot use {what}")).cause(self).hint(hint)
    }
}
