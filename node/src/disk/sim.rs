//! A disk in memory that keeps live and durable bytes apart, for tests and the simulator.
//!
//! What was written but not synced may after [`SimDisk::crash`] be gone, kept, torn at any length, or zeroed;
//! names changed but not synced may be old or new. Operations that change something are counted, so that a test
//! can stop the power before each of them, or make one fail, by number.

use super::{Disk, DiskError, DiskFile, OpenMode};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What becomes of the bytes appended since a file's last sync when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// All lost.
    Drop,
    /// All kept.
    Keep,
    /// The first so many kept.
    Cut(usize),
    /// As long as written, but zeros from so many bytes on: the length reached the disk, the data did not.
    Zeroed(usize),
    /// As long as written, but the first so many bytes are zeros: later pages reached the disk first.
    Hole(usize),
}

/// A fault for one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No space: an append writes the first half of its bytes, then fails.
    Full,
    /// The device fails; a failed sync keeps nothing of what it was to make durable.
    Error,
}

/// Files only grow or are cut durably, so what is durable is always a prefix of what is live.
#[derive(Clone, Debug, Default)]
struct Inode {
    live: Vec<u8>,
    durable: usize,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    epoch: u64,
    operations: u64,
    power_off_at: Option<u64>,
    off: bool,
    faults: BTreeMap<u64, Fault>,
    capacity: Option<u64>,
    failures: u64,
}

/// A disk in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    inode: usize,
    epoch: u64,
    broken: std::sync::atomic::AtomicBool,
}

impl State {
    /// Counts one changing operation; an error if the power is off or the operation is to fail.
    fn step(&mut self, path: &Path) -> Result<(), DiskError> {
        if self.off {
            return Err(DiskError::Broken { path: path.to_path_buf() });
        }
        let number = self.operations;
        if self.power_off_at == Some(number) {
            self.off = true;
            return Err(DiskError::Broken { path: path.to_path_buf() });
        }
        self.operations = number.saturating_add(1);
        match self.faults.remove(&number) {
            None => Ok(()),
            Some(fault) => {
                self.failures = self.failures.saturating_add(1);
                Err(match fault {
                    Fault::Full => DiskError::Full { path: path.to_path_buf() },
                    Fault::Error => io_error("write", path, "device error"),
                })
            }
        }
    }

    fn live_bytes(&self) -> u64 {
        let named = self.names.values().filter_map(|inode| self.inodes.get(*inode));
        named.map(|inode| u64::try_from(inode.live.len()).unwrap_or(u64::MAX)).sum()
    }

    /// Makes the names of one folder durable.
    fn sync_folder_of(&mut self, path: &Path) {
        let folder = path.parent().map(Path::to_path_buf);
        self.durable_names.retain(|name, _| name.parent() != folder.as_deref());
        for (name, inode) in &self.names {
            if name.parent() == folder.as_deref() {
                self.durable_names.insert(name.clone(), *inode);
            }
        }
    }
}

fn io_error(action: &'static str, path: &Path, message: &str) -> DiskError {
    DiskError::Io { action, path: path.to_path_buf(), message: message.to_owned() }
}

