//! `rota-testnet planted`: every planted bug, or some of them.

use super::patch::Patch;
use super::report::{Report, Row, Verdict};
use super::tree::{Tree, project_root};
use crate::clock;
use crate::error::TestnetError;
use crate::limits::{PLANTED_SEEDS, PLANTED_TURN};
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;

/// Builds the simulator with each planted bug, and plays seeds until it is caught.
#[derive(Clone, Debug, Args)]
pub struct PlantedArgs {
    /// Patches of these names only.
    #[arg(long, num_args = 1..)]
    only: Vec<String>,
    /// Only the two whose turn it is; any number, like that of commits.
    #[arg(long, conflicts_with = "only")]
    turn: Option<usize>,
    /// Folder for the copy of the sources and what is built of it; kept, so that the next run builds little.
    #[arg(long, default_value = "target/planted")]
    work: PathBuf,
    /// Report as JSON on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

impl PlantedArgs {
    /// Builds and plays.
    ///
    /// # Errors
    /// If the sources cannot be copied, a patch cannot be read, or a name is none.
    pub fn run(&self) -> Result<Report, TestnetError> {
        let root = project_root()?;
        let work = std::path::absolute(&self.work).map_err(TestnetError::file(&self.work))?;
        let tree = Tree::new(&root, &work);
        let mut report = Report::default();
        for patch in self.chosen(Patch::all(&root)?)? {
            let started = clock::now();
            tree.restore()?;
            let verdict = played(&tree, &patch)
                .unwrap_or_else(|error| Verdict::Failed { cause: error.to_string() });
            let Patch { name, bug, expected, .. } = patch;
            let row = Row { name, bug, expected, verdict, seconds: started.elapsed().as_secs() };
            tracing::info!("{row}  {} s", row.seconds);
            report.rows.push(row);
        }
        tree.restore()?;
        Ok(report)
    }

    fn chosen(&self, patches: Vec<Patch>) -> Result<Vec<Patch>, TestnetError> {
        let unknown = |name: &&String| patches.iter().all(|patch| patch.name != **name);
        if let Some(name) = self.only.iter().find(unknown) {
            return Err(TestnetError::manifest(format!("no planted bug is called {name}")));
        }
        let turn = self.turn.map(|turn| {
            let turns = patches.len().div_ceil(PLANTED_TURN);
            turn.checked_rem(turns).unwrap_or(0).saturating_mul(PLANTED_TURN)
        });
        let wanted = |(at, patch): &(usize, Patch)| match turn {
            Some(first) => (first..first.saturating_add(PLANTED_TURN)).contains(at),
            None => self.only.is_empty() || self.only.contains(&patch.name),
        };
        Ok(patches.into_iter().enumerate().filter(wanted).map(|(_, patch)| patch).collect())
    }
}

fn played(tree: &Tree, patch: &Patch) -> Result<Verdict, TestnetError> {
    tree.apply(patch)?;
    let binary = tree.build()?;
    let summary = tree.simulate(&binary, PLANTED_SEEDS)?;
    Ok(verdict(&summary))
}

/// The lowest seed that broke something.
fn verdict(summary: &Value) -> Verdict {
    let violations = summary.get("violations").and_then(Value::as_array);
    let first = violations.and_then(|violations| violations.first());
    let text = |name: &str| {
        let value = first.and_then(|first| first.get(name)).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    match first.and_then(|first| first.get("seed")).and_then(Value::as_u64) {
        Some(seed) => Verdict::Caught {
            invariant: text("invariant"),
            seeds: seed.saturating_add(1),
            what: text("what"),
        },
        None => Verdict::Missed,
    }
}
