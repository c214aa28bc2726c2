//! The disk of a running node: ordinary files, `fdatasync`, and folders synced after every change of a name.

use super::{Disk, DiskError, DiskFile, OpenMode};
use crate::limits::FOLDER_NAMES_MAX;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{IoSlice, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl RealDisk {
    /// As a shared trait object, which is what the stores take.
    #[must_use]
    pub fn shared() -> Arc<dyn Disk> {
        Arc::new(Self)
    }
}

fn sync_folder_of(path: &Path) -> Result<(), DiskError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(|error| DiskError::from_io("sync folder", folder, &error))
}

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        if path.is_dir() {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| DiskError::from_io("create folder", path, &error))?;
        sync_folder_of(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(0o600);
        let create_new = match mode {
            OpenMode::Existing => false,
            OpenMode::Create => !path.exists(),
            OpenMode::CreateNew => true,
        };
        let file = options
            .create_new(create_new)
            .open(path)
            .map_err(|error| DiskError::from_io("open", path, &error))?;
        if create_new {
            sync_folder_of(path)?;
        }
        Ok(Arc::new(RealFile { file, path: path.to_path_buf(), broken: AtomicBool::new(false) }))
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        path.try_exists().map_err(|error| DiskError::from_io("look for", path, &error))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        let fail = |error: std::io::Error| DiskError::from_io("list", dir, &error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if names.len() >= FOLDER_NAMES_MAX {
                return Err(DiskError::Io {
                    action: "list",
                    path: dir.to_path_buf(),
                    message: format!("more than {FOLDER_NAMES_MAX} files"),
                });
            }
            if entry.file_type().map_err(fail)?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        match std::fs::remove_file(path) {
            Ok(()) => sync_folder_of(path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(DiskError::from_io("remove", path, &error)),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the rename that also syncs the folder")]
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        std::fs::rename(from, to).map_err(|error| DiskError::from_io("rename", from, &error))?;
        sync_folder_of(to)
    }
}

/// A file opened for appending and positioned reads.
#[derive(Debug)]
struct RealFile {
    file: File,
    path: PathBuf,
    broken: AtomicBool,
}

impl RealFile {
    fn check(&self) -> Result<(), DiskError> {
        if self.broken.load(Ordering::Acquire) {
            return Err(DiskError::Broken { path: self.path.clone() });
        }
        Ok(())
    }

    fn guard<T>(&self, action: &'static str, result: std::io::Result<T>) -> Result<T, DiskError> {
        result.map_err(|error| {
            self.broken.store(true, Ordering::Release);
            DiskError::from_io(action, &self.path, &error)
        })
    }
}

fn write_all_parts(mut file: &File, parts: &[&[u8]]) -> std::io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> =
        parts.iter().filter(|part| !part.is_empty()).map(|part| IoSlice::new(part)).collect();
    let mut rest: &mut [IoSlice<'_>] = &mut slices;
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl DiskFile for RealFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn append(&self, parts: &[&[u8]]) -> Result<(), DiskError> {
        self.check()?;
        self.guard("write", write_all_parts(&self.file, parts))
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        let mut bytes = vec![0; length];
        match self.file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                let length = u64::try_from(length).unwrap_or(u64::MAX);
                Err(DiskError::Short {
                    path: self.path.clone(),
                    wanted: offset.saturating_add(length),
                })
            }
            Err(error) => Err(DiskError::from_io("read", &self.path, &error)),
        }
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.check()?;
        self.guard("sync", self.file.sync_data())
    }

    fn truncate(&self, length: u64) -> Result<(), DiskError> {
        self.check()?;
        self.guard("truncate", self.file.set_len(length).and_then(|()| self.file.sync_all()))
    }

    fn size(&self) -> Result<u64, DiskError> {
        let metadata = self.file.metadata();
        metadata
            .map(|found| found.len())
            .map_err(|error| DiskError::from_io("measure", &self.path, &error))
    }
}
