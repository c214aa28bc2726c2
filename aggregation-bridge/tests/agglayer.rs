//! AggLayer's own certificates and vectors reproduce their roots.
//!
//! The files belong to other projects and are read from `$ROTA_FIXTURES`, else `../shared/fixtures`; each that
//! is absent is named and skipped. What they pin is pinned by our own vectors too (`tests/vectors.rs`).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use rota_aggregation_bridge::exits::{
    Address, BridgeExit, Claim, EMPTY_METADATA_HASH, ExitPath, GlobalIndex, ImportedExit,
    L1InfoLeaf, LeafType, LocalExitTree, NetworkId, NullifierKey, PessimisticValues, RootedPath,
    SparseTree, TokenInfo, aggchain_hash, exit_root, imported_exits_commitment,
    imported_indices_commitment, multisig_hash,
};
use rota_types::Hash;
use ruint::aliases::U256;
use serde_json::Value;
use std::path::PathBuf;

const SUITE: &str = "agglayer/crates/pessimistic-proof-test-suite";
const NETWORK_14: [&str; 3] = ["cert_h0", "cert_h1", "cert_h2"];
const NETWORK_15: [&str; 4] = ["n15-cert_h0", "n15-cert_h1", "n15-cert_h2", "n15-cert_h3"];

fn text(path: &str) -> Option<String> {
    let root = std::env::var_os("ROTA_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")),
        PathBuf::from,
    );
    let read = std::fs::read_to_string(root.join("agglayer").join(path)).ok();
    if read.is_none() {
        eprintln!("skipped: no fixture agglayer/{path}");
    }
    read
}

fn json(path: &str) -> Option<Value> {
    text(path).map(|text| serde_json::from_str(&text).unwrap())
}

fn certificate(name: &str) -> Option<Value> {
    json(&format!("{SUITE}/data/{name}.json"))
}

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

fn address(value: &Value) -> Address {
    let digits = value.as_str().unwrap().trim_start_matches("0x").to_owned();
    Address(hex::decode(digits).unwrap().try_into().unwrap())
}

fn number(value: &Value) -> U256 {
    match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => U256::from(value.as_u64().unwrap()),
    }
}

fn small(value: &Value) -> u32 {
    number(value).try_into().unwrap()
}

fn exit(value: &Value) -> BridgeExit {
    BridgeExit {
        leaf_type: match value["leaf_type"].as_str().unwrap() {
            "Transfer" => LeafType::Transfer,
            "Message" => LeafType::Message,
            other => panic!("{other}"),
        },
        token: TokenInfo {
            origin_network: NetworkId(small(&value["token_info"]["origin_network"])),
            origin_address: address(&value["token_info"]["origin_token_address"]),
        },
        destination_network: NetworkId(small(&value["dest_network"])),
        destination_address: address(&value["dest_address"]),
        amount: number(&value["amount"]),
        metadata_hash: match &value["metadata"] {
            Value::Null => EMPTY_METADATA_HASH,
            given => hash(given),
        },
    }
}

fn path(value: &Value) -> RootedPath {
    let siblings = value["proof"]["siblings"].as_array().unwrap();
    let siblings: Vec<Hash> = siblings.iter().map(hash).collect();
    RootedPath {
        root: hash(&value["root"]),
        path: Box::new(ExitPath(siblings.try_into().unwrap())),
    }
}

fn info_leaf(value: &Value) -> L1InfoLeaf {
    let leaf = L1InfoLeaf {
        index: small(&value["l1_info_tree_index"]),
        rollup_exit_root: hash(&value["rer"]),
        mainnet_exit_root: hash(&value["mer"]),
        block_hash: hash(&value["inner"]["block_hash"]),
        timestamp_s: value["inner"]["timestamp"].as_u64().unwrap(),
    };
    assert_eq!(leaf.global_exit_root(), hash(&value["inner"]["global_exit_root"]));
    leaf
}

