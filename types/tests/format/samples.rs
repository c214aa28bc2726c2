//! One deterministic sample of everything that is signed or hashed, for golden hashes and vectors.

use rota_types::ack::{Ack, BatchCertificate};
use rota_types::batch::{BatchHeader, LanePosition, SignedBatchHeader};
use rota_types::bls::SealSecret;
use rota_types::bundle::{BUNDLE_VERSION, FinalityBundle, Subject, account_key};
use rota_types::codec::encode;
use rota_types::genesis::{GenesisRollup, GenesisValidator};
use rota_types::header::HEADER_VERSION;
use rota_types::namespace::{NamespaceProof, Namespaces, RangeProof};
use rota_types::proposal::CutEntry;
use rota_types::receipt::SignedReceipt;
use rota_types::seal::SealSignature;
use rota_types::smt::SparseTree;
use rota_types::vote::{SignedProposal, SignedVote};
use rota_types::{
    CommitCertificate, Ed25519Signer, Genesis, Hash, Height, Incarnation, Proposal, Receipt,
    RollupId, Round, Seal, Seq, Signature, SignedStatus, Signer as _, Slot, SlotHeader,
    SlotProposal, SystemEnvelope, SystemOp, TimestampMs, Transaction, ValidatorKey, ValidatorSet,
    Vote, VoteKind, Weight, keccak256,
};

/// Chain id of all samples.
pub(crate) const CHAIN: u64 = 7_001;
/// A registered rollup with transactions in the sample slot.
pub(crate) const BUSY: RollupId = RollupId(10);
/// A registered rollup without any.
pub(crate) const QUIET: RollupId = RollupId(8_453);

pub(crate) fn signer(i: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&[i; 32])
}

pub(crate) fn seal_secret(i: u8) -> SealSecret {
    SealSecret::derive(&[i; 32]).unwrap()
}

pub(crate) fn genesis() -> Genesis {
    let validators = (1..=4u8).map(|i| GenesisValidator {
        name: format!("v{i}"),
        key: signer(i).public_key(),
        seal_key: seal_secret(i).public_key(),
        seal_possession: seal_secret(i).prove_possession(CHAIN),
        weight: Weight(u64::from(i)),
    });
    Genesis {
        chain_id: CHAIN,
        name: "vectors".into(),
        genesis_time: TimestampMs(1_700_000_000_000),
        slot_ms: 2_000,
        protocol_version: 1,
        validity_slots_max: 300,
        slot_bytes_max: 64 << 20,
        slot_txs_max: 1 << 18,
        lane_lead_max: 2_048,
        new_accounts_max: 1_000,
        emergency_bytes_max: 65_536,
        validators: validators.collect(),
        rollups: vec![
            GenesisRollup { id: BUSY, name: "busy".into(), slot_bytes_max: 0 },
            GenesisRollup { id: QUIET, name: "quiet".into(), slot_bytes_max: 1 << 20 },
            GenesisRollup { id: RollupId(1 << 63 | 77), name: "hashed".into(), slot_bytes_max: 0 },
        ],
    }
}

pub(crate) fn set() -> ValidatorSet {
    genesis().validate().unwrap()
}

pub(crate) fn transaction(i: u8) -> Transaction {
    Transaction {
        rollup: if i % 3 == 2 { RollupId(1 << 63 | 77) } else { BUSY },
        valid_until_slot: Slot(400 + u64::from(i)),
        payload: vec![i; usize::from(i) * 7],
    }
}

pub(crate) fn position(seq: u64) -> LanePosition {
    LanePosition { lane: signer(1).public_key(), incarnation: Incarnation(2), seq: Seq(seq) }
}

pub(crate) fn batch(parent: u8) -> SignedBatchHeader {
    let ids: Vec<_> = (0..20).map(|i| transaction(i).id()).collect();
    let header = BatchHeader {
        position: position(9),
        parent: Hash([parent; 32]),
        body_digest: rota_types::ids_tree::root(CHAIN, ids.into_iter()),
        cumulative_bytes: 12_345,
        cumulative_txs: 678,
    };
    header.sign(CHAIN, &signer(1))
}

pub(crate) fn ack(i: u8) -> Ack {
    Ack::sign(CHAIN, position(9), batch(3).header.digest(CHAIN), &signer(i))
}

fn by_key<T>(items: impl Iterator<Item = (ValidatorKey, T)>) -> Vec<(ValidatorKey, T)> {
    let mut all: Vec<_> = items.collect();
    all.sort_by_key(|(key, _)| *key);
    all
}

pub(crate) fn batch_certificate() -> BatchCertificate {
    let acks = by_key([3u8, 4].into_iter().map(|i| (signer(i).public_key(), ack(i).signature)));
    BatchCertificate { batch: batch(3), acks }
}

pub(crate) fn vote(kind: VoteKind, value: Option<Hash>, i: u8) -> SignedVote {
    let validator = signer(i).public_key();
    Vote { kind, height: Height(5), round: Round(1), value, validator }.sign(CHAIN, &signer(i))
}

pub(crate) fn proposal(value: u8) -> SignedProposal {
    Proposal {
        height: Height(5),
        round: Round(1),
        value: Hash([value; 32]),
        pol_round: Some(Round(0)),
        validator: signer(2).public_key(),
    }
    .sign(CHAIN, &signer(2))
}

