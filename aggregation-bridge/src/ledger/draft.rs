//! Changes in the making: networks are copied when first touched and put back all at once, or not at all.

use super::Ledger;
use super::delivery::{BounceReason, Delivery, DeliveryKind};
use super::network::{Entry, Mode, Network, Status};
use super::outcomes::{ExitEvent, ExitId, ExitOutcome};
use crate::exits::{BridgeExit, NetworkId, NullifierKey, nullifier_leaf};
use crate::limits::DELIVERIES_MAX;
use std::collections::BTreeMap;

/// Where an exit goes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To its destination.
    Onward(Mode),
    /// Back to its source.
    Back(BounceReason),
}

pub(super) struct Draft<'a> {
    ledger: &'a Ledger,
    changed: BTreeMap<NetworkId, Network>,
    deliveries: Vec<(NetworkId, Delivery)>,
    counts: BTreeMap<NetworkId, usize>,
    events: Vec<ExitEvent>,
}

/// What a draft changes, free of the ledger it was made from.
pub(super) struct Changes {
    networks: BTreeMap<NetworkId, Network>,
    deliveries: Vec<(NetworkId, Delivery)>,
    events: Vec<ExitEvent>,
}

impl<'a> Draft<'a> {
    pub(super) const fn of(ledger: &'a Ledger) -> Self {
        Self {
            ledger,
            changed: BTreeMap::new(),
            deliveries: Vec::new(),
            counts: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    pub(super) fn network(&self, id: NetworkId) -> Option<&Network> {
        self.changed.get(&id).or_else(|| self.ledger.network(id))
    }

    /// A network for a change.
    pub(super) fn network_mut(&mut self, id: NetworkId) -> &mut Network {
        let ledger = self.ledger;
        self.changed.entry(id).or_insert_with(|| {
            ledger.network(id).expect("only networks that were found are changed").clone()
        })
    }

    /// Where an exit of `source` goes as things stand.
    pub(super) fn route(&self, source: NetworkId, exit: &BridgeExit) -> Route {
        let full = self.network(source).is_none_or(|network| network.exits.count() == u32::MAX);
        match self.network(exit.destination_network) {
            None => Route::Back(BounceReason::Unknown),
            Some(network) => match network.status {
                Status::Paused => Route::Back(BounceReason::Paused),
                Status::Closed => Route::Back(BounceReason::Closed),
                Status::Open if full => Route::Back(BounceReason::TreeFull),
                Status::Open => Route::Onward(network.config.mode),
            },
        }
    }

    /// Whether one more delivery fits the inbox of `to` in this height.
    pub(super) fn inbox_has_room(&self, to: NetworkId) -> bool {
        let before = self.ledger.deliveries.get(&to).map_or(0, BTreeMap::len);
        let here = self.counts.get(&to).copied().unwrap_or_default();
        before.saturating_add(here) < DELIVERIES_MAX
    }

    /// Sends an exit on its way, for which there is room: leaf, nullifier, balance and inbox in one step.
    pub(super) fn settle(&mut self, id: ExitId, exit: &BridgeExit, route: Route) {
        let (token, amount) = (exit.amount_token(), exit.amount);
        let outcome = match route {
            Route::Back(reason) => {
                self.network_mut(id.source).credit(id.source, token, amount);
                self.deliver(id.source, DeliveryKind::Bounce, id.source, id.number, exit);
                ExitOutcome::Bounced(reason)
            }
            Route::Onward(mode) => {
                let to = exit.destination_network;
                let leaf_index = self
                    .network_mut(id.source)
                    .exits
                    .append(exit.hash())
                    .expect("a full tree was routed back");
                let network = self.network_mut(to);
                match mode {
                    Mode::Inbox => {
                        let key = NullifierKey { source: id.source, leaf_index };
                        network.nullifiers.set(key, nullifier_leaf());
                        network.credit(to, token, amount);
                        let place = u64::from(leaf_index);
                        self.deliver(to, DeliveryKind::Exit, id.source, place, exit);
                        ExitOutcome::Delivered { leaf_index }
                    }
                    Mode::Claims => {
                        network.reserve(to, token, amount);
                        ExitOutcome::Claimable { leaf_index }
                    }
                    Mode::Foreign => {
                        network.credit(to, token, amount);
                        ExitOutcome::Claimable { leaf_index }
                    }
                }
            }
        };
        self.note(id, exit, outcome);
    }

    pub(super) fn note(&mut self, id: ExitId, exit: &BridgeExit, outcome: ExitOutcome) {
        let destination = exit.destination_network;
        self.events.push(ExitEvent { id, destination, exit_hash: exit.hash(), outcome });
    }

    fn deliver(
        &mut self,
        to: NetworkId,
        kind: DeliveryKind,
        source: NetworkId,
        place: u64,
        exit: &BridgeExit,
    ) {
        let count = self.counts.entry(to).or_default();
        *count = count.saturating_add(1);
        self.deliveries.push((to, Delivery { kind, source, place, exit: *exit }));
    }

    pub(super) fn finish(self) -> Changes {
        Changes { networks: self.changed, deliveries: self.deliveries, events: self.events }
    }
}

impl Ledger {
    /// Puts a draft's changes in force.
    pub(super) fn commit(&mut self, changes: Changes) -> Vec<ExitEvent> {
        for (id, network) in changes.networks {
            self.networks.insert(id, Entry::new(network));
        }
        for (to, delivery) in changes.deliveries {
            let inbox = self.deliveries.entry(to).or_default();
            let replaced = inbox.insert((delivery.source, delivery.place), delivery);
            assert!(replaced.is_none(), "two deliveries from one place: {delivery:?}");
        }
        changes.events
    }
}
