//! Bodies that are missing, and transactions that wait while others order them.

use super::*;
use crate::disk::SimDisk;
use crate::guard::{Create, Guard};
use crate::limits::WANTS_IN_FLIGHT_MAX;
use rota_types::bls::SealSecret;
use rota_types::genesis::{GenesisRollup, GenesisValidator};
use rota_types::*;
use std::path::Path;

const CHAIN: u64 = 77;
/// A rollup with a quota that nothing fits.
const TINY: RollupId = RollupId(11);
/// Tags from here on are transactions of it.
const TINY_TAGS: u64 = 1_000_000;

/// A network of `n` authors and their batches, seen by the core of the first.
struct Scene {
    core: Core,
    executor: Executor,
    signers: Vec<Ed25519Signer>,
    now: TimestampMs,
    /// Effects of the last step.
    effects: Vec<Effect>,
    /// Bodies asked for so far.
    loads: Vec<Hash>,
}

fn genesis(signers: &[Ed25519Signer]) -> Genesis {
    let seal = SealSecret::derive(&[9; 32]).unwrap();
    let validators = signers.iter().map(|signer| GenesisValidator {
        name: signer.public_key().to_string(),
        key: signer.public_key(),
        seal_key: seal.public_key(),
        seal_possession: seal.prove_possession(CHAIN),
        weight: Weight(1),
    });
    Genesis {
        chain_id: CHAIN,
        name: "test".into(),
        genesis_time: TimestampMs(1_000_000),
        slot_ms: 1_200,
        protocol_version: 1,
        validity_slots_max: 600,
        slot_bytes_max: 64 << 20,
        slot_txs_max: 4_000_000,
        lane_lead_max: 2_048,
        new_accounts_max: 8,
        emergency_bytes_max: 1 << 16,
        validators: validators.collect(),
        rollups: vec![
            GenesisRollup { id: RollupId(10), name: "r".into(), slot_bytes_max: 0 },
            GenesisRollup { id: TINY, name: "tiny".into(), slot_bytes_max: 1 },
        ],
    }
}

fn signers(n: u8) -> Vec<Ed25519Signer> {
    let mut signers: Vec<_> = (1..=n).map(|i| Ed25519Signer::from_seed(&[i; 32])).collect();
    signers.sort_by_key(|signer| signer.public_key());
    signers
}

fn list(tag: u64) -> TransactionList {
    let payload = tag.to_le_bytes().to_vec();
    let rollup = if tag < TINY_TAGS { RollupId(10) } else { TINY };
    let tx = Transaction { rollup, valid_until_slot: Slot(50), payload };
    TransactionList::parse(codec::encode(&vec![tx]).into(), 4_096).unwrap()
}

/// The first `count` batches of a lane, one transaction each, tagged from `tag` on.
fn batches(signer: &Ed25519Signer, count: u64, tag: u64) -> Vec<Arc<Batch>> {
    let mut batches: Vec<Arc<Batch>> = Vec::new();
    for seq in 1..=count {
        let body = list(tag + seq);
        let before = batches.last();
        let header = BatchHeader {
            position: LanePosition {
                lane: signer.public_key(),
                incarnation: Incarnation(0),
                seq: Seq(seq),
            },
            parent: before.map_or(Hash::ZERO, |batch| batch.digest()),
            body_digest: ids_tree::root(CHAIN, body.ids()),
            cumulative_bytes: before.map_or(0, |b| b.header().cumulative_bytes) + body.tx_bytes(),
            cumulative_txs: seq,
        };
        let signed = header.sign(CHAIN, signer);
        batches.push(Arc::new(Batch::from_lists(CHAIN, signed, &[&body]).unwrap()));
    }
    batches
}

fn decision(cut: impl Iterator<Item = Arc<Batch>>) -> (SlotProposal, CommitCertificate) {
    let entry =
        |batch: Arc<Batch>| CutEntry { position: batch.position(), header_digest: batch.digest() };
    let proposal = SlotProposal {
        height: Height(1),
        round: Round(0),
        slot: Slot(1),
        parent_header: Hash::ZERO,
        cut: cut.map(entry).collect(),
        evidence: Vec::new(),
    };
    let value = proposal.id(CHAIN);
    let certificate =
        CommitCertificate { height: Height(1), round: Round(0), value, signatures: Vec::new() };
    (proposal, certificate)
}

