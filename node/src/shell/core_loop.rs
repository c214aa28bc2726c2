//! The thread that runs the core: takes events, steps, and queues the effects for commit.

use super::ground::{Clock, Road};
use super::panics::PanicWatch;
use super::release::{Outward, items};
use crate::core::{Core, Effect, Input};
use crate::disk::{CommitterHandle, Item};
use crate::ledger::PruneRequest;
use crate::limits::{CORE_IDLE_MS_MAX, CORE_STEPS_PER_GROUP, KEPT_HEIGHTS_MIN};
use rota_types::Genesis;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

/// What the loop shares with the doors.
#[derive(Clone)]
pub(super) struct Gauges {
    /// When the loop last ran, Unix milliseconds.
    pub(super) ticked: Arc<AtomicU64>,
    /// Highest decided height that a peer claims.
    pub(super) best_peer: Arc<AtomicU64>,
}

/// Mailboxes of the core: frames before bulk.
pub(super) struct Mailboxes {
    /// Outcomes of execution: a mailbox of their own, that frames of others never fill.
    pub(super) executed: mpsc::Receiver<Input>,
    pub(super) urgent: mpsc::Receiver<Input>,
    pub(super) bulk: mpsc::Receiver<Input>,
}

/// How much of the ledger stays.
#[derive(Clone, Copy)]
pub struct Retention {
    /// Bytes above which old segments go.
    bytes_max: u64,
    /// Newest heights that stay whatever the bytes.
    heights_min: u64,
}

impl Retention {
    /// Everything that may still be asked for stays: the validity window at least.
    #[must_use]
    pub fn new(genesis: &Genesis, bytes_max: u64) -> Self {
        Self { bytes_max, heights_min: genesis.validity_slots_max.max(KEPT_HEIGHTS_MIN) }
    }

    /// After a checkpoint nothing below it is needed to start again but the validity window.
    fn prune(&self, effect: &Effect) -> Option<Item<Outward>> {
        let Effect::StoreCheckpoint { height, .. } = effect else { return None };
        Some(Item::Prune(PruneRequest {
            bytes_max: self.bytes_max,
            keep_from: height.minus(self.heights_min),
            released: std::collections::BTreeSet::new(),
        }))
    }

    /// Items for the commit queue, in the order of a step's effects.
    pub fn items(self, effects: Vec<Effect>) -> impl Iterator<Item = Item<Outward>> {
        effects.into_iter().flat_map(move |effect| {
            let prune = self.prune(&effect);
            items(effect).into_iter().chain(prune)
        })
    }
}

/// What the loop has of the node's [`super::ground::Ground`], and what it makes room with.
pub(super) struct Footing {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) road: Box<dyn Road>,
    pub(super) retention: Retention,
}

/// Starts the thread; it ends when the urgent mailbox closes or nothing can be committed any more.
///
/// # Errors
/// If the system gives no thread or runtime.
pub(super) fn spawn(
    core: Core,
    first: Vec<Effect>,
    footing: Footing,
    mailboxes: Mailboxes,
    committer: CommitterHandle<Outward>,
    gauges: Gauges,
    watch: PanicWatch,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name("rota-core".to_owned()).spawn(move || {
        let _watch = watch;
        runtime.block_on(run(core, first, footing, mailboxes, committer, gauges));
    })
}

async fn run(
    mut core: Core,
    first: Vec<Effect>,
    mut footing: Footing,
    mut mailboxes: Mailboxes,
    committer: CommitterHandle<Outward>,
    gauges: Gauges,
) {
    let retention = footing.retention;
    let first = footing.road.pass(footing.clock.now(), first);
    let mut queue: Vec<Item<Outward>> = retention.items(first).collect();
    let mut inputs = Vec::with_capacity(CORE_STEPS_PER_GROUP);
    loop {
        if !queue.is_empty() && committer.push(std::mem::take(&mut queue)).is_err() {
            return;
        }
        let now = footing.clock.now();
        gauges.ticked.store(now.0, Ordering::Relaxed);
        gauges.best_peer.store(core.catchup().highest().0, Ordering::Relaxed);
        let wait = core.deadline(now).0.saturating_sub(now.0).min(CORE_IDLE_MS_MAX);
        tokio::select! {
            biased;
            Some(input) = mailboxes.executed.recv() => inputs.push(input),
            count = mailboxes.urgent.recv_many(&mut inputs, CORE_STEPS_PER_GROUP) => {
                if count == 0 {
                    return;
                }
            }
            () = tokio::time::sleep(Duration::ZERO), if wait == 0 => inputs.push(Input::Tick),
            Some(input) = mailboxes.bulk.recv() => inputs.push(input),
            () = tokio::time::sleep(Duration::from_millis(wait)), if wait > 0 => {
                inputs.push(Input::Tick);
            }
        }
        for input in inputs.drain(..) {
            let now = footing.clock.now();
            let effects = footing.road.pass(now, core.step(now, input));
            queue.extend(retention.items(effects));
        }
    }
}
