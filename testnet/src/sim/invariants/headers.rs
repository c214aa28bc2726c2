//! Equal headers: every node executes a height to one header, and the seal is a quorum's over that header.

use super::weights::Weights;
use super::{Check, Violation, broken};
use crate::sim::cast::CHAIN_ID;
use rota_sequencer::execution::ExecutedSlot;
use rota_types::{Hash, Height, Seal, ValidatorSet};
use std::collections::BTreeMap;

pub(super) struct Headers {
    set: ValidatorSet,
    weights: Weights,
    sealed: BTreeMap<Height, Seal>,
    headers: BTreeMap<Height, Hash>,
}

impl Headers {
    pub(super) fn new(set: &ValidatorSet) -> Self {
        Self {
            set: set.clone(),
            weights: Weights::new(set),
            sealed: BTreeMap::new(),
            headers: BTreeMap::new(),
        }
    }

    /// An honest node holds a height for sealed.
    pub(super) fn on_sealed(&mut self, node: usize, height: Height, seal: &Seal) -> Check {
        if self.sealed.get(&height) == Some(seal) {
            return Ok(());
        }
        let wrong = |why: &str| broken("seal over the header", format!("n{node}, {height}: {why}"));
        // Nobody told of a height that all executed while they started.
        if self.headers.get(&height).is_some_and(|header| *header != seal.header_id) {
            return wrong("a seal of another header");
        }
        let signers = seal.signers(&self.set).unwrap_or_default();
        if !self.weights.are_quorum(&signers) {
            return wrong("a seal without a quorum");
        }
        if let Err(error) = seal.verify(CHAIN_ID, &self.set) {
            return wrong(&error.to_string());
        }
        self.sealed.insert(height, seal.clone());
        Ok(())
    }

    /// Whether it is the first node to execute this height.
    pub(super) fn on_executed(
        &mut self,
        node: usize,
        executed: &ExecutedSlot,
    ) -> Result<bool, Violation> {
        let (height, id) = (executed.header.height, executed.header_id);
        match self.headers.get(&height) {
            Some(other) if *other != id => {
                broken(
                    "equal headers",
                    format!("n{node} executes {height} to {id}, others {other}"),
                )?;
                Ok(false)
            }
            Some(_) => Ok(false),
            None => {
                self.headers.insert(height, id);
                Ok(true)
            }
        }
    }
}
