//! One thing that happens to a node or to all: `name[:value]@slot[+slots]`, slots counted from the start of load.

use super::nearest;
use super::quantity::{Duration, Rate};
use crate::error::TestnetError;
use std::collections::BTreeSet;

/// Whom it happens to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One node by name.
    Node(String),
    /// All that run.
    All,
}

/// Two groups of nodes between which nothing passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The first group.
    pub from: Vec<String>,
    /// The second; `rest` becomes everybody else.
    pub to: Vec<String>,
    /// Whether the second still reaches the first.
    pub one_way: bool,
}

impl Sides {
    /// `a,b|c` or `a,b|rest`; with `>` instead of `|` only the first no longer reaches the second.
    fn parse(text: &str) -> Option<Self> {
        let (from, to, one_way) = match (text.split_once('|'), text.split_once('>')) {
            (Some((from, to)), _) => (from, to, false),
            (None, Some((from, to))) => (from, to, true),
            (None, None) => return None,
        };
        let names = |text: &str| {
            let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
            (!names.iter().any(String::is_empty)).then_some(names)
        };
        Some(Self { from: names(from)?, to: names(to)?, one_way })
    }

    /// Both groups with `rest` written out for a network of these nodes.
    #[must_use]
    pub fn among(&self, all: &[String]) -> (Vec<String>, Vec<String>) {
        let known: BTreeSet<&String> = self.from.iter().chain(&self.to).collect();
        let rest = || all.iter().filter(|name| !known.contains(name)).cloned();
        let written = |group: &[String]| {
            if group == ["rest"] { rest().collect() } else { group.to_vec() }
        };
        (written(&self.from), written(&self.to))
    }
}

/// A file of a node in which a bit is flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// The newest ledger segment.
    Ledger,
    /// The newest write-ahead log.
    Wal,
    /// A file of the index.
    Index,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `kill -9`; it stays down until a restart or the heal.
    Kill,
    /// Started again; one that runs is ended by SIGTERM first.
    Restart,
    /// SIGSTOP for some slots.
    Pause,
    /// Cut from its network for some slots.
    Disconnect,
    /// Two groups of nodes do not reach each other for some slots.
    Partition(Sides),
    /// Its links are slower by so much for some slots.
    Delay(Duration),
    /// Its links carry no more than this for some slots.
    Throttle(Rate),
    /// Its links lose this share of segments for some slots.
    Loss(f64),
    /// Its disk has no byte left; it is started again when there is room, some slots later.
    DiskFull,
    /// Every sync of its disk takes so much longer for some slots.
    SlowDisk(Duration),
    /// Its clock is off by so many milliseconds for some slots.
    Clock(i64),
    /// `kill -9`, `index/` removed, started again.
    WipeIndex,
    /// `kill -9`, the last ledger segment cut by so many bytes, started again.
    TearLedger {
        /// Bytes cut.
        bytes: u64,
    },
    /// `kill -9`, the newest write-ahead log cut by so many bytes, started again.
    TearWal {
        /// Bytes cut.
        bytes: u64,
    },
    /// `kill -9`, one bit of a file flipped, started again; repaired as the node says if it does not start.
    FlipBit(Spot),
    /// `kill -9`, ledger, index and state removed, started again with `--rejoin`.
    WipeHome,
}

/// Every perturbation, as errors name them.
const NAMES: [&str; 18] = [
    "kill",
    "restart",
    "kill-all",
    "pause",
    "disconnect",
    "partition",
    "delay",
    "rate",
    "loss",
    "disk-full",
    "slow-disk",
    "clock",
    "wipe-index",
    "tear-ledger",
    "tear-wal",
    "flip-bit",
    "wipe-home",
    "restart-all",
];

impl Kind {
    /// Whether it has an end, some slots after its beginning.
    #[must_use]
    pub const fn lasts(&self) -> bool {
        matches!(
            self,
            Self::Pause
                | Self::Disconnect
                | Self::Partition(_)
                | Self::Delay(_)
                | Self::Throttle(_)
                | Self::Loss(_)
                | Self::DiskFull
                | Self::SlowDisk(_)
                | Self::Clock(_)
        )
    }

    /// Whether it needs a relay in front of every process.
    #[must_use]
    pub const fn needs_links(&self) -> bool {
        matches!(
            self,
            Self::Disconnect
                | Self::Partition(_)
                | Self::Delay(_)
                | Self::Throttle(_)
                | Self::Loss(_)
        )
    }

    /// Whether it needs a node whose disk and clock can be turned.
    #[must_use]
    pub const fn needs_dials(&self) -> bool {
        matches!(self, Self::SlowDisk(_) | Self::Clock(_))
    }