fn claim(value: &Value) -> Claim {
    if let Some(found) = value.get("Mainnet") {
        return Claim::Mainnet {
            to_mainnet: path(&found["proof_leaf_mer"]),
            to_l1_info: path(&found["proof_ger_l1root"]),
            leaf: info_leaf(&found["l1_leaf"]),
        };
    }
    let found = &value["Rollup"];
    Claim::Rollup {
        to_local: path(&found["proof_leaf_ler"]),
        to_rollups: path(&found["proof_ler_rer"]),
        to_l1_info: path(&found["proof_ger_l1root"]),
        leaf: info_leaf(&found["l1_leaf"]),
    }
}

fn index(value: &Value) -> GlobalIndex {
    let source = match value["mainnet_flag"].as_bool().unwrap() {
        true => NetworkId::L1,
        false => NetworkId(small(&value["rollup_index"]) + 1),
    };
    GlobalIndex { source, leaf_index: small(&value["leaf_index"]) }
}

/// Appends the exits of consecutive certificates and compares both local exit roots of each.
fn chain(names: &[&str]) -> usize {
    let (mut tree, mut leaves) = (LocalExitTree::default(), Vec::new());
    for name in names {
        let Some(certificate) = certificate(name) else { break };
        assert_eq!(tree.root(), hash(&certificate["prev_local_exit_root"]), "{name}");
        for value in certificate["bridge_exits"].as_array().unwrap() {
            let leaf = exit(value).hash();
            leaves.push(leaf);
            tree.append(leaf).unwrap();
        }
        assert_eq!(tree.root(), hash(&certificate["new_local_exit_root"]), "{name}");
        assert_eq!(exit_root(&leaves), tree.root(), "{name}");
    }
    leaves.len()
}

#[test]
fn local_exit_roots_of_certificates_chain() {
    let exits = chain(&NETWORK_14) + chain(&NETWORK_15);
    eprintln!("{exits} exits appended");
}

#[test]
fn imported_exits_of_certificates_verify_and_no_others() {
    let mut verified = 0;
    for name in NETWORK_14.iter().chain(&NETWORK_15) {
        let Some(certificate) = certificate(name) else { continue };
        for value in certificate["imported_bridge_exits"].as_array().unwrap() {
            let (exit, at) = (exit(&value["bridge_exit"]), index(&value["global_index"]));
            let claim = claim(&value["claim_data"]);
            let (Claim::Mainnet { to_l1_info, .. } | Claim::Rollup { to_l1_info, .. }) = &claim;
            let root = to_l1_info.root;
            assert_eq!(claim.verify(&exit, at, &root), Ok(()), "{name}");
            let richer = BridgeExit { amount: exit.amount + U256::ONE, ..exit };
            assert!(claim.verify(&richer, at, &root).is_err(), "{name}");
            let beside = GlobalIndex { leaf_index: at.leaf_index ^ 1, ..at };
            assert!(claim.verify(&exit, beside, &root).is_err(), "{name}");
            assert!(claim.verify(&exit, at, &Hash::ZERO).is_err(), "{name}");
            verified += 1;
        }
    }
    eprintln!("{verified} claims verified");
}

/// The signer is not in the fixtures. That one key signed all certificates of a network under our commitment
/// pins the commitment: any other digest recovers another key from each signature.
#[test]
fn certificates_of_a_network_are_signed_by_one_key() {
    for names in [&NETWORK_14[..], &NETWORK_15[..]] {
        let signers: Vec<_> =
            names.iter().filter_map(|name| certificate(name)).map(signer).collect();
        assert!(signers.windows(2).all(|pair| pair[0] == pair[1]), "{names:?}");
    }
}

fn signer(certificate: Value) -> VerifyingKey {
    let imported: Vec<ImportedExit> = certificate["imported_bridge_exits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| ImportedExit {
            index: index(&value["global_index"]),
            exit_hash: exit(&value["bridge_exit"]).hash(),
        })
        .collect();
    let root = hash(&certificate["new_local_exit_root"]);
    let digest =
        rota_types::hash::keccak256_concat(&[&root.0, &imported_indices_commitment(&imported).0]);
    let given = &certificate["signature"];
    let scalar = |name: &str| number(&given[name]).to_be_bytes::<32>();
    let signature = Signature::from_scalars(scalar("r"), scalar("s")).unwrap();
    let id = RecoveryId::new(given["odd_y_parity"].as_bool().unwrap(), false);
    VerifyingKey::recover_from_prehash(&digest.0, &signature, id).unwrap()
}

