//! Exits in AggLayer's hash formats: leaves, trees, roots, claims, commitments.
//!
//! ```text
//! BridgeExit::hash ──► LocalExitTree::root ──► rollup_exit_root ──► global_exit_root ──► slot header
//!        │                                                               ▲
//!        └── ExitPath to the local root, ExitPath to the rollup exit root: `Claim`, checked on a foreign chain
//! NullifierKey ──► SparseTree<64>     what a network has received
//! TokenInfo    ──► SparseTree<192>    what it holds of other networks' tokens
//! ```
//!
//! The formats are those of agglayer/agglayer (`pessimistic-proof-core`), agglayer/interop (`unified-bridge`)
//! and the contracts in agglayer/agglayer-contracts; `tests/agglayer.rs` reproduces their certificates and
//! vectors. None of the nodes is domain-separated by a tag: the fixed depths keep a node from being shown as
//! a leaf, and so every verifier here insists on exactly that many siblings.

mod aggchain;
mod claim;
mod commitment;
mod exit_tree;
mod global;
mod leaf;
mod sparse;

pub use aggchain::{aggchain_hash, multisig_hash};
pub use claim::{Claim, ExitProof, L1InfoLeaf, RootedPath};
pub use commitment::{
    ImportedExit, NetworkCommitment, PESSIMISTIC_VALUES_BYTES, PessimisticValues,
    imported_exits_commitment, imported_indices_commitment,
};
pub use exit_tree::{EXIT_TREE_DEPTH, ExitPath, LocalExitTree, exit_root};
pub use global::{GlobalIndex, global_exit_root, rollup_exit_leaves, rollup_exit_root};
pub use leaf::{
    Address, BridgeExit, EMPTY_METADATA_HASH, EXIT_PACKED_BYTES, LeafType, NetworkId, TokenInfo,
    metadata_hash,
};
pub use sparse::{NullifierKey, SparseKey, SparsePath, SparseTree, balance_leaf, nullifier_leaf};
