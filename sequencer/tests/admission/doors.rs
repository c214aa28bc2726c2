//! Each bad input, its code, its numbers, and what gossip does with it.

use rota_keystore::keys::KeyKind;
use rota_keystore::wallet::{Request, WalletKey, rotate, single_key_config};
use rota_keystore::{Init, KeystoreState, Params};
use rota_sequencer::admission::{
    AdmissionContext, Rollups, Verdict, admit, admit_list, check_bytes, judge_bundle, judge_gossip,
};
use rota_types::limits::{BUNDLE_BYTES_MAX, TX_BYTES_MAX};
use rota_types::{Hash, Refusal, RefusalCode, RollupId, Slot, Transaction, TransactionList, TxId};

pub(crate) const CHAIN: u64 = 77;
pub(crate) const V: u64 = 64;

pub(crate) fn tx(rollup: u64, until: u64, payload: &[u8]) -> Transaction {
    Transaction {
        rollup: RollupId(rollup),
        valid_until_slot: Slot(until),
        payload: payload.to_vec(),
    }
}

pub(crate) fn list(txs: &[Transaction]) -> TransactionList {
    TransactionList::parse(borsh::to_vec(txs).unwrap().into(), 1 << 20).unwrap()
}

pub(crate) fn with_context<T>(
    known: &dyn Fn(&TxId) -> bool,
    keystore: Option<&KeystoreState>,
    run: impl FnOnce(&AdmissionContext<'_>) -> T,
) -> T {
    let rollups = Rollups::new([(RollupId(10), 0), (RollupId(8453), 1 << 20)]);
    run(&AdmissionContext {
        chain_id: CHAIN,
        slot: Slot(100),
        validity_slots_max: V,
        rollups: &rollups,
        known,
        keystore,
        system: None,
    })
}

fn judge(tx: Transaction) -> Result<(), Refusal> {
    let list = list(&[tx]);
    with_context(&|_| false, None, |context| admit(&list.get(0).unwrap(), context))
}

pub(crate) fn keystore_init(chain: u64, until: u64, outer: u64) -> Transaction {
    let key = WalletKey::from_secret(KeyKind::Ed25519, &[5; 32]).unwrap();
    let init = Init { salt: Hash([1; 32]), config: single_key_config(key.public_key().clone()) };
    let payload = Request::init(chain, init, Slot(until)).sign(&[&key]).unwrap();
    tx(0, outer, &payload)
}

#[test]
fn validity_is_a_window_of_slots_with_limit_and_value() {
    assert_eq!(judge(tx(10, 100, b"x")), Ok(()), "its last slot is still one");
    let expired = judge(tx(10, 99, b"x")).unwrap_err();
    assert_eq!(expired, Refusal::at_limit(RefusalCode::Expired, 100, 99));
    assert_eq!(judge(tx(10, 100 + V - 2, b"x")), Ok(()));
    let far = judge(tx(10, 100 + V - 1, b"x")).unwrap_err();
    assert_eq!(far, Refusal::at_limit(RefusalCode::TooFarAhead, 100 + V - 2, 100 + V - 1));
    assert!(judge(tx(10, u64::MAX, b"x")).is_err());
}

#[test]
fn unknown_rollups_and_known_ids_are_refused_by_name() {
    let unknown = judge(tx(11, 110, b"x")).unwrap_err();
    assert_eq!((unknown.code, unknown.value), (RefusalCode::UnknownRollup, Some(11)));
    assert_eq!(judge(tx(8453, 110, b"x")), Ok(()));
    let twice = list(&[tx(10, 110, b"x")]);
    let refusal = with_context(&|_| true, None, |c| admit(&twice.get(0).unwrap(), c)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Duplicate);
}

#[test]
fn executed_payloads_are_judged_by_their_bytes() {
    assert_eq!(judge(keystore_init(CHAIN, 110, 110)), Ok(()));
    let cases = [
        (keystore_init(CHAIN + 1, 110, 110), RefusalCode::WrongChain),
        (keystore_init(CHAIN, 110, 111), RefusalCode::ValidUntilMismatch),
        (tx(0, 110, b"nonsense"), RefusalCode::BadEnvelope),
        (tx(1, 110, b"op"), RefusalCode::BadSystemOp),
    ];
    for (bad, code) in cases {
        let list = list(std::slice::from_ref(&bad));
        assert_eq!(check_bytes(&list.get(0).unwrap(), CHAIN).unwrap_err().code, code);
        assert_eq!(judge(bad).unwrap_err().code, code);
        assert!(code.from_bytes_alone());
    }
    let mut forged = keystore_init(CHAIN, 110, 110);
    let near_end = forged.payload.len() - 40;
    forged.payload[near_end] ^= 1;
    assert_eq!(judge(forged).unwrap_err().code, RefusalCode::BadSignature);
}

#[test]
fn keystore_sequence_is_judged_by_state_where_there_is_one() {
    let params = Params {
        chain_id: CHAIN,
        slot_ms: 12_000,
        validity_slots: V,
        new_accounts_max: 8,
        accounts_max: 100,
        emergency_bytes_max: 1 << 16,
        units_max: 48_000,
        state_bytes_max: 1 << 20,
    };
    let state = KeystoreState::new(params);
    let key = WalletKey::from_secret(KeyKind::Ed25519, &[5; 32]).unwrap();
    let other = WalletKey::from_secret(KeyKind::Ed25519, &[6; 32]).unwrap();
    let config = single_key_config(key.public_key().clone());
    let init = Init { salt: Hash([1; 32]), config: config.clone() };
    let mut request = Request::init(CHAIN, init, Slot(110));
    request.init = None;
    request.op = rotate(&config, &key.key_id(), other.public_key().clone()).unwrap();
    let payload = request.sign(&[&key]).unwrap();
    let rotation = list(&[tx(0, 110, &payload)]);
    let view = rotation.get(0).unwrap();
    assert_eq!(check_bytes(&view, CHAIN), Ok(()), "nothing is wrong with its bytes");
    let refusal = with_context(&|_| false, Some(&state), |c| admit(&view, c)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::UnknownAccount);
    assert!(!refusal.code.from_bytes_alone(), "gossip ignores it: state differs between nodes");
    let good = list_of_init();
    let view = good.get(0).unwrap();
    assert_eq!(with_context(&|_| false, Some(&state), |c| admit(&view, c)), Ok(()));
}

fn list_of_init() -> TransactionList {
    list(&[keystore_init(CHAIN, 110, 110)])
}

#[test]
fn a_bundle_is_forwarded_when_more_than_half_of_it_is_new_and_admissible() {
    let judge = |txs: &[Transaction]| {
        let list = list(txs);
        with_context(&|_| false, None, |context| judge_bundle(&list, context, &mut |_| Ok(())))
    };
    let good = |n: u8| tx(10, 110, &[n; 100]);
    let old = |n: u8| tx(10, 5, &[n; 100]);
    let verdict = judge(&[good(1), good(2), old(3)]);
    assert_eq!((verdict.verdict, verdict.admitted), (Verdict::Accept, vec![0, 1]));
    let verdict = judge(&[good(1), old(2)]);
    assert_eq!(verdict.verdict, Verdict::Ignore, "exactly half is not more than half");
    assert_eq!(verdict.admitted, [0], "the good one is taken all the same");
    assert_eq!(verdict.refusals[0].1.code, RefusalCode::Expired);
    let verdict = judge(&[good(1), good(1), good(1)]);
    assert_eq!((verdict.verdict, verdict.admitted), (Verdict::Ignore, vec![0]));
    let verdict = judge(&[good(1), tx(0, 110, b"nonsense")]);
    assert_eq!(verdict.verdict, Verdict::Reject);
    assert!(verdict.admitted.is_empty(), "nothing of a rejected bundle is taken");
    let verdict = judge(&[good(1), tx(0, 5, b"nonsense")]);
    assert_ne!(verdict.verdict, Verdict::Reject, "what is late here may be judged elsewhere");
}

#[test]
fn what_the_pool_has_no_room_for_is_not_forwarded() {
    let list = list(&[tx(10, 110, &[1; 100])]);
    let verdict = with_context(&|_| false, None, |c| judge_bundle(&list, c, &mut |_| Ok(())));
    assert_eq!(verdict.after_pool(120, 120), Verdict::Accept);
    assert_eq!(verdict.after_pool(60, 120), Verdict::Ignore);
}

#[test]
fn gossip_that_is_no_list_is_rejected_with_its_code() {
    let whole = borsh::to_vec(&vec![tx(10, 110, &[1; 50])]).unwrap();
    let mut trailing = whole.clone();
    trailing.push(0);
    let oversize = borsh::to_vec(&vec![tx(10, 110, &vec![0; TX_BYTES_MAX])]).unwrap();
    let cases = [
        (whole[..20].to_vec(), RefusalCode::Undecodable),
        (trailing, RefusalCode::TrailingBytes),
        (oversize, RefusalCode::Oversize),
        (vec![0; BUNDLE_BYTES_MAX + 1], RefusalCode::Oversize),
        (Vec::new(), RefusalCode::Undecodable),
        (vec![0; 4], RefusalCode::Undecodable),
    ];
    with_context(&|_| false, None, |context| {
        for (bytes, code) in cases {
            let verdict = judge_gossip(bytes.into(), context, &mut |_| Ok(())).unwrap_err();
            assert_eq!(verdict.verdict, Verdict::Reject);
            assert_eq!(verdict.refusals[0].1.code, code);
        }
        assert!(judge_gossip(whole.into(), context, &mut |_| Ok(())).is_ok());
    });
}

#[test]
fn a_bundle_cannot_ask_for_more_signatures_than_its_limit() {
    let many: Vec<Transaction> = (0..200)
        .map(|n: u32| {
            let key = WalletKey::from_secret(KeyKind::Ed25519, &[5; 32]).unwrap();
            let mut salt = [0; 32];
            salt[..4].copy_from_slice(&n.to_le_bytes());
            let config = single_key_config(key.public_key().clone());
            let init = Init { salt: Hash(salt), config };
            tx(0, 110, &Request::init(CHAIN, init, Slot(110)).sign(&[&key]).unwrap())
        })
        .collect();
    let list = list(&many);
    let verdict = with_context(&|_| false, None, |c| judge_bundle(&list, c, &mut |_| Ok(())));
    assert_eq!(verdict.admitted.len(), 32);
    assert!(verdict.refusals.iter().all(|(_, r)| r.code == RefusalCode::Limited));
    assert_eq!(verdict.verdict, Verdict::Ignore);
}

#[test]
fn a_submission_is_admitted_whole_or_the_first_refusal_is_named() {
    let judge = |txs: &[Transaction]| {
        let list = list(txs);
        with_context(&|_| false, None, |context| admit_list(&list, context))
    };
    assert_eq!(judge(&[tx(10, 110, b"a"), tx(10, 110, b"b")]), Ok(()));
    let (index, refusal) = judge(&[tx(10, 110, b"a"), tx(10, 9, b"b")]).unwrap_err();
    assert_eq!((index, refusal.code), (1, RefusalCode::Expired));
}
