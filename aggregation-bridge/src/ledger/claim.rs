//! Claims of networks that receive by path: the nullifier is set and the balance credited in one step.

use super::Ledger;
use super::draft::Draft;
use super::network::{Mode, Status};
use crate::error::Refused;
use crate::exits::{BridgeExit, ExitProof, GlobalIndex, NullifierKey, nullifier_leaf};
use rota_types::Hash;

impl Ledger {
    /// Credits an exit to its destination, proved to stand at `index` under a recent global exit root. On a
    /// refusal nothing has changed.
    ///
    /// # Errors
    /// [`Refused::UnknownNetwork`], [`Refused::Paused`], [`Refused::Closed`] for the destination;
    /// [`Refused::NoClaims`] if it receives by inbox; [`Refused::Claimed`] for the second claim;
    /// [`Refused::UnknownRoot`] if the path leads to no root of the last heights; [`Refused::Exit`] for an exit
    /// of L1.
    pub fn claim(
        &mut self,
        index: GlobalIndex,
        exit: &BridgeExit,
        proof: &ExitProof,
    ) -> Result<(), Refused> {
        let to = exit.destination_network;
        let network = self.network(to).ok_or(Refused::UnknownNetwork { network: to })?;
        if network.config.mode != Mode::Claims {
            return Err(Refused::NoClaims { network: to });
        }
        match network.status {
            Status::Open => {}
            Status::Paused => return Err(Refused::Paused { network: to }),
            Status::Closed => return Err(Refused::Closed { network: to }),
        }
        let key = NullifierKey { source: index.source, leaf_index: index.leaf_index };
        if network.nullifiers.get(&key) != Hash::ZERO {
            return Err(Refused::Claimed);
        }
        let root = proof.root_of(exit, index)?;
        if !self.exit_roots.contains(&root) {
            return Err(Refused::UnknownRoot);
        }
        let mut draft = Draft::of(self);
        let network = draft.network_mut(to);
        network.nullifiers.set(key, nullifier_leaf());
        network.unreserve(to, exit.amount_token(), exit.amount);
        network.credit(to, exit.amount_token(), exit.amount);
        let changes = draft.finish();
        self.commit(changes);
        Ok(())
    }
}
