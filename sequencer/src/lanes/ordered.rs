//! What waits for the own lane while another lane gets it ordered.
//!
//! Clients and gossip give a transaction to more than one node, and an own queue may wait long, behind its lead limit or
//! an outage. What was ordered meanwhile would be skipped as a copy and count against the lane (docs/protocol.md,
//! *Order*), so it leaves the queue when its slot is executed, and whoever waits for it is told.

use super::author::refuse_duplicate;
use super::own::{Own, Submission, Waiter};
use super::{Lanes, Turn};
use rota_types::TransactionList;
use std::collections::{BTreeMap, BTreeSet};

impl Lanes {
    /// Whether anything waits for the next own batch: only then [`super::Event::Ordered`] has an effect.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.own.as_ref().is_some_and(|own| !own.queue.is_empty())
    }

    pub(crate) fn on_ordered(&mut self, turn: &mut Turn<'_>, prefixes: &[[u8; 16]]) {
        if let Some(own) = self.own.as_mut() {
            own.drop_ordered(turn, prefixes);
        }
    }
}

impl Own {
    /// One look-up an ordered transaction, and one pass over the queue if any of them waits.
    fn drop_ordered(&mut self, turn: &mut Turn<'_>, prefixes: &[[u8; 16]]) {
        let mut ordered: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        for (serial, index) in prefixes.iter().filter_map(|prefix| self.places.queued(*prefix)) {
            ordered.entry(serial).or_default().insert(index);
        }
        if ordered.is_empty() {
            return;
        }
        for submission in std::mem::take(&mut self.queue) {
            let left = match ordered.get(&submission.serial) {
                Some(gone) => self.without(turn, submission, gone),
                None => Some(submission),
            };
            self.queue.extend(left);
        }
    }

    /// What is left of a submission without the transactions at `ordered`, and without those that only clients wait for
    /// that are refused now: a refused submission is not taken in part.
    fn without(
        &mut self,
        turn: &mut Turn<'_>,
        submission: Submission,
        ordered: &BTreeSet<u32>,
    ) -> Option<Submission> {
        let Submission { serial, list, waiters, pool, since } = submission;
        let first_ordered = |waiter: &Waiter| ordered.range(waiter.range()).next().copied();
        let (refused, mut waiters): (Vec<Waiter>, Vec<Waiter>) =
            waiters.into_iter().partition(|waiter| first_ordered(waiter).is_some());
        for waiter in &refused {
            let index = first_ordered(waiter).unwrap_or(waiter.first);
            let index = index.saturating_sub(waiter.first);
            refuse_duplicate(turn, waiter.token, usize::try_from(index).unwrap_or(usize::MAX));
        }
        let (dropped, wanted) = (covered(&refused, &list), covered(&waiters, &list));
        let stays = |index: &u32| {
            let for_clients = pool || wanted.contains(index) || !dropped.contains(index);
            for_clients && !ordered.contains(index)
        };
        let kept: Vec<u32> = (0..count(&list)).filter(stays).collect();
        for waiter in &mut waiters {
            let before = kept.partition_point(|index| *index < waiter.first);
            waiter.first = u32::try_from(before).unwrap_or(u32::MAX);
        }
        let indices: Vec<usize> =
            kept.iter().map(|index| usize::try_from(*index).unwrap_or(usize::MAX)).collect();
        let left = list.pick(&indices);
        self.places.replace(serial, &list, left.as_ref());
        self.waiters = self.waiters.saturating_sub(refused.len());
        let (bytes, txs) = left.as_ref().map_or((0, 0), |left| (left.tx_bytes(), left.len()));
        self.queue_bytes = self.queue_bytes.saturating_sub(list.tx_bytes()).saturating_add(bytes);
        self.queue_txs = self.queue_txs.saturating_sub(list.len()).saturating_add(txs);
        left.map(|list| Submission { serial, list, waiters, pool, since })
    }
}

fn count(list: &TransactionList) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

/// Indices of a list that one of these waits for. Each is visited once, however many wait for it.
fn covered(waiters: &[Waiter], list: &TransactionList) -> BTreeSet<u32> {
    let mut open: BTreeSet<u32> = (0..count(list)).collect();
    let mut covered = BTreeSet::new();
    for waiter in waiters {
        while let Some(index) = open.range(waiter.range()).next().copied() {
            open.remove(&index);
            covered.insert(index);
        }
    }
    covered
}
