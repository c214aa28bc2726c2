//! Building and checking cuts: objective faults, what is only missing, and the timely checks with their traces.

#![expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail loudly")]

mod slot_support;

use rota_sequencer::LaneView as _;
use rota_sequencer::execution::OrderState;
use rota_sequencer::slot::{Need, Objective, Parent, SlotDesk, SlotFault, Work};
use rota_types::evidence::Evidence;
use rota_types::*;
use slot_support::*;

struct Bench {
    net: Net,
    lanes: FakeLanes,
    order: OrderState,
    desk: SlotDesk,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Genesis)) -> Self {
        let net = Net::with(4, change);
        let lanes = FakeLanes::new(&net);
        let order = OrderState::genesis(&net.genesis, &net.set);
        let desk = SlotDesk::new(&net.genesis, net.set.clone());
        Self { net, lanes, order, desk }
    }

    fn parent(&self) -> Parent<'_> {
        Parent { header_id: Hash::ZERO, order: &self.order }
    }

    fn build(&self, slot: u64) -> SlotProposal {
        self.desk.build(Height(1), Round(0), Slot(slot), self.parent(), &self.lanes, &[])
    }

    fn check(&self, proposal: &SlotProposal) -> Objective {
        let work = Work { height: Height(1), parent_slot: Slot(0), parent: Some(self.parent()) };
        self.desk.check(proposal, &work, &self.lanes)
    }

    fn batch(&mut self, rank: usize, n: u64) -> Hash {
        let txs: Vec<_> = (0..n).map(|i| tx(10, 50, &[rank as u8, i as u8])).collect();
        self.lanes.new_batch(&self.net, rank, &txs).digest()
    }

    fn certified(&mut self, rank: usize, n: u64) -> Hash {
        let digest = self.batch(rank, n);
        self.lanes.certify(&digest);
        digest
    }
}

#[test]
fn a_built_proposal_is_valid_and_names_only_advancing_lanes_in_order() {
    let mut bench = Bench::new();
    bench.certified(2, 3);
    bench.certified(0, 3);
    let newest = bench.certified(0, 1);
    bench.batch(1, 2);
    let proposal = bench.build(5);
    let lanes: Vec<_> = proposal.cut.iter().map(|entry| entry.position.lane).collect();
    assert_eq!(lanes, [bench.net.key(0), bench.net.key(2)]);
    assert_eq!(proposal.cut[0].header_digest, newest);
    assert_eq!(bench.check(&proposal), Objective::Valid);
    let empty = SlotProposal { cut: vec![], ..proposal };
    assert_eq!(bench.check(&empty), Objective::Valid, "omission is never an objective fault");
}

