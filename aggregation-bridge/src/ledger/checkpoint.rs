//! The ledger as bytes, for checkpoints: taken between heights, restored to the same root.
//!
//! Whoever restores one compares [`Ledger::root`] with what a sealed header commits to; the decoder itself only
//! refuses what no ledger is, and holds no more than its limits.

use super::Ledger;
use super::cap::Cap;
use super::network::{Entry, Network, NetworkConfig, Status};
use crate::exits::{
    LocalExitTree, NetworkId, NullifierKey, SparseTree, TokenInfo, balance_leaf, nullifier_leaf,
};
use crate::limits::{AMOUNT_BITS_MAX, CAPS_MAX, EXIT_ROOTS_KEPT, NETWORKS_MAX};
use borsh::{BorshDeserialize, BorshSerialize, io};
use rota_types::{Hash, Slot};
use ruint::aliases::U256;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

type Amounts = SparseTree<TokenInfo, 192>;

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Chain id, slot, number of networks, the networks in ascending order of their dense ids, exit roots.
impl BorshSerialize for Ledger {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        if !self.deliveries.is_empty() {
            return Err(io::Error::other("a checkpoint is taken between heights"));
        }
        (self.chain_id, self.slot).serialize(writer)?;
        u32::try_from(self.networks.len()).map_err(io::Error::other)?.serialize(writer)?;
        for entry in self.networks.values() {
            entry.network().serialize(writer)?;
        }
        self.exit_roots.serialize(writer)
    }
}

impl BorshDeserialize for Ledger {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let (chain_id, slot) = <(u64, Slot)>::deserialize_reader(reader)?;
        let count = u32::deserialize_reader(reader)?;
        let known = usize::try_from(count).is_ok_and(|count| count <= NETWORKS_MAX);
        if !known || count < NetworkId::FIRST_ROLLUP.0 {
            return Err(bad("a ledger has 3 to 4,096 networks"));
        }
        let mut networks = BTreeMap::new();
        for id in 0..count {
            networks.insert(NetworkId(id), Entry::new(Network::deserialize_reader(reader)?));
        }
        let exit_roots = VecDeque::<Hash>::deserialize_reader(reader)?;
        if exit_roots.len() > EXIT_ROOTS_KEPT {
            return Err(bad("more global exit roots than are kept"));
        }
        Ok(Self { chain_id, slot, networks, deliveries: BTreeMap::new(), exit_roots })
    }
}

impl BorshSerialize for Network {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        (self.config, self.status, &self.exits).serialize(writer)?;
        let nullifiers = self.nullifiers.entries().into_iter();
        let nullifiers: Vec<_> = nullifiers.map(|(key, _)| (key.source, key.leaf_index)).collect();
        nullifiers.serialize(writer)?;
        self.balances.entries().serialize(writer)?;
        self.reserved.entries().serialize(writer)?;
        (self.transitions, self.folded, self.next_exit).serialize(writer)?;
        self.caps.iter().collect::<Vec<_>>().serialize(writer)
    }
}

impl BorshDeserialize for Network {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let (config, status) = <(NetworkConfig, Status)>::deserialize_reader(reader)?;
        if !(1..=AMOUNT_BITS_MAX).contains(&config.amount_bits) {
            return Err(bad("amounts have 1 to 128 bits"));
        }
        let exits = LocalExitTree::deserialize_reader(reader)?;
        let mut nullifiers = SparseTree::default();
        for (source, leaf_index) in Vec::<(NetworkId, u32)>::deserialize_reader(reader)? {
            nullifiers.set(NullifierKey { source, leaf_index }, nullifier_leaf());
        }
        let (balances, reserved) = (read_amounts(reader)?, read_amounts(reader)?);
        let (transitions, folded, next_exit) = <(u64, u64, u64)>::deserialize_reader(reader)?;
        let caps = Vec::<(TokenInfo, Cap)>::deserialize_reader(reader)?;
        if caps.len() > CAPS_MAX {
            return Err(bad("more caps than a network has"));
        }
        let caps = Arc::new(caps.into_iter().collect());
        Ok(Self {
            config,
            status,
            exits,
            nullifiers,
            balances,
            reserved,
            transitions,
            folded,
            next_exit,
            caps,
        })
    }
}

/// Balances, each of at most 128 bits, so that no later sum wraps.
fn read_amounts<R: io::Read>(reader: &mut R) -> io::Result<Amounts> {
    let mut amounts = Amounts::default();
    for (token, leaf) in Vec::<(TokenInfo, Hash)>::deserialize_reader(reader)? {
        let amount = U256::from_be_bytes(leaf.0);
        if amount.bit_len() > 128 {
            return Err(bad("an amount of more than 128 bits"));
        }
        amounts.set(token, balance_leaf(amount));
    }
    Ok(amounts)
}
