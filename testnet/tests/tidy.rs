//! House rules that no compiler checks: import directions, headers, bans, folders, pins, paths.
//!
//! Rules: architecture.md ("Folders") as the README's table repeats them, and the list in testing.md. Forbidden
//! words are spelt in two halves here, so that this file passes its own rules.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that read no clock, draw no randomness and do no I/O.
const CORE: [&str; 5] = ["types", "keystore", "consensus", "sequencer", "aggregation-bridge"];

/// Folder, workspace crates it may import, other crates it must not import.
const IMPORTS: [(&str, &[&str], &[&str]); 8] = [
    ("types", &[], SHELL),
    ("keystore", &["types"], SHELL),
    ("p2p", &[], &["sled", "axum", "jsonrpsee"]),
    ("consensus", &["types"], SHELL),
    ("sequencer", &["types", "keystore", "aggregation-bridge"], SHELL),
    ("aggregation-bridge", &["types", "keystore"], SHELL),
    (
        "node",
        &["types", "keystore", "p2p", "consensus", "sequencer", "aggregation-bridge"],
        &["async-std"],
    ),
    (
        "testnet",
        &["types", "keystore", "p2p", "consensus", "sequencer", "aggregation-bridge", "node"],
        &["async-std"],
    ),
];

/// What belongs to the shell and to nothing below it.
const SHELL: &[&str] = &[
    "tokio",
    "libp2p",
    "libp2p-gossipsub",
    "libp2p-stream",
    "sled",
    "metrics",
    "axum",
    "jsonrpsee",
    "reqwest",
    "getrandom",
    "rand",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps();
    command.exec().unwrap()
}

fn folder(package: &Package) -> String {
    package.manifest_path.parent().unwrap().file_name().unwrap().to_owned()
}

