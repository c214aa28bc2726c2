//! The pessimistic ledger: what each network holds of others' tokens, and how exits reach their destination.
//!
//! ```text
//! begin_height(slot) ── held exits whose window is free again ──┐
//! accept_transition(source, exits) ── check all, then ──────────┤ settle: append to the source's exit tree,
//!                                                               │ set the nullifier, credit, deliver; or bounce
//! claim(index, exit, proof) ── networks of mode Claims          │
//! end_height() ──► deliveries of each inbox, global exit root ◄─┘
//! ```
//!
//! A faulty or malicious rollup loses at most what was bridged into it: an exit is paid from the balance that
//! others' exits made. The ledger does no I/O and reads no clock; the same calls give the same roots.
//!
//! # Rules that answer an attack
//!
//! - *The source pays.* What a destination cannot hold refuses the source's transition. Were the exit accepted,
//!   the destination could never consume its inbox again.
//! - *What bounced stands in no tree.* An exit to a network that does not exist yet could else be claimed by
//!   path once that network is registered, after its value came back.
//! - *What is held stands in no tree either*, or a foreign chain could honour what the cap still withholds.
//! - *What is held keeps its room*, in its destination for the delivery and in its source for the bounce, or
//!   others could fill the room in the meantime and the release would have nowhere to go.
//! - *One mode for ever*: a network receives by inbox or by claims. With both, one exit could arrive twice.
//!
//! # Deviations
//!
//! From AggLayer: amounts of messages are zero; balances stay below 2¹²⁸; imports need no certificate; leaves
//! are appended when an exit leaves, not when it is accepted, so held exits leave later than younger ones.

mod cap;
mod checkpoint;
mod claim;
mod delivery;
mod draft;
mod height;
mod network;
mod outcomes;
mod root;
mod transition;

pub use cap::CapFigure;
pub use delivery::{BounceReason, Delivery, DeliveryKind, deliveries_root};
pub use height::HeightEnd;
pub use network::{Mode, NetworkConfig, Status};
pub use outcomes::{ExitEvent, ExitId, ExitOutcome, Outcomes};
pub(crate) use transition::exit_scalars;
pub use transition::{CommitmentKind, Transition};

use crate::error::Refused;
use crate::exits::{NetworkId, TokenInfo};
use crate::limits::{CAP_WINDOW_SLOTS_MAX, CAPS_MAX, NETWORKS_MAX};
use network::{Entry, Network};
use rota_types::{Hash, Slot};
use ruint::aliases::U256;
use std::collections::{BTreeMap, VecDeque};

/// The ledger of all networks.
#[derive(Clone, Debug)]
pub struct Ledger {
    chain_id: u64,
    slot: Slot,
    networks: BTreeMap<NetworkId, Entry>,
    /// Deliveries of the height in progress, by destination, in their order.
    deliveries: BTreeMap<NetworkId, BTreeMap<(NetworkId, u64), Delivery>>,
    /// The last global exit roots, oldest first.
    exit_roots: VecDeque<Hash>,
}

impl Ledger {
    /// A ledger with L1, keystore and system alone.
    #[must_use]
    pub fn new(chain_id: u64) -> Self {
        let kind = CommitmentKind::Keccak;
        let l1 = NetworkConfig { mode: Mode::Foreign, kind, amount_bits: 128 };
        let ours = NetworkConfig { mode: Mode::Inbox, kind, amount_bits: 128 };
        let closed = || Network::new(ours, Status::Closed);
        let networks = BTreeMap::from([
            (NetworkId::L1, Entry::new(Network::new(l1, Status::Open))),
            (NetworkId::KEYSTORE, Entry::new(closed())),
            (NetworkId::SYSTEM, Entry::new(closed())),
        ]);
        Self {
            chain_id,
            slot: Slot(0),
            networks,
            deliveries: BTreeMap::new(),
            exit_roots: VecDeque::new(),
        }
    }

