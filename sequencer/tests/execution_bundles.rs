//! Bundles of an executed, sealed slot: accepted by the stranger's check, refused with any bit flipped.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

mod slot_support;

use rota_keystore::keys::KeyKind;
use rota_keystore::wallet::{Request, WalletKey, single_key_config};
use rota_keystore::{Init, KeystoreId};
use rota_sequencer::bundles::Sealed;
use rota_sequencer::execution::{ExecutedSlot, Executor};
use rota_sequencer::slot::{Parent, SlotDesk};
use rota_types::bundle::{FinalityBundle, Verified};
use rota_types::*;
use slot_support::*;

struct Slot1 {
    net: Net,
    executed: ExecutedSlot,
    seal: Seal,
    account: KeystoreId,
    transaction: Transaction,
}

impl Slot1 {
    fn new() -> Self {
        let net = Net::new(2);
        let mut lanes = FakeLanes::new(&net);
        let wallet = WalletKey::from_secret(KeyKind::Ed25519, &[9; 32]).unwrap();
        let init =
            Init { salt: Hash([1; 32]), config: single_key_config(wallet.public_key().clone()) };
        let account = init.keystore_id();
        let payload = Request::init(CHAIN, init, Slot(50)).sign(&[&wallet]).unwrap();
        let transaction = tx(10, 50, b"paid");
        lanes.certified_batch(&net, 0, &[tx(11, 50, b"a"), transaction.clone()]);
        lanes.certified_batch(&net, 1, &[tx(10, 50, b"b"), tx(0, 50, &payload)]);
        let mut executor = Executor::genesis(&net.genesis).unwrap();
        let desk = SlotDesk::new(&net.genesis, net.set.clone());
        let parent = Parent { header_id: Hash::ZERO, order: executor.order() };
        let proposal = desk.build(Height(1), Round(0), Slot(5), parent, &lanes, &[]);
        let decided = net.decide(proposal, &mut lanes);
        let executed = executor.execute(&decided).unwrap();
        assert_eq!(executed.record.skips, []);
        let id = executed.header_id;
        let signed: Vec<_> =
            (0..2).map(|rank| (net.key(rank), net.seals[rank].seal(CHAIN, &id))).collect();
        let seal = Seal::aggregate(id, &net.set, &signed).unwrap();
        Self { net, executed, seal, account, transaction }
    }

    fn sealed(&self) -> Sealed<'_> {
        Sealed {
            genesis: self.net.genesis.hash(),
            header: &self.executed.header,
            validators: &self.net.set,
            seal: &self.seal,
        }
    }

    fn bundles(&self) -> Vec<(FinalityBundle, Verified)> {
        let namespaces = &self.executed.namespaces;
        let id = self.transaction.id();
        let place = namespaces.ids(RollupId(10)).iter().position(|found| *found == id).unwrap();
        let index = u64::try_from(place).unwrap();
        let bytes = codec::encode(&self.transaction);
        let sealed = self.sealed();
        let keystore = &self.executed.keystore;
        let nobody = KeystoreId(Hash([3; 32]));
        vec![
            (
                sealed.transaction(namespaces, &bytes, index).unwrap(),
                Verified::Transaction { id, rollup: RollupId(10), index },
            ),
            (
                sealed.namespace(namespaces, RollupId(10)).unwrap(),
                Verified::Namespace { rollup: RollupId(10), count: 2 },
            ),
            (
                sealed.namespace(namespaces, RollupId(12)).unwrap(),
                Verified::Namespace { rollup: RollupId(12), count: 0 },
            ),
            (
                sealed.account(keystore, &self.account).unwrap(),
                Verified::Account { keystore_id: self.account.0, present: true },
            ),
            (
                sealed.account(keystore, &nobody).unwrap(),
                Verified::Account { keystore_id: nobody.0, present: false },
            ),
        ]
    }
}

#[test]
fn every_kind_of_bundle_is_accepted_by_genesis_alone() {
    let slot = Slot1::new();
    for (bundle, verified) in slot.bundles() {
        let read = FinalityBundle::from_bytes(&bundle.to_bytes()).unwrap();
        assert_eq!(read.verify(&slot.net.genesis), Ok(verified));
        let other = Net::with(2, |genesis| genesis.name = "other".into());
        assert_eq!(read.verify(&other.genesis).unwrap_err().check, "genesis");
    }
}

#[test]
fn any_single_flipped_bit_is_refused_with_the_check_that_failed() {
    let slot = Slot1::new();
    for (bundle, _) in slot.bundles() {
        let bytes = bundle.to_bytes();
        for at in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            if let Some(byte) = bad.get_mut(at / 8) {
                *byte ^= 1 << (at % 8);
            }
            let checked = FinalityBundle::from_bytes(&bad)
                .and_then(|bundle| bundle.verify(&slot.net.genesis));
            assert!(checked.is_err(), "bit {at} of {}", bytes.len() * 8);
        }
    }
}

#[test]
fn what_does_not_belong_to_the_header_is_not_bundled() {
    let slot = Slot1::new();
    let namespaces = &slot.executed.namespaces;
    let bytes = codec::encode(&slot.transaction);
    let sealed = slot.sealed();
    assert!(sealed.transaction(namespaces, &bytes, 7).is_err());
    assert!(sealed.transaction(namespaces, &codec::encode(&tx(10, 50, b"never")), 0).is_err());
    assert!(sealed.namespace(&Default::default(), RollupId(10)).is_err());
    let keystore =
        rota_keystore::KeystoreState::new(rota_keystore::Params::from_genesis(&slot.net.genesis));
    assert!(sealed.account(&keystore, &slot.account).is_err());
}