impl Scene {
    fn new(n: u8, batch_marks: Vec<Mark>) -> Self {
        let signers = signers(n);
        let genesis = Arc::new(genesis(&signers));
        let (me, disk) = (signers[0].public_key(), SimDisk::new());
        let (guard, ..) =
            Guard::open(disk.shared(), Path::new("/guard.log"), me, Create::New).unwrap();
        let seal = SealSecret::derive(&[9; 32]).unwrap();
        let gate = SigningGate::new(Ed25519Signer::from_seed(&seed_of(n, me)), seal, guard);
        let executor = Executor::genesis(&genesis).unwrap();
        let restored = Restored {
            executor: executor.clone(),
            sealed: Height::GENESIS,
            undecided: Vec::new(),
            batch_marks,
            own_closed: None,
            rejoin: None,
            vote_marks: BTreeMap::new(),
            voted: Height::GENESIS,
            wals: BTreeMap::new(),
            unsealed: Vec::new(),
            lookup_salt: [9; 16],
        };
        let now = genesis.genesis_time;
        let known: Known = Arc::new(|_| false);
        let (core, effects) = Core::new(now, genesis, gate, known, restored).unwrap();
        let mut scene = Self { core, executor, signers, now, effects: vec![], loads: vec![] };
        scene.note(effects);
        scene
    }

    /// Bodies that these effects ask for.
    fn note(&mut self, effects: Vec<Effect>) -> usize {
        let before = self.loads.len();
        self.loads.extend(effects.iter().filter_map(|effect| match effect {
            Effect::LoadBatch { digest } => Some(*digest),
            _ => None,
        }));
        self.effects = effects;
        self.loads.len() - before
    }

    fn step(&mut self, input: Input) -> usize {
        let effects = self.core.step(self.now, input);
        self.note(effects)
    }

    fn decide(&mut self, (proposal, certificate): (SlotProposal, CommitCertificate)) {
        self.core.on_decided(proposal, certificate);
        let effects = self.core.run(self.now);
        self.note(effects);
    }

    fn give(&mut self, batch: &Arc<Batch>) -> usize {
        let (from, batch) = (batch.position().lane, Arc::clone(batch));
        self.step(Input::Batch { from, batch })
    }

    /// Peers that have nothing, and time in which all is asked for again and again.
    fn wait_in_vain(&mut self) -> usize {
        let mut asked = 0;
        let keys: Vec<_> = self.signers[1..4].iter().map(Ed25519Signer::public_key).collect();
        for (peer, key) in (1..).zip(keys) {
            let validator = Some(key);
            asked += self.step(Input::PeerUp { peer, validator });
        }
        for _ in 0..40 {
            self.now = self.now.plus(250);
            asked += self.step(Input::Tick);
        }
        asked
    }

    fn each_was_asked_for_once(&self, mut expected: Vec<Hash>) {
        let mut loads = self.loads.clone();
        loads.sort_unstable();
        expected.sort_unstable();
        assert_eq!(loads, expected);
    }
}

fn seed_of(n: u8, key: ValidatorKey) -> [u8; 32] {
    let seeds = (1..=n).map(|i| [i; 32]);
    let mut own = seeds.filter(|seed| Ed25519Signer::from_seed(seed).public_key() == key);
    own.next().unwrap()
}

#[test]
fn an_own_lane_that_lost_its_batches_asks_for_each_once_and_few_at_a_time() {
    let own = batches(&signers(4)[0], 5 * WANTS_IN_FLIGHT_MAX as u64, 0);
    let mark = |batch: &Arc<Batch>| {
        let LanePosition { incarnation, seq, .. } = batch.position();
        Mark { place: MarkPlace::OwnBatch { incarnation, seq }, digest: batch.digest() }
    };
    let mut scene = Scene::new(4, own.iter().map(mark).collect());
    assert_eq!(scene.loads.len(), WANTS_IN_FLIGHT_MAX);
    assert_eq!(scene.wait_in_vain(), 0, "it was asked for already");
    for batch in &own {
        assert!(scene.core.lanes().halt().is_some());
        assert!(scene.give(batch) <= 1, "a place for each that came");
        assert_eq!(scene.give(batch), 0);
    }
    assert_eq!(scene.core.lanes().halt(), None);
    scene.each_was_asked_for_once(own.iter().map(|batch| batch.digest()).collect());
}

