//! The threads of one node: core, execution, commit and index, and the queues between them.

use super::core_loop::{self, Footing, Gauges, Mailboxes, Retention};
use super::ground::Ground;
use super::network::Peers;
use super::panics::PanicWatch;
use super::parts::Parts;
use super::release::{INDEX_QUEUE_MAX, MakeGuard, Outward, Releaser, Verdicts, Waiting};
use super::view::View;
use super::{executor, recover};
use crate::core::Input;
use crate::disk::{CommitError, Committer, Disk};
use crate::error::{ExitCode, OperatorError};
use crate::guard::GuardLog;
use crate::index::Index;
use crate::keys::NodeKeys;
use crate::limits::{CORE_BATCHES_MAX, CORE_BULK_MAX, CORE_URGENT_MAX, EXECUTE_QUEUE_MAX};
use rota_p2p::NetworkHandle;
use rota_sequencer::execution::ExecutedRecord;
use rota_types::{Genesis, TypesError, ValidatorKey, ValidatorSet};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::sync::{mpsc, watch};

type Failure = watch::Sender<Option<OperatorError>>;

/// What the threads are made from.
pub(super) struct Plan<'a> {
    pub(super) genesis: &'a Arc<Genesis>,
    pub(super) validators: ValidatorSet,
    pub(super) stores: recover::Opened,
    pub(super) keys: NodeKeys,
    pub(super) keep_bytes: u64,
    pub(super) index: Arc<Index>,
    pub(super) network: NetworkHandle,
    pub(super) ground: Ground,
    /// Where the guard of a rejoined key goes.
    pub(super) guard_file: std::path::PathBuf,
}

/// The running threads, and what tasks and doors share with them.
pub(super) struct Threads {
    pub(super) me: Option<ValidatorKey>,
    pub(super) view: Arc<View>,
    pub(super) peers: Arc<Peers>,
    pub(super) waiting: Arc<Waiting>,
    pub(super) verdicts: Arc<Verdicts>,
    pub(super) urgent: mpsc::Sender<Input>,
    pub(super) batches: mpsc::Sender<Input>,
    pub(super) bulk: mpsc::Sender<Input>,
    pub(super) gauges: Gauges,
    pub(super) core: std::thread::JoinHandle<()>,
    pub(super) committer: Committer<Outward>,
    pub(super) failure: watch::Receiver<Option<OperatorError>>,
    /// Set when the key has a guard again and the node is to be started anew.
    pub(super) rejoined: watch::Receiver<bool>,
}

/// Starts all threads.
///
/// # Errors
/// Config, if genesis breaks a rule; I/O, if the system gives no thread.
pub(super) fn spawn(plan: Plan<'_>) -> Result<Threads, OperatorError> {
    let Plan { genesis, validators, stores, keys, keep_bytes, index, network, .. } = plan;
    let Ground { disk, clock, road } = plan.ground;
    let lost = stores.restored.rejoin.map(|seed| seed.key);
    let secrets = keys.validator_signer().zip(keys.seal);
    let parts = Parts::assemble(&clock, genesis, validators, stores, secrets).map_err(rule)?;
    let Parts { me, core, first, pipeline, execution, reader, view } = parts;
    let (urgent, urgent_rx) = mpsc::channel(CORE_URGENT_MAX);
    let (batches, batches_rx) = mpsc::channel(CORE_BATCHES_MAX);
    let (bulk, bulk_rx) = mpsc::channel(CORE_BULK_MAX);
    let (failed, failure) = watch::channel(None);
    let (make_guard, rejoined) = make_guard(disk, plan.guard_file, lost, failed.clone());
    let watch = |thread| PanicWatch::new(thread, failed.clone());
    let (executed_tx, executed) = mpsc::channel(EXECUTE_QUEUE_MAX.saturating_add(2));
    let execute =
        executor::spawn(execution, executed_tx, watch("execution")).map_err(thread_error)?;
    let peers = Arc::new(Peers::default());
    let (waiting, verdicts) = (Arc::default(), Arc::default());
    let releaser = Releaser {
        network,
        peers: Arc::clone(&peers),
        view: Arc::clone(&view),
        waiting: Arc::clone(&waiting),
        verdicts: Arc::clone(&verdicts),
        execute,
        ledger: reader,
        core: urgent.clone(),
        index: index_writer(index).map_err(thread_error)?,
        fatal: fatal(failed.clone()),
        rejoined: make_guard,
        runtime: tokio::runtime::Handle::current(),
        chain_id: genesis.chain_id,
        _watch: watch("commit"),
    };
    let release = move |outward| releaser.release(outward);
    let committer =
        Committer::spawn(pipeline, release, commit_failed(failed.clone())).map_err(thread_error)?;
    let gauges = Gauges { ticked: Arc::default(), best_peer: Arc::default() };
    let retention = Retention::new(genesis, keep_bytes);
    let footing = Footing { clock, road, retention };
    let mailboxes = Mailboxes { executed, urgent: urgent_rx, batches: batches_rx, bulk: bulk_rx };
    let (handle, shared) = (committer.handle(), gauges.clone());
    let core = core_loop::spawn(core, first, footing, mailboxes, handle, shared, watch("core"))
        .map_err(thread_error)?;
    Ok(Threads {
        me,
        view,
        peers,
        waiting,
        verdicts,
        urgent,
        batches,
        bulk,
        gauges,
        core,
        committer,
        failure,
        rejoined,
    })
}

