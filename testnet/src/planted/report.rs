//! What became of each planted bug.

use serde::Serialize;
use std::fmt;

/// What became of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A seed broke an invariant.
    Caught {
        /// The invariant.
        invariant: String,
        /// Seeds played up to that one, itself among them.
        seeds: u64,
        /// What was found.
        what: String,
    },
    /// Every seed held.
    Missed,
    /// The patch does not apply, the copy does not build, or the simulator gave no summary.
    Failed {
        /// Why.
        cause: String,
    },
}

/// One bug.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Name of its patch.
    pub name: String,
    /// What it breaks.
    pub bug: String,
    /// The invariant named in the patch.
    pub expected: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Seconds for building and playing.
    pub seconds: u64,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One for each patch played.
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether there was at least one, and each was caught.
    #[must_use]
    pub fn holds(&self) -> bool {
        let caught = |row: &Row| matches!(row.verdict, Verdict::Caught { .. });
        !self.rows.is_empty() && self.rows.iter().all(caught)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| `{}` | {} | ", self.name, self.bug)?;
        match &self.verdict {
            Verdict::Caught { invariant, seeds, .. } => write!(f, "{invariant} | {seeds} |"),
            Verdict::Missed => write!(f, "{} | NOT CAUGHT |", self.expected),
            Verdict::Failed { cause } => write!(f, "{} | FAILED: {cause} |", self.expected),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| patch | bug | invariant | seeds |\n|---|---|---|---|")?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        let caught = |row: &&Row| matches!(row.verdict, Verdict::Caught { .. });
        let count = self.rows.iter().filter(caught).count();
        write!(f, "caught {count} of {}", self.rows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict) -> Row {
        let (name, bug, expected) = ("one".to_owned(), "too many".to_owned(), "order".to_owned());
        Row { name, bug, expected, verdict, seconds: 1 }
    }

    #[test]
    fn it_holds_only_if_each_was_caught() {
        let caught = Verdict::Caught { invariant: "order".into(), seeds: 3, what: String::new() };
        let report = |rows: Vec<Verdict>| Report { rows: rows.into_iter().map(row).collect() };
        assert!(report(vec![caught.clone()]).holds());
        assert!(!report(vec![]).holds());
        assert!(!report(vec![caught.clone(), Verdict::Missed]).holds());
        assert!(!report(vec![caught, Verdict::Failed { cause: "no".into() }]).holds());
    }
}
