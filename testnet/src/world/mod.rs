//! Where nodes run: real processes on loopback, or containers. What a world cannot do it says, with the reason.

mod compose;
mod layout;
mod process;

pub use layout::{Layout, NodeInfo, Place};

use crate::error::TestnetError;
use compose::Compose;
use process::Processes;
use std::path::Path;

/// Which world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum WorldKind {
    /// `rota` processes on loopback.
    Process,
    /// Containers by docker-compose.
    Compose,
}

impl WorldKind {
    /// As flags and reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Compose => "compose",
        }
    }
}

/// Whether a deed was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It was.
    Done,
    /// This world cannot, and why.
    NotHere(&'static str),
}

/// A network of real nodes, each up or down.
pub enum World {
    /// Processes.
    Process(Processes),
    /// Containers.
    Compose(Compose),
}

impl World {
    /// A world for the layout; starts nothing.
    ///
    /// # Errors
    /// If this machine lacks what it needs.
    pub async fn new(
        kind: WorldKind,
        layout: Layout,
        rota: Option<&Path>,
    ) -> Result<Self, TestnetError> {
        match kind {
            WorldKind::Process => Processes::new(layout, rota).map(Self::Process),
            WorldKind::Compose => Compose::new(layout).await.map(Self::Compose),
        }
    }

    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> WorldKind {
        match self {
            Self::Process(_) => WorldKind::Process,
            Self::Compose(_) => WorldKind::Compose,
        }
    }

    /// Its nodes and files.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        match self {
            Self::Process(world) => world.layout(),
            Self::Compose(world) => world.layout(),
        }
    }

    /// Starts a node that is down.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start(&mut self, name: &str) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => world.start(name),
            Self::Compose(world) => world.start(name).await,
        }
    }

    /// `kill -9`, and waits until it is gone. One that is down stays down.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub async fn kill(&mut self, name: &str) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => world.kill(name).await,
            Self::Compose(world) => world.kill(name).await,
        }
    }

    /// Asks a node to end, and kills it if it does not.
    ///
    /// # Errors
    /// If it cannot be ended.
    pub async fn stop(&mut self, name: &str) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => world.stop(name).await,
            Self::Compose(world) => world.stop(name).await,
        }
    }

    /// Stops a node's threads where they are.
    ///
    /// # Errors
    /// If it cannot be signalled.
    pub async fn pause(&mut self, name: &str) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => world.pause(name),
            Self::Compose(world) => world.pause(name).await,
        }
    }

    /// Lets a paused node go on; one that is not paused is left alone.
    ///
    /// # Errors
    /// If it cannot be signalled.
    pub async fn resume(&mut self, name: &str) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => world.resume(name),
            Self::Compose(world) => world.resume(name).await,
        }
    }

    /// Cuts a node from its network.
    ///
    /// # Errors
    /// If docker says no.
    pub async fn disconnect(&mut self, name: &str) -> Result<Deed, TestnetError> {
        match self {
            Self::Process(_) => {
                Ok(Deed::NotHere("processes on loopback share one network; run --world compose"))
            }
            Self::Compose(world) => world.disconnect(name).await.map(|()| Deed::Done),
        }
    }

    /// Connects a node to its network again, at its old address.
    ///
    /// # Errors
    /// If docker says no.
    pub async fn connect(&mut self, name: &str) -> Result<(), TestnetError> {
        match self {
            Self::Process(_) => Ok(()),
            Self::Compose(world) => world.connect(name).await,
        }
    }

    /// Whether a node is up (paused counts as up).
    #[must_use]
    pub fn is_up(&self, name: &str) -> bool {
        match self {
            Self::Process(world) => world.is_up(name),
            Self::Compose(world) => world.is_up(name),
        }
    }

    /// Nodes that ended without being asked to, with how.
    pub async fn unexpected_ends(&mut self) -> Vec<String> {
        match self {
            Self::Process(world) => world.unexpected_ends(),
            Self::Compose(world) => world.unexpected_ends().await,
        }
    }

    /// Process ids of nodes that are up, where this world knows them.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        match self {
            Self::Process(world) => world.pids(),
            Self::Compose(_) => Vec::new(),
        }
    }

    /// Commands with which a person looks at what is left.
    #[must_use]
    pub fn where_to_look(&self) -> Vec<String> {
        match self {
            Self::Process(world) => world.where_to_look(),
            Self::Compose(world) => world.where_to_look(),
        }
    }

    /// Ends everything. Files stay.
    ///
    /// # Errors
    /// If something cannot be ended.
    pub async fn down(&mut self) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => world.down().await,
            Self::Compose(world) => world.down().await,
        }
    }
}
