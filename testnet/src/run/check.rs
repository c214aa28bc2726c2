//! Gathers the trace of a run: every node's slots and streams, the load's receipts, guards, evidence.

use super::guards;
use crate::error::TestnetError;
use crate::invariants::Trace;
use crate::load::{Door, Offered, collect};
use crate::world::Layout;
use rota_types::Hash;

/// Fills the trace from all nodes, each up to its own head; gives who did not answer.
pub(super) async fn fill(
    trace: &mut Trace,
    layout: &Layout,
    doors: &[Door],
    offered: &Offered,
    rollups: usize,
) -> Vec<String> {
    let mut silent = Vec::new();
    let genesis = &layout.genesis;
    trace.slot_times = Some((genesis.genesis_time.0, genesis.slot_ms));
    let all: Vec<u64> = layout.rollups.iter().copied().take(rollups).collect();
    let mut answering = Vec::new();
    for door in doors {
        match one(trace, door, &all, offered).await {
            Ok(()) => answering.push(door.clone()),
            Err(error) => silent.push(format!("{} does not answer: {error}", door.name)),
        }
    }
    trace.receipts = collect::receipts(offered).map(|(_, receipt)| receipt.clone()).collect();
    if let Err(error) = collect::sample(trace, offered, &answering).await {
        silent.push(error.to_string());
    }
    for node in layout.nodes.iter().filter(|node| node.validator) {
        let marks = guards::marks(&node.guard()).unwrap_or_else(|reason| {
            // Two digests at one made-up place: a guard that cannot be read is a finding.
            let place = format!("guard unreadable: {reason}");
            vec![(place.clone(), Hash::ZERO), (place, Hash([0xff; 32]))]
        });
        trace.marks.insert(node.name.clone(), marks);
    }
    silent
}

async fn one(
    trace: &mut Trace,
    door: &Door,
    rollups: &[u64],
    offered: &Offered,
) -> Result<(), TestnetError> {
    let known = trace.slots.entry(door.name.clone()).or_default();
    let head = collect::slots(&door.client, known).await?;
    collect::seals(&door.client, known).await?;
    collect::streams(trace, door, rollups, head, &offered.plan.generator).await?;
    let evidence = door.client.status().await?.evidence;
    trace.evidence.insert(door.name.clone(), evidence);
    Ok(())
}
