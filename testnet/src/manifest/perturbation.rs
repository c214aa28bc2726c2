//! One thing that happens to a node or to all: `name[:value]@slot[+slots]`, slots counted from the start of load.

use super::nearest;
use crate::error::TestnetError;

/// Whom it happens to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One node by name.
    Node(String),
    /// All that run.
    All,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `kill -9`; it stays down until a restart or the heal.
    Kill,
    /// Started again; one that runs is ended by SIGTERM first.
    Restart,
    /// SIGSTOP for some slots.
    Pause,
    /// Cut from its network for some slots.
    Disconnect,
    /// `kill -9`, `index/` removed, started again.
    WipeIndex,
    /// `kill -9`, the last ledger segment cut by so many bytes, started again.
    TearLedger {
        /// Bytes cut.
        bytes: u64,
    },
    /// Known to testing.md, not done here; the reason is in [`Kind::not_here`].
    Elsewhere(String),
}

/// Words of testing.md that no world of this version can do, and why.
const ELSEWHERE: [(&str, &str); 9] = [
    ("partition", "needs network namespaces or the relay on every link"),
    ("delay", "needs the relay on every link: not every kernel has netem"),
    ("rate", "needs the relay on every link"),
    ("disk-full", "needs a home on a small tmpfs of its own"),
    ("slow-disk", "needs a test build with a delay in Disk"),
    ("tear-wal", "comes with the simulator"),
    ("flip-bit", "comes with the simulator"),
    ("wipe-home", "comes with the rejoin of a key without its guard"),
    ("clock", "needs a test build with an offset in Clock"),
];

const HERE: [&str; 7] =
    ["kill", "restart", "kill-all", "pause", "disconnect", "wipe-index", "tear-ledger"];

impl Kind {
    /// Why no world of this version does it.
    #[must_use]
    pub fn not_here(&self) -> Option<&'static str> {
        let Self::Elsewhere(name) = self else { return None };
        ELSEWHERE.iter().find(|(word, _)| word == name).map(|(_, why)| *why)
    }
}

/// Something that happens at a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Perturbation {
    /// As written.
    pub text: String,
    /// To whom.
    pub target: Target,
    /// What.
    pub kind: Kind,
    /// Slot, counted from the start of the load.
    pub at: u64,
    /// How many slots it lasts, where that means something; 1 if not said.
    pub slots: u64,
}

impl Perturbation {
    /// Parses one.
    ///
    /// # Errors
    /// If it is not of the form, or its name is unknown.
    pub fn parse(text: &str, target: Target) -> Result<Self, TestnetError> {
        let wrong = |cause: &str| TestnetError::Manifest {
            cause: format!("perturbation {text:?}: {cause}"),
            hint: Some("name[:value]@slot[+slots], like \"pause@8+3\"".into()),
        };
        let (what, when) = text.split_once('@').ok_or_else(|| wrong("it lacks @slot"))?;
        let (name, value) = what.split_once(':').map_or((what, None), |(n, v)| (n, Some(v)));
        let (at, slots) = when.split_once('+').map_or((when, "1"), |(at, slots)| (at, slots));
        let at = at.parse().map_err(|_| wrong("the slot is no number"))?;
        let slots = slots.parse().map_err(|_| wrong("the number of slots is none"))?;
        let (kind, target) = match name {
            "kill" => (Kind::Kill, target),
            "kill-all" => (Kind::Kill, Target::All),
            "restart" => (Kind::Restart, target),
            "pause" => (Kind::Pause, target),
            "disconnect" => (Kind::Disconnect, target),
            "wipe-index" => (Kind::WipeIndex, target),
            "tear-ledger" => {
                let bytes = value.unwrap_or("1").parse().map_err(|_| wrong("bytes are none"))?;
                (Kind::TearLedger { bytes }, target)
            }
            other => (elsewhere(other)?, target),
        };
        Ok(Self { text: text.into(), target, kind, at, slots })
    }
}

fn elsewhere(name: &str) -> Result<Kind, TestnetError> {
    if ELSEWHERE.iter().any(|(word, _)| *word == name) {
        return Ok(Kind::Elsewhere(name.into()));
    }
    let known = HERE.iter().copied().chain(ELSEWHERE.iter().map(|(word, _)| *word));
    Err(TestnetError::Manifest {
        cause: format!("unknown perturbation {name:?}"),
        hint: nearest(name, known).map(|word| format!("did you mean `{word}`?")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Perturbation, TestnetError> {
        Perturbation::parse(text, Target::Node("v1".into()))
    }

    #[test]
    fn forms_of_perturbations() {
        let pause = parse("pause@8+3").unwrap();
        assert_eq!((pause.kind, pause.at, pause.slots), (Kind::Pause, 8, 3));
        assert_eq!(parse("tear-ledger:17@12").unwrap().kind, Kind::TearLedger { bytes: 17 });
        assert_eq!(parse("kill-all@1").unwrap().target, Target::All);
        assert!(parse("disk-full@2+2").unwrap().kind.not_here().is_some());
        for wrong in ["kill", "kill@x", "pause@1+y", "nonsense@1", "tear-ledger:x@1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
