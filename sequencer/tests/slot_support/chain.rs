//! A chain of executed slots over lanes that certify what they are told to.

use super::*;
use rota_sequencer::execution::{ExecutedSlot, Executor};
use rota_sequencer::slot::{Parent, SlotDesk};
use rota_types::evidence::Evidence;

/// Batches, proposals, decisions and their execution, slot by slot.
pub struct Chain {
    pub net: Net,
    pub lanes: FakeLanes,
    pub executor: Executor,
    pub history: Vec<(DecidedSlot, ExecutedSlot)>,
}

impl Chain {
    pub fn new() -> Self {
        Self::of(Net::new(4))
    }

    pub fn of(net: Net) -> Self {
        let lanes = FakeLanes::new(&net);
        let executor = Executor::genesis(&net.genesis).unwrap();
        Self { net, lanes, executor, history: vec![] }
    }

    pub fn put(&mut self, rank: usize, txs: &[Transaction]) -> Arc<Batch> {
        self.lanes.certified_batch(&self.net, rank, txs)
    }

    pub fn propose(&self, slot: u64, evidence: &[Evidence]) -> SlotProposal {
        let desk = SlotDesk::new(&self.net.genesis, self.net.set.clone());
        let parent = Parent { header_id: self.executor.header_id(), order: self.executor.order() };
        let height = self.executor.height().next();
        desk.build(height, Round(0), Slot(slot), parent, &self.lanes, evidence)
    }

    pub fn run_with(&mut self, slot: u64, evidence: &[Evidence]) -> ExecutedSlot {
        let proposal = self.propose(slot, evidence);
        let decided = self.net.decide(proposal, &mut self.lanes);
        let executed = self.executor.execute(&decided).unwrap();
        self.history.push((decided, executed.clone()));
        executed
    }

    pub fn run(&mut self, slot: u64) -> ExecutedSlot {
        self.run_with(slot, &[])
    }
}
