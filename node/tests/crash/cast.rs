//! Keys and genesis of the script: one validator that is a quorum by itself, and three light ones.

use rota_sequencer::Batch;
use rota_types::bls::{BlsSignature, SealKey, SealSecret};
use rota_types::genesis::{GenesisRollup, GenesisValidator};
use rota_types::limits::BATCH_BODY_BYTES_MAX;
use rota_types::{
    BatchHeader, Ed25519Signer, Genesis, Hash, Incarnation, LanePosition, RollupId, Seq,
    SignedBatchHeader, Signer as _, Slot, TimestampMs, Transaction, TransactionList, ValidatorKey,
    Weight, codec, ids_tree,
};
use std::sync::{Arc, OnceLock};

pub(crate) const CHAIN_ID: u64 = 77_002;
pub(crate) const GENESIS_MS: u64 = 1_700_000_000_000;
const ROLLUP: RollupId = RollupId(10);
const HEAVY: u64 = 8;
const LIGHT: [u8; 3] = [2, 3, 4];

/// What every play shares: keys cost milliseconds.
pub(crate) struct Cast {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) me: ValidatorKey,
    /// The lane that the test writes.
    pub(crate) friend: ValidatorKey,
    /// Its batches, one on another.
    pub(crate) batches: Vec<Arc<Batch>>,
    /// What a client submits.
    pub(crate) lists: Vec<TransactionList>,
}

pub(crate) fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&[seed; 32])
}

pub(crate) fn seal_secret() -> SealSecret {
    SealSecret::derive(&[1; 32]).unwrap()
}

fn seal_keys(seed: u8) -> (SealKey, BlsSignature) {
    let secret = SealSecret::derive(&[seed; 32]).unwrap();
    (secret.public_key(), secret.prove_possession(CHAIN_ID))
}

fn list(number: u8) -> TransactionList {
    let transaction = Transaction {
        rollup: ROLLUP,
        valid_until_slot: Slot(500),
        payload: vec![number; usize::from(number)],
    };
    let bytes = codec::encode(&vec![transaction]);
    TransactionList::parse(bytes.into(), BATCH_BODY_BYTES_MAX).unwrap()
}

/// The batch after `parent`, with one transaction.
fn batch(parent: Option<&Batch>, number: u8) -> Batch {
    let friend = signer(LIGHT[0]);
    let body = list(number);
    let seq = parent.map_or(Seq(1), |parent| parent.position().seq.next());
    let before = parent.map_or(0, |parent| parent.header().cumulative_bytes);
    let header = BatchHeader {
        position: LanePosition { lane: friend.public_key(), incarnation: Incarnation(0), seq },
        parent: parent.map_or(Hash::ZERO, Batch::digest),
        body_digest: ids_tree::root(CHAIN_ID, body.ids()),
        cumulative_bytes: before + body.tx_bytes(),
        cumulative_txs: seq.0,
    };
    let signature = friend.sign(&header.digest(CHAIN_ID));
    Batch::assemble(CHAIN_ID, SignedBatchHeader { header, signature }, body)
}

fn make() -> Cast {
    let validator = |seed: u8, weight: u64| {
        let (seal_key, seal_possession) = seal_keys(seed);
        let (name, key) = (format!("v{seed}"), signer(seed).public_key());
        GenesisValidator { name, key, seal_key, seal_possession, weight: Weight(weight) }
    };
    let light = LIGHT.iter().map(|seed| validator(*seed, 1));
    let mut validators: Vec<_> = std::iter::once(validator(1, HEAVY)).chain(light).collect();
    validators.sort_by_key(|validator| validator.key);
    let genesis = Genesis {
        chain_id: CHAIN_ID,
        name: "crash".to_owned(),
        genesis_time: TimestampMs(GENESIS_MS),
        slot_ms: 1_000,
        protocol_version: 1,
        validity_slots_max: Genesis::default_validity_slots(1_000),
        slot_bytes_max: 32 * 1024 * 1024,
        slot_txs_max: 1024 * 1024,
        lane_lead_max: 64,
        new_accounts_max: 256,
        emergency_bytes_max: 64 * 1024,
        validators,
        rollups: vec![GenesisRollup { id: ROLLUP, name: "r".to_owned(), slot_bytes_max: 0 }],
    };
    let first = batch(None, 41);
    let second = batch(Some(&first), 42);
    Cast {
        genesis: Arc::new(genesis),
        me: signer(1).public_key(),
        friend: signer(LIGHT[0]).public_key(),
        batches: vec![Arc::new(first), Arc::new(second)],
        lists: vec![list(21), list(22)],
    }
}

pub(crate) fn cast() -> &'static Cast {
    static CAST: OnceLock<Cast> = OnceLock::new();
    CAST.get_or_init(make)
}
