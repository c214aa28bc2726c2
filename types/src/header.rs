//! The header of an executed slot: what is sealed, and what other chains verify.

use crate::error::TypesError;
use crate::hash::{Hash, keccak256};
use crate::ids::{Height, Slot, TimestampMs};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// Version of the packed layout.
pub const HEADER_VERSION: u16 = 1;
/// Bytes of the packed layout.
pub const HEADER_PACKED_BYTES: usize = 2 + 4 + 8 * 4 + 32 * 11 + 8 * 3;

/// Header of a slot. Its id is keccak256 of [`SlotHeader::packed`]. Roots not in use yet are zero.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct SlotHeader {
    /// Layout version, [`HEADER_VERSION`].
    pub version: u16,
    /// Rules in force.
    pub protocol_version: u32,
    /// The network.
    pub chain_id: u64,
    /// Height, dense.
    pub height: Height,
    /// Slot, strictly increasing.
    pub slot: Slot,
    /// `genesis_time + (slot + 1)·slot_ms`: the slot's end.
    pub time: TimestampMs,
    /// Id of the header before; zero at height 1.
    pub parent: Hash,
    /// Id of the decided proposal.
    pub proposal: Hash,
    /// Namespace tree of the slot's transactions.
    pub txs_root: Hash,
    /// Keystore state.
    pub keystore_root: Hash,
    /// Keystore state for circuits.
    pub zk_root: Hash,
    /// Bridge state.
    pub bridge_root: Hash,
    /// Verdicts on proofs.
    pub verdicts_root: Hash,
    /// Exits of all rollups.
    pub global_exit_root: Hash,
    /// State that decides order.
    pub order_root: Hash,
    /// Commitment to this height's validators.
    pub validators: Hash,
    /// Commitment to the next height's validators.
    pub next_validators: Hash,
    /// Transactions ordered in the slot.
    pub tx_count: u64,
    /// Their bytes.
    pub byte_count: u64,
    /// Transactions skipped with a code.
    pub skipped_count: u64,
}

impl SlotHeader {
    /// Fixed-width big-endian layout in field order; contracts hash exactly this.
    #[must_use]
    pub fn packed(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_PACKED_BYTES);
        out.extend(self.version.to_be_bytes());
        out.extend(self.protocol_version.to_be_bytes());
        for number in [self.chain_id, self.height.0, self.slot.0, self.time.0] {
            out.extend(number.to_be_bytes());
        }
        for root in [
            self.parent,
            self.proposal,
            self.txs_root,
            self.keystore_root,
            self.zk_root,
            self.bridge_root,
            self.verdicts_root,
            self.global_exit_root,
            self.order_root,
            self.validators,
        ] {
            out.extend(root.0);
        }
        out.extend(self.next_validators.0);
        for number in [self.tx_count, self.byte_count, self.skipped_count] {
            out.extend(number.to_be_bytes());
        }
        out
    }

    /// keccak256 of the packed layout.
    #[must_use]
    pub fn id(&self) -> Hash {
        keccak256(&self.packed())
    }

    /// Checks version and chain.
    ///
    /// # Errors
    /// [`TypesError::Mismatch`].
    pub fn check_chain(&self, chain_id: u64) -> Result<(), TypesError> {
        if self.version != HEADER_VERSION {
            return Err(TypesError::Mismatch { what: "header version" });
        }
        if self.chain_id != chain_id {
            return Err(TypesError::Mismatch { what: "chain_id" });
        }
        Ok(())
    }
}
