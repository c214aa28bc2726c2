//! The one table of domain tags: no signature or digest of one object is ever valid for another.
//!
//! A tag once used keeps its meaning for ever; a changed encoding takes a new version suffix.

use crate::hash::{Hash, keccak256_concat};

/// Domain of a signed or hashed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tag {
    /// Batch header: its digest, and the author's signature over it.
    Batch,
    /// Acknowledgement of a batch.
    Ack,
    /// Submission receipt.
    Receipt,
    /// Slot proposal (the value consensus decides).
    SlotProposal,
    /// Signed consensus proposal message.
    Proposal,
    /// Prevote.
    Prevote,
    /// Precommit.
    Precommit,
    /// Seal over a slot header id (BLS).
    Seal,
    /// Proof of possession of a seal key (BLS).
    SealPossession,
    /// Binding of a PeerId to a validator key.
    PeerBinding,
    /// Commitment to a validator set.
    ValidatorSet,
    /// Root of a 16-ary tree of transaction ids.
    IdsRoot,
    /// Genesis document.
    Genesis,
    /// Commitment to the state that decides order.
    OrderRoot,
    /// Rank of a validator for batching a gossiped transaction.
    BatchRank,
    /// Signed status: what a validator that lost its guard collects.
    Status,
    /// Key of a rollup in the namespace tree.
    Namespace,
    /// Operation of the system rollup.
    SystemOp,
    /// Ordered exits of a transition, commitment of keccak kind.
    Exits,
    /// Root over the deliveries into one inbox in one height.
    DeliveriesRoot,
    /// Root over the verdicts of one height.
    VerdictsRoot,
    /// Commitment to the pessimistic ledger.
    Ledger,
    /// First link of an inbox.
    InboxGenesis,
    /// Any other link of an inbox.
    InboxLink,
    /// Statement that a transition's proof makes.
    Statement,
}

impl Tag {
    /// Every tag, for documentation and the uniqueness test.
    pub const ALL: [Self; 25] = [
        Self::Batch,
        Self::Ack,
        Self::Receipt,
        Self::SlotProposal,
        Self::Proposal,
        Self::Prevote,
        Self::Precommit,
        Self::Seal,
        Self::SealPossession,
        Self::PeerBinding,
        Self::ValidatorSet,
        Self::IdsRoot,
        Self::Genesis,
        Self::OrderRoot,
        Self::BatchRank,
        Self::Status,
        Self::Namespace,
        Self::SystemOp,
        Self::Exits,
        Self::DeliveriesRoot,
        Self::VerdictsRoot,
        Self::Ledger,
        Self::InboxGenesis,
        Self::InboxLink,
        Self::Statement,
    ];

    /// The ASCII tag, `rota/<object>/v1`.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Batch => "rota/batch/v1",
            Self::Ack => "rota/ack/v1",
            Self::Receipt => "rota/receipt/v1",
            Self::SlotProposal => "rota/slot-proposal/v1",
            Self::Proposal => "rota/proposal/v1",
            Self::Prevote => "rota/prevote/v1",
            Self::Precommit => "rota/precommit/v1",
            Self::Seal => "rota/seal/v1",
            Self::SealPossession => "rota/seal-possession/v1",
            Self::PeerBinding => "rota/peer-binding/v1",
            Self::ValidatorSet => "rota/validator-set/v1",
            Self::IdsRoot => "rota/ids-root/v1",
            Self::Genesis => "rota/genesis/v1",
            Self::OrderRoot => "rota/order-root/v1",
            Self::BatchRank => "rota/batch-rank/v1",
            Self::Status => "rota/status/v1",
            Self::Namespace => "rota/namespace/v1",
            Self::SystemOp => "rota/system-op/v1",
            Self::Exits => "rota/exits/v1",
            Self::DeliveriesRoot => "rota/deliveries-root/v1",
            Self::VerdictsRoot => "rota/verdicts-root/v1",
            Self::Ledger => "rota/ledger/v1",
            Self::InboxGenesis => "rota/inbox-genesis/v1",
            Self::InboxLink => "rota/inbox-link/v1",
            Self::Statement => "rota/statement/v1",
        }
    }

    /// `keccak256(tag ‖ chain_id as u64 big-endian ‖ body)`.
    #[must_use]
    pub fn digest(self, chain_id: u64, body: &[u8]) -> Hash {
        self.digest_parts(chain_id, &[body])
    }

    /// [`Self::digest`] over the concatenation of `parts`.
    #[must_use]
    pub fn digest_parts(self, chain_id: u64, parts: &[&[u8]]) -> Hash {
        let chain = chain_id.to_be_bytes();
        let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len().saturating_add(2));
        all.push(self.text().as_bytes());
        all.push(&chain);
        all.extend_from_slice(parts);
        keccak256_concat(&all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tag_is_a_prefix_of_another() {
        for a in Tag::ALL {
            for b in Tag::ALL {
                assert!(a == b || !a.text().starts_with(b.text()), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn chain_id_changes_the_digest() {
        assert_ne!(Tag::Ack.digest(1, b"x"), Tag::Ack.digest(2, b"x"));
        assert_ne!(Tag::Ack.digest(1, b"x"), Tag::Batch.digest(1, b"x"));
    }
}
