//! A devnet in a process of its own, used as a newcomer uses it.

use crate::{json, ok, rota, run, text};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

/// A running devnet; killed when dropped.
pub(crate) struct Devnet {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) rpc: String,
}

impl Drop for Devnet {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Devnet {
    pub(crate) fn start(home: &Path) -> Self {
        let mut child = rota()
            .args(["devnet", "--http", "0", "--slot-ms", "1000", "--home", text(home)])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first =
            lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("v0 ")).unwrap();
        let rpc = first.split_whitespace().nth(2).unwrap().to_owned();
        Self { child, lines, rpc }
    }

    /// Waits for the line of the next sealed slot.
    pub(crate) fn slot(&mut self) -> String {
        self.lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("slot ")).unwrap()
    }

    fn tail(&self, rollup: &str) -> Vec<Value> {
        let arguments = [
            "slot", "tail", "--rollup", rollup, "--from", "1", "--until", "head", "--json",
            "--rpc", &self.rpc,
        ];
        ok(&arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Raw transactions of one chain, or `None` where the fixtures are not at hand.
fn fixture(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ROTA_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        PathBuf::from,
    );
    let path = folder.join("rollup-txs").join(name);
    if !path.exists() {
        println!("skipped: {name} is not in ROTA_FIXTURES");
        return None;
    }
    Some(path)
}

#[test]
fn slots_are_sealed_with_traffic_and_end_with_a_summary() {
    let ran =
        run(&["devnet", "--http", "0", "--slot-ms", "1000", "--slots", "3", "--rollup", "4242"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let slots: Vec<_> = ran.out.lines().filter(|line| line.starts_with("slot ")).collect();
    assert_eq!(slots.len(), 3, "{}", ran.out);
    assert!(slots.iter().all(|line| line.contains("sealed by")), "{}", ran.out);
    assert!(ran.out.contains("4242"));
    assert!(ran.out.contains("summary: 3 slots sealed"), "{}", ran.out);
}

#[test]
fn real_transactions_are_found_once_in_order_and_proved_offline_through_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("devnet");
    let genesis = home.join("genesis.json");
    let mut devnet = Devnet::start(&home);
    devnet.slot();
    let own = folder.path().join("own.hexl");
    std::fs::write(&own, (0..300).map(|n| format!("{n:08x}\n")).collect::<String>()).unwrap();
    let mut sent = Vec::new();
    for (file, rollup) in [
        (Some(own), "10"),
        (fixture("taiko-167000.hexl"), "167000"),
        (fixture("scroll-534352.hexl"), "534352"),
    ] {
        let Some(file) = file else { continue };
        let arguments = [
            "tx",
            "submit",
            "--file",
            text(&file),
            "--rollup",
            rollup,
            "--wait",
            "sealed",
            "--json",
            "--rpc",
            &devnet.rpc,
        ];
        let statuses: Vec<Value> =
            ok(&arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let raw = std::fs::read_to_string(&file).unwrap();
        let raw: Vec<&str> = raw.lines().collect();
        assert_eq!(statuses.len(), raw.len());
        for (status, raw) in statuses.iter().zip(&raw) {
            let hash = rota_types::keccak256(&hex::decode(raw).unwrap());
            assert_eq!(status["payload_hash"], json!(hash));
            assert_eq!(status["level"], "sealed");
        }
        let tail = devnet.tail(rollup);
        assert_eq!(tail.iter().map(|tx| tx["payload"].as_str().unwrap()).collect::<Vec<_>>(), raw);
        sent.push((rollup, statuses, tail));
    }
    prove(&devnet, &genesis, &sent[0].1[7]);

    devnet.child.kill().unwrap();
    drop(devnet);
    let mut devnet = Devnet::start(&home);
    devnet.slot();
    for (rollup, _, tail) in &sent {
        assert_eq!(&devnet.tail(rollup), tail, "after a kill");
    }
}

fn prove(devnet: &Devnet, genesis: &Path, status: &Value) {
    let folder = genesis.parent().unwrap();
    let (id, height) = (status["id"].as_str().unwrap(), status["height"].to_string());
    let file = |name: &str| text(&folder.join(name)).to_owned();
    let (one, all, none) = (file("one"), file("all"), file("none"));
    let get = |what: &[&str], out: &str| {
        ok(&[&["proof", "get"][..], what, &["--out", out, "--rpc", &devnet.rpc]].concat());
    };
    get(&[id], &one);
    get(&["--slot", &height, "--rollup", "10"], &all);
    get(&["--slot", &height, "--rollup", "999"], &none);
    let verified =
        |file: &str| json(&["proof", "verify", file, "--genesis", text(genesis), "--json"]);
    assert_eq!(verified(&one)["index"], status["namespace_index"]);
    assert_eq!(verified(&all)["kind"], "completeness");
    assert_eq!(verified(&none)["kind"], "absence");
    for name in [one, all, none] {
        let bytes = std::fs::read(&name).unwrap();
        for bit in (0..bytes.len() * 8).step_by(bytes.len()) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let path = file("flipped");
            std::fs::write(&path, flipped).unwrap();
            let ran = run(&["proof", "verify", &path, "--genesis", text(genesis), "--json"]);
            assert_eq!(ran.code, 65, "{name} bit {bit}: {}", ran.out);
            assert!(ran.out.contains("\"check\""), "{}", ran.out);
        }
    }
}

#[test]
fn an_account_changes_keys_and_proves_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("devnet");
    let genesis = home.join("genesis.json");
    let mut devnet = Devnet::start(&home);
    devnet.slot();
    let wallet = folder.path().join("wallet");
    let password = folder.path().join("password");
    std::fs::write(&password, "one\n").unwrap();
    let with = [
        "--wallet",
        text(&wallet),
        "--password-file",
        text(&password),
        "--rpc",
        &devnet.rpc,
        "--json",
    ];
    let keystore = |what: &[&str]| json(&[&["keystore"][..], what, &with].concat());
    let proof = folder.path().join("proof");
    let prove = |id: &[&str]| {
        keystore(&[&["prove"][..], id, &["--out", text(&proof)]].concat());
        json(&["proof", "verify", text(&proof), "--genesis", text(&genesis), "--json"])
    };

    let created = keystore(&["new"]);
    let id = created["keystore_id"].as_str().unwrap();
    let first = prove(&[]);
    assert_eq!((&first["present"], &first["leaf"]["config_seq"]), (&json!(true), &json!(0)));
    keystore(&["rotate", "--kind", "secp256k1"]);
    let rotated = prove(&[]);
    assert_eq!(
        (&rotated["leaf"]["config_seq"], &rotated["leaf"]["auth_seq"]),
        (&json!(1), &json!(1))
    );
    assert_ne!(rotated["leaf"]["config_hash"], first["leaf"]["config_hash"]);

    let old = wallet.join("key-0.json");
    let refused = run(&[&["keystore", "rotate", "--key", text(&old)][..], &with].concat());
    assert_eq!(refused.code, 65, "the old key is refused: {}", refused.err);
    assert!(
        refused.err.contains("UnknownKey") || refused.err.contains("DeltaRefused"),
        "{}",
        refused.err
    );

    keystore(&["freeze", "--slots", "50"]);
    assert_eq!(prove(&[])["leaf"]["status"], "frozen");
    keystore(&["unfreeze"]);
    assert_eq!(prove(&[])["leaf"]["status"], "active");
    assert_eq!(keystore(&["show"])["keystore_id"], id);
    let nobody = rota_types::Hash([1; 32]).to_string();
    assert_eq!(prove(&[&nobody])["present"], false);
}
