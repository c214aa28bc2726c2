//! Small file systems as homes: a disk that can really be filled, and emptied again.

use crate::error::TestnetError;
use crate::limits::SMALL_DISK_BYTES;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes written at once while filling, and at the end to take the last room.
const CHUNKS: [usize; 2] = [1 << 20, 1 << 10];

/// tmpfs mounts of one run, in the folders of their nodes. Dropping it takes them away, unless they are to be kept.
#[derive(Debug, Default)]
pub struct SmallDisks {
    mounted: BTreeMap<String, PathBuf>,
    refused: bool,
    kept: AtomicBool,
}

impl SmallDisks {
    /// Mounts one for each name, at `folder/name`. Without the right to mount there is none, and nothing can be
    /// filled.
    ///
    /// # Errors
    /// If a folder cannot be made.
    pub fn mount(folder: &Path, names: &[String]) -> Result<Self, TestnetError> {
        let mut disks = Self::default();
        for name in names {
            let home = folder.join(name);
            std::fs::create_dir_all(&home).map_err(TestnetError::file(&home))?;
            let options = CString::new(format!("size={SMALL_DISK_BYTES},mode=0700"));
            let options = options.unwrap_or_default();
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            match mount("rota-testnet", &home, "tmpfs", flags, Some(options.as_c_str())) {
                Ok(()) => {
                    disks.mounted.insert(name.clone(), home);
                }
                Err(error) => {
                    tracing::warn!(home = %home.display(), %error, "no file system of its own");
                    disks.refused = true;
                }
            }
        }
        Ok(disks)
    }

    /// Whether the node has one.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.mounted.contains_key(name)
    }

    fn ballast(&self, name: &str) -> Option<PathBuf> {
        self.mounted.get(name).map(|home| home.join("ballast"))
    }

    /// Takes all room there is.
    ///
    /// # Errors
    /// Any but that there is no room left.
    pub fn fill(&self, name: &str) -> Result<(), TestnetError> {
        let Some(path) = self.ballast(name) else { return Ok(()) };
        let fail = |error| TestnetError::File { path: path.clone(), cause: error };
        let mut file = std::fs::File::create(&path).map_err(fail)?;
        for size in CHUNKS {
            let chunk = vec![0u8; size];
            loop {
                match file.write_all(&chunk) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(fail(error)),
                }
            }
        }
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// If the ballast cannot be removed.
    pub fn empty(&self, name: &str) -> Result<(), TestnetError> {
        let Some(path) = self.ballast(name) else { return Ok(()) };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(TestnetError::File { path, cause: error })
            }
            _ => Ok(()),
        }
    }

    /// Leaves them where they are, and says how to take them away.
    pub fn keep(&self) -> Vec<String> {
        self.kept.store(true, Ordering::Relaxed);
        self.mounted
            .values()
            .map(|home| format!("umount {}        # when you have seen enough", home.display()))
            .collect()
    }

    /// Takes them away; what is in them is gone.
    ///
    /// # Errors
    /// If one is still in use.
    pub fn unmount(&self) -> Result<(), TestnetError> {
        for home in self.mounted.values() {
            match unmount(home, UnmountFlags::empty()) {
                // Not mounted any more.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(TestnetError::file(home)(error.into())),
            }
        }
        Ok(())
    }
}

impl Drop for SmallDisks {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed)
            && let Err(error) = self.unmount()
        {
            tracing::warn!(%error, "a small disk stays mounted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_takes_nothing_and_an_emptied_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let disks = SmallDisks::mount(folder.path(), &["v1".to_owned()]).unwrap();
        if !disks.has("v1") {
            eprintln!("skipped a_full_disk_takes_nothing_and_an_emptied_one_does: cannot mount");
            return;
        }
        disks.fill("v1").unwrap();
        let file = folder.path().join("v1/file");
        let error = std::fs::write(&file, [7u8; 8192]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        disks.empty("v1").unwrap();
        std::fs::write(&file, [7u8; 8192]).unwrap();
        disks.unmount().unwrap();
        assert!(!file.exists());
    }
}
