//! `rota start`: runs the node of a home until it is told to stop, or must.

use super::args::{ConfigFlags, HomeArgs, PasswordArgs};
use super::output;
use crate::error::{ExitCode, OperatorError};
use crate::provision::OpenedHome;
use crate::shell::{self, LostGuard, RunningNode};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Arguments of `rota start`.
#[derive(Clone, Debug, clap::Args)]
pub struct StartArgs {
    /// Which home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Shift every port by 10 × (N − 1), to run several nodes on one machine
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub instance: u16,
    /// Check home, configuration, genesis and keys, and stop before opening any socket
    #[arg(long)]
    pub dry_run: bool,
    /// Sign again with a validator key whose guard (state/guard.log) is lost: ask the other validators how far they are,
    /// and sign only above all that this key can have signed. Only if no other process signs with this key. Does
    /// nothing when the guard is there
    #[arg(long)]
    pub rejoin: bool,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: PasswordArgs,
    /// Configuration by flag.
    #[command(flatten)]
    pub flags: ConfigFlags,
}

/// SIGINT and SIGTERM.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Takes the signals over; call it on the runtime.
    ///
    /// # Errors
    /// I/O.
    pub(super) fn new() -> Result<Self, OperatorError> {
        let take = |kind| {
            signal(kind).map_err(|error| {
                OperatorError::new(ExitCode::Io, "cannot listen for signals").cause(error)
            })
        };
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// Whatever stops the node: config, permission, ports in use, a full disk, a safety stop.
pub async fn run(args: StartArgs) -> Result<(), OperatorError> {
    let home = args.home.resolve()?;
    let password = match args.password.password_file {
        Some(_) => Some(args.password.read("password of the key files", None)?),
        None => None,
    };
    let open = |password| {
        OpenedHome::open(home.clone(), args.flags.given.clone(), args.instance, password)
    };
    let mut opened = open(password)?;
    super::log::start(&opened.config.config.log)?;
    if args.dry_run {
        shell::check(&opened)?;
        output::note(format!("{} is ready to start", opened.home.root().display()));
        return Ok(());
    }
    let mut stop = Stop::new()?;
    loop {
        let password = opened.password.clone();
        if args.rejoin {
            opened.lost_guard = LostGuard::Rejoin;
        }
        let mut node = Box::pin(shell::run_node(opened)).await?;
        announce(&node);
        let ended = tokio::select! {
            () = stop.asked() => Some(Ok(())),
            error = node.failed() => Some(Err(error)),
            () = node.rejoined() => None,
        };
        tracing::info!("stopping");
        node.shutdown().await;
        drop(node);
        match ended {
            Some(result) => return result,
            None => opened = open(Some(password))?,
        }
    }
}

fn announce(node: &RunningNode) {
    tracing::info!(http = %node.http, metrics = %node.metrics, "listening");
}
