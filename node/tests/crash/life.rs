//! One life of the node: what `rota` puts together at a start, without threads.

use crate::cast::{cast, seal_secret, signer};
use rota_node::core::Input;
use rota_node::disk::{CommitError, Item, Pipeline, SimDisk};
use rota_node::error::OperatorError;
use rota_node::home::Home;
use rota_node::ledger::LedgerReader;
use rota_node::shell::{Clock, Execution, Outward, Parts, Retention, Salts, open};
use rota_types::{TimestampMs, ValidatorSet};
use std::collections::VecDeque;
use std::sync::Arc;

struct Started(TimestampMs);

impl Clock for Started {
    fn now(&self) -> TimestampMs {
        self.0
    }
}

pub(crate) struct Life {
    core: rota_node::core::Core,
    pipeline: Pipeline,
    execution: Execution,
    retention: Retention,
    pub(crate) reader: LedgerReader,
    /// What the core is told next.
    pub(crate) inputs: VecDeque<Input>,
    /// What its start wants done before anything else.
    first: Vec<Item<Outward>>,
}

/// Bytes of ledger that are kept: more than a script writes.
const KEEP_BYTES: u64 = 1024 * 1024 * 1024;

impl Life {
    /// Starts from the disk, and nothing else.
    pub(crate) fn start(
        disk: &SimDisk,
        home: &Home,
        now: TimestampMs,
    ) -> Result<Self, OperatorError> {
        let cast = cast();
        let salts = Salts { files: 5, window: 6, lanes: [7; 16] };
        let stores = open(&disk.shared(), home, &cast.genesis, Some(cast.me), salts, None)?;
        let clock: Arc<dyn Clock> = Arc::new(Started(now));
        let set: ValidatorSet = cast.genesis.validator_set().unwrap();
        let secrets = Some((signer(1), seal_secret()));
        let parts = Parts::assemble(&clock, &cast.genesis, set, stores, secrets).unwrap();
        let retention = Retention::new(&cast.genesis, KEEP_BYTES);
        let Parts { core, first, pipeline, execution, reader, .. } = parts;
        let first = retention.items(&core, first).collect();
        Ok(Self { core, pipeline, execution, retention, reader, inputs: VecDeque::new(), first })
    }

    /// What the start gave, committed.
    pub(crate) fn begin(&mut self) -> (Vec<Outward>, Result<(), CommitError>) {
        let first = std::mem::take(&mut self.first);
        self.commit(first)
    }

    /// One step at a time, committed by itself: no other crash point is left than in larger groups.
    pub(crate) fn step(
        &mut self,
        now: &mut TimestampMs,
    ) -> (Vec<Outward>, Result<(), CommitError>) {
        let input = self.inputs.pop_front().unwrap_or_else(|| {
            *now = self.core.deadline(*now).max(now.plus(1));
            Input::Tick
        });
        let effects = self.core.step(*now, input);
        let items = self.retention.items(&self.core, effects);
        self.commit(items.collect())
    }

    fn commit(&mut self, items: Vec<Item<Outward>>) -> (Vec<Outward>, Result<(), CommitError>) {
        let mut released = Vec::new();
        let committed = self.pipeline.commit(items, |outward| released.push(outward));
        (released, committed)
    }

    pub(crate) fn execute(&mut self, decided: &rota_sequencer::execution::DecidedSlot) {
        let outcome = self.execution.run(decided);
        self.inputs.push_back(outcome);
    }
}
