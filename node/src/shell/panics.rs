//! A thread that panics takes the node down with it: half a node that answers and signs nothing helps nobody.

use crate::error::{ExitCode, OperatorError};
use tokio::sync::watch;

/// Held by a thread for its whole life; reports a panic as the node's failure.
pub(super) struct PanicWatch {
    thread: &'static str,
    failure: watch::Sender<Option<OperatorError>>,
}

impl PanicWatch {
    pub(super) const fn new(
        thread: &'static str,
        failure: watch::Sender<Option<OperatorError>>,
    ) -> Self {
        Self { thread, failure }
    }
}

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let message = format!("the {} thread panicked", self.thread);
            let error = OperatorError::new(ExitCode::Bug, message)
                .hint("this is a bug: report it with the log; starting again is safe");
            self.failure.send_replace(Some(error));
        }
    }
}
