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

/// Mailboxes of the core, in the order in which they are emptied: frames, batches of validators, then what anyone
/// may send.
pub(super) struct Mailboxes {
    /// Outcomes of execution: a mailbox of their own, that frames of others never fill.
    pub(super) executed: mpsc::Receiver<Input>,
    pub(super) urgent: mpsc::Receiver<Input>,
    /// Batches: a mailbox of their own, that gossip never fills.
    pub(super) batches: mpsc::Receiver<Input>,
    pub(super) bulk: mpsc::Receiver<Input>,
}

impl Mailboxes {
    /// Waits for the next events, at most `wait` milliseconds, and puts them into `inputs`; false when the urgent
    /// mailbox is closed.
    async fn next(&mut self, inputs: &mut Vec<Input>, wait: u64) -> bool {
        tokio::select! {
            biased;
            Some(input) = self.executed.recv() => inputs.push(input),
            count = self.urgent.recv_many(inputs, CORE_STEPS_PER_GROUP) => return count > 0,
            () = tokio::time::sleep(Duration::ZERO), if wait == 0 => inputs.push(Input::Tick),
            Some(input) = self.batches.recv() => inputs.push(input),
            Some(input) = self.bulk.recv() => inputs.push(input),
            () = tokio::time::sleep(Duration::from_millis(wait)), if wait > 0 => {
                inputs.push(Input::Tick);
            }
        }
        true
    }
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
    fn prune(&self, core: &Core, effect: &Effect) -> Option<Item<Outward>> {
        let Effect::StoreCheckpoint { height, .. } = effect else { return None };
        Some(Item::Prune(PruneRequest {
            bytes_max: self.bytes_max,
            keep_from: height.minus(self.heights_min),
            lanes: core.lanes_in_force(),
        }))
    }

    /// Items for the commit queue, in the order of a step's effects.
    pub fn items(self, core: &Core, effects: Vec<Effect>) -> impl Iterator<Item = Item<Outward>> {
        effects.into_iter().flat_map(move |effect| {
            let prune = self.prune(core, &effect);
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
    let mut queue: Vec<Item<Outward>> = retention.items(&core, first).collect();
    let mut inputs = Vec::with_capacity(CORE_STEPS_PER_GROUP);
    loop {
        if !queue.is_empty() && committer.push(std::mem::take(&mut queue)).is_err() {
            return;
        }
        let now = footing.clock.now();
        gauges.ticked.store(now.0, Ordering::Relaxed);
        gauges.best_peer.store(core.catchup().highest().0, Ordering::Relaxed);
        let wait = core.deadline(now).0.saturating_sub(now.0).min(CORE_IDLE_MS_MAX);
        if !mailboxes.next(&mut inputs, wait).await {
            return;
        }
        for input in inputs.drain(..) {
            let now = footing.clock.now();
            let effects = footing.road.pass(now, core.step(now, input));
            queue.extend(retention.items(&core, effects));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CORE_BATCHES_MAX, CORE_BULK_MAX};
    use rota_sequencer::Batch;
    use rota_types::{
        BatchHeader, Ed25519Signer, Hash, Incarnation, LanePosition, RollupId, Seq, Signer as _,
        Slot, Transaction, TransactionList, ids_tree,
    };

    const CHAIN: u64 = 7;

    fn list() -> TransactionList {
        let tx =
            Transaction { rollup: RollupId(10), valid_until_slot: Slot(9), payload: vec![1; 40] };
        TransactionList::parse(rota_types::codec::encode(&vec![tx]).into(), 1 << 20).unwrap()
    }

    fn batch(seq: u64) -> Input {
        let (signer, body) = (Ed25519Signer::from_seed(&[1; 32]), list());
        let from = signer.public_key();
        let header = BatchHeader {
            position: LanePosition { lane: from, incarnation: Incarnation(0), seq: Seq(seq) },
            parent: Hash::ZERO,
            body_digest: ids_tree::root(CHAIN, body.ids()),
            cumulative_bytes: body.tx_bytes(),
            cumulative_txs: 1,
        };
        let batch = Batch::assemble(CHAIN, header.sign(CHAIN, &signer), body);
        Input::Batch { from, batch: Arc::new(batch) }
    }

    #[tokio::test]
    async fn batches_are_taken_before_all_bundles_that_wait() {
        let (_executed, executed) = mpsc::channel(1);
        let (_urgent, urgent) = mpsc::channel(1);
        let (batches_tx, batches) = mpsc::channel(CORE_BATCHES_MAX);
        let (bulk_tx, bulk) = mpsc::channel(CORE_BULK_MAX);
        let mut mailboxes = Mailboxes { executed, urgent, batches, bulk };
        for token in 0..u64::try_from(CORE_BULK_MAX).unwrap() {
            let gossip = Input::Gossip { token, peer: 1, bundle: Ok(list()) };
            assert!(bulk_tx.try_send(gossip).is_ok());
        }
        for seq in 1..=2 {
            assert!(batches_tx.try_send(batch(seq)).is_ok(), "gossip takes none of its room");
        }
        let mut inputs = Vec::new();
        for _ in 0..3 {
            assert!(mailboxes.next(&mut inputs, 1_000).await);
        }
        let [Input::Batch { batch: first, .. }, Input::Batch { batch: second, .. }, last] =
            inputs.as_slice()
        else {
            panic!("two batches come first");
        };
        assert_eq!((first.position().seq, second.position().seq), (Seq(1), Seq(2)));
        assert!(matches!(last, Input::Gossip { token: 0, .. }));
    }
}
