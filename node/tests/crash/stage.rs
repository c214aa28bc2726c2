//! The script, and the machine that plays it from one life to the next.

use crate::cast::{CHAIN_ID, GENESIS_MS, cast};
use crate::life::Life;
use crate::promises::Promises;
use rota_node::core::{Effect, FrameClass, Input};
use rota_node::disk::{CommitError, Disk as _, OpenMode, SimDisk};
use rota_node::error::OperatorError;
use rota_node::guard::{Create, Guard, Marks, read_records};
use rota_node::home::Home;
use rota_node::shell::{Outward, load_batch};
use rota_sequencer::lanes::LaneMessage;
use rota_types::{BatchCertificate, Height, LanePosition, TimestampMs};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// Heights that the script decides, executes and seals.
const HEIGHTS: Height = Height(2);
/// Steps of one life: many times what the script takes.
const STEPS_MAX: usize = 5_000;

/// What of the machine's disk something happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Guard,
    Wal,
    Ledger,
}

impl Part {
    fn of(text: &str) -> Self {
        match text {
            _ if text.contains("/guard") => Self::Guard,
            _ if text.contains("/wal") => Self::Wal,
            _ if text.contains("/ledger") => Self::Ledger,
            _ => panic!("of no store: {text}"),
        }
    }
}

/// Why a life ended before the script did.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) part: Part,
    pub(crate) hint: String,
    what: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (hint: {})", self.what, self.hint)
    }
}

impl From<CommitError> for Ended {
    fn from(error: CommitError) -> Self {
        let what = format!("{error:?}");
        Self { part: Part::of(&what), hint: error.hint().to_owned(), what }
    }
}

impl From<OperatorError> for Ended {
    fn from(error: OperatorError) -> Self {
        let what = format!("{error:?}");
        Self { part: Part::of(&what), hint: error.hint.clone().unwrap_or_default(), what }
    }
}

pub(crate) struct Stage {
    pub(crate) disk: SimDisk,
    home: Home,
    now: TimestampMs,
    promises: Promises,
    /// Operations of the disk before the script.
    before: u64,
}

impl Stage {
    /// A machine with a guard that has signed nothing.
    pub(crate) fn new() -> Self {
        let (disk, home) = (SimDisk::new(), Home::at("/home"));
        Guard::open(disk.shared(), &home.guard_file(), cast().me, Create::New).unwrap();
        Self::of(disk, home)
    }

    /// Number of the script's `number`-th operation on the disk.
    pub(crate) const fn operation(&self, number: u64) -> u64 {
        self.before.saturating_add(number)
    }

    /// Operations of the script so far.
    pub(crate) fn operations(&self) -> u64 {
        self.disk.operations() - self.before
    }

    fn of(disk: SimDisk, home: Home) -> Self {
        let now = TimestampMs(GENESIS_MS);
        let before = disk.operations();
        Self { disk, home, now, promises: Promises::default(), before }
    }

    fn start(&self) -> Result<Life, Ended> {
        let life = Life::start(&self.disk, &self.home, self.now)?;
        let (_, records) = read_records(&self.disk, &self.home.guard_file()).unwrap();
        let mut marks = Marks::default();
        records.iter().for_each(|record| marks.record(record));
        self.promises.check(&life.reader, &marks).unwrap_or_else(|broken| panic!("{broken}"));
        Ok(life)
    }

    /// Starts, and looks whether every promise is there.
    pub(crate) fn starts(&self) -> Result<(), Ended> {
        self.start().map(|_| ())
    }

    /// One life, to the script's end or its own.
    pub(crate) fn play(&mut self) -> Result<(), Ended> {
        let mut life = self.start()?;
        let friend = cast().friend;
        life.inputs.push_back(Input::Connected { validator: friend });
        for (token, list) in (0u64..).zip(&cast().lists) {
            if !self.promises.receipts.contains_key(&usize::try_from(token).unwrap()) {
                life.inputs.push_back(Input::Submit { token, list: list.clone() });
            }
        }
        for batch in &cast().batches {
            life.inputs.push_back(Input::Batch { from: friend, batch: batch.clone() });
        }
        let (released, committed) = life.begin();
        self.carry_out(&mut life, released);
        committed?;
        for _ in 0..STEPS_MAX {
            if self.is_over() {
                self.promises.check_receipts(&life.reader);
                return Ok(());
            }
            let (released, committed) = life.step(&mut self.now);
            self.carry_out(&mut life, released);
            committed?;
        }
        let open: BTreeSet<&LanePosition> =
            self.promises.batches().filter(|at| !self.promises.cut.contains_key(*at)).collect();
        panic!("no end in {STEPS_MAX} steps: sealed {}, open {open:?}", self.promises.sealed);
    }

