//! Gathering the bodies of a decided slot: which are missing, and from whom to ask for them.
//!
//! The decided cut names the newest batch of each lane by digest; each header names its parent. So every body is
//! expected by a digest that the decision implies, whoever hands it over.

use super::record::DecidedSlot;
use super::state::OrderState;
use crate::batch::Batch;
use crate::error::ExecutionError;
use crate::lane_view::LaneView;
use crate::order::count;
use rota_types::{BatchHeader, CommitCertificate, CutEntry, Hash, SlotProposal, ValidatorKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Decided tips of all lanes: where the next slot's batches begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecidedTips(BTreeMap<ValidatorKey, CutEntry>);

impl DecidedTips {
    /// Tips after an executed slot.
    #[must_use]
    pub fn of(order: &OrderState) -> Self {
        let tips = order.lanes().map(|(lane, state)| {
            let tip = &state.tip;
            (*lane, CutEntry { position: tip.position, header_digest: tip.digest })
        });
        Self(tips.collect())
    }

    /// The tip of a lane.
    #[must_use]
    pub fn get(&self, lane: &ValidatorKey) -> Option<&CutEntry> {
        self.0.get(lane)
    }

    /// Moves the tips by a decided proposal.
    pub fn advance(&mut self, proposal: &SlotProposal) {
        for entry in &proposal.cut {
            self.0.insert(entry.position.lane, entry.clone());
        }
    }
}

/// A body to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Digest of its header.
    pub digest: Hash,
    /// Validators that acknowledged it, as far as known; empty: ask anyone, the decision shows that they exist.
    pub holders: Vec<ValidatorKey>,
}

/// How far the gathering is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bodies to fetch that were not named before; more may follow when these are here.
    Missing(Vec<Missing>),
    /// All are here.
    Complete(Box<DecidedSlot>),
}

/// A lane's walk from the cut entry down to the decided tip.
#[derive(Clone, Debug)]
struct Walk {
    tip: CutEntry,
    /// Digests newest first; the last one's header may be unknown.
    links: Vec<Hash>,
    /// Whether the lanes were asked for the body of the last link.
    looked_up: bool,
    done: bool,
}

/// Bodies of one decided slot.
#[derive(Clone, Debug)]
pub struct Assembly {
    proposal: SlotProposal,
    certificate: CommitCertificate,
    walks: Vec<Walk>,
    bodies: BTreeMap<Hash, Arc<Batch>>,
    /// Links whose body is not here.
    absent: BTreeSet<Hash>,
}

impl Assembly {
    /// Starts gathering the bodies between `tips` and the decided cut.
    ///
    /// # Errors
    /// [`ExecutionError::Fork`] for a cut that does not move forward from the tips.
    pub fn new(
        proposal: SlotProposal,
        certificate: CommitCertificate,
        tips: &DecidedTips,
    ) -> Result<Self, ExecutionError> {
        let mut walks = Vec::with_capacity(proposal.cut.len());
        for entry in &proposal.cut {
            let lane = entry.position.lane;
            let tip = tips
                .get(&lane)
                .filter(|tip| tip.position.seq < entry.position.seq)
                .ok_or(ExecutionError::Fork { lane })?;
            let links = vec![entry.header_digest];
            walks.push(Walk { tip: tip.clone(), links, looked_up: false, done: false });
        }
        let absent = proposal.cut.iter().map(|entry| entry.header_digest).collect();
        Ok(Self { proposal, certificate, walks, bodies: BTreeMap::new(), absent })
    }

    /// Takes a body that was fetched; `false` if it is not part of this slot as far as known, or here already.
    pub fn insert(&mut self, batch: Arc<Batch>) -> bool {
        let digest = batch.digest();
        let wanted = self.absent.remove(&digest);
        if wanted {
            self.bodies.insert(digest, batch);
        }
        wanted
    }

    /// Takes what the lanes hold and says what is missing. Each body is looked up and named once, so that the calls for
    /// a slot together cost what it has batches.
    ///
    /// # Errors
    /// [`ExecutionError::Fork`] when the decided batches do not lead down to the decided tip: more than a third of
    /// the validators certified two branches.
    pub fn progress(&mut self, lanes: &dyn LaneView) -> Result<Progress, ExecutionError> {
        let mut missing = Vec::new();
        let (bodies, absent) = (&mut self.bodies, &mut self.absent);
        for (walk, entry) in self.walks.iter_mut().zip(&self.proposal.cut) {
            while !walk.done {
                let Some(digest) = walk.links.last().copied() else { break };
                if !std::mem::replace(&mut walk.looked_up, true) && absent.contains(&digest) {
                    if let Some(batch) = lanes.batch(&digest) {
                        absent.remove(&digest);
                        bodies.insert(digest, batch);
                    } else {
                        missing.push(Missing { digest, holders: lanes.holders(&digest) });
                    }
                }
                let known = bodies.get(&digest).map(|batch| batch.header());
                let header = known.or_else(|| lanes.header(&digest).map(|signed| &signed.header));
                let Some(header) = header else { break };
                let behind = count(walk.links.len()).saturating_sub(1);
                match next_link(header, entry, &walk.tip, behind)? {
                    Some(parent) => {
                        absent.insert(parent);
                        walk.links.push(parent);
                        walk.looked_up = false;
                    }
                    None => walk.done = true,
                }
            }
        }
        let complete = self.absent.is_empty() && self.walks.iter().all(|walk| walk.done);
        Ok(if complete {
            Progress::Complete(Box::new(self.slot()))
        } else {
            Progress::Missing(missing)
        })
    }

    fn slot(&self) -> DecidedSlot {
        let run = |walk: &Walk| {
            walk.links.iter().rev().filter_map(|digest| self.bodies.get(digest).cloned()).collect()
        };
        DecidedSlot {
            proposal: self.proposal.clone(),
            certificate: self.certificate.clone(),
            lanes: self.walks.iter().map(run).collect(),
        }
    }
}

/// The parent to follow from the header `behind` places before the cut entry, or `None` at the decided tip.
fn next_link(
    header: &BatchHeader,
    entry: &CutEntry,
    tip: &CutEntry,
    behind: u64,
) -> Result<Option<Hash>, ExecutionError> {
    let lane = entry.position.lane;
    let position = header.position;
    let expected = entry.position.seq.minus(behind);
    if position.lane != lane || position.seq != expected || position.seq <= tip.position.seq {
        return Err(ExecutionError::Fork { lane });
    }
    if position.seq.prev() > tip.position.seq {
        return Ok(Some(header.parent));
    }
    if header.parent == tip.header_digest { Ok(None) } else { Err(ExecutionError::Fork { lane }) }
}
