//! The keystore rollup inside a slot: emergency operations first, each at its own place, refusals as skip codes.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod slot_support;

use rota_keystore::keys::KeyKind;
use rota_keystore::wallet::{Request, WalletKey, rotate, single_key_config};
use rota_keystore::{Config, FreezeAuthority, Init, KeystoreId, Op, Status};
use rota_sequencer::execution::{ExecutedSlot, Executor};
use rota_sequencer::order::start_rank;
use rota_sequencer::slot::{Parent, SlotDesk};
use rota_types::*;
use slot_support::*;

struct Wallet {
    key: WalletKey,
    config: Config,
    id: KeystoreId,
    init: Init,
}

impl Wallet {
    fn new(seed: u8) -> Self {
        let key = WalletKey::from_secret(KeyKind::Ed25519, &[seed; 32]).unwrap();
        let config = single_key_config(key.public_key().clone());
        let init = Init { salt: Hash([seed; 32]), config: config.clone() };
        Self { key, config, id: init.keystore_id(), init }
    }

    fn request(&self, seq: u64, op: Op) -> Request {
        Request {
            chain_id: CHAIN,
            keystore_id: self.id,
            seq,
            valid_until_slot: Slot(50),
            init: None,
            op,
        }
    }

    fn create(&self) -> Transaction {
        let request = Request::init(CHAIN, self.init.clone(), Slot(50));
        tx(0, 50, &request.sign(&[&self.key]).unwrap())
    }

    fn rotate(&self, seq: u64, new: &WalletKey) -> Transaction {
        let op = rotate(&self.config, &self.key.key_id(), new.public_key().clone()).unwrap();
        tx(0, 50, &self.request(seq, op).sign(&[&self.key, new]).unwrap())
    }

    fn freeze(&self, until: u64) -> Transaction {
        let op = Op::Freeze {
            until: Slot(until),
            config_seq: 0,
            freeze_count: 0,
            authority: FreezeAuthority::Freeze,
        };
        tx(0, 50, &self.request(0, op).sign(&[&self.key]).unwrap())
    }
}

struct Chain {
    net: Net,
    lanes: FakeLanes,
    executor: Executor,
}

impl Chain {
    fn new() -> Self {
        let net = Net::new(4);
        let lanes = FakeLanes::new(&net);
        let executor = Executor::genesis(&net.genesis).unwrap();
        Self { net, lanes, executor }
    }

    fn propose(&self, slot: u64) -> SlotProposal {
        let desk = SlotDesk::new(&self.net.genesis, self.net.set.clone());
        let header_id = self.executor.header_id();
        let parent = Parent { header_id, order: self.executor.order() };
        desk.build(self.executor.height().next(), Round(0), Slot(slot), parent, &self.lanes, &[])
    }

    fn run(&mut self, slot: u64) -> ExecutedSlot {
        let decided = self.net.decide(self.propose(slot), &mut self.lanes);
        self.executor.execute(&decided).unwrap()
    }

    /// Puts one transaction into each of two lanes such that `first` is before `second` in the slot's order.
    fn put_in_order(&mut self, slot: u64, first: &Transaction, second: &Transaction) {
        let before = self.lanes.clone();
        // Each pair of lanes makes another proposal, and so another start.
        for (a, b) in (0..4).flat_map(|a| (0..4).filter(move |b| *b != a).map(move |b| (a, b))) {
            self.lanes = before.clone();
            self.lanes.certified_batch(&self.net, a, std::slice::from_ref(first));
            self.lanes.certified_batch(&self.net, b, std::slice::from_ref(second));
            let start = start_rank(&self.propose(slot).id(CHAIN), 4);
            if (a + 4 - start) % 4 < (b + 4 - start) % 4 {
                return;
            }
        }
        panic!("some pair of lanes stands in this order");
    }
}

