//! Who is a validator: the signed binding between a PeerId and a validator key, proved in the hello.
//!
//! `binding = borsh { validator: [32], signature: [64] }`, the signature over
//! `digest("rota/peer-binding/v1", genesis hash ‖ PeerId bytes)`.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use rota_p2p::{Identity, PeerId, Policy};
use rota_types::codec::{decode, encode};
use rota_types::{Ed25519Signer, Hash, Signature, Signer as _, Tag, ValidatorKey, ValidatorSet};

/// Most bytes of a binding: a key and a signature.
const BINDING_BYTES: usize = 96;

#[derive(BorshSerialize, BorshDeserialize)]
struct Binding {
    validator: ValidatorKey,
    signature: Signature,
}

/// Makes and checks bindings for one network.
pub(super) struct ValidatorPolicy {
    chain_id: u64,
    genesis: Hash,
    validators: ValidatorSet,
    signer: Option<Ed25519Signer>,
}

impl ValidatorPolicy {
    /// `signer` is the own validator key; `None` on a full node.
    pub(super) const fn new(
        chain_id: u64,
        genesis: Hash,
        validators: ValidatorSet,
        signer: Option<Ed25519Signer>,
    ) -> Self {
        Self { chain_id, genesis, validators, signer }
    }

    fn digest(&self, peer: &PeerId) -> Hash {
        Tag::PeerBinding.digest_parts(self.chain_id, &[&self.genesis.0, &peer.to_bytes()])
    }
}

impl Policy for ValidatorPolicy {
    fn binding(&self, local: &PeerId) -> Option<Bytes> {
        let signer = self.signer.as_ref()?;
        let signature = signer.sign(&self.digest(local));
        Some(encode(&Binding { validator: signer.public_key(), signature }).into())
    }

    fn check_binding(
        &self,
        remote: &PeerId,
        binding: Option<&[u8]>,
    ) -> Result<Option<Identity>, String> {
        let Some(bytes) = binding else { return Ok(None) };
        let binding: Binding = decode(bytes, BINDING_BYTES).map_err(|error| error.to_string())?;
        if !self.validators.contains(&binding.validator) {
            return Err(format!("{} is not a validator of this network", binding.validator));
        }
        binding
            .validator
            .verify(&self.digest(remote), &binding.signature, "peer binding")
            .map_err(|error| error.to_string())?;
        Ok(Some(Identity(binding.validator.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::bls::SealKey;
    use rota_types::{Validator, Weight};

    fn policy(seed: u8, genesis: Hash) -> ValidatorPolicy {
        let signer = Ed25519Signer::from_seed(&[seed; 32]);
        let key = Ed25519Signer::from_seed(&[1; 32]).public_key();
        let validator = Validator { key, seal_key: SealKey([0; 96]), weight: Weight(1) };
        let set = ValidatorSet::new(vec![validator]).unwrap();
        ValidatorPolicy::new(7, genesis, set, Some(signer))
    }

    #[test]
    fn a_binding_holds_for_its_peer_its_network_and_a_validator_only() {
        let ours = policy(1, Hash::ZERO);
        let (peer, other) = (PeerId::random(), PeerId::random());
        let binding = ours.binding(&peer).unwrap();
        assert_eq!(
            ours.check_binding(&peer, Some(&binding)).unwrap().map(|i| i.0),
            ours.signer.as_ref().map(|s| s.public_key().0)
        );
        assert!(ours.check_binding(&other, Some(&binding)).is_err());
        assert!(policy(1, Hash([1; 32])).check_binding(&peer, Some(&binding)).is_err());
        let stranger = policy(2, Hash::ZERO).binding(&peer).unwrap();
        assert!(ours.check_binding(&peer, Some(&stranger)).is_err());
        assert_eq!(ours.check_binding(&peer, None).unwrap(), None);
    }
}
