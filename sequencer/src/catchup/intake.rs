//! One slot on its way in: every piece is verified when it comes, nothing leaves before all of it is here.

use super::wire::{SlotHead, SlotPart};
use crate::batch::Batch;
use crate::execution::{DecidedSlot, DecidedTips};
use bytes::Bytes;
use rota_types::{CutEntry, Hash, Height, Slot, TypesError, ValidatorSet};
use std::sync::Arc;

/// Why a piece is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeFault {
    /// A lie: the peer is banned.
    #[error("a lying answer: {0}")]
    Lie(&'static str),
    /// Bytes that are not what they claim to be: the peer is banned.
    #[error("a lying answer: {0}")]
    Bytes(#[from] TypesError),
    /// More than two thirds of weight decided what does not follow our own decisions: a safety alarm.
    #[error("height {height}: decided {proposal} does not follow this node's slots")]
    Diverged {
        /// The height.
        height: Height,
        /// Id of the decided proposal.
        proposal: Hash,
    },
}

/// The end of what this node has decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base<'a> {
    pub(super) chain_id: u64,
    pub(super) validators: &'a ValidatorSet,
    pub(super) slot: Slot,
    pub(super) tips: &'a DecidedTips,
}

/// A slot's verified pieces.
#[derive(Clone, Debug)]
pub(super) struct Intake {
    height: Height,
    head: Option<SlotHead>,
    /// Runs of the lanes so far, newest batch first.
    runs: Vec<Vec<Arc<Batch>>>,
    /// Digest of the next batch, in the lane of the last run.
    expected: Option<Hash>,
    taken: u32,
}

impl Intake {
    pub(super) const fn new(height: Height) -> Self {
        Self { height, head: None, runs: Vec::new(), expected: None, taken: 0 }
    }

    pub(super) const fn height(&self) -> Height {
        self.height
    }

    /// Batches here so far: what the next request skips.
    pub(super) const fn taken(&self) -> u32 {
        self.taken
    }

    /// Takes a piece; whether the slot is complete.
    pub(super) fn take(&mut self, part: SlotPart, base: &Base<'_>) -> Result<bool, IntakeFault> {
        if part.height != self.height || part.skip != self.taken {
            return Err(IntakeFault::Lie("a piece that was not asked for"));
        }
        match (part.head, self.head.is_some()) {
            (Some(head), false) => {
                check_head(&head, self.height, base)?;
                self.head = Some(*head);
                self.next_lane();
            }
            (None, false) => return Err(IntakeFault::Lie("a slot without its decision")),
            // Asked again from the start while no batch had come: the first verified decision stands.
            (_, true) => {}
        }
        for frame in part.frames {
            self.batch(frame.0, base)?;
        }
        Ok(self.expected.is_none())
    }

    /// The complete slot.
    pub(super) fn finish(self) -> Option<DecidedSlot> {
        let SlotHead { proposal, certificate } = self.head?;
        let oldest_first = |mut run: Vec<Arc<Batch>>| {
            run.reverse();
            run
        };
        let lanes = self.runs.into_iter().map(oldest_first).collect();
        self.expected.is_none().then_some(DecidedSlot { proposal, certificate, lanes })
    }

    fn entry(&self) -> Option<&CutEntry> {
        let current = self.runs.len().checked_sub(1)?;
        self.head.as_ref()?.proposal.cut.get(current)
    }

    fn next_lane(&mut self) {
        let next = self.head.as_ref().and_then(|head| head.proposal.cut.get(self.runs.len()));
        self.expected = next.map(|entry| entry.header_digest);
        if self.expected.is_some() {
            self.runs.push(Vec::new());
        }
    }

    fn batch(&mut self, frame: Bytes, base: &Base<'_>) -> Result<(), IntakeFault> {
        let expected = self.expected.ok_or(IntakeFault::Lie("more batches than the slot has"))?;
        let batch = Batch::from_frame(base.chain_id, frame)?;
        if batch.digest() != expected {
            return Err(IntakeFault::Lie("another batch than the decision implies"));
        }
        let (parent, seq) = (batch.header().parent, batch.position().seq);
        let entry = self.entry().cloned().ok_or(IntakeFault::Lie("a batch of no lane"))?;
        if let Some(run) = self.runs.last_mut() {
            run.push(Arc::new(batch));
        }
        self.taken = self.taken.saturating_add(1);
        let tip = base.tips.get(&entry.position.lane);
        match tip.filter(|tip| tip.position.seq < seq) {
            Some(tip) if tip.position.seq.next() == seq => {
                if tip.header_digest != parent {
                    return Err(self.diverged());
                }
                self.next_lane();
            }
            Some(_) => self.expected = Some(parent),
            None => return Err(self.diverged()),
        }
        Ok(())
    }

    /// The digests come from a verified decision: that they do not lead to our tips is a quorum's doing.
    fn diverged(&self) -> IntakeFault {
        let proposal = self.head.as_ref().map_or(Hash::ZERO, |head| head.certificate.value);
        IntakeFault::Diverged { height: self.height, proposal }
    }
}

/// Verifies the decision before anything that it names is looked at.
fn check_head(head: &SlotHead, height: Height, base: &Base<'_>) -> Result<(), IntakeFault> {
    let SlotHead { proposal, certificate } = head;
    proposal.validate()?;
    if proposal.height != height || certificate.height != height {
        return Err(IntakeFault::Lie("a decision of another height"));
    }
    if certificate.value != proposal.id(base.chain_id) {
        return Err(IntakeFault::Lie("a certificate of another value"));
    }
    certificate.verify(base.chain_id, base.validators)?;
    let forward = proposal.slot > base.slot
        && proposal.cut.iter().all(|entry| {
            base.tips
                .get(&entry.position.lane)
                .is_some_and(|tip| tip.position.seq < entry.position.seq)
        });
    if forward {
        Ok(())
    } else {
        Err(IntakeFault::Diverged { height, proposal: certificate.value })
    }
}
