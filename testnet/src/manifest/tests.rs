//! What manifests say and refuse.

use super::*;

const SMALL: &str = "genesis = { slot = \"2s\", validators = 4 }\n";

#[test]
fn the_example_of_the_design_parses() {
    let text = r#"
        seed = 7
        genesis = { slot = "2s", validators = 7 }
        link = { delay = "45ms", jitter = "5ms", loss = 0.0 }
        load = { tx_bytes = 512, offered = "1MB/s", rollups = 8, via = ["rpc", "gossip"], slots = 40 }
        [node]
        v2 = { power = 2, perturb = ["kill@5", "restart@20"] }
        v3 = { perturb = ["pause@8+3", "wipe-index@15", "disk-full@22+2"] }
        v4 = { byzantine = { equivocate_votes = 0.2 } }
        f1 = { mode = "full", start_at = 15 }
        [net]
        perturb = ["partition:v1,v2|rest@25+4", "kill-all@32"]
        [expect]
        forks = 0
        receipted_lost = 0
        double_signs = 0
        height_min = 30
        recover_slots_max = 3
    "#;
    let manifest = Manifest::parse(text).unwrap();
    assert_eq!(manifest.genesis.slot.as_millis(), 2_000);
    assert_eq!(manifest.load.offered.bytes_per_second, 1_000_000);
    let all = manifest.perturbations().unwrap();
    assert_eq!(all.len(), 7);
    assert!(all.is_sorted_by_key(|p| p.at));
    assert_eq!(manifest.full_nodes().count(), 1);
}

#[test]
fn committed_manifests_parse() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        Manifest::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        seen += 1;
    }
    assert!(seen >= 8, "the committed ones of the document");
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    let error = Manifest::parse(&format!("{SMALL}[expect]\nfork = 0\n")).unwrap_err();
    assert!(error.to_string().contains("did you mean `forks`?"), "{error}");
    let text = format!("{SMALL}[node]\nv1 = {{ perturb = [\"kil@3\"] }}\n");
    let error = Manifest::parse(&text).unwrap_err();
    assert!(error.to_string().contains("did you mean `kill`?"), "{error}");
}

#[test]
fn a_validator_that_is_none_is_refused() {
    let error = Manifest::parse(&format!("{SMALL}[node]\nv9 = {{}}\n")).unwrap_err();
    assert!(error.to_string().contains("v1 to v4"), "{error}");
}

#[test]
fn roles_and_sides_that_are_none_are_refused() {
    let text = format!("{SMALL}[node]\nv1 = {{ byzantine = {{ lie = 0.5 }} }}\n");
    let error = Manifest::parse(&text).unwrap_err();
    assert!(error.to_string().contains("equivocate_votes"), "{error}");
    let text = format!("{SMALL}[net]\nperturb = [\"partition:v1,v9|rest@3+2\"]\n");
    let error = Manifest::parse(&text).unwrap_err();
    assert!(error.to_string().contains("v9"), "{error}");
}