    /// Heights sealed; what was acknowledged or receipted is in a slot.
    fn is_over(&self) -> bool {
        let promises = &self.promises;
        let cut = |position: &LanePosition| promises.cut.contains_key(position);
        promises.sealed >= HEIGHTS
            && promises.receipts.len() == cast().lists.len()
            && promises.receipts.values().all(|receipt| cut(&receipt.receipt.position))
            && cast().batches.iter().all(|batch| cut(&batch.position()))
    }

    fn carry_out(&mut self, life: &mut Life, released: Vec<Outward>) {
        for outward in released {
            let Outward::Effect(effect) = outward else { continue };
            self.promises.on_effect(&effect, &life.reader);
            match effect {
                Effect::Execute(decided) => life.execute(&decided),
                Effect::LoadBatch { digest } => {
                    life.inputs.extend(load_batch(&life.reader, CHAIN_ID, &digest));
                }
                Effect::Send { to, .. } if to == cast().friend => self.friend_answers(life),
                _ => {}
            }
        }
    }

    /// The friend makes a certificate of every acknowledgement, until its batch is in a slot.
    fn friend_answers(&self, life: &mut Life) {
        for batch in &cast().batches {
            let position = batch.position();
            let Some(ack) = self.promises.acks.get(&position) else { continue };
            if self.promises.cut.contains_key(&position) {
                continue;
            }
            let acks = vec![(ack.validator, ack.signature)];
            let certificate = BatchCertificate { batch: batch.signed().clone(), acks };
            let message = LaneMessage::Certificate(Box::new(certificate));
            life.inputs.push_back(Input::Frame {
                from: cast().friend,
                class: FrameClass::Certificates,
                bytes: message.to_bytes().into(),
            });
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let folders = [self.home.ledger_folder(), self.home.wal_folder()];
        let inside = folders.iter().flat_map(|folder| {
            let names = self.disk.list(folder).unwrap_or_default();
            names.into_iter().map(|name| folder.join(name)).collect::<Vec<_>>()
        });
        inside.chain([self.home.guard_file()]).collect()
    }

    /// Files with bytes that a power cut may take: what is durable of them, and how long they are.
    pub(crate) fn unsynced(&self) -> Vec<(PathBuf, Part, usize, usize)> {
        let lengths = self.files().into_iter().filter_map(|path| {
            let live = self.disk.live(&path)?.len();
            let durable = self.disk.durable(&path)?.len();
            let part = Part::of(&path.to_string_lossy());
            (live > durable).then_some((path, part, durable, live))
        });
        lengths.collect()
    }

    /// The same machine after its power went, with one file cut to a length, or zeros from there on; the unsynced bytes
    /// of all others are lost.
    pub(crate) fn with_torn(&self, torn: &Path, kept: usize, zeroed: bool) -> Self {
        let disk = SimDisk::new();
        for path in self.files() {
            let bytes = if path == torn {
                let mut bytes = self.disk.live(&path).unwrap();
                let length = bytes.len();
                bytes.truncate(kept);
                bytes.resize(if zeroed { length } else { kept }, 0);
                bytes
            } else {
                let Some(bytes) = self.disk.durable(&path) else { continue };
                bytes
            };
            disk.create_dir(path.parent().unwrap()).unwrap();
            let file = disk.open(&path, OpenMode::CreateNew).unwrap();
            file.append(&[&bytes]).unwrap();
            file.sync().unwrap();
        }
        let mut stage = Self::of(disk, self.home.clone());
        stage.now = self.now;
        stage.promises = self.promises.clone();
        stage
    }
}
