//! The verification rules against the vectors of others: Wycheproof, CCTV, EIP-7951, EIP-712, Daimo.

use crate::common::key;
use rota_keystore::eip712::{Words, digest};
use rota_keystore::keys::ed25519_verify;
use rota_keystore::{KeyKind, PublicKey};
use rota_types::{Hash, keccak256};
use sha2::Digest as _;
use std::path::PathBuf;
use wycheproof::{TestResult, ecdsa, eddsa};

/// A file of the shared fixtures, or `None` with a line that names what was skipped.
#[expect(clippy::print_stdout, reason = "a skip is named where the test's output is shown")]
fn fixture(path: &str) -> Option<String> {
    let root = std::env::var_os("ROTA_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        PathBuf::from,
    );
    let file = root.join("keystore").join(path);
    if let Ok(text) = std::fs::read_to_string(&file) {
        return Some(text);
    }
    println!("skipped: fixture keystore/{path} is not there (set ROTA_FIXTURES)");
    None
}

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn hash(value: &serde_json::Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

/// n / 2 of a curve: the largest low s.
const HALF_SECP256K1: &str = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";
const HALF_P256: &str = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";

fn is_low(s: &[u8], half: &str) -> bool {
    s <= hex::decode(half).unwrap().as_slice()
}

/// A point as the compressed key, or `None` if no key is made of it.
fn sec1_key(kind: KeyKind, x: &[u8], y: &[u8]) -> Option<PublicKey> {
    let point = [&[4], x, y].concat();
    let compressed = match kind {
        KeyKind::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(&point)
            .ok()?
            .to_sec1_point(true)
            .as_bytes()
            .to_vec(),
        _ => k256::ecdsa::VerifyingKey::from_sec1_bytes(&point)
            .ok()?
            .to_sec1_point(true)
            .as_bytes()
            .to_vec(),
    };
    let key = PublicKey::new(kind, &compressed).unwrap();
    key.check().unwrap();
    Some(key)
}

fn wycheproof_ecdsa(name: ecdsa::TestName, kind: KeyKind, half: &str) {
    let set = ecdsa::TestSet::load(name).unwrap();
    let (mut accepted, mut high) = (0, 0);
    for group in &set.test_groups {
        let point = PublicKey::new(kind, &compress(kind, &group.key.key)).unwrap();
        for test in &group.tests {
            let digest = Hash(sha2::Sha256::digest(&test.msg[..]).into());
            let ours = point.verify(&digest, &test.sig).is_ok();
            let low = test.sig.len() == 64 && is_low(&test.sig[32..], half);
            let wanted = test.result == TestResult::Valid && low;
            assert_eq!(ours, wanted, "{name:?} {}: {}", test.tc_id, test.comment);
            accepted += u32::from(ours);
            high += u32::from(test.result == TestResult::Valid && !low);
        }
    }
    assert!(accepted > 40 && high > 0, "{accepted} accepted, {high} refused for a high s");
}

fn compress(kind: KeyKind, point: &[u8]) -> Vec<u8> {
    let (x, y) = point.strip_prefix(&[4]).unwrap().split_at(32);
    sec1_key(kind, x, y).unwrap().bytes().to_vec()
}

#[test]
fn wycheproof_secp256k1() {
    let name = ecdsa::TestName::EcdsaSecp256k1Sha256P1363;
    wycheproof_ecdsa(name, KeyKind::Secp256k1, HALF_SECP256K1);
}

#[test]
fn wycheproof_p256() {
    wycheproof_ecdsa(ecdsa::TestName::EcdsaSecp256r1Sha256P1363, KeyKind::P256, HALF_P256);
}

#[test]
fn wycheproof_ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut accepted = 0;
    for group in &set.test_groups {
        let key: [u8; 32] = group.key.pk[..].try_into().unwrap();
        assert!(PublicKey::new(KeyKind::Ed25519, &key).unwrap().check().is_ok());
        for test in &group.tests {
            let ours = ed25519_verify(&key, &test.msg, &test.sig);
            // ZIP-215 takes R in any encoding of its point, RFC 8032 in one only. Only a signer whose R is of
            // small order can use that, and an operation runs once whatever its signature's bytes.
            let zip_215 = test.comment.starts_with("R encodes y = 1 with the sign bit of x set");
            let wanted = !test.result.must_fail() || zip_215;
            assert_eq!(ours, wanted, "{}: {}", test.tc_id, test.comment);
            accepted += u32::from(ours);
        }
    }
    assert!(accepted > 40);
}