#[test]
fn an_emergency_freeze_runs_before_what_stands_before_it_in_the_slot() {
    let wallet = Wallet::new(1);
    let thief = WalletKey::from_secret(KeyKind::Ed25519, &[66; 32]).unwrap();
    let mut chain = Chain::new();
    chain.lanes.certified_batch(&chain.net, 0, &[wallet.create()]);
    assert_eq!(chain.run(5).record.skips, []);
    let (theft, freeze) = (wallet.rotate(1, &thief), wallet.freeze(100));
    chain.put_in_order(6, &theft, &freeze);
    let executed = chain.run(6);
    let account = executed.keystore.auth_leaf(&wallet.id).unwrap();
    assert_eq!((account.status, account.frozen_until), (Status::Frozen, Slot(100)));
    assert_eq!(executed.namespaces.ids(RollupId(0)).len(), executed.keystore_outcomes.len());
    // A CONFIG operation is allowed while frozen, but the freeze ran first, whatever its index.
    let outcomes: Vec<_> = executed.keystore_outcomes.iter().map(|(_, o)| o.unwrap()).collect();
    let frozen = outcomes.iter().find(|effects| effects.auth_leaf.auth_seq == 1).unwrap();
    assert_eq!(frozen.auth_leaf.status, Status::Frozen);
    assert_eq!(executed.keystore_outcomes.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn an_operation_runs_after_its_predecessor_of_the_same_slot_and_else_is_a_gap() {
    let wallet = Wallet::new(2);
    let mut chain = Chain::new();
    let next = WalletKey::from_secret(KeyKind::Ed25519, &[3; 32]).unwrap();
    chain.put_in_order(5, &wallet.rotate(1, &next), &wallet.create());
    let executed = chain.run(5);
    assert_eq!(executed.record.skips, []);
    let alone = Wallet::new(4);
    chain.lanes.certified_batch(&chain.net, 2, &[alone.rotate(1, &next), tx(10, 50, b"x")]);
    let executed = chain.run(6);
    assert_eq!(executed.record.skips, [(0, RefusalCode::SeqGap)]);
    assert_eq!((executed.header.tx_count, executed.header.skipped_count), (1, 1));
    assert!(executed.namespaces.ids(RollupId(0)).is_empty());
    assert_eq!(executed.header.keystore_root, executed.keystore.root());
}

#[test]
fn a_refused_operation_may_be_sent_again_and_an_executed_one_may_not() {
    let wallet = Wallet::new(5);
    let next = WalletKey::from_secret(KeyKind::Ed25519, &[6; 32]).unwrap();
    let early = wallet.rotate(1, &next);
    let mut chain = Chain::new();
    chain.lanes.certified_batch(&chain.net, 0, std::slice::from_ref(&early));
    assert_eq!(chain.run(5).record.skips, [(0, RefusalCode::SeqGap)]);
    chain.lanes.certified_batch(&chain.net, 0, &[wallet.create(), early.clone()]);
    assert_eq!(chain.run(6).record.skips, []);
    chain.lanes.certified_batch(&chain.net, 0, &[early]);
    assert_eq!(chain.run(7).record.skips, [(0, RefusalCode::Duplicate)]);
}

#[test]
fn each_bad_envelope_is_skipped_with_the_code_of_the_doors() {
    let wallet = Wallet::new(7);
    let good = Request::init(CHAIN, wallet.init.clone(), Slot(50)).sign(&[&wallet.key]).unwrap();
    let mut forged = good.clone();
    let inside_the_signature = forged.len() - 10;
    *forged.get_mut(inside_the_signature).unwrap() ^= 1;
    let foreign =
        Request::init(CHAIN + 1, wallet.init.clone(), Slot(50)).sign(&[&wallet.key]).unwrap();
    let mut chain = Chain::new();
    let txs = [
        tx(0, 50, b""),
        tx(0, 49, &good),
        tx(0, 50, &forged),
        tx(0, 50, &foreign),
        tx(0, 4, &good),
    ];
    chain.lanes.certified_batch(&chain.net, 0, &txs);
    let codes: Vec<_> = chain.run(5).record.skips.iter().map(|(_, code)| *code).collect();
    assert_eq!(
        codes,
        [
            RefusalCode::BadEnvelope,
            RefusalCode::ValidUntilMismatch,
            RefusalCode::BadSignature,
            RefusalCode::WrongChain,
            RefusalCode::Expired,
        ]
    );
}

#[test]
fn a_restart_keeps_the_keystore() {
    let wallet = Wallet::new(8);
    let mut chain = Chain::new();
    chain.lanes.certified_batch(&chain.net, 0, &[wallet.create()]);
    let record = chain.run(5).record;
    let bytes = chain.executor.to_checkpoint();
    let mut restored = Executor::from_checkpoint(&chain.net.genesis, &bytes).unwrap();
    restored.load_window(&record).unwrap();
    let next = WalletKey::from_secret(KeyKind::Ed25519, &[9; 32]).unwrap();
    chain.lanes.certified_batch(&chain.net, 1, &[wallet.create(), wallet.rotate(1, &next)]);
    let decided = chain.net.decide(chain.propose(6), &mut chain.lanes);
    let executed = chain.executor.execute(&decided).unwrap();
    assert_eq!(executed.record.skips, [(0, RefusalCode::Duplicate)]);
    assert_eq!(restored.execute(&decided).unwrap().header, executed.header);
}
