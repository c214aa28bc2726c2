//! What is done to the files of a node that is down.

use crate::error::TestnetError;
use crate::manifest::{Kind, Spot};
use crate::world::NodeInfo;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Edits the files; gives what is worth telling.
pub(super) fn edit(
    node: &NodeInfo,
    kind: &Kind,
    seed: u64,
) -> Result<Option<String>, TestnetError> {
    match kind {
        Kind::WipeIndex => remove(&node.index()).map(|()| None),
        Kind::TearLedger { bytes } => {
            node.last_segment().map_or(Ok(None), |path| cut(&path, *bytes))
        }
        Kind::TearWal { bytes } => node.last_wal().map_or(Ok(None), |path| cut(&path, *bytes)),
        Kind::FlipBit(spot) => {
            let path = match spot {
                Spot::Ledger => node.last_segment(),
                Spot::Wal => node.last_wal(),
                Spot::Index => node.index_file(),
            };
            path.map_or(Ok(None), |path| flip(&path, seed))
        }
        Kind::WipeHome => {
            for folder in ["ledger", "index", "state"] {
                remove(&node.home.join(folder))?;
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

fn remove(folder: &Path) -> Result<(), TestnetError> {
    if folder.is_dir() {
        std::fs::remove_dir_all(folder).map_err(TestnetError::file(folder))?;
    }
    Ok(())
}

fn cut(path: &Path, bytes: u64) -> Result<Option<String>, TestnetError> {
    let file = OpenOptions::new().write(true).open(path).map_err(TestnetError::file(path))?;
    let length = file.metadata().map_err(TestnetError::file(path))?.len();
    let left = length.saturating_sub(bytes);
    file.set_len(left).map_err(TestnetError::file(path))?;
    Ok(Some(format!("{} cut from {length} to {left} bytes", path.display())))
}

/// Flips one bit in the second half of a file, where the newest records are.
fn flip(path: &Path, seed: u64) -> Result<Option<String>, TestnetError> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(TestnetError::file(path))?;
    let length = file.metadata().map_err(TestnetError::file(path))?.len();
    if length == 0 {
        return Ok(None);
    }
    let drawn = ChaCha20Rng::seed_from_u64(seed).next_u64();
    let half = length / 2;
    let span = length.saturating_sub(half).max(1);
    let at = half.saturating_add((drawn >> 3).checked_rem(span).unwrap_or(0));
    let bit = u8::try_from(drawn & 7).unwrap_or(0);
    let mut byte = [0u8; 1];
    file.read_exact_at(&mut byte, at).map_err(TestnetError::file(path))?;
    let flipped = byte.map(|byte| byte ^ (1 << bit));
    file.write_all_at(&flipped, at).map_err(TestnetError::file(path))?;
    Ok(Some(format!("bit {bit} of byte {at} of {} flipped", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_of_the_second_half_is_flipped_and_the_same_seed_flips_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let before = vec![0u8; 1000];
        std::fs::write(&path, &before).unwrap();
        flip(&path, 9).unwrap().unwrap();
        let after = std::fs::read(&path).unwrap();
        let bits: u32 = after.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!((bits, after.iter().position(|byte| *byte != 0) >= Some(500)), (1, true));
        flip(&path, 9).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), before);
        cut(&path, 1).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), 999);
    }
}