#[test]
fn a_decided_slot_asks_for_each_body_once_and_few_at_a_time() {
    let mut scene = Scene::new(100, Vec::new());
    let lanes: Vec<_> = (1..100).map(|i| batches(&scene.signers[i], 2, i as u64 * 100)).collect();
    scene.decide(decision(lanes.iter().map(|lane| Arc::clone(&lane[1]))));
    assert_eq!(scene.loads.len(), WANTS_IN_FLIGHT_MAX);
    assert_eq!(scene.wait_in_vain(), 0, "it was asked for already");
    for batch in lanes.iter().map(|lane| &lane[1]).chain(lanes.iter().map(|lane| &lane[0])) {
        assert!(!scene.effects.iter().any(|effect| matches!(effect, Effect::Execute(_))));
        assert!(scene.give(batch) <= 1, "a place for each that came");
    }
    assert!(scene.effects.iter().any(|effect| matches!(effect, Effect::Execute(_))));
    scene.each_was_asked_for_once(lanes.iter().flatten().map(|batch| batch.digest()).collect());
}

#[test]
fn bodies_that_came_with_a_slot_of_catch_up_are_not_asked_for() {
    let mut scene = Scene::new(4, Vec::new());
    let lane = batches(&scene.signers[1], 8, 0);
    scene.core.synced = lane.iter().map(|batch| (batch.digest(), Arc::clone(batch))).collect();
    scene.decide(decision(lane.last().cloned().into_iter()));
    assert!(scene.effects.iter().any(|effect| matches!(effect, Effect::Execute(_))));
    assert_eq!(scene.loads, []);
}

/// A slot with the transaction of this tag, from another lane, while it waits here for the next own batch.
fn ordered_elsewhere(scene: &mut Scene, tag: u64) -> Box<rota_sequencer::execution::ExecutedSlot> {
    scene.step(Input::Submit { token: 1, list: list(tag - 1) });
    scene.step(Input::Submit { token: 2, list: list(tag) });
    let elsewhere = batches(&scene.signers[1], 1, tag - 1);
    scene.give(&elsewhere[0]);
    scene.decide(decision(elsewhere.into_iter()));
    let decided = scene.effects.iter().find_map(|effect| match effect {
        Effect::Execute(decided) => Some(decided.clone()),
        _ => None,
    });
    // The second submission would be sealed by the time that its slot is executed.
    scene.now = scene.now.plus(1_000);
    Box::new(scene.executor.execute(&decided.unwrap()).unwrap())
}

#[test]
fn what_was_skipped_elsewhere_and_may_be_ordered_later_stays_here() {
    let mut scene = Scene::new(4, Vec::new());
    let executed = ordered_elsewhere(&mut scene, TINY_TAGS + 2);
    assert_eq!(executed.record.skips, [(0, RefusalCode::Quota)]);
    assert_eq!((executed.record.prefixes.len(), executed.record.settled()), (1, Vec::new()));
    scene.step(Input::Executed { executed, checkpoint: None });
    let refused = |effect: &Effect| matches!(effect, Effect::Refuse { .. });
    assert!(!scene.effects.iter().any(refused));
    assert!(scene.effects.iter().any(|effect| matches!(effect, Effect::StoreBatch(_))));
}

#[test]
fn a_submission_that_waited_while_its_slot_was_executed_is_refused_by_index() {
    let known = list(7).ids().next();
    let mut scene = Scene::new(4, Vec::new());
    scene.core.known = Arc::new(move |id| Some(*id) == known);
    scene.step(Input::Submit { token: 5, list: list(7) });
    let refused = scene.effects.iter().any(|effect| {
        matches!(effect, Effect::Refuse { token: 5, refusal, retry_ms: None }
            if refusal.code == RefusalCode::Duplicate && refusal.value == Some(0))
    });
    assert!(refused);
}

#[test]
fn what_waits_here_and_was_ordered_elsewhere_is_refused_and_never_batched() {
    let mut scene = Scene::new(4, Vec::new());
    let executed = ordered_elsewhere(&mut scene, 2);
    assert_eq!((executed.record.prefixes.len(), executed.record.settled().len()), (1, 1));
    scene.step(Input::Executed { executed, checkpoint: None });
    let refused = scene.effects.iter().find_map(|effect| match effect {
        Effect::Refuse { token, refusal, .. } => Some((*token, refusal.code, refusal.value)),
        _ => None,
    });
    assert_eq!(refused, Some((2, RefusalCode::Duplicate, Some(0))));
    assert!(!scene.effects.iter().any(|effect| matches!(effect, Effect::StoreBatch(_))));
}
