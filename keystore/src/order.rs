//! Order inside a slot: emergency operations first, then each at its own place, never earlier.
//!
//! An operation whose predecessor of the same lane comes later in the slot runs directly after that one; what
//! still waits at the end is skipped `SeqGap`. Work and emergency bytes are shared by the authors of the
//! batches, so that nobody's flood spends another's share.

use crate::apply::{Effects, apply};
use crate::check::{Checked, Claim};
use crate::config::KeystoreId;
use crate::envelope::Envelope;
use crate::error::within;
use crate::state::KeystoreState;
use rota_types::{Refusal, RefusalCode, Slot};
use std::collections::BTreeMap;

/// Outcome of the operation at a position of the slot.
pub type Outcome = (u64, Result<Effects, Refusal>);

/// A checked operation at its place in the slot.
#[derive(Clone, Debug)]
pub struct SlotOp {
    /// Its place in the slot's order; no two are equal.
    pub position: u64,
    /// Index of the lane whose batch holds it.
    pub author: u32,
    /// The operation.
    pub op: Checked,
}

/// A payload of the keystore rollup at its place in the slot.
#[derive(Clone, Copy, Debug)]
pub struct SlotPayload<'a> {
    /// Its place in the slot's order; no two are equal.
    pub position: u64,
    /// Index of the lane whose batch holds it.
    pub author: u32,
    /// `valid_until_slot` of the transaction around it.
    pub valid_until: Slot,
    /// The payload.
    pub payload: &'a [u8],
}

/// Executes all keystore payloads of a slot: decodes, charges the author's share, verifies, then
/// [`apply_slot`]'s order. The answers are in order of position.
pub fn execute_slot<'a>(
    state: &mut KeystoreState,
    payloads: impl IntoIterator<Item = SlotPayload<'a>>,
    slot: Slot,
    authors: u32,
) -> Vec<Outcome> {
    let params = *state.params();
    let mut units = Shares::new(params.units_share(authors));
    let mut run = Run::new(state, slot);
    let mut ops = Vec::new();
    for SlotPayload { position, author, valid_until, payload } in payloads {
        // The share is charged before any key is decompressed and any signature verified: they are the work.
        let checked = Envelope::parse(payload).and_then(|envelope| {
            units.charge(author, envelope.units())?;
            Claim::of(envelope, payload.len(), valid_until, params.chain_id)?.verify()
        });
        match checked {
            Ok(op) => ops.push(SlotOp { position, author, op }),
            Err(refusal) => run.refuse(position, refusal),
        }
    }
    run.all(ops, params.emergency_share(authors))
}

/// Executes the operations of a slot in the ruled order. The answers are in order of position.
pub fn apply_slot(
    state: &mut KeystoreState,
    ops: impl IntoIterator<Item = SlotOp>,
    slot: Slot,
    authors: u32,
) -> Vec<Outcome> {
    let params = *state.params();
    let mut units = Shares::new(params.units_share(authors));
    let mut run = Run::new(state, slot);
    let mut kept = Vec::new();
    for op in ops {
        match units.charge(op.author, op.op.envelope().units()) {
            Ok(()) => kept.push(op),
            Err(refusal) => run.refuse(op.position, refusal),
        }
    }
    run.all(kept, params.emergency_share(authors))
}

/// What each author has used of its equal share.
struct Shares {
    share: u64,
    used: BTreeMap<u32, u64>,
}

impl Shares {
    const fn new(share: u64) -> Self {
        Self { share, used: BTreeMap::new() }
    }

    fn charge(&mut self, author: u32, amount: u64) -> Result<(), Refusal> {
        let used = self.used.entry(author).or_insert(0);
        let after = used.saturating_add(amount);
        within(after, self.share, RefusalCode::KeystoreBudget)?;
        *used = after;
        Ok(())
    }
}

/// Operations of one lane that wait for a predecessor, by sequence number, each in order of position.
type Waiting = BTreeMap<(KeystoreId, u64), BTreeMap<u64, Vec<SlotOp>>>;

struct Run<'a> {
    state: &'a mut KeystoreState,
    slot: Slot,
    waiting: Waiting,
    results: BTreeMap<u64, Result<Effects, Refusal>>,
}

impl<'a> Run<'a> {
    const fn new(state: &'a mut KeystoreState, slot: Slot) -> Self {
        Self { state, slot, waiting: BTreeMap::new(), results: BTreeMap::new() }
    }

    fn refuse(&mut self, position: u64, refusal: Refusal) {
        self.results.insert(position, Err(refusal));
    }

    fn all(mut self, mut ops: Vec<SlotOp>, emergency_share: u64) -> Vec<Outcome> {
        ops.sort_by_key(|op| op.position);
        let mut emergency = Shares::new(emergency_share);
        let (first, later): (Vec<_>, Vec<_>) = ops.into_iter().partition(|op| {
            op.op.envelope().op.kind().is_emergency()
                && emergency.charge(op.author, op.op.bytes()).is_ok()
        });
        for op in first.into_iter().chain(later) {
            self.arrive(op);
        }
        self.finish()
    }

    fn arrive(&mut self, op: SlotOp) {
        let envelope = op.op.envelope();
        let (id, lane, seq) = (envelope.keystore_id, envelope.lane, envelope.seq);
        if envelope.op.kind().is_emergency() {
            self.apply(&op);
        } else if seq > self.state.next_seq(&id, lane, self.slot) {
            self.waiting.entry((id, lane)).or_default().entry(seq).or_default().push(op);
        } else if self.apply(&op) {
            self.release(id, lane);
        }
    }

    /// Applies one operation; whether it was executed.
    fn apply(&mut self, op: &SlotOp) -> bool {
        let result = apply(self.state, &op.op, self.slot);
        let executed = result.is_ok();
        self.results.insert(op.position, result);
        executed
    }

    /// Runs what waited for the lane's last operation, as long as each is followed by the next.
    fn release(&mut self, id: KeystoreId, lane: u64) {
        loop {
            let next = self.state.next_seq(&id, lane, self.slot);
            let Some(ready) =
                self.waiting.get_mut(&(id, lane)).and_then(|waiting| waiting.remove(&next))
            else {
                return;
            };
            let mut executed = false;
            for op in &ready {
                executed |= self.apply(op);
            }
            if !executed {
                return;
            }
        }
    }

    fn finish(mut self) -> Vec<Outcome> {
        for ((id, lane), waiting) in std::mem::take(&mut self.waiting) {
            let next = self.state.next_seq(&id, lane, self.slot);
            for (seq, ops) in waiting {
                let gap = Refusal::at_limit(RefusalCode::SeqGap, next, seq);
                for op in ops {
                    self.results.insert(op.position, Err(gap));
                }
            }
        }
        self.results.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
