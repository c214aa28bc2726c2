//! Hurts nodes when the manifest says so, and heals them all at the end.

use super::edit;
use super::kill_loop;
use super::mend;
use super::observe::Watcher;
use super::report::NotRun;
use crate::clock::Timeline;
use crate::error::TestnetError;
use crate::hurt::Dials;
use crate::limits::POLL;
use crate::load::engine::Running;
use crate::manifest::{Duration, Kind, Manifest, Perturbation, Spot, Target};
use crate::world::relay::Shape;
use crate::world::{Deed, Layout, World};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be done at a slot.
#[derive(Clone, Debug)]
enum Step {
    Hurt(Perturbation),
    /// The end of a pause or of a disconnection.
    Release(Perturbation),
    /// First start of a late node.
    FirstStart(String),
}

/// Carries a manifest's perturbations out.
pub(super) struct Conductor {
    pub(super) manifest: Manifest,
    names: Vec<String>,
    validators: Vec<String>,
    pub(super) watcher: Watcher,
    /// What was not done, and why.
    pub(super) not_run: Vec<NotRun>,
    /// What was done, in order.
    pub(super) done: Vec<String>,
    /// Nodes that ended by themselves, or did not when they had to.
    pub(super) ended: Vec<String>,
    dials: BTreeMap<String, Dials>,
    /// Height at the beginning of what lasts.
    begun: BTreeMap<String, u64>,
    /// Perturbations that this world does not do: they have no end either.
    skipped: BTreeSet<String>,
}

/// The base with one property changed.
fn shaped(base: Shape, kind: &Kind) -> Shape {
    match kind {
        Kind::Delay(delay) => Shape { delay: base.delay.saturating_add(delay.std()), ..base },
        Kind::Throttle(rate) => Shape { bytes_per_second: rate.bytes_per_second, ..base },
        Kind::Loss(loss) => Shape { loss: *loss, ..base },
        _ => base,
    }
}

impl Conductor {
    pub(super) fn new(manifest: &Manifest, layout: &Layout, watcher: Watcher) -> Self {
        let validators = layout.nodes.iter().filter(|node| node.validator);
        Self {
            manifest: manifest.clone(),
            names: layout.names(),
            validators: validators.map(|node| node.name.clone()).collect(),
            watcher,
            not_run: Vec::new(),
            done: Vec::new(),
            ended: Vec::new(),
            dials: BTreeMap::new(),
            begun: BTreeMap::new(),
            skipped: BTreeSet::new(),
        }
    }

    /// Steps by slot.
    fn schedule(&self) -> Result<BTreeMap<u64, Vec<Step>>, TestnetError> {
        let mut steps: BTreeMap<u64, Vec<Step>> = BTreeMap::new();
        for perturbation in self.manifest.perturbations()? {
            if perturbation.kind.lasts() {
                let end = perturbation.at.saturating_add(perturbation.slots);
                steps.entry(end).or_default().push(Step::Release(perturbation.clone()));
            }
            steps.entry(perturbation.at).or_default().push(Step::Hurt(perturbation));
        }
        for (name, node) in &self.manifest.node {
            if node.start_at > 0 {
                let step = Step::FirstStart(name.clone());
                steps.entry(node.start_at).or_default().push(step);
            }
        }
        Ok(steps)
    }

