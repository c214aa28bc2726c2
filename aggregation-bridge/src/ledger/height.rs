//! The frame of a height: what was held and may leave now, and what the height hands on.

use super::Ledger;
use super::delivery::Delivery;
use super::draft::{Draft, Route};
use super::network::Entry;
use super::outcomes::{ExitEvent, ExitId};
use crate::exits::{NetworkId, global_exit_root, rollup_exit_root};
use crate::limits::{EXIT_ROOTS_KEPT, RELEASES_MAX};
use rota_types::{Hash, Slot};
use std::collections::BTreeMap;

/// What a height hands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeightEnd {
    /// For each inbox its deliveries, ordered by source network and leaf index, whatever the order of acceptance.
    pub deliveries: BTreeMap<NetworkId, Vec<Delivery>>,
    /// For the slot header.
    pub global_exit_root: Hash,
}

impl Ledger {
    /// Begins a height: held exits leave, as far as windows are free and folding allows.
    pub fn begin_height(&mut self, slot: Slot) -> Vec<ExitEvent> {
        self.slot = slot;
        let mut events = Vec::new();
        let stale = |entry: &&mut Entry| entry.network().caps_are_stale(slot);
        for entry in self.networks.values_mut().filter(stale) {
            entry.network_mut().prune_caps(slot);
        }
        let waiting: Vec<_> = self
            .networks
            .iter()
            .flat_map(|(id, entry)| {
                entry.network().held_tokens().into_iter().map(move |token| (*id, token))
            })
            .collect();
        for (source, token) in waiting {
            let mut draft = Draft::of(self);
            for _ in 0..RELEASES_MAX {
                let head = draft.network(source).and_then(|n| n.releasable(&token, slot));
                let Some((held, counted)) = head else { break };
                let route = draft.route(source, &held.exit);
                let receiver = match route {
                    Route::Onward(_) => held.exit.destination_network,
                    Route::Back(_) => source,
                };
                if !draft.inbox_has_room(receiver) {
                    break;
                }
                // What goes back did not leave, so it does not count.
                let counted = counted && matches!(route, Route::Onward(_));
                draft.network_mut(source).pop_held(&token, slot, counted);
                for side in [source, held.exit.destination_network] {
                    draft.network_mut(side).unreserve(side, token, held.exit.amount);
                }
                draft.settle(ExitId { source, number: held.number }, &held.exit, route);
            }
            let changes = draft.finish();
            events.extend(self.commit(changes));
        }
        events
    }

    /// Ends a height: gives the deliveries and remembers the global exit root for claims.
    pub fn end_height(&mut self) -> HeightEnd {
        let inboxes = std::mem::take(&mut self.deliveries).into_iter();
        let deliveries = inboxes.map(|(id, inbox)| (id, inbox.into_values().collect())).collect();
        let root = self.global_exit_root();
        if self.exit_roots.back() != Some(&root) {
            self.exit_roots.push_back(root);
        }
        if self.exit_roots.len() > EXIT_ROOTS_KEPT {
            self.exit_roots.pop_front();
        }
        HeightEnd { deliveries, global_exit_root: root }
    }

    /// Local exit root of each network that has a place under the rollup exit root.
    #[must_use]
    pub fn local_exit_roots(&self) -> BTreeMap<NetworkId, Hash> {
        let rollups = self.networks.range(NetworkId::KEYSTORE..);
        rollups.map(|(id, entry)| (*id, entry.network().exits.root())).collect()
    }

    /// Root over all exits that left so far. Nothing enters by L1 yet: its side is zero.
    #[must_use]
    pub fn global_exit_root(&self) -> Hash {
        global_exit_root(&Hash::ZERO, &rollup_exit_root(&self.local_exit_roots()))
    }
}
