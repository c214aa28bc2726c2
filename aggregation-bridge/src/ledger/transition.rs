//! Accepting a transition's exits: everything is checked before anything changes.

use super::Ledger;
use super::cap::Passage;
use super::draft::{Draft, Route};
use super::network::Status;
use super::outcomes::{ExitEvent, ExitId, ExitOutcome};
use crate::error::Refused;
use crate::exits::{Address, BridgeExit, LeafType, NetworkId, TokenInfo};
use crate::fields::{Fields, scalar};
use crate::limits::EXITS_MAX;
use crate::poseidon::Compression;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::{Hash, Slot, Tag};
use ruint::UintTryFrom;
use ruint::aliases::{U256, U512};
use std::collections::BTreeMap;

/// The exits of a transition whose proof was found valid.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// The exits in order.
    pub exits: &'a [BridgeExit],
    /// What the proven statement says of their number.
    pub exits_count: u32,
    /// What it says of their hash.
    pub exits_hash: Hash,
}

/// How a rollup commits to its exits and its inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum CommitmentKind {
    /// keccak256: for virtual machines.
    Keccak,
    /// Poseidon over BN254's scalars with circomlib's parameters: for circuits written by hand.
    Poseidon,
}

impl CommitmentKind {
    /// Commitment to a transition's exits.
    #[must_use]
    pub fn exits_hash(self, chain_id: u64, exits: &[BridgeExit]) -> Hash {
        match self {
            Self::Keccak => keccak_exits(chain_id, exits),
            Self::Poseidon => poseidon_exits(exits),
        }
    }
}

/// h₀ = 0; hₙ₊₁ = Poseidon(hₙ, the six scalars of exit n). The count stands beside it in the statement, and the
/// chain in the inbox.
fn poseidon_exits(exits: &[BridgeExit]) -> Hash {
    let mut compression = Compression::of(7);
    exits.iter().fold(Hash::ZERO, |before, exit| {
        let mut inputs = vec![before.0];
        inputs.extend(exit_scalars(exit));
        compression.hash(&inputs)
    })
}

/// The packed exit, cut into 25, 24, 16, 16, 16 and 16 bytes: type and token; destination; upper and lower half
/// of the amount; of the metadata hash.
pub(crate) fn exit_scalars(exit: &BridgeExit) -> [[u8; 32]; 6] {
    let packed = exit.packed();
    let mut fields = Fields::of(&packed);
    [
        scalar(&fields.take::<25>()),
        scalar(&fields.take::<24>()),
        scalar(&fields.take::<16>()),
        scalar(&fields.take::<16>()),
        scalar(&fields.take::<16>()),
        scalar(&fields.take::<16>()),
    ]
}

/// keccak256("rota/exits/v1" ‖ chain id u64 ‖ count u32 ‖ hash of each exit), big-endian.
fn keccak_exits(chain_id: u64, exits: &[BridgeExit]) -> Hash {
    let count = u32::try_from(exits.len()).unwrap_or(u32::MAX);
    let hashes: Vec<[u8; 32]> = exits.iter().map(|exit| exit.hash().0).collect();
    Tag::Exits.digest_parts(chain_id, &[&count.to_be_bytes(), hashes.as_flattened()])
}

impl Ledger {
    /// Accepts a transition: debits the source and sends each exit on its way, in order. On a refusal nothing
    /// has changed.
    ///
    /// # Errors
    /// [`Refused`]: the source ([`Refused::UnknownNetwork`], [`Refused::Paused`], [`Refused::Closed`]), the list
    /// ([`Refused::TooManyExits`], [`Refused::ExitsMismatch`]), an exit by its position, a balance that does not
    /// cover ([`Refused::Balance`]), a receiver without room ([`Refused::NoRoom`], [`Refused::InboxFull`]), or a
    /// full queue ([`Refused::HeldFull`]).
    pub fn accept_transition(
        &mut self,
        source: NetworkId,
        transition: &Transition<'_>,
    ) -> Result<Vec<ExitEvent>, Refused> {
        let kind = self.check_source(source)?;
        check_list(self.chain_id, kind, source, transition)?;
        let mut draft = Draft::of(self);
        let network = draft.network_mut(source);
        network.transitions = network.transitions.saturating_add(1);
        for (token, sum) in sums(source, transition.exits) {
            let network = draft.network_mut(source);
            let covered = U512::from(network.balance(&token)) >= sum;
            let amount = U256::uint_try_from(sum).ok().filter(|_| covered);
            network.debit(source, token, amount.ok_or(Refused::Balance { token })?);
        }
        for (position, exit) in transition.exits.iter().enumerate() {
            draft.take(self.slot, source, position, exit)?;
        }
        let changes = draft.finish();
        Ok(self.commit(changes))
    }

