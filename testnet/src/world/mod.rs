//! Where nodes run: real processes on loopback, or containers. What a world cannot do it says, with the reason.

mod compose;
mod ends;
mod layout;
mod ports;
mod process;
pub mod relay;
mod small_disk;

pub use layout::{Layout, NodeInfo, Place};
pub use small_disk::SmallDisks;

use crate::error::TestnetError;
use crate::hurt::Dials;
use crate::manifest::Sides;
use compose::Compose;
use process::Processes;
use relay::Shape;
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

/// How a node ends on a disk that is full or fails.
pub const EXIT_IO: i32 = 74;

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
            Self::Process(world) => world.start(name, &[]),
            Self::Compose(world) => world.start(name).await,
        }
    }

    /// Whether a node can start again with its keys alone.
    ///
    /// # Errors
    /// If `rota` cannot be run.
    pub async fn can_rejoin(&self) -> Result<Deed, TestnetError> {
        match self {
            Self::Process(world) => world.can_rejoin().await,
            Self::Compose(_) => Ok(Deed::NotHere("compose starts one command; --world process")),
        }
    }

    /// Starts a node whose state and ledger are gone, with `--rejoin`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn rejoin(&mut self, name: &str) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => world.start(name, &["--rejoin"]),
            Self::Compose(world) => world.start(name).await,
        }
    }

    /// Runs `rota` with these arguments on a node's home, while it is down.
    ///
    /// # Errors
    /// If it cannot be run, or says no.
    pub async fn rota(&self, name: &str, arguments: &[&str]) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => world.rota(name, arguments).await,
            Self::Compose(world) => world.rota(name, arguments).await,
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
            Self::Process(world) => Ok(world.disconnect(name)),
            Self::Compose(world) => world.disconnect(name).await.map(|()| Deed::Done),
        }
    }

    /// Connects a node to its network again, at its old address.
    ///
    /// # Errors
    /// If docker says no.
    pub async fn connect(&mut self, name: &str) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => {
                world.connect(name);
                Ok(())
            }
            Self::Compose(world) => world.connect(name).await,
        }
    }

    /// Lets nothing pass between two groups of nodes.
    ///
    /// # Errors
    /// If docker says no.
    pub async fn part(&mut self, sides: &Sides) -> Result<Deed, TestnetError> {
        let (from, to) = sides.among(&self.layout().names());
        match self {
            Self::Process(world) => Ok(world.part(&from, &to, sides.one_way)),
            Self::Compose(world) => world.part(&from, &to, sides.one_way).await,
        }
    }

    /// Undoes [`Self::part`].
    ///
    /// # Errors
    /// If docker says no.
    pub async fn join(&mut self, sides: &Sides) -> Result<(), TestnetError> {
        let (from, to) = sides.among(&self.layout().names());
        match self {
            Self::Process(world) => {
                world.join(&from, &to, sides.one_way);
                Ok(())
            }
            Self::Compose(world) => {
                for name in from.iter().chain(&to) {
                    world.connect(name).await?;
                }
                Ok(())
            }
        }
    }

    /// Shapes all links of a node; `None` for as at the beginning.
    pub fn shape(&mut self, name: &str, shape: Option<Shape>) -> Deed {
        match self {
            Self::Process(world) => world.shape(name, shape),
            Self::Compose(_) => Deed::NotHere("no relay between containers; --world process"),
        }
    }

    /// All links whole, and as at the beginning.
    pub fn heal_links(&mut self) {
        if let Self::Process(world) = self {
            world.heal_links();
        }
    }

    /// Whether this world obeys the manifest's `[link]`.
    #[must_use]
    pub const fn shapes_links(&self) -> bool {
        matches!(self, Self::Process(_))
    }

    /// Turns a node's dials.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn turn(&mut self, name: &str, dials: Dials) -> Result<Deed, TestnetError> {
        if let Some(why) = self.hurts_from_within() {
            return Ok(Deed::NotHere(why));
        }
        match self.layout().node(name).and_then(|node| node.dials.as_ref()) {
            Some(path) => dials.write(path).map(|()| Deed::Done),
            None => Ok(Deed::NotHere("the node runs as rota itself")),
        }
    }

    /// Why no node here can have dials or crimes, if none can.
    #[must_use]
    pub const fn hurts_from_within(&self) -> Option<&'static str> {
        match self {
            Self::Process(world) => world.hurts_from_within(),
            Self::Compose(world) => world.hurts_from_within(),
        }
    }

    /// Takes all room of a node's disk; it is then expected to end by itself as on any full disk.
    ///
    /// # Errors
    /// If its file system cannot be written.
    pub fn fill(&mut self, name: &str) -> Result<Deed, TestnetError> {
        if !self.layout().disks.has(name) {
            return Ok(Deed::NotHere("a file system of its own needs the right to mount"));
        }
        self.expect_end(name, EXIT_IO);
        self.layout().disks.fill(name).map(|()| Deed::Done)
    }

    /// From now the node is to end by itself, with this exit code.
    pub fn expect_end(&mut self, name: &str, code: i32) {
        match self {
            Self::Process(world) => world.ends.expect(name, code),
            Self::Compose(world) => world.ends.expect(name, code),
        }
    }

    /// Takes [`Self::expect_end`] back.
    pub fn forget_end(&mut self, name: &str) {
        match self {
            Self::Process(world) => world.ends.forget(name),
            Self::Compose(world) => world.ends.forget(name),
        }
    }

    /// Notices nodes that are gone; [`Self::unexpected_ends`] tells of them.
    pub async fn look_for_ends(&mut self) {
        match self {
            Self::Process(world) => world.look_for_ends(),
            Self::Compose(world) => world.look_for_ends().await,
        }
    }

    /// Whether a node that was to end has not.
    #[must_use]
    pub fn still_awaited(&self, name: &str) -> bool {
        match self {
            Self::Process(world) => world.ends.awaits(name),
            Self::Compose(world) => world.ends.awaits(name),
        }
    }

    /// Whether a node ever wrote this.
    pub async fn said(&self, name: &str, words: &str) -> bool {
        match self {
            Self::Process(world) => world.said(name, words),
            Self::Compose(world) => world.logs(name, "all").await.contains(words),
        }
    }

    /// The last lines that a node wrote.
    pub async fn last_words(&self, name: &str) -> String {
        match self {
            Self::Process(world) => world.last_words(name),
            Self::Compose(world) => world.logs(name, "40").await,
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

    /// Leaves everything in place, and gives the commands with which a person looks at it.
    #[must_use]
    pub fn where_to_look(&self) -> Vec<String> {
        let mut lines = match self {
            Self::Process(world) => world.where_to_look(),
            Self::Compose(world) => world.where_to_look(),
        };
        lines.extend(self.layout().disks.keep());
        lines
    }

    /// Ends everything. Files stay, but for those on small disks.
    ///
    /// # Errors
    /// If something cannot be ended.
    pub async fn down(&mut self) -> Result<(), TestnetError> {
        match self {
            Self::Process(world) => world.down().await?,
            Self::Compose(world) => world.down().await?,
        }
        self.layout().disks.unmount()
    }
}
