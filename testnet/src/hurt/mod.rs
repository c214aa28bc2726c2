//! A node that is hurt from within: the shell of `rota` over a disk that is slow, a clock that is off, a key that lies.
//!
//! `rota` has no switch for any of this. `rota-testnet node` opens the same home and runs the same
//! [`rota_node::shell`], on a [`rota_node::shell::Ground`] of its own; what hurts is read from a small file of
//! [`Dials`] that the runner turns while the node runs.

mod clock;
mod crimes;
mod dials;
mod disk;

pub use crimes::{Crime, Roles, confession};
pub use dials::{Dials, DialsFile};

use crate::error::TestnetError;
use crate::limits::DIALS_POLL;
use clap::Args;
use clock::ShiftedClock;
use crimes::Criminal;
use disk::SlowDisk;
use rota_node::disk::RealDisk;
use rota_node::error::{ExitCode, OperatorError};
use rota_node::home::Home;
use rota_node::provision::OpenedHome;
use rota_node::shell::{Ground, Road, Straight, run_node_on};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Arguments of `rota-testnet node`.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// Home of the node.
    #[arg(long)]
    home: PathBuf,
    /// File of dials, read again all the time; none there means an honest disk and clock.
    #[arg(long)]
    dials: PathBuf,
    /// A crime and how often it is committed, like `equivocate_votes=0.5`.
    #[arg(long = "crime")]
    crimes: Vec<Crime>,
    /// Seeds the choice of occasions.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl NodeArgs {
    /// Runs the node until it is asked to stop, or must.
    ///
    /// # Errors
    /// Whatever stops the node, with its exit code.
    pub async fn run(self) -> Result<(), TestnetError> {
        let opened = OpenedHome::open(Home::at(&self.home), Vec::new(), 1, None)?;
        let dials = Arc::new(DialsFile::new(self.dials));
        let road: Box<dyn Road> = match opened.keys.validator_signer() {
            Some(signer) if !self.crimes.is_empty() => {
                let roles = Roles::new(self.crimes);
                tracing::warn!(%roles, seed = self.seed, "this node breaks the protocol on purpose");
                Box::new(Criminal::new(&opened.genesis, signer, roles, self.seed))
            }
            _ => Box::new(Straight),
        };
        let ground = Ground {
            disk: Arc::new(SlowDisk::new(RealDisk::shared(), Arc::clone(&dials))),
            clock: Arc::new(ShiftedClock::new(Arc::clone(&dials))),
            road,
        };
        dials.read();
        let turned = Arc::clone(&dials);
        let turning = tokio::spawn(async move {
            let mut every = tokio::time::interval(DIALS_POLL);
            loop {
                every.tick().await;
                turned.read();
            }
        });
        let take = |kind| {
            signal(kind).map_err(|error| {
                OperatorError::new(ExitCode::Io, "cannot listen for signals").cause(error)
            })
        };
        let (mut terminate, mut interrupt) =
            (take(SignalKind::terminate())?, take(SignalKind::interrupt())?);
        let mut node = Box::pin(run_node_on(opened, ground)).await?;
        tracing::info!(http = %node.http, metrics = %node.metrics, "listening");
        let ended = tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            error = node.failed() => Err(error.into()),
        };
        node.shutdown().await;
        turning.abort();
        ended
    }
}