pub(crate) fn slot_proposal() -> SlotProposal {
    SlotProposal {
        height: Height(5),
        round: Round(1),
        slot: Slot(120),
        parent_header: Hash([8; 32]),
        cut: vec![CutEntry { position: position(9), header_digest: batch(3).header.digest(CHAIN) }],
        evidence: vec![],
    }
}

pub(crate) fn commit_certificate() -> CommitCertificate {
    let value = slot_proposal().id(CHAIN);
    let votes = (2..=4u8).map(|i| vote(VoteKind::Precommit, Some(value), i));
    let signatures: Vec<(ValidatorKey, Signature)> =
        by_key(votes.map(|v| (v.vote.validator, v.signature)));
    CommitCertificate { height: Height(5), round: Round(1), value, signatures }
}

/// Signed by two of the three that reopen a lane.
pub(crate) fn system_envelope() -> SystemEnvelope {
    let lane = signer(1).public_key();
    let op = SystemOp::RaiseIncarnation { lane, incarnation: Incarnation(3) };
    let mut envelope = SystemEnvelope::sign(CHAIN, Slot(400), op, &signer(2));
    assert!(envelope.join(&SystemEnvelope::sign(CHAIN, Slot(400), op, &signer(3))));
    envelope
}

pub(crate) const NONCE: [u8; 32] = [6; 32];

pub(crate) fn status() -> SignedStatus {
    SignedStatus::sign(CHAIN, &NONCE, Height(5), Some(commit_certificate()), &signer(3))
}

pub(crate) fn receipt() -> SignedReceipt {
    let ids: Vec<_> = (0..17).map(|i| transaction(i).id()).collect();
    Receipt {
        submission_root: rota_types::ids_tree::root(CHAIN, ids.into_iter()),
        count: 17,
        position: position(9),
        first_index: 3,
        validator: signer(1).public_key(),
    }
    .sign(CHAIN, &signer(1))
}

pub(crate) fn namespaces() -> Namespaces {
    let mut namespaces = Namespaces::default();
    for tx in (0..20).map(transaction) {
        let bytes = u64::try_from(encode(&tx).len()).unwrap();
        namespaces.push(tx.rollup, tx.id(), bytes);
    }
    namespaces
}

/// Keystore-like tree: the bundle treats a leaf as opaque bytes.
pub(crate) fn accounts() -> SparseTree {
    (0..5u8).map(|i| (account_key(&keccak256(&[i])), vec![i; 64])).collect()
}

pub(crate) fn header() -> SlotHeader {
    let commitment = set().commitment(CHAIN);
    SlotHeader {
        version: HEADER_VERSION,
        protocol_version: 1,
        chain_id: CHAIN,
        height: Height(5),
        slot: Slot(120),
        time: genesis().timing().end(Slot(120)),
        parent: Hash([8; 32]),
        proposal: slot_proposal().id(CHAIN),
        txs_root: namespaces().tree().root(),
        keystore_root: accounts().root(),
        zk_root: Hash::ZERO,
        bridge_root: Hash::ZERO,
        verdicts_root: Hash::ZERO,
        global_exit_root: Hash::ZERO,
        order_root: keccak256(b"order"),
        validators: commitment,
        next_validators: commitment,
        tx_count: 20,
        byte_count: 1_730,
        skipped_count: 1,
    }
}

pub(crate) fn seal_signature(i: u8) -> SealSignature {
    let header_id = header().id();
    SealSignature {
        height: Height(5),
        header_id,
        validator: signer(i).public_key(),
        signature: seal_secret(i).seal(CHAIN, &header_id),
    }
}

pub(crate) fn seal() -> Seal {
    let parts: Vec<_> =
        (2..=4u8).map(seal_signature).map(|part| (part.validator, part.signature)).collect();
    Seal::aggregate(header().id(), &set(), &parts).unwrap()
}

pub(crate) fn bundle(subject: Subject) -> FinalityBundle {
    FinalityBundle {
        version: BUNDLE_VERSION,
        genesis: genesis().hash(),
        header: header(),
        validators: set(),
        seal: seal(),
        subject,
    }
}

/// The bundle of the third transaction of [`BUSY`].
pub(crate) fn transaction_bundle() -> FinalityBundle {
    let namespaces = namespaces();
    let txs: Vec<_> = (0..20).map(transaction).filter(|tx| tx.rollup == BUSY).collect();
    bundle(Subject::Transaction {
        transaction: encode(txs.get(2).unwrap()),
        namespace: NamespaceProof::of(&namespaces, BUSY),
        range: RangeProof::of(namespaces.ids(BUSY), 2, 1).unwrap(),
    })
}

/// Completeness, or absence for a rollup without transactions.
pub(crate) fn namespace_bundle(rollup: RollupId) -> FinalityBundle {
    let namespaces = namespaces();
    bundle(Subject::Namespace {
        namespace: NamespaceProof::of(&namespaces, rollup),
        ids: namespaces.ids(rollup).to_vec(),
    })
}

/// An account, or its absence.
pub(crate) fn account_bundle(i: u8) -> FinalityBundle {
    let (tree, keystore_id) = (accounts(), keccak256(&[i]));
    let key = account_key(&keystore_id);
    let leaf = tree.get(&key).map(<[u8]>::to_vec);
    bundle(Subject::Account { keystore_id, leaf, path: tree.prove(&key) })
}
