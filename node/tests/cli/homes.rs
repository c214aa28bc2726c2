//! Homes, keys and configuration on disk.

use crate::{json, ok, run, text};
use serde_json::Value;

#[test]
fn a_network_for_containers_has_fixed_addresses_named_volumes_and_health_checks() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("net");
    ok(&[
        "testnet",
        "--validators",
        "4",
        "--full-nodes",
        "1",
        "--rollup",
        "4242",
        "--out",
        text(&out),
    ]);
    let compose = std::fs::read_to_string(out.join("docker-compose.yml")).unwrap();
    for wanted in [
        "ipv4_address: 172.30.57.11",
        "ipv4_address: 172.30.57.15",
        "test: [\"CMD\", \"/rota\", \"status\", \"--ready\"]",
        "restart: \"no\"",
        "- f1:/home",
        "device: ",
    ] {
        assert!(compose.contains(wanted), "{wanted}\n{compose}");
    }
    let genesis: Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("genesis.json")).unwrap()).unwrap();
    assert_eq!(genesis["validators"].as_array().unwrap().len(), 4);
    assert!(genesis["rollups"].as_array().unwrap().iter().any(|rollup| rollup["id"] == 4242));
    let shown = ok(&["config", "show", "--home", text(&out.join("v2"))]);
    assert!(shown.contains("/ip4/172.30.57.13/tcp/7645"), "{shown}");
    assert!(shown.contains("\"/home/keys/password\""), "{shown}");
    assert!(!out.join("f1/keys/validator.json").exists());
    assert!(!out.join("f1/state/guard.log").exists());
}

#[test]
fn keys_are_made_listed_exported_imported_and_given_another_password() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("net");
    ok(&["testnet", "--world", "process", "--validators", "1", "--out", text(&out)]);
    let genesis = out.join("genesis.json");
    let home = folder.path().join("h");
    let password = folder.path().join("password");
    std::fs::write(&password, "one\n").unwrap();
    let with = ["--home", text(&home), "--password-file", text(&password)];
    ok(&[&["init", "--genesis", text(&genesis)][..], &with].concat());
    let public = ok(&[&["key", "new", "validator"][..], &with].concat());
    assert!(home.join("state/guard.log").exists(), "a fresh key comes with its guard");
    let listed = ok(&["key", "list", "--home", text(&home)]);
    assert!(listed.contains(public.trim()));
    let again = run(&[&["key", "new", "validator"][..], &with].concat());
    assert_eq!(again.code, 73);

    let exported = folder.path().join("validator.json");
    std::fs::write(&exported, ok(&["key", "export", "validator", "--home", text(&home)])).unwrap();
    let shown = json(&["key", "inspect", text(&exported), "--json"]);
    assert_eq!(shown["pubkey"], public.trim());
    let marks = folder.path().join("guard.json");
    std::fs::write(&marks, ok(&["key", "guard", "export", "--home", text(&home)])).unwrap();

    let other = folder.path().join("other");
    let with = ["--home", text(&other), "--password-file", text(&password)];
    ok(&[&["init", "--genesis", text(&genesis)][..], &with].concat());
    let imported = run(&[&["key", "import", "validator", text(&exported)][..], &with].concat());
    assert_eq!(imported.code, 0, "{}", imported.err);
    assert!(imported.err.contains("will not sign"), "a key without its guard says so");
    assert!(!other.join("state/guard.log").exists());
    ok(&["key", "guard", "import", text(&marks), "--home", text(&other)]);
    assert!(other.join("state/guard.log").exists());

    let fresh = folder.path().join("fresh");
    std::fs::write(&fresh, "two\n").unwrap();
    ok(&[&["key", "change-password", "--new-password-file", text(&fresh)][..], &with].concat());
    let peer = ["show", "peer-id", "--home", text(&other), "--password-file"];
    assert_eq!(run(&[&peer[..], &[text(&password)]].concat()).code, 77);
    ok(&[&peer[..], &[text(&fresh)]].concat());
}

#[test]
fn the_default_configuration_is_whole_and_every_value_has_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("h");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("config.toml"), ok(&["config", "default"])).unwrap();
    ok(&["config", "check", "--home", text(&home)]);
    let shown = crate::rota()
        .args(["config", "show", "--effective", "--home", text(&home), "--log.level", "debug"])
        .env("ROTA_DISK_KEEP", "60 GB")
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("log.level = \"debug\"  # --log.level"), "{shown}");
    assert!(shown.contains("# $ROTA_DISK_KEEP"), "{shown}");
    assert!(shown.contains("http.listen = \"127.0.0.1:8645\"  # default"), "{shown}");
}
