//! Every committed input of the fuzzer, as an ordinary test.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

#[path = "../fuzz/bodies.rs"]
mod bodies;

fn replay(target: &str, body: fn(&[u8])) {
    let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut inputs = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        body(&std::fs::read(path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "no inputs in {folder}");
}

#[test]
fn rpc_body() {
    replay("rpc_body", bodies::rpc_body);
}

#[test]
fn config() {
    replay("config", bodies::config);
}

#[test]
fn key_file() {
    replay("key_file", bodies::key_file);
}

#[test]
fn segment() {
    replay("segment", bodies::segment);
}

#[test]
fn wal() {
    replay("wal", bodies::wal);
}
