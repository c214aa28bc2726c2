//! Proofs that an exit stands under a root that the claiming chain knows.
//!
//! [`ExitProof`] leads to the `global_exit_root` of a slot header; [`Claim`] is AggLayer's longer form, which
//! leads on into the tree of all global exit roots on L1.

use super::exit_tree::ExitPath;
use super::global::{GlobalIndex, global_exit_root};
use super::leaf::BridgeExit;
use crate::error::ExitError;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::Hash;
use rota_types::hash::keccak256_concat;

/// The way from an exit of a rollup to a global exit root.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ExitProof {
    /// From the exit to its network's local exit root, at the leaf index.
    pub to_local: ExitPath,
    /// From there to the rollup exit root, at the rollup index.
    pub to_rollups: ExitPath,
    /// What stands beside it in the global exit root.
    pub mainnet_exit_root: Hash,
}

impl ExitProof {
    /// The global exit root that follows from `exit` standing at `index`.
    ///
    /// # Errors
    /// [`ExitError::Mainnet`] for an exit of L1, which stands under no rollup.
    pub fn root_of(&self, exit: &BridgeExit, index: GlobalIndex) -> Result<Hash, ExitError> {
        let place = index.source.rollup_index().ok_or(ExitError::Mainnet)?;
        let local = self.to_local.root_of(exit.hash(), index.leaf_index);
        let rollups = self.to_rollups.root_of(local, place);
        Ok(global_exit_root(&self.mainnet_exit_root, &rollups))
    }
}

/// A path with the root that it is said to lead to, as certificates carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootedPath {
    /// The root.
    pub root: Hash,
    /// The path; boxed, for it is a kilobyte.
    pub path: Box<ExitPath>,
}

impl RootedPath {
    fn leads_from(&self, leaf: Hash, index: u32) -> bool {
        self.path.root_of(leaf, index) == self.root
    }
}

/// A leaf of L1's tree of global exit roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1InfoLeaf {
    /// Its index in that tree.
    pub index: u32,
    /// Exits of all rollups.
    pub rollup_exit_root: Hash,
    /// Exits of L1.
    pub mainnet_exit_root: Hash,
    /// Hash of the L1 block before.
    pub block_hash: Hash,
    /// Time of its own block, in seconds since the Unix epoch.
    pub timestamp_s: u64,
}

impl L1InfoLeaf {
    /// The global exit root of both roots.
    #[must_use]
    pub fn global_exit_root(&self) -> Hash {
        global_exit_root(&self.mainnet_exit_root, &self.rollup_exit_root)
    }

    /// keccak256(global exit root ‖ block hash ‖ timestamp u64 big-endian).
    #[must_use]
    pub fn hash(&self) -> Hash {
        let time = self.timestamp_s.to_be_bytes();
        keccak256_concat(&[&self.global_exit_root().0, &self.block_hash.0, &time])
    }
}

/// The claim of an imported exit in an AggLayer certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// An exit of L1.
    Mainnet {
        /// From the exit to the mainnet exit root.
        to_mainnet: RootedPath,
        /// From the L1 info leaf to its tree's root.
        to_l1_info: RootedPath,
        /// The L1 info leaf.
        leaf: L1InfoLeaf,
    },
    /// An exit of a rollup.
    Rollup {
        /// From the exit to its local exit root.
        to_local: RootedPath,
        /// From there to the rollup exit root.
        to_rollups: RootedPath,
        /// From the L1 info leaf to its tree's root.
        to_l1_info: RootedPath,
        /// The L1 info leaf.
        leaf: L1InfoLeaf,
    },
}

