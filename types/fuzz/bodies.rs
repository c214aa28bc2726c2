//! What the fuzzer does with bytes for this crate: decode them as whatever a peer may claim they
//! are. What decodes must encode to the same bytes again, for there is one encoding of a value.

use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::bundle::FinalityBundle;
use rota_types::codec::{decode, encode};
use rota_types::commit::CommitCertificate;
use rota_types::evidence::Evidence;
use rota_types::ids_tree::IdsPath;
use rota_types::limits::{BATCH_BODY_BYTES_MAX, BUNDLE_BYTES_MAX};
use rota_types::mark::Mark;
use rota_types::namespace::{NamespaceProof, RangeProof};
use rota_types::receipt::SignedReceipt;
use rota_types::smt::SmtProof;
use rota_types::vote::{SignedProposal, SignedVote};
use rota_types::{
    Ack, BatchCertificate, Genesis, RefusalCode, Seal, SealSignature, SignedBatchHeader,
    SignedStatus, Slot, SlotHeader, SlotProposal, SystemEnvelope, Transaction, TransactionList,
};

/// Far above what any caller allows, so that the decoders are on their own.
const ANY_BYTES: usize = 1 << 20;

fn canonical<T: BorshSerialize + BorshDeserialize>(bytes: &[u8]) -> Option<T> {
    let value = decode::<T>(bytes, ANY_BYTES).ok()?;
    assert!(encode(&value) == bytes, "two encodings of one value");
    Some(value)
}

/// Every wire object; the first byte chooses.
pub(crate) fn wire(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 19 {
        0 => drop(canonical::<Transaction>(bytes)),
        1 => drop(canonical::<SignedBatchHeader>(bytes)),
        2 => drop(canonical::<Ack>(bytes)),
        3 => drop(canonical::<BatchCertificate>(bytes)),
        4 => drop(canonical::<SlotProposal>(bytes)),
        5 => drop(canonical::<SlotHeader>(bytes)),
        6 => drop(canonical::<Seal>(bytes)),
        7 => drop(canonical::<SealSignature>(bytes)),
        8 => drop(canonical::<SignedReceipt>(bytes)),
        9 => drop(canonical::<SignedVote>(bytes)),
        10 => drop(canonical::<SignedProposal>(bytes)),
        11 => drop(canonical::<CommitCertificate>(bytes)),
        12 => drop(canonical::<Evidence>(bytes)),
        13 => drop(canonical::<Mark>(bytes)),
        14 => drop(canonical::<RefusalCode>(bytes)),
        15 => {
            drop(canonical::<RangeProof>(bytes));
            drop(canonical::<IdsPath>(bytes));
        }
        16 => {
            drop(canonical::<NamespaceProof>(bytes));
            drop(canonical::<SmtProof>(bytes));
        }
        17 => {
            if let Ok(envelope) = SystemEnvelope::from_payload(bytes, Slot(400)) {
                assert!(envelope.transaction().payload == bytes, "two encodings of one operation");
                envelope.verify(7).ok();
            }
        }
        _ => drop(canonical::<SignedStatus>(bytes)),
    }
}

/// A gossip bundle, a raw submission or the body of a batch.
pub(crate) fn transactions(data: &[u8]) {
    let bytes = bytes::Bytes::copy_from_slice(data);
    let bundle = TransactionList::parse(bytes.clone(), BUNDLE_BYTES_MAX);
    let body = TransactionList::parse(bytes, BATCH_BODY_BYTES_MAX);
    if let Ok(list) = &bundle {
        assert_eq!(Some(list), body.as_ref().ok(), "the limit is all that differs");
        let again: Vec<Transaction> = decode(data, ANY_BYTES).expect("borsh of a Vec");
        assert!(encode(&again) == data, "two encodings of one list");
        let ids: Vec<_> = list.ids().collect();
        assert!(again.iter().map(Transaction::id).eq(ids), "ids are over the bytes as they came");
    }
}

/// A finality bundle from a file, verified against the committed genesis.
pub(crate) fn bundle(data: &[u8]) {
    let Ok(bundle) = FinalityBundle::from_bytes(data) else { return };
    assert!(bundle.to_bytes() == data, "two encodings of one bundle");
    let genesis: Genesis = serde_json::from_str(include_str!("../tests/vectors/genesis.json"))
        .expect("the committed genesis");
    bundle.verify(&genesis).ok();
}

/// A genesis file.
pub(crate) fn genesis(data: &[u8]) {
    let Ok(genesis) = serde_json::from_slice::<Genesis>(data) else { return };
    if let Ok(set) = genesis.validate() {
        assert!(set.len() <= rota_types::limits::VALIDATORS_MAX, "more than may be");
        let text = serde_json::to_string(&genesis).expect("strings and numbers");
        let again: Genesis = serde_json::from_str(&text).expect("its own text");
        assert_eq!(again.hash(), genesis.hash(), "another network after a copy");
    }
}
