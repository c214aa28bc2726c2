//! Why a run could not be made. What a run *found* is in its report, not here.

use std::path::PathBuf;

/// A run that could not be made, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum TestnetError {
    /// The manifest does not say what can be done.
    #[error("manifest: {cause}{}", hint.as_ref().map(|h| format!("\nhint:  {h}")).unwrap_or_default())]
    Manifest {
        /// What is wrong.
        cause: String,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// A file.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A program that could not be run, or said no.
    #[error("{what}: {cause}")]
    Program {
        /// Which, with its arguments.
        what: String,
        /// Why.
        cause: String,
    },
    /// A node's answer that is none.
    #[error("{url}: {cause}")]
    Answer {
        /// Where it was asked.
        url: String,
        /// Status, body or transport.
        cause: String,
    },
    /// The node is at a limit and says when to come again.
    #[error("{url}: limited")]
    Limited {
        /// Where it was asked.
        url: String,
    },
    /// Something did not happen in time.
    #[error("not within {seconds} s: {what}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// A node that this process is could not go on.
    #[error(transparent)]
    Node(#[from] rota_node::error::OperatorError),
    /// This machine lacks something.
    #[error("not on this machine: {0}")]
    Missing(String),
}

impl TestnetError {
    /// What the process ends with.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Node(error) => error.exit.number(),
            _ => 69,
        }
    }

    /// A manifest error without a hint.
    pub(crate) fn manifest(cause: impl Into<String>) -> Self {
        Self::Manifest { cause: cause.into(), hint: None }
    }

    /// For `map_err` on files.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { path, cause }
    }
}
