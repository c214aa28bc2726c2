//! One node put together without threads, sockets or clock: what every shell of the core runs.

use super::executor::Execution;
use super::ground::Clock;
use super::recover::Opened;
use super::view::View;
use crate::core::{Core, Effect, Known, SigningGate};
use crate::disk::Pipeline;
use crate::ledger::LedgerReader;
use rota_types::bls::SealSecret;
use rota_types::{Ed25519Signer, Genesis, TypesError, ValidatorKey, ValidatorSet};
use std::sync::Arc;

/// A node's values, from what its stores gave back.
pub struct Parts {
    /// The key that signs; `None` on a full node, and on a validator whose guard is missing.
    pub me: Option<ValidatorKey>,
    /// Decides.
    pub core: Core,
    /// Effects of the start, before those of any step.
    pub first: Vec<Effect>,
    /// Makes durable.
    pub pipeline: Pipeline,
    /// Executes decided slots.
    pub execution: Execution,
    /// Reads the ledger.
    pub reader: LedgerReader,
    /// What doors and peers are told.
    pub view: Arc<View>,
}

impl Parts {
    /// Puts them together. Without a guard in `stores` the keys in `secrets` sign nothing.
    ///
    /// # Errors
    /// [`TypesError`] if genesis breaks a rule of its own.
    pub fn assemble(
        clock: &Arc<dyn Clock>,
        genesis: &Arc<Genesis>,
        validators: ValidatorSet,
        stores: Opened,
        secrets: Option<(Ed25519Signer, SealSecret)>,
    ) -> Result<Self, TypesError> {
        let Opened { pipeline, reader, guard, restored, seed } = stores;
        let gate = match (guard, secrets) {
            (Some(guard), Some((signer, seal))) => SigningGate::new(signer, seal, guard),
            _ => SigningGate::closed(),
        };
        let me = gate.validator();
        let executor = restored.executor.clone();
        let window = executor.window();
        let view =
            View::new(Arc::clone(genesis), validators, window.clone(), seed, Arc::clone(clock));
        let view = Arc::new(view);
        let execution = Execution::new(executor);
        let known: Known = Arc::new(move |id| window.place_of(id).is_some());
        let (core, first) = Core::new(clock.now(), Arc::clone(genesis), gate, known, restored)?;
        Ok(Self { me, core, first, pipeline, execution, reader, view })
    }
}