impl SimDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As a shared trait object, which is what the stores take.
    #[must_use]
    pub fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changing operations done so far: appends, syncs, truncations, creations, renames, removals.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// The power goes before operation number `number`; all after it fail until [`Self::crash`].
    pub fn power_off_at(&self, number: u64) {
        self.lock().power_off_at = Some(number);
    }

    /// Operation number `number` fails.
    pub fn fail_at(&self, number: u64, fault: Fault) {
        self.lock().faults.insert(number, fault);
    }

    /// Operations that failed because a fault was set for them.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.lock().failures
    }

    /// Most live bytes of all files; appends beyond it fail [`DiskError::Full`]. `None` is without bound.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    /// Takes back every fault that was to come, and every bound.
    pub fn calm(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.power_off_at = None;
        state.off = false;
        state.capacity = None;
    }

    /// Whether the power is off or room is bounded.
    #[must_use]
    pub fn is_troubled(&self) -> bool {
        let state = self.lock();
        state.off || state.capacity.is_some()
    }

    /// Stops the machine and starts it again: unsynced bytes become what `tail` says, unsynced names are the
    /// durable ones, handles opened before do not work any more, faults are cleared.
    pub fn crash(&self, tail: Tail) {
        self.crash_with(&mut |_| tail);
    }

    /// The same, with a tail for each file that has unsynced bytes, by their number.
    pub fn crash_with(&self, tail: &mut dyn FnMut(usize) -> Tail) {
        let mut state = self.lock();
        for inode in &mut state.inodes {
            let unsynced = inode.live.split_off(inode.durable.min(inode.live.len()));
            if !unsynced.is_empty() {
                inode.live.extend(after_crash(&unsynced, tail(unsynced.len())));
            }
            inode.durable = inode.live.len();
        }
        state.names = state.durable_names.clone();
        state.epoch = state.epoch.saturating_add(1);
        state.off = false;
        state.power_off_at = None;
        state.faults.clear();
    }

    /// Live bytes of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.lock().live_bytes()
    }

    /// Live bytes of a file.
    #[must_use]
    pub fn live(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock();
        let inode = state.names.get(path)?;
        state.inodes.get(*inode).map(|inode| inode.live.clone())
    }

    /// What a power cut now would leave of a file at least.
    #[must_use]
    pub fn durable(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock();
        let inode = state.durable_names.get(path)?;
        state
            .inodes
            .get(*inode)
            .and_then(|inode| inode.live.get(..inode.durable))
            .map(<[u8]>::to_vec)
    }

    /// Flips one bit of a file, live and durable. `false` if there is no such byte.
    #[must_use]
    pub fn flip_bit(&self, path: &Path, byte: usize, bit: u8) -> bool {
        self.edit(path, |bytes| match bytes.get_mut(byte) {
            Some(target) => {
                *target ^= 1u8.checked_shl(u32::from(bit % 8)).unwrap_or(1);
                true
            }
            None => false,
        })
    }

    /// Cuts a file behind the node's back, live and durable.
    #[must_use]
    pub fn cut(&self, path: &Path, length: usize) -> bool {
        self.edit(path, |bytes| {
            bytes.truncate(length);
            true
        })
    }

    fn edit(&self, path: &Path, change: impl Fn(&mut Vec<u8>) -> bool) -> bool {
        let mut state = self.lock();
        let Some(inode) = state.names.get(path).copied() else { return false };
        let Some(inode) = state.inodes.get_mut(inode) else { return false };
        let changed = change(&mut inode.live);
        inode.durable = inode.durable.min(inode.live.len());
        changed
    }
}

/// What is left of unsynced bytes.
fn after_crash(unsynced: &[u8], tail: Tail) -> Vec<u8> {
    let zero_unless = |keep: &dyn Fn(usize) -> bool| {
        unsynced.iter().enumerate().map(|(i, byte)| if keep(i) { *byte } else { 0 }).collect()
    };
    match tail {
        Tail::Drop => Vec::new(),
        Tail::Keep => unsynced.to_vec(),
        Tail::Cut(kept) => unsynced.iter().copied().take(kept).collect(),
        Tail::Zeroed(kept) => zero_unless(&|i| i < kept),
        Tail::Hole(lost) => zero_unless(&|i| i >= lost),
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.lock();
        if state.off {
            return Err(DiskError::Broken { path: path.to_path_buf() });
        }
        state.folders.extend(path.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut state = self.lock();
        let found = state.names.get(path).copied();
        let inode = match (found, mode) {
            (Some(_), OpenMode::CreateNew) => {
                return Err(DiskError::Exists { path: path.to_path_buf() });
            }
            (None, OpenMode::Existing) => {
                return Err(DiskError::NotFound { path: path.to_path_buf() });
            }
            (Some(inode), _) => inode,
            (None, _) => {
                state.step(path)?;
                let inode = state.inodes.len();
                state.inodes.push(Inode::default());
                state.names.insert(path.to_path_buf(), inode);
                // Creating and syncing the folder are two moments: the power may go between them.
                state.step(path)?;
                state.sync_folder_of(path);
                inode
            }
        };
        let epoch = state.epoch;
        drop(state);
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            path: path.to_path_buf(),
            inode,
            epoch,
            broken: std::sync::atomic::AtomicBool::new(false),
        }))
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        let state = self.lock();
        Ok(state.names.contains_key(path) || state.folders.contains(path))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        let state = self.lock();
        if !state.folders.contains(dir) {
            return Err(DiskError::NotFound { path: dir.to_path_buf() });
        }
        let inside = state.names.keys().filter(|name| name.parent() == Some(dir));
        Ok(inside
            .filter_map(|name| name.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.lock();
        if !state.names.contains_key(path) {
            return Ok(());
        }
        state.step(path)?;
        state.names.remove(path);
        state.step(path)?;
        state.sync_folder_of(path);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let mut state = self.lock();
        state.step(from)?;
        let inode = state
            .names
            .remove(from)
            .ok_or_else(|| DiskError::NotFound { path: from.to_path_buf() })?;
        state.names.insert(to.to_path_buf(), inode);
        state.step(to)?;
        state.sync_folder_of(to);
        Ok(())
    }
}

