//! Key files: the EIP's own vector, wrong passwords, hostile parameters, and a home's three files.

use super::*;
use crate::home::Home;
use zeroize::Zeroizing;

fn password(text: &str) -> Password {
    Password::new(Zeroizing::new(text.to_owned())).unwrap()
}

/// The scrypt vector of EIP-2335.
const VECTOR: &str = r#"{
    "crypto": {
        "kdf": {
            "function": "scrypt",
            "params": { "dklen": 32, "n": 262144, "p": 1, "r": 8,
                "salt": "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3" },
            "message": ""
        },
        "checksum": { "function": "sha256", "params": {},
            "message": "d2217fe5f3e9a1e34581ef8a78f7c9928e436d36dacc5e846690a5581e8ea484" },
        "cipher": { "function": "aes-128-ctr",
            "params": { "iv": "264daa3f303d7259501c93d997d84fe6" },
            "message": "06ae90d55fe0a6e9c5c3bc5b170827b2e5cce3929ed3f116c2811e6366dfe20f" }
    },
    "description": "This is a test keystore that uses scrypt to secure the secret.",
    "pubkey": "9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07",
    "path": "m/12381/60/3141592653/589793238",
    "uuid": "1d85ae20-35c5-4611-98e8-aa14a633906f",
    "version": 4
}"#;

#[test]
fn the_vector_of_the_eip_decrypts_with_its_styled_password() {
    let file = KeyFile::from_json(VECTOR).unwrap();
    let secret = file.decrypt(&password("𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑")).unwrap();
    assert_eq!(
        hex::encode(secret),
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    );
    assert_eq!(
        password("test\u{7f}password🔑").normalised().as_slice(),
        b"testpassword\xf0\x9f\x94\x91"
    );
}

#[test]
fn a_secret_comes_back_and_a_wrong_password_gives_nothing() {
    let meta = KeyMeta { pubkey: "ab".into(), path: "m/1".into(), description: "d".into() };
    let file =
        KeyFile::encrypt(b"secret bytes", &password("p"), meta.clone(), Cost::Light).unwrap();
    let file = KeyFile::from_json(&file.to_json()).unwrap();
    assert_eq!(file.meta(), meta);
    assert_eq!(file.decrypt(&password("p")).unwrap().as_slice(), b"secret bytes");
    assert_eq!(file.decrypt(&password("q")).unwrap_err(), KeyError::WrongPassword);
    assert!(!file.to_json().contains(&hex::encode(b"secret bytes")));
}

#[test]
fn hostile_parameters_are_refused_before_any_memory_is_taken() {
    let patches = [
        ("\"n\": 262144", "\"n\": 1099511627776"),
        ("\"n\": 262144", "\"n\": 262143"),
        ("\"n\": 262144", "\"n\": 0"),
        ("\"r\": 8", "\"r\": 4294967295"),
        ("\"p\": 1", "\"p\": 1000"),
        ("\"dklen\": 32", "\"dklen\": 64"),
        ("\"scrypt\"", "\"pbkdf2\""),
        ("\"version\": 4", "\"version\": 3"),
    ];
    for (from, to) in patches {
        let text = VECTOR.replace(from, to);
        let result = KeyFile::from_json(&text).and_then(|file| file.decrypt(&password("x")));
        assert!(matches!(result, Err(KeyError::Unsupported { .. })), "{to}");
    }
    assert!(KeyFile::from_json(&" ".repeat(70_000)).is_err());
    assert!(KeyFile::from_json("{}").is_err());
}

#[test]
fn the_keys_of_a_home_are_written_once_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.create().unwrap();
    let keys = NodeKeys::generate(true).unwrap();
    create_keys(&home, &keys, &password("pw"), Cost::Light).unwrap();
    let loaded = load_keys(&home, &password("pw")).unwrap();
    assert_eq!(loaded.node_seed, keys.node_seed);
    assert_eq!(loaded.validator_key(), keys.validator_key());
    assert_eq!(loaded.seal.unwrap().public_key(), keys.seal.as_ref().unwrap().public_key());
    let wrong = load_keys(&home, &password("no")).map(|_| ()).unwrap_err();
    assert_eq!(wrong.exit.number(), 77);
    assert_eq!(
        create_keys(&home, &keys, &password("pw"), Cost::Light).unwrap_err().exit.number(),
        73
    );
    std::fs::remove_file(home.key_file(KeyRole::Seal)).unwrap();
    assert_eq!(load_keys(&home, &password("pw")).map(|_| ()).unwrap_err().exit.number(), 66);
    std::fs::remove_file(home.key_file(KeyRole::Validator)).unwrap();
    assert!(load_keys(&home, &password("pw")).unwrap().validator_seed.is_none());
}

#[test]
fn a_file_under_anothers_public_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.create().unwrap();
    let keys = NodeKeys::generate(false).unwrap();
    create_keys(&home, &keys, &password("pw"), Cost::Light).unwrap();
    let path = home.key_file(KeyRole::Node);
    let stated = read_key_file(&path).unwrap().meta().pubkey;
    let text = std::fs::read_to_string(&path).unwrap().replace(&stated, &"0".repeat(64));
    std::fs::write(&path, text).unwrap();
    let error = load_keys(&home, &password("pw")).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("does not belong"), "{error}");
}

#[test]
fn a_password_file_gives_its_first_line_and_a_credential_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rota-password");
    std::fs::write(&path, "hunter two\nmore\n").unwrap();
    let source = PasswordSource::find(None, Some(folder.path()));
    assert_eq!(source, PasswordSource::File(path.clone()));
    assert_eq!(source.read("x").unwrap().text(), "hunter two");
    let configured = PasswordSource::find(Some(&path), None);
    assert_eq!(configured, source);
    assert_eq!(PasswordSource::find(None, None), PasswordSource::Prompt);
    std::fs::write(&path, "\n").unwrap();
    assert!(matches!(source.read("x"), Err(KeyError::NoPassword { .. })));
    assert!(PasswordSource::File(folder.path().join("no")).read("x").is_err());
}