/// Files of the project: what git tracks or would track; without git, everything but build output.
fn files() -> Vec<PathBuf> {
    let git = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard"])
        .current_dir(root())
        .output();
    if let Ok(output) = git
        && output.status.success()
    {
        let list = String::from_utf8(output.stdout).unwrap();
        let present = list.lines().map(|line| root().join(line));
        return present.filter(|path| path.is_file()).collect();
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != ".git" {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

/// Rust files with their text; `core_src` keeps sources of core crates only.
fn rust_files(core_src: bool) -> Vec<(String, String)> {
    let wanted =
        |name: &str| !core_src || CORE.iter().any(|part| name.starts_with(&format!("{part}/src/")));
    let all = files().into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    all.map(|path| (relative(&path), path))
        .filter(|(name, _)| wanted(name))
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// `name:line: text` of every code line (comments apart) with one of the words.
fn code_lines(files: &[(String, String)], words: &[String]) -> String {
    let mut found = String::new();
    for (name, text) in files {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word.as_str())) {
                writeln!(found, "{name}:{}: {}", number + 1, line.trim()).unwrap();
            }
        }
    }
    found
}

#[test]
fn imports_go_downwards_only() {
    let mut found = String::new();
    for package in &metadata().packages {
        let here = folder(package);
        let Some((_, allowed, banned)) = IMPORTS.iter().find(|(name, ..)| *name == here) else {
            panic!("{here}: a crate that the table of imports does not name");
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let ours = name.strip_prefix("rota-");
            if ours.is_some_and(|part| !allowed.contains(&part)) {
                writeln!(found, "{here} must not import {name}").unwrap();
            }
            if dependency.kind == DependencyKind::Normal && banned.contains(&name) {
                writeln!(found, "{here} must not import {name}").unwrap();
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> = rust_files(false)
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "files without a first line `//! …`: {silent:#?}");
}

#[test]
fn every_queue_has_a_limit() {
    let words = [
        concat!("unbounded", "_channel"),
        concat!("channel::", "unbounded"),
        concat!("mpsc::", "unbounded"),
        concat!("flume::", "unbounded"),
    ];
    let found = code_lines(&rust_files(false), &words.map(String::from));
    assert!(found.is_empty(), "{found}");
}

#[test]
fn core_crates_read_no_clock_and_draw_no_randomness() {
    let words = [
        concat!("Instant::", "now"),
        concat!("SystemTime::", "now"),
        concat!("thread", "_rng"),
        concat!("rand::", "rng"),
        concat!("Os", "Rng"),
        concat!("from_", "entropy"),
        concat!("from_os", "_rng"),
        concat!("get", "random::"),
    ];
    let found = code_lines(&rust_files(true), &words.map(String::from));
    assert!(found.is_empty(), "{found}");
}

#[test]
fn only_the_simulator_stands_in_for_signatures() {
    let words =
        [concat!("stand_in::", "install"), concat!("Stand", "In for"), concat!("stand_in::", "{")];
    let files: Vec<_> = rust_files(false)
        .into_iter()
        .filter(|(name, _)| !name.starts_with("testnet/src/sim/"))
        .collect();
    let found = code_lines(&files, &words.map(String::from));
    assert!(found.is_empty(), "{found}");
    let all = rust_files(false);
    let callers = code_lines(&all, &[concat!("install(&", "Tags)").to_owned()]);
    assert_eq!(callers.lines().count(), 1, "{callers}");
}

#[test]
fn nothing_is_left_for_later() {
    let words = [concat!("to", "do!("), concat!("un", "implemented!("), concat!("dbg", "!(")];
    let found = code_lines(&rust_files(false), &words.map(String::from));
    assert!(found.is_empty(), "{found}");
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    for (name, text) in rust_files(false) {
        for mark in marks {
            assert!(!text.contains(mark), "{name} has a {mark}");
        }
    }
}

#[test]
fn the_readme_names_every_root_folder() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let folders: BTreeSet<String> = files()
        .iter()
        .map(|path| relative(path))
        .filter_map(|name| name.split_once('/').map(|(first, _)| first.to_owned()))
        .filter(|name| !name.starts_with('.'))
        .collect();
    for folder in folders {
        assert!(readme.contains(&format!("| `{folder}/` |")), "README's table lacks `{folder}/`");
    }
}

#[test]
fn one_sentence_in_three_places() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for package in &metadata().packages {
        let here = folder(package);
        let sentence = package.description.clone().unwrap_or_default();
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{here}/` |"))).unwrap();
        assert!(row.contains(&format!("| {sentence} |")), "{here}: README says {row}");
        let lib = std::fs::read_to_string(root().join(&here).join("src/lib.rs")).unwrap();
        let first = lib.lines().next().unwrap();
        assert_eq!(first, format!("//! {sentence}"), "{here}/src/lib.rs");
    }
}

#[test]
fn gossipsub_is_not_the_version_that_prunes_unjoined_topics() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut seen = 0;
    for block in lock.split("[[package]]") {
        if block.contains("name = \"libp2p-gossipsub\"") {
            let line = block.lines().find(|line| line.starts_with("version")).unwrap();
            let version = line.split('"').nth(1).unwrap();
            let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
            assert!((parts[0], parts[1], parts[2]) >= (0, 50, 1), "{version}: GHSA-vrx6-jcp8-vm7m");
            seen += 1;
        }
    }
    assert!(seen > 0, "no libp2p-gossipsub in Cargo.lock");
}

#[test]
fn crates_come_from_one_registry() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let good = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let others: Vec<_> =
        lock.lines().filter(|line| line.starts_with("source") && *line != good).collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn no_file_names_one_machine() {
    let paths = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/home/", "user")];
    let mut found = String::new();
    for path in files() {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let at = |word: &str| {
                line.match_indices(word).any(|(i, _)| {
                    let before = line[..i].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || "./_-)}$~".contains(c))
                })
            };
            if paths.iter().any(|word| at(word)) {
                writeln!(found, "{}:{}: {}", relative(&path), number + 1, line.trim()).unwrap();
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}
