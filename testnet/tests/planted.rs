//! Planted bugs do not rot: each still applies to the sources, changes the product and not its tests, and is in the
//! table of `docs/testing.md`. Whether each is caught is what `rota-testnet planted` says.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use rota_testnet::planted::Patch;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The eleven of the design, and five that were hard to get right.
const LEAST: usize = 16;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

#[test]
fn every_patch_still_applies() {
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("skip: no git to apply patches with");
        return;
    }
    let mut rotten = Vec::new();
    for patch in Patch::all(&root()).unwrap() {
        let mut git = Command::new("git");
        git.args(["apply", "--check"]).arg(&patch.path).current_dir(root());
        let output = git.output().unwrap();
        if !output.status.success() {
            rotten.push(format!("{}: {}", patch.name, String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(rotten.is_empty(), "patches that do not apply: {rotten:#?}");
}

#[test]
fn each_changes_the_product_and_is_in_the_table() {
    let patches = Patch::all(&root()).unwrap();
    let page = std::fs::read_to_string(root().join("docs/testing.md")).unwrap();
    for patch in &patches {
        let outside = |file: &&String| !file.contains("/src/") || file.starts_with("testnet/");
        assert_eq!(patch.files.iter().find(outside), None, "{}: not the product", patch.name);
        assert!(
            page.contains(&format!("| `{}` |", patch.name)),
            "{}: not in the table",
            patch.name
        );
    }
    assert!(patches.len() >= LEAST, "{} planted bugs", patches.len());
}
