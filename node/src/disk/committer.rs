//! The commit thread: a bounded queue in front of [`Pipeline`], drained whole, so that a sync serves all that waits.
//!
//! While one group is being synced the next one gathers; under load a sync costs each message little, and an idle
//! node waits for one sync only. A full queue makes `push` wait; doors look at [`CommitterHandle::is_crowded`]
//! and refuse before that. After a failure nothing is released any more, for good.

use super::pipeline::{CommitError, Item, Pipeline};
use crate::limits::{
    COMMIT_CROWDED_BYTES, COMMIT_GROUP_BYTES, COMMIT_QUEUE_BYTES_MAX, COMMIT_QUEUE_ITEMS_MAX,
};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// What the commit thread has done, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitterStats {
    /// Groups committed: each cost at most one sync per file.
    pub groups: u64,
    /// Items in them.
    pub items: u64,
    /// Bytes in them, roughly.
    pub bytes: u64,
    /// Items waiting.
    pub queued_items: usize,
    /// Bytes waiting, roughly.
    pub queued_bytes: usize,
    /// Segments pruned.
    pub pruned_segments: u64,
}

struct Queue<R> {
    items: VecDeque<Item<R>>,
    bytes: usize,
    closed: bool,
    failed: Option<CommitError>,
}

struct Shared<R> {
    queue: Mutex<Queue<R>>,
    filled: Condvar,
    drained: Condvar,
    queued_items: AtomicUsize,
    queued_bytes: AtomicUsize,
    groups: AtomicU64,
    items: AtomicU64,
    bytes: AtomicU64,
    pruned_segments: AtomicU64,
}

impl<R> Shared<R> {
    fn lock(&self) -> MutexGuard<'_, Queue<R>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_length(&self, queue: &Queue<R>) {
        self.queued_items.store(queue.items.len(), Ordering::Relaxed);
        self.queued_bytes.store(queue.bytes, Ordering::Relaxed);
    }
}

fn counter(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Puts items into the queue; clones share it.
pub struct CommitterHandle<R> {
    shared: Arc<Shared<R>>,
}

impl<R> Clone for CommitterHandle<R> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<R> CommitterHandle<R> {
    /// Queues items in order, nothing of another caller between them. Waits while the queue is full.
    ///
    /// # Errors
    /// The failure that ended committing, or [`CommitError::Ended`]; nothing of `items` is released then.
    pub fn push(&self, items: impl IntoIterator<Item = Item<R>>) -> Result<(), CommitError> {
        let mut queue = self.shared.lock();
        while queue.failed.is_none()
            && !queue.closed
            && (queue.bytes >= COMMIT_QUEUE_BYTES_MAX
                || queue.items.len() >= COMMIT_QUEUE_ITEMS_MAX)
        {
            queue = self.shared.drained.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(error) = &queue.failed {
            return Err(error.clone());
        }
        if queue.closed {
            return Err(CommitError::Ended);
        }
        for item in items {
            queue.bytes = queue.bytes.saturating_add(item.bytes());
            queue.items.push_back(item);
        }
        self.shared.note_length(&queue);
        drop(queue);
        self.shared.filled.notify_one();
        Ok(())
    }

    /// Whether so much waits that doors should refuse work.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.shared.queued_bytes.load(Ordering::Relaxed) >= COMMIT_CROWDED_BYTES
            || self.shared.queued_items.load(Ordering::Relaxed) >= COMMIT_QUEUE_ITEMS_MAX / 2
    }

    /// The failure that ended committing, if one did.
    #[must_use]
    pub fn failed(&self) -> Option<CommitError> {
        self.shared.lock().failed.clone()
    }

    /// Counts, for metrics.
    #[must_use]
    pub fn stats(&self) -> CommitterStats {
        let shared = &self.shared;
        CommitterStats {
            groups: shared.groups.load(Ordering::Relaxed),
            items: shared.items.load(Ordering::Relaxed),
            bytes: shared.bytes.load(Ordering::Relaxed),
            queued_items: shared.queued_items.load(Ordering::Relaxed),
            queued_bytes: shared.queued_bytes.load(Ordering::Relaxed),
            pruned_segments: shared.pruned_segments.load(Ordering::Relaxed),
        }
    }
}

/// The commit thread's owner.
pub struct Committer<R> {
    handle: CommitterHandle<R>,
    thread: Option<JoinHandle<Pipeline>>,
}

impl<R: Send + 'static> Committer<R> {
    /// Starts the thread. `release` is called on it, in queue order, for each release whose predecessors are durable;
    /// `fatal` once, when committing ends for good.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn(
        pipeline: Pipeline,
        release: impl FnMut(R) + Send + 'static,
        fatal: impl FnOnce(CommitError) + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                items: VecDeque::new(),
                bytes: 0,
                closed: false,
                failed: None,
            }),
            filled: Condvar::new(),
            drained: Condvar::new(),
            queued_items: AtomicUsize::new(0),
            queued_bytes: AtomicUsize::new(0),
            groups: AtomicU64::new(0),
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            pruned_segments: AtomicU64::new(0),
        });
        let handle = CommitterHandle { shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new()
            .name("rota-commit".to_owned())
            .spawn(move || run(&shared, pipeline, release, fatal))?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// A handle to push with.
    #[must_use]
    pub fn handle(&self) -> CommitterHandle<R> {
        self.handle.clone()
    }

    /// Commits what is queued, ends the thread and gives the stores back; `None` if the thread panicked.
    #[must_use]
    pub fn close(mut self) -> Option<Pipeline> {
        self.end()
    }
}

