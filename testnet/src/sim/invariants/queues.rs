//! Queues: nothing a node holds grows past its limit.

use super::{Check, broken};
use crate::sim::machine::Running;
use rota_node::limits::{
    COMMIT_QUEUE_ITEMS_MAX, CORE_BULK_MAX, CORE_STEPS_PER_GROUP, CORE_URGENT_MAX,
    EXECUTE_QUEUE_MAX, SUBMISSIONS_WAITING_MAX, VERIFY_QUEUE_MAX,
};
use rota_sequencer::limits::{BODIES_BYTES_MAX, MEMPOOL_BYTES_MAX, MEMPOOL_TXS_MAX};
use rota_types::limits::BATCH_BODY_BYTES_MAX;

/// Items that one step may add to a commit queue that just had room.
const ITEMS_PER_STEP: usize = 4 * 1024;

/// Looks at one node.
pub(crate) fn check(node: usize, running: &Running) -> Check {
    let (bodies, _) = running.core.lanes().usage();
    let (pool_txs, pool_bytes) = running.core.pool().usage();
    let body = u64::try_from(BATCH_BODY_BYTES_MAX).unwrap_or(u64::MAX);
    let size = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let limit = |limit: usize| u64::try_from(limit).unwrap_or(u64::MAX);
    let lengths = [
        ("bodies in memory", bodies, BODIES_BYTES_MAX.saturating_add(body)),
        ("transactions of the pool", pool_txs, MEMPOOL_TXS_MAX),
        ("bytes of the pool", pool_bytes, MEMPOOL_BYTES_MAX),
        ("frames for the core", size(running.urgent.len()), limit(CORE_URGENT_MAX)),
        ("bulk for the core", size(running.bulk.len()), limit(CORE_BULK_MAX)),
        ("batches to be parsed", size(running.frames.len()), limit(VERIFY_QUEUE_MAX)),
        ("slots to be executed", size(running.decided.len()), limit(EXECUTE_QUEUE_MAX)),
        ("submissions waiting", size(running.waiting.len()), limit(SUBMISSIONS_WAITING_MAX)),
        (
            "items to be committed",
            size(running.queued()),
            limit(COMMIT_QUEUE_ITEMS_MAX.saturating_add(ITEMS_PER_STEP * CORE_STEPS_PER_GROUP)),
        ),
    ];
    match lengths.iter().find(|(_, found, most)| found > most) {
        Some((what, found, most)) => {
            broken("queues within limits", format!("n{node}: {found} {what}, at most {most}"))
        }
        None => Ok(()),
    }
}
