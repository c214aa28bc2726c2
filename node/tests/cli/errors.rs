//! What goes wrong has an exit code, a cause and a hint.

use crate::{ok, run, text};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A home of a fresh two-validator network on ports that nothing listens on.
fn network(folder: &Path) -> PathBuf {
    let out = folder.join("net");
    ok(&["testnet", "--world", "process", "--validators", "2", "--out", text(&out)]);
    out
}

fn refused(arguments: &[&str], code: i32, cause: &str, hint: &str) {
    let ran = run(arguments);
    let all = format!("rota {}\n{}", arguments.join(" "), ran.err);
    assert_eq!(ran.code, code, "{all}");
    assert!(ran.err.contains(cause), "{all}");
    assert!(ran.err.contains(hint), "{all}");
    assert!(ran.err.lines().next().unwrap().starts_with("error: "), "{all}");
    assert_eq!(ran.out, "", "{all}");
}

#[test]
fn a_home_that_cannot_be_run_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let out = network(folder.path());
    let home = out.join("v0");
    let start = |more: &[&'static str]| {
        let mut all = vec!["start", "--dry-run", "--home", text(&home)];
        all.extend_from_slice(more);
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let check = |more: &[&'static str], code, cause: &str, hint: &str| {
        let all = start(more);
        refused(&all.iter().map(String::as_str).collect::<Vec<_>>(), code, cause, hint);
    };
    assert_eq!(run(&start(&[]).iter().map(String::as_str).collect::<Vec<_>>()).code, 0);
    check(&["--http.listen", "nonsense"], 78, "--http.listen", "rota config default");
    check(&["--http.listn", "x"], 64, "--http.listn", "--http.listen");
    let key = home.join("keys/validator.json");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    check(&[], 77, "its mode is 644", "chmod 600");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = home.join("config.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, good.replace("[http]\n", "[http]\nlisten_on = 1\n")).unwrap();
    check(&[], 78, "unknown key http.listen_on", "did you mean http.listen?");
    std::fs::write(&config, &good).unwrap();
    std::fs::write(home.join("keys/password"), "wrong\n").unwrap();
    check(&[], 77, "wrong password", "--password-file");
    refused(
        &["start", "--home", text(&folder.path().join("none"))],
        66,
        "genesis.json",
        "rota init",
    );
}

#[test]
fn a_port_in_use_and_a_home_in_use_say_who_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = network(folder.path());
    let home = out.join("v1");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["start", "--home", text(&home), "--http.listen", &address];
    refused(&arguments, 69, "in use", "--instance 2");
    let held = rota_node::home::Home::at(&home);
    let lock = held.lock().unwrap();
    let process = std::process::id().to_string();
    refused(&["start", "--home", text(&home)], 75, &process, "stop it first");
    refused(&["db", "verify", "--home", text(&home)], 75, &process, "stop it first");
    drop(lock);
    ok(&["db", "verify", "--home", text(&home)]);
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let out = network(folder.path());
    let genesis = out.join("genesis.json");
    let again = ["testnet", "--out", text(&out)];
    refused(&again, 73, "exists", "nothing is overwritten");
    ok(&["testnet", "--out", text(&out), "--if-absent"]);
    let home = folder.path().join("h");
    let init = ["init", "--genesis", text(&genesis), "--home", text(&home)];
    ok(&init);
    refused(&init, 73, "exists", "nothing is overwritten");
}

#[test]
fn a_genesis_that_is_none_or_has_public_keys_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("genesis.json");
    let home = folder.path().join("h");
    let init = ["init", "--genesis", text(&path), "--home", text(&home)];
    refused(&init, 66, "No such file", "check the path");
    std::fs::write(&path, "{}").unwrap();
    refused(&init, 78, "missing field", "other nodes");
    let mut plan =
        rota_node::provision::NetworkPlan::loopback(9, 4, 2_000, rota_types::TimestampMs(1))
            .unwrap();
    plan.keys = rota_node::provision::KeySource::Public;
    let network = rota_node::provision::make_network(&plan).unwrap();
    std::fs::write(&path, serde_json::to_string(&network.genesis).unwrap()).unwrap();
    refused(&init, 78, "devnet keys are public", "fresh keys");
}

#[test]
fn a_node_that_is_not_there_is_unavailable() {
    let nobody = "http://127.0.0.1:1";
    refused(&["status", "--rpc", nobody], 69, "refused", "--rpc URL");
    refused(&["status", "--ready", "--rpc", nobody], 69, "refused", "--rpc URL");
    let submit =
        ["tx", "submit", "--payload", "00", "--rollup", "10", "--timeout", "0", "--rpc", nobody];
    refused(&submit, 69, "refused", "rota start");
    refused(&["tx", "get", "00"], 64, "32 bytes of hex", "--help");
}

#[test]
fn a_proof_that_does_not_verify_names_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let out = network(folder.path());
    let file = folder.path().join("f");
    std::fs::write(&file, b"not a proof").unwrap();
    let genesis = out.join("genesis.json");
    let verify = ["proof", "verify", text(&file), "--genesis", text(&genesis)];
    refused(&verify, 65, "decode", "fetch it again");
}
