//! Gathers the trace of a run: every node's slots and streams, the load's receipts, guards, evidence.

use super::guards;
use crate::error::TestnetError;
use crate::invariants::Trace;
use crate::load::{Door, Offered, collect};
use crate::world::Layout;
use rota_types::Hash;

/// Fills the trace from all nodes, which are up and at one height.
///
/// # Errors
/// If a node does not answer.
pub(super) async fn fill(
    trace: &mut Trace,
    layout: &Layout,
    doors: &[Door],
    offered: &Offered,
    rollups: usize,
) -> Result<(), TestnetError> {
    let genesis = &layout.genesis;
    trace.slot_times = Some((genesis.genesis_time.0, genesis.slot_ms));
    let mut common = u64::MAX;
    for door in doors {
        let known = trace.slots.entry(door.name.clone()).or_default();
        common = common.min(collect::slots(&door.client, known).await?);
        collect::seals(&door.client, known).await?;
    }
    let all: Vec<u64> = layout.rollups.iter().copied().take(rollups).collect();
    for door in doors {
        collect::streams(trace, door, &all, common, &offered.plan.generator).await?;
        let evidence = door.client.status().await?.evidence;
        trace.evidence.insert(door.name.clone(), evidence);
    }
    trace.receipts = collect::receipts(offered).map(|(_, receipt)| receipt.clone()).collect();
    collect::sample(trace, offered, doors).await?;
    for node in layout.nodes.iter().filter(|node| node.validator) {
        let marks = guards::marks(&node.guard()).unwrap_or_else(|reason| {
            // Two digests at one made-up place: a guard that cannot be read is a finding.
            let place = format!("guard unreadable: {reason}");
            vec![(place.clone(), Hash::ZERO), (place, Hash([0xff; 32]))]
        });
        trace.marks.insert(node.name.clone(), marks);
    }
    Ok(())
}