impl Claim {
    /// Verifies that `exit` stands at `index` under `l1_info_root`.
    ///
    /// # Errors
    /// [`ExitError::Mainnet`] when index and claim disagree about L1; [`ExitError::Path`] naming the step that fails.
    pub fn verify(
        &self,
        exit: &BridgeExit,
        index: GlobalIndex,
        l1_info_root: &Hash,
    ) -> Result<(), ExitError> {
        let check = |ok: bool, step| if ok { Ok(()) } else { Err(ExitError::Path { step }) };
        let (leaf, to_l1_info) = match (self, index.source.rollup_index()) {
            (Self::Mainnet { to_mainnet, to_l1_info, leaf }, None) => {
                check(to_mainnet.root == leaf.mainnet_exit_root, "mainnet exit root")?;
                check(to_mainnet.leads_from(exit.hash(), index.leaf_index), "exit")?;
                (leaf, to_l1_info)
            }
            (Self::Rollup { to_local, to_rollups, to_l1_info, leaf }, Some(place)) => {
                check(to_rollups.root == leaf.rollup_exit_root, "rollup exit root")?;
                check(to_local.leads_from(exit.hash(), index.leaf_index), "exit")?;
                check(to_rollups.leads_from(to_local.root, place), "local exit root")?;
                (leaf, to_l1_info)
            }
            _ => return Err(ExitError::Mainnet),
        };
        check(to_l1_info.root == *l1_info_root, "L1 info root")?;
        check(to_l1_info.leads_from(leaf.hash(), leaf.index), "L1 info leaf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exits::{
        Address, EMPTY_METADATA_HASH, LeafType, NetworkId, TokenInfo, exit_root, rollup_exit_leaves,
    };
    use ruint::aliases::U256;
    use std::collections::BTreeMap;

    fn exit(amount: u64) -> BridgeExit {
        BridgeExit {
            leaf_type: LeafType::Transfer,
            token: TokenInfo { origin_network: NetworkId(3), origin_address: Address([1; 20]) },
            destination_network: NetworkId(4),
            destination_address: Address([2; 20]),
            amount: U256::from(amount),
            metadata_hash: EMPTY_METADATA_HASH,
        }
    }

    fn at(source: u32, leaf_index: u32) -> GlobalIndex {
        GlobalIndex { source: NetworkId(source), leaf_index }
    }

    fn trees() -> (Vec<Hash>, Vec<Hash>) {
        let exits: Vec<Hash> = (0..5).map(|i| exit(i).hash()).collect();
        let roots =
            BTreeMap::from([(NetworkId(3), exit_root(&exits)), (NetworkId(6), Hash([6; 32]))]);
        (exits, rollup_exit_leaves(&roots))
    }

    #[test]
    fn an_exit_proof_holds_at_its_own_place_only() {
        let (exits, rollups) = trees();
        let proof = ExitProof {
            to_local: ExitPath::of(&exits, 4).unwrap(),
            to_rollups: ExitPath::of(&rollups, 2).unwrap(),
            mainnet_exit_root: exit_root(&[]),
        };
        let root = global_exit_root(&exit_root(&[]), &exit_root(&rollups));
        assert_eq!(proof.root_of(&exit(4), at(3, 4)), Ok(root));
        assert_ne!(proof.root_of(&exit(5), at(3, 4)), Ok(root));
        assert_ne!(proof.root_of(&exit(4), at(3, 3)), Ok(root));
        assert_ne!(proof.root_of(&exit(4), at(4, 4)), Ok(root));
        assert_eq!(proof.root_of(&exit(4), at(0, 4)), Err(ExitError::Mainnet));
    }

    #[test]
    fn every_step_of_a_rollup_claim_is_checked() {
        let (exits, rollups) = trees();
        let rooted = |leaves: &[Hash], index| RootedPath {
            root: exit_root(leaves),
            path: Box::new(ExitPath::of(leaves, index).unwrap()),
        };
        let leaf = L1InfoLeaf {
            index: 1,
            rollup_exit_root: exit_root(&rollups),
            mainnet_exit_root: Hash([9; 32]),
            block_hash: Hash([8; 32]),
            timestamp_s: 7,
        };
        let info = [Hash([1; 32]), leaf.hash()];
        let l1 = exit_root(&info);
        let claim = |to_local, to_rollups, to_l1_info, leaf| Claim::Rollup {
            to_local,
            to_rollups,
            to_l1_info,
            leaf,
        };
        let (local, up) = (rooted(&exits, 2), rooted(&rollups, 2));
        let good = claim(local.clone(), up.clone(), rooted(&info, 1), leaf.clone());
        assert_eq!(good.verify(&exit(2), at(3, 2), &l1), Ok(()));
        let step = |claim: &Claim, index| match claim.verify(&exit(2), index, &l1) {
            Err(ExitError::Path { step }) => step,
            other => panic!("{other:?}"),
        };
        assert_eq!(good.verify(&exit(2), at(0, 2), &l1), Err(ExitError::Mainnet));
        assert!(good.verify(&exit(2), at(3, 2), &Hash([3; 32])).is_err());
        assert_eq!(step(&good, at(3, 1)), "exit");
        assert_eq!(step(&good, at(4, 2)), "local exit root");
        let later = L1InfoLeaf { timestamp_s: 8, ..leaf.clone() };
        let bad = claim(local.clone(), up.clone(), rooted(&info, 1), later);
        assert_eq!(step(&bad, at(3, 2)), "L1 info leaf");
        let other = L1InfoLeaf { rollup_exit_root: Hash([3; 32]), ..leaf };
        assert_eq!(step(&claim(local, up, rooted(&info, 1), other), at(3, 2)), "rollup exit root");
    }
}
