//! The sparse Merkle tree against a plain map, against an independent implementation, and against the attacks.
#![expect(clippy::indexing_slicing, reason = "tests fail loudly")]

use proptest::prelude::*;
use rota_types::hash::{Hash, keccak256};
use rota_types::smt::{SMT_DEPTH_MAX, SmtProof, SparseTree, smt_leaf, smt_node};
use std::collections::BTreeMap;

type Model = BTreeMap<Hash, Vec<u8>>;

/// The definition, word for word: the root is a function of the set.
fn model_root(entries: &[(Hash, Vec<u8>)], depth: usize) -> Hash {
    match entries {
        [] => Hash::ZERO,
        [(key, value)] => smt_leaf(key, &keccak256(value)),
        _ => {
            let (right, left): (Vec<_>, Vec<_>) =
                entries.iter().cloned().partition(|(key, _)| key.bit(depth));
            smt_node(&model_root(&left, depth + 1), &model_root(&right, depth + 1))
        }
    }
}

fn root_of(model: &Model) -> Hash {
    let entries: Vec<_> = model.iter().map(|(key, value)| (*key, value.clone())).collect();
    model_root(&entries, 0)
}

/// Keys with long shared prefixes are as likely as far ones.
fn keys() -> impl Strategy<Value = Hash> {
    (0u8..4, 0u8..4, prop::sample::select(vec![0usize, 1, 8, 31])).prop_map(|(a, b, at)| {
        let mut key = [0u8; 32];
        key[0] = a << 6;
        key[at] |= b;
        Hash(key)
    })
}

fn steps() -> impl Strategy<Value = Vec<(bool, Hash, u8)>> {
    prop::collection::vec((prop::bool::weighted(0.7), keys(), any::<u8>()), 0..40)
}

fn run(steps: &[(bool, Hash, u8)]) -> (SparseTree, Model) {
    let (mut tree, mut model) = (SparseTree::new(), Model::new());
    for (insert, key, value) in steps {
        if *insert {
            tree.insert(*key, vec![*value]);
            model.insert(*key, vec![*value]);
        } else {
            assert_eq!(tree.remove(key), model.remove(key).is_some());
        }
    }
    (tree, model)
}

fn flip(hash: &Hash, bit: usize) -> Hash {
    let mut flipped = *hash;
    flipped.0[bit / 8] ^= 0x80 >> (bit % 8);
    flipped
}

proptest! {
    #[test]
    fn tree_equals_the_plain_map_and_the_definition(steps in steps()) {
        let (tree, model) = run(&steps);
        prop_assert_eq!(tree.len(), model.len());
        prop_assert_eq!(tree.root(), root_of(&model));
        let entries: Vec<_> = tree.iter().map(|(key, value)| (*key, value.to_vec())).collect();
        let wanted: Vec<_> = model.clone().into_iter().collect();
        prop_assert_eq!(entries, wanted);
        for (key, value) in &model {
            prop_assert_eq!(tree.get(key), Some(&value[..]));
        }
    }

    #[test]
    fn root_does_not_remember_insertion_order_or_deletions(steps in steps(), seed in any::<u64>()) {
        let (tree, model) = run(&steps);
        let mut entries: Vec<_> = model.into_iter().collect();
        entries.sort_by_key(|(key, _)| keccak256(&[&key.0[..], &seed.to_be_bytes()].concat()));
        prop_assert_eq!(tree.root(), entries.into_iter().collect::<SparseTree>().root());
    }

    #[test]
    fn presence_verifies_for_its_value_only_and_absence_never_with_it(steps in steps(), key in keys(), other in any::<u8>()) {
        let (tree, model) = run(&steps);
        let root = tree.root();
        let proof = tree.prove(&key);
        match model.get(&key) {
            Some(value) => {
                prop_assert!(proof.verify_present(&root, &key, value).is_ok());
                prop_assert_eq!(proof.verify_present(&root, &key, &[other]).is_ok(), *value == vec![other]);
                prop_assert!(proof.verify_absent(&root, &key).is_err());
                // No proof of any other key, and no invented foreign leaf, denies a present key.
                for asked in model.keys() {
                    let mut borrowed = tree.prove(asked);
                    prop_assert!(borrowed.verify_absent(&root, &key).is_err());
                    borrowed.foreign = Some((*asked, keccak256(&model[asked])));
                    prop_assert!(borrowed.verify_absent(&root, &key).is_err());
                }
                for depth in 0..=proof.siblings.len() {
                    let mut cut = proof.clone();
                    cut.siblings.truncate(depth);
                    prop_assert!(cut.verify_absent(&root, &key).is_err());
                }
            }
            None => {
                prop_assert!(proof.verify_absent(&root, &key).is_ok());
                prop_assert!(proof.verify_present(&root, &key, &[other]).is_err());
            }
        }
    }

    #[test]
    fn any_flipped_bit_of_a_proof_is_refused(steps in steps(), key in keys(), at in any::<usize>()) {
        let (tree, model) = run(&steps);
        let root = tree.root();
        let bytes = borsh::to_vec(&tree.prove(&key)).unwrap();
        let mut flipped = bytes.clone();
        let bit = at % (bytes.len() * 8);
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        if let Ok(proof) = borsh::from_slice::<SmtProof>(&flipped) {
            match model.get(&key) {
                Some(value) => prop_assert!(proof.verify_present(&root, &key, value).is_err()),
                None => prop_assert!(proof.verify_absent(&root, &key).is_err()),
            }
        }
        let other_root = flip(&root, at % 256);
        prop_assert!(tree.prove(&key).verify_absent(&other_root, &key).is_err());
    }
}

