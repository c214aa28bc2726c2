//! Hurts nodes when the manifest says so, and heals them all at the end.

use super::kill_loop;
use super::observe::Watcher;
use super::report::NotRun;
use crate::clock::Timeline;
use crate::error::TestnetError;
use crate::limits::POLL;
use crate::load::engine::Running;
use crate::manifest::{Kind, Manifest, Perturbation, Target};
use crate::world::{Deed, Layout, World};
use std::collections::BTreeMap;

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
    manifest: Manifest,
    names: Vec<String>,
    validators: Vec<String>,
    pub(super) watcher: Watcher,
    /// What was not done, and why.
    pub(super) not_run: Vec<NotRun>,
    /// What was done, in order.
    pub(super) done: Vec<String>,
    /// Nodes that ended by themselves.
    pub(super) ended: Vec<String>,
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
        }
    }

    /// Steps by slot; what no world does is noted as not run.
    fn schedule(&mut self) -> Result<BTreeMap<u64, Vec<Step>>, TestnetError> {
        let mut steps: BTreeMap<u64, Vec<Step>> = BTreeMap::new();
        for perturbation in self.manifest.perturbations()? {
            if let Some(why) = perturbation.kind.not_here() {
                self.not_run.push(NotRun { what: perturbation.text, why: why.into() });
                continue;
            }
            if matches!(perturbation.kind, Kind::Pause | Kind::Disconnect) {
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
            for role in node.byzantine.keys() {
                let what = format!("{name}: byzantine {role}");
                let why = "needs a test build with Byzantine roles".into();
                self.not_run.push(NotRun { what, why });
            }
        }
        if self.manifest.link.is_some() {
            let why = "links of this world cannot be shaped: needs the relay on every link".into();
            self.not_run.push(NotRun { what: "link".into(), why });
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
                for name in self.targets(&perturbation.target) {
                    self.hurt(world, &name, perturbation).await?;
                }
            }
            Step::Release(perturbation) => {
                for name in self.targets(&perturbation.target) {
                    world.resume(&name).await?;
                    world.connect(&name).await?;
                    self.note(format!("{name}: end of {}", perturbation.text));
                    self.watcher.released(&name, &perturbation.text);
                }
            }
        }
        Ok(())
    }

    fn targets(&self, target: &Target) -> Vec<String> {
        match target {
            Target::Node(name) => vec![name.clone()],
            Target::All => self.names.clone(),
        }
    }

    fn note(&mut self, what: String) {
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
        match &perturbation.kind {
            Kind::Kill => {
                self.watcher.hurt(name);
                world.kill(name).await?;
            }
            Kind::Restart => {
                world.stop(name).await?;
                world.start(name).await?;
                self.watcher.released(name, text);
            }
            Kind::Pause => {
                self.watcher.hurt(name);
                world.pause(name).await?;
            }
            Kind::Disconnect => {
                self.watcher.hurt(name);
                if let Deed::NotHere(why) = world.disconnect(name).await? {
                    self.not_run.push(NotRun { what: format!("{name}: {text}"), why: why.into() });
                    return Ok(());
                }
            }
            Kind::WipeIndex | Kind::TearLedger { .. } => {
                world.kill(name).await?;
                self.edit(world, name, &perturbation.kind)?;
                world.start(name).await?;
                self.watcher.released(name, text);
            }
            Kind::Elsewhere(_) => return Ok(()),
        }
        self.note(format!("{name}: {text}"));
        Ok(())
    }

    /// Edits files of a node that is down.
    fn edit(&mut self, world: &World, name: &str, kind: &Kind) -> Result<(), TestnetError> {
        let Some(node) = world.layout().node(name) else { return Ok(()) };
        match kind {
            Kind::WipeIndex => {
                let index = node.index();
                if index.is_dir() {
                    std::fs::remove_dir_all(&index).map_err(TestnetError::file(&index))?;
                }
            }
            Kind::TearLedger { bytes } => {
                let Some(path) = node.last_segment() else { return Ok(()) };
                let file = std::fs::OpenOptions::new().write(true).open(&path);
                let file = file.map_err(TestnetError::file(&path))?;
                let length = file.metadata().map_err(TestnetError::file(&path))?.len();
                let cut = length.saturating_sub(*bytes);
                file.set_len(cut).map_err(TestnetError::file(&path))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends every pause and disconnection and starts every node that is down.
    pub(super) async fn heal(&mut self, world: &mut World) -> Result<(), TestnetError> {
        for name in self.names.clone() {
            world.resume(&name).await?;
            world.connect(&name).await?;
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
