//! Equal headers: every node executes a height to one header.

use super::{Violation, broken};
use rota_sequencer::execution::ExecutedSlot;
use rota_types::{Hash, Height};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Headers {
    headers: BTreeMap<Height, Hash>,
}

impl Headers {
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
