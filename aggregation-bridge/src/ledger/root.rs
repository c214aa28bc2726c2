//! The ledger's commitment: one hash over all of its state.

use super::Ledger;
use super::network::Network;
use crate::exits::NetworkId;
use rota_types::codec::encode;
use rota_types::{Hash, Tag, keccak256};

impl Ledger {
    /// keccak256("rota/ledger/v1" ‖ chain id u64 ‖ slot u64 ‖ hash of the kept exit roots ‖ count u32 ‖ for each
    /// network, ascending: its id u32 ‖ its commitment), big-endian. Asked for between heights: deliveries of a
    /// height in progress are not state.
    #[must_use]
    pub fn root(&self) -> Hash {
        let count = u32::try_from(self.networks.len()).unwrap_or(u32::MAX);
        let roots: Vec<[u8; 32]> = self.exit_roots.iter().map(|root| root.0).collect();
        let mut bytes = self.slot.0.to_be_bytes().to_vec();
        bytes.extend(keccak256(roots.as_flattened()).0);
        bytes.extend(count.to_be_bytes());
        for (id, entry) in &self.networks {
            bytes.extend(id.0.to_be_bytes());
            bytes.extend(entry.root(|network| commitment(*id, network)).0);
        }
        Tag::Ledger.digest(self.chain_id, &bytes)
    }

    /// AggLayer's pessimistic root of a network, and its local exit root.
    #[must_use]
    pub fn network_roots(&self, id: NetworkId) -> Option<(Hash, Hash)> {
        let network = self.network(id)?;
        Some((network.commitment(id).pessimistic_root(), network.exits.root()))
    }
}

/// keccak256(pessimistic root ‖ local exit root ‖ root of the reserved amounts ‖ keccak256 of the borsh encoding
/// of: config, status, folded u64, next exit u64, the caps by token).
fn commitment(id: NetworkId, network: &Network) -> Hash {
    let rest = encode(&(
        network.config,
        network.status,
        network.folded,
        network.next_exit,
        &*network.caps,
    ));
    let parts = [
        network.commitment(id).pessimistic_root().0,
        network.exits.root().0,
        network.reserved.root().0,
        keccak256(&rest).0,
    ];
    keccak256(parts.as_flattened())
}
