//! A disk whose syncs take longer by what the dials say.

use super::dials::DialsFile;
use rota_node::disk::{Disk, DiskError, DiskFile, OpenMode};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A disk under which every sync is late. Writes and reads are not: the page cache takes and gives them.
pub(super) struct SlowDisk {
    inner: Arc<dyn Disk>,
    dials: Arc<DialsFile>,
}

impl SlowDisk {
    pub(super) fn new(inner: Arc<dyn Disk>, dials: Arc<DialsFile>) -> Self {
        Self { inner, dials }
    }
}

fn wait(dials: &DialsFile) {
    let late = Duration::from_millis(dials.now().sync_delay_ms);
    if !late.is_zero() {
        std::thread::sleep(late);
    }
}

impl Disk for SlowDisk {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.inner.create_dir(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(SlowFile { inner, dials: Arc::clone(&self.dials) }))
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        self.inner.exists(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        self.inner.list(dir)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        wait(&self.dials);
        self.inner.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        wait(&self.dials);
        self.inner.rename(from, to)
    }
}

struct SlowFile {
    inner: Arc<dyn DiskFile>,
    dials: Arc<DialsFile>,
}

impl DiskFile for SlowFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn append(&self, parts: &[&[u8]]) -> Result<(), DiskError> {
        self.inner.append(parts)
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        self.inner.read_at(offset, length)
    }

    fn sync(&self) -> Result<(), DiskError> {
        wait(&self.dials);
        self.inner.sync()
    }

    fn truncate(&self, length: u64) -> Result<(), DiskError> {
        wait(&self.dials);
        self.inner.truncate(length)
    }

    fn size(&self) -> Result<u64, DiskError> {
        self.inner.size()
    }
}
