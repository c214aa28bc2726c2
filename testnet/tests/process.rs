//! Real `rota` processes keep their word through `kill -9`, pauses and lost files.
//!
//! Needs the binary `rota` in the build folder (`cargo test --workspace` builds it); without it each test says by
//! name what it skipped, and passes.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use rota_testnet::manifest::Manifest;
use rota_testnet::run::{Options, Report, run};
use rota_testnet::world::WorldKind;
use std::path::PathBuf;

/// Nodes of two runs at once would starve each other on a small machine, and time out.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// `rota` of the build folder that this test is in.
fn rota() -> Option<PathBuf> {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(2)?;
    Some(folder.join("rota")).filter(|path| path.is_file())
}

/// Runs a manifest, or says what is skipped.
async fn holds(name: &str, text: &str) -> Option<Report> {
    let Some(rota) = rota() else {
        eprintln!("skipped {name}: no binary rota in the build folder; cargo build --bin rota");
        return None;
    };
    let _turn = ONE_AT_A_TIME.lock().await;
    let manifest = Manifest::parse(text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        world: WorldKind::Process,
        rota: Some(rota),
        folder: Some(folder.path().to_path_buf()),
        keep: false,
    };
    let outcome = run(&manifest, name, &options).await;
    if !matches!(&outcome, Ok(report) if report.ok) {
        // Left in place for a person to look at.
        eprintln!("kept {}", folder.keep().display());
    }
    let report = outcome.unwrap();
    assert!(report.ok, "{report}");
    Some(report)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_paused_and_robbed_nodes_keep_their_word() {
    let text = r#"
        seed = 21
        genesis = { slot = "1s", validators = 4 }
        load = { tx_bytes = 512, offered = "100KB/s", rollups = 2, via = ["rpc", "gossip"], slots = 24 }
        [node]
        v2 = { perturb = ["kill@3", "restart@6", "tear-ledger:17@20"] }
        v3 = { perturb = ["pause@9+3"] }
        v4 = { perturb = ["wipe-index@15"] }
        f1 = { mode = "full", start_at = 8 }
        [expect]
        height_min = 10
        committed_txs_min = 500
    "#;
    let Some(report) = holds("killed_paused_and_robbed_nodes_keep_their_word", text).await else {
        return;
    };
    assert_eq!(report.not_run, vec![]);
    assert!(report.sampled_places > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_killed_at_once_go_on_and_two_of_four_decide_nothing_wrong() {
    let text = r#"
        seed = 22
        genesis = { slot = "1s", validators = 4 }
        load = { tx_bytes = 512, offered = "100KB/s", rollups = 2, slots = 20 }
        [node]
        v1 = { perturb = ["kill@12", "restart@16"] }
        v2 = { perturb = ["kill@12", "restart@16"] }
        [net]
        perturb = ["kill-all@4", "restart@6"]
        [expect]
        height_min = 8
        committed_txs_min = 200
    "#;
    holds("all_killed_at_once_go_on_and_two_of_four_decide_nothing_wrong", text).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_a_cut_link_and_a_slow_disk_are_lived_through() {
    let text = r#"
        seed = 23
        genesis = { slot = "1s", validators = 4 }
        load = { tx_bytes = 512, offered = "100KB/s", rollups = 2, slots = 26 }
        [node]
        v2 = { perturb = ["disk-full@3+3"] }
        v4 = { perturb = ["slow-disk:40ms@16+2", "clock:+900ms@20+2"] }
        [net]
        perturb = ["partition:v3|rest@10+3"]
        [expect]
        height_min = 12
        committed_txs_min = 300
    "#;
    let Some(report) =
        holds("a_full_disk_a_cut_link_and_a_slow_disk_are_lived_through", text).await
    else {
        return;
    };
    // Without the right to mount there is no disk to fill.
    let disk = |what: &str| what.contains("disk-full");
    assert!(report.not_run.iter().all(|not_run| disk(&not_run.what)), "{:?}", report.not_run);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_signs_two_votes_is_caught_and_changes_nothing() {
    let text = r#"
        seed = 24
        genesis = { slot = "1s", validators = 4 }
        load = { tx_bytes = 512, offered = "100KB/s", rollups = 2, via = ["rpc", "gossip"], slots = 20 }
        [node]
        v4 = { byzantine = { equivocate_votes = 0.5, equivocate_batches = 0.5, omit = 0.5 } }
        [expect]
        height_min = 8
        committed_txs_min = 300
        evidence_min = 1
    "#;
    holds("a_validator_that_signs_two_votes_is_caught_and_changes_nothing", text).await;
}
