//! What can go wrong when a node is asked.

use crate::error::{ExitCode, OperatorError};
use crate::rpc::DoorError;
use crate::rpc::error::{LIMITED, NOT_FOUND, NOT_YET, PRUNED, UNAVAILABLE};

/// A node gave no answer, or an error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// None of the URLs could be reached.
    #[error("cannot reach {url}: {cause}")]
    Unreachable {
        /// The last one tried.
        url: String,
        /// Why.
        cause: String,
    },
    /// The node answered with an error.
    #[error("{}", .0.message)]
    Answered(DoorError),
    /// The answer is none of ours.
    #[error("{url} gave an answer that is none of a rota node: {cause}")]
    Garbled {
        /// Who.
        url: String,
        /// What was wrong.
        cause: String,
    },
}

impl ClientError {
    /// How long to wait before the same request may succeed; `None` if it will not.
    #[must_use]
    pub fn retry_ms(&self) -> Option<u64> {
        match self {
            Self::Unreachable { .. } => Some(250),
            Self::Answered(error) => match error.code {
                LIMITED | NOT_YET | UNAVAILABLE => Some(error.retry_ms.unwrap_or(500)),
                _ => error.retry_ms,
            },
            Self::Garbled { .. } => None,
        }
    }

    /// Name of the refusal or error, if the node answered.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Answered(error) => Some(&error.name),
            _ => None,
        }
    }
}

impl From<ClientError> for OperatorError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unreachable { url, cause } => {
                Self::new(ExitCode::Unavailable, format!("cannot reach a node at {url}"))
                    .cause(cause)
                    .hint("start one (rota start, rota devnet), or give --rpc URL")
            }
            ClientError::Garbled { url, cause } => {
                Self::new(ExitCode::Unavailable, format!("{url} is no rota node"))
                    .cause(cause)
                    .hint("give --rpc URL of the http listener of a node")
            }
            ClientError::Answered(door) => of_answer(door),
        }
    }
}

fn of_answer(door: DoorError) -> OperatorError {
    let (exit, hint) = match door.code {
        code if code <= -33_000 => {
            (ExitCode::DataRefused, "docs/rollups.md, \"Errors\", says which may become right")
        }
        NOT_FOUND => (ExitCode::MissingInput, "check the id, or ask another node by --rpc URL"),
        PRUNED => (ExitCode::MissingInput, "ask a node that keeps more by --rpc URL"),
        LIMITED | NOT_YET => (ExitCode::TryAgain, "try again"),
        UNAVAILABLE => (ExitCode::Unavailable, "rota status tells what the node is doing"),
        _ => (ExitCode::Usage, "rota help shows what is expected"),
    };
    let numbers = door.data.as_ref().and_then(|data| {
        let limit = data.get("limit")?.as_u64()?;
        let value = data.get("value")?.as_u64()?;
        Some(format!("{}: the limit is {limit}, the value {value}", door.name))
    });
    OperatorError::new(exit, door.message.clone()).cause(numbers.unwrap_or(door.name)).hint(hint)
}