    /// Registers a network under the next id.
    ///
    /// # Errors
    /// [`Refused::AmountBits`] for none or too many, [`Refused::Foreign`] for that mode, which is L1's alone,
    /// [`Refused::TooManyNetworks`].
    pub fn register(&mut self, config: NetworkConfig) -> Result<NetworkId, Refused> {
        config.check()?;
        if self.networks.len() >= NETWORKS_MAX {
            return Err(Refused::TooManyNetworks);
        }
        let last = self.networks.keys().next_back().copied().unwrap_or(NetworkId::SYSTEM);
        let id = NetworkId(last.0.checked_add(1).ok_or(Refused::TooManyNetworks)?);
        self.networks.insert(id, Entry::new(Network::new(config, Status::Open)));
        Ok(id)
    }

    /// Opens, pauses or closes a network. Closing is for ever.
    ///
    /// # Errors
    /// [`Refused::UnknownNetwork`], also for the networks of Rota itself and L1; [`Refused::Closed`].
    pub fn set_status(&mut self, id: NetworkId, status: Status) -> Result<(), Refused> {
        let network = self.rollup_mut(id)?;
        if network.status == Status::Closed {
            return Err(Refused::Closed { network: id });
        }
        network.status = status;
        Ok(())
    }

    /// Caps what leaves `source` in `token`: at most `amount` in any `window_slots` consecutive slots. `None`
    /// lifts the cap; what it held is released from the next height on.
    ///
    /// # Errors
    /// [`Refused::UnknownNetwork`]; [`Refused::CapWindow`]; [`Refused::TooManyCaps`].
    pub fn set_cap(
        &mut self,
        source: NetworkId,
        token: TokenInfo,
        cap: Option<(U256, u64)>,
    ) -> Result<(), Refused> {
        let network = self.rollup_mut(source)?;
        if let Some((_, window)) = cap
            && !(1..=CAP_WINDOW_SLOTS_MAX).contains(&window)
        {
            return Err(Refused::CapWindow);
        }
        if !network.caps.contains_key(&token) && network.caps.len() >= CAPS_MAX {
            return Err(Refused::TooManyCaps);
        }
        network.set_cap(token, cap);
        Ok(())
    }

    /// Says that all transitions of `source` up to number `last` are inside a folded proof: what they hold is
    /// released from the next height on.
    ///
    /// # Errors
    /// [`Refused::UnknownNetwork`].
    pub fn mark_folded(&mut self, source: NetworkId, last: u64) -> Result<(), Refused> {
        let network = self.rollup_mut(source)?;
        network.folded = network.folded.max(last.min(network.transitions));
        Ok(())
    }

    /// Whether the id was registered, and how the network stands.
    #[must_use]
    pub fn status(&self, id: NetworkId) -> Option<Status> {
        self.network(id).map(|network| network.status)
    }

    /// What `holder` has of another network's token; zero for its own, which is not counted.
    #[must_use]
    pub fn balance(&self, holder: NetworkId, token: &TokenInfo) -> U256 {
        self.network(holder).map_or(U256::ZERO, |network| network.balance(token))
    }

    /// What is on its way to `holder`, or held and may come back to it.
    #[must_use]
    pub fn reserved(&self, holder: NetworkId, token: &TokenInfo) -> U256 {
        self.network(holder).map_or(U256::ZERO, |network| network.reserved(token))
    }

    /// Transitions of a network accepted so far; the number of the last one.
    #[must_use]
    pub fn transitions(&self, id: NetworkId) -> Option<u64> {
        self.network(id).map(|network| network.transitions)
    }

    /// The figure of each cap of `source`, by token.
    #[must_use]
    pub fn caps(&self, source: NetworkId) -> Vec<CapFigure> {
        self.network(source).map(|network| network.cap_figures(self.slot)).unwrap_or_default()
    }

    fn network(&self, id: NetworkId) -> Option<&Network> {
        self.networks.get(&id).map(Entry::network)
    }

    /// A registered rollup, for a change.
    fn rollup_mut(&mut self, id: NetworkId) -> Result<&mut Network, Refused> {
        let unknown = Refused::UnknownNetwork { network: id };
        if id < NetworkId::FIRST_ROLLUP {
            return Err(unknown);
        }
        self.networks.get_mut(&id).map(Entry::network_mut).ok_or(unknown)
    }
}
