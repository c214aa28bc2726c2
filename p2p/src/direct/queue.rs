//! The bounded queue of one class to one peer: `push` never waits.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{Class, SendOutcome, limits};

/// Bytes in the queues of all peers, against [`limits::SEND_QUEUES_BYTES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    fn take(&self, class: Class, bytes: usize) -> bool {
        let max = match class {
            Class::Votes => limits::SEND_QUEUES_BYTES_MAX + limits::SEND_QUEUES_VOTE_BYTES,
            Class::Certificates | Class::Proposals | Class::Batches => {
                limits::SEND_QUEUES_BYTES_MAX
            }
        };
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= max);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Queue {
    class: Class,
    budget: Arc<Budget>,
    state: Mutex<State>,
    filled: Notify,
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.budget.give_back(self.state().bytes);
    }
}

impl Queue {
    pub(crate) fn new(class: Class, budget: Arc<Budget>) -> Self {
        Self { class, budget, state: Mutex::default(), filled: Notify::new() }
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Queues a frame, or says why not.
    pub(crate) fn push(&self, frame: Bytes) -> SendOutcome {
        if frame.is_empty() || frame.len() > self.class.frame_bytes_max() {
            return SendOutcome::TooLarge;
        }
        let mut state = self.state();
        if state.frames.len() >= limits::SEND_QUEUE_MESSAGES_MAX
            || state.bytes + frame.len() > self.class.queue_bytes_max()
            || !self.budget.take(self.class, frame.len())
        {
            return SendOutcome::Full;
        }
        state.bytes += frame.len();
        state.frames.push_back(frame);
        drop(state);
        self.filled.notify_one();
        SendOutcome::Queued
    }

    /// Waits until there is something, then takes frames for one write: at least one, and more
    /// while they fit into [`limits::WRITE_CHUNK_BYTES`]. Cancel safe; one reader only.
    pub(crate) async fn take(&self) -> Vec<Bytes> {
        loop {
            let filled = self.filled.notified();
            let chunk = self.take_now();
            if !chunk.is_empty() {
                return chunk;
            }
            filled.await;
        }
    }

    fn take_now(&self) -> Vec<Bytes> {
        let mut state = self.state();
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while let Some(frame) = state.frames.front() {
            bytes += frame.len();
            if !chunk.is_empty() && bytes > limits::WRITE_CHUNK_BYTES {
                break;
            }
            if let Some(frame) = state.frames.pop_front() {
                state.bytes -= frame.len();
                self.budget.give_back(frame.len());
                chunk.push(frame);
            }
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn full_by_bytes_then_room_again() {
        let queue = Queue::new(Class::Batches, Arc::default());
        let frame = Bytes::from(vec![1; 512 * 1024]);
        let fit = limits::SEND_QUEUE_BATCH_BYTES_MAX / frame.len();
        for _ in 0..fit {
            assert_eq!(queue.push(frame.clone()), SendOutcome::Queued);
        }
        assert_eq!(queue.push(frame.clone()), SendOutcome::Full);
        assert_eq!(queue.take().await.len(), 1);
        assert_eq!(queue.push(frame), SendOutcome::Queued);
    }

    #[tokio::test]
    async fn full_by_frames_and_small_ones_leave_together() {
        let queue = Queue::new(Class::Votes, Arc::default());
        let vote = Bytes::from_static(&[7; 100]);
        for _ in 0..limits::SEND_QUEUE_MESSAGES_MAX {
            assert_eq!(queue.push(vote.clone()), SendOutcome::Queued);
        }
        assert_eq!(queue.push(vote), SendOutcome::Full);
        assert_eq!(queue.take().await.len(), limits::WRITE_CHUNK_BYTES / 100);
    }

    #[test]
    fn oversize_and_empty_frames_are_not_queued() {
        let queue = Queue::new(Class::Votes, Arc::default());
        let long = Bytes::from(vec![0; limits::VOTE_FRAME_BYTES_MAX + 1]);
        assert_eq!(queue.push(long), SendOutcome::TooLarge);
        assert_eq!(queue.push(Bytes::new()), SendOutcome::TooLarge);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn all_peers_share_one_budget_and_votes_still_pass() {
        let budget = Arc::<Budget>::default();
        let frame = Bytes::from(vec![1; 512 * 1024]);
        let queues: Vec<Queue> =
            (0..100).map(|_| Queue::new(Class::Batches, Arc::clone(&budget))).collect();
        let mut queued = 0;
        for queue in &queues {
            while queue.push(frame.clone()) == SendOutcome::Queued {
                queued += frame.len();
            }
        }
        assert_eq!(queued, limits::SEND_QUEUES_BYTES_MAX);
        let votes = Queue::new(Class::Votes, Arc::clone(&budget));
        assert_eq!(votes.push(Bytes::from_static(b"vote")), SendOutcome::Queued);
        drop((queues, votes));
        assert_eq!(budget.0.load(Ordering::Relaxed), 0, "a dropped queue gives back");
    }
}
