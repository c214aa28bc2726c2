//! Asks the network what became of everything: slots, streams, and exact places of a sample.

use super::engine::{Answer, Door, Offered, Sent};
use super::generator::Generator;
use crate::client::{Client, Cursor, SlotView, parse_page};
use crate::clock;
use crate::error::TestnetError;
use crate::invariants::{Receipted, Sampled, Streamed, Trace};
use crate::limits::{POLL, SAMPLED_PLACES};
use rota_types::ValidatorKey;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Receipts of a load.
pub fn receipts(offered: &Offered) -> impl Iterator<Item = (&Sent, &Receipted)> {
    offered.sent.iter().filter_map(|sent| match &sent.answer {
        Answer::Receipt(receipt) => Some((sent, receipt)),
        _ => None,
    })
}

/// Adds the slots above those known, up to the newest executed; gives the newest height.
///
/// # Errors
/// If the node does not answer.
pub async fn slots(
    client: &Client,
    known: &mut BTreeMap<u64, SlotView>,
) -> Result<u64, TestnetError> {
    let status = client.status().await?;
    let next = known.last_key_value().map_or(status.first_kept.max(1), |(last, _)| last + 1);
    for height in next..=status.executed {
        known.insert(height, client.slot(height).await?);
    }
    Ok(status.executed)
}

/// Asks again for slots whose seal was not known yet, so that their times are whole.
///
/// # Errors
/// If the node does not answer.
pub async fn seals(
    client: &Client,
    known: &mut BTreeMap<u64, SlotView>,
) -> Result<(), TestnetError> {
    let open: Vec<u64> =
        known.values().filter(|slot| slot.times.sealed.is_none()).map(|slot| slot.height).collect();
    for height in open {
        known.insert(height, client.slot(height).await?);
    }
    Ok(())
}

/// Batches decided in slots.
fn places(slots: &BTreeMap<u64, SlotView>) -> BTreeSet<(ValidatorKey, u32, u64)> {
    let batches = slots.values().flat_map(|slot| slot.batches.iter());
    batches.map(|batch| (batch.lane, batch.incarnation, batch.seq)).collect()
}

/// Waits until every receipted place is decided at this node, or `timeout` has passed. Gives how many places
/// were still open.
///
/// # Errors
/// Never for a node that does not answer in time; it is asked again.
pub async fn decided(
    client: &Client,
    known: &mut BTreeMap<u64, SlotView>,
    receipts: &[Receipted],
    timeout: Duration,
) -> usize {
    let wanted: BTreeSet<_> = receipts.iter().map(|r| (r.lane, r.incarnation, r.seq)).collect();
    let begun = clock::now();
    loop {
        // A node that is just being started again is asked at the next turn.
        slots(client, known).await.ok();
        let open = wanted.difference(&places(known)).count();
        if open == 0 || clock::now().duration_since(begun) > timeout {
            return open;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Follows a rollup from the first height kept up to and with `until`.
///
/// # Errors
/// If the node does not answer, or its pages do not move on.
pub async fn stream(
    client: &Client,
    rollup: u64,
    until: u64,
    generator: Option<&Generator>,
) -> Result<Vec<Streamed>, TestnetError> {
    let mut all = Vec::new();
    let mut from = Cursor { height: 1, index: 0 };
    loop {
        let bytes = client.page(rollup, from).await?;
        let page = parse_page(&bytes)?;
        for tx in &page.transactions {
            if tx.height > until {
                return Ok(all);
            }
            let mut id = [0u8; 16];
            let digits = tx.id.strip_prefix("0x").unwrap_or(tx.id).get(..32).unwrap_or_default();
            hex::decode_to_slice(digits, &mut id).map_err(|error| TestnetError::Answer {
                url: client.url().to_owned(),
                cause: format!("an id that is none: {error}"),
            })?;
            all.push(Streamed {
                place: (tx.height, tx.index),
                id,
                number: generator.and_then(|generator| generator.number(tx.payload)),
                lane: tx.lane,
                seq: tx.seq,
            });
        }
        if page.next.height > until || (page.transactions.is_empty() && page.next == from) {
            return Ok(all);
        }
        if page.next <= from {
            return Err(TestnetError::Answer {
                url: client.url().to_owned(),
                cause: format!("the page from {from:?} leads back to {:?}", page.next),
            });
        }
        from = page.next;
    }
}

/// Streams of all rollups from one node into the trace.
///
/// # Errors
/// As [`stream`].
pub async fn streams(
    trace: &mut Trace,
    door: &Door,
    rollups: &[u64],
    until: u64,
    generator: &Generator,
) -> Result<(), TestnetError> {
    for rollup in rollups {
        let found = stream(&door.client, *rollup, until, Some(generator)).await?;
        trace.streams.insert((door.name.clone(), *rollup), found);
    }
    Ok(())
}

/// Asks for the exact place of some receipted transactions, evenly spread over the load and the doors.
///
/// # Errors
/// If a node does not answer.
pub async fn sample(
    trace: &mut Trace,
    offered: &Offered,
    doors: &[Door],
) -> Result<(), TestnetError> {
    let all: Vec<_> = receipts(offered).collect();
    let step = all.len().div_ceil(SAMPLED_PLACES).max(1);
    for (turn, (sent, receipt)) in all.into_iter().step_by(step).enumerate() {
        let Some(door) = doors.get(turn.checked_rem(doors.len()).unwrap_or(0)) else { continue };
        // Another offset each time, so that firsts, lasts and middles are asked for.
        let offset = u64::try_from(turn).unwrap_or(0).wrapping_mul(7_919);
        let offset = offset.checked_rem(sent.count).unwrap_or(0);
        let number = sent.first.saturating_add(offset);
        let id = offered.plan.generator.id(sent.rollup, sent.valid_until, number);
        let index = receipt.first_index.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        let status = match door.client.transaction(&id).await {
            Ok(status) => status,
            // A node that keeps no index of all transactions forgets old ones; its streams hold them.
            Err(TestnetError::Answer { cause, .. }) if cause.starts_with("404") => continue,
            Err(error) => return Err(error),
        };
        let promised = (receipt.lane, receipt.seq, index);
        trace.sampled.push(Sampled { node: door.name.clone(), id, promised, status });
    }
    Ok(())
}
