//! What enters an inbox: an exit that arrives, or one that comes back.

use crate::exits::{BridgeExit, NetworkId};
use crate::tree;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::hash::keccak256_concat;
use rota_types::{Hash, Tag};

/// Whether an exit arrives or comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum DeliveryKind {
    /// An exit of another network arrives.
    Exit,
    /// An exit of this network comes back.
    Bounce,
}

/// Why an exit comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum BounceReason {
    /// Its destination was never registered.
    Unknown,
    /// Its destination is paused.
    Paused,
    /// Its destination is closed, or takes no exits.
    Closed,
    /// The source's exit tree is full.
    TreeFull,
}

/// One entry of an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Delivery {
    /// Arriving or coming back.
    pub kind: DeliveryKind,
    /// The network that the exit left; of a bounce, the inbox's own.
    pub source: NetworkId,
    /// Leaf index in the source's exit tree; of a bounce, the exit's number.
    pub place: u64,
    /// The exit.
    pub exit: BridgeExit,
}

impl Delivery {
    /// keccak256(0x00 ‖ kind u8 (0 exit, 1 bounce) ‖ source u32 ‖ place u64 ‖ packed exit), big-endian.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        keccak256_concat(&[&[0], &self.head(), &self.exit.packed()])
    }

    /// What stands before the exit: kind u8 ‖ source u32 ‖ place u64.
    pub(crate) fn head(&self) -> [u8; 13] {
        let mut head = [u8::from(self.kind == DeliveryKind::Bounce); 13];
        let rest = self.source.0.to_be_bytes().into_iter().chain(self.place.to_be_bytes());
        for (to, from) in head.iter_mut().skip(1).zip(rest) {
            *to = from;
        }
        head
    }
}

/// Root over the deliveries of one inbox in one height, in their order ([`crate::tree`]).
#[must_use]
pub fn deliveries_root(chain_id: u64, deliveries: &[Delivery]) -> Hash {
    let leaves = deliveries.iter().map(Delivery::leaf).collect();
    tree::root(Tag::DeliveriesRoot, chain_id, leaves)
}
