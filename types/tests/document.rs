//! docs/protocol.md against the code: its vectors, and no tag, code or limit left out or misnumbered.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use rota_types::codec::encode;
use rota_types::limits::{
    BATCH_BODY_BYTES_MAX, BATCH_TXS_MAX, BUNDLE_BYTES_MAX, BUNDLE_FILE_BYTES_MAX,
    CERTIFICATE_BYTES_MAX, EVIDENCE_BYTES_MAX, EVIDENCE_ITEMS_MAX, SLOT_PROPOSAL_BYTES_MAX,
    TX_BYTES_MAX, VALIDATORS_MAX,
};
use rota_types::{
    Genesis, RefusalCode, RollupId, Slot, Tag, Transaction, TransactionList, ids_tree,
};
use std::collections::BTreeMap;

/// Chain id of the document's vectors.
const CHAIN: u64 = 7;

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn document() -> String {
    read("../docs/protocol.md")
}

fn vectors() -> BTreeMap<String, String> {
    let text = document();
    let (_, section) = text.split_once("\n## Vectors\n").unwrap();
    let block = section.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let pair = |line: &str| {
        let (name, value) = line.split_once(" = ").unwrap();
        (name.to_owned(), value.to_owned())
    };
    block.lines().map(pair).collect()
}

#[test]
fn transactions_of_the_document_are_what_the_code_makes() {
    let vectors = vectors();
    let tx = |rollup, payload: &[u8]| Transaction {
        rollup: RollupId(rollup),
        valid_until_slot: Slot(1_000),
        payload: payload.to_vec(),
    };
    let both = vec![tx(10, b"hello"), tx(8_453, &[2, 0xf8, 1])];
    assert_eq!(hex::encode(encode(&both[0])), vectors["transaction"]);
    assert_eq!(both[0].id().to_string(), vectors["transaction.id"]);
    assert_eq!(hex::encode(encode(&both)), vectors["list"]);
    let list = TransactionList::parse(encode(&both).into(), BUNDLE_BYTES_MAX).unwrap();
    assert_eq!(ids_tree::root(CHAIN, list.ids()).to_string(), vectors["list.ids_root"]);
}

#[test]
fn the_genesis_vector_has_the_documented_hash() {
    let genesis: Genesis = serde_json::from_str(&read("tests/vectors/genesis.json")).unwrap();
    assert!(document().contains(&genesis.hash().to_string()));
}

#[test]
fn every_tag_and_every_code_is_in_the_document() {
    let text = document();
    for tag in Tag::ALL {
        assert!(text.contains(&format!("`{}`", tag.text())), "{}", tag.text());
    }
    for code in RefusalCode::ALL {
        let kind = if code.from_bytes_alone() { "bytes" } else { "state" };
        let row = format!("| {} | `{}` | {kind} |", code.number(), code.name());
        assert!(text.contains(&row), "no row {row:?}");
    }
    let (_, table) = text.split_once("| number | code | kind |\n|---|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    assert_eq!(rows.count(), RefusalCode::ALL.len(), "a row for a code that does not exist");
}

#[test]
fn limits_of_the_document_are_the_codes() {
    let text = document();
    for (what, limit) in [
        ("transaction", TX_BYTES_MAX),
        ("gossip bundle", BUNDLE_BYTES_MAX),
        ("batch body", BATCH_BODY_BYTES_MAX),
        ("transactions of a batch", BATCH_TXS_MAX),
        ("batch certificate", CERTIFICATE_BYTES_MAX),
        ("slot proposal", SLOT_PROPOSAL_BYTES_MAX),
        ("evidence of a proposal", EVIDENCE_BYTES_MAX),
        ("evidence items", EVIDENCE_ITEMS_MAX),
        ("validators", VALIDATORS_MAX),
        ("finality bundle", BUNDLE_FILE_BYTES_MAX),
    ] {
        let digits = limit.to_string();
        let mut grouped = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        assert!(text.contains(&format!("| {what} | {grouped} |")), "{what}: {grouped}");
    }
}