fn rule(error: TypesError) -> OperatorError {
    OperatorError::new(ExitCode::Config, "genesis breaks a rule").cause(error)
}

fn thread_error(error: std::io::Error) -> OperatorError {
    OperatorError::new(ExitCode::Io, "the system gives no thread").cause(error)
}

/// Ends the node when nothing can be committed any more.
fn commit_failed(failed: Failure) -> impl FnOnce(CommitError) + Send {
    move |error| {
        tracing::error!(%error, "nothing is committed any more");
        failed.send_replace(Some(commit_failure(&error)));
    }
}

fn commit_failure(error: &CommitError) -> OperatorError {
    let message = if error.is_full() {
        "the disk is full: this node stopped acknowledging and voting"
    } else {
        "cannot write to disk: this node stopped acknowledging and voting"
    };
    OperatorError::new(ExitCode::Io, message).cause(error).hint(error.hint())
}

/// Ends the node for good: exit 86.
fn fatal(failure: Failure) -> Box<dyn Fn(String) + Send> {
    Box::new(move |reason| {
        tracing::error!(reason, "SAFETY STOP: this node signs nothing any more");
        failure.send_replace(Some(OperatorError::safety(reason)));
    })
}

/// Makes the guard file with all floors at once, and has the node started again with it.
fn make_guard(
    disk: Arc<dyn Disk>,
    path: std::path::PathBuf,
    key: Option<ValidatorKey>,
    failure: Failure,
) -> (MakeGuard, watch::Receiver<bool>) {
    let (again, rejoined) = watch::channel(false);
    let make: MakeGuard = Box::new(move |floors| {
        let Some(key) = key else { return };
        match GuardLog::create(disk.as_ref(), &path, key, floors) {
            Ok(()) => {
                tracing::info!(%key, "the guard is there again: starting anew");
                again.send_replace(true);
            }
            Err(error) => {
                failure.send_replace(Some(error.into()));
            }
        }
    });
    (make, rejoined)
}

/// The thread that writes the index, off every critical path; a slot it misses is taken in at the next start.
fn index_writer(index: Arc<Index>) -> std::io::Result<SyncSender<ExecutedRecord>> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(INDEX_QUEUE_MAX);
    std::thread::Builder::new().name("rota-index".to_owned()).spawn(move || {
        while let Ok(record) = receiver.recv() {
            if let Err(error) = index.apply(&recover::indexed(&record)) {
                tracing::warn!(%error, "the index is behind; the next start builds it again");
                return;
            }
        }
    })?;
    Ok(sender)
}