    /// Does everything at its time, until the load is over.
    pub(super) async fn conduct(
        &mut self,
        world: &mut World,
        load: &Running,
    ) -> Result<(), TestnetError> {
        let mut steps = self.schedule()?;
        self.note_roles(world);
        let timeline = Timeline::begin();
        let slot_us = self.manifest.genesis.slot.as_millis().saturating_mul(1_000);
        let mut kills = self.manifest.net.kill_loop.clone().map(|plan| {
            kill_loop::KillLoop::new(plan, self.manifest.seed, self.validators.clone(), &timeline)
        });
        loop {
            self.watcher.look().await;
            let since = timeline.now_us().saturating_sub(timeline.begun_us());
            let slot = since.checked_div(slot_us).unwrap_or(0);
            while let Some(entry) = steps.first_entry()
                && *entry.key() <= slot
            {
                for step in entry.remove() {
                    self.step(world, &step).await?;
                }
            }
            if let Some(kills) = &mut kills {
                let done = kills.turn(world, &mut self.watcher, &timeline).await?;
                self.done.extend(done);
            }
            let killing = kills.as_ref().is_some_and(|kills| !kills.is_over());
            if steps.is_empty() && !killing {
                if load.is_over() {
                    return Ok(());
                }
                if kills.is_some() {
                    // The loop's number of kills decides when the load has lasted long enough.
                    load.stop();
                }
            }
            self.note_ends(world).await;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Notes nodes that ended by themselves.
    pub(super) async fn note_ends(&mut self, world: &mut World) {
        self.ended.extend(world.unexpected_ends().await);
    }

    async fn step(&mut self, world: &mut World, step: &Step) -> Result<(), TestnetError> {
        match step {
            Step::FirstStart(name) => {
                world.start(name).await?;
                self.note(format!("{name}: first start"));
                self.watcher.released(name, "first start");
            }
            Step::Hurt(perturbation) => {
                for name in self.targets(perturbation) {
                    self.hurt(world, &name, perturbation).await?;
                }
            }
            Step::Release(perturbation) => {
                for name in self.targets(perturbation) {
                    self.release(world, &name, perturbation).await?;
                }
            }
        }
        Ok(())
    }

    /// Whom a step is done to; a partition is one deed, told of the first node it names.
    fn targets(&self, perturbation: &Perturbation) -> Vec<String> {
        match (&perturbation.kind, &perturbation.target) {
            (Kind::Partition(_), _) => self.names.first().cloned().into_iter().collect(),
            (_, Target::Node(name)) => vec![name.clone()],
            (_, Target::All) => self.names.clone(),
        }
    }

    pub(super) fn note(&mut self, what: String) {
        tracing::info!(stage = "perturb", "{what}");
        self.done.push(what);
    }

    async fn hurt(
        &mut self,
        world: &mut World,
        name: &str,
        perturbation: &Perturbation,
    ) -> Result<(), TestnetError> {
        let text = perturbation.text.as_str();
        if perturbation.kind.lasts() {
            self.begun.insert(text.to_owned(), self.watcher.height());
            for name in self.shaken(name, &perturbation.kind) {
                self.watcher.hurt(&name);
            }
        }
        let deed = match &perturbation.kind {
            Kind::Kill => {
                self.watcher.hurt(name);
                world.kill(name).await.map(|()| Deed::Done)
            }
            Kind::Restart => {
                world.stop(name).await?;
                world.start(name).await?;
                self.watcher.released(name, text);
                Ok(Deed::Done)
            }
            Kind::Pause => world.pause(name).await.map(|()| Deed::Done),
            Kind::Disconnect => world.disconnect(name).await,
            Kind::Partition(sides) => world.part(sides).await,
            Kind::Delay(_) | Kind::Throttle(_) | Kind::Loss(_) => {
                let base = world.layout().link;
                Ok(world.shape(name, Some(shaped(base, &perturbation.kind))))
            }
            Kind::DiskFull => world.fill(name),
            Kind::SlowDisk(_) | Kind::Clock(_) => self.turn(world, name, Some(&perturbation.kind)),
            Kind::WipeIndex
            | Kind::TearLedger { .. }
            | Kind::TearWal { .. }
            | Kind::FlipBit(_)
            | Kind::WipeHome => self.rob(world, name, perturbation).await,
        }?;
        match deed {
            Deed::Done => self.note(format!("{name}: {text}")),
            Deed::NotHere(why) => {
                self.skipped.insert(text.to_owned());
                self.not_run.push(NotRun { what: format!("{name}: {text}"), why: why.into() });
            }
        }
        Ok(())
    }

    /// Whom a lasting perturbation keeps from going on with the others.
    fn shaken(&self, name: &str, kind: &Kind) -> Vec<String> {
        match kind {
            Kind::Partition(_) => self.names.clone(),
            _ => vec![name.to_owned()],
        }
    }

    /// Turns one dial and leaves the other; `None` for both back.
    fn turn(
        &mut self,
        world: &mut World,
        name: &str,
        kind: Option<&Kind>,
    ) -> Result<Deed, TestnetError> {
        let dials = self.dials.entry(name.to_owned()).or_default();
        match kind {
            Some(Kind::SlowDisk(late)) => dials.sync_delay_ms = late.as_millis(),
            Some(Kind::Clock(offset)) => dials.clock_offset_ms = *offset,
            _ => *dials = Dials::default(),
        }
        world.turn(name, *dials)
    }

    /// `kill -9`, the file edited, started again.
    async fn rob(
        &mut self,
        world: &mut World,
        name: &str,
        perturbation: &Perturbation,
    ) -> Result<Deed, TestnetError> {
        world.kill(name).await?;
        let Some(node) = world.layout().node(name).cloned() else { return Ok(Deed::Done) };
        if perturbation.kind == Kind::WipeHome {
            // Asked first: a home that cannot come back is not wiped.
            return self.wipe_home(world, name, perturbation).await;
        }
        let seed = self.manifest.seed ^ perturbation.at;
        if let Some(what) = edit::edit(&node, &perturbation.kind, seed)? {
            self.note(format!("{name}: {what}"));
        }
        let set_aside = match perturbation.kind {
            Kind::FlipBit(Spot::Ledger) => {
                world.rota(name, &["db", "verify", "--repair"]).await?;
                false
            }
            Kind::FlipBit(Spot::Wal) | Kind::TearWal { .. } => {
                mend::start_or_set_wal_aside(world, &node).await?
            }
            _ => false,
        };
        if set_aside {
            self.note(format!("{name}: state/wal set aside, as the node's hint says"));
        }
        world.start(name).await?;
        self.watcher.released(name, &perturbation.text);
        Ok(Deed::Done)
    }

    async fn wipe_home(
        &mut self,
        world: &mut World,
        name: &str,
        perturbation: &Perturbation,
    ) -> Result<Deed, TestnetError> {
        if let Deed::NotHere(why) = world.can_rejoin().await? {
            world.start(name).await?;
            return Ok(Deed::NotHere(why));
        }
        if let Some(node) = world.layout().node(name) {
            edit::edit(node, &perturbation.kind, 0)?;
        }
        world.rejoin(name).await?;
        self.watcher.released(name, &perturbation.text);
        Ok(Deed::Done)
    }

    /// The end of what lasts.
    async fn release(
        &mut self,
        world: &mut World,
        name: &str,
        perturbation: &Perturbation,
    ) -> Result<(), TestnetError> {
        let text = perturbation.text.as_str();
        if self.skipped.contains(text) {
            return Ok(());
        }
        match &perturbation.kind {
            Kind::Pause => world.resume(name).await?,
            Kind::Disconnect => world.connect(name).await?,
            Kind::Partition(sides) => world.join(sides).await?,
            Kind::Delay(_) | Kind::Throttle(_) | Kind::Loss(_) => {
                world.shape(name, None);
            }
            Kind::DiskFull => self.after_full(world, name).await?,
            Kind::SlowDisk(_) => {
                self.turn(world, name, Some(&Kind::SlowDisk(Duration::from_millis(0))))?;
            }
            Kind::Clock(_) => {
                self.turn(world, name, Some(&Kind::Clock(0)))?;
            }
            _ => {}
        }
        let begun = self.begun.get(text).copied().unwrap_or(0);
        let meanwhile = self.watcher.height().saturating_sub(begun);
        self.note(format!("{name}: end of {text}, {meanwhile} heights meanwhile"));
        for name in self.shaken(name, &perturbation.kind) {
            self.watcher.released(&name, text);
        }
        Ok(())
    }

    /// A node on a full disk has ended with a reason and a hint, and goes on when there is room.
    async fn after_full(&mut self, world: &mut World, name: &str) -> Result<(), TestnetError> {
        self.note_ends(world).await;
        if world.still_awaited(name) {
            self.ended.push(format!("{name} did not end with exit 74 on a full disk"));
        }
        let words = world.last_words(name).await;
        for wanted in ["disk is full", "free space on this disk"] {
            if !words.contains(wanted) {
                self.ended.push(format!("{name} did not say {wanted:?} when its disk was full"));
            }
        }
        world.kill(name).await?;
        world.layout().disks.empty(name)?;
        world.start(name).await
    }

    /// Ends everything that lasts and starts every node that is down.
    pub(super) async fn heal(&mut self, world: &mut World) -> Result<(), TestnetError> {
        world.heal_links();
        for name in self.names.clone() {
            world.resume(&name).await?;
            world.connect(&name).await?;
            if self.dials.contains_key(&name) {
                self.turn(world, &name, None)?;
            }
            world.layout().disks.empty(&name)?;
            if !world.is_up(&name) {
                world.start(&name).await?;
                self.note(format!("{name}: started by the heal"));
                self.watcher.released(&name, "down at the heal");
            }
        }
        Ok(())
    }

    /// Whether every node that was hurt is with the others again.
    pub(super) fn all_recovered(&self) -> bool {
        self.watcher.recoveries().1.is_empty()
    }
}
