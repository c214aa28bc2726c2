//! Golden hashes: an encoding, a tag or a digest that changes fails here until its new hash is approved.
//!
//! `types/conformance.toml` holds keccak256 of the encoding of one sample of every type, and every digest that
//! is signed. A changed line is a decision about the format (CHANGELOG: Breaking), never a repair.

use crate::samples::*;
use rota_types::bundle::FinalityBundle;
use rota_types::codec::encode;
use rota_types::evidence::Evidence;
use rota_types::ids_tree::IdsPath;
use rota_types::mark::{Mark, MarkPlace};
use rota_types::namespace::{NamespaceProof, RangeProof};
use rota_types::{
    Hash, Height, Incarnation, Round, Seq, SignedStatus, Slot, Tag, VoteKind, keccak256,
};
use std::collections::BTreeMap;
use std::path::Path;

fn marks() -> Vec<Mark> {
    let digest = Hash([5; 32]);
    [
        MarkPlace::Proposal { height: Height(5), round: Round(1) },
        MarkPlace::Vote { height: Height(5), round: Round(1), kind: VoteKind::Precommit },
        MarkPlace::Seal { height: Height(5) },
        MarkPlace::OwnBatch { incarnation: Incarnation(2), seq: Seq(9) },
        MarkPlace::Ack { position: position(9) },
    ]
    .map(|place| Mark { place, digest })
    .to_vec()
}

fn evidence() -> Vec<Evidence> {
    let mut votes = [
        vote(VoteKind::Prevote, Some(Hash([1; 32])), 2),
        vote(VoteKind::Prevote, Some(Hash([2; 32])), 2),
    ];
    votes.sort_by_key(|v| v.vote.value);
    let [first, second] = votes;
    let mut batches = [batch(3), batch(4)];
    batches.sort_by_key(|b| b.header.digest(CHAIN));
    let [batch_a, batch_b] = batches;
    vec![
        Evidence::DoubleBatch(Box::new((batch_a, batch_b))),
        Evidence::DoubleVote(Box::new((first, second))),
        Evidence::DoubleProposal(Box::new((proposal(1), proposal(2)))),
    ]
}

fn encodings() -> Vec<(&'static str, Vec<u8>)> {
    let namespaces = namespaces();
    let ids: Vec<_> = (0..20).map(|i| transaction(i).id()).collect();
    let bundles: [(&str, FinalityBundle); 5] = [
        ("FinalityBundle.transaction", transaction_bundle()),
        ("FinalityBundle.namespace", namespace_bundle(BUSY)),
        ("FinalityBundle.absence", namespace_bundle(QUIET)),
        ("FinalityBundle.account", account_bundle(1)),
        ("FinalityBundle.no_account", account_bundle(99)),
    ];
    let mut all = vec![
        ("Transaction", encode(&transaction(5))),
        ("TransactionList", encode(&(0..20).map(transaction).collect::<Vec<_>>())),
        ("BatchHeader", encode(&batch(3).header)),
        ("SignedBatchHeader", encode(&batch(3))),
        ("Ack", encode(&ack(2))),
        ("BatchCertificate", encode(&batch_certificate())),
        ("SignedVote.prevote", encode(&vote(VoteKind::Prevote, None, 2))),
        ("SignedVote.precommit", encode(&vote(VoteKind::Precommit, Some(Hash([1; 32])), 2))),
        ("SignedProposal", encode(&proposal(1))),
        ("SlotProposal", encode(&slot_proposal())),
        ("CommitCertificate", encode(&commit_certificate())),
        ("Evidence", encode(&evidence())),
        ("SignedReceipt", encode(&receipt())),
        ("SlotHeader.borsh", encode(&header())),
        ("SlotHeader.packed", header().packed()),
        ("SealSignature", encode(&seal_signature(2))),
        ("Seal", encode(&seal())),
        ("SealedHeader", encode(&rota_types::SealedHeader { header: header(), seal: seal() })),
        ("ValidatorSet", encode(&set())),
        ("Genesis", encode(&genesis())),
        ("IdsPath", encode(&IdsPath::of(&ids, 17).unwrap())),
        ("NamespaceProof", encode(&NamespaceProof::of(&namespaces, BUSY))),
        ("RangeProof", encode(&RangeProof::of(namespaces.ids(BUSY), 2, 3).unwrap())),
        ("SmtProof", encode(&accounts().prove(&keccak256(b"absent")))),
        ("Mark", encode(&marks())),
        ("SystemEnvelope", encode(&system_envelope())),
        ("SignedStatus", encode(&status())),
    ];
    all.extend(bundles.map(|(name, bundle)| (name, bundle.to_bytes())));
    all
}

