//! Real lanes under the cut: four validators batch, certify, propose, check, gather and execute slots in virtual time.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    dead_code,
    reason = "tests fail loudly and use a part of the lanes' network"
)]

#[path = "lanes/net.rs"]
mod net;

use net::{CHAIN, Net, list};
use rota_sequencer::execution::{
    Assembly, DecidedSlot, DecidedTips, ExecutedSlot, Executor, Progress, locate,
};
use rota_sequencer::lanes::Event;
use rota_sequencer::slot::{Need, Objective, Parent, SlotDesk, Work};
use rota_types::bls::BlsSignature;
use rota_types::genesis::{GenesisRollup, GenesisValidator};
use rota_types::*;
use std::sync::Arc;

struct World {
    net: Net,
    desks: Vec<SlotDesk>,
    executors: Vec<Executor>,
    fetched: usize,
}

fn genesis(net: &Net) -> Genesis {
    let validator = |v: &Validator| GenesisValidator {
        name: v.key.to_string(),
        key: v.key,
        seal_key: v.seal_key,
        seal_possession: BlsSignature([0; 48]),
        weight: v.weight,
    };
    Genesis {
        chain_id: CHAIN,
        name: "lanes".into(),
        genesis_time: TimestampMs(net.now),
        slot_ms: 1_000,
        protocol_version: 1,
        validity_slots_max: 600,
        slot_bytes_max: 32 << 20,
        slot_txs_max: 4 << 20,
        lane_lead_max: 2_048,
        new_accounts_max: 8,
        emergency_bytes_max: 1 << 16,
        validators: net.set.as_slice().iter().map(validator).collect(),
        rollups: vec![GenesisRollup { id: RollupId(10), name: "r".into(), slot_bytes_max: 0 }],
    }
}

impl World {
    fn new() -> Self {
        let net = Net::new(4);
        let genesis = genesis(&net);
        let desks = (0..4).map(|_| SlotDesk::new(&genesis, net.set.clone())).collect();
        let executors = (0..4).map(|_| Executor::genesis(&genesis).unwrap()).collect();
        Self { net, desks, executors, fetched: 0 }
    }

    fn tick(&mut self) {
        let now = TimestampMs(self.net.now);
        for (desk, node) in self.desks.iter_mut().zip(&self.net.nodes) {
            desk.tick(now, &node.lanes);
        }
    }

    /// Moves time to the slot's deadline, shares tips, then to its cut.
    fn reach_cut(&mut self, slot: u64, proposer: usize) {
        let timing = *self.desks[0].timing();
        self.net.run(timing.known(Slot(slot)).0 - self.net.now);
        for i in 0..4 {
            self.net.verify_now(i);
        }
        self.tick();
        for i in (0..4).filter(|i| *i != proposer) {
            let to = vec![self.net.keys[proposer]];
            self.net.step(i, Event::ShareTips { to });
        }
        self.net.run(timing.cut(Slot(slot)).0 - self.net.now);
        self.net.verify_now(proposer);
    }

    fn propose(&self, slot: u64, by: usize) -> SlotProposal {
        let executor = &self.executors[by];
        let parent = Parent { header_id: executor.header_id(), order: executor.order() };
        let lanes = &self.net.nodes[by].lanes;
        let height = executor.height().next();
        self.desks[by].build(height, Round(0), Slot(slot), parent, lanes, &[])
    }

