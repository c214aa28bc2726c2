//! What the fuzzer does with bytes for this crate: envelopes, configs and proofs from strangers.

use rota_keystore::{AccountProof, Config, Envelope, check_bytes};
use rota_types::{Hash, codec::encode};

/// A signed operation, as it stands in a transaction's payload, with its signatures; or a config.
pub(crate) fn envelope(data: &[u8]) {
    if let Ok(envelope) = Envelope::from_bytes(data) {
        assert!(envelope.to_bytes() == data, "two encodings of one envelope");
        check_bytes(data, envelope.valid_until_slot, envelope.chain_id).ok();
    }
    if let Ok(config) = Config::from_bytes(data) {
        assert!(config.to_bytes() == data, "two encodings of one config");
    }
}

/// A proof that an account has a config, or that there is none.
pub(crate) fn proof(data: &[u8]) {
    let Ok(proof) = AccountProof::from_bytes(data) else { return };
    assert!(encode(&proof) == data, "two encodings of one proof");
    proof.verify(&Hash::ZERO).ok();
}
