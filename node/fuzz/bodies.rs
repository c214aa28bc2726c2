//! What the fuzzer does with bytes for this crate: bodies at the doors, and every file of a home.

use rota_node::config::Effective;
use rota_node::disk::{Log, OpenMode, SimDisk};
use rota_node::keys::KeyFile;
use rota_node::ledger::Ledger;
use rota_node::rpc::RpcLimits;
use rota_node::rpc::submit::{self, SubmitArgs};
use rota_node::wal::Wal;
use rota_types::limits::BATCH_BODY_BYTES_MAX;
use rota_types::{Hash, Height, Slot, TransactionList};
use std::path::Path;

/// Genesis of the ledgers made here.
const GENESIS: Hash = Hash([7; 32]);
/// Salt of the files made here; whoever writes into them does not know it.
const SALT: u64 = 99;
/// Most bytes of a record made here.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// A JSON submission, up to the list of transactions that the node would take.
pub(crate) fn rpc_body(data: &[u8]) {
    let Ok(args) = serde_json::from_slice::<SubmitArgs>(data) else { return };
    let limits = RpcLimits::default();
    assert!(submit::deadline(&limits, args.timeout_ms) <= limits.wait_max, "waits too long");
    let Ok(list) = submit::list(&args, Slot(1_000), &limits) else { return };
    assert_eq!(list.len(), args.transactions.len(), "one for each");
    TransactionList::parse(list.bytes().clone(), BATCH_BODY_BYTES_MAX).expect("it was parsed once");
}

/// `config.toml`.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("config.toml");
    let Ok(effective) = Effective::load(Some((path, text)), [], []) else { return };
    let shown = effective.config.to_toml();
    let again = Effective::load(Some((path, &shown)), [], []).expect("its own text");
    assert_eq!(again.config, effective.config, "another configuration after a copy");
}

/// A key file; its password is not tried, for that costs what the file says.
pub(crate) fn key_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(file) = KeyFile::from_json(text) else { return };
    let again = KeyFile::from_json(&file.to_json()).expect("its own text");
    assert_eq!(again.meta(), file.meta(), "another key after a copy");
}

/// Records with right checksums and any content, then a tail of any bytes. Layout of the input:
/// per record a kind, a length of 16 bits and the payload; kind 0 begins the tail.
fn written(disk: &SimDisk, path: &Path, context: &[u8], data: &[u8]) {
    let shared = disk.shared();
    let Ok(mut log) = Log::create(shared.as_ref(), path, SALT, context, RECORD_BYTES_MAX) else {
        return;
    };
    let mut rest = data;
    while let [kind @ 1..=255, low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (payload, next) = tail.split_at(length);
        if log.append(*kind, &[payload]).is_err() {
            return;
        }
        rest = next;
    }
    if log.sync().is_err() {
        return;
    }
    drop(log);
    let tail = rest.get(1..).unwrap_or_default();
    if let Ok(file) = shared.open(path, OpenMode::Existing) {
        file.append(&[tail]).ok();
        file.sync().ok();
    }
}

/// A ledger of one segment.
pub(crate) fn segment(data: &[u8]) {
    let (disk, folder) = (SimDisk::default(), Path::new("/ledger"));
    disk.shared().create_dir(folder).expect("a fresh disk");
    let context = borsh::to_vec(&(1_u32, GENESIS)).expect("to memory");
    written(&disk, &folder.join("00000001.seg"), &context, data);
    let Ok((ledger, _)) = Ledger::open(disk.shared(), folder, GENESIS, SALT) else { return };
    // What was opened once and closed opens again.
    drop(ledger);
    Ledger::open(disk.shared(), folder, GENESIS, SALT).expect("opened a moment ago");
}

/// The WAL of one height.
pub(crate) fn wal(data: &[u8]) {
    let (disk, folder) = (SimDisk::default(), Path::new("/wal"));
    disk.shared().create_dir(folder).expect("a fresh disk");
    let path = folder.join(format!("{:020}.wal", 5));
    written(&disk, &path, &5_u64.to_le_bytes(), data);
    let Ok(mut wal) = Wal::open(disk.shared(), folder, SALT) else { return };
    let Ok(first) = wal.replay(Height(5)) else { return };
    let second = wal.replay(Height(5)).expect("replayed a moment ago");
    assert_eq!(first.entries, second.entries, "another past");
}