    /// The objective verdict of a voter, which asks the proposer for what it lacks.
    fn vote(&mut self, voter: usize, proposer: usize, proposal: &SlotProposal) {
        for _ in 0..20 {
            let executor = &self.executors[voter];
            let parent = Parent { header_id: executor.header_id(), order: executor.order() };
            let work = Work {
                height: executor.height().next(),
                parent_slot: executor.slot(),
                parent: Some(parent),
            };
            let lanes = &self.net.nodes[voter].lanes;
            match self.desks[voter].check(proposal, &work, lanes) {
                Objective::Valid => {
                    let now = TimestampMs(self.net.now);
                    self.desks[voter].timely(proposal, now, parent, lanes).unwrap();
                    return;
                }
                Objective::Wait(needs) => {
                    let from = self.net.keys[proposer];
                    for need in needs {
                        let Need::Certificate { position, digest } = need else {
                            panic!("no header is missing: {need:?}")
                        };
                        let entry = CutEntry { position, header_digest: digest };
                        self.net.step(voter, Event::Want { entry, from });
                    }
                    self.net.run(10);
                    self.net.verify_now(voter);
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("voter {voter} never has what it needs");
    }

    fn gather(&mut self, node: usize, proposal: &SlotProposal) -> DecidedSlot {
        let certificate = self.certify(proposal);
        let tips = DecidedTips::of(self.executors[node].order());
        let mut assembly = Assembly::new(proposal.clone(), certificate, &tips).unwrap();
        loop {
            match assembly.progress(&self.net.nodes[node].lanes).unwrap() {
                Progress::Complete(slot) => return *slot,
                Progress::Missing(missing) => {
                    for item in missing {
                        assert!(!item.holders.is_empty() && item.holders != [self.net.keys[node]]);
                        let holder = self.net.index_of(&item.holders[0]);
                        let ledger = &self.net.nodes[holder].ledger;
                        let body = ledger.iter().find(|b| b.digest() == item.digest).unwrap();
                        assert!(assembly.insert(Arc::clone(body)));
                        self.fetched += 1;
                    }
                }
            }
        }
    }

    fn certify(&self, proposal: &SlotProposal) -> CommitCertificate {
        let value = proposal.id(CHAIN);
        let mut signatures: Vec<_> = self
            .net
            .nodes
            .iter()
            .map(|node| {
                let signer = node.gate.signer();
                let vote = Vote {
                    kind: VoteKind::Precommit,
                    height: proposal.height,
                    round: proposal.round,
                    value: Some(value),
                    validator: signer.public_key(),
                };
                (signer.public_key(), vote.sign(CHAIN, &signer).signature)
            })
            .collect();
        signatures.sort_by_key(|(key, _)| *key);
        CommitCertificate { height: proposal.height, round: proposal.round, value, signatures }
    }

    fn slot(&mut self, slot: u64, proposer: usize) -> ExecutedSlot {
        self.reach_cut(slot, proposer);
        let proposal = self.propose(slot, proposer);
        for voter in 0..4 {
            self.vote(voter, proposer, &proposal);
        }
        let mut all = Vec::new();
        for node in 0..4 {
            let decided = self.gather(node, &proposal);
            decided.certificate.verify(CHAIN, &self.net.set).unwrap();
            let executed = self.executors[node].execute(&decided).unwrap();
            self.net.step(node, Event::Decided { tips: executed.tips.clone() });
            self.net.step(node, Event::Executed { terms: executed.order.terms() });
            for tip in &executed.tips {
                self.net.decided.insert(tip.position.lane, *tip);
            }
            all.push(executed);
        }
        assert!(all.iter().all(|executed| executed.record == all[0].record), "equal headers");
        all.swap_remove(0)
    }
}

#[test]
fn real_lanes_are_cut_checked_gathered_and_executed_alike_on_all_nodes() {
    let mut world = World::new();
    // Node 3 gets no batch of node 0: it must fetch bodies after the decision.
    world.net.no_batches.insert((0, 3));
    let mut records = Vec::new();
    for slot in 1..=6u64 {
        for author in 0..4u64 {
            for piece in 0..3 {
                let first = slot * 1_000 + author * 100 + piece * 10;
                let token = first;
                world.net.submit(author as usize, token, list(first..first + 5, 200));
                world.net.run(30);
            }
        }
        records.push(world.slot(slot, (slot % 4) as usize).record);
    }
    assert!(world.fetched > 0);
    world.net.check();
    let ordered: u64 = records.iter().map(|record| record.header.tx_count).sum();
    assert_eq!(ordered, 6 * 4 * 3 * 5, "everything submitted before a deadline is in its slot");
    for node in &world.net.nodes {
        for signed in node.receipts.values() {
            let receipt = &signed.receipt;
            let found = records.iter().find_map(|record| {
                let at = record.batches.iter().position(|b| b.position == receipt.position)?;
                let batch = node.ledger.iter().find(|b| b.digest() == record.batches[at].digest)?;
                let before: u32 = record.batches[..at].iter().map(|b| b.txs).sum();
                Some((record, batch, before + receipt.first_index))
            });
            let (record, batch, index) = found.expect("a receipted place is decided");
            let id = batch.body().get(receipt.first_index as usize).unwrap().id;
            assert_eq!(record.index_of(&id), Some(index));
        }
    }
    for record in &records {
        let batches: Vec<_> = record
            .batches
            .iter()
            .map(|b| world.net.nodes[0].ledger.iter().find(|h| h.digest() == b.digest).unwrap())
            .cloned()
            .collect();
        let ordered = locate(record, &batches).unwrap().filter(|tx| tx.skipped.is_none()).count();
        assert_eq!(ordered as u64, record.header.tx_count);
    }
}
