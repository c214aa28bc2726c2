//! A planted bug: a unified diff under two lines that say what it breaks and who should see it.

use crate::error::TestnetError;
use crate::limits::{PATCH_BYTES_MAX, PATCHES_MAX};
use std::path::{Path, PathBuf};

/// Where the patches are, seen from the project's root.
const FOLDER: &str = "testnet/planted";

/// One patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Name of its file, without the ending.
    pub name: String,
    /// What it breaks, in a sentence.
    pub bug: String,
    /// The invariant that should see it.
    pub expected: String,
    /// Files that it changes, seen from the project's root.
    pub files: Vec<String>,
    /// Where it is.
    pub path: PathBuf,
}

impl Patch {
    /// Reads all patches of a project; by the files they change, so that neighbours build the same crates again.
    ///
    /// # Errors
    /// A folder or file that cannot be read, too many or too long ones, or a patch without its lines.
    pub fn all(root: &Path) -> Result<Vec<Self>, TestnetError> {
        let folder = root.join(FOLDER);
        let mut patches = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(TestnetError::file(&folder))? {
            let path = entry.map_err(TestnetError::file(&folder))?.path();
            if path.extension().is_some_and(|ending| ending == "patch") {
                patches.push(Self::read(&path)?);
            }
        }
        if patches.len() > PATCHES_MAX {
            return Err(TestnetError::manifest(format!("more than {PATCHES_MAX} patches")));
        }
        patches.sort_by(|a, b| (&a.files, &a.name).cmp(&(&b.files, &b.name)));
        Ok(patches)
    }

    fn read(path: &Path) -> Result<Self, TestnetError> {
        let length = std::fs::metadata(path).map_err(TestnetError::file(path))?.len();
        if length > PATCH_BYTES_MAX {
            let cause = format!("{}: longer than {PATCH_BYTES_MAX} bytes", path.display());
            return Err(TestnetError::manifest(cause));
        }
        let text = std::fs::read_to_string(path).map_err(TestnetError::file(path))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(name, path, &text)
            .ok_or_else(|| TestnetError::manifest(format!("{}: no patch", path.display())))
    }

    /// `None` if a line is missing.
    fn parse(name: String, path: &Path, text: &str) -> Option<Self> {
        let after = |prefix: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(prefix))
                .map(|rest| rest.trim().to_owned())
        };
        let files = text.lines().filter_map(|line| line.strip_prefix("+++ b/"));
        let files: Vec<String> = files.map(str::to_owned).collect();
        let (bug, expected) = (after("Bug: ")?, after("Caught by: ")?);
        (!files.is_empty()).then(|| Self { name, bug, expected, files, path: path.to_path_buf() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_says_what_it_breaks_and_who_sees_it() {
        let text =
            "Bug: one too many\nCaught by: order\n\n--- a/x.rs\n+++ b/x.rs\n@@ -1 +1 @@\n-a\n+b\n";
        let patch = Patch::parse("one".to_owned(), Path::new("one.patch"), text).unwrap();
        assert_eq!((patch.bug.as_str(), patch.expected.as_str()), ("one too many", "order"));
        assert_eq!(patch.files, ["x.rs"]);
        for broken in [text.replace("Bug", "Fault"), text.replace("+++ b/", "+++ ")] {
            assert_eq!(Patch::parse("one".to_owned(), Path::new("one.patch"), &broken), None);
        }
    }
}