/// Slot of an indexed tree in the published validator: absent unless `low >= key` *and* `key >= next`.
fn published_absence_check(low: &Hash, next: &Hash, key: &Hash) -> bool {
    !(low >= key && key >= next)
}

/// A published keystore validator accepts an absence proof unless both bounds fail at once, so that the
/// neighbour's slot denies a present key. Nothing a neighbour can show denies a present key here.
#[test]
fn a_neighbours_leaf_never_denies_a_present_key() {
    let tree: SparseTree = (0u8..20).map(|i| (keccak256(&[i]), vec![i])).collect();
    let keys: Vec<Hash> = tree.iter().map(|(key, _)| *key).collect();
    let mut accepted_by_the_published_rule = 0;
    for present in &keys {
        for pair in keys.windows(2) {
            if published_absence_check(&pair[0], &pair[1], present) {
                accepted_by_the_published_rule += 1;
            }
            for neighbour in pair {
                let mut proof = tree.prove(neighbour);
                assert!(proof.verify_absent(&tree.root(), present).is_err());
                proof.foreign = Some((*neighbour, keccak256(tree.get(neighbour).unwrap())));
                assert!(proof.verify_absent(&tree.root(), present).is_err());
            }
        }
    }
    assert!(accepted_by_the_published_rule > 0, "the attack works on the published rule");
}

#[test]
fn a_foreign_leaf_off_the_path_is_refused_though_it_hashes_to_the_root() {
    let (here, there) = (Hash([0x00; 32]), Hash([0xff; 32]));
    let tree: SparseTree = [(here, b"a".to_vec()), (there, b"b".to_vec())].into_iter().collect();
    // The path of a key on the left, with the leaf of the right under it: the fold uses the asked key's bits.
    let asked = Hash([0x0f; 32]);
    let mut proof = tree.prove(&asked);
    proof.verify_absent(&tree.root(), &asked).unwrap();
    proof.foreign = Some((there, keccak256(b"b")));
    proof.siblings = vec![smt_leaf(&here, &keccak256(b"a"))];
    assert!(proof.verify_absent(&tree.root(), &asked).is_err());
    // With the path turned round the fold would reach the root; the key would then be off the path of `asked`.
    assert!(proof.verify_absent(&tree.root(), &Hash([0xf0; 32])).is_ok(), "absent there, truly");
}

#[test]
fn a_leaf_that_was_not_lifted_is_refused() {
    // A root built with a lone leaf one level too low: not a tree, so its proofs are refused.
    let key = Hash([0x00; 32]);
    let root = smt_node(&smt_leaf(&key, &keccak256(b"v")), &Hash::ZERO);
    let proof = SmtProof { siblings: vec![Hash::ZERO], foreign: None };
    assert!(proof.verify_present(&root, &key, b"v").is_err());
    assert!(proof.verify_absent(&smt_node(&Hash::ZERO, &Hash::ZERO), &key).is_err());
}

#[test]
fn proofs_deeper_than_the_key_are_refused_before_allocation() {
    let deep = SmtProof { siblings: vec![Hash([1; 32]); SMT_DEPTH_MAX + 1], foreign: None };
    assert!(deep.verify_present(&Hash::ZERO, &Hash::ZERO, b"").is_err());
    let mut bytes = u32::MAX.to_le_bytes().to_vec();
    bytes.push(0);
    assert!(borsh::from_slice::<SmtProof>(&bytes).is_err());
    assert!(borsh::from_slice::<SmtProof>(&borsh::to_vec(&deep).unwrap()).is_err());
    let empty_at_the_bottom =
        SmtProof { siblings: vec![Hash([1; 32]); SMT_DEPTH_MAX], foreign: None };
    assert!(empty_at_the_bottom.verify_absent(&Hash::ZERO, &Hash::ZERO).is_err());
}

#[test]
fn agrees_with_the_independent_implementation_in_python() {
    let text = include_str!("vectors/smt.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    assert!(vectors.len() >= 9);
    let hash = |value: &serde_json::Value| value.as_str().unwrap().parse::<Hash>().unwrap();
    let bytes = |value: &serde_json::Value| hex::decode(value.as_str().unwrap()).unwrap();
    for vector in &vectors {
        let tree: SparseTree = vector["entries"]
            .as_array()
            .unwrap()
            .iter()
            .rev()
            .map(|entry| (hash(&entry[0]), bytes(&entry[1])))
            .collect();
        assert_eq!(tree.root(), hash(&vector["root"]), "{}", vector["name"]);
        for wanted in vector["proofs"].as_array().unwrap() {
            let key = hash(&wanted["key"]);
            let proof = SmtProof {
                siblings: wanted["siblings"].as_array().unwrap().iter().map(hash).collect(),
                foreign: wanted["foreign"].as_array().map(|pair| (hash(&pair[0]), hash(&pair[1]))),
            };
            assert_eq!(tree.prove(&key), proof);
            match wanted["value"].as_str() {
                Some(value) => {
                    proof.verify_present(&tree.root(), &key, &hex::decode(value).unwrap()).unwrap()
                }
                None => proof.verify_absent(&tree.root(), &key).unwrap(),
            }
        }
    }
}
