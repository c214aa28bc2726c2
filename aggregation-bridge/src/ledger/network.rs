//! The state of one network in the ledger.

use super::cap::Cap;
use super::transition::CommitmentKind;
use crate::error::Refused;
use crate::exits::{
    LocalExitTree, NetworkCommitment, NetworkId, NullifierKey, SparseTree, TokenInfo, balance_leaf,
};
use crate::limits::AMOUNT_BITS_MAX;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::Hash;
use ruint::aliases::U256;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// How exits of others reach a network; fixed at registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Mode {
    /// Into its inbox, in the height in which the exit's transition is accepted.
    Inbox,
    /// By a claim with a path to a global exit root.
    Claims,
    /// On L1, whose contract keeps its own nullifiers.
    Foreign,
}

/// Whether a network takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Status {
    /// It sends and receives.
    Open,
    /// It neither sends nor receives; exits to it bounce.
    Paused,
    /// The same, for ever.
    Closed,
}

/// What a registration says to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NetworkConfig {
    /// How it receives.
    pub mode: Mode,
    /// How it commits to its exits.
    pub kind: CommitmentKind,
    /// No amount delivered to it and no balance of it takes more bits: what its circuit can count. 1 to 128.
    pub amount_bits: u32,
}

impl NetworkConfig {
    pub(super) fn check(&self) -> Result<(), Refused> {
        if self.mode == Mode::Foreign {
            return Err(Refused::Foreign);
        }
        let fits = (1..=AMOUNT_BITS_MAX).contains(&self.amount_bits);
        if fits { Ok(()) } else { Err(Refused::AmountBits) }
    }
}

/// One network. Cloning is cheap: trees are persistent, caps are shared until changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) config: NetworkConfig,
    pub(super) status: Status,
    /// Exits that left.
    pub(super) exits: LocalExitTree,
    /// What it received.
    pub(super) nullifiers: SparseTree<NullifierKey, 64>,
    pub(super) balances: SparseTree<TokenInfo, 192>,
    /// Room in `balances` that exits under way or held will need.
    pub(super) reserved: SparseTree<TokenInfo, 192>,
    /// Accepted transitions; the number of the last one.
    pub(super) transitions: u64,
    /// Up to which transition everything is inside a folded proof.
    pub(super) folded: u64,
    /// Number of the next exit; dense over all exits, held and bounced ones too.
    pub(super) next_exit: u64,
    pub(super) caps: Arc<BTreeMap<TokenInfo, Cap>>,
}

impl Network {
    pub(super) fn new(config: NetworkConfig, status: Status) -> Self {
        Self {
            config,
            status,
            exits: LocalExitTree::default(),
            nullifiers: SparseTree::default(),
            balances: SparseTree::default(),
            reserved: SparseTree::default(),
            transitions: 0,
            folded: 0,
            next_exit: 0,
            caps: Arc::default(),
        }
    }

    /// The largest amount, and the largest balance, that this network can count.
    fn amount_max(&self) -> U256 {
        let bits = self.config.amount_bits.min(AMOUNT_BITS_MAX);
        (U256::ONE << bits) - U256::ONE
    }

    pub(super) fn balance(&self, token: &TokenInfo) -> U256 {
        U256::from_be_bytes(self.balances.get(token).0)
    }

    pub(super) fn reserved(&self, token: &TokenInfo) -> U256 {
        U256::from_be_bytes(self.reserved.get(token).0)
    }

    /// Whether `amount` more of `token` can be counted here, beside all that is under way. Its own token is not
    /// summed, but each amount of it must fit.
    pub(super) fn has_room(&self, own: NetworkId, token: &TokenInfo, amount: U256) -> bool {
        let held = if token.origin_network == own {
            Some(U256::ZERO)
        } else {
            self.balance(token).checked_add(self.reserved(token))
        };
        held.and_then(|held| held.checked_add(amount)).is_some_and(|sum| sum <= self.amount_max())
    }

    /// Adds to the balance of a foreign token.
    pub(super) fn credit(&mut self, own: NetworkId, token: TokenInfo, amount: U256) {
        if token.origin_network != own {
            add(&mut self.balances, token, amount);
        }
    }

    /// Takes from the balance of a foreign token; the caller compared first.
    pub(super) fn debit(&mut self, own: NetworkId, token: TokenInfo, amount: U256) {
        if token.origin_network != own {
            subtract(&mut self.balances, token, amount);
        }
    }

    /// Keeps room for a credit to come.
    pub(super) fn reserve(&mut self, own: NetworkId, token: TokenInfo, amount: U256) {
        if token.origin_network != own {
            add(&mut self.reserved, token, amount);
        }
    }

    /// Gives up room that [`Self::reserve`] kept.
    pub(super) fn unreserve(&mut self, own: NetworkId, token: TokenInfo, amount: U256) {
        if token.origin_network != own {
            subtract(&mut self.reserved, token, amount);
        }
    }

    /// AggLayer's commitment to this state.
    pub(super) fn commitment(&self, id: NetworkId) -> NetworkCommitment {
        NetworkCommitment {
            balance_root: self.balances.root(),
            nullifier_root: self.nullifiers.root(),
            exit_count: self.exits.count(),
            height: self.transitions,
            network: id,
        }
    }
}

fn add(tree: &mut SparseTree<TokenInfo, 192>, token: TokenInfo, amount: U256) {
    let before = U256::from_be_bytes(tree.get(&token).0);
    let after = before.checked_add(amount).expect("has_room kept the sum below 2^128");
    tree.set(token, balance_leaf(after));
}

fn subtract(tree: &mut SparseTree<TokenInfo, 192>, token: TokenInfo, amount: U256) {
    let before = U256::from_be_bytes(tree.get(&token).0);
    let after = before.checked_sub(amount).expect("no more is taken than was compared or reserved");
    tree.set(token, balance_leaf(after));
}

/// A network with its commitment, computed once between two changes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    network: Network,
    root: OnceLock<Hash>,
}

impl Entry {
    pub(super) const fn new(network: Network) -> Self {
        Self { network, root: OnceLock::new() }
    }

    pub(super) const fn network(&self) -> &Network {
        &self.network
    }

    /// For a change: what was remembered is forgotten.
    pub(super) fn network_mut(&mut self) -> &mut Network {
        self.root = OnceLock::new();
        &mut self.network
    }

    pub(super) fn root(&self, compute: impl FnOnce(&Network) -> Hash) -> Hash {
        *self.root.get_or_init(|| compute(&self.network))
    }
}