fn digests() -> Vec<(String, Hash)> {
    let value = Some(Hash([1; 32]));
    let named = [
        ("Transaction.id", transaction(5).id()),
        ("BatchHeader.digest", batch(3).header.digest(CHAIN)),
        ("Ack.signing_digest", {
            rota_types::Ack::signing_digest(CHAIN, &position(9), &batch(3).header.digest(CHAIN))
        }),
        ("Vote.prevote.digest", vote(VoteKind::Prevote, value, 2).vote.signing_digest(CHAIN)),
        ("Vote.precommit.digest", vote(VoteKind::Precommit, value, 2).vote.signing_digest(CHAIN)),
        ("Proposal.digest", proposal(1).proposal.signing_digest(CHAIN)),
        ("SlotProposal.id", slot_proposal().id(CHAIN)),
        ("Receipt.digest", receipt().receipt.signing_digest(CHAIN)),
        ("SlotHeader.id", header().id()),
        ("Seal.digest", rota_types::bls::seal_digest(CHAIN, &header().id())),
        ("ValidatorSet.commitment", set().commitment(CHAIN)),
        ("Genesis.hash", genesis().hash()),
        ("SystemOp.digest", system_envelope().op.signing_digest(CHAIN, Slot(400))),
        ("SignedStatus.digest", SignedStatus::signing_digest(CHAIN, &NONCE, Height(5))),
        ("txs_root", namespaces().tree().root()),
    ];
    let tags = Tag::ALL.map(|tag| (format!("tag.{}", tag.text()), tag.digest(CHAIN, b"x")));
    named.map(|(name, hash)| (name.to_owned(), hash)).into_iter().chain(tags).collect()
}

/// What the fuzzer begins with, one input for each wire type: the number by which `fuzz/bodies.rs`
/// chooses the decoder, then the encoding.
fn write_seeds() {
    let kinds = [
        "Transaction",
        "SignedBatchHeader",
        "Ack",
        "BatchCertificate",
        "SlotProposal",
        "SlotHeader.borsh",
        "Seal",
        "SealSignature",
        "SignedReceipt",
        "SignedVote.precommit",
        "SignedProposal",
        "CommitCertificate",
        "Evidence",
        "Mark",
        "",
        "RangeProof",
        "NamespaceProof",
    ];
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    // Golden as lists, decoded one at a time.
    let single = [("Evidence", encode(&evidence()[0])), ("Mark", encode(&marks()[0]))];
    for (name, bytes) in encodings().into_iter().chain(single) {
        let kind = kinds.iter().position(|kind| *kind == name);
        if let Some(kind) = kind.and_then(|kind| u8::try_from(kind).ok()) {
            std::fs::write(corpus.join("wire").join(name), [&[kind], bytes.as_slice()].concat())
                .unwrap();
        } else if name == "TransactionList" {
            std::fs::write(corpus.join("transactions").join(name), bytes).unwrap();
        }
    }
}

#[test]
fn no_encoding_and_no_digest_has_changed() {
    if std::env::var_os("ROTA_WRITE_VECTORS").is_some() {
        write_seeds();
    }
    let mut now: BTreeMap<String, String> = encodings()
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), keccak256(&bytes).to_string()))
        .collect();
    now.extend(digests().into_iter().map(|(name, hash)| (name, hash.to_string())));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let golden: BTreeMap<String, String> = toml::from_str(&text).unwrap();
    let lines = |map: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
        map.iter()
            .filter(|(name, hash)| other.get(*name) != Some(*hash))
            .map(|(name, hash)| format!("\"{name}\" = \"{hash}\"\n"))
            .collect::<String>()
    };
    let (new, gone) = (lines(&now, &golden), lines(&golden, &now));
    assert!(
        now == golden,
        "the format changed. If that is meant, say so in CHANGELOG and put into {}:\n{new}\ninstead of\n{gone}",
        path.display()
    );
}

#[test]
fn samples_are_valid_by_their_own_rules() {
    let set = set();
    batch_certificate().verify(CHAIN, &set).unwrap();
    commit_certificate().verify(CHAIN, &set).unwrap();
    receipt().verify(CHAIN).unwrap();
    seal().verify(CHAIN, &set).unwrap();
    system_envelope().verify(CHAIN).unwrap();
    status().verify(CHAIN, &NONCE, &set).unwrap();
    assert!(status().verify(CHAIN, &[7; 32], &set).is_err(), "for another asker");
    for item in evidence() {
        item.verify(CHAIN).unwrap();
    }
}
