//! The execution thread: decided slots in, outcomes out, so that a large slot never stands before a vote.

use super::panics::PanicWatch;
use crate::core::Input;
use crate::limits::{CHECKPOINT_HEIGHTS, EXECUTE_QUEUE_MAX};
use rota_sequencer::execution::{DecidedSlot, Executor};
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::sync::mpsc;

/// Execution as its thread runs it: slots in their order, a checkpoint now and then.
pub struct Execution(Executor);

impl Execution {
    /// Goes on from a state.
    pub(super) const fn new(executor: Executor) -> Self {
        Self(executor)
    }

    /// Executes the next decided slot; the outcome is the core's next input.
    pub fn run(&mut self, decided: &DecidedSlot) -> Input {
        match self.0.execute(decided) {
            Ok(executed) => {
                let due = executed.header.height.0.checked_rem(CHECKPOINT_HEIGHTS) == Some(0);
                let state = due.then(|| self.0.to_checkpoint());
                Input::Executed { executed: Box::new(executed), checkpoint: state.map(Into::into) }
            }
            Err(error) => Input::ExecutionFailed { reason: error.to_string() },
        }
    }
}

/// Starts the thread. It ends when the returned sender or the core's mailbox is gone.
///
/// # Errors
/// If the system gives no thread.
pub(super) fn spawn(
    mut execution: Execution,
    core: mpsc::Sender<Input>,
    watch: PanicWatch,
) -> std::io::Result<SyncSender<Box<DecidedSlot>>> {
    let (sender, receiver) = sync_channel::<Box<DecidedSlot>>(EXECUTE_QUEUE_MAX);
    std::thread::Builder::new().name("rota-execute".to_owned()).spawn(move || {
        let _watch = watch;
        while let Ok(decided) = receiver.recv() {
            if core.blocking_send(execution.run(&decided)).is_err() {
                return;
            }
        }
    })?;
    Ok(sender)
}