/// CCTV's edge cases name flags, not verdicts; ours is ZIP-215, and single equals batch on every one of them.
#[test]
fn cctv_ed25519_single_equals_batch() {
    use rand_core::SeedableRng as _;
    let Some(text) = fixture("ed25519/VALIDATIONVECTORS") else {
        return;
    };
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut accepted = 0;
    for vector in &vectors {
        let key: [u8; 32] = bytes(&vector["key"]).try_into().unwrap();
        let signature: [u8; 64] = bytes(&vector["sig"]).try_into().unwrap();
        let message = vector["msg"].as_str().unwrap().as_bytes();
        let single = ed25519_verify(&key, message, &signature);
        let mut batch = ed25519_zebra::batch::Verifier::new();
        let signed = ed25519_zebra::Signature::from_bytes(&signature);
        batch.queue((ed25519_zebra::VerificationKeyBytes::from(key), signed, &message));
        // A good one beside it, so that the batch equation is really combined.
        let good = ed25519_zebra::SigningKey::from([7; 32]);
        let other = good.sign(b"other");
        batch.queue((ed25519_zebra::VerificationKeyBytes::from(&good), other, b"other"));
        let batched = batch.verify(rand_chacha::ChaCha20Rng::from_seed([1; 32])).is_ok();
        assert_eq!(single, batched, "vector {}", vector["number"]);
        let flags: Vec<&str> = vector["flags"]
            .as_array()
            .map(|flags| flags.iter().map(|flag| flag.as_str().unwrap()).collect())
            .unwrap_or_default();
        // By a cofactored rule a key of small order accepts whatever k is; every other signature made over a
        // re-encoded k is refused, and everything else is accepted.
        let refused = flags.contains(&"reencoded_k") && !flags.contains(&"low_order_A");
        assert_eq!(single, !refused, "vector {}", vector["number"]);
        accepted += u32::from(single);
        // A key of small order, or a second encoding of one, is in no config.
        let in_config = PublicKey::new(KeyKind::Ed25519, &key).unwrap().check().is_ok();
        if flags.contains(&"low_order_A") || flags.contains(&"non_canonical_A") {
            assert!(!in_config, "vector {}", vector["number"]);
        }
    }
    assert!(accepted > 100 && vectors.len() > 900);
}

#[test]
fn rfc8032_signatures_are_made_and_verified() {
    use ed25519_dalek::Signer as _;
    let Some(text) = fixture("ed25519/rfc8032_sign_input_TESTVECTORS") else {
        return;
    };
    for line in text.lines().step_by(16) {
        let fields: Vec<Vec<u8>> =
            line.split(':').take(4).map(|field| hex::decode(field).unwrap()).collect();
        let seed: [u8; 32] = fields[0][..32].try_into().unwrap();
        let key: [u8; 32] = fields[1][..].try_into().unwrap();
        let signer = ed25519_dalek::SigningKey::from_bytes(&seed);
        assert_eq!(signer.verifying_key().to_bytes(), key);
        assert_eq!(signer.sign(&fields[2]).to_bytes(), fields[3][..64]);
        assert!(ed25519_verify(&key, &fields[2], &fields[3][..64]));
    }
}

#[test]
fn eip7951_p256verify_vectors() {
    let Some(text) = fixture("eip/eip-7951-p256verify-test-vectors.json") else {
        return;
    };
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let (mut accepted, mut high) = (0, 0);
    for vector in &vectors {
        let input = bytes(&vector["Input"]);
        let valid = vector["Expected"].as_str().unwrap().ends_with('1');
        let parts: Vec<&[u8]> = input.chunks(32).collect();
        let ours = input.len() == 160
            && sec1_key(KeyKind::P256, parts[3], parts[4]).is_some_and(|key| {
                let digest = Hash(parts[0].try_into().unwrap());
                key.verify(&digest, &[parts[1], parts[2]].concat()).is_ok()
            });
        let low = input.len() == 160 && is_low(parts[2], HALF_P256);
        assert_eq!(ours, valid && low, "{}", vector["Name"]);
        accepted += u32::from(ours);
        high += u32::from(valid && !low);
    }
    assert!(accepted > 100 && high > 0);
}

#[test]
fn daimo_p256_vectors() {
    for file in ["p256/daimo_vectors_random_valid.jsonl", "p256/daimo_vectors_wycheproof.jsonl"] {
        let Some(text) = fixture(file) else {
            return;
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            let vector: serde_json::Value = serde_json::from_str(line).unwrap();
            let part = |name: &str| bytes(&vector[name]);
            let (r, s) = (part("r"), part("s"));
            let ours = sec1_key(KeyKind::P256, &part("x"), &part("y")).is_some_and(|key| {
                let digest = Hash(part("hash").try_into().unwrap());
                key.verify(&digest, &[r.clone(), s.clone()].concat()).is_ok()
            });
            let wanted = vector["valid"].as_bool().unwrap() && is_low(&s, HALF_P256);
            assert_eq!(ours, wanted, "{line}");
        }
    }
}

