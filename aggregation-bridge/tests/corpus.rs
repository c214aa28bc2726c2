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
fn groth16() {
    replay("groth16", bodies::groth16);
}

#[test]
fn plonk() {
    replay("plonk", bodies::plonk);
}

#[test]
fn programs() {
    replay("programs", bodies::programs);
}

#[test]
fn files() {
    replay("files", bodies::files);
}
