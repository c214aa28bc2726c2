//! Reads the marks of a node's guard file, beside the node, without changing it.

use borsh::BorshDeserialize as _;
use rota_node::disk::log::{Place, scan};
use rota_node::disk::{OpenMode, RealDisk};
use rota_node::guard::{GuardRecord, Mark};
use rota_types::Hash;
use std::path::Path;

/// Most bytes of a guard record.
const RECORD_BYTES_MAX: usize = 4096;

/// Every mark in the file, in the order written: place and digest. Empty for a node without a guard.
///
/// # Errors
/// If the file cannot be read whole: then it could not keep the node safe either.
pub fn marks(path: &Path) -> Result<Vec<(String, Hash)>, String> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let disk = RealDisk::shared();
    let file = disk.open(path, OpenMode::Existing).map_err(|error| error.to_string())?;
    let mut marks = Vec::new();
    scan(file.as_ref(), RECORD_BYTES_MAX, Place::Newest, |frame| {
        match GuardRecord::try_from_slice(&frame.payload) {
            Ok(GuardRecord::Mark(mark)) => marks.push(named(&mark)),
            Ok(GuardRecord::Floor(_)) => {}
            Err(_) => return Err("a record of unknown form"),
        }
        Ok(())
    })
    .map_err(|error| error.to_string())?;
    Ok(marks)
}

fn named(mark: &Mark) -> (String, Hash) {
    match mark {
        Mark::Vote { height, round, step, digest } => {
            (format!("vote {height}/{round}/{step:?}"), *digest)
        }
        Mark::Seal { height, digest } => (format!("seal {height}"), *digest),
        Mark::OwnBatch { incarnation, seq, digest } => {
            (format!("own batch {incarnation}/{seq}"), *digest)
        }
        Mark::Ack { lane, incarnation, seq, digest } => {
            (format!("ack {lane}/{incarnation}/{seq}"), *digest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_node::guard::{Create, Guard};
    use rota_types::{Height, ValidatorKey};

    #[test]
    fn marks_of_a_guard_file_are_read_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard.log");
        let key = ValidatorKey([1; 32]);
        let (mut guard, mut log, _) =
            Guard::open(RealDisk::shared(), &path, key, Create::New).unwrap();
        let mark = Mark::Seal { height: Height(5), digest: Hash([9; 32]) };
        guard.mark(&mark);
        log.append(&GuardRecord::Mark(mark)).unwrap();
        log.sync().unwrap();
        assert_eq!(marks(&path), Ok(vec![("seal 5".to_owned(), Hash([9; 32]))]));
        assert_eq!(marks(&folder.path().join("none")), Ok(vec![]));
    }
}