#[test]
fn eip712_mail_example() {
    let Some(text) = fixture("eip/eip-712-mail-example.json") else {
        return;
    };
    let vector: serde_json::Value = serde_json::from_str(&text).unwrap();
    let address = |text: &str| -> [u8; 20] { hex::decode(text).unwrap().try_into().unwrap() };
    let person = |name: &str, wallet: &str| {
        Words::of_type(b"Person(string name,address wallet)")
            .bytes(name.as_bytes())
            .address(&address(wallet))
            .hash()
    };
    let mail = Words::of_type(vector["encodeType"].as_str().unwrap().as_bytes())
        .word(&person("Cow", "cd2a3d9f938e13cd947ec05abc7fe734df8dd826"))
        .word(&person("Bob", &"b".repeat(40)))
        .bytes(b"Hello, Bob!")
        .hash();
    assert_eq!(mail, hash(&vector["structHash"]));
    let domain = Words::of_type(
        b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
    )
    .bytes(b"Ether Mail")
    .bytes(b"1")
    .number(1u64)
    .address(&[0xcc; 20])
    .hash();
    assert_eq!(domain, hash(&vector["domainSeparator"]));
    let signed = digest(&domain, &mail);
    assert_eq!(signed, hash(&vector["signHash"]));
    let owner = PublicKey::new(KeyKind::Eoa, &bytes(&vector["address"])).unwrap();
    let v = u8::try_from(vector["v"].as_u64().unwrap()).unwrap();
    let mut signature = [bytes(&vector["r"]), bytes(&vector["s"]), vec![v]].concat();
    owner.verify(&signed, &signature).unwrap();
    let ours = rota_keystore::wallet::WalletKey::from_secret(KeyKind::Eoa, &keccak256(b"cow").0);
    assert_eq!(ours.unwrap().sign(&signed).unwrap(), signature, "deterministic, as everyone's");
    for other in [0, 1, 26, 29, 31] {
        signature[64] = other;
        assert!(owner.verify(&signed, &signature).is_err(), "v is 27 or 28 only");
    }
}

#[test]
fn every_executed_kind_signs_verifies_and_refuses_high_s() {
    for kind in KeyKind::ALL.into_iter().filter(|kind| kind.is_executed()) {
        for number in 1..20 {
            let secret = key(kind, number);
            let digest = keccak256(&[number]);
            let signature = secret.sign(&digest).unwrap();
            assert_eq!(Some(signature.len()), kind.signature_bytes());
            secret.public_key().check().unwrap();
            secret.public_key().verify(&digest, &signature).unwrap();
            assert!(secret.public_key().verify(&keccak256(b"other"), &signature).is_err());
            let longer = [&signature[..], &[0]].concat();
            assert!(secret.public_key().verify(&digest, &longer).is_err());
            assert!(key(kind, number + 50).public_key().verify(&digest, &signature).is_err());
        }
    }
    // n − s of a low s is the other valid signature of plain ECDSA.
    let secret = key(KeyKind::Secp256k1, 3);
    let digest = keccak256(b"m");
    let signature = k256::ecdsa::Signature::from_slice(&secret.sign(&digest).unwrap()).unwrap();
    let (r, s) = signature.split_scalars();
    let high = k256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    assert!(secret.public_key().verify(&digest, &high.to_bytes()).is_err());
    // With the other v it recovers the same address: a second signature, hence a second id, by a stranger.
    let owner = key(KeyKind::Eoa, 3);
    let signed = owner.sign(&digest).unwrap();
    let recovered = k256::ecdsa::VerifyingKey::recover_from_prehash(
        &digest.0,
        &high,
        k256::ecdsa::RecoveryId::new(signed[64] == 27, false),
    );
    assert_eq!(recovered.unwrap().to_sec1_point(true).as_bytes(), secret.public_key().bytes());
    let other = [&high.to_bytes()[..], &[55 - signed[64]]].concat();
    assert!(owner.public_key().verify(&digest, &other).is_err());
}

#[test]
fn bad_points_and_the_zero_address_are_no_keys() {
    let refused =
        |kind, bytes: &[u8]| PublicKey::new(kind, bytes).and_then(|key| key.check()).is_err();
    assert!(refused(KeyKind::Eoa, &[0; 20]));
    assert!(refused(KeyKind::Ed25519, &[0; 32]), "y = 0 is of small order");
    let mut one = [0; 32];
    one[0] = 1;
    assert!(refused(KeyKind::Ed25519, &one), "the identity");
    assert!(refused(KeyKind::Ed25519, &[0xff; 32]), "a second encoding");
    assert!(refused(KeyKind::Secp256k1, &[2; 33]) || refused(KeyKind::Secp256k1, &[5; 33]));
    assert!(refused(KeyKind::P256, &[0; 33]));
    assert!(refused(KeyKind::P256, &[2; 32]), "length");
}