impl<R> Committer<R> {
    fn end(&mut self) -> Option<Pipeline> {
        self.handle.shared.lock().closed = true;
        self.handle.shared.filled.notify_all();
        self.handle.shared.drained.notify_all();
        self.thread.take().and_then(|thread| thread.join().ok())
    }
}

impl<R> Drop for Committer<R> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Takes the next group, waiting for one; `None` when closed and empty.
fn next_group<R>(shared: &Shared<R>) -> Option<(Vec<Item<R>>, usize)> {
    let mut queue = shared.lock();
    while queue.items.is_empty() {
        if queue.closed {
            return None;
        }
        queue = shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    let mut group = Vec::with_capacity(queue.items.len());
    let mut bytes = 0usize;
    while bytes < COMMIT_GROUP_BYTES
        && let Some(item) = queue.items.pop_front()
    {
        bytes = bytes.saturating_add(item.bytes());
        group.push(item);
    }
    queue.bytes = queue.bytes.saturating_sub(bytes);
    shared.note_length(&queue);
    drop(queue);
    shared.drained.notify_all();
    Some((group, bytes))
}

/// Says that the thread ended, however it did: nobody waits for a thread that panicked.
struct EndNote<'a, R>(&'a Shared<R>);

impl<R> Drop for EndNote<'_, R> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.drained.notify_all();
    }
}

fn run<R>(
    shared: &Shared<R>,
    mut pipeline: Pipeline,
    mut release: impl FnMut(R),
    fatal: impl FnOnce(CommitError),
) -> Pipeline {
    let _end = EndNote(shared);
    while let Some((group, bytes)) = next_group(shared) {
        let items = group.len();
        if let Err(error) = pipeline.commit(group, &mut release) {
            let mut queue = shared.lock();
            queue.failed = Some(error.clone());
            queue.items.clear();
            queue.bytes = 0;
            shared.note_length(&queue);
            drop(queue);
            shared.drained.notify_all();
            fatal(error);
            break;
        }
        shared.groups.fetch_add(1, Ordering::Relaxed);
        shared.items.fetch_add(counter(items), Ordering::Relaxed);
        shared.bytes.fetch_add(counter(bytes), Ordering::Relaxed);
        if let Some(report) = pipeline.take_pruned() {
            shared.pruned_segments.fetch_add(counter(report.segments), Ordering::Relaxed);
        }
    }
    pipeline
}
