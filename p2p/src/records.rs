//! The address book of validators: signed records, verified before kept, the newest of each.
//!
//! A record is the node's `PeerRecord` in its signed envelope and the binding that proves whose
//! node it is; so it can be passed on by anyone and believed from anyone. Kept by identity: a
//! validator that changes its node key replaces its record and cannot fill the book.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use libp2p::{
    Multiaddr, PeerId,
    core::{PeerRecord, SignedEnvelope},
    identity::Keypair,
    multiaddr::Protocol,
};

use crate::{Identity, Policy, error::RecordError, limits};

/// A validator's record as it travels and as the node keeps it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct RecordEntry {
    /// Signed envelope with the peer record, protobuf.
    pub(crate) record: Vec<u8>,
    /// The application's proof, opaque here.
    pub(crate) binding: Vec<u8>,
}

impl RecordEntry {
    pub(crate) fn to_bytes(&self) -> Bytes {
        // Writing to memory cannot fail.
        borsh::to_vec(self).unwrap_or_default().into()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > limits::RECORD_BYTES_MAX + limits::BINDING_BYTES_MAX + 8 {
            return None;
        }
        borsh::from_slice(bytes).ok()
    }
}

/// A signed record, checked: its peer, its age, its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) peer: PeerId,
    /// Seconds since 1970 at which it was signed.
    pub(crate) seq: u64,
    pub(crate) addresses: Vec<Multiaddr>,
}

/// Signs our own record.
pub(crate) fn sign(keypair: &Keypair, addresses: Vec<Multiaddr>) -> Result<Vec<u8>, RecordError> {
    PeerRecord::new(keypair, addresses)
        .map(|record| record.into_signed_envelope().into_protobuf_encoding())
        .map_err(|error| RecordError::Envelope(error.to_string()))
}

/// Checks the envelope and its bounds.
pub(crate) fn open(record: &[u8]) -> Result<Addresses, RecordError> {
    if record.len() > limits::RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge { what: "record" });
    }
    let envelope = SignedEnvelope::from_protobuf_encoding(record)
        .map_err(|error| RecordError::Envelope(error.to_string()))?;
    let record = PeerRecord::from_signed_envelope(envelope)
        .map_err(|error| RecordError::Envelope(error.to_string()))?;
    if record.addresses().len() > limits::RECORD_ADDRESSES_MAX {
        return Err(RecordError::TooLarge { what: "number of addresses" });
    }
    let addresses = record.addresses().iter().map(without_peer).collect();
    Ok(Addresses { peer: record.peer_id(), seq: record.seq(), addresses })
}

/// The address without a `/p2p/<id>` at its end.
pub(crate) fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// The PeerId that an address names at its end.
pub(crate) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// One verified validator.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) identity: Identity,
    pub(crate) at: Addresses,
    pub(crate) entry: RecordEntry,
    version: u64,
}

impl Known {
    /// A validator whose record and binding were checked by the caller.
    pub(crate) fn new(identity: Identity, at: Addresses, entry: RecordEntry) -> Self {
        Self { identity, at, entry, version: 0 }
    }
}

/// Checks a record and its binding.
pub(crate) fn verify(policy: &dyn Policy, entry: &RecordEntry) -> Result<Known, RecordError> {
    if entry.binding.len() > limits::BINDING_BYTES_MAX {
        return Err(RecordError::TooLarge { what: "binding" });
    }
    let at = open(&entry.record)?;
    let identity = policy
        .check_binding(&at.peer, Some(&entry.binding))
        .map_err(RecordError::Binding)?
        .ok_or_else(|| RecordError::Binding("not a validator's".to_owned()))?;
    Ok(Known::new(identity, at, entry.clone()))
}

/// Who offers a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// The validator itself, on its own connection: believed if not older.
    Own,
    /// Somebody else: believed if newer, or as old with more addresses.
    Passed,
}

/// See the module. Bounded by [`limits::KNOWN_VALIDATORS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Book {
    known: BTreeMap<Identity, Known>,
    /// Counts changes; what was sent to a peer is remembered by this number.
    version: u64,
}

impl Book {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether exactly this entry is kept, so that it need not be verified again.
    pub(crate) fn has(&self, entry: &RecordEntry) -> bool {
        self.known.values().any(|known| known.entry == *entry)
    }

    /// Takes a verified record; `true` if it changed the book.
    pub(crate) fn offer(&mut self, mut known: Known, offer: Offer) -> bool {
        let room = self.known.len() < limits::KNOWN_VALIDATORS_MAX;
        let take = match self.known.get(&known.identity) {
            None => room,
            Some(old) if old.entry == known.entry => false,
            Some(old) => match offer {
                Offer::Own => known.at.seq >= old.at.seq,
                Offer::Passed => {
                    (known.at.seq, known.at.addresses.len()) > (old.at.seq, old.at.addresses.len())
                }
            },
        };
        if take {
            self.version += 1;
            known.version = self.version;
            self.known.insert(known.identity, known);
        }
        take
    }

    /// What changed after `version`, without the receiver's own record.
    pub(crate) fn since(&self, version: u64, receiver: &PeerId) -> Vec<RecordEntry> {
        self.known
            .values()
            .filter(|known| known.version > version && known.at.peer != *receiver)
            .map(|known| known.entry.clone())
            .collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }

    pub(crate) fn peers(&self) -> BTreeSet<PeerId> {
        self.known.values().map(|known| known.at.peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Anyone;

    impl Policy for Anyone {
        fn binding(&self, _: &PeerId) -> Option<Bytes> {
            None
        }

        fn check_binding(
            &self,
            _: &PeerId,
            binding: Option<&[u8]>,
        ) -> Result<Option<Identity>, String> {
            let bytes = binding.and_then(|binding| binding.try_into().ok()).ok_or("length")?;
            Ok(Some(Identity(bytes)))
        }
    }

    fn entry(key: &Keypair, identity: u8, addresses: usize) -> RecordEntry {
        let addresses =
            (0..addresses).map(|port| format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap());
        let record = sign(key, addresses.collect()).unwrap();
        RecordEntry { record, binding: vec![identity; 32] }
    }

    #[test]
    fn a_flipped_bit_is_refused() {
        let entry = entry(&Keypair::generate_ed25519(), 1, 2);
        verify(&Anyone, &entry).unwrap();
        for byte in 0..entry.record.len() {
            let mut forged = entry.clone();
            forged.record[byte] ^= 1;
            assert!(verify(&Anyone, &forged).is_err(), "byte {byte}");
        }
    }

    #[test]
    fn too_many_addresses_are_refused() {
        let entry = entry(&Keypair::generate_ed25519(), 1, limits::RECORD_ADDRESSES_MAX + 1);
        assert!(matches!(verify(&Anyone, &entry), Err(RecordError::TooLarge { .. })));
    }

    #[test]
    fn the_book_is_bounded_and_keeps_the_newest() {
        let mut book = Book::default();
        let key = Keypair::generate_ed25519();
        for identity in 0..=255 {
            let known = verify(&Anyone, &entry(&key, identity, 1)).unwrap();
            book.offer(known, Offer::Passed);
        }
        assert_eq!(book.iter().count(), limits::KNOWN_VALIDATORS_MAX);
        let more = verify(&Anyone, &entry(&key, 0, 3)).unwrap();
        let version = book.version();
        assert!(book.offer(more.clone(), Offer::Passed));
        assert!(!book.offer(more.clone(), Offer::Own));
        assert_eq!(book.since(version, &PeerId::random()), vec![more.entry]);
    }
}
