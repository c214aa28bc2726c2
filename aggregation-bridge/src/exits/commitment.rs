//! Commitments over a network's state and over what it imported, as AggLayer's pessimistic proof has them.

use super::global::GlobalIndex;
use super::leaf::{NetworkId, list_hash};
use rota_types::Hash;
use rota_types::hash::{keccak256, keccak256_concat};

/// What the pessimistic root commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkCommitment {
    /// Root of the balance tree.
    pub balance_root: Hash,
    /// Root of the nullifier tree.
    pub nullifier_root: Hash,
    /// Leaves of the local exit tree.
    pub exit_count: u32,
    /// Certificates settled so far; in Rota, transitions accepted.
    pub height: u64,
    /// The network.
    pub network: NetworkId,
}

impl NetworkCommitment {
    /// Version 2: keccak256(balance root ‖ nullifier root ‖ exit count u32 little-endian).
    #[must_use]
    pub fn pessimistic_root_v2(&self) -> Hash {
        let count = self.exit_count.to_le_bytes();
        keccak256_concat(&[&self.balance_root.0, &self.nullifier_root.0, &count])
    }

    /// Version 3: the same preimage, then height u64 and network u32, little-endian.
    #[must_use]
    pub fn pessimistic_root(&self) -> Hash {
        keccak256_concat(&[
            &self.balance_root.0,
            &self.nullifier_root.0,
            &self.exit_count.to_le_bytes(),
            &self.height.to_le_bytes(),
            &self.network.0.to_le_bytes(),
        ])
    }
}

/// An exit that a certificate imports: where it stands, and its leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedExit {
    /// Its place.
    pub index: GlobalIndex,
    /// Its hash.
    pub exit_hash: Hash,
}

/// Version 2, over the places alone: keccak256 of the concatenation of keccak256(global index, little-endian).
#[must_use]
pub fn imported_indices_commitment(imported: &[ImportedExit]) -> Hash {
    let hashes: Vec<Hash> =
        imported.iter().map(|item| keccak256(&item.index.to_u256().to_le_bytes::<32>())).collect();
    list_hash(&hashes)
}

/// Version 3: keccak256 of the concatenation of (global index little-endian ‖ exit hash).
#[must_use]
pub fn imported_exits_commitment(imported: &[ImportedExit]) -> Hash {
    let bytes: Vec<[u8; 32]> = imported
        .iter()
        .flat_map(|item| [item.index.to_u256().to_le_bytes::<32>(), item.exit_hash.0])
        .collect();
    keccak256(bytes.as_flattened())
}

/// Bytes of [`PessimisticValues::packed`].
pub const PESSIMISTIC_VALUES_BYTES: usize = 6 * 32 + 4;

/// Public values of AggLayer's pessimistic proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PessimisticValues {
    /// Local exit root before; zero for an empty tree.
    pub previous_local_exit_root: Hash,
    /// Pessimistic root before; zero before the first.
    pub previous_pessimistic_root: Hash,
    /// Root under which imported exits were proved.
    pub l1_info_root: Hash,
    /// The network.
    pub network: NetworkId,
    /// What authorised the transition.
    pub aggchain_hash: Hash,
    /// Local exit root after; zero for an empty tree.
    pub new_local_exit_root: Hash,
    /// Pessimistic root after.
    pub new_pessimistic_root: Hash,
}

impl PessimisticValues {
    /// The proof's public values: the fields in order, the network as u32 big-endian.
    #[must_use]
    pub fn packed(&self) -> [u8; PESSIMISTIC_VALUES_BYTES] {
        let mut bytes = [0; PESSIMISTIC_VALUES_BYTES];
        let parts = [
            &self.previous_local_exit_root.0[..],
            &self.previous_pessimistic_root.0,
            &self.l1_info_root.0,
            &self.network.0.to_be_bytes(),
            &self.aggchain_hash.0,
            &self.new_local_exit_root.0,
            &self.new_pessimistic_root.0,
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }
}