#[test]
fn empty_roots_are_the_snapshots() {
    let last = |name: &str| {
        let text = text(&format!("{SUITE}/tests/snapshots/root_hashes__{name}.snap"))?;
        text.lines().last().map(str::to_owned)
    };
    if let Some(root) = last("root_hashes_sanity_check-2") {
        assert_eq!(SparseTree::<NullifierKey, 64>::default().root().to_string(), root);
    }
    if let Some(root) = last("root_hashes_sanity_check") {
        assert_eq!(SparseTree::<TokenInfo, 192>::default().root().to_string(), root);
    }
}

#[test]
fn multisig_and_aggchain_hashes() {
    let vectors = |name: &str| json(&format!("{SUITE}/data/test_vector/{name}.json"));
    if let Some(file) = vectors("multisig_hash_computation") {
        for vector in file["test_vectors"].as_array().unwrap() {
            let inputs = &vector["inputs"];
            let signers: Vec<_> =
                inputs["signers"].as_array().unwrap().iter().map(address).collect();
            let found = multisig_hash(small(&inputs["threshold"]), &signers);
            assert_eq!(found, hash(&vector["expected_output"]["multisig_hash"]));
        }
    }
    if let Some(file) = vectors("aggchain_hash_computation") {
        for vector in file["test_vectors"].as_array().unwrap() {
            let inputs = &vector["inputs"];
            let field = |name: &str| hash(&inputs[name]);
            let found = aggchain_hash(
                &field("aggchain_vkey"),
                &field("aggchain_params"),
                &field("multisig_hash"),
            );
            assert_eq!(found, hash(&vector["expected_output"]["aggchain_hash"]));
        }
    }
}

#[test]
fn public_values_of_the_real_pessimistic_proof() {
    let Some(file) = json("contracts/test/contractsv2/real-prover-sp1/test-inputs/input.json")
    else {
        return;
    };
    let inputs = &file["pp-inputs"];
    let field = |name: &str| hash(&inputs[name]);
    let values = PessimisticValues {
        previous_local_exit_root: field("prev-local-exit-root"),
        previous_pessimistic_root: field("prev-pessimistic-root"),
        l1_info_root: field("l1-info-root"),
        network: NetworkId(small(&inputs["origin-network"])),
        aggchain_hash: field("aggchain-hash"),
        new_local_exit_root: field("new-local-exit-root"),
        new_pessimistic_root: field("new-pessimistic-root"),
    };
    let expected = file["public-values"].as_str().unwrap().trim_start_matches("0x");
    assert_eq!(hex::encode(values.packed()), expected);
}

#[test]
fn commitment_to_imported_exits_of_an_aggchain_proof() {
    let Some(file) =
        json("provers/crates/aggchain-proof-core/src/test_input/bridge_constraints_input.json")
    else {
        return;
    };
    let witness = &file["bridge_witness"];
    let unset: Vec<U256> = witness["unset_claims"].as_array().unwrap().iter().map(number).collect();
    let imported: Vec<ImportedExit> = witness["imported_bridge_exits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| (number(&value["global_index"]), hash(&value["bridge_exit_hash"])))
        .filter(|(number, _)| !unset.contains(number))
        .map(|(number, exit_hash)| ImportedExit {
            index: GlobalIndex::from_u256(number).unwrap(),
            exit_hash,
        })
        .collect();
    let expected = hash(&file["commit_imported_bridge_exits"]);
    assert_eq!(imported_exits_commitment(&imported), expected);
    for inserted in witness["inserted_gers"].as_array().unwrap() {
        let leaf = info_leaf(&inserted["l1_info_tree_leaf"]);
        let path = path(&inserted["proof"]);
        assert_eq!(path.path.root_of(leaf.hash(), leaf.index), path.root);
        assert_eq!(path.root, hash(&file["l1_info_root"]));
    }
}
