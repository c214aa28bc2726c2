//! Finality bundles as files, for implementations in other languages; and no flipped bit is accepted.
//!
//! `types/tests/vectors/*.bundle` with `genesis.json` are made by this test (`ROTA_WRITE_VECTORS=1`), compared by
//! it, and verified by `types/tests/python/verify_bundle.py`, which shares no code with this crate.

use crate::samples::*;
use rota_types::bundle::{FinalityBundle, Verified, account_key};
use rota_types::{Genesis, keccak256};
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn files() -> Vec<(&'static str, FinalityBundle, Verified)> {
    let account = |i: u8, present| Verified::Account { keystore_id: keccak256(&[i]), present };
    let third = (0..20).map(transaction).filter(|tx| tx.rollup == BUSY).nth(2).unwrap();
    vec![
        (
            "transaction.bundle",
            transaction_bundle(),
            Verified::Transaction { id: third.id(), rollup: BUSY, index: 2 },
        ),
        (
            "namespace.bundle",
            namespace_bundle(BUSY),
            Verified::Namespace { rollup: BUSY, count: 14 },
        ),
        (
            "absence.bundle",
            namespace_bundle(QUIET),
            Verified::Namespace { rollup: QUIET, count: 0 },
        ),
        ("account.bundle", account_bundle(1), account(1, true)),
        ("no-account.bundle", account_bundle(99), account(99, false)),
    ]
}

#[test]
fn committed_vectors_are_what_the_code_makes_and_verify() {
    let write = std::env::var_os("ROTA_WRITE_VECTORS").is_some();
    let path = folder().join("genesis.json");
    let text = serde_json::to_string_pretty(&genesis()).unwrap() + "\n";
    if write {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "run with ROTA_WRITE_VECTORS=1");
    let genesis: Genesis = serde_json::from_str(&text).unwrap();
    for (name, bundle, verified) in files() {
        let path = folder().join(name);
        if write {
            std::fs::write(&path, bundle.to_bytes()).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes == bundle.to_bytes(), "{name} differs: run with ROTA_WRITE_VECTORS=1");
        let read = FinalityBundle::from_bytes(&bytes).unwrap();
        assert_eq!(read.verify(&genesis).unwrap(), verified, "{name}");
    }
}

/// Calls `accepted` with what every `step`-th flipped bit of the encoding leads to when a liar mends the checksum.
fn flipped(bytes: &[u8], step: usize, accepted: impl Fn(usize, Verified)) {
    let (genesis, body) = (genesis(), bytes.len() - 32);
    for bit in (0..body * 8).step_by(step) {
        let mut wrong = bytes[..body].to_vec();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let checksum = keccak256(&wrong);
        wrong.extend(checksum.0);
        if let Ok(said) = FinalityBundle::from_bytes(&wrong).and_then(|b| b.verify(&genesis)) {
            accepted(bit, said);
        }
    }
}

#[test]
fn every_flipped_bit_of_every_file_is_refused() {
    for (name, bundle, _) in files() {
        let bytes = bundle.to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            let error = FinalityBundle::from_bytes(&wrong).unwrap_err();
            assert_eq!(error.check, "checksum", "{name}: bit {bit}");
        }
    }
}

#[test]
fn a_mended_checksum_helps_no_liar() {
    flipped(&transaction_bundle().to_bytes(), 1, |bit, said| panic!("bit {bit}: {said:?}"));
    flipped(&namespace_bundle(BUSY).to_bytes(), 13, |bit, said| panic!("bit {bit}: {said:?}"));
    flipped(&account_bundle(1).to_bytes(), 13, |bit, said| panic!("bit {bit}: {said:?}"));
}

#[test]
fn a_flipped_absence_says_nothing_false() {
    let (namespaces, accounts) = (namespaces(), accounts());
    flipped(&namespace_bundle(QUIET).to_bytes(), 7, |bit, said| match said {
        Verified::Namespace { rollup, count: 0 } => {
            assert!(namespaces.entry(rollup).is_none(), "bit {bit}: {rollup}");
        }
        other => panic!("bit {bit}: {other:?}"),
    });
    flipped(&account_bundle(99).to_bytes(), 7, |bit, said| match said {
        Verified::Account { keystore_id, present: false } => {
            assert!(accounts.get(&account_key(&keystore_id)).is_none(), "bit {bit}");
        }
        other => panic!("bit {bit}: {other:?}"),
    });
}

#[test]
fn a_bundle_of_another_network_is_refused_by_name() {
    let mut other = genesis();
    other.slot_ms = 3_000;
    assert_eq!(transaction_bundle().verify(&other).unwrap_err().check, "genesis");
}
