//! The index: whatever happens to its files, the ledger makes the same answers again.

use super::*;
use crate::disk::RealDisk;
use crate::ledger::{Ledger, LedgerReader};
use rota_types::keccak256;

const OPTIONS: IndexOptions = IndexOptions { genesis: Hash([1; 32]), transactions: true };

fn prefix(height: u64, position: u32) -> IdPrefix {
    let id = keccak256(&[height.to_le_bytes().as_slice(), &position.to_le_bytes()].concat());
    let mut prefix = IdPrefix::default();
    prefix.copy_from_slice(&id.0[..16]);
    prefix
}

/// The slot of a height, as a caller decodes it from the ledger's record.
fn slot(height: u64) -> IndexedSlot {
    let transactions = (0..5).map(|position| (prefix(height, position), position)).collect();
    IndexedSlot {
        height: Height(height),
        header_id: keccak256(&height.to_le_bytes()),
        transactions,
    }
}

fn ledger(folder: &Path) -> LedgerReader {
    let (mut ledger, _) = Ledger::open(RealDisk::shared(), folder, OPTIONS.genesis, 1).unwrap();
    for height in 1..=10 {
        ledger.append_slot(Height(height), &[], &height.to_le_bytes()).unwrap();
    }
    ledger.sync().unwrap();
    ledger.reader()
}

/// Brings the index up to the ledger, as the node does at start.
fn catch_up(index: &Index, ledger: &LedgerReader) {
    for stored in ledger.slots_from(index.height().unwrap().next()) {
        let height = u64::from_le_bytes(stored.unwrap().bytes.as_ref().try_into().unwrap());
        index.apply(&slot(height)).unwrap();
    }
}

fn assert_answers(index: &Index) {
    for height in 1..=10 {
        let slot = slot(height);
        assert_eq!(index.height_of_header(&slot.header_id).unwrap(), Some(slot.height));
        for (prefix, position) in slot.transactions {
            assert_eq!(index.transaction(&prefix).unwrap(), Some((slot.height, position)));
        }
    }
    assert_eq!(index.transaction(&prefix(99, 0)).unwrap(), None);
    assert_eq!(index.height().unwrap(), Height(10));
}

fn open(folder: &Path) -> (Index, IndexReport) {
    Index::open(folder, OPTIONS, Height(10)).unwrap()
}

#[test]
fn deleting_or_damaging_the_index_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let ledger = ledger(&home.path().join("ledger"));
    let folder = home.path().join("index");
    let (index, report) = open(&folder);
    assert_eq!(report, IndexReport::default());
    catch_up(&index, &ledger);
    assert_answers(&index);
    index.flush().unwrap();
    drop(index);

    let (index, report) = open(&folder);
    assert_eq!((report.height, report.removed), (Height(10), None));
    assert_answers(&index);
    drop(index);

    std::fs::remove_dir_all(&folder).unwrap();
    let (index, report) = open(&folder);
    assert_eq!(report.height, Height::GENESIS);
    catch_up(&index, &ledger);
    assert_answers(&index);
    index.flush().unwrap();
    drop(index);

    for file in ["db", "conf"] {
        std::fs::write(folder.join(file), b"this is no database").unwrap();
        let (index, _) = open(&folder);
        catch_up(&index, &ledger);
        assert_answers(&index);
        index.flush().unwrap();
    }
}

#[test]
fn a_half_written_snapshot_is_deleted_before_opening() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("index");
    drop(open(&folder));
    let leftover = folder.join("snap.0000000000000042.generating");
    std::fs::write(&leftover, b"half").unwrap();
    let (_, report) = open(&folder);
    assert!(!leftover.exists() && report.removed.is_none());
}

#[test]
fn an_index_ahead_of_the_ledger_or_of_another_kind_is_built_again() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("index");
    let (index, _) = open(&folder);
    (1..=10).for_each(|height| index.apply(&slot(height)).unwrap());
    index.flush().unwrap();
    drop(index);
    let (index, report) = Index::open(&folder, OPTIONS, Height(9)).unwrap();
    assert!(report.removed.unwrap().contains("ahead of the ledger"));
    assert_eq!(index.transaction(&prefix(3, 0)).unwrap(), None);
    index.apply(&slot(1)).unwrap();
    index.flush().unwrap();
    drop(index);
    let other = IndexOptions { genesis: Hash([2; 32]), ..OPTIONS };
    let (index, report) = Index::open(&folder, other, Height(9)).unwrap();
    assert!(report.removed.unwrap().contains("another network"));
    drop(index);
    let without = IndexOptions { transactions: false, ..other };
    let (index, _) = Index::open(&folder, without, Height(9)).unwrap();
    index.apply(&slot(1)).unwrap();
    assert_eq!(index.transaction(&prefix(1, 0)).unwrap(), None);
    assert_eq!(index.height_of_header(&slot(1).header_id).unwrap(), Some(Height(1)));
}

#[test]
fn a_pruned_slot_is_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let (index, _) = open(&home.path().join("index"));
    (1..=3).for_each(|height| index.apply(&slot(height)).unwrap());
    index.forget(&slot(1)).unwrap();
    assert_eq!(index.transaction(&prefix(1, 2)).unwrap(), None);
    assert_eq!(index.height_of_header(&slot(1).header_id).unwrap(), None);
    assert_eq!(index.transaction(&prefix(2, 2)).unwrap(), Some((Height(2), 2)));
    assert_eq!(index.height().unwrap(), Height(3));
}
