//! What a runner turns while a hurt node runs: a small JSON file, replaced whole.

use crate::error::TestnetError;
use crate::limits::MANIFEST_BYTES_MAX;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// How a node's disk and clock are off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dials {
    /// Milliseconds that every sync takes longer.
    #[serde(default)]
    pub sync_delay_ms: u64,
    /// Milliseconds that the clock is ahead; negative when behind.
    #[serde(default)]
    pub clock_offset_ms: i64,
}

impl Dials {
    /// Puts the file there in one step: a reader sees the old dials or the new ones.
    ///
    /// # Errors
    /// If it cannot be written.
    #[expect(clippy::disallowed_methods, reason = "nothing here needs to survive a crash")]
    pub fn write(&self, path: &Path) -> Result<(), TestnetError> {
        let fresh = path.with_extension("new");
        let text = serde_json::to_string(self).map_err(|error| TestnetError::Program {
            what: "writing dials".into(),
            cause: error.to_string(),
        })?;
        std::fs::write(&fresh, text).map_err(TestnetError::file(&fresh))?;
        std::fs::rename(&fresh, path).map_err(TestnetError::file(path))
    }
}

/// The dials as a node reads them.
#[derive(Debug)]
pub struct DialsFile {
    path: PathBuf,
    sync_delay_ms: AtomicU64,
    clock_offset_ms: AtomicI64,
}

impl DialsFile {
    /// Of a file that need not be there.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, sync_delay_ms: AtomicU64::new(0), clock_offset_ms: AtomicI64::new(0) }
    }

    /// Reads the file; one that is absent or unreadable leaves the dials as they were.
    pub fn read(&self) {
        let small = std::fs::metadata(&self.path).is_ok_and(|m| m.len() <= MANIFEST_BYTES_MAX);
        if !small {
            return;
        }
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        match serde_json::from_str::<Dials>(&text) {
            Ok(dials) => {
                self.sync_delay_ms.store(dials.sync_delay_ms, Ordering::Relaxed);
                self.clock_offset_ms.store(dials.clock_offset_ms, Ordering::Relaxed);
            }
            Err(error) => tracing::warn!(%error, "dials that are none"),
        }
    }

    /// Where they stand.
    #[must_use]
    pub fn now(&self) -> Dials {
        Dials {
            sync_delay_ms: self.sync_delay_ms.load(Ordering::Relaxed),
            clock_offset_ms: self.clock_offset_ms.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_turn_when_the_file_is_replaced_and_stay_when_it_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v1.json");
        let file = DialsFile::new(path.clone());
        file.read();
        assert_eq!(file.now(), Dials::default());
        let turned = Dials { sync_delay_ms: 40, clock_offset_ms: -700 };
        turned.write(&path).unwrap();
        file.read();
        assert_eq!(file.now(), turned);
        std::fs::write(&path, "{").unwrap();
        file.read();
        assert_eq!(file.now(), turned);
    }
}