impl SimFile {
    /// Runs `change` on this file's bytes; any failure breaks the handle.
    fn change(
        &self,
        change: impl FnOnce(&mut Inode, Result<(), DiskError>) -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        use std::sync::atomic::Ordering;
        let mut state = self.disk.lock();
        if state.epoch != self.epoch || self.broken.load(Ordering::Acquire) {
            return Err(DiskError::Broken { path: self.path.clone() });
        }
        let stepped = state.step(&self.path);
        let result = match state.inodes.get_mut(self.inode) {
            Some(inode) => change(inode, stepped),
            None => Err(io_error("write", &self.path, "no such file")),
        };
        if result.is_err() {
            self.broken.store(true, Ordering::Release);
        }
        result
    }
}

impl DiskFile for SimFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn append(&self, parts: &[&[u8]]) -> Result<(), DiskError> {
        let room = {
            let state = self.disk.lock();
            state.capacity.map(|capacity| capacity.saturating_sub(state.live_bytes()))
        };
        let bytes = parts.concat();
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let fits = room.is_none_or(|room| length <= room);
        self.change(|inode, stepped| {
            let stepped = if fits || stepped.is_err() {
                stepped
            } else {
                Err(DiskError::Full { path: self.path.clone() })
            };
            if matches!(stepped, Err(DiskError::Full { .. })) {
                inode.live.extend(bytes.iter().take(bytes.len() / 2));
            } else if stepped.is_ok() {
                inode.live.extend_from_slice(&bytes);
            }
            stepped
        })
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        let state = self.disk.lock();
        if state.epoch != self.epoch {
            return Err(DiskError::Broken { path: self.path.clone() });
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(length);
        let found = state.inodes.get(self.inode).and_then(|inode| inode.live.get(start..end));
        found.map(<[u8]>::to_vec).ok_or_else(|| DiskError::Short {
            path: self.path.clone(),
            wanted: u64::try_from(end).unwrap_or(u64::MAX),
        })
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.change(|inode, stepped| {
            match &stepped {
                Ok(()) => inode.durable = inode.live.len(),
                Err(DiskError::Broken { .. }) => {}
                // After a failed sync what was written since the last good one counts as gone.
                Err(_) => inode.live.truncate(inode.durable),
            }
            stepped
        })
    }

    fn truncate(&self, length: u64) -> Result<(), DiskError> {
        self.change(|inode, stepped| {
            stepped?;
            inode.live.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            inode.durable = inode.live.len();
            Ok(())
        })
    }

    fn size(&self) -> Result<u64, DiskError> {
        let state = self.disk.lock();
        let length = state.inodes.get(self.inode).map_or(0, |inode| inode.live.len());
        Ok(u64::try_from(length).unwrap_or(u64::MAX))
    }
}