#[test]
fn each_objective_fault_has_its_name() {
    let mut bench = Bench::new();
    bench.certified(0, 3);
    bench.certified(1, 3);
    let good = bench.build(5);
    let faulty = |change: &dyn Fn(&mut SlotProposal)| {
        let mut proposal = good.clone();
        change(&mut proposal);
        match bench.check(&proposal) {
            Objective::Invalid(fault) => fault,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(faulty(&|p| p.cut.reverse()), SlotFault::Malformed(_)));
    assert!(matches!(faulty(&|p| p.height = Height(2)), SlotFault::WrongHeight));
    assert!(matches!(faulty(&|p| p.slot = Slot(0)), SlotFault::WrongSlot { .. }));
    assert!(matches!(
        faulty(&|p| p.parent_header = Hash([1; 32])),
        SlotFault::ParentMismatch { .. }
    ));
    assert!(matches!(
        faulty(&|p| p.cut[0].position.incarnation = Incarnation(1)),
        SlotFault::BadCertificate { .. }
    ));
    assert!(matches!(
        faulty(&|p| p.cut[1].position.lane = ValidatorKey([255; 32])),
        SlotFault::BadCertificate { .. }
    ));
    assert!(matches!(
        faulty(&|p| p.cut[0].header_digest = Hash([9; 32])),
        SlotFault::BadCertificate { .. }
    ));
    assert!(matches!(faulty(&|p| p.cut[0].position.seq = Seq(0)), SlotFault::NotAdvancing { .. }));
}

#[test]
fn what_is_missing_is_fetched_and_never_invalid() {
    let mut bench = Bench::new();
    let first = bench.certified(0, 3);
    bench.certified(0, 3);
    let proposal = bench.build(5);
    let entry = proposal.cut[0].clone();
    bench.lanes.lost_headers.insert(first);
    let need = Need::Header { position: entry.position, digest: first };
    assert_eq!(bench.check(&proposal), Objective::Wait(vec![need]));
    bench.lanes.lost_headers.clear();
    bench.lanes.certified.clear();
    let need = Need::Certificate { position: entry.position, digest: entry.header_digest };
    assert_eq!(bench.check(&proposal), Objective::Wait(vec![need]));
    let work = Work { height: Height(1), parent_slot: Slot(0), parent: None };
    assert_eq!(bench.desk.check(&proposal, &work, &bench.lanes), Objective::ParentUnknown);
}

#[test]
fn a_lane_stays_within_its_share_and_its_first_batch_always_fits() {
    let mut bench = Bench::with(|genesis| genesis.slot_txs_max = 40);
    let first = bench.certified(0, 30);
    let second = bench.certified(0, 2);
    let proposal = bench.build(5);
    assert_eq!(proposal.cut[0].header_digest, first);
    assert_eq!(bench.check(&proposal), Objective::Valid);
    let mut greedy = proposal;
    greedy.cut[0].header_digest = second;
    greedy.cut[0].position.seq = Seq(2);
    assert!(matches!(
        bench.check(&greedy),
        Objective::Invalid(SlotFault::OverLimit { txs: 32, .. })
    ));
}

#[test]
fn a_certificate_shown_to_one_voter_is_omitted_for_it_alone_and_valid_for_all() {
    let mut one = Bench::new();
    let digest = one.batch(0, 3);
    let mut other = Bench::new();
    other.batch(0, 3);
    one.lanes.certify(&digest);
    let timing = *one.desk.timing();
    let now = timing.known(Slot(5));
    assert_eq!(one.desk.tick(now, &one.lanes), Some(Slot(5)));
    assert_eq!(other.desk.tick(now, &other.lanes), Some(Slot(5)));
    let without = other.build(5);
    assert!(without.cut.is_empty());
    let now = timing.cut(Slot(5));
    assert_eq!(other.desk.timely(&without, now, other.parent(), &other.lanes), Ok(()));
    assert_eq!(
        one.desk.timely(&without, now, one.parent(), &one.lanes),
        Err(SlotFault::Omitted { lane: one.net.key(0), seq: Seq(1) })
    );
    assert_eq!(one.check(&without), Objective::Valid, "a locked value must stay acceptable");
}

#[test]
fn certificates_after_the_deadline_are_not_demanded() {
    let mut bench = Bench::new();
    bench.certified(0, 3);
    let timing = *bench.desk.timing();
    bench.desk.tick(timing.known(Slot(5)), &bench.lanes);
    let old = bench.build(5);
    bench.certified(0, 3);
    bench.certified(1, 3);
    let now = timing.cut(Slot(5));
    assert_eq!(bench.desk.timely(&old, now, bench.parent(), &bench.lanes), Ok(()));
    assert_eq!(bench.desk.tick(timing.known(Slot(5)).plus(1), &bench.lanes), None, "noted once");
    let late = timing.known(Slot(6)).plus(timing.tolerance_ms() + 1);
    assert_eq!(bench.desk.tick(late, &bench.lanes), None, "a missed note is not made up for");
}

#[test]
fn no_more_than_a_share_is_demanded_of_a_proposer() {
    let mut bench = Bench::with(|genesis| genesis.slot_txs_max = 40);
    bench.certified(0, 9);
    bench.certified(0, 9);
    let timing = *bench.desk.timing();
    bench.desk.tick(timing.known(Slot(5)), &bench.lanes);
    let proposal = bench.build(5);
    assert_eq!(proposal.cut[0].position.seq, Seq(1));
    let now = timing.cut(Slot(5));
    assert_eq!(bench.desk.timely(&proposal, now, bench.parent(), &bench.lanes), Ok(()));
}

#[test]
fn the_window_of_a_slot_is_from_its_cut_to_the_next_one_with_tolerance() {
    let bench = Bench::new();
    let timing = *bench.desk.timing();
    let proposal = bench.build(5);
    let timely = |now| bench.desk.timely(&proposal, now, bench.parent(), &bench.lanes);
    let (open, shut) = (timing.cut(Slot(5)), timing.cut(Slot(6)));
    let tolerance = timing.tolerance_ms();
    assert!(timely(open.minus(tolerance)).is_ok() && timely(shut.plus(tolerance)).is_ok());
    for now in [open.minus(tolerance + 1), shut.plus(tolerance + 1)] {
        assert!(matches!(timely(now), Err(SlotFault::WrongSlot { .. })));
    }
}

fn double_batch(bench: &mut Bench, rank: usize) -> Evidence {
    let tip = bench.lanes.newest[&bench.net.key(rank)];
    let a = bench.lanes.batch_after(&bench.net, rank, tip, &[tx(10, 50, b"a")]);
    let b = bench.lanes.batch_after(&bench.net, rank, tip, &[tx(10, 50, b"b")]);
    let (a, b) = if a.digest() < b.digest() { (a, b) } else { (b, a) };
    Evidence::DoubleBatch(Box::new((a.signed().clone(), b.signed().clone())))
}

#[test]
fn evidence_is_accepted_once_and_only_if_it_verifies() {
    let mut bench = Bench::new();
    let evidence = double_batch(&mut bench, 1);
    let build = |items: &[Evidence]| {
        let parent = bench.parent();
        bench.desk.build(Height(1), Round(0), Slot(5), parent, &bench.lanes, items)
    };
    let proposal = build(&[evidence.clone(), evidence.clone()]);
    assert_eq!(proposal.evidence.len(), 1);
    assert_eq!(bench.check(&proposal), Objective::Valid);
    let twice =
        SlotProposal { evidence: vec![evidence.clone(), evidence.clone()], ..proposal.clone() };
    let forged = match evidence {
        Evidence::DoubleBatch(mut pair) => {
            pair.0.signature.0[0] ^= 1;
            Evidence::DoubleBatch(pair)
        }
        _ => unreachable!(),
    };
    assert!(build(std::slice::from_ref(&forged)).evidence.is_empty());
    let forged = SlotProposal { evidence: vec![forged], ..proposal };
    for bad in [twice, forged] {
        assert!(matches!(bench.check(&bad), Objective::Invalid(SlotFault::BadEvidence { .. })));
    }
    assert!(bench.lanes.certified_tip(&bench.net.key(1)).is_none());
}
