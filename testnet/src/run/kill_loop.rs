//! `kill -9` at random instants: one validator, or all at once, each started again a random time later.

use super::observe::Watcher;
use crate::clock::Timeline;
use crate::error::TestnetError;
use crate::manifest::{Duration, KillLoop as Plan};
use crate::world::World;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;

/// A loop under way.
pub(super) struct KillLoop {
    plan: Plan,
    names: Vec<String>,
    rng: ChaCha20Rng,
    rounds: u64,
    next_us: u64,
    /// When nodes that are down are started again.
    down: BTreeMap<String, u64>,
}

impl KillLoop {
    pub(super) fn new(plan: Plan, seed: u64, names: Vec<String>, timeline: &Timeline) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let next_us = timeline.now_us().saturating_add(up_to(&mut rng, plan.gap_max));
        Self { plan, names, rng, rounds: 0, next_us, down: BTreeMap::new() }
    }

    /// Whether all kills are done and every node is up again.
    pub(super) fn is_over(&self) -> bool {
        self.rounds >= self.plan.kills && self.down.is_empty()
    }

    /// Does what is due, and gives what was done.
    pub(super) async fn turn(
        &mut self,
        world: &mut World,
        watcher: &mut Watcher,
        timeline: &Timeline,
    ) -> Result<Vec<String>, TestnetError> {
        let mut done = Vec::new();
        let now = timeline.now_us();
        let due: Vec<String> =
            self.down.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        for name in due {
            self.down.remove(&name);
            world.start(&name).await?;
            watcher.released(&name, "kill");
        }
        if self.rounds < self.plan.kills && self.next_us <= now {
            self.rounds = self.rounds.saturating_add(1);
            for name in self.victims() {
                watcher.hurt(&name);
                world.kill(&name).await?;
                let up = now.saturating_add(up_to(&mut self.rng, self.plan.down_max));
                self.down.insert(name.clone(), up);
                done.push(format!("{name}: kill -9, round {}", self.rounds));
            }
            tracing::info!(stage = "perturb", round = self.rounds, "{}", done.join(", "));
            self.next_us = now.saturating_add(up_to(&mut self.rng, self.plan.gap_max));
        }
        Ok(done)
    }

    fn victims(&mut self) -> Vec<String> {
        let every = self.plan.all_every;
        if every > 0 && self.rounds.checked_rem(every) == Some(0) {
            return self.names.clone();
        }
        let n = u64::try_from(self.names.len()).unwrap_or(1).max(1);
        let drawn = self.rng.next_u64().checked_rem(n).unwrap_or(0);
        let drawn = usize::try_from(drawn).unwrap_or(0);
        self.names.get(drawn).cloned().into_iter().collect()
    }
}

/// Microseconds below `most`.
fn up_to(rng: &mut ChaCha20Rng, most: Duration) -> u64 {
    let most = most.as_millis().saturating_mul(1_000).max(1);
    rng.next_u64().checked_rem(most).unwrap_or(0)
}
