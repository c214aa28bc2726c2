//! Durable before said: what a node acknowledged, sent or released is in its ledger when it says so, and after every
//! restart from the durable bytes alone.

use super::{Actor, Check, Said, broken};
use rota_sequencer::execution::DecidedSlot;
use rota_sequencer::lanes::LaneMessage;
use rota_types::{Hash, Height, LanePosition};
use std::collections::BTreeMap;

#[derive(Default)]
struct Promised {
    /// Acknowledged or sent batches that no released slot has decided.
    batches: BTreeMap<LanePosition, Hash>,
    tip: Height,
}

#[derive(Default)]
pub(super) struct Durable {
    nodes: BTreeMap<usize, Promised>,
}

impl Durable {
    pub(super) fn on_message(&mut self, actor: &Actor<'_>, said: &Said) -> Check {
        let (position, digest) = match said {
            Said::Lanes(LaneMessage::Ack(ack)) if Some(ack.validator) == actor.key => {
                (ack.position, ack.header_digest)
            }
            Said::Batch(batch) if Some(batch.position().lane) == actor.key => {
                (batch.position(), batch.digest())
            }
            _ => return Ok(()),
        };
        if !(actor.holds)(&digest) {
            let what = format!("n{} speaks of {position:?} before it is durable", actor.node);
            return broken("durable before said", what);
        }
        let promised = self.nodes.entry(actor.node).or_default();
        promised.batches.insert(position, digest);
        Ok(())
    }

    pub(super) fn on_decided(&mut self, actor: &Actor<'_>, decided: &DecidedSlot) {
        let promised = self.nodes.entry(actor.node).or_default();
        promised.tip = promised.tip.max(decided.height());
        for entry in &decided.proposal.cut {
            let LanePosition { lane, seq, .. } = entry.position;
            promised.batches.retain(|position, _| position.lane != lane || position.seq > seq);
        }
    }

    pub(super) fn on_boot(&self, actor: &Actor<'_>, tip: Height) -> Check {
        let Some(promised) = self.nodes.get(&actor.node) else { return Ok(()) };
        if tip < promised.tip {
            let what = format!("n{} released {} and starts at {tip}", actor.node, promised.tip);
            return broken("durable before said", what);
        }
        let lost = promised.batches.iter().find(|(_, digest)| !(actor.holds)(digest));
        match lost {
            Some((position, _)) => {
                let what = format!("n{} lost {position:?} that it spoke of", actor.node);
                broken("durable before said", what)
            }
            None => Ok(()),
        }
    }
}
