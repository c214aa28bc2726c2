//! Gathers the trace of a run: every node's slots and streams, the load's receipts, guards, evidence.

use super::guards;
use crate::error::TestnetError;
use crate::invariants::Trace;
use crate::load::{Door, Offered, collect};
use crate::world::Layout;
use rota_types::{Genesis, Hash};

/// Fills the trace from all nodes, each up to its own head; gives who did not answer.
pub(super) async fn fill(
    trace: &mut Trace,
    layout: &Layout,
    doors: &[Door],
    offered: &Offered,
    lying: &[String],
) -> Vec<String> {
    let mut silent = Vec::new();
    let genesis = &layout.genesis;
    trace.slot_times = Some((genesis.genesis_time.0, genesis.slot_ms));
    let all = layout.rollups.clone();
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
    set_apart(trace, genesis, lying);
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

/// Evidence against nodes that lie on purpose is what is wanted of the others; only other evidence is a finding.
fn set_apart(trace: &mut Trace, genesis: &Genesis, lying: &[String]) {
    for validator in genesis.validators.iter().filter(|v| lying.contains(&v.name)) {
        let key = validator.key.to_string();
        for texts in trace.evidence.values_mut() {
            let before = texts.len();
            texts.retain(|text| !text.starts_with(&key));
            if texts.len() < before {
                trace.caught.insert(validator.name.clone());
            }
        }
    }
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