    fn parse(name: &str, value: Option<&str>) -> Result<Self, &'static str> {
        let given = value.unwrap_or_default();
        let bytes = || match value {
            None => Ok(1),
            Some(text) => text.parse().map_err(|_| "bytes are none"),
        };
        let lasting = || given.parse::<Duration>().map_err(|_| "its value is a duration");
        Ok(match name {
            "kill" | "kill-all" => Self::Kill,
            "restart" | "restart-all" => Self::Restart,
            "pause" => Self::Pause,
            "disconnect" => Self::Disconnect,
            "partition" => Self::Partition(
                Sides::parse(given).ok_or("its value is like v1,v2|rest, or v1>rest")?,
            ),
            "delay" => Self::Delay(lasting()?),
            "rate" => Self::Throttle(given.parse().map_err(|_| "its value is like 500KB/s")?),
            "loss" => {
                let share = given.parse().ok().filter(|share| (0.0..1.0).contains(share));
                Self::Loss(share.ok_or("its value is a share below 1")?)
            }
            "disk-full" => Self::DiskFull,
            "slow-disk" => Self::SlowDisk(lasting()?),
            "clock" => Self::Clock(offset(given).ok_or("its value is like +700ms or -2s")?),
            "wipe-index" => Self::WipeIndex,
            "tear-ledger" => Self::TearLedger { bytes: bytes()? },
            "tear-wal" => Self::TearWal { bytes: bytes()? },
            "flip-bit" => Self::FlipBit(match given {
                "" | "ledger" => Spot::Ledger,
                "wal" => Spot::Wal,
                "index" => Spot::Index,
                _ => return Err("its value is ledger, wal or index"),
            }),
            "wipe-home" => Self::WipeHome,
            _ => return Err("unknown"),
        })
    }
}

/// Signed milliseconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1i64, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let ms = i64::try_from(rest.parse::<Duration>().ok()?.as_millis()).ok()?;
    sign.checked_mul(ms)
}

/// Something that happens at a slot.
#[derive(Clone, Debug, PartialEq)]
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
        let (what, when) = text.rsplit_once('@').ok_or_else(|| wrong("it lacks @slot"))?;
        let (name, value) = what.split_once(':').map_or((what, None), |(n, v)| (n, Some(v)));
        let (at, slots) = when.split_once('+').map_or((when, "1"), |(at, slots)| (at, slots));
        let at = at.parse().map_err(|_| wrong("the slot is no number"))?;
        let slots = slots.parse().map_err(|_| wrong("the number of slots is none"))?;
        if !NAMES.contains(&name) {
            return Err(TestnetError::Manifest {
                cause: format!("unknown perturbation {name:?}"),
                hint: nearest(name, NAMES).map(|word| format!("did you mean `{word}`?")),
            });
        }
        let kind = Kind::parse(name, value).map_err(wrong)?;
        let all = name.ends_with("-all") || matches!(kind, Kind::Partition(_));
        let target = if all { Target::All } else { target };
        Ok(Self { text: text.into(), target, kind, at, slots })
    }

    /// Names in it that must be nodes.
    pub fn named(&self) -> impl Iterator<Item = &String> {
        let sides = match &self.kind {
            Kind::Partition(sides) => Some(sides),
            _ => None,
        };
        sides
            .into_iter()
            .flat_map(|sides| sides.from.iter().chain(&sides.to))
            .filter(|name| *name != "rest")
    }
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
        assert_eq!(parse("clock:-700ms@4+2").unwrap().kind, Kind::Clock(-700));
        assert_eq!(parse("clock:+2s@4+2").unwrap().kind, Kind::Clock(2_000));
        assert_eq!(parse("loss:0.05@4+2").unwrap().kind, Kind::Loss(0.05));
        assert_eq!(parse("flip-bit:wal@4").unwrap().kind, Kind::FlipBit(Spot::Wal));
        assert!(parse("disk-full@2+2").unwrap().kind.lasts());
        let wrong = [
            "kill",
            "kill@x",
            "pause@1+y",
            "nonsense@1",
            "tear-ledger:x@1",
            "loss:1.5@1",
            "clock:soon@1",
            "partition:v1@1",
            "partition:v1,|v2@1",
            "flip-bit:guard@1",
            "slow-disk@1",
        ];
        for wrong in wrong {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sides_of_a_partition() {
        let all: Vec<String> = ["v1", "v2", "v3", "v4"].map(String::from).to_vec();
        let both = parse("partition:v1,v2|rest@5+3").unwrap();
        let Kind::Partition(sides) = &both.kind else { panic!("{both:?}") };
        assert!(!sides.one_way);
        let written = sides.among(&all);
        assert_eq!(written, (vec!["v1".into(), "v2".into()], vec!["v3".into(), "v4".into()]));
        assert_eq!(both.named().count(), 2);
        let one = parse("partition:v4>v1@5").unwrap();
        assert!(matches!(one.kind, Kind::Partition(Sides { one_way: true, .. })));
    }
}
