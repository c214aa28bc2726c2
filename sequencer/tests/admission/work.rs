//! What gossip may make the core's thread do: signatures come last, and are paid for before they are verified.

use crate::doors::{CHAIN, V, keystore_init, list, tx, with_context};
use rota_keystore::keys::KeyKind;
use rota_keystore::limits::AUTHS_MAX;
use rota_keystore::wallet::{Request, WalletKey, single_key_config};
use rota_keystore::{Envelope, Init, KeystoreId, KeystoreState, Op, Params};
use rota_sequencer::admission::{Verdict, WorkBudget, admit_list, judge_bundle};
use rota_sequencer::limits::{DECODED_BYTES_PER_UNIT, GOSSIP_PEER_UNITS_MAX, GOSSIP_UNITS_MAX};
use rota_types::{Hash, RefusalCode, Slot, TimestampMs, Transaction, TransactionList};

fn state() -> KeystoreState {
    KeystoreState::new(Params {
        chain_id: CHAIN,
        slot_ms: 12_000,
        validity_slots: V,
        new_accounts_max: 8,
        accounts_max: 100,
        emergency_bytes_max: 1 << 16,
        units_max: 48_000,
        state_bytes_max: 1 << 20,
    })
}

fn keys(kind: KeyKind) -> Vec<WalletKey> {
    (1..=u8::try_from(AUTHS_MAX).unwrap())
        .map(|n| WalletKey::from_secret(kind, &[n; 32]).unwrap())
        .collect()
}

/// Signed by as many keys as there may be, for an account that nobody created.
fn of_nobody(salt: u8, keys: &[WalletKey]) -> Transaction {
    let request = Request {
        chain_id: CHAIN,
        keystore_id: KeystoreId(Hash([salt; 32])),
        seq: 0,
        valid_until_slot: Slot(110),
        init: None,
        op: Op::Unfreeze,
    };
    let keys: Vec<&WalletKey> = keys.iter().collect();
    tx(0, 110, &request.sign(&keys).unwrap())
}

fn init(salt: u32) -> Transaction {
    let key = WalletKey::from_secret(KeyKind::Ed25519, &[5; 32]).unwrap();
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&salt.to_le_bytes());
    let init = Init { salt: Hash(bytes), config: single_key_config(key.public_key().clone()) };
    tx(0, 110, &Request::init(CHAIN, init, Slot(110)).sign(&[&key]).unwrap())
}

fn decoding(list: &TransactionList) -> u64 {
    list.iter().map(|tx| (tx.payload().len() as u64).div_ceil(DECODED_BYTES_PER_UNIT)).sum()
}

#[test]
fn signatures_for_an_account_that_is_not_there_are_never_verified() {
    let (state, keys) = (state(), keys(KeyKind::P256));
    let bundle = list(&[of_nobody(1, &keys), of_nobody(2, &keys)]);
    let mut charged = 0;
    let mut charge = |units| {
        charged += units;
        Ok(())
    };
    let verdict = with_context(&|_| false, Some(&state), |c| judge_bundle(&bundle, c, &mut charge));
    assert_eq!(verdict.verdict, Verdict::Ignore);
    assert!(verdict.refusals.iter().all(|(_, r)| r.code == RefusalCode::UnknownAccount));
    assert_eq!(charged, decoding(&bundle), "decoding is all the work there was");

    let mut forged = of_nobody(3, &keys);
    *forged.payload.iter_mut().nth_back(10).unwrap() ^= 1;
    let forged = list(&[forged]);
    let judge = |state| {
        with_context(&|_| false, state, |c| judge_bundle(&forged, c, &mut |_| Ok(()))).refusals[0].1
    };
    assert_eq!(judge(Some(&state)).code, RefusalCode::UnknownAccount, "by the state, first");
    assert_eq!(
        judge(None).code,
        RefusalCode::BadSignature,
        "wrong by its bytes, where that counts"
    );
}

#[test]
fn a_peer_and_all_peers_have_a_budget_in_each_second_of_the_clock() {
    let mut budget = WorkBudget::default();
    let mut salt = 0;
    for second in [7u64, 8] {
        let mut of_first = 0;
        for peer in 0..8 {
            let mut spent = 0;
            // Each peer brings more than its budget, at several moments of the same second.
            for round in 0..8 {
                let now = TimestampMs(second * 1_000 + round * 100);
                let txs: Vec<Transaction> = (salt..salt + 32).map(init).collect();
                salt += 32;
                let bundle = list(&txs);
                let mut charge = |units| {
                    budget.charge(now, peer, units)?;
                    spent += units;
                    Ok(())
                };
                let verdict =
                    with_context(&|_| false, None, |c| judge_bundle(&bundle, c, &mut charge));
                assert_ne!(verdict.verdict, Verdict::Reject, "nobody is to blame");
                for (_, refusal) in &verdict.refusals {
                    assert_eq!(refusal.code, RefusalCode::Limited);
                }
                assert!(budget.spent() <= GOSSIP_UNITS_MAX);
            }
            assert!(spent <= GOSSIP_PEER_UNITS_MAX, "peer {peer} spent {spent}");
            of_first = of_first.max(spent);
        }
        assert!(of_first > GOSSIP_PEER_UNITS_MAX / 2, "a second has its own budget");
        assert!(budget.spent() > GOSSIP_UNITS_MAX / 2, "and all of it can be had");
    }
    let late = budget.charge(TimestampMs(7_500), 1, GOSSIP_UNITS_MAX);
    assert_eq!(late.unwrap_err().code, RefusalCode::Limited, "a clock set back brings nothing");
}

#[test]
fn what_cannot_be_paid_for_is_ignored_beside_what_costs_nothing() {
    let bundle = list(&[init(1), tx(10, 110, &[1; 2_000])]);
    let refuse = |units| Err(rota_types::Refusal::at_limit(RefusalCode::Limited, 0, units));
    let verdict = with_context(&|_| false, None, |c| judge_bundle(&bundle, c, &mut { refuse }));
    assert_eq!((verdict.verdict, verdict.admitted), (Verdict::Accept, vec![1]));
    assert_eq!(verdict.refusals[0].1.code, RefusalCode::Limited);
}

#[test]
fn a_submission_is_refused_for_anything_else_before_its_signatures() {
    let mut forged = keystore_init(CHAIN, 110, 110);
    let near_end = forged.payload.len() - 40;
    forged.payload[near_end] ^= 1;
    let admit = |txs: &[Transaction]| {
        with_context(&|_| false, None, |c| admit_list(&list(txs), c)).map_err(|(i, r)| (i, r.code))
    };
    assert_eq!(admit(&[init(1), forged.clone()]), Err((1, RefusalCode::BadSignature)));
    let expired = tx(10, 9, b"late");
    assert_eq!(admit(&[forged, expired]), Err((1, RefusalCode::Expired)));
}

#[test]
fn a_door_reads_the_work_of_signatures_without_decoding() {
    let keys = keys(KeyKind::P256);
    let payload = of_nobody(1, &keys).payload;
    let envelope = Envelope::from_bytes(&payload).unwrap();
    assert_eq!(Envelope::signature_units(&payload), 4 * AUTHS_MAX as u64);
    assert_eq!(Envelope::signature_units(&payload) + 1, envelope.units());
    let payload = init(1).payload;
    assert_eq!(Envelope::signature_units(&payload), 1);
    for cut in 0..payload.len() {
        assert_eq!(Envelope::signature_units(&payload[..cut]), 0, "cut at {cut}");
    }
}