    fn check_source(&self, source: NetworkId) -> Result<CommitmentKind, Refused> {
        let unknown = Refused::UnknownNetwork { network: source };
        if source < NetworkId::FIRST_ROLLUP {
            return Err(unknown);
        }
        let network = self.network(source).ok_or(unknown)?;
        match network.status {
            Status::Open => Ok(network.config.kind),
            Status::Paused => Err(Refused::Paused { network: source }),
            Status::Closed => Err(Refused::Closed { network: source }),
        }
    }
}

/// What follows from the exits alone.
fn check_list(
    chain_id: u64,
    kind: CommitmentKind,
    source: NetworkId,
    transition: &Transition<'_>,
) -> Result<(), Refused> {
    let exits = transition.exits;
    if exits.len() > EXITS_MAX {
        return Err(Refused::TooManyExits { found: exits.len() });
    }
    let same_count = u32::try_from(exits.len()) == Ok(transition.exits_count);
    if !same_count || kind.exits_hash(chain_id, exits) != transition.exits_hash {
        return Err(Refused::ExitsMismatch);
    }
    for (position, exit) in exits.iter().enumerate() {
        check_exit(source, position, exit)?;
    }
    Ok(())
}

fn check_exit(source: NetworkId, position: usize, exit: &BridgeExit) -> Result<(), Refused> {
    let token = &exit.token;
    if exit.destination_network == source {
        return Err(Refused::ToItself { position });
    }
    if token.origin_address == Address::ZERO && token.origin_network != NetworkId::L1 {
        return Err(Refused::ZeroToken { position });
    }
    match exit.leaf_type {
        LeafType::Transfer => Ok(()),
        LeafType::Message if token.origin_network != source => {
            Err(Refused::ForeignSender { position })
        }
        LeafType::Message if exit.amount != U256::ZERO => Err(Refused::MessageAmount { position }),
        LeafType::Message => Ok(()),
    }
}

/// What leaves of each foreign token. 1,024 amounts of 256 bits need 266: they are summed in 512.
fn sums(source: NetworkId, exits: &[BridgeExit]) -> BTreeMap<TokenInfo, U512> {
    let mut sums = BTreeMap::new();
    for exit in exits {
        let token = exit.amount_token();
        if token.origin_network != source && exit.amount != U256::ZERO {
            let sum: &mut U512 = sums.entry(token).or_default();
            *sum = sum.saturating_add(U512::from(exit.amount));
        }
    }
    sums
}

impl Draft<'_> {
    /// Takes one exit, debited already: sends it on, back, or to the queue of its cap.
    fn take(
        &mut self,
        slot: Slot,
        source: NetworkId,
        position: usize,
        exit: &BridgeExit,
    ) -> Result<(), Refused> {
        let network = self.network_mut(source);
        let id = ExitId { source, number: network.next_exit };
        network.next_exit = network.next_exit.saturating_add(1);
        let route = self.route(source, exit);
        let receiver = match route {
            Route::Onward(_) => exit.destination_network,
            Route::Back(_) => source,
        };
        let token = exit.amount_token();
        let has_room = self
            .network(receiver)
            .is_some_and(|network| network.has_room(receiver, &token, exit.amount));
        if !has_room {
            return Err(Refused::NoRoom { position, network: receiver });
        }
        if let Route::Onward(_) = route {
            match self.network_mut(source).pass_cap(slot, id.number, exit) {
                Passage::Now => {}
                Passage::Full => return Err(Refused::HeldFull { token }),
                Passage::Wait => {
                    // It may come back: room is kept on both sides, and on its own side an amount must fit too.
                    let fits = self
                        .network(source)
                        .is_some_and(|network| network.has_room(source, &token, exit.amount));
                    if !fits {
                        return Err(Refused::NoRoom { position, network: source });
                    }
                    for side in [source, receiver] {
                        self.network_mut(side).reserve(side, token, exit.amount);
                    }
                    self.note(id, exit, ExitOutcome::Held);
                    return Ok(());
                }
            }
        }
        if !self.inbox_has_room(receiver) {
            return Err(Refused::InboxFull { network: receiver });
        }
        self.settle(id, exit, route);
        Ok(())
    }
}
